import {
  bucketBound,
  bucketsOf,
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type NativeHistogram,
  reduceSchema,
} from '../../model/index.ts';
import { formatG } from './format.ts';
import { KahanSum } from './kahan.ts';

const NO_BUCKETS: readonly [Int32Array, Float64Array] = [new Int32Array(0), new Float64Array(0)];

/** A sum or difference of histograms, and what had to be done to get it. */
export interface HistogramSum {
  readonly value: NativeHistogram;
  /** Custom bounds differed, and only those that all have were kept. */
  readonly reconciled: boolean;
  /** Some said that they follow a reset and some that they don't. */
  readonly collision: boolean;
}

/** Whether a histogram has custom bounds. */
export function isCustom(h: NativeHistogram): boolean {
  return h.schema === CUSTOM_BUCKETS_SCHEMA;
}

/**
 * Adds histograms up, compensating rounding: exponential ones meet at the coarsest schema and the widest zero bucket,
 * custom ones at the bounds that all of them have. `weight` multiplies each, so that 1/n gives the mean; it is applied
 * before adding where the plain sum overflows.
 * @returns `undefined` where exponential and custom ones are mixed.
 */
export function sumHistograms(list: readonly NativeHistogram[], weight = 1): HistogramSum | undefined {
  const first = list[0];
  const custom = isCustom(first);
  if (list.some((h) => isCustom(h) !== custom)) return undefined;
  const { parts, reconciled } = custom ? commonBounds(list) : { parts: commonLayout(list), reconciled: false };
  const total = (of: (h: NativeHistogram) => number): number => weighted(parts.map(of), weight);
  const [positiveIndices, positiveCounts] = sumBuckets(parts, 'positiveIndices', 'positiveCounts', weight);
  const [negativeIndices, negativeCounts] = sumBuckets(parts, 'negativeIndices', 'negativeCounts', weight);
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
  return { value, reconciled, collision: collides(list) };
}

/** a − b; see `sumHistograms`. The hint is that of a sum; whoever subtracts decides what the result is. */
export function subtractHistograms(a: NativeHistogram, b: NativeHistogram): HistogramSum | undefined {
  const sum = sumHistograms([a, { ...scale(b, -1), counterResetHint: b.counterResetHint }]);
  return sum && { ...sum, value: compact(sum.value) };
}

function weighted(values: number[], weight: number): number {
  const sum = new KahanSum();
  for (const value of values) sum.add(value);
  const total = sum.value;
  if (weight === 1 || Number.isFinite(total) || values.some((v) => !Number.isFinite(v))) return total * weight;
  const scaled = new KahanSum();
  for (const value of values) scaled.add(value * weight);
  return scaled.value;
}

function sumBuckets(
  parts: readonly NativeHistogram[],
  indicesOf: 'positiveIndices' | 'negativeIndices',
  countsOf: 'positiveCounts' | 'negativeCounts',
  weight: number,
): readonly [Int32Array, Float64Array] {
  const byIndex = new Map<number, number[]>();
  for (const part of parts) {
    const indices = part[indicesOf];
    for (let i = 0; i < indices.length; i++) {
      const known = byIndex.get(indices[i]);
      if (known) known.push(part[countsOf][i]);
      else byIndex.set(indices[i], [part[countsOf][i]]);
    }
  }
  if (byIndex.size === 0) return NO_BUCKETS;
  const indices = Int32Array.from(byIndex.keys()).sort();
  return [indices, Float64Array.from(indices, (index) => weighted(byIndex.get(index) as number[], weight))];
}

/** Prometheus's rule: a gauge makes a gauge; knowledge that isn't shared is no knowledge. */
function joinHints(a: CounterResetHint, b: CounterResetHint): CounterResetHint {
  if (a === b) return a;
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown';
}

function collides(list: readonly NativeHistogram[]): boolean {
  return list.some((h) => h.counterResetHint === 'reset') && list.some((h) => h.counterResetHint === 'no_reset');
}

/** Exponential histograms with one schema and one zero bucket. */
function commonLayout(list: readonly NativeHistogram[]): readonly NativeHistogram[] {
  if (list.every((h) => h.schema === list[0].schema && h.zeroThreshold === list[0].zeroThreshold)) return list;
  const schema = Math.min(...list.map((h) => h.schema));
  const parts = list.map((h) => reduceSchema(h, schema));
  let threshold = Math.max(...parts.map((h) => h.zeroThreshold));
  // The threshold must cut through no populated bucket; moving it for one may make it cut through another.
  for (let moved = true; moved; ) {
    moved = false;
    for (const h of parts) {
      const wider = thresholdBeyond(h, threshold);
      if (wider > threshold) {
        threshold = wider;
        moved = true;
      }
    }
  }
  return parts.map((h) => widenZeroBucket(h, threshold));
}

function thresholdBeyond(h: NativeHistogram, threshold: number): number {
  for (const [indices, counts] of [
    [h.positiveIndices, h.positiveCounts],
    [h.negativeIndices, h.negativeCounts],
  ] as const) {
    for (let i = 0; i < indices.length; i++) {
      const lower = bucketBound(indices[i] - 1, h.schema);
      if (lower >= threshold) break;
      const upper = bucketBound(indices[i], h.schema);
      if (counts[i] !== 0 && upper > threshold) return upper;
    }
  }
  return threshold;
}

function widenZeroBucket(h: NativeHistogram, threshold: number): NativeHistogram {
  if (h.zeroThreshold >= threshold) return h;
  let zeroCount = h.zeroCount;
  const outside = (indices: Int32Array, counts: Float64Array): readonly [Int32Array, Float64Array] => {
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

/** Custom histograms with the bounds that all of them have. */
function commonBounds(list: readonly NativeHistogram[]): { parts: readonly NativeHistogram[]; reconciled: boolean } {
  const first = list[0].customValues ?? new Float64Array(0);
  if (list.every((h) => sameBounds(h.customValues ?? new Float64Array(0), first))) {
    return { parts: list, reconciled: false };
  }
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

function sameBounds(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

/** A histogram with every count and the sum multiplied; a negative factor makes a gauge. */
export function scale(h: NativeHistogram, factor: number): NativeHistogram {
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

/** A histogram with every count and the sum divided; by zero it keeps no buckets. */
export function divide(h: NativeHistogram, divisor: number): NativeHistogram {
  const quotient: NativeHistogram = {
    ...h,
    zeroCount: h.zeroCount / divisor,
    count: h.count / divisor,
    sum: h.sum / divisor,
    positiveCounts: h.positiveCounts.map((c) => c / divisor),
    negativeCounts: h.negativeCounts.map((c) => c / divisor),
    counterResetHint: divisor < 0 ? 'gauge' : h.counterResetHint,
  };
  return divisor === 0 ? withoutBuckets(quotient) : quotient;
}

function withoutBuckets(h: NativeHistogram): NativeHistogram {
  const [indices, counts] = NO_BUCKETS;
  return { ...h, positiveIndices: indices, positiveCounts: counts, negativeIndices: indices, negativeCounts: counts };
}

/** A histogram without its empty buckets. */
export function compact(h: NativeHistogram): NativeHistogram {
  const [positiveIndices, positiveCounts] = populated(h.positiveIndices, h.positiveCounts);
  const [negativeIndices, negativeCounts] = populated(h.negativeIndices, h.negativeCounts);
  return { ...h, positiveIndices, positiveCounts, negativeIndices, negativeCounts };
}

function populated(indices: Int32Array, counts: Float64Array): readonly [Int32Array, Float64Array] {
  if (!counts.includes(0) && !counts.some((c) => c === 0)) return [indices, counts];
  return [indices.filter((_, i) => counts[i] !== 0), counts.filter((c) => c !== 0)];
}

/** Whether two histograms hold the same observations in the same layout; NaN equals NaN. */
export function equalHistograms(a: NativeHistogram, b: NativeHistogram): boolean {
  if (a.schema !== b.schema || !Object.is(a.count, b.count) || !sameNumber(a.sum, b.sum)) return false;
  if (isCustom(a)) {
    if (!sameBounds(a.customValues ?? new Float64Array(0), b.customValues ?? new Float64Array(0))) return false;
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

/**
 * Whether a counter histogram was reset between `before` and `now`. A hint decides; without one any count that went
 * down does. Source: FloatHistogram.DetectReset of prometheus/prometheus.
 */
export function isReset(before: NativeHistogram, now: NativeHistogram): boolean {
  if (now.counterResetHint === 'reset') return true;
  if (now.counterResetHint === 'no_reset') return false;
  if (now.count < before.count) return true;
  if (isCustom(now) !== isCustom(before)) return true;
  if (isCustom(now)) {
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
  for (let i = 0, j = 0; i < oi.length; i++) {
    if (oc[i] === 0) continue;
    while (j < ni.length && ni[j] < oi[i]) j++;
    if (j >= ni.length || ni[j] !== oi[i] || nc[j] < oc[i]) return true;
  }
  return false;
}

/** A histogram as Prometheus prints it: `{count:3, sum:2, [-1,-0.5):1, (1,2]:2}`. */
export function printHistogram(h: NativeHistogram): string {
  const parts = [`count:${formatG(h.count)}`, `sum:${formatG(h.sum)}`];
  for (const { lower, upper, count } of bucketsOf(h)) {
    if (count === 0) continue;
    const range = `${formatG(lower)},${formatG(upper)}`;
    const isClosed = isCustom(h) ? lower === Number.NEGATIVE_INFINITY : lower === -upper;
    if (!isClosed && (isCustom(h) || lower >= 0)) parts.push(`(${range}]:${formatG(count)}`);
    else if (isClosed) parts.push(`[${range}]:${formatG(count)}`);
    else parts.push(`[${range}):${formatG(count)}`);
  }
  return `{${parts.join(', ')}}`;
}

/** How many samples a histogram counts as in the limit of samples: one per 16 bytes, as in Prometheus. */
export function histogramWeight(h: NativeHistogram): number {
  return 6 + ((h.positiveIndices.length + h.negativeIndices.length) * 12) / 16;
}
