import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EvaluationContext } from './context.ts';
import { overFloats } from './over-floats.ts';
import type { RangeFunction, RangeOutput } from './range-functions.ts';
import { RangeNotes } from './range-notes.ts';
import { derivative, predictLinear } from './regression.ts';
import { derivativeColumn, predictionColumn, varianceColumn } from './sliding-moments.ts';
import { variance } from './statistics.ts';
import { findWindows } from './windows.ts';

const VALUE = fc.oneof(
  { weight: 12, arbitrary: fc.double({ min: -1000, max: 1000, noNaN: true }) },
  { weight: 6, arbitrary: fc.constant(7.3) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 1e6) },
);
const POINTS = fc.array(fc.tuple(fc.integer({ min: 1, max: 20 }), VALUE), { minLength: 30, maxLength: 150 });

/** Windows of a minute to ten, a step every ten seconds; at a time as large as those of today. */
function run(f: RangeFunction, points: readonly (readonly [number, number])[], rangeMs: number): RangeOutput {
  let ms = 1.7e12;
  const timestamps = Float64Array.from(points, ([gap]) => (ms += gap * 1000));
  const samples = { timestamps, values: Float64Array.from(points, ([, value]) => value), histograms: undefined };
  const ends = Float64Array.from({ length: 150 }, (_, i) => 1.7e12 + i * 10_000);
  const [from, to] = [new Int32Array(ends.length), new Int32Array(ends.length)];
  findWindows(timestamps, ends, rangeMs, from, to);
  const out: RangeOutput = {
    values: new Float64Array(ends.length),
    has: new Uint8Array(ends.length),
    histograms: undefined,
  };
  const context = new EvaluationContext({
    query: '',
    limits: { maxSamples: 1e9, timeoutMs: 60_000 },
    delayedNameRemoval: true,
    isCancelled: () => false,
  });
  const args = [new Float64Array(ends.length).fill(30)];
  const notes = new RangeNotes(context, { start: 0, end: 0 });
  const scope = { args, timeOf: (i: number) => ends[i], notes, tick: () => {} };
  f({ labels: [], samples, from, to, ends, rangeMs, ascends: false, shared: {} }, out, scope);
  return out;
}

describe('moments that slide', () => {
  it.each([
    ['stdvar_over_time', varianceColumn(false), overFloats(variance)],
    ['stddev_over_time', varianceColumn(true), overFloats((window) => Math.sqrt(variance(window)))],
    ['deriv', derivativeColumn, overFloats(derivative)],
    ['predict_linear', predictionColumn, overFloats(predictLinear)],
  ])('give what walking through each window gives: %s', (_, sliding, direct) => {
    fc.assert(
      fc.property(POINTS, fc.integer({ min: 60, max: 600 }), (points, rangeSeconds) => {
        const [got, expected] = [run(sliding, points, rangeSeconds * 1000), run(direct, points, rangeSeconds * 1000)];
        expect(got.has).toEqual(expected.has);
        // A slope is a quotient of sums in which large values may cancel out.
        const scale = Math.max(1, ...points.map(([, value]) => (Number.isFinite(value) ? Math.abs(value) : 0)));
        expected.values.forEach((value, i) => {
          if (!Number.isFinite(value)) expect(got.values[i]).toEqual(value);
          else expect(Math.abs(got.values[i] - value)).toBeLessThanOrEqual(1e-9 * Math.max(scale, Math.abs(value)));
        });
      }),
      { numRuns: 100 },
    );
  });

  it('of constants are nothing, exactly', () => {
    const points = Array.from({ length: 100 }, () => [5, 0.1] as const);
    for (const f of [varianceColumn(false), derivativeColumn]) {
      const { values } = run(f, points, 300_000);
      expect(values.every((value) => value === 0)).toBe(true);
    }
  });
});
