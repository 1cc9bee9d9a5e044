import { expect, test } from 'vitest';
import { barShare, curvePath, decades, printCount, printShare } from './numbers.ts';

test('counts are grouped by three digits', () => {
  expect([0, 999, 1000, 1234567].map((n) => printCount(n).replaceAll('\u202f', ' '))).toEqual([
    '0',
    '999',
    '1 000',
    '1 234 567',
  ]);
});

test('shares have two significant digits', () => {
  const shares = [printShare(1, 0), printShare(0, 5), printShare(1, 1e6), printShare(8, 1000), printShare(1, 3)];
  expect(shares.map((share) => share.replaceAll('\u202f', ''))).toEqual(['–', '0%', '<0.1%', '0.80%', '33%']);
});

test('bars are logarithmic, and full for the largest', () => {
  expect(barShare(0, 10)).toBe(0);
  expect(barShare(1000, 1000)).toBe(1);
  expect(barShare(10, 1000)).toBeGreaterThan(0.3);
});

test('a curve goes from edge to edge', () => {
  const points = [
    { x: 0, y: 0 },
    { x: 5, y: 9 },
    { x: 10, y: 99 },
  ];
  expect(curvePath(points, 100, 50, 99)).toBe('M0.0 50.0 L50.0 25.0 L100.0 0.0');
  expect(curvePath(points.slice(0, 1), 100, 50, 99)).toBe('');
});

test('an axis names its decades', () => {
  expect(decades(1500)).toEqual([10, 100, 1000]);
  expect(decades(5)).toEqual([]);
});
