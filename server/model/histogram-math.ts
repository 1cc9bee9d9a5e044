import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from './histogram.ts';

/** One bucket of a histogram with its bounds; a missing bound is infinite. */
export interface Bucket {
  /** Lower and upper bound. Positive buckets exclude the lower one, negative ones the upper, the zero bucket neither. */
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

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

/** A histogram with every count and the sum multiplied. */
export function scaleHistogram(h: NativeHistogram, factor: number): NativeHistogram {
  return {
    ...h,
    zeroCount: h.zeroCount * factor,
    count: h.count * factor,
    sum: h.sum * factor,
    positiveCounts: h.positiveCounts.map((c) => c * factor),
    negativeCounts: h.negativeCounts.map((c) => c * factor),
    counterResetHint: factor < 0 ? 'gauge' : h.counterResetHint,
  };
}

/**
 * The same observations with fewer, wider buckets: bucket i of schema s lies in bucket ⌈i / 2^(s−t)⌉ of the coarser
 * schema t ≤ s.
 */
export function reduceSchema(h: NativeHistogram, schema: number): NativeHistogram {
  if (h.schema === schema || h.schema === CUSTOM_BUCKETS_SCHEMA) return h;
  const shift = h.schema - schema;
  const [positiveIndices, positiveCounts] = mergeDown(h.positiveIndices, h.positiveCounts, shift);
  const [negativeIndices, negativeCounts] = mergeDown(h.negativeIndices, h.negativeCounts, shift);
  return { ...h, schema, positiveIndices, positiveCounts, negativeIndices, negativeCounts };
}

function mergeDown(indices: Int32Array, counts: Float64Array, shift: number): [Int32Array, Float64Array] {
  const outIndices: number[] = [];
  const outCounts: number[] = [];
  for (let i = 0; i < indices.length; i++) {
    const index = ((indices[i] - 1) >> shift) + 1;
    if (outIndices[outIndices.length - 1] === index) outCounts[outCounts.length - 1] += counts[i];
    else {
      outIndices.push(index);
      outCounts.push(counts[i]);
    }
  }
  return [Int32Array.from(outIndices), Float64Array.from(outCounts)];
}

/**
 * a + b (or a − b with `sign` −1). Exponential histograms meet at the coarser schema and the wider zero bucket. Custom
 * bounds must be equal.
 * @returns `undefined` where one has custom bounds and the other doesn't, or where custom bounds differ.
 */
export function addHistograms(a: NativeHistogram, b: NativeHistogram, sign: 1 | -1 = 1): NativeHistogram | undefined {
  if ((a.schema === CUSTOM_BUCKETS_SCHEMA) !== (b.schema === CUSTOM_BUCKETS_SCHEMA)) return undefined;
  if (a.customValues && b.customValues && !sameBounds(a.customValues, b.customValues)) return undefined;
  const schema = Math.min(a.schema, b.schema);
  let x = reduceSchema(a, schema);
  let y = reduceSchema(b, schema);
  if (x.zeroThreshold !== y.zeroThreshold) {
    const threshold = commonZeroThreshold(x, y);
    x = widenZeroBucket(x, threshold);
    y = widenZeroBucket(y, threshold);
  }
  const [positiveIndices, positiveCounts] = addBuckets(
    x.positiveIndices,
    x.positiveCounts,
    y.positiveIndices,
    y.positiveCounts,
    sign,
  );
  const [negativeIndices, negativeCounts] = addBuckets(
    x.negativeIndices,
    x.negativeCounts,
    y.negativeIndices,
    y.negativeCounts,
    sign,
  );
  return {
    schema,
    zeroThreshold: x.zeroThreshold,
    zeroCount: x.zeroCount + sign * y.zeroCount,
    count: x.count + sign * y.count,
    sum: x.sum + sign * y.sum,
    positiveIndices,
    positiveCounts,
    negativeIndices,
    negativeCounts,
    customValues: x.customValues,
    counterResetHint: combinedHint(a, b, sign),
  };
}

function combinedHint(a: NativeHistogram, b: NativeHistogram, sign: 1 | -1): CounterResetHint {
  if (sign === -1 || a.counterResetHint === 'gauge' || b.counterResetHint === 'gauge') return 'gauge';
  return a.counterResetHint === b.counterResetHint ? a.counterResetHint : 'unknown';
}

function sameBounds(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

/** The narrowest threshold that holds both zero buckets and cuts through no populated bucket of either. */
function commonZeroThreshold(a: NativeHistogram, b: NativeHistogram): number {
  let threshold = Math.max(a.zeroThreshold, b.zeroThreshold);
  for (let moved = true; moved; ) {
    moved = false;
    for (const h of [a, b]) {
      for (const [indices, counts] of [
        [h.positiveIndices, h.positiveCounts],
        [h.negativeIndices, h.negativeCounts],
      ] as const) {
        for (let i = 0; i < indices.length; i++) {
          if (counts[i] === 0) continue;
          const lower = bucketBound(indices[i] - 1, h.schema);
          const upper = bucketBound(indices[i], h.schema);
          if (lower < threshold && threshold < upper) {
            threshold = upper;
            moved = true;
          }
        }
      }
    }
  }
  return threshold;
}

function widenZeroBucket(h: NativeHistogram, threshold: number): NativeHistogram {
  if (h.zeroThreshold >= threshold) return h;
  let zeroCount = h.zeroCount;
  const outside = (indices: Int32Array, counts: Float64Array): [Int32Array, Float64Array] => {
    let kept = 0;
    while (kept < indices.length && bucketBound(indices[kept], h.schema) <= threshold) zeroCount += counts[kept++];
    return [indices.subarray(kept), counts.subarray(kept)];
  };
  const [positiveIndices, positiveCounts] = outside(h.positiveIndices, h.positiveCounts);
  const [negativeIndices, negativeCounts] = outside(h.negativeIndices, h.negativeCounts);
  return {
    ...h,
    zeroThreshold: threshold,
    zeroCount,
    positiveIndices,
    positiveCounts,
    negativeIndices,
    negativeCounts,
  };
}

function addBuckets(
  ai: Int32Array,
  ac: Float64Array,
  bi: Int32Array,
  bc: Float64Array,
  sign: 1 | -1,
): [Int32Array, Float64Array] {
  const indices = new Int32Array(ai.length + bi.length);
  const counts = new Float64Array(indices.length);
  let n = 0;
  for (let i = 0, j = 0; i < ai.length || j < bi.length; n++) {
    if (j >= bi.length || (i < ai.length && ai[i] < bi[j])) {
      indices[n] = ai[i];
      counts[n] = ac[i++];
    } else if (i >= ai.length || bi[j] < ai[i]) {
      indices[n] = bi[j];
      counts[n] = sign * bc[j++];
    } else {
      indices[n] = ai[i];
      counts[n] = ac[i++] + sign * bc[j++];
    }
  }
  return [indices.subarray(0, n), counts.subarray(0, n)];
}

/**
 * Whether a counter histogram was reset between `before` and `now`: a count went down, a bucket vanished, the
 * resolution grew finer, or the sender said so. Source: prometheus/prometheus FloatHistogram.DetectReset.
 */
export function isHistogramReset(before: NativeHistogram, now: NativeHistogram): boolean {
  if (now.counterResetHint === 'reset') return true;
  if (now.counterResetHint === 'no_reset') return false;
  if (now.count < before.count) return true;
  if ((now.schema === CUSTOM_BUCKETS_SCHEMA) !== (before.schema === CUSTOM_BUCKETS_SCHEMA)) return true;
  if (now.customValues && before.customValues && !sameBounds(now.customValues, before.customValues)) return true;
  if (now.schema > before.schema || now.zeroThreshold < before.zeroThreshold) return true;
  const old = widenZeroBucket(reduceSchema(before, now.schema), now.zeroThreshold);
  if (now.zeroCount < old.zeroCount) return true;
  return (
    wentDown(old.positiveIndices, old.positiveCounts, now.positiveIndices, now.positiveCounts) ||
    wentDown(old.negativeIndices, old.negativeCounts, now.negativeIndices, now.negativeCounts)
  );
}

function wentDown(oi: Int32Array, oc: Float64Array, ni: Int32Array, nc: Float64Array): boolean {
  for (let i = 0, j = 0; i < oi.length; i++) {
    if (oc[i] === 0) continue;
    while (j < ni.length && ni[j] < oi[i]) j++;
    if (j >= ni.length || ni[j] !== oi[i] || nc[j] < oc[i]) return true;
  }
  return false;
}
