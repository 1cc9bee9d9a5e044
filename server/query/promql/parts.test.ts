import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { labelsFromRecord } from '../../model/index.ts';
import { encodePrometheus } from './encode.ts';
import { queryPromql } from './engine.ts';
import { MemoryMetricReader } from './memory-reader.ts';
import { parsePromql } from './parse.ts';
import { type Crew, type PartJob, type PartResult, PartWork, partedNodes } from './parts.ts';
import { planQuery } from './plan.ts';

const TIMES = { startMs: 600_000, endMs: 1_500_000, stepMs: 30_000, lookbackMs: 300_000, subqueryStepMs: 60_000 };

/** A reader with counters and gauges, some of which have gaps, resets, stale ends or extreme values. */
function readerOf(seed: readonly number[], extreme: number): MemoryMetricReader {
  const reader = new MemoryMetricReader();
  for (let i = 0; i < 60; i++) {
    const random = seed[i % seed.length] / 2 ** 31;
    const count = 20 + (i % 80);
    const timestamps = Float64Array.from({ length: count }, (_, k) => 15_000 * (k + (i % 7)) + (i % 3) * 1000);
    const values = new Float64Array(count);
    let value = random * 100;
    for (let k = 0; k < count; k++) {
      value = (k + i) % 31 === 0 ? 0 : value + ((k * 7 + i) % 11) * random;
      values[k] = value;
    }
    if (i % 13 === 0) values[count - 1] = extreme;
    const record = { __name__: i % 2 ? 'requests_total' : 'memory_bytes', job: `job-${i % 5}`, pod: `pod-${i}` };
    reader.add({ labels: labelsFromRecord(record), timestamps, values, histograms: undefined });
  }
  return reader;
}

const QUERIES = [
  'sum(rate(requests_total[2m]))',
  'sum by (job) (rate(requests_total[2m]))',
  'sum without (pod) (increase({job=~"job-.+"}[90s]))',
  'avg by (job) (memory_bytes)',
  'max by (pod) (memory_bytes)',
  'min(memory_bytes offset 1m)',
  'count by (__name__, job) ({job=~".+"})',
  'group by (job) (requests_total)',
  'sum(rate(requests_total[2m])) / sum(rate(requests_total{job!="job-1"}[2m]))',
  'sum(rate(requests_total[2m])) + sum(rate(requests_total[2m]))',
  'max_over_time(sum(memory_bytes)[5m:1m])',
  'avg(avg_over_time(memory_bytes[3m]) )',
  'sum by (job) (rate(memory_bytes[2m] @ end()))',
  'topk(2, sum by (job) (rate(requests_total[2m])))',
  'sum(rate(requests_total[2m])) and on () sum(memory_bytes)',
  'count(last_over_time({__name__=~".+"}[4m]))',
];

interface Answer {
  readonly data: {
    readonly result: readonly { readonly metric: object; readonly values: readonly [number, string][] }[];
  };
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

async function ask(query: string, reader: MemoryMetricReader, partSamples: number, crew?: Crew): Promise<Answer> {
  const options = { ...TIMES, partSamples, crew };
  return JSON.parse(Buffer.from(encodePrometheus(await queryPromql(query, options, reader))).toString()) as Answer;
}

/** Sums in another order may differ in their last bits. */
function expectSame(got: Answer, expected: Answer): void {
  expect(got.data.result.map(({ metric }) => metric)).toEqual(expected.data.result.map(({ metric }) => metric));
  expect([got.warnings, got.infos]).toEqual([expected.warnings, expected.infos]);
  for (const [i, { values }] of got.data.result.entries()) {
    const others = expected.data.result[i].values;
    expect(values.map(([time]) => time)).toEqual(others.map(([time]) => time));
    for (const [k, [, text]] of values.entries()) {
      const [value, other] = [Number(text), Number(others[k][1])];
      if (!Number.isFinite(other)) expect(text).toBe(others[k][1]);
      else expect(Math.abs(value - other)).toBeLessThanOrEqual(1e-14 * Math.abs(other));
    }
  }
}

/** Another thread that takes every second part, as far as a thread can be had without one: by structured clones. */
function fakeCrew(reader: MemoryMetricReader, ends: boolean): Crew {
  return {
    offer(job: PartJob, parts: number) {
      let next = 0;
      const work = new PartWork(structuredClone(job), () => false);
      const results = new Map<number, PartResult>();
      const scan = reader.scan(
        { matchers: [], startMs: work.fetch.startMs, endMs: work.fetch.endMs },
        undefined,
        job.ids,
      );
      const theirs: number[] = [];
      return {
        take() {
          if (next < parts && next % 2 === 1) theirs.push(next++);
          return next < parts ? next++ : -1;
        },
        async collect() {
          const opened = await scan;
          // One that ends leaves its last part undone.
          for (const part of ends ? theirs.slice(0, -1) : theirs) {
            results.set(part, structuredClone(work.run(part, opened)));
          }
          return results;
        },
        end() {},
      };
    },
  };
}

describe.each(QUERIES)('%s', (query) => {
  test('is the same in parts, whoever made them', async () => {
    const seeds = fc.array(fc.integer({ min: 1, max: 2 ** 31 }), { minLength: 5, maxLength: 20 });
    const extremes = fc.constantFrom(1, Number.NaN, Number.POSITIVE_INFINITY, -1e308, 1e308);
    await fc.assert(
      fc.asyncProperty(seeds, extremes, fc.integer({ min: 1, max: 400 }), async (seed, extreme, partSamples) => {
        const reader = readerOf(seed, extreme);
        const whole = await ask(query, reader, Number.POSITIVE_INFINITY);
        const alone = await ask(query, reader, partSamples);
        expectSame(alone, whole);
        expect(await ask(query, reader, partSamples, fakeCrew(reader, false))).toEqual(alone);
        expect(await ask(query, reader, partSamples, fakeCrew(reader, true))).toEqual(alone);
      }),
      { numRuns: 12 },
    );
  });
});

test.each([
  ['sum(rate(x[5m]))', 1],
  ['sum(rate(x[5m])) / sum(rate(y[5m]))', 2],
  // The same samples are wanted twice, and read once.
  ['sum(x) / count(x)', 0],
  ['stddev(x)', 0],
  ['topk(3, x)', 0],
  ['sum(absent_over_time(x[5m]))', 0],
  ['sum(quantile_over_time(0.5, x[5m]))', 0],
  ['sum(x > 3)', 0],
  ['sum(abs(x))', 0],
  ['max_over_time(sum(x)[5m:1m])', 1],
])('%s has %d aggregations for parts', (query, expected) => {
  expect(partedNodes(planQuery(query, parsePromql(query), TIMES))).toHaveLength(expected);
});
