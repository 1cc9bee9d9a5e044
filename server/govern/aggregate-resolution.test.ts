import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NativeHistogram } from '../model/index.ts';
import { Aggregator } from './aggregate.ts';
import { createGovernor } from './governor.ts';
import type { AggregationRule } from './rule.ts';

const RESOLUTION_MS = 15_000;
const START_MS = 1_700_000_000_000;

/** A sample of one input; `delayMs` is how long after its time it came. */
interface Arrival {
  readonly input: number;
  readonly timeMs: number;
  readonly delayMs: number;
  readonly amount: number;
}

/** Samples in order of arrival, each input's in order of its own time, as senders send. */
function arrivals(maxDelayMs: number): fc.Arbitrary<Arrival[]> {
  const step = fc.record({
    input: fc.integer({ min: 0, max: 8 }),
    stepMs: fc.integer({ min: 0, max: 20_000 }),
    delayMs: fc.integer({ min: 0, max: maxDelayMs }),
    amount: fc.integer({ min: 0, max: 1000 }),
  });
  return fc.array(step, { maxLength: 120 }).map((steps) => {
    let timeMs = START_MS;
    const arrivedMs = new Map<number, number>();
    const sent = steps.map(({ input, stepMs, delayMs, amount }) => {
      timeMs += stepMs;
      const came = Math.max(timeMs + delayMs, arrivedMs.get(input) ?? 0);
      arrivedMs.set(input, came);
      return { input, timeMs, delayMs: came - timeMs, amount };
    });
    return sent.sort((a, b) => a.timeMs + a.delayMs - (b.timeMs + b.delayMs));
  });
}

type Sample = [timestampMs: number, value: number];

/** Feeds an output and drains it by the clock after every so many samples. */
function run(sent: readonly Arrival[], rule: AggregationRule, drainEvery: number): Sample[] {
  const aggregator = new Aggregator();
  const output = aggregator.output(1, rule, undefined, RESOLUTION_MS);
  const totals = new Map<number, number>();
  const samples: Sample[] = [];
  const drain = (closedMs?: number): void =>
    aggregator.drain(
      (_series, timestampMs, value) => samples.push([timestampMs, value]),
      () => expect.unreachable(),
      closedMs,
    );
  for (const [i, { input, timeMs, delayMs, amount }] of sent.entries()) {
    const value = rule === 'counter' ? (totals.get(input) ?? 0) + amount : amount;
    totals.set(input, value);
    aggregator.add(aggregator.inputByHash(output, 1, input), timeMs, value, 0);
    if (i % drainEvery === 0) drain(timeMs + delayMs);
  }
  drain();
  return samples;
}

function increasesUpTo(sent: readonly Arrival[], timeMs: number): number {
  return sent.reduce((sum, sample) => sum + (sample.timeMs <= timeMs ? sample.amount : 0), 0);
}

describe('an output with a resolution', () => {
  const drainEvery = fc.integer({ min: 1, max: 10 });

  it('emits each interval once, at its end, with what the inputs increased up to then', () => {
    fc.assert(
      fc.property(arrivals(0), drainEvery, (sent, every) => {
        const samples = run(sent, 'counter', every);
        for (const [i, [timestampMs, value]] of samples.entries()) {
          expect(timestampMs % RESOLUTION_MS).toBe(0);
          if (i > 0) expect(timestampMs).toBeGreaterThan(samples[i - 1][0]);
          expect(value).toBe(increasesUpTo(sent, timestampMs));
        }
        const intervals = new Set(sent.map(({ timeMs }) => Math.ceil(timeMs / RESOLUTION_MS)));
        expect(samples.length).toBe(intervals.size);
      }),
      { numRuns: 300 },
    );
  });

  it('corrects the last sample where changes come up to an interval late', () => {
    fc.assert(
      fc.property(arrivals(RESOLUTION_MS), fc.constant(1), (sent, every) => {
        const samples = run(sent, 'counter', every);
        const last = new Map(samples);
        for (const [timestampMs, value] of last) expect(value).toBe(increasesUpTo(sent, timestampMs));
        // A correction comes once an interval, not once a change.
        const intervals = new Set(sent.map(({ timeMs }) => Math.ceil(timeMs / RESOLUTION_MS)));
        expect(samples.length).toBeLessThanOrEqual(2 * intervals.size + 1);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps totals and order however late changes come', () => {
    fc.assert(
      fc.property(arrivals(600_000), drainEvery, (sent, every) => {
        const samples = run(sent, 'counter', every);
        for (const [i, [timestampMs, value]] of samples.entries()) {
          if (i === 0) continue;
          expect(timestampMs).toBeGreaterThanOrEqual(samples[i - 1][0]);
          expect(value).toBeGreaterThanOrEqual(samples[i - 1][1]);
        }
        if (sent.length > 0) expect(samples.at(-1)?.[1]).toBe(increasesUpTo(sent, Number.POSITIVE_INFINITY));
      }),
      { numRuns: 200 },
    );
  });

  it("joins gauges of what each input said last by the interval's end", () => {
    const joins: [AggregationRule, (values: Arrival[]) => number][] = [
      ['sum', (values) => values.reduce((sum, { amount }) => sum + amount, 0)],
      ['max', (values) => Math.max(...values.map(({ amount }) => amount))],
      ['avg', (values) => values.reduce((sum, { amount }) => sum + amount, 0) / values.length],
      ['last', (values) => values.reduce((newest, next) => (next.timeMs >= newest.timeMs ? next : newest)).amount],
    ];
    for (const [rule, join] of joins) {
      fc.assert(
        fc.property(arrivals(0), drainEvery, (sent, every) => {
          const samples = run(sent, rule, every);
          const ends = new Set(sent.map(({ timeMs }) => Math.ceil(timeMs / RESOLUTION_MS) * RESOLUTION_MS));
          expect(samples.map(([timestampMs]) => timestampMs)).toEqual([...ends]);
          for (const [timestampMs, value] of samples) {
            const living = new Map<number, Arrival>();
            for (const sample of sent) {
              if (sample.timeMs > timestampMs) break;
              // An input that is heard again counts as the newest.
              living.delete(sample.input);
              living.set(sample.input, sample);
            }
            const heard = [...living.values()].filter(({ timeMs }) => timeMs >= timestampMs - 300_000);
            expect(value).toBeCloseTo(join(heard), 9);
          }
        }),
      );
    }
  });

  it('keeps the running interval until it is over, and completes one that a stop has cut short', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(1, 'counter', undefined, RESOLUTION_MS);
    const samples: Sample[] = [];
    const emit = (_series: number, timestampMs: number, value: number): void => {
      samples.push([timestampMs, value]);
    };
    const ignore = (): void => undefined;
    aggregator.addDelta(output, 1000, 5);
    aggregator.drain(emit, ignore, 14_999);
    expect(samples).toEqual([]);
    aggregator.addDelta(output, 15_000, 2);
    aggregator.addDelta(output, 15_001, 1);
    aggregator.drain(emit, ignore, 15_001);
    expect(samples).toEqual([[15_000, 7]]);
    aggregator.drain(emit, ignore);
    expect(samples.at(-1)).toEqual([30_000, 8]);
    const next = new Aggregator();
    const same = next.output(1, 'counter', { value: 8, timestampMs: 30_000 }, RESOLUTION_MS);
    next.addDelta(same, 20_000, 1);
    next.addDelta(same, 31_000, 1);
    next.drain(emit, ignore, 45_000);
    expect(samples.slice(-2)).toEqual([
      [30_000, 9],
      [45_000, 10],
    ]);
    expect(next.stats.late).toBe(0);
    next.addDelta(same, 40_000, 1);
    next.addDelta(same, 10_000, 1);
    next.drain(emit, ignore, 60_000);
    expect(samples.at(-1)).toEqual([45_000, 12]);
    expect(next.stats.late).toBe(2);
  });

  it('holds in each drain without a clock all that came, at the same timestamps', () => {
    fc.assert(
      fc.property(arrivals(0), (sent) => {
        const aggregator = new Aggregator();
        const output = aggregator.output(1, 'counter', undefined, RESOLUTION_MS);
        const stored = new Map<number, number>();
        let total = 0;
        for (const { timeMs, amount } of sent) {
          total += amount;
          aggregator.addDelta(output, timeMs, amount);
          let last = Number.NaN;
          aggregator.drain(
            (_series, timestampMs, value) => {
              stored.set(timestampMs, value);
              last = value;
            },
            () => undefined,
          );
          expect(last).toBe(total);
        }
        for (const [timestampMs, value] of stored) expect(value).toBe(increasesUpTo(sent, timestampMs));
        expect(aggregator.stats.late).toBe(0);
      }),
    );
  });

  it('counts what a wrong clock sends from far ahead in the next interval', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(1, 'counter', undefined, RESOLUTION_MS);
    const samples: Sample[] = [];
    const drain = (closedMs: number): void =>
      aggregator.drain(
        (_series, timestampMs, value) => samples.push([timestampMs, value]),
        () => undefined,
        closedMs,
      );
    aggregator.addDelta(output, 4e12, 5);
    aggregator.addDelta(output, 5e12, 6);
    aggregator.addDelta(output, 14_000, 1);
    drain(15_000);
    aggregator.addDelta(output, 29_000, 1);
    drain(30_000);
    drain(45_000);
    expect(samples).toEqual([
      [15_000, 1],
      [30_000, 13],
    ]);
  });

  it('leaves outputs without one as they are', () => {
    const aggregator = new Aggregator();
    const fine = aggregator.output(1, 'counter');
    const coarse = aggregator.output(2, 'counter', undefined, RESOLUTION_MS);
    const rows: number[][] = [];
    for (const output of [fine, coarse]) for (const timeMs of [1000, 2000]) aggregator.addDelta(output, timeMs, 1);
    aggregator.drain(
      (...row) => rows.push(row),
      () => undefined,
      2000,
    );
    expect(rows).toEqual([
      [1, 1000, 1],
      [1, 2000, 2],
    ]);
  });

  it('joins native histograms interval by interval', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(1, 'counter', undefined, RESOLUTION_MS);
    const histogram = (count: number): NativeHistogram => ({
      schema: 0,
      zeroThreshold: 0,
      zeroCount: 0,
      count,
      sum: count,
      positiveIndices: Int32Array.of(1),
      positiveCounts: Float64Array.of(count),
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      customValues: undefined,
      counterResetHint: 'unknown',
    });
    for (const [timeMs, count] of [
      [1000, 1],
      [9000, 3],
      [16_000, 4],
      [29_000, 9],
    ])
      aggregator.addHistogram(aggregator.inputByHash(output, 1, 1), timeMs, histogram(count), 0);
    const rows: number[][] = [];
    const drain = (closedMs?: number): void =>
      aggregator.drain(
        () => expect.unreachable(),
        (_series, timestampMs, { count }) => rows.push([timestampMs, count]),
        closedMs,
      );
    drain(29_000);
    expect(rows).toEqual([[15_000, 3]]);
    drain();
    expect(rows.at(-1)).toEqual([30_000, 9]);
  });
});

it('is what the fleet level has by default, and no other series', () => {
  expect(createGovernor().resolutionOf('fleet:inference_requests_total')).toBe(15_000);
  expect(createGovernor().resolutionOf('inference_requests_total')).toBe(0);
  expect(createGovernor({ fleetResolutionMs: 0 }).resolutionOf('fleet:inference_requests_total')).toBe(0);
});
