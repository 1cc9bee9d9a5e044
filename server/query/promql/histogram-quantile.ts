import { type Bucket, bucketsOf, hasCustomBounds, type NativeHistogram } from '../../model/index.ts';
import type { ClassicBuckets } from './classic-histogram.ts';

/**
 * The φ-quantile of a native histogram. Within a bucket observations are taken to be spread evenly: linearly in the zero
 * bucket and with custom bounds, else on a logarithmic scale. Observations of NaN are in the count but in no bucket; a
 * rank among them is NaN. Source: prometheus/prometheus promql/quantile.go.
 */
export function nativeQuantile(q: number, h: NativeHistogram): number {
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  if (h.count === 0 || Number.isNaN(q)) return Number.NaN;
  const buckets = bucketsOf(h).filter((bucket) => bucket.count !== 0);
  // From the nearer end, so that rounding in the counts of the far end doesn't matter.
  const forward = Number.isNaN(h.sum) || q < 0.5;
  if (!forward) buckets.reverse();
  const rank = (forward ? q : 1 - q) * h.count;
  let found: Bucket | undefined;
  let reached = 0;
  for (const bucket of buckets) {
    found = bucket;
    reached += bucket.count;
    if (reached >= rank) break;
  }
  if (!found) return Number.NaN;
  let { lower, upper } = naturalBounds(h, found);
  if (hasCustomBounds(h)) {
    if (lower === Number.NEGATIVE_INFINITY) {
      if (upper <= 0) return upper;
      lower = 0;
    } else if (upper === Number.POSITIVE_INFINITY) return lower;
  }
  reached = Math.min(reached, h.count);
  if (reached < rank) return Number.NaN;
  const inside = forward ? rank - (reached - found.count) : reached - rank;
  const share = inside / found.count;
  if (hasCustomBounds(h) || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * share;
  const [low, high] = [Math.log2(Math.abs(lower)), Math.log2(Math.abs(upper))];
  return lower > 0 ? 2 ** (low + (high - low) * share) : -(2 ** (high + (low - high) * (1 - share)));
}

/** A zero bucket of a histogram with observations on one side only reaches from or to zero. */
function naturalBounds(h: NativeHistogram, { lower, upper }: Bucket): { lower: number; upper: number } {
  if (hasCustomBounds(h) || lower >= 0 || upper <= 0) return { lower, upper };
  if (h.negativeIndices.length === 0 && h.positiveIndices.length > 0) return { lower: 0, upper };
  if (h.positiveIndices.length === 0 && h.negativeIndices.length > 0) return { lower, upper: 0 };
  return { lower, upper };
}

/** The share of a native histogram's observations in (lower, upper]. */
export function nativeFraction(lower: number, upper: number, h: NativeHistogram): number {
  if (h.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  const buckets = bucketsOf(h).map((bucket) => {
    const bounds = naturalBounds(h, bucket);
    // The lowest custom bucket begins at zero where it reaches above it.
    if (hasCustomBounds(h) && bounds.lower === Number.NEGATIVE_INFINITY && bounds.upper > 0) bounds.lower = 0;
    return { ...bounds, count: bucket.count };
  });
  const exponential = !hasCustomBounds(h);
  return fraction(lower, upper, buckets, h.count, exponential, Number.isNaN(h.sum));
}

/** The share of a classic histogram's observations in (lower, upper]. */
export function classicFraction(lower: number, upper: number, { bounds, counts }: ClassicBuckets): number {
  const last = bounds.length - 1;
  if (last < 0 || bounds[last] !== Number.POSITIVE_INFINITY) return Number.NaN;
  const total = counts[last];
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  const buckets = bounds.map((bound, i) => ({
    lower: i > 0 ? bounds[i - 1] : bound > 0 ? 0 : Number.NEGATIVE_INFINITY,
    upper: bound,
    count: i > 0 ? counts[i] - counts[i - 1] : counts[0],
  }));
  return fraction(lower, upper, buckets, total, false, false);
}

function fraction(
  lower: number,
  upper: number,
  buckets: readonly Bucket[],
  total: number,
  exponential: boolean,
  hasNan: boolean,
): number {
  // Observations of NaN are above every rank but no value is, so that what lies in buckets bounds the rank.
  const most = hasNan ? buckets.reduce((sum, bucket) => sum + bucket.count, 0) : total;
  const rankOf = (value: number): number => {
    let rank = 0;
    for (const bucket of buckets) {
      if (bucket.lower >= value) return Math.min(rank, most);
      if (bucket.upper > value) return Math.min(rank + bucket.count * shareBelow(value, bucket, exponential), most);
      rank += bucket.count;
    }
    return most;
  };
  return (rankOf(upper) - rankOf(lower)) / total;
}

/** The share of a bucket's observations that lie at or below a value inside the bucket. */
function shareBelow(value: number, { lower, upper }: Bucket, exponential: boolean): number {
  // Nothing is known of where observations lie in an infinite bucket: all of them count as being at its finite bound.
  if (lower === Number.NEGATIVE_INFINITY) return upper === Number.POSITIVE_INFINITY ? 0 : 1;
  if (upper === Number.POSITIVE_INFINITY) return 0;
  if (!exponential || (lower <= 0 && upper >= 0)) return (value - lower) / (upper - lower);
  const [low, high, at] = [Math.log2(Math.abs(lower)), Math.log2(Math.abs(upper)), Math.log2(Math.abs(value))];
  return (at - low) / (high - low);
}
