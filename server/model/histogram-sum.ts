import type { CounterResetHint, NativeHistogram } from './histogram.ts';
import {
  compactHistogram,
  hasCustomBounds,
  reduceSchema,
  sameBounds,
  scaleHistogram,
  thresholdBeyond,
  widenZeroBucket,
} from './histogram-math.ts';
import { preciseSum } from './precise-sum.ts';

/** Buckets of one side: indices, ascending and unique, and counts. */
type Buckets = readonly [Int32Array, Float64Array];
const NO_BUCKETS: Buckets = [new Int32Array(0), new Float64Array(0)];

/** A sum or difference of histograms, and what had to be done to get it. */
export interface HistogramSum {
  /** May have empty buckets; `compactHistogram` removes them. */
  readonly value: NativeHistogram;
  /** Custom bounds differed, and only those that all have were kept. */
  readonly reconciled: boolean;
  /** Some said that they follow a reset and some that they don't. */
  readonly collision: boolean;
}

/**
 * Adds histograms up, compensating rounding: exponential ones meet at the coarsest schema and the widest zero bucket,
 * custom ones at the bounds that all of them have. `weight` multiplies each, so that 1/n gives the mean; it is applied
 * before adding where the plain sum overflows. The list must not be empty.
 * @returns `undefined` where exponential and custom ones are mixed.
 */
export function sumHistograms(list: readonly NativeHistogram[], weight = 1): HistogramSum | undefined {
  // The rounded sum of two numbers plus its error is the rounded sum: two need no compensation.
  if (list.length === 2 && weight === 1) return combine(list[0], list[1], 1);
  const custom = hasCustomBounds(list[0]);
  if (list.some((h) => hasCustomBounds(h) !== custom)) return undefined;
  const { parts, reconciled } = custom ? commonBounds(list) : { parts: commonLayout(list), reconciled: false };
  const total = (of: (h: NativeHistogram) => number): number => weighted(parts.map(of), weight);
  const [positiveIndices, positiveCounts] = sumBuckets(
    parts.map((h) => [h.positiveIndices, h.positiveCounts]),
    weight,
  );
  const [negativeIndices, negativeCounts] = sumBuckets(
    parts.map((h) => [h.negativeIndices, h.negativeCounts]),
    weight,
  );
  const value: NativeHistogram = {
    schema: parts[0].schema,
    zeroThreshold: parts[0].zeroThreshold,
    zeroCount: total((h) => h.zeroCount),
    count: total((h) => h.count),
    sum: total((h) => h.sum),
    positiveIndices,
    positiveCounts,
    negativeIndices,
    negativeCounts,
    customValues: parts[0].customValues,
    counterResetHint: list.map((h) => h.counterResetHint).reduce(joinHints),
  };
  const collision =
    list.some((h) => h.counterResetHint === 'reset') && list.some((h) => h.counterResetHint === 'no_reset');
  return { value, reconciled, collision };
}

/** a − b without empty buckets; see `sumHistograms`. The hint is that of a sum; whoever subtracts decides what it is. */
export function subtractHistograms(a: NativeHistogram, b: NativeHistogram): HistogramSum | undefined {
  const difference = combine(a, b, -1);
  return difference && { ...difference, value: compactHistogram(difference.value) };
}

/**
 * (a − b) · factor as a gauge without empty buckets, for two states of one series: with equal buckets, as they mostly
 * have, in one pass. `undefined` where exponential and custom ones are mixed.
 */
export function scaledDifference(a: NativeHistogram, b: NativeHistogram, factor: number): NativeHistogram | undefined {
  const isPlain =
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    sameBounds(a.customValues, b.customValues) &&
    sameIndices(a.positiveIndices, b.positiveIndices) &&
    sameIndices(a.negativeIndices, b.negativeIndices);
  if (!isPlain) {
    const difference = subtractHistograms(a, b)?.value;
    return difference && { ...scaleHistogram(difference, factor), counterResetHint: 'gauge' };
  }
  const [positiveIndices, positiveCounts] = grownBuckets(a.positiveIndices, a.positiveCounts, b.positiveCounts, factor);
  const [negativeIndices, negativeCounts] = grownBuckets(a.negativeIndices, a.negativeCounts, b.negativeCounts, factor);
  return {
    schema: a.schema,
    zeroThreshold: a.zeroThreshold,
    zeroCount: (a.zeroCount - b.zeroCount) * factor,
    count: (a.count - b.count) * factor,
    sum: (a.sum - b.sum) * factor,
    positiveIndices,
    positiveCounts,
    negativeIndices,
    negativeCounts,
    customValues: a.customValues,
    counterResetHint: 'gauge',
  };
}

function grownBuckets(indices: Int32Array, ac: Float64Array, bc: Float64Array, factor: number): Buckets {
  let n = 0;
  for (let i = 0; i < ac.length; i++) if (ac[i] !== bc[i]) n++;
  if (n === 0) return NO_BUCKETS;
  const outIndices = n === ac.length ? indices : new Int32Array(n);
  const outCounts = new Float64Array(n);
  n = 0;
  for (let i = 0; i < ac.length; i++) {
    if (ac[i] === bc[i]) continue;
    if (outIndices !== indices) outIndices[n] = indices[i];
    outCounts[n++] = (ac[i] - bc[i]) * factor;
  }
  return [outIndices, outCounts];
}

/**
 * Adds to the counts of a histogram that nobody else holds, and returns it with its new totals; `undefined`, with nothing
 * done, where the two don't have the very same buckets.
 */
export function addInPlace(own: NativeHistogram, other: NativeHistogram): NativeHistogram | undefined {
  if (own.schema !== other.schema || hasCustomBounds(own) || own.zeroThreshold !== other.zeroThreshold)
    return undefined;
  if (!sameIndices(own.positiveIndices, other.positiveIndices)) return undefined;
  if (!sameIndices(own.negativeIndices, other.negativeIndices)) return undefined;
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
 * What came to a histogram since an earlier state of the same series, or `undefined` where it began anew in between or
 * the two can't be compared. The difference is never negative, whatever a sender says of resets.
 */
export function histogramIncrease(now: NativeHistogram, before: NativeHistogram): NativeHistogram | undefined {
  if (now.counterResetHint === 'reset' || now.count < before.count || now.schema > before.schema) return undefined;
  if (now.zeroThreshold < before.zeroThreshold) return undefined;
  const difference = combine(now, before, -1)?.value;
  if (!difference || difference.zeroCount < 0) return undefined;
  if (hasNegative(difference.positiveCounts) || hasNegative(difference.negativeCounts)) return undefined;
  return difference;
}

/**
 * Whether a counter histogram was reset between `before` and `now`. A hint decides; without one any count that went
 * down does, a finer resolution, or a narrower zero bucket. Source: prometheus/prometheus FloatHistogram.DetectReset.
 */
export function isHistogramReset(before: NativeHistogram, now: NativeHistogram): boolean {
  if (now.counterResetHint === 'reset') return true;
  if (now.counterResetHint === 'no_reset') return false;
  if (now.count < before.count) return true;
  if (hasCustomBounds(now) !== hasCustomBounds(before)) return true;
  if (hasCustomBounds(now)) {
    const [old, current] = commonBounds([before, now]).parts;
    return wentDown(old.positiveIndices, old.positiveCounts, current.positiveIndices, current.positiveCounts);
  }
  if (now.schema > before.schema || now.zeroThreshold < before.zeroThreshold) return true;
  const reduced = reduceSchema(before, now.schema);
  if (thresholdBeyond(reduced, now.zeroThreshold) !== now.zeroThreshold) return true;
  const old = widenZeroBucket(reduced, now.zeroThreshold);
  if (now.zeroCount < old.zeroCount) return true;
  return (
    wentDown(old.positiveIndices, old.positiveCounts, now.positiveIndices, now.positiveCounts) ||
    wentDown(old.negativeIndices, old.negativeCounts, now.negativeIndices, now.negativeCounts)
  );
}

function wentDown(oi: Int32Array, oc: Float64Array, ni: Int32Array, nc: Float64Array): boolean {
  if (oi === ni) {
    for (let i = 0; i < oc.length; i++) if (nc[i] < oc[i]) return true;
    return false;
  }
  for (let i = 0, j = 0; i < oi.length; i++) {
    if (oc[i] === 0) continue;
    while (j < ni.length && ni[j] < oi[i]) j++;
    if (j >= ni.length || ni[j] !== oi[i] || nc[j] < oc[i]) return true;
  }
  return false;
}

/** a + b or a − b. */
function combine(a: NativeHistogram, b: NativeHistogram, sign: 1 | -1): HistogramSum | undefined {
  if (hasCustomBounds(a) !== hasCustomBounds(b)) return undefined;
  let [left, right] = [a, b];
  let reconciled = false;
  if (hasCustomBounds(a)) {
    const common = commonBounds([a, b]);
    [left, right] = common.parts;
    reconciled = common.reconciled;
  } else if (a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold) [left, right] = commonLayout([a, b]);
  const [positiveIndices, positiveCounts] = mergeBuckets(
    [left.positiveIndices, left.positiveCounts],
    [right.positiveIndices, right.positiveCounts],
    sign,
  );
  const [negativeIndices, negativeCounts] = mergeBuckets(
    [left.negativeIndices, left.negativeCounts],
    [right.negativeIndices, right.negativeCounts],
    sign,
  );
  const value: NativeHistogram = {
    schema: left.schema,
    zeroThreshold: left.zeroThreshold,
    zeroCount: left.zeroCount + sign * right.zeroCount,
    count: left.count + sign * right.count,
    sum: left.sum + sign * right.sum,
    positiveIndices,
    positiveCounts,
    negativeIndices,
    negativeCounts,
    customValues: left.customValues,
    counterResetHint: joinHints(a.counterResetHint, b.counterResetHint),
  };
  const hints = [a.counterResetHint, b.counterResetHint];
  return { value, reconciled, collision: hints.includes('reset') && hints.includes('no_reset') };
}

function mergeBuckets([ai, ac]: Buckets, [bi, bc]: Buckets, sign: 1 | -1): Buckets {
  if (ai.length === 0 && bi.length === 0) return NO_BUCKETS;
  if (sameIndices(ai, bi)) {
    // The states of one series nearly always have the same buckets; an empty one may stay.
    const counts = new Float64Array(ac.length);
    for (let i = 0; i < counts.length; i++) counts[i] = ac[i] + sign * bc[i];
    return [ai, counts];
  }
  const indices = new Int32Array(ai.length + bi.length);
  const counts = new Float64Array(indices.length);
  let [n, i, j] = [0, 0, 0];
  while (i < ai.length || j < bi.length) {
    const left = i < ai.length ? ai[i] : Number.POSITIVE_INFINITY;
    const right = j < bi.length ? bi[j] : Number.POSITIVE_INFINITY;
    const index = Math.min(left, right);
    let count = 0;
    if (left === index) count += ac[i++];
    if (right === index) count += sign * bc[j++];
    if (count === 0) continue;
    indices[n] = index;
    counts[n++] = count;
  }
  return [indices.slice(0, n), counts.slice(0, n)];
}

/** Widest range of indices that is added up in an array; sparser ones go through a map. */
const MAX_DENSE = 8192;

function sumBuckets(sides: readonly Buckets[], weight: number): Buckets {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const [indices] of sides) {
    if (indices.length === 0) continue;
    if (indices[0] < low) low = indices[0];
    if (indices[indices.length - 1] > high) high = indices[indices.length - 1];
  }
  if (high < low) return NO_BUCKETS;
  if (high - low < MAX_DENSE) {
    const dense = sumDense(sides, weight, low, high - low + 1);
    if (dense) return dense;
  }
  const byIndex = new Map<number, number[]>();
  for (const [indices, counts] of sides) {
    for (let i = 0; i < indices.length; i++) {
      const known = byIndex.get(indices[i]);
      if (known) known.push(counts[i]);
      else byIndex.set(indices[i], [counts[i]]);
    }
  }
  const indices = Int32Array.from(byIndex.keys()).sort();
  return [indices, Float64Array.from(indices, (index) => weighted(byIndex.get(index) as number[], weight))];
}

/** `undefined` where a plain sum isn't finite, so that its parts must be looked at. */
function sumDense(sides: readonly Buckets[], weight: number, low: number, size: number): Buckets | undefined {
  const [totals, lost, seen] = [new Float64Array(size), new Float64Array(size), new Uint8Array(size)];
  for (const [indices, counts] of sides) addDense(totals, lost, seen, indices, counts, low);
  let n = 0;
  for (let at = 0; at < size; at++) n += seen[at];
  const [outIndices, outCounts] = [new Int32Array(n), new Float64Array(n)];
  n = 0;
  for (let at = 0; at < size; at++) {
    if (seen[at] === 0) continue;
    if (!Number.isFinite(totals[at])) return undefined;
    outIndices[n] = at + low;
    outCounts[n++] = (totals[at] + lost[at]) * weight;
  }
  return [outIndices, outCounts];
}

/** Knuth's two-sum, bucket by bucket. */
function addDense(
  totals: Float64Array,
  lost: Float64Array,
  seen: Uint8Array,
  indices: Int32Array,
  counts: Float64Array,
  low: number,
): void {
  for (let i = 0; i < indices.length; i++) {
    const at = indices[i] - low;
    const total = totals[at];
    const count = counts[i];
    const next = total + count;
    const added = next - total;
    lost[at] += total - (next - added) + (count - added);
    totals[at] = next;
    seen[at] = 1;
  }
}

function weighted(values: number[], weight: number): number {
  const total = preciseSum(values, 0, values.length);
  if (weight === 1 || Number.isFinite(total) || values.some((v) => !Number.isFinite(v))) return total * weight;
  const scaled = values.map((value) => value * weight);
  return preciseSum(scaled, 0, scaled.length);
}

/** Prometheus's rule: a gauge makes a gauge; knowledge that isn't shared is no knowledge. */
function joinHints(a: CounterResetHint, b: CounterResetHint): CounterResetHint {
  if (a === b) return a;
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown';
}

/** Exponential histograms with one schema and one zero bucket. */
function commonLayout(list: readonly NativeHistogram[]): readonly NativeHistogram[] {
  if (list.every((h) => h.schema === list[0].schema && h.zeroThreshold === list[0].zeroThreshold)) return list;
  const schema = Math.min(...list.map((h) => h.schema));
  const parts = list.map((h) => reduceSchema(h, schema));
  let threshold = Math.max(...parts.map((h) => h.zeroThreshold));
  // The threshold must cut through no populated bucket; moving it for one may make it cut through another.
  for (let before = -1; before !== threshold; ) {
    before = threshold;
    for (const h of parts) if (h.zeroThreshold < threshold) threshold = thresholdBeyond(h, threshold);
  }
  return parts.map((h) => widenZeroBucket(h, threshold));
}

/** Custom histograms with the bounds that all of them have. */
function commonBounds(list: readonly NativeHistogram[]): { parts: readonly NativeHistogram[]; reconciled: boolean } {
  const first = list[0].customValues ?? new Float64Array(0);
  if (list.every((h) => sameBounds(h.customValues, first))) return { parts: list, reconciled: false };
  const bounds = first.filter((bound) => list.every((h) => h.customValues?.includes(bound)));
  return { parts: list.map((h) => withBounds(h, bounds)), reconciled: true };
}

/** The same observations in fewer buckets; `bounds` is a subset of the histogram's own. */
function withBounds(h: NativeHistogram, bounds: Float64Array): NativeHistogram {
  const own = h.customValues ?? new Float64Array(0);
  const counts = new Map<number, number>();
  for (let i = 0; i < h.positiveIndices.length; i++) {
    const upper = h.positiveIndices[i] < own.length ? own[h.positiveIndices[i]] : Number.POSITIVE_INFINITY;
    let bucket = 0;
    while (bucket < bounds.length && bounds[bucket] < upper) bucket++;
    counts.set(bucket, (counts.get(bucket) ?? 0) + h.positiveCounts[i]);
  }
  const positiveIndices = Int32Array.from(counts.keys()).sort();
  const positiveCounts = Float64Array.from(positiveIndices, (index) => counts.get(index) as number);
  return { ...h, customValues: bounds, positiveIndices, positiveCounts };
}

function sameIndices(a: Int32Array, b: Int32Array): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

function hasNegative(counts: Float64Array): boolean {
  for (let i = 0; i < counts.length; i++) if (counts[i] < 0) return true;
  return false;
}
