import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LogEntry, labelsFromRecord } from '../../model/index.ts';
import type { RangeOp } from './ast.ts';
import { createMemoryLogReader } from './memory-reader.ts';
import { queryLogql } from './query.ts';
import { counterRate, cutCells, quantile } from './windows.ts';

const STREAM = labelsFromRecord({ app: 'a' });

/** What a function gives for the numbers of one window, computed in the plainest way. */
const NAIVE: Readonly<Partial<Record<RangeOp, (values: number[], seconds: number) => number>>> = {
  sum_over_time: (v) => v.reduce((a, b) => a + b, 0),
  avg_over_time: (v) => v.reduce((a, b) => a + b, 0) / v.length,
  min_over_time: (v) => Math.min(...v),
  max_over_time: (v) => Math.max(...v),
  first_over_time: (v) => v[0],
  last_over_time: (v) => v[v.length - 1],
  stdvar_over_time: (v) => variance(v),
  stddev_over_time: (v) => Math.sqrt(variance(v)),
  rate: (v, seconds) => v.reduce((a, b) => a + b, 0) / seconds,
  quantile_over_time: (v) => quantile(v, 0.75),
};

function variance(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
}

describe('windows', () => {
  test('are what they are when every window is computed by itself', async () => {
    const samples = fc.array(
      fc.record({ at: fc.integer({ min: -20, max: 60 }), value: fc.integer({ min: -50, max: 50 }) }),
      { maxLength: 40 },
    );
    const shape = fc.record({
      op: fc.constantFrom(...(Object.keys(NAIVE) as RangeOp[])),
      samples,
      range: fc.integer({ min: 1, max: 30 }),
      step: fc.integer({ min: 1, max: 20 }),
      offset: fc.integer({ min: -5, max: 10 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ op, samples: all, range, step, offset }) => {
        const sorted = all.map((sample, i) => ({ ...sample, i })).sort((a, b) => a.at - b.at);
        const entries = sorted.map(
          ({ at, value, i }): LogEntry => ({
            stream: STREAM,
            timestampNs: BigInt(at),
            line: `v=${value} i=${i}`,
            metadata: [],
          }),
        );
        const param = op === 'quantile_over_time' ? '0.75, ' : '';
        const query = `${op}(${param}{app="a"} | logfmt | drop i | unwrap v [${range}ns] offset ${offset}ns)`;
        const result = await queryLogql(
          query,
          { startNs: 0n, endNs: 40n, stepNs: BigInt(step) },
          createMemoryLogReader(entries),
        );
        const actual = new Map(
          result.kind === 'matrix'
            ? result.series.flatMap(({ seconds, values }) => seconds.map((_, k) => [k, values[k]] as const))
            : [],
        );
        const expected: number[] = [];
        for (let t = 0; t <= 40; t += step) {
          const inside = sorted
            .filter(({ at }) => at > t - offset - range && at <= t - offset)
            .map(({ value }) => value);
          if (inside.length > 0) expected.push(NAIVE[op]!(inside, range / 1e9));
        }
        expect(actual.size).toBe(expected.length);
        expected.forEach((value, k) => {
          expect(Math.abs(actual.get(k)! - value)).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.abs(value)));
        });
      }),
      { numRuns: 300 },
    );
  });

  test('cut the time line so that every cell lies wholly inside or outside a window', () => {
    const cells = cutCells({ startNs: 100n, stepNs: 30n, count: 3 }, 50n, 0n);
    expect([...cells.ends]).toEqual([50n, 80n, 100n, 110n, 130n, 160n]);
    expect([...cells.firstStep]).toEqual([0, 0, 0, 1, 1, 2]);
    expect([...cells.lastStep]).toEqual([-1, 0, 1, 1, 2, 2]);
  });

  test('a variance of large, close numbers does not cancel', async () => {
    const entries = [0, 1, 2].map(
      (i): LogEntry => ({ stream: STREAM, timestampNs: BigInt(i), line: `v=${1e9 + i}`, metadata: [] }),
    );
    const query = 'stdvar_over_time({app="a"} | logfmt | unwrap v [10ns])';
    const result = await queryLogql(query, { startNs: 5n, endNs: 5n, stepNs: 0n }, createMemoryLogReader(entries));
    expect(result.kind === 'vector' && result.series[0].values[0]).toBeCloseTo(2 / 3, 10);
  });

  test('quantiles interpolate, and say what is out of range', () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([1, 2], 0.25)).toBe(1.25);
    expect(quantile([1], -0.1)).toBe(Number.NEGATIVE_INFINITY);
    expect(quantile([1], 1.1)).toBe(Number.POSITIVE_INFINITY);
  });

  test('a counter has no rate of fewer than two samples, and none of a moment', () => {
    expect(counterRate([1], [1n], 10n, 10n)).toBeUndefined();
    expect(counterRate([1, 2], [5n, 5n], 10n, 10n)).toBeUndefined();
  });
});
