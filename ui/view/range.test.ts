import fc from 'fast-check';
import { expect, test } from 'vitest';
import { alignWindow, chooseStepSeconds, resolveRange, scaledRange, shiftedRange, zoomedRange } from './range.ts';

test('a step is never below the sample interval and gives between 20 points and one a pixel', () => {
  fc.assert(
    fc.property(fc.integer({ min: 60, max: 40 * 86_400 }), fc.integer({ min: 200, max: 3000 }), (span, width) => {
      const step = chooseStepSeconds(span, width, 15);
      expect(step).toBeGreaterThanOrEqual(15);
      expect(span / step).toBeLessThanOrEqual(width);
    }),
  );
  expect(chooseStepSeconds(3600, 600, 15)).toBe(30);
  expect(chooseStepSeconds(900, 600, 15)).toBe(15);
});

test('windows of one grid share their moments', () => {
  expect(alignWindow({ fromSeconds: 61, toSeconds: 125 }, 30)).toEqual({ fromSeconds: 60, toSeconds: 120 });
});

test('a drag in either direction zooms, and a tiny one is widened', () => {
  expect(zoomedRange(200, 100)).toEqual({ kind: 'fixed', fromMs: 100_000, toMs: 200_000 });
  expect(zoomedRange(100, 110)).toEqual({ kind: 'fixed', fromMs: 75_000, toMs: 135_000 });
});

test('ranges shift and scale around what is seen', () => {
  const window = resolveRange({ kind: 'last', spanSeconds: 600 }, 1_000_000);
  expect(window).toEqual({ fromSeconds: 400, toSeconds: 1000 });
  expect(shiftedRange(window, -0.5)).toEqual({ kind: 'fixed', fromMs: 100_000, toMs: 700_000 });
  expect(scaledRange(window, 2)).toEqual({ kind: 'fixed', fromMs: 100_000, toMs: 1_300_000 });
});
