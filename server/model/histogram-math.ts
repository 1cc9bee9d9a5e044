import { CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from './histogram.ts';

/** One bucket of a histogram with its bounds; a missing bound is infinite. */
export interface Bucket {
  /** Lower and upper bound. Positive buckets exclude the lower one, negative ones the upper, the zero bucket neither. */
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** Buckets of one side: indices, ascending and unique, and counts. */
type Buckets = readonly [Int32Array, Float64Array];
const NO_BUCKETS: Buckets = [new Int32Array(0), new Float64Array(0)];

/** The upper bound of bucket `index` of an exponential schema. */
export function bucketBound(index: number, schema: number): number {
  return 2 ** (index * 2 ** -schema);
}

/**
 * Every bucket in ascending order of value: negative, zero, positive. As in Prometheus, the zero bucket is there only
 * where its count is positive (a difference may make it negative or NaN), and buckets that reach into it end at it.
 */
export function bucketsOf(h: NativeHistogram): Bucket[] {
  const out: Bucket[] = [];
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) {
    const bounds = h.customValues ?? new Float64Array(0);
    for (let i = 0; i < h.positiveIndices.length; i++) {
      const index = h.positiveIndices[i];
      const lower = index > 0 ? bounds[index - 1] : Number.NEGATIVE_INFINITY;
      out.push({ lower, upper: index < bounds.length ? bounds[index] : Infinity, count: h.positiveCounts[i] });
    }
    return out;
  }
  for (let i = h.negativeIndices.length - 1; i >= 0; i--) {
    const index = h.negativeIndices[i];
    const lower = -bucketBound(index, h.schema);
    const upper = Math.min(-bucketBound(index - 1, h.schema), -h.zeroThreshold);
    out.push({ lower, upper, count: h.negativeCounts[i] });
  }
  if (h.zeroCount > 0) out.push({ lower: -h.zeroThreshold, upper: h.zeroThreshold, count: h.zeroCount });
  for (let i = 0; i < h.positiveIndices.length; i++) {
    const index = h.positiveIndices[i];
    const lower = Math.max(bucketBound(index - 1, h.schema), h.zeroThreshold);
    out.push({ lower, upper: bucketBound(index, h.schema), count: h.positiveCounts[i] });
  }
  return out;
}

/** Whether a histogram has custom bounds. */
export function hasCustomBounds(h: NativeHistogram): boolean {
  return h.schema === CUSTOM_BUCKETS_SCHEMA;
}

/** A histogram with every count and the sum multiplied; a negative factor makes a gauge. */
export function scaleHistogram(h: NativeHistogram, factor: number): NativeHistogram {
  return {
    ...h,
    zeroCount: h.zeroCount * factor,
    count: h.count * factor,
    sum: h.sum * factor,
    positiveCounts: scaled(h.positiveCounts, factor),
    negativeCounts: scaled(h.negativeCounts, factor),
    counterResetHint: factor < 0 ? 'gauge' : h.counterResetHint,
  };
}

function scaled(counts: Float64Array, factor: number): Float64Array {
  const out = new Float64Array(counts.length);
  for (let i = 0; i < counts.length; i++) out[i] = counts[i] * factor;
  return out;
}

/** A histogram with every count and the sum divided; by zero it keeps no buckets. */
export function divideHistogram(h: NativeHistogram, divisor: number): NativeHistogram {
  const quotient: NativeHistogram = {
    ...h,
    zeroCount: h.zeroCount / divisor,
    count: h.count / divisor,
    sum: h.sum / divisor,
    positiveCounts: h.positiveCounts.map((c) => c / divisor),
    negativeCounts: h.negativeCounts.map((c) => c / divisor),
    counterResetHint: divisor < 0 ? 'gauge' : h.counterResetHint,
  };
  if (divisor !== 0) return quotient;
  const [indices, counts] = NO_BUCKETS;
  const none = { positiveIndices: indices, positiveCounts: counts, negativeIndices: indices, negativeCounts: counts };
  return { ...quotient, ...none };
}

/** A histogram without its empty buckets; the same one where it has none. */
export function compactHistogram(h: NativeHistogram): NativeHistogram {
  if (!hasZero(h.positiveCounts) && !hasZero(h.negativeCounts)) return h;
  const [positiveIndices, positiveCounts] = populated(h.positiveIndices, h.positiveCounts);
  const [negativeIndices, negativeCounts] = populated(h.negativeIndices, h.negativeCounts);
  return { ...h, positiveIndices, positiveCounts, negativeIndices, negativeCounts };
}

function hasZero(counts: Float64Array): boolean {
  for (let i = 0; i < counts.length; i++) if (counts[i] === 0) return true;
  return false;
}

function populated(indices: Int32Array, counts: Float64Array): Buckets {
  if (!hasZero(counts)) return [indices, counts];
  let kept = 0;
  for (let i = 0; i < counts.length; i++) kept += Number(counts[i] !== 0);
  const [outIndices, outCounts] = [new Int32Array(kept), new Float64Array(kept)];
  kept = 0;
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    outIndices[kept] = indices[i];
    outCounts[kept++] = counts[i];
  }
  return [outIndices, outCounts];
}

/** Whether two histograms hold the same observations in the same layout, empty buckets aside; NaN equals NaN. */
export function equalHistograms(a: NativeHistogram, b: NativeHistogram): boolean {
  if (a.schema !== b.schema || !sameNumber(a.count, b.count) || !sameNumber(a.sum, b.sum)) return false;
  if (hasCustomBounds(a)) {
    if (!sameBounds(a.customValues, b.customValues)) return false;
  } else if (a.zeroThreshold !== b.zeroThreshold || !sameNumber(a.zeroCount, b.zeroCount)) return false;
  return (
    sameBuckets(a.positiveIndices, a.positiveCounts, b.positiveIndices, b.positiveCounts) &&
    sameBuckets(a.negativeIndices, a.negativeCounts, b.negativeIndices, b.negativeCounts)
  );
}

function sameNumber(a: number, b: number): boolean {
  return a === b || (Number.isNaN(a) && Number.isNaN(b));
}

function sameBuckets(ai: Int32Array, ac: Float64Array, bi: Int32Array, bc: Float64Array): boolean {
  const [x, y] = [populated(ai, ac), populated(bi, bc)];
  return x[0].length === y[0].length && x[0].every((index, i) => index === y[0][i] && x[1][i] === y[1][i]);
}

/** Whether custom bounds are equal; absent ones are none. */
export function sameBounds(a: Float64Array | undefined, b: Float64Array | undefined): boolean {
  if (a === b) return true;
  if (!a || !b || a.length !== b.length) return (a?.length ?? 0) === 0 && (b?.length ?? 0) === 0;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/**
 * The same observations with fewer, wider buckets: bucket i of schema s lies in bucket ⌈i / 2^(s−t)⌉ of the coarser
 * schema t ≤ s. A histogram that is as coarse already, or has custom bounds, is returned as it is.
 */
export function reduceSchema(h: NativeHistogram, schema: number): NativeHistogram {
  if (h.schema <= schema) return h;
  const shift = h.schema - schema;
  const [positiveIndices, positiveCounts] = mergeDown(h.positiveIndices, h.positiveCounts, shift);
  const [negativeIndices, negativeCounts] = mergeDown(h.negativeIndices, h.negativeCounts, shift);
  return { ...h, schema, positiveIndices, positiveCounts, negativeIndices, negativeCounts };
}

function mergeDown(indices: Int32Array, counts: Float64Array, shift: number): Buckets {
  const [outIndices, outCounts] = [new Int32Array(indices.length), new Float64Array(indices.length)];
  let n = 0;
  for (let i = 0; i < indices.length; i++) {
    const index = ((indices[i] - 1) >> shift) + 1;
    if (n > 0 && outIndices[n - 1] === index) outCounts[n - 1] += counts[i];
    else {
      outIndices[n] = index;
      outCounts[n++] = counts[i];
    }
  }
  return [outIndices.slice(0, n), outCounts.slice(0, n)];
}

/** The coarsest schema. */
const MIN_SCHEMA = -4;

/** The histogram with at most `maxBuckets` buckets, at a lower resolution where it had more; never coarser than −4. */
export function boundBuckets(h: NativeHistogram, maxBuckets: number): NativeHistogram {
  let bounded = h;
  while (bounded.schema > MIN_SCHEMA && bounded.positiveIndices.length + bounded.negativeIndices.length > maxBuckets) {
    bounded = reduceSchema(bounded, bounded.schema - 1);
  }
  return bounded;
}

/** The narrowest threshold from `threshold` on that cuts through no populated bucket. */
export function thresholdBeyond(h: NativeHistogram, threshold: number): number {
  let widened = threshold;
  // Moving it for a bucket of one side may make it cut through one of the other.
  for (let before = -1; before !== widened; ) {
    before = widened;
    widened = beyond(h.positiveIndices, h.positiveCounts, h.schema, widened);
    widened = beyond(h.negativeIndices, h.negativeCounts, h.schema, widened);
  }
  return widened;
}

function beyond(indices: Int32Array, counts: Float64Array, schema: number, threshold: number): number {
  for (let i = 0; i < indices.length; i++) {
    if (bucketBound(indices[i] - 1, schema) >= threshold) break;
    const upper = bucketBound(indices[i], schema);
    if (counts[i] !== 0 && upper > threshold) return upper;
  }
  return threshold;
}

/** The histogram with a zero bucket of at least `threshold`; a bucket that the threshold would cut is swallowed whole. */
export function widenZeroBucket(h: NativeHistogram, threshold: number): NativeHistogram {
  if (h.zeroThreshold >= threshold) return h;
  const widened = thresholdBeyond(h, threshold);
  let zeroCount = h.zeroCount;
  const outside = (indices: Int32Array, counts: Float64Array): Buckets => {
    let kept = 0;
    while (kept < indices.length && bucketBound(indices[kept], h.schema) <= widened) zeroCount += counts[kept++];
    return kept === 0 ? [indices, counts] : [indices.slice(kept), counts.slice(kept)];
  };
  const [positiveIndices, positiveCounts] = outside(h.positiveIndices, h.positiveCounts);
  const [negativeIndices, negativeCounts] = outside(h.negativeIndices, h.negativeCounts);
  const buckets = { positiveIndices, positiveCounts, negativeIndices, negativeCounts };
  return { ...h, zeroThreshold: widened, zeroCount, ...buckets };
}
