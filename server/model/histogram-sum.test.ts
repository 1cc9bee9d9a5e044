import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addInPlace,
  boundBuckets,
  bucketBound,
  bucketsOf,
  CUSTOM_BUCKETS_SCHEMA,
  compactHistogram,
  equalHistograms,
  histogramIncrease,
  isHistogramReset,
  type NativeHistogram,
  reduceSchema,
  scaledDifference,
  scaleHistogram,
  subtractHistograms,
  sumHistograms,
  thresholdBeyond,
  widenZeroBucket,
} from './index.ts';

/** Buckets of one side by index. */
const SIDE = fc
  .uniqueArray(fc.tuple(fc.integer({ min: -40, max: 40 }), fc.integer({ min: 0, max: 50 })), { selector: ([i]) => i })
  .map((pairs) => pairs.sort(([a], [b]) => a - b));

const EXPONENTIAL: fc.Arbitrary<NativeHistogram> = fc
  .record({
    schema: fc.integer({ min: -4, max: 8 }),
    zeroThreshold: fc.constantFrom(0, 2 ** -128, 0.001, 0.75, 3),
    zeroCount: fc.integer({ min: 0, max: 20 }),
    sum: fc.integer({ min: -1000, max: 1000 }),
    positive: SIDE,
    negative: SIDE,
  })
  .map(({ positive, negative, ...parts }) => {
    // Where the zero bucket ends inside a bucket, the histogram is none that anybody sends.
    const fits = ([index]: readonly [number, number]) => bucketBound(index - 1, parts.schema) >= parts.zeroThreshold;
    const [up, down] = [positive.filter(fits), negative.filter(fits)];
    return {
      ...parts,
      positiveIndices: Int32Array.from(up, ([i]) => i),
      positiveCounts: Float64Array.from(up, ([, count]) => count),
      negativeIndices: Int32Array.from(down, ([i]) => i),
      negativeCounts: Float64Array.from(down, ([, count]) => count),
      count: [...up, ...down].reduce((all, [, count]) => all + count, parts.zeroCount),
      customValues: undefined,
      counterResetHint: 'unknown' as const,
    };
  });

const CUSTOM: fc.Arbitrary<NativeHistogram> = fc
  .tuple(
    fc.uniqueArray(fc.integer({ min: -5, max: 5 }), { maxLength: 6 }),
    fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 7, maxLength: 7 }),
  )
  .map(([bounds, counts]) => {
    const kept = counts.slice(0, bounds.length + 1);
    return {
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count: kept.reduce((all, count) => all + count, 0),
      sum: 1,
      positiveIndices: Int32Array.from(kept.keys()),
      positiveCounts: Float64Array.from(kept),
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      customValues: Float64Array.from(bounds).sort(),
      counterResetHint: 'unknown' as const,
    };
  });

const SAME_KIND = fc.oneof(
  fc.array(EXPONENTIAL, { minLength: 1, maxLength: 5 }),
  fc.array(CUSTOM, { minLength: 1, maxLength: 5 }),
);

/** How many observations are at or below a bound that is an edge of some bucket. */
function countBelow(h: NativeHistogram, bound: number): number {
  return bucketsOf(h).reduce((all, { upper, count }) => all + (upper <= bound ? count : 0), 0);
}

function inBuckets(h: NativeHistogram): number {
  const all = [...h.positiveCounts, ...h.negativeCounts];
  return all.reduce((sum, count) => sum + count, h.zeroCount);
}

describe('a sum of histograms', () => {
  it('holds every observation of its parts, and no bound says anything else', () => {
    fc.assert(
      fc.property(SAME_KIND, (list) => {
        const { value } = sumHistograms(list) as { value: NativeHistogram };
        const total = list.reduce((all, h) => all + h.count, 0);
        expect(value.count).toBe(total);
        expect(inBuckets(value)).toBe(total);
        expect(value.sum).toBe(list.reduce((all, h) => all + h.sum, 0));
        for (const { upper } of bucketsOf(value)) {
          const expected = list.reduce((all, h) => all + countBelow(h, upper), 0);
          expect(countBelow(value, upper)).toBe(expected);
        }
      }),
    );
  });

  it('of two is that of many, whatever the order', () => {
    fc.assert(
      fc.property(SAME_KIND, (list) => {
        const whole = sumHistograms(list)?.value as NativeHistogram;
        // Custom bounds that only some have are lost in any order, but a threshold may settle wider step by step.
        const pairwise = list.reduce((all, h) => sumHistograms([all, h])?.value as NativeHistogram);
        const reversed = sumHistograms([...list].reverse())?.value as NativeHistogram;
        expect(equalHistograms(whole, reversed)).toBe(true);
        expect(pairwise.schema).toBe(whole.schema);
        expect(pairwise.count).toBe(whole.count);
        if (pairwise.zeroThreshold === whole.zeroThreshold) expect(equalHistograms(whole, pairwise)).toBe(true);
      }),
    );
  });

  it('is undone by a difference', () => {
    fc.assert(
      fc.property(EXPONENTIAL, EXPONENTIAL, (a, b) => {
        const sum = sumHistograms([a, b])?.value as NativeHistogram;
        const difference = subtractHistograms(sum, b)?.value as NativeHistogram;
        const expected = widenZeroBucket(reduceSchema(a, sum.schema), sum.zeroThreshold);
        expect(equalHistograms(difference, expected)).toBe(true);
      }),
    );
  });

  it('has a difference that is scaled as it is taken', () => {
    fc.assert(
      fc.property(EXPONENTIAL, EXPONENTIAL, fc.constantFrom(1, 0.5, -2), fc.boolean(), (a, other, factor, isSame) => {
        const counts = a.positiveCounts.map((count, i) => (i % 2 === 0 ? count : count + 1));
        const b = isSame ? { ...a, positiveCounts: counts } : other;
        const expected = scaleHistogram(subtractHistograms(a, b)?.value as NativeHistogram, factor);
        const difference = scaledDifference(a, b, factor) as NativeHistogram;
        expect(equalHistograms(difference, expected)).toBe(true);
        expect(compactHistogram(difference)).toBe(difference);
      }),
    );
  });

  it('weighs as the mean, also where the sum of counts is infinite', () => {
    const large: NativeHistogram = {
      ...(fc.sample(EXPONENTIAL, 1)[0] as NativeHistogram),
      positiveIndices: Int32Array.of(1),
      positiveCounts: Float64Array.of(1.5e308),
      count: 1.5e308,
    };
    const mean = sumHistograms([large, large, large], 1 / 3)?.value as NativeHistogram;
    expect(mean.count).toBeCloseTo(1.5e308, -300);
    expect(mean.positiveCounts[0] / 1.5e308).toBeCloseTo(1);
  });

  it('of exponential and custom buckets is none', () => {
    fc.assert(
      fc.property(EXPONENTIAL, CUSTOM, (a, b) => {
        expect(sumHistograms([a, b])).toBeUndefined();
        expect(sumHistograms([a, b, a])).toBeUndefined();
        expect(subtractHistograms(a, b)).toBeUndefined();
        expect(histogramIncrease(a, b)).toBeUndefined();
      }),
    );
  });

  it('keeps the bounds that all have, and says so', () => {
    fc.assert(
      fc.property(CUSTOM, CUSTOM, (a, b) => {
        const sum = sumHistograms([a, b]);
        const shared = [...(a.customValues ?? [])].filter((bound) => b.customValues?.includes(bound));
        expect([...(sum?.value.customValues ?? [])]).toEqual(shared);
        const differ = shared.length !== a.customValues?.length || shared.length !== b.customValues?.length;
        expect(sum?.reconciled).toBe(differ);
      }),
    );
  });

  it('in place is the sum, where the buckets are the same', () => {
    fc.assert(
      fc.property(EXPONENTIAL, fc.integer({ min: 1, max: 5 }), (a, factor) => {
        const other = scaleHistogram(a, factor);
        const own = { ...a, positiveCounts: a.positiveCounts.slice(), negativeCounts: a.negativeCounts.slice() };
        const sum = addInPlace(own, other) as NativeHistogram;
        expect(equalHistograms(sum, sumHistograms([a, other])?.value as NativeHistogram)).toBe(true);
      }),
    );
  });
});

describe('a counter of histograms', () => {
  it('increases by what was added, and is reset by what was taken away', () => {
    fc.assert(
      fc.property(EXPONENTIAL, EXPONENTIAL, (before, added) => {
        const now = sumHistograms([before, added])?.value as NativeHistogram;
        // A zero bucket that swallows part of what was a bucket begins a new counter, as in Prometheus.
        fc.pre(thresholdBeyond(reduceSchema(before, now.schema), now.zeroThreshold) === now.zeroThreshold);
        expect(isHistogramReset(before, now)).toBe(false);
        const increase = histogramIncrease(now, before) as NativeHistogram;
        const expected = widenZeroBucket(reduceSchema(added, now.schema), now.zeroThreshold);
        expect(equalHistograms(increase, expected)).toBe(true);
        if (added.count > 0) {
          expect(histogramIncrease(before, now)).toBeUndefined();
          expect(isHistogramReset(now, before)).toBe(true);
        }
      }),
    );
  });

  it('believes a hint in both directions, but never increases by less than nothing', () => {
    fc.assert(
      fc.property(EXPONENTIAL, EXPONENTIAL, (before, now) => {
        expect(isHistogramReset(before, { ...now, counterResetHint: 'reset' })).toBe(true);
        expect(isHistogramReset(before, { ...now, counterResetHint: 'no_reset' })).toBe(false);
        const increase = histogramIncrease({ ...now, counterResetHint: 'no_reset' }, before);
        for (const count of increase
          ? [...increase.positiveCounts, ...increase.negativeCounts, increase.zeroCount]
          : []) {
          expect(count).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });
});

describe('a bounded histogram', () => {
  it('has few buckets and every observation', () => {
    fc.assert(
      fc.property(EXPONENTIAL, fc.integer({ min: 4, max: 40 }), (h, most) => {
        const bounded = boundBuckets(h, most);
        expect(inBuckets(bounded)).toBe(h.count);
        const size = bounded.positiveIndices.length + bounded.negativeIndices.length;
        expect(size <= most || bounded.schema === -4).toBe(true);
        expect(inBuckets(compactHistogram(bounded))).toBe(h.count);
      }),
    );
  });
});
