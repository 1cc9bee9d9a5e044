import { expect, test } from 'vitest';
import { formatSeconds, formatTicks, formatTokenBound, formatValue } from './format.ts';

const plain = (text: string) => text.replaceAll('\u202f', ' ');

test.each([
  [0, 'seconds', '0 s'],
  [0.000_02, 'seconds', '20.0 µs'],
  [0.2124, 'seconds', '212 ms'],
  [0.9996, 'seconds', '1.00 s'],
  [3.2468, 'seconds', '3.25 s'],
  [200, 'seconds', '3 m 20 s'],
  [0.01234, 'ratio', '1.23 %'],
  [0, 'ratio', '0 %'],
  [80 * 1024 ** 3, 'bytes', '80.0 GiB'],
  [1023, 'bytes', '1023 B'],
  [71, 'celsius', '71.0 °C'],
  [12_345, 'tokens_per_second', '12.3k tok/s'],
  [Number.NaN, 'seconds', '–'],
  [Number.POSITIVE_INFINITY, 'seconds', '∞'],
] as const)('%f in %s reads %s', (value, unit, text) => {
  expect(plain(formatValue(value, unit))).toBe(text);
});

test('ticks share one unit', () => {
  expect(formatTicks([0, 0.5, 1, 1.5], 'seconds').map(plain)).toEqual(['0', '0.5 s', '1 s', '1.5 s']);
  expect(formatTicks([0, 0.25, 0.5], 'seconds').map(plain)).toEqual(['0', '250 ms', '500 ms']);
  expect(formatTicks([0, 2 ** 35, 2 ** 36], 'bytes').map(plain)).toEqual(['0', '32 GiB', '64 GiB']);
});

test('token bounds read as people say them', () => {
  expect([64, 1024, 16_384, 1_048_576, Number.POSITIVE_INFINITY].map(formatTokenBound)).toEqual([
    '64',
    '1k',
    '16k',
    '1M',
    '∞',
  ]);
});

test('seconds never round up into the wrong unit', () => {
  expect(plain(formatSeconds(0.000_999_6))).toBe('1.00 ms');
});
