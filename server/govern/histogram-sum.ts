import { CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../model/index.ts';

/** Buckets of one histogram at most; more lower its resolution, as OpenTelemetry's own default of 160 does. */
export const MAX_BUCKETS = 320;
const MIN_SCHEMA = -4;

/** Buckets as two parallel arrays, indices ascending and unique. */
interface Buckets {
  readonly indices: Int32Array;
  readonly counts: Float64Array;
}

const NO_BUCKETS: Buckets = { indices: new Int32Array(0), counts: new Float64Array(0) };

/**
 * The sum of two histograms at the coarser of their schemas and the wider of their zero buckets; `undefined` where one
 * has custom bounds and the other hasn't.
 */
export function addHistograms(a: NativeHistogram, b: NativeHistogram): NativeHistogram | undefined {
  return combine(a, b, 1);
}

/**
 * Adds to the counts of a histogram that nobody else holds, and returns it with its new totals; `undefined`, with nothing
 * done, where the two don't have the very same buckets.
 */
export function addInPlace(own: NativeHistogram, other: NativeHistogram): NativeHistogram | undefined {
  if (own.schema !== other.schema || own.schema === CUSTOM_BUCKETS_SCHEMA) return undefined;
  if (own.zeroThreshold !== other.zeroThreshold) return undefined;
  if (!equalIndices(own.positiveIndices, other.positiveIndices)) return undefined;
  if (!equalIndices(own.negativeIndices, other.negativeIndices)) return undefined;
  for (let i = 0; i < own.positiveCounts.length; i++) own.positiveCounts[i] += other.positiveCounts[i];
  for (let i = 0; i < own.negativeCounts.length; i++) own.negativeCounts[i] += other.negativeCounts[i];
  return {
    ...own,
    zeroCount: own.zeroCount + other.zeroCount,
    count: own.count + other.count,
    sum: own.sum + other.sum,
  };
}

/**
 * What came to a histogram since an earlier state of the same series, or `undefined` where it began anew in between:
 * a count fell, the resolution rose, or the zero bucket shrank.
 * Source: prometheus/prometheus model/histogram, DetectReset.
 */
export function histogramIncrease(now: NativeHistogram, before: NativeHistogram): NativeHistogram | undefined {
  if (now.counterResetHint === 'reset' || now.count < before.count || now.schema > before.schema) return undefined;
  if (now.zeroThreshold < before.zeroThreshold) return undefined;
  const difference = combine(now, before, -1);
  if (!difference || difference.zeroCount < 0) return undefined;
  if (hasNegative(difference.positiveCounts) || hasNegative(difference.negativeCounts)) return undefined;
  return difference;
}

/** The difference of two states of a histogram that may also go down. */
export function histogramChange(now: NativeHistogram, before: NativeHistogram): NativeHistogram | undefined {
  return combine(now, before, -1);
}

/** The histogram with at most `maxBuckets` buckets, at a lower resolution where it had more. */
export function boundBuckets(histogram: NativeHistogram, maxBuckets = MAX_BUCKETS): NativeHistogram {
  let bounded = histogram;
  while (bounded.schema > MIN_SCHEMA && bounded.positiveIndices.length + bounded.negativeIndices.length > maxBuckets) {
    bounded = reduceSchema(bounded, bounded.schema - 1);
  }
  return bounded;
}

/** The histogram at a coarser schema: bucket i covers (base^(i−1), base^i], so neighbours join upwards. */
export function reduceSchema(histogram: NativeHistogram, schema: number): NativeHistogram {
  if (histogram.schema === CUSTOM_BUCKETS_SCHEMA || histogram.schema <= schema) return histogram;
  const shift = histogram.schema - schema;
  const positive = joinBuckets(histogram.positiveIndices, histogram.positiveCounts, shift);
  const negative = joinBuckets(histogram.negativeIndices, histogram.negativeCounts, shift);
  return withBuckets({ ...histogram, schema }, positive, negative);
}

function joinBuckets(indices: Int32Array, counts: Float64Array, shift: number): Buckets {
  const joinedIndices = new Int32Array(indices.length);
  const joinedCounts = new Float64Array(indices.length);
  let length = 0;
  for (let i = 0; i < indices.length; i++) {
    const index = ((indices[i] - 1) >> shift) + 1;
    if (length > 0 && joinedIndices[length - 1] === index) joinedCounts[length - 1] += counts[i];
    else {
      joinedIndices[length] = index;
      joinedCounts[length++] = counts[i];
    }
  }
  return { indices: joinedIndices.slice(0, length), counts: joinedCounts.slice(0, length) };
}

function combine(a: NativeHistogram, b: NativeHistogram, sign: 1 | -1): NativeHistogram | undefined {
  if (a.schema === CUSTOM_BUCKETS_SCHEMA || b.schema === CUSTOM_BUCKETS_SCHEMA) return combineCustom(a, b, sign);
  const schema = Math.min(a.schema, b.schema);
  const [left, right] = withEqualZeroBuckets(reduceSchema(a, schema), reduceSchema(b, schema));
  const totals = {
    ...left,
    zeroCount: left.zeroCount + sign * right.zeroCount,
    count: left.count + sign * right.count,
    sum: left.sum + sign * right.sum,
    counterResetHint: 'unknown' as const,
  };
  return withBuckets(
    totals,
    mergeBuckets(left.positiveIndices, left.positiveCounts, right.positiveIndices, right.positiveCounts, sign),
    mergeBuckets(left.negativeIndices, left.negativeCounts, right.negativeIndices, right.negativeCounts, sign),
  );
}

function mergeBuckets(
  leftIndices: Int32Array,
  leftCounts: Float64Array,
  rightIndices: Int32Array,
  rightCounts: Float64Array,
  sign: number,
): Buckets {
  if (leftIndices.length === 0 && rightIndices.length === 0) return NO_BUCKETS;
  if (equalIndices(leftIndices, rightIndices)) {
    // The states of one series nearly always have the same buckets; an empty one may stay.
    const counts = new Float64Array(leftCounts.length);
    for (let i = 0; i < counts.length; i++) counts[i] = leftCounts[i] + sign * rightCounts[i];
    return { indices: leftIndices, counts };
  }
  const indices = new Int32Array(leftIndices.length + rightIndices.length);
  const counts = new Float64Array(indices.length);
  let length = 0;
  let i = 0;
  let j = 0;
  while (i < leftIndices.length || j < rightIndices.length) {
    const left = i < leftIndices.length ? leftIndices[i] : Number.POSITIVE_INFINITY;
    const right = j < rightIndices.length ? rightIndices[j] : Number.POSITIVE_INFINITY;
    const index = Math.min(left, right);
    let count = 0;
    if (left === index) count += leftCounts[i++];
    if (right === index) count += sign * rightCounts[j++];
    if (count === 0) continue;
    indices[length] = index;
    counts[length++] = count;
  }
  return { indices: indices.slice(0, length), counts: counts.slice(0, length) };
}

/** Widens the narrower zero bucket until both are equal; a bucket that the threshold would cut is swallowed whole. */
function withEqualZeroBuckets(a: NativeHistogram, b: NativeHistogram): [NativeHistogram, NativeHistogram] {
  let left = a;
  let right = b;
  while (left.zeroThreshold !== right.zeroThreshold) {
    if (left.zeroThreshold < right.zeroThreshold) left = widenZeroBucket(left, right.zeroThreshold);
    else right = widenZeroBucket(right, left.zeroThreshold);
  }
  return [left, right];
}

/** The histogram with a zero bucket of at least `threshold`. */
export function widenZeroBucket(histogram: NativeHistogram, threshold: number): NativeHistogram {
  let widened = threshold;
  for (const indices of [histogram.positiveIndices, histogram.negativeIndices]) {
    for (const index of indices) {
      const upper = upperBound(index, histogram.schema);
      if (upper <= widened) continue;
      if (upperBound(index - 1, histogram.schema) < widened) widened = upper;
      break;
    }
  }
  const positive = cutBelow(histogram.positiveIndices, histogram.positiveCounts, histogram.schema, widened);
  const negative = cutBelow(histogram.negativeIndices, histogram.negativeCounts, histogram.schema, widened);
  return withBuckets(
    {
      ...histogram,
      zeroThreshold: widened,
      zeroCount: histogram.zeroCount + positive.removed + negative.removed,
    },
    positive,
    negative,
  );
}

function cutBelow(
  indices: Int32Array,
  counts: Float64Array,
  schema: number,
  threshold: number,
): Buckets & { removed: number } {
  let first = 0;
  let removed = 0;
  while (first < indices.length && upperBound(indices[first], schema) <= threshold) removed += counts[first++];
  return { indices: indices.slice(first), counts: counts.slice(first), removed };
}

/** The upper bound of bucket `index` (inclusive): 2^(index · 2^−schema). */
function upperBound(index: number, schema: number): number {
  return 2 ** (index * 2 ** -schema);
}

/** Custom bounds: both are brought onto the bounds that they share, which keeps every count exact. */
function combineCustom(a: NativeHistogram, b: NativeHistogram, sign: 1 | -1): NativeHistogram | undefined {
  if (a.schema !== b.schema || !a.customValues || !b.customValues) return undefined;
  let left = a;
  let right = b;
  if (!equalBounds(a.customValues, b.customValues)) {
    const known = new Set(b.customValues);
    const bounds = a.customValues.filter((bound) => known.has(bound));
    left = withCustomBounds(a, bounds);
    right = withCustomBounds(b, bounds);
  }
  const totals = {
    ...left,
    count: left.count + sign * right.count,
    sum: left.sum + sign * right.sum,
    counterResetHint: 'unknown' as const,
  };
  return withBuckets(
    totals,
    mergeBuckets(left.positiveIndices, left.positiveCounts, right.positiveIndices, right.positiveCounts, sign),
    NO_BUCKETS,
  );
}

function withCustomBounds(histogram: NativeHistogram, bounds: Float64Array<ArrayBuffer>): NativeHistogram {
  const old = histogram.customValues ?? bounds;
  const counts = new Float64Array(bounds.length + 1);
  for (let i = 0; i < histogram.positiveIndices.length; i++) {
    const index = histogram.positiveIndices[i];
    const upper = index < old.length ? old[index] : Number.POSITIVE_INFINITY;
    let target = 0;
    while (target < bounds.length && bounds[target] < upper) target++;
    counts[target] += histogram.positiveCounts[i];
  }
  const indices = Int32Array.from(counts.keys()).filter((index) => counts[index] !== 0);
  return {
    ...histogram,
    customValues: bounds,
    positiveIndices: indices,
    positiveCounts: Float64Array.from(indices, (index) => counts[index]),
  };
}

function equalBounds(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

function equalIndices(a: Int32Array, b: Int32Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function withBuckets(histogram: NativeHistogram, positive: Buckets, negative: Buckets): NativeHistogram {
  return {
    ...histogram,
    positiveIndices: positive.indices,
    positiveCounts: positive.counts,
    negativeIndices: negative.indices,
    negativeCounts: negative.counts,
  };
}

function hasNegative(counts: Float64Array): boolean {
  for (let i = 0; i < counts.length; i++) if (counts[i] < 0) return true;
  return false;
}
