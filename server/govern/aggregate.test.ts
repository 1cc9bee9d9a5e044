import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../model/index.ts';
import { Aggregator } from './aggregate.ts';
import { boundBuckets, reduceSchema, widenZeroBucket } from './histogram-sum.ts';
import type { AggregationRule } from './rule.ts';

type Emitted = [seriesId: number, timestampMs: number, value: number];

function drainAll(aggregator: Aggregator): Emitted[] {
  const samples: Emitted[] = [];
  aggregator.drain(
    (...sample) => samples.push(sample),
    () => {
      throw new Error('no histogram was added');
    },
  );
  return samples;
}

function drainHistograms(aggregator: Aggregator): [seriesId: number, timestampMs: number, NativeHistogram][] {
  const samples: [number, number, NativeHistogram][] = [];
  aggregator.drain(
    () => undefined,
    (...sample) => samples.push(sample),
  );
  return samples;
}

function histogram(parts: Partial<NativeHistogram>): NativeHistogram {
  return {
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveIndices: new Int32Array(0),
    positiveCounts: new Float64Array(0),
    negativeIndices: new Int32Array(0),
    negativeCounts: new Float64Array(0),
    customValues: undefined,
    counterResetHint: 'unknown',
    ...parts,
  };
}

/** A native histogram of some observations, as a client with this schema would count them. */
function observed(values: readonly number[], schema: number, zeroThreshold = 1e-3): NativeHistogram {
  const positive = new Map<number, number>();
  const negative = new Map<number, number>();
  let zeroCount = 0;
  for (const value of values) {
    if (Math.abs(value) <= zeroThreshold) {
      zeroCount++;
      continue;
    }
    const index = Math.ceil(Math.log2(Math.abs(value)) * 2 ** schema - 1e-9);
    const side = value > 0 ? positive : negative;
    side.set(index, (side.get(index) ?? 0) + 1);
  }
  const columns = (side: Map<number, number>) => {
    const sorted = [...side].sort(([a], [b]) => a - b);
    return [Int32Array.from(sorted, ([index]) => index), Float64Array.from(sorted, ([, count]) => count)] as const;
  };
  const [positiveIndices, positiveCounts] = columns(positive);
  const [negativeIndices, negativeCounts] = columns(negative);
  return histogram({
    schema,
    zeroThreshold,
    zeroCount,
    count: values.length,
    sum: values.reduce((sum, value) => sum + value, 0),
    positiveIndices,
    positiveCounts,
    negativeIndices,
    negativeCounts,
  });
}

describe('counters', () => {
  it('adds increases, counts a first sight whole, and reads a fall as a reset', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(7, 'counter');
    const a = aggregator.inputByHash(output, 1, 1);
    aggregator.add(a, 1000, 10, 0);
    aggregator.add(a, 2000, 15, 0);
    aggregator.add(aggregator.inputByHash(output, 2, 2), 2000, 100, 0);
    aggregator.add(a, 3000, 4, 0);
    expect(drainAll(aggregator)).toEqual([
      [7, 1000, 10],
      [7, 2000, 115],
      [7, 3000, 119],
    ]);
    expect(aggregator.stats.resets).toBe(1);
    expect(drainAll(aggregator)).toEqual([]);
  });

  it('reads a changed start time as a reset even where the value rose', () => {
    const aggregator = new Aggregator();
    const slot = aggregator.input(aggregator.output(1, 'counter'));
    aggregator.add(slot, 1000, 10, 500);
    aggregator.add(slot, 2000, 30, 500);
    aggregator.add(slot, 3000, 40, 2500);
    expect(drainAll(aggregator).at(-1)).toEqual([1, 3000, 70]);
  });

  it('goes on from restored values', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(1, 'counter', { value: 500, timestampMs: 10_000 });
    aggregator.restoreInput(output, 3, 4, 40, 100, 9000);
    const kept = aggregator.input(output);
    aggregator.restoreSlotLast(kept, 60, 9000);
    aggregator.add(aggregator.inputByHash(output, 3, 4), 12_000, 45, 100);
    aggregator.add(kept, 12_000, 61, 0);
    aggregator.addDelta(output, 13_000, 4);
    // A sample before the restored one is counted at the latest emitted time.
    aggregator.add(aggregator.inputByHash(output, 9, 9), 9500, 1, 0);
    expect(drainAll(aggregator)).toEqual([
      [1, 10_000, 501],
      [1, 12_000, 507],
      [1, 13_000, 511],
    ]);
  });

  it('adds series that came one after the other at their own times', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(1, 'counter');
    const slots = [aggregator.input(output), aggregator.input(output)];
    for (const slot of slots) for (let t = 1; t <= 4; t++) aggregator.add(slot, t * 1000, t * 10, 0);
    expect(drainAll(aggregator)).toEqual([
      [1, 1000, 20],
      [1, 2000, 40],
      [1, 3000, 60],
      [1, 4000, 80],
    ]);
  });

  it('leaves out what is older, infinite, negative or a staleness marker', () => {
    const aggregator = new Aggregator();
    const slot = aggregator.input(aggregator.output(1, 'counter'));
    aggregator.add(slot, 2000, 10, 0);
    for (const [time, value] of [
      [1000, 3],
      [2000, 9],
      [3000, Number.NaN],
      [3000, Number.POSITIVE_INFINITY],
      [3000, -1],
    ])
      aggregator.add(slot, time, value, 0);
    expect(drainAll(aggregator)).toEqual([[1, 2000, 10]]);
    expect(aggregator.stats).toMatchObject({ outOfOrder: 2, unusable: 2, resets: 0 });
  });

  it('persists the inputs that changed', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(42, 'counter');
    aggregator.add(aggregator.inputByHash(output, 1, 0xffffffff), 1000, 5, 300);
    aggregator.add(aggregator.inputByHash(output, 2, 2), 1000, 6, 0);
    aggregator.add(aggregator.input(output), 1000, 7, 0);
    const seen: number[][] = [];
    aggregator.drainInputs((...row) => seen.push(row));
    expect(seen).toEqual([
      [42, 1, 0xffffffff, 5, 300, 1000],
      [42, 2, 2, 6, 0, 1000],
    ]);
    aggregator.drainInputs(() => expect.unreachable());
  });

  it('keeps memory bounded under a flood and counts what it forgot, without losing the inputs that return', () => {
    const aggregator = new Aggregator({ maxInputs: 2000 });
    const output = aggregator.output(1, 'counter');
    let expected = 0;
    for (let round = 0; round < 50; round++) {
      for (let i = 0; i < 100; i++) {
        aggregator.add(aggregator.inputByHash(output, 0, i), round * 1000, round + 1, 0);
        expected++;
      }
      for (let i = 0; i < 500; i++) {
        aggregator.add(aggregator.inputByHash(output, 1, round * 500 + i), round * 1000, 1, 0);
        expected++;
      }
      const total = drainAll(aggregator).at(-1)?.[2];
      expect(total).toBe(expected);
    }
    expect(aggregator.stats.inputs).toBe(2000);
    expect(aggregator.stats.evicted).toBe(50 * 500 + 100 - 2000);
  });

  it('says so when every slot is remembered by its caller', () => {
    const aggregator = new Aggregator({ maxInputs: 3 });
    const output = aggregator.output(1, 'counter');
    for (let i = 0; i < 3; i++) aggregator.input(output);
    expect(() => aggregator.input(output)).toThrow(/more than 3 series.*raise maxInputs/);
    aggregator.release(0);
    expect(aggregator.input(output)).toBe(0);
  });

  it('keeps totals exact for random streams with resets, restarts and series that appear once', () => {
    const sample = fc.record({
      output: fc.integer({ min: 0, max: 2 }),
      input: fc.integer({ min: 0, max: 40 }),
      step: fc.integer({ min: 0, max: 30_000 }),
      kind: fc.constantFrom('increase', 'increase', 'increase', 'reset', 'restart', 'marker'),
      amount: fc.integer({ min: 0, max: 1_000_000 }),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 300 }), fc.integer({ min: 1, max: 40 }), (samples, drainEvery) => {
        const aggregator = new Aggregator();
        const states = new Map<string, { value: number; start: number }>();
        const expected = new Map<number, number>();
        const emitted = new Map<number, Emitted>();
        let now = 1_700_000_000_000;
        for (const [i, { output, input, step, kind, amount }] of samples.entries()) {
          now += step;
          const state = states.get(`${output}/${input}`) ?? { value: 0, start: now - 1 };
          states.set(`${output}/${input}`, state);
          let increase = amount;
          if (kind === 'reset' && amount < state.value) state.value = amount;
          else if (kind === 'restart') {
            state.value = amount;
            state.start = now;
            // A restart is told by the start time; without time passing it could not be.
            if (step === 0) now++;
          } else if (kind !== 'marker') state.value += amount;
          else increase = 0;
          const index = aggregator.output(output, 'counter');
          const value = kind === 'marker' ? Number.NaN : state.value;
          const isSame = kind === 'reset' && step === 0;
          if (isSame) now++;
          aggregator.add(aggregator.inputByHash(index, input, input * 7919), now, value, state.start);
          expected.set(output, (expected.get(output) ?? 0) + increase);
          if (i % drainEvery === 0) for (const row of drainAll(aggregator)) checkOrder(emitted, row);
        }
        for (const row of drainAll(aggregator)) checkOrder(emitted, row);
        for (const [output, total] of expected) expect(emitted.get(output)?.[2] ?? 0).toBe(total);
        expect(aggregator.stats.outOfOrder).toBe(0);
      }),
      { numRuns: 300 },
    );
  });

  it('keeps totals with more outputs, inputs and waiting points than the first arrays hold', () => {
    const aggregator = new Aggregator();
    const values = new Map<number, number>();
    const expected = new Float64Array(500);
    const last = new Float64Array(500);
    let state = 1;
    for (let i = 0; i < 60_000; i++) {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const input = (state >>> 8) % 5000;
      const output = input % 500;
      values.set(input, (values.get(input) ?? 0) + (state % 1000));
      expected[output] += state % 1000;
      const index = aggregator.output(output, 'counter');
      aggregator.add(aggregator.inputByHash(index, input, input), i * 10, values.get(input) ?? 0, 0);
      if (i % 20_000 === 19_999) for (const [series, , value] of drainAll(aggregator)) last[series] = value;
    }
    expect(last).toEqual(expected);
    expect(aggregator.stats).toMatchObject({ inputs: 5000, outputs: 500, evicted: 0, resets: 0 });
  });

  it('keeps the buckets of a classic histogram consistent', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.double({ min: 0, max: 20, noNaN: true })), {
          maxLength: 200,
        }),
        (observations) => {
          const bounds = [1, 5, 10, Number.POSITIVE_INFINITY];
          const aggregator = new Aggregator();
          const counts = new Map<string, number>();
          const totals = [0, 0, 0, 0];
          for (const [i, [input, value]] of observations.entries()) {
            for (const [b, bound] of bounds.entries()) {
              const key = `${input}/${b}`;
              const hit = value <= bound ? 1 : 0;
              totals[b] += hit;
              counts.set(key, (counts.get(key) ?? 0) + hit);
              const output = aggregator.output(b, 'counter');
              aggregator.add(aggregator.inputByHash(output, b, input), 1000 * i, counts.get(key) ?? 0, 0);
            }
          }
          const last = [0, 0, 0, 0];
          for (const [series, , value] of drainAll(aggregator)) last[series] = value;
          expect(last).toEqual(totals);
          for (let b = 1; b < 4; b++) expect(last[b]).toBeGreaterThanOrEqual(last[b - 1]);
        },
      ),
    );
  });
});

function checkOrder(emitted: Map<number, Emitted>, row: Emitted): void {
  const before = emitted.get(row[0]);
  if (before) {
    expect(row[1]).toBeGreaterThanOrEqual(before[1]);
    expect(row[2]).toBeGreaterThanOrEqual(before[2]);
  }
  emitted.set(row[0], row);
}

describe('gauges', () => {
  it('joins by rule, and ends an input that was silent for five minutes or sent a staleness marker', () => {
    const rules: [AggregationRule, number[]][] = [
      ['sum', [10, 14, 12, 3, 3]],
      ['max', [10, 10, 8, 3, 3]],
      ['avg', [10, 7, 6, 3, 3]],
      ['last', [10, 4, 8, 3, 3]],
    ];
    for (const [rule, values] of rules) {
      const aggregator = new Aggregator();
      const output = aggregator.output(1, rule);
      const a = aggregator.input(output);
      const b = aggregator.input(output);
      aggregator.add(a, 1000, 10, 0);
      aggregator.add(b, 2000, 4, 0);
      aggregator.add(a, 3000, 8, 0);
      // Both are silent by now; the third comes alone.
      const c = aggregator.input(output);
      aggregator.add(c, 400_000, 3, 0);
      aggregator.add(c, 401_000, 3, 0);
      expect(drainAll(aggregator).map(([, , value]) => value)).toEqual(values);
      aggregator.add(c, 402_000, Number.NaN, 0);
      expect(drainAll(aggregator)).toEqual([[1, 402_000, Number.NaN]]);
    }
  });

  it('agrees with a plain computation for random streams', () => {
    const sample = fc.record({
      input: fc.integer({ min: 0, max: 6 }),
      step: fc.integer({ min: 1, max: 120_000 }),
      value: fc.oneof(
        { weight: 9, arbitrary: fc.integer({ min: -1000, max: 1000 }) },
        { weight: 1, arbitrary: fc.constant(Number.NaN) },
      ),
    });
    const plain: Record<string, (values: { value: number; at: number }[]) => number> = {
      sum: (values) => values.reduce((sum, { value }) => sum + value, 0),
      max: (values) => Math.max(...values.map(({ value }) => value)),
      avg: (values) => values.reduce((sum, { value }) => sum + value, 0) / values.length,
      last: (values) => values.reduce((newest, next) => (next.at > newest.at ? next : newest)).value,
    };
    for (const rule of ['sum', 'max', 'avg', 'last'] as const) {
      fc.assert(
        fc.property(fc.array(sample, { maxLength: 200 }), fc.integer({ min: 1, max: 30 }), (samples, drainEvery) => {
          const aggregator = new Aggregator();
          const output = aggregator.output(1, rule);
          const living = new Map<number, { value: number; at: number }>();
          const expected: number[] = [];
          const got: number[] = [];
          let now = 0;
          for (const [i, { input, step, value }] of samples.entries()) {
            now += step;
            const before = living.size;
            for (const [key, { at }] of living) if (at < now - 300_000) living.delete(key);
            const expired = living.size < before;
            const ended = Number.isNaN(value) && living.delete(input);
            if (!Number.isNaN(value)) living.set(input, { value, at: now });
            aggregator.add(aggregator.inputByHash(output, 5, input), now, value, 0);
            if (!Number.isNaN(value) || ended || expired)
              expected.push(living.size === 0 ? Number.NaN : plain[rule]([...living.values()]));
            if (i % drainEvery === 0) got.push(...drainAll(aggregator).map(([, , sampleValue]) => sampleValue));
          }
          got.push(...drainAll(aggregator).map(([, , sampleValue]) => sampleValue));
          expect(got).toEqual(expected);
        }),
      );
    }
  });

  it('forgets an evicted input in the sum', () => {
    const aggregator = new Aggregator({ maxInputs: 10 });
    const output = aggregator.output(1, 'sum');
    for (let i = 0; i < 100; i++) {
      aggregator.add(aggregator.inputByHash(output, 1, i), 1000 + i, 1, 0);
      if (i % 7 === 0) drainAll(aggregator);
    }
    expect(drainAll(aggregator).at(-1)?.[2]).toBe(10);
  });
});

describe('native histograms', () => {
  it('adds at the coarser schema and the wider zero bucket', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(1, 'counter');
    aggregator.addHistogram(aggregator.inputByHash(output, 1, 1), 1000, observed([0.5, 1.5, 3, 100], 3, 1e-6), 0);
    aggregator.addHistogram(aggregator.inputByHash(output, 1, 2), 1000, observed([0.0005, 1.5, -2], 1, 1e-3), 0);
    const [[, , sum]] = drainHistograms(aggregator);
    const expected = observed([0.5, 1.5, 3, 100, 0.0005, 1.5, -2], 1, 1e-3);
    expect(sum).toEqual({ ...expected, sum: expect.closeTo(expected.sum, 9) });
  });

  it('keeps totals for random streams with resets, at the resolution of the coarsest input', () => {
    const sample = fc.record({
      input: fc.integer({ min: 0, max: 5 }),
      isReset: fc.boolean(),
      values: fc.array(
        fc.integer({ min: -4000, max: 4000 }).map((value) => value / 64),
        { maxLength: 5 },
      ),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 60 }), fc.integer({ min: 1, max: 10 }), (samples, drainEvery) => {
        const aggregator = new Aggregator();
        const output = aggregator.output(1, 'counter');
        const states = new Map<number, { values: number[]; start: number }>();
        const everything: number[] = [];
        let coarsest = 8;
        let last: NativeHistogram | undefined;
        for (const [i, { input, isReset, values }] of samples.entries()) {
          const state = states.get(input) ?? { values: [], start: 1 };
          states.set(input, state);
          if (isReset) {
            state.values = [];
            state.start = i * 1000 + 500;
          }
          state.values.push(...values);
          everything.push(...values);
          const schema = input % 4;
          coarsest = Math.min(coarsest, schema);
          aggregator.addHistogram(
            aggregator.inputByHash(output, 2, input),
            (i + 1) * 1000,
            observed(state.values, schema),
            state.start,
          );
          if (i % drainEvery === 0) for (const [, , sum] of drainHistograms(aggregator)) last = sum;
        }
        for (const [, , sum] of drainHistograms(aggregator)) last = sum;
        if (last) {
          const expected = observed(everything, coarsest);
          expect(last).toEqual({ ...expected, sum: expect.closeTo(expected.sum, 6) });
        }
      }),
    );
  });

  it('brings custom bounds onto those that both have', () => {
    const aggregator = new Aggregator();
    const output = aggregator.output(1, 'counter');
    const custom = (bounds: number[], counts: number[]) =>
      histogram({
        schema: CUSTOM_BUCKETS_SCHEMA,
        customValues: Float64Array.from(bounds),
        positiveIndices: Int32Array.from(counts.keys()),
        positiveCounts: Float64Array.from(counts),
        count: counts.reduce((sum, count) => sum + count, 0),
      });
    aggregator.addHistogram(aggregator.input(output), 1000, custom([1, 2, 5], [1, 2, 3, 4]), 0);
    aggregator.addHistogram(aggregator.input(output), 1000, custom([1, 5], [10, 20, 30]), 0);
    aggregator.addHistogram(aggregator.input(output), 1000, observed([1], 0), 0);
    const [[, , sum]] = drainHistograms(aggregator);
    expect([...(sum.customValues ?? [])]).toEqual([1, 5]);
    expect([...sum.positiveCounts]).toEqual([11, 25, 34]);
    expect(aggregator.stats.incompatible).toBe(1);
  });

  it('bounds buckets and never cuts a filled bucket with the zero threshold', () => {
    const wide = observed(
      Array.from({ length: 3000 }, (_, i) => 1.01 ** i),
      8,
    );
    expect(wide.positiveIndices.length).toBeGreaterThan(1000);
    const bounded = boundBuckets(wide);
    expect(bounded.positiveIndices.length).toBeLessThanOrEqual(320);
    expect(bounded.positiveCounts.reduce((sum, count) => sum + count)).toBe(3000 - bounded.zeroCount);
    const widened = widenZeroBucket(observed([3, 3, 10], 0), 3);
    expect(widened).toMatchObject({ zeroThreshold: 4, zeroCount: 2 });
    expect(reduceSchema(observed([3, 3.5, 10], 3), 0)).toEqual(observed([3, 3.5, 10], 0));
  });

  it('forgets the last histograms of inputs past its bound and counts them', () => {
    const aggregator = new Aggregator({ maxHistogramInputs: 5 });
    const output = aggregator.output(1, 'counter');
    for (let i = 0; i < 20; i++)
      aggregator.addHistogram(aggregator.inputByHash(output, 1, i), 1000, observed([1], 0), 0);
    expect(drainHistograms(aggregator).at(-1)?.[2].count).toBe(20);
    expect(aggregator.stats.evicted).toBe(15);
  });
});
