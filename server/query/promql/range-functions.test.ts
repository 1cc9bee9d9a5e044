import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EvaluationContext } from './context.ts';
import { RANGE_FUNCTIONS, type RangeOutput } from './range-functions.ts';
import { RangeNotes } from './range-notes.ts';
import { findWindows } from './windows.ts';

interface Point {
  readonly ms: number;
  readonly value: number;
}

/** The plain definition of each function over the samples of one window: what the sliding forms must agree with. */
const NAIVE: Readonly<
  Record<string, (points: readonly Point[], startMs: number, endMs: number) => number | undefined>
> = {
  rate: (points, startMs, endMs) => extrapolated(points, startMs, endMs, true, true),
  increase: (points, startMs, endMs) => extrapolated(points, startMs, endMs, true, false),
  delta: (points, startMs, endMs) => extrapolated(points, startMs, endMs, false, false),
  sum_over_time: (points) => exactSum(points.map((p) => p.value)),
  avg_over_time: (points) => exactSum(points.map((p) => p.value)) / points.length,
  min_over_time: (points) => extreme(points, -1).value,
  max_over_time: (points) => extreme(points, 1).value,
  ts_of_min_over_time: (points) => extreme(points, -1).ms / 1000,
  ts_of_max_over_time: (points) => extreme(points, 1).ms / 1000,
  count_over_time: (points) => points.length,
  changes: (points) => points.filter((p, i) => i > 0 && !Object.is(p.value, points[i - 1].value)).length,
  resets: (points) => points.filter((p, i) => i > 0 && p.value < points[i - 1].value).length,
};

function extrapolated(
  points: readonly Point[],
  startMs: number,
  endMs: number,
  isCounter: boolean,
  isRate: boolean,
): number | undefined {
  if (points.length < 2) return undefined;
  const [first, last] = [points[0], points[points.length - 1]];
  let grown = last.value - first.value;
  points.forEach((p, i) => {
    if (isCounter && i > 0 && p.value < points[i - 1].value) grown += points[i - 1].value;
  });
  const sampled = (last.ms - first.ms) / 1000;
  const gap = sampled / (points.length - 1);
  let [before, after] = [(first.ms - startMs) / 1000, (endMs - last.ms) / 1000];
  if (before >= gap * 1.1) before = gap / 2;
  if (isCounter && grown > 0 && first.value >= 0) before = Math.min(before, (sampled * first.value) / grown);
  if (after >= gap * 1.1) after = gap / 2;
  const stretched = (grown * (sampled + before + after)) / sampled;
  return isRate ? stretched / ((endMs - startMs) / 1000) : stretched;
}

/** Sums halves that are whole numbers exactly. */
function exactSum(values: readonly number[]): number {
  if (values.some((v) => !Number.isFinite(v))) return values.reduce((a, b) => a + b, 0);
  return Number(values.reduce((sum, v) => sum + BigInt(v * 2), 0n)) / 2;
}

function extreme(points: readonly Point[], sign: number): Point {
  let best = points[0];
  for (const p of points) if (p.value * sign >= best.value * sign || Number.isNaN(best.value)) best = p;
  return best;
}

const value = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: -40, max: 1000 }).map((n) => n / 2) },
  { weight: 1, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, 2 ** 40, -(2 ** 40)) },
);
const series = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 30 }), value), { minLength: 1, maxLength: 120 })
  .map((gaps) => {
    let ms = 0;
    return gaps.map(([gap, v]) => ({ ms: (ms += gap * 1000), value: v }));
  });

function compute(name: string, points: readonly Point[], ends: Float64Array, rangeMs: number): RangeOutput {
  const samples = {
    timestamps: Float64Array.from(points, (p) => p.ms),
    values: Float64Array.from(points, (p) => p.value),
    histograms: undefined,
  };
  const [from, to] = [new Int32Array(ends.length), new Int32Array(ends.length)];
  findWindows(samples.timestamps, ends, rangeMs, from, to);
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
  const notes = new RangeNotes(context, { start: 0, end: 0 });
  RANGE_FUNCTIONS.get(name)?.({ labels: [], samples, from, to, ends, rangeMs, ascends: false, shared: {} }, out, {
    args: [],
    timeOf: (i) => ends[i],
    notes,
    tick: () => {},
  });
  return out;
}

describe('range functions over columns', () => {
  it.each(Object.keys(NAIVE))('%s agrees with its definition window by window', (name) => {
    fc.assert(
      fc.property(
        series,
        fc.integer({ min: 1, max: 600 }),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: -60, max: 60 }),
        (points, rangeSeconds, stepSeconds, startSeconds) => {
          const ends = Float64Array.from({ length: 40 }, (_, i) => (startSeconds + i * stepSeconds) * 1000);
          const rangeMs = rangeSeconds * 1000;
          const out = compute(name, points, ends, rangeMs);
          ends.forEach((endMs, step) => {
            const inside = points.filter((p) => p.ms > endMs - rangeMs && p.ms <= endMs);
            const expected = inside.length === 0 ? undefined : NAIVE[name](inside, endMs - rangeMs, endMs);
            const got = out.has[step] ? out.values[step] : undefined;
            if (expected === undefined || Number.isNaN(expected)) expect(got).toEqual(expected);
            else if (!Number.isFinite(expected)) expect(got).toBe(expected);
            else
              expect(Math.abs((got ?? Number.NaN) - expected)).toBeLessThanOrEqual(
                1e-9 * Math.max(1, Math.abs(expected)),
              );
          });
        },
      ),
      { numRuns: 150 },
    );
  });

  it('a huge value outside of a window costs no precision inside it', () => {
    const points = Array.from({ length: 60 }, (_, i) => ({ ms: i * 1000, value: i === 10 ? 1e100 : 0.1 }));
    const ends = Float64Array.from({ length: 60 }, (_, i) => i * 1000);
    const out = compute('sum_over_time', points, ends, 20_000);
    expect(out.values[40]).toBeCloseTo(2, 12);
    expect(out.values[20]).toBe(1e100);
  });
});
