import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { MetricIngest } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { freeBody, inflate, inflateSnappy, parseContentEncoding, parseMediaType, SnappyBlock } from '../wire/index.ts';
import { refuseOtherMethods } from './prometheus-answer.ts';

/** What the receivers need from the program. */
export interface Receivers {
  readonly store: Store;
  readonly metrics: MetricIngest;
  /** Counts a request by receiver and HTTP status. */
  readonly count: (receiver: string, status: number) => void;
}

type WriteVersion = 1 | 2;

const block = new SnappyBlock();

/** An answer to a write request. */
interface WriteAnswer {
  readonly status: number;
  readonly text?: string;
  /** What was written of a 2.0 request; its headers are sent with failures too. */
  readonly written?: { readonly samples: number; readonly histograms: number; readonly exemplars: number };
}

/**
 * Adds `POST /api/v1/write`: Prometheus remote write 1.0 and 2.0, told apart by the `proto` of the Content-Type. The
 * answer comes once the samples are durable.
 */
export function addRemoteWrite(app: FastifyInstance, receivers: Receivers): void {
  app.post('/api/v1/write', async (request, reply) => {
    const version = writeVersion(request.headers['content-type']);
    const answer = await writeSafely(receivers, version, request);
    return sendWriteAnswer(receivers, reply, version, answer);
  });
  refuseOtherMethods(app, ['POST'], '/api/v1/write');
}

/** The version of the message that a Content-Type names, or `undefined` where it is none that is accepted. */
function writeVersion(contentType: string | undefined): WriteVersion | undefined {
  if (contentType === undefined) return 1;
  const media = parseMediaType(contentType);
  if (media?.type !== 'application/x-protobuf') return undefined;
  switch (media.parameters.get('proto') ?? 'prometheus.WriteRequest') {
    case 'prometheus.WriteRequest':
      return 1;
    case 'io.prometheus.write.v2.Request':
      return 2;
    default:
      return undefined;
  }
}

async function writeSafely(
  receivers: Receivers,
  version: WriteVersion | undefined,
  request: FastifyRequest,
): Promise<WriteAnswer> {
  if (version === undefined) return { status: 415, text: unsupported(request.headers['content-type'] ?? '') };
  try {
    return await write(receivers, version, request);
  } catch (error) {
    if (error instanceof BarographError) return { status: error.status, text: `${error.message}\n` };
    throw error;
  }
}

async function write(
  { store, metrics }: Receivers,
  version: WriteVersion,
  request: FastifyRequest,
): Promise<WriteAnswer> {
  const encoding = parseContentEncoding(request.headers['content-encoding'] ?? 'snappy');
  // The bytes are used up before the first `await`, so all requests share the memory of one block.
  const compressed = request.body as Buffer;
  const bytes = encoding === 'snappy' ? inflateSnappy(block, compressed) : inflate(compressed, encoding);
  if (bytes !== compressed) freeBody(compressed);
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (version === 2) {
    const outcome = metrics.remoteWriteV2(body);
    await store.writer.commit();
    if (outcome.refused === 0) return { status: 204, written: outcome };
    return { status: 400, written: outcome, text: `${outcome.refused} series refused; ${outcome.reason}\n` };
  }
  const { accepted, rejected, reason } = metrics.remoteWrite(body);
  await store.writer.commit();
  if (rejected === 0) return { status: 204 };
  return { status: 400, text: `${rejected} of ${accepted + rejected} samples refused: ${reason}\n` };
}

function sendWriteAnswer(
  { count }: Receivers,
  reply: FastifyReply,
  version: WriteVersion | undefined,
  { status, text, written }: WriteAnswer,
): FastifyReply {
  count('remote_write', status);
  if (status === 429 || status === 503) reply.header('retry-after', '5');
  if (version === 2) {
    // A 2.0 sender that misses these headers takes the receiver for one that only knows 1.0.
    reply.header('x-prometheus-remote-write-samples-written', written?.samples ?? 0);
    reply.header('x-prometheus-remote-write-histograms-written', written?.histograms ?? 0);
    reply.header('x-prometheus-remote-write-exemplars-written', written?.exemplars ?? 0);
  }
  return reply
    .code(status)
    .type('text/plain')
    .send(text ?? '');
}

function unsupported(contentType: string): string {
  const accepted = 'application/x-protobuf, with proto=prometheus.WriteRequest or proto=io.prometheus.write.v2.Request';
  return `Content-Type: got ${contentType.slice(0, 80)}, accepted is ${accepted}\n`;
}
