import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BarographError } from '../model/index.ts';
import { type ContentEncoding, inflate, inflateInBackground, parseContentEncoding, snappyCompress } from './inflate.ts';

const pack: Record<ContentEncoding, (bytes: Uint8Array) => Uint8Array> = {
  identity: (bytes) => bytes,
  gzip: (bytes) => zlib.gzipSync(bytes),
  deflate: (bytes) => zlib.deflateSync(bytes),
  zstd: (bytes) => zlib.zstdCompressSync(bytes),
  snappy: snappyCompress,
};
const ENCODINGS = Object.keys(pack) as ContentEncoding[];

async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
    return 'nothing thrown';
  } catch (error) {
    return error instanceof BarographError ? `${error.code} ${error.status}` : String(error);
  }
}

describe.each(ENCODINGS)('%s', (encoding) => {
  test('comes back, in this thread and in the background', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 2000 }), async (bytes) => {
        const packed = pack[encoding](bytes);
        expect(Buffer.from(inflate(packed, encoding)).equals(bytes)).toBe(true);
        expect(Buffer.from(await inflateInBackground(packed, encoding)).equals(bytes)).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('stops at the limit', async () => {
    const packed = pack[encoding](new Uint8Array(100_000));
    expect(await codeOf(() => inflate(packed, encoding, 99_999))).toBe('too_large 413');
    expect(await codeOf(() => inflateInBackground(packed, encoding, 99_999))).toBe('too_large 413');
    expect(inflate(packed, encoding, 100_000).length).toBe(100_000);
  });

  test('refuses garbage and cut bodies', async () => {
    if (encoding === 'identity') return;
    const packed = pack[encoding](Buffer.from('some text that is a little longer than nothing'.repeat(20)));
    const broken = [Uint8Array.of(), Uint8Array.of(1, 2, 3, 4, 5), packed.slice(0, packed.length - 5)];
    for (const bytes of broken) {
      expect(await codeOf(() => inflate(bytes, encoding))).toBe('malformed 400');
      expect(await codeOf(() => inflateInBackground(bytes, encoding))).toBe('malformed 400');
    }
  });
});

test('deflate without its header is read too', () => {
  const bytes = Buffer.from('raw'.repeat(50));
  expect(Buffer.from(inflate(zlib.deflateRawSync(bytes), 'deflate')).equals(bytes)).toBe(true);
});

test('a snappy block that claims more than it can hold is refused before it is unpacked', async () => {
  const claim = Uint8Array.of(0x80, 0x80, 0x80, 0x10, 0, 0);
  expect(await codeOf(() => inflate(claim, 'snappy'))).toBe('malformed 400');
  const huge = Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0);
  expect(await codeOf(() => inflate(huge, 'snappy'))).toBe('too_large 413');
});

test.each([
  [undefined, 'identity'],
  ['', 'identity'],
  ['GZIP', 'gzip'],
  [' x-gzip ', 'gzip'],
  ['zstd', 'zstd'],
  ['snappy', 'snappy'],
])('parseContentEncoding(%s) → %s', (header, expected) => {
  expect(parseContentEncoding(header)).toBe(expected);
});

test('an unknown encoding is 415', async () => {
  expect(await codeOf(() => parseContentEncoding('br'))).toBe('unsupported_encoding 415');
});
