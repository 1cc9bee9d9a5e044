import { pipeline, Readable, type Transform } from 'node:stream';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';

/** Answers below this many bytes are sent as they are: they fit into a packet. */
const MIN_BYTES = 1400;
/** Measured by `bench/labels.ts` on label sets: what others take longer for is hardly smaller. */
const GZIP_LEVEL = 2;
const ZSTD_LEVEL = 3;

/** Answers above this many bytes are compressed in pieces: some ten milliseconds' work at once. */
const MAX_WHOLE_BYTES = 2 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

type Coding = 'zstd' | 'gzip';

const COMPRESSIBLE =
  /^(?:text\/|image\/svg|application\/(?:json|javascript|x-ndjson|openmetrics-text|vnd\.google\.protobuf|protobuf))/;

const gzip = promisify(zlib.gzip);
const zstd = promisify<Buffer, zlib.ZstdOptions, Buffer>(zlib.zstdCompress);
const zstdOptions = { chunkSize: PIECE_BYTES, params: { [zlib.constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } };

/**
 * Compresses answers with what the client prefers of zstd and gzip. Whole bodies are compressed in the threads of the
 * runtime's pool, streams as they go; small ones, and those that are compressed already, stay as they are.
 */
export function addCompression(app: FastifyInstance): void {
  app.addHook('onSend', async (request, reply, payload) => {
    if (!isCompressible(reply) || reply.raw.destroyed) return payload;
    const isStream = payload instanceof Readable;
    if (!isStream && sizeOf(payload) < MIN_BYTES) return payload;
    reply.header('vary', 'Accept-Encoding');
    const coding = chooseCoding(request);
    if (!coding) return payload;
    reply.header('content-encoding', coding);
    reply.removeHeader('content-length');
    if (!isStream) {
      const body = Buffer.from(payload as string | Buffer);
      if (body.length <= MAX_WHOLE_BYTES) return compress(body, coding);
      // Piece by piece, so that it ends where the client leaves.
      return pipeline(Readable.from(piecesOf(body), { objectMode: false }), compressor(coding), () => {});
    }
    // A source that fails or a client that leaves ends both; the server looks after the end of the answer.
    return pipeline(payload, compressor(coding), () => {});
  });
}

function isCompressible(reply: FastifyReply): boolean {
  if (reply.getHeader('content-encoding') !== undefined) return false;
  return COMPRESSIBLE.test(String(reply.getHeader('content-type') ?? ''));
}

function sizeOf(payload: unknown): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload);
  return Buffer.isBuffer(payload) ? payload.length : 0;
}

function* piecesOf(body: Buffer): Iterable<Buffer> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}

function compress(body: Buffer, coding: Coding): Promise<Buffer> {
  return coding === 'zstd' ? zstd(body, zstdOptions) : gzip(body, { level: GZIP_LEVEL });
}

function compressor(coding: Coding): Transform {
  return coding === 'zstd'
    ? zlib.createZstdCompress(zstdOptions)
    : zlib.createGzip({ chunkSize: PIECE_BYTES, level: GZIP_LEVEL });
}

/** What the client prefers; of equal ones zstd, which is the faster. Source: RFC 9110 12.5.3. */
function chooseCoding(request: FastifyRequest): Coding | undefined {
  const header = request.headers['accept-encoding'];
  if (header === undefined) return undefined;
  const weights = new Map<string, number>();
  for (const part of String(header).split(',')) {
    const [name, ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
    const weight = parameters.find((text) => text.startsWith('q='))?.slice(2);
    weights.set(name, weight === undefined ? 1 : Number(weight) || 0);
  }
  const weightOf = (coding: Coding): number => weights.get(coding) ?? weights.get('*') ?? 0;
  const [zstdWeight, gzipWeight] = [weightOf('zstd'), weightOf('gzip')];
  if (zstdWeight === 0 && gzipWeight === 0) return undefined;
  return zstdWeight >= gzipWeight ? 'zstd' : 'gzip';
}
