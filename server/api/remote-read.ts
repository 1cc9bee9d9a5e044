import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BarographError, type SeriesSamples } from '../model/index.ts';
import { type PackedSeries, type QueryPool, type QueryRequest, unpackSeries } from '../query/index.ts';
import {
  decodeReadRequest,
  encodeReadFrames,
  encodeReadResponse,
  inflate,
  parseContentEncoding,
  READ_RESPONSE_HEADERS,
  type ReadQuery,
  snappyCompress,
} from '../wire/index.ts';
import { bufferOf, goneSignal, onceClosed, sendError } from './answer.ts';
import type { Gate } from './gate.ts';
import { addRoute } from './prometheus-answer.ts';

/** Samples of an answer that is built whole, over all queries of the request. */
const MAX_WHOLE_SAMPLES = 2_000_000;
/** Samples of one query of a streamed answer, which are held while the client takes them; 16 bytes each. */
const MAX_STREAMED_SAMPLES = 25_000_000;
/** Milliseconds without progress after which a client is taken for gone. */
const STALLED_MS = 60_000;
/** Samples that are encoded at a time, some milliseconds' worth. */
const BATCH_SAMPLES = 10_000;
/** Field 1 of `ReadResponse`, a message. */
const RESULTS_TAG = 0x0a;
/** Milliseconds of encoding after which other requests have their turn. */
const TURN_MS = 5;

/**
 * Adds `POST /api/v1/read`: Prometheus's remote read. Query threads read the samples, one query after the other; chunks
 * are encoded as the client takes them, so that no answer is ever there as a whole.
 */
export function addRemoteRead(app: FastifyInstance, queries: QueryPool, gate: Gate): void {
  addRoute(app, ['POST'], '/api/v1/read', async (request, reply) => {
    try {
      onceClosed(reply, await gate.enter(goneSignal(reply)));
      return await read(queries, request, reply);
    } catch (error) {
      return sendError(request, reply, error);
    }
  });
}

async function read(queries: QueryPool, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  const body = (request.body as Buffer | null | undefined) ?? Buffer.alloc(0);
  const encoding = parseContentEncoding(request.headers['content-encoding'] ?? 'snappy');
  const asked = decodeReadRequest(inflate(body, encoding));
  const headers = READ_RESPONSE_HEADERS[asked.responseType];
  const gone = goneSignal(reply);
  switch (asked.responseType) {
    case 'samples': {
      const results: Buffer[] = [];
      let left = MAX_WHOLE_SAMPLES;
      for (const query of asked.queries) {
        const packed = await queries.run(samplesOf(query, left), gone);
        left -= packed.timestamps.length;
        results.push(await encodeResult(packed, gone));
      }
      return reply.headers(headers).send(bufferOf(snappyCompress(Buffer.concat(results))));
    }
    case 'streamed_xor_chunks': {
      // The first query runs before the headers are out, so that its error still has a status.
      const [first, ...rest] = asked.queries;
      const packed = first && (await queries.run(samplesOf(first, MAX_STREAMED_SAMPLES), gone));
      reply.raw.setTimeout(STALLED_MS, () => reply.raw.destroy());
      const frames = packed ? encodeAll(queries, packed, rest, gone) : [];
      return reply.headers(headers).send(Readable.from(frames, { objectMode: false, highWaterMark: 65_536 }));
    }
  }
}

function samplesOf({ startMs, endMs, matchers }: ReadQuery, maxSamples: number) {
  const plain = matchers.map(({ name, op, value }) => ({ name, op, value }));
  return { kind: 'samples', startMs, endMs, matchers: plain, maxSamples } as const satisfies QueryRequest;
}

/**
 * The result of one query as a `ReadResponse` with that result alone; several of them in a row are one with all. Other
 * requests have their turn between parts of it, whose fields in a row are one message too.
 */
async function encodeResult(packed: PackedSeries, gone: AbortSignal): Promise<Buffer> {
  const parts: Buffer[] = [];
  let batch: SeriesSamples[] = [];
  let samples = 0;
  const flush = (): void => {
    const whole = bufferOf(encodeReadResponse([batch]));
    // Behind the field's tag, of one byte, and its length, whose bytes but the last have the highest bit set.
    let start = 1;
    while (whole[start++] >= 128);
    parts.push(whole.subarray(start));
    batch = [];
    samples = 0;
  };
  for (const series of unpackSeries(packed)) {
    batch.push(series);
    samples += series.timestamps.length;
    if (samples < BATCH_SAMPLES) continue;
    flush();
    await setImmediate();
    if (gone.aborted) throw clientLeft();
  }
  flush();
  let length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = [RESULTS_TAG];
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128);
  return Buffer.concat([Buffer.of(...head, length), ...parts]);
}

function clientLeft(): BarographError {
  return new BarographError({ code: 'cancelled', status: 499, where: 'remote read', got: 'a client that left' });
}

/** The frames of every query, in their order; each is encoded when the one before it was taken. */
async function* encodeAll(
  queries: QueryPool,
  first: PackedSeries,
  rest: readonly ReadQuery[],
  gone: AbortSignal,
): AsyncGenerator<Buffer> {
  let turn = performance.now();
  for (let i = 0; i <= rest.length; i++) {
    const packed = i === 0 ? first : await queries.run(samplesOf(rest[i - 1], MAX_STREAMED_SAMPLES), gone);
    // Series come sorted, and one at a time keeps the rest packed.
    for (const series of unpackSeries(packed)) {
      for (const frame of encodeReadFrames(i, [series])) {
        yield bufferOf(frame);
        if (performance.now() - turn < TURN_MS) continue;
        await setImmediate();
        turn = performance.now();
      }
    }
  }
}
