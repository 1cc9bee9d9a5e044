import { expect, it } from 'vitest';
import { parseSizeBytes, printSizeBytes } from './size.ts';

it.each([
  ['0', 0],
  ['4096', 4096],
  ['1.5KiB', 1536],
  ['50GiB', 50 * 2 ** 30],
  ['50 GB', 50 * 2 ** 30],
])('%s is %d bytes', (text, bytes) => {
  expect(parseSizeBytes(text)).toBe(bytes);
});

it.each(['', '50G', '-1GiB', '1e9', '50gib', '9999999TiB'])('%j is no size', (text) => {
  expect(() => parseSizeBytes(text)).toThrow(/such as 50GiB/);
});

it('sizes are printed in the largest unit that is exact', () => {
  expect([0, 1536, 2 ** 30, 3 * 2 ** 40, 1500].map(printSizeBytes)).toEqual(['0B', '1.5KiB', '1GiB', '3TiB', '1.5KiB']);
});
