import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bitsOf,
  isStale,
  labelsFromRecord,
  type NativeHistogram,
  type SeriesSamples,
  setStale,
} from '../../model/index.ts';
import { packSeries, transferOf, unpackSeries } from './packed-series.ts';

const HISTOGRAM: NativeHistogram = {
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 3,
  sum: 4,
  positiveIndices: Int32Array.of(1),
  positiveCounts: Float64Array.of(3),
  negativeIndices: new Int32Array(0),
  negativeCounts: new Float64Array(0),
  customValues: undefined,
  counterResetHint: 'unknown',
};

const series: fc.Arbitrary<SeriesSamples> = fc
  .record({
    labels: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { maxKeys: 4 }),
    samples: fc.array(fc.record({ value: fc.double(), isHistogram: fc.boolean() }), { maxLength: 6 }),
  })
  .map(({ labels, samples }) => ({
    labels: labelsFromRecord(labels),
    timestamps: Float64Array.from(samples, (_, i) => i * 1000),
    values: Float64Array.from(samples, ({ value }) => value),
    histograms: samples.some(({ isHistogram }) => isHistogram)
      ? samples.map(({ isHistogram }) => (isHistogram ? HISTOGRAM : undefined))
      : undefined,
  }));

describe('packed series', () => {
  it('unpack as they were, on the other side of a transfer too', () => {
    fc.assert(
      fc.property(fc.array(series, { maxLength: 8 }), (list) => {
        const packed = packSeries(list, new AbortController().signal);
        const moved = structuredClone(packed, { transfer: transferOf(packed) });
        const unpacked = [...unpackSeries(moved)].map((one) => ({
          ...one,
          histograms: one.histograms && Array.from(one.histograms),
        }));
        expect(unpacked).toEqual(list);
      }),
    );
  });

  it('keep the bits of staleness markers', () => {
    const values = Float64Array.of(1, 0);
    setStale(bitsOf(values), 1);
    const one = { labels: [], timestamps: Float64Array.of(1, 2), values, histograms: undefined };
    const [unpacked] = unpackSeries(packSeries([one, one], new AbortController().signal));
    expect(isStale(bitsOf(Float64Array.from(unpacked.values)), 0)).toBe(false);
    expect(isStale(bitsOf(unpacked.values), 1)).toBe(true);
  });
});
