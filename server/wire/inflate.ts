import { promisify } from 'node:util';
import zlib from 'node:zlib';
import snappy from 'snappy';
import { BarographError } from '../model/index.ts';
import { malformed, tooLarge } from './malformed.ts';
import type { SnappyBlock } from './snappy-block.ts';

/** How bodies may be compressed. `snappy` is the block format that remote write and Loki use, never the framed one. */
export type ContentEncoding = 'identity' | 'gzip' | 'deflate' | 'zstd' | 'snappy';

/** The most bytes a body may have after decompression where nobody said otherwise: 64 MiB, as OTLP recommends. */
export const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/** A snappy copy of 64 bytes takes 3, so a block can't claim to be more than 64/3 times its size. */
const SNAPPY_MAX_RATIO = 22;

const unzip = {
  gzip: promisify(zlib.gunzip),
  zlib: promisify(zlib.inflate),
  raw: promisify(zlib.inflateRaw),
  zstd: promisify(zlib.zstdDecompress),
} as const;

/**
 * Reads a `Content-Encoding` header. An absent or empty header is `identity`.
 * @throws BarographError `unsupported_encoding`, status 415.
 */
export function parseContentEncoding(header: string | undefined): ContentEncoding {
  const name = (header ?? '').trim().toLowerCase();
  switch (name) {
    case '':
    case 'identity':
    case 'none':
      return 'identity';
    case 'gzip':
    case 'x-gzip':
      return 'gzip';
    case 'deflate':
    case 'zstd':
    case 'snappy':
      return name;
    default:
      throw new BarographError({
        code: 'unsupported_encoding',
        status: 415,
        where: 'Content-Encoding',
        got: JSON.stringify(name.slice(0, 40)),
        accepted: 'gzip, deflate, zstd, snappy or none',
      });
  }
}

/**
 * Decompresses a body in this thread. `identity` returns the same bytes.
 * @param maxBytes the most bytes that may come out (inclusive)
 * @throws BarographError `too_large` (413) or `malformed` (400).
 */
export function inflate(bytes: Uint8Array, encoding: ContentEncoding, maxBytes = DEFAULT_MAX_BYTES): Uint8Array {
  const options = { maxOutputLength: maxBytes };
  try {
    switch (encoding) {
      case 'identity':
        return checkIdentity(bytes, maxBytes);
      case 'gzip':
        return zlib.gunzipSync(bytes, options);
      case 'deflate':
        return hasZlibHeader(bytes) ? zlib.inflateSync(bytes, options) : zlib.inflateRawSync(bytes, options);
      case 'zstd':
        return zlib.zstdDecompressSync(bytes, options);
      case 'snappy':
        return checkSnappyResult(snappy.uncompressSync(checkSnappyClaim(bytes, maxBytes)), bytes);
    }
  } catch (cause) {
    throw translate(cause, encoding, maxBytes);
  }
}

/** The same in the runtime's thread pool, for bodies whose decompression would hold up other requests. */
export async function inflateInBackground(
  bytes: Uint8Array,
  encoding: ContentEncoding,
  maxBytes = DEFAULT_MAX_BYTES,
): Promise<Uint8Array> {
  const options = { maxOutputLength: maxBytes };
  try {
    switch (encoding) {
      case 'identity':
        return checkIdentity(bytes, maxBytes);
      case 'gzip':
        return await unzip.gzip(bytes, options);
      case 'deflate':
        return await (hasZlibHeader(bytes) ? unzip.zlib(bytes, options) : unzip.raw(bytes, options));
      case 'zstd':
        return await unzip.zstd(bytes, options);
      case 'snappy':
        return checkSnappyResult(await snappy.uncompress(checkSnappyClaim(bytes, maxBytes)), bytes);
    }
  } catch (cause) {
    throw translate(cause, encoding, maxBytes);
  }
}

/**
 * Decompresses a snappy block into the memory of `block`; what is returned is valid until that is used again.
 * @throws BarographError `too_large` (413) or `malformed` (400).
 */
export function inflateSnappy(block: SnappyBlock, bytes: Uint8Array, maxBytes = DEFAULT_MAX_BYTES): Uint8Array {
  checkSnappyClaim(bytes, maxBytes);
  return block.decompress(bytes, snappyLength(bytes));
}

/** Compresses to a snappy block. */
export function snappyCompress(bytes: Uint8Array): Uint8Array {
  return snappy.compressSync(bytes);
}

function checkIdentity(bytes: Uint8Array, maxBytes: number): Uint8Array {
  if (bytes.byteLength > maxBytes) throw bodyTooLarge(`${bytes.byteLength} bytes`, maxBytes);
  return bytes;
}

/** Many senders of `deflate` leave the zlib header off, against RFC 9110 8.4.1.2; both are read. */
function hasZlibHeader(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && (bytes[0] & 0x0f) === 8 && ((bytes[0] << 8) | bytes[1]) % 31 === 0;
}

/** A block begins with its decompressed length, which is looked at before anything of that size is allocated. */
function checkSnappyClaim(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const claimed = snappyLength(bytes);
  if (claimed > maxBytes) throw bodyTooLarge(`a snappy block of ${claimed} bytes`, maxBytes);
  if (claimed > bytes.byteLength * SNAPPY_MAX_RATIO) {
    throw malformed(
      'snappy body',
      `a claim of ${claimed} bytes from ${bytes.byteLength}`,
      'a length that snappy can reach',
    );
  }
  return bytes;
}

function checkSnappyResult(result: string | Buffer, input: Uint8Array): Uint8Array {
  if (typeof result === 'string') throw new Error('BUG: snappy returned a string');
  if (result.byteLength !== snappyLength(input)) {
    throw malformed('snappy body', `${result.byteLength} bytes`, `the ${snappyLength(input)} bytes that it claims`);
  }
  return result;
}

function snappyLength(bytes: Uint8Array): number {
  let length = 0;
  for (let i = 0; i < 5; i++) {
    if (i >= bytes.length) break;
    length += (bytes[i] & 0x7f) * 2 ** (7 * i);
    if (bytes[i] < 0x80) return length;
  }
  throw malformed('snappy body', 'no length at its start', 'a snappy block (not the framed format)');
}

function translate(cause: unknown, encoding: ContentEncoding, maxBytes: number): BarographError {
  if (cause instanceof BarographError) return cause;
  const code = (cause as { code?: unknown } | undefined)?.code;
  if (code === 'ERR_BUFFER_TOO_LARGE') return bodyTooLarge(`more than ${maxBytes} bytes of ${encoding}`, maxBytes);
  return malformed(
    `${encoding} body`,
    typeof code === 'string' ? code : 'bytes that do not decompress',
    `valid ${encoding}`,
  );
}

function bodyTooLarge(got: string, maxBytes: number): BarographError {
  return tooLarge('request body', got, `at most ${maxBytes} bytes decompressed`, 'send smaller batches');
}
