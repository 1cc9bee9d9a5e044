import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatValue } from './format.ts';
import { decimalPlaces, SHORT_DECIMAL_BYTES, writeShortDecimal } from './short-decimal.ts';

function written(value: number): string | undefined {
  const places = decimalPlaces(value);
  if (places < 0) return undefined;
  const bytes = new Uint8Array(SHORT_DECIMAL_BYTES + 2).fill(120);
  const end = writeShortDecimal(bytes, 1, value, places);
  expect(bytes[0]).toBe(120);
  return Buffer.from(bytes.subarray(1, end)).toString('latin1');
}

test('writes what the general algorithm writes, or nothing', () => {
  const decimals = fc
    .tuple(fc.integer({ min: -(10 ** 15) + 1, max: 10 ** 15 - 1 }), fc.integer({ min: 0, max: 9 }))
    .map(([digits, places]) => digits / 10 ** places);
  const values = fc.oneof(decimals, fc.double(), fc.float(), fc.integer(), fc.maxSafeInteger());
  fc.assert(
    fc.property(values, (value) => {
      const text = written(value);
      if (text !== undefined) expect(text).toBe(formatValue(value));
    }),
    { numRuns: 20_000 },
  );
});

test.each([
  0,
  1,
  9,
  10,
  99,
  100,
  101,
  1000,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 31 + 1,
  123_456_789_012_345,
  999_999_999_999_999,
  0.5,
  0.05,
  0.005,
  0.0005,
  0.000001,
  0.00001,
  0.1,
  0.01,
  0.10001,
  71.23,
  71.2,
  100.01,
  1e9 + 0.25,
  20_000_000.5,
  -71.23,
  -0.5,
])('%d has a short form', (value) => {
  expect(written(value)).toBe(formatValue(value));
});

test.each([-0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e15, 1 / 3, Math.PI, 1e-7, 5e-324])(
  '%d has none',
  (value) => {
    expect(written(value)).toBeUndefined();
  },
);
