import {
  type Bucket,
  bucketBound,
  compactHistogram,
  hasCustomBounds,
  KahanSum,
  type NativeHistogram,
} from '../../model/index.ts';

/** What is left of one bucket: its observations, and the value that stands for them in the new sum. */
interface Kept {
  readonly count: number;
  readonly middle: number;
}

/**
 * `h </ cutoff` keeps the observations at or below the cutoff, `h >/ cutoff` those at or above it. A bucket that the
 * cutoff lies in is split as `histogram_fraction` would: linearly for the zero bucket and custom bounds, exponentially
 * otherwise. Where something was removed, the sum is estimated anew from the middles of what is left.
 */
export function trimHistogram(h: NativeHistogram, op: '</' | '>/', cutoff: number): NativeHistogram {
  const upperSide = op === '</';
  const keepsAll = upperSide ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  if (cutoff === keepsAll || Number.isNaN(cutoff)) return h;
  const sum = new KahanSum();
  const count = new KahanSum();
  let changed = false;
  const keep = (bucket: Bucket, exponential: boolean): number => {
    const { lower, upper } = bucket;
    const kept = upperSide ? keepBelow(bucket, cutoff, exponential) : keepAbove(bucket, cutoff, exponential);
    if (kept.count !== bucket.count) changed = true;
    if (bucket.count !== 0 && (lower === Number.NEGATIVE_INFINITY || upper === Number.POSITIVE_INFINITY)) {
      // A cutoff inside an infinite bucket moves the values that it stands for even where all of them are kept.
      if (lower < cutoff && cutoff < upper) changed = true;
    }
    sum.add(kept.count === 0 ? 0 : kept.count * kept.middle);
    count.add(kept.count);
    return kept.count;
  };
  const bounds = h.customValues ?? new Float64Array(0);
  const custom = hasCustomBounds(h);
  const positiveCounts = h.positiveCounts.map((c, i) => {
    const index = h.positiveIndices[i];
    if (!custom) return keep(exponentialBucket(index, h.schema, c), true);
    const lower = index > 0 ? bounds[index - 1] : Number.NEGATIVE_INFINITY;
    const upper = index < bounds.length ? bounds[index] : Number.POSITIVE_INFINITY;
    return keep({ lower: naturalLower(lower, upper, cutoff), upper, count: c }, false);
  });
  const negativeCounts = h.negativeCounts.map((c, i) => {
    const { lower, upper } = exponentialBucket(h.negativeIndices[i], h.schema, c);
    return keep({ lower: -upper, upper: -lower, count: c }, true);
  });
  const zeroCount = custom ? h.zeroCount : keep(zeroBucket(h), false);
  if (!changed) return h;
  return compactHistogram({ ...h, zeroCount, count: count.value, sum: sum.value, positiveCounts, negativeCounts });
}

/** The lowest custom bucket is taken to begin at zero where it reaches above it, unless the cutoff is below zero. */
function naturalLower(lower: number, upper: number, cutoff: number): number {
  if (lower !== Number.NEGATIVE_INFINITY || upper <= 0 || upper === Number.POSITIVE_INFINITY) return lower;
  return cutoff >= 0 ? 0 : lower;
}

function exponentialBucket(index: number, schema: number, count: number): Bucket {
  return { lower: bucketBound(index - 1, schema), upper: bucketBound(index, schema), count };
}

/** The zero bucket; with observations on one side only it reaches from or to zero. */
function zeroBucket(h: NativeHistogram): Bucket {
  const positive = h.positiveCounts.some((c) => c !== 0);
  const negative = h.negativeCounts.some((c) => c !== 0);
  return {
    lower: positive && !negative ? 0 : -h.zeroThreshold,
    upper: negative && !positive ? 0 : h.zeroThreshold,
    count: h.zeroCount,
  };
}

const NOTHING: Kept = { count: 0, middle: 0 };

function keepBelow({ lower, upper, count }: Bucket, cutoff: number, exponential: boolean): Kept {
  if (cutoff >= upper) return { count, middle: middleOf(lower, upper, exponential) };
  if (cutoff <= lower || upper === Number.POSITIVE_INFINITY) return NOTHING;
  if (lower === Number.NEGATIVE_INFINITY) return upper > 0 ? NOTHING : { count, middle: cutoff };
  return { count: count * shareBelow(lower, upper, cutoff, exponential), middle: middleOf(lower, cutoff, exponential) };
}

function keepAbove({ lower, upper, count }: Bucket, cutoff: number, exponential: boolean): Kept {
  if (cutoff <= lower) return { count, middle: middleOf(lower, upper, exponential) };
  if (cutoff >= upper || lower === Number.NEGATIVE_INFINITY) return NOTHING;
  if (upper === Number.POSITIVE_INFINITY) return { count, middle: cutoff };
  const share = 1 - shareBelow(lower, upper, cutoff, exponential);
  return { count: count * share, middle: middleOf(cutoff, upper, exponential) };
}

function shareBelow(lower: number, upper: number, value: number, exponential: boolean): number {
  if (!exponential) return (value - lower) / (upper - lower);
  if (lower < 0) return 1 - shareBelow(-upper, -lower, -value, true);
  return Math.log2(value / lower) / Math.log2(upper / lower);
}

function middleOf(lower: number, upper: number, exponential: boolean): number {
  if (lower === Number.NEGATIVE_INFINITY) return upper;
  if (upper === Number.POSITIVE_INFINITY) return lower;
  if (!exponential) return (lower + upper) / 2;
  return Math.sign(lower + upper) * Math.sqrt(lower * upper);
}
