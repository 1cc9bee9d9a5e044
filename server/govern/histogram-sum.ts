import {
  compactHistogram,
  boundBuckets as modelBoundBuckets,
  type NativeHistogram,
  subtractHistograms,
  sumHistograms,
} from '../model/index.ts';

export { addInPlace, histogramIncrease, reduceSchema, widenZeroBucket } from '../model/index.ts';

/** Buckets of one histogram at most; more lower its resolution, as OpenTelemetry's own default of 160 does. */
export const MAX_BUCKETS = 320;

/** The sum of two histograms, of whose resets nothing is known; `undefined` where only one has custom bounds. */
export function addHistograms(a: NativeHistogram, b: NativeHistogram): NativeHistogram | undefined {
  return withoutHint(sumHistograms([a, b])?.value);
}

/** The difference of two states of a histogram that may also go down. */
export function histogramChange(now: NativeHistogram, before: NativeHistogram): NativeHistogram | undefined {
  return withoutHint(subtractHistograms(now, before)?.value);
}

/** The histogram with at most `maxBuckets` buckets, at a lower resolution where it had more. */
export function boundBuckets(histogram: NativeHistogram, maxBuckets = MAX_BUCKETS): NativeHistogram {
  return modelBoundBuckets(histogram, maxBuckets);
}

function withoutHint(sum: NativeHistogram | undefined): NativeHistogram | undefined {
  return sum && { ...compactHistogram(sum), counterResetHint: 'unknown' };
}
