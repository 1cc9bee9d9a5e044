import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeChunk, encodeChunk, MAX_CHUNK_SAMPLES, maxChunkWords, sampleColumns } from './chunk-codec.ts';

/** Encodes and decodes; compares bits, so that NaN payloads and −0 count. */
function roundTrip(times: readonly number[], values: Float64Array): number {
  const count = times.length;
  const words = new Uint32Array(maxChunkWords(count) + 8);
  const end = encodeChunk(Float64Array.from(times), values, 0, count, words, 3);
  expect(end - 3).toBeLessThanOrEqual(maxChunkWords(count));
  const out = sampleColumns(count + 5);
  expect(decodeChunk(words, 3, out, 2)).toBe(count);
  expect([...out.times.subarray(2, 2 + count)]).toEqual([...times]);
  expect([...new BigUint64Array(out.values.buffer, 16, count)]).toEqual([
    ...new BigUint64Array(values.buffer, values.byteOffset, count),
  ]);
  return ((end - 3) * 4) / count;
}

const regular = (count: number): number[] => Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * 15_000);

describe('a chunk', () => {
  const anyBits = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((bits) => {
    const scratch = new BigUint64Array([bits]);
    return scratch[0];
  });
  const decimal = (digits: number) =>
    fc.integer({ min: -1_000_000, max: 1_000_000 }).map((n) => bits(n / 10 ** digits));
  const integer = fc.maxSafeInteger().map(bits);
  const special = fc.constantFrom(0x7ff0000000000002n, 0x7ff8000000000001n, 1n << 63n, 0n, 0x7ff0000000000000n, 1n);
  const kinds = fc.oneof(
    fc.array(decimal(2), { minLength: 1, maxLength: 1024 }),
    fc.array(integer, { minLength: 1, maxLength: 300 }),
    fc.array(fc.oneof({ weight: 20, arbitrary: decimal(3) }, special), { minLength: 1, maxLength: 600 }),
    fc.array(fc.oneof(decimal(1), special, anyBits, fc.double().map(bits)), { minLength: 1, maxLength: 200 }),
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 1024 }).map(counter),
  );
  const gaps = fc.array(
    fc.oneof({ weight: 20, arbitrary: fc.constant(15_000) }, fc.integer({ min: 1, max: 2 ** 40 })),
    { minLength: MAX_CHUNK_SAMPLES, maxLength: MAX_CHUNK_SAMPLES },
  );

  it('gives back the bits of any values at any times', () => {
    fc.assert(
      fc.property(kinds, gaps, fc.integer({ min: -(2 ** 42), max: 2 ** 42 }), (values, steps, start) => {
        let time = start;
        const times = values.map((_, i) => (time += steps[i]));
        roundTrip(times, new Float64Array(BigUint64Array.from(values).buffer));
      }),
      { numRuns: 300 },
    );
  });

  it('is small where the values are what metrics are', () => {
    const count = 480;
    let total = 0;
    const counters = Float64Array.from({ length: count }, (_, i) => (total += (i * 7919) % 8));
    expect(roundTrip(regular(count), counters)).toBeLessThan(0.55);
    const gauges = Float64Array.from(
      { length: count },
      (_, i) => Math.round((60 + ((i * 7919) % 3000) / 100) * 100) / 100,
    );
    expect(roundTrip(regular(count), gauges)).toBeLessThan(1.7);
    const bytes = Float64Array.from(
      { length: count },
      (_, i) => 80e9 + ((i * 7919) % 5000) * 4096 - ((80e9 % 4096) as number),
    );
    expect(roundTrip(regular(count), bytes)).toBeLessThan(1.9);
    expect(roundTrip(regular(count), new Float64Array(count).fill(0.1))).toBeLessThan(0.15);
  });

  it('stays small across resets and staleness markers', () => {
    const count = 480;
    let total = 1e6;
    const values = Float64Array.from({ length: count }, (_, i) => {
      total = i % 200 === 199 ? 0 : total + ((i * 7919) % 8);
      return total;
    });
    new BigUint64Array(values.buffer)[300] = 0x7ff0000000000002n;
    expect(roundTrip(regular(count), values)).toBeLessThan(0.7);
  });
});

function bits(value: number): bigint {
  return new BigUint64Array(Float64Array.of(value).buffer)[0];
}

function counter(increases: readonly number[]): bigint[] {
  let total = 0;
  return increases.map((increase) => bits(total === 0 || increase !== 9 ? (total += increase) : (total = 0)));
}
