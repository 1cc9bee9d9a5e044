import { describe, expect, it } from 'vitest';
import { MemoryMetricReader } from './promql/memory-reader.ts';
import { boundedReader, Turns } from './sample-limits.ts';

describe('turns', () => {
  it('run one task after the other, also past one that fails', async () => {
    const turns = new Turns();
    const log: string[] = [];
    const task = (name: string, fails = false) =>
      turns.run(async () => {
        log.push(`${name} begins`);
        await new Promise((resolve) => setTimeout(resolve, 1));
        log.push(`${name} ends`);
        if (fails) throw new Error(name);
        return name;
      });
    const results = await Promise.allSettled([task('a'), task('b', true), task('c')]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(log).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });
});

describe('a bounded reader', () => {
  it('counts the samples of all selectors of a query', async () => {
    const memory = new MemoryMetricReader();
    const timestamps = Float64Array.of(1, 2, 3);
    memory.add({ labels: ['__name__', 'm'], timestamps, values: timestamps, histograms: undefined });
    const reader = boundedReader(memory, 5);
    const request = { matchers: [], startMs: 0, endMs: 10 };
    expect(await reader.select(request)).toHaveLength(1);
    await expect(reader.select(request)).rejects.toThrow(/6 samples in all its selectors.*query\.max_samples/);
  });
});
