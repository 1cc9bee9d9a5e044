import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { Cursor, nsHalvesToMs } from './cursor.ts';
import { Writer } from './writer.ts';

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

function cursorAt(write: (writer: protobuf.Writer) => void): Cursor {
  const writer = protobuf.Writer.create();
  write(writer);
  const cursor = new Cursor(writer.finish(), 'M');
  expect(cursor.next()).toBe(true);
  return cursor;
}

const long = (value: bigint) => value.toString() as unknown as number;

describe('Cursor', () => {
  test('reads integers as an independent encoder writes them', () => {
    fc.assert(
      fc.property(int64, (value) => {
        const asNumber = Number(value);
        expect(cursorAt((w) => w.uint32(8).int64(long(value))).int64BigInt('x')).toBe(value);
        expect(cursorAt((w) => w.uint32(8).int64(long(value))).int64Number('x')).toBe(asNumber);
        expect(cursorAt((w) => w.uint32(9).sfixed64(long(value))).sfixed64Number('x')).toBe(asNumber);
        const packed: number[] = [];
        cursorAt((w) => w.uint32(8).sint64(long(value))).sint64s('x', packed);
        expect(packed).toEqual([asNumber]);
      }),
    );
    fc.assert(
      fc.property(uint64, (value) => {
        expect(cursorAt((w) => w.uint32(8).uint64(long(value))).uint64Number('x')).toBe(Number(value));
        expect(cursorAt((w) => w.uint32(9).fixed64(long(value))).fixed64BigInt('x')).toBe(value);
        expect(cursorAt((w) => w.uint32(9).fixed64(long(value))).fixed64Ms('x')).toBe(Number(value / 1_000_000n));
      }),
    );
    fc.assert(
      fc.property(fc.integer(), (value) => {
        expect(cursorAt((w) => w.uint32(8).int32(value)).int32('x')).toBe(value);
        expect(cursorAt((w) => w.uint32(8).sint32(value)).sint32('x')).toBe(value);
      }),
    );
  });

  test('nanoseconds become milliseconds exactly at every border', () => {
    for (const ms of [0n, 1n, 4_294n, 4_295n, 1_764_000_000_123n, 9_223_372_036_854n, 18_446_744_073_709n]) {
      for (const ns of [ms * 1_000_000n, ms * 1_000_000n + 999_999n, ms * 1_000_000n - 1n]) {
        if (ns < 0n || ns >= 2n ** 64n) continue;
        const expected = Number(ns / 1_000_000n);
        expect(nsHalvesToMs(Number(ns >> 32n), Number(ns & 0xffffffffn))).toBe(expected);
      }
    }
  });

  test('remembers strings of a body without mixing them up', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 }).map((s) => s.toWellFormed());
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 30 }), (some) => {
        const texts = Array.from({ length: 600 }, (_, i) => some[i % some.length] + (i % 7 === 0 ? i : ''));
        const writer = new Writer();
        for (const t of texts) writer.string(1, t);
        const cursor = new Cursor(writer.finish(), 'M');
        const read: string[] = [];
        while (cursor.next()) read.push(cursor.string('x'));
        expect(read).toEqual(texts);
      }),
      { numRuns: 50 },
    );
  });

  test('refuses strings that are not UTF-8, and takes a real replacement character', () => {
    const read = (bytes: number[]) => {
      const cursor = new Cursor(Uint8Array.of(0x0a, bytes.length, ...bytes), 'M');
      cursor.next();
      return cursor.string('x');
    };
    expect(read([0xef, 0xbf, 0xbd])).toBe('\ufffd');
    expect(() => read([0x41, 0xff])).toThrow('M.x at byte 2: got bytes that are not UTF-8, accepted is UTF-8 text');
    expect(() => read([0xed, 0xa0, 0x80])).toThrow('not UTF-8');
    expect(() => read([0xc3])).toThrow('not UTF-8');
  });

  test.each<[string, number[], string]>([
    ['a varint that never ends', [0x08, ...new Array(10).fill(0x80)], 'a varint of more than 64 bits'],
    ['a varint of 65 bits', [0x08, ...new Array(9).fill(0xff), 0x02], 'a varint of more than 64 bits'],
    ['a varint that is cut', [0x08, 0x80], 'the end of the message'],
    ['field number 0', [0x00], 'field number 0'],
    ['a tag beyond 32 bits', [0x80, 0x80, 0x80, 0x80, 0x80, 0x01], 'a tag of more than 32 bits'],
    ['a group', [0x0b], 'the start of a group'],
    ['wire type 6', [0x0e], 'wire type 6'],
    ['a length beyond the end', [0x0a, 0x05, 0x00], 'a field of 5 bytes'],
    ['a length beyond 32 bits', [0x0a, 0x81, 0x80, 0x80, 0x80, 0x10], 'a field of 4294967297 bytes'],
    ['fixed bytes that are cut', [0x09, 1, 2, 3], 'a field of 8 bytes'],
  ])('refuses %s', (_, bytes, message) => {
    const cursor = new Cursor(Uint8Array.from(bytes), 'M');
    expect(() => {
      while (cursor.next()) cursor.skip();
    }).toThrow(message);
  });

  test('skips unknown fields of every wire type', () => {
    const bytes = protobuf.Writer.create();
    bytes.uint32(8).int32(-1).uint32(17).double(1).uint32(26).string('x').uint32(37).fixed32(1).uint32(40).bool(true);
    const cursor = new Cursor(bytes.finish(), 'M');
    while (cursor.next()) cursor.skip();
    expect(cursor.skipped).toBe(5);
  });
});

describe('Writer', () => {
  test('writes what an independent decoder reads', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.maxSafeInteger(),
        fc.double(),
        uint64,
        fc.nat({ max: 40_000 }),
        (text, int, double, ns, size) => {
          const writer = new Writer(64);
          const outer = writer.begin(1);
          writer.string(2, text);
          writer.blob(3, new Uint8Array(size));
          writer.end(outer);
          writer.int(4, int);
          writer.double(5, double);
          writer.fixed64(6, ns);
          writer.sint(7, Math.trunc(int / 4));
          const reader = protobuf.Reader.create(writer.finish());
          expect(reader.uint32()).toBe(10);
          const end = reader.uint32() + reader.pos;
          reader.uint32();
          expect(reader.string()).toBe(text);
          reader.uint32();
          expect(reader.bytes()).toHaveLength(size);
          expect(reader.pos).toBe(end);
          reader.uint32();
          expect(BigInt(String(reader.int64()))).toBe(BigInt(int));
          reader.uint32();
          expect(reader.double()).toBe(double);
          reader.uint32();
          expect(BigInt(String(reader.fixed64()))).toBe(ns);
          reader.uint32();
          expect(BigInt(String(reader.sint64()))).toBe(BigInt(Math.trunc(int / 4)));
        },
      ),
      { numRuns: 200 },
    );
  });
});
