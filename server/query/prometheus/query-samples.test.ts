import { describe, expect, it } from 'vitest';
import { bitsOf, labelsFromRecord, setStale } from '../../model/index.ts';
import { MemoryMetricReader } from '../promql/memory-reader.ts';
import { answerPromql } from './promql-answer.ts';

const STEP_MS = 15_000;

function reader(): MemoryMetricReader {
  const out = new MemoryMetricReader();
  const timestamps = Float64Array.from({ length: 41 }, (_, i) => i * STEP_MS);
  for (const instance of ['a', 'b']) {
    const values = Float64Array.from(timestamps);
    // The second series ends before the last step.
    if (instance === 'b') setStale(bitsOf(values), 40);
    out.add({ labels: labelsFromRecord({ __name__: 'm', instance }), timestamps, values, histograms: undefined });
  }
  return out;
}

interface SampleStats {
  readonly totalQueryableSamplesPerStep?: readonly (readonly [number, number])[];
  readonly totalQueryableSamples: number;
  readonly peakSamples: number;
}

async function stats(
  query: string,
  startMs: number,
  endMs: number,
  stepMs: number,
  hasStepStats = true,
): Promise<SampleStats> {
  const times = { startMs, endMs, stepMs, lookbackMs: undefined, timeoutMs: undefined };
  const body = await answerPromql(
    { kind: 'promql', query, ...times, limit: 0, statsSinceMs: 0, hasStepStats },
    reader(),
    new AbortController().signal,
  );
  return JSON.parse(Buffer.from(body).toString()).data.stats.samples;
}

describe('statistics of samples', () => {
  it.each([
    ['m', 600_000, 600_000, 0, [1]],
    ['m', 480_000, 600_000, 60_000, [2, 2, 1]],
    ['m + m', 480_000, 600_000, 60_000, [4, 4, 2]],
    ['rate(m[1m])', 300_000, 300_000, 0, [8]],
    ['rate(m[1m])', 300_000, 360_000, 30_000, [8, 8, 8]],
    // Looked at once, and standing for each of the three steps.
    ['sum(m @ 300)', 0, 60_000, 30_000, [2, 2, 2]],
    ['m offset 1h', 540_000, 600_000, 60_000, [0, 0]],
    ['1 + 1', 540_000, 600_000, 60_000, [0, 0]],
    // Of a subquery what it gives counts: 6 results of one series and 5 of the one that ended.
    ['max_over_time(m[1m:10s])', 600_000, 600_000, 0, [11]],
    ['max_over_time(rate(m[1m])[1m:20s])', 300_000, 330_000, 30_000, [6, 6]],
    ['max_over_time(rate(m[1m])[1m:20s] @ 300) + m', 300_000, 330_000, 30_000, [8, 8]],
    ['max_over_time(max_over_time(m[1m:10s])[30s:15s])', 300_000, 300_000, 0, [4]],
    ['m[1m:30s]', 300_000, 300_000, 0, [4]],
  ])('of %s from %i to %i every %i ms count %j', async (query, startMs, endMs, stepMs, expected) => {
    const { totalQueryableSamplesPerStep: steps, totalQueryableSamples } = await stats(query, startMs, endMs, stepMs);
    expect(steps).toEqual(expected.map((count, i) => [(startMs + i * stepMs) / 1000, count]));
    expect(totalQueryableSamples).toBe(expected.reduce((sum, count) => sum + count, 0));
  });

  it('tell steps only where all of them are asked for', async () => {
    const few = await stats('m', 0, 600_000, 60_000, false);
    expect(Object.keys(few)).toEqual(['totalQueryableSamples', 'peakSamples']);
  });

  it('tell what was held at one time: what was read and what became of it', async () => {
    // 41 samples of each series and the values of 11 steps.
    expect((await stats('m', 0, 600_000, 60_000)).peakSamples).toBe(82 + 22);
    expect((await stats('1', 0, 600_000, 60_000)).peakSamples).toBe(11);
  });
});
