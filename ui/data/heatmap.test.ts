import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frameFromAnswers } from './frame.ts';
import { buildHeatmap } from './heatmap.ts';

const classic = (le: string, values: number[]) => ({
  labels: { le },
  points: values.map((v, i): [number, number] => [i * 10, v]),
  histograms: [],
});

test('differences of cumulative buckets become cells, and empty ends are cut off', () => {
  const frame = frameFromAnswers(
    [
      [
        classic('+Inf', [6, 6]),
        classic('1', [0, 0]),
        classic('16', [5, 2]),
        classic('4', [2, 2]),
        classic('64', [6, 6]),
      ],
    ],
    0,
    10,
    10,
  );
  const map = buildHeatmap(frame);
  expect(map?.uppers).toEqual([4, 16, 64]);
  expect(map?.lowers).toEqual([1, 4, 16]);
  expect(Array.from(map?.cells ?? [])).toEqual([2, 2, 3, 0, 1, 4]);
  expect(map?.max).toBe(4);
});

test('cells of a column add up to the total, whatever the buckets', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1000), { minLength: 1, maxLength: 12 }), (counts) => {
      let below = 0;
      const series = counts.map((count, i) => {
        below += count;
        return classic(i === counts.length - 1 ? '+Inf' : String(2 ** i), [below]);
      });
      const map = buildHeatmap(frameFromAnswers([series], 0, 0, 10));
      const sum = map ? map.cells.reduce((a, b) => a + b, 0) : 0;
      expect(sum).toBe(below);
    }),
  );
});

test('native histograms are gathered in powers of two', () => {
  const buckets = [
    { lower: 2, upper: 2.83, count: 1 },
    { lower: 2.83, upper: 4, count: 2 },
    { lower: 16, upper: 32, count: 5 },
  ];
  const map = buildHeatmap(frameFromAnswers([[], [{ labels: {}, points: [], histograms: [[0, buckets]] }]], 0, 0, 10));
  expect(map?.uppers).toEqual([4, 8, 16, 32]);
  expect(Array.from(map?.cells ?? [])).toEqual([3, 0, 0, 5]);
});

test('nothing observed is no heatmap', () => {
  expect(buildHeatmap(frameFromAnswers([[]], 0, 10, 10))).toBeUndefined();
  expect(buildHeatmap(frameFromAnswers([[classic('1', [0])]], 0, 0, 10))).toBeUndefined();
});
