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

async function count(query: string, startMs: number, endMs: number, stepMs: number): Promise<number> {
  const body = await answerPromql(
    {
      kind: 'promql',
      query,
      startMs,
      endMs,
      stepMs,
      lookbackMs: undefined,
      timeoutMs: undefined,
      limit: 0,
      statsSinceMs: 0,
    },
    reader(),
    new AbortController().signal,
  );
  return JSON.parse(Buffer.from(body).toString()).data.stats.samples.totalQueryableSamples;
}

describe('totalQueryableSamples', () => {
  it.each([
    ['m', 600_000, 600_000, 0, 1],
    ['m', 0, 600_000, 60_000, 21],
    ['m + m', 0, 600_000, 60_000, 42],
    ['rate(m[1m])', 300_000, 300_000, 0, 8],
    ['rate(m[1m])', 300_000, 360_000, 30_000, 24],
    // Looked at once, and standing for each of the three steps.
    ['sum(m @ 300)', 0, 60_000, 30_000, 6],
    ['m offset 1h', 0, 600_000, 60_000, 0],
    ['1 + 1', 0, 600_000, 60_000, 0],
  ])('of %s from %i to %i every %i ms is %i', async (query, startMs, endMs, stepMs, expected) => {
    expect(await count(query, startMs, endMs, stepMs)).toBe(expected);
  });
});
