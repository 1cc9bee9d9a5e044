import {
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  type NativeHistogram,
  withLabel,
} from '../server/model/index.ts';
import type { Point, SeriesLine } from './promql-notation.ts';

interface Classic {
  readonly labels: Labels;
  readonly buckets: { bound: number; points: Point[] }[];
  sum: Point[] | undefined;
  count: Point[] | undefined;
}

/**
 * The native histograms with custom buckets that `load_with_nhcb` adds: one series for each classic histogram among the
 * loaded ones, named like it without `_bucket`, with a point wherever the classic one has buckets.
 */
export function customBucketSeries(loaded: readonly SeriesLine[]): SeriesLine[] {
  const groups = new Map<string, Classic>();
  for (const { labels, points } of loaded) {
    const name = labelValue(labels, METRIC_NAME);
    const part = /^(.*)_(bucket|sum|count)$/.exec(name);
    if (!part) continue;
    const le = labelValue(labels, 'le');
    if ((part[2] === 'bucket') !== (le !== '')) continue;
    const own = withLabel(withLabel(labels, METRIC_NAME, part[1]), 'le', '');
    const key = labelsKey(own);
    const group = groups.get(key) ?? { labels: own, buckets: [], sum: undefined, count: undefined };
    groups.set(key, group);
    if (part[2] === 'bucket') group.buckets.push({ bound: /^\+?Inf$/i.test(le) ? Infinity : Number(le), points });
    else if (part[2] === 'sum') group.sum = points;
    else group.count = points;
  }
  return [...groups.values()].filter((group) => group.buckets.length > 0).map(toNative);
}

function toNative(group: Classic): SeriesLine {
  group.buckets.sort((a, b) => a.bound - b.bound);
  const length = Math.max(...group.buckets.map((bucket) => bucket.points.length));
  const finite = group.buckets.filter((bucket) => bucket.bound !== Infinity);
  const customValues = Float64Array.from(finite, (bucket) => bucket.bound);
  const points = Array.from({ length }, (_, i): Point => {
    if (group.buckets.some((bucket) => bucket.points[i]?.kind === 'stale')) return { kind: 'stale' };
    const cumulative = group.buckets.map((bucket) => floatAt(bucket.points, i));
    if (cumulative.every((value) => value === undefined)) return { kind: 'none' };
    const counts = new Float64Array(customValues.length + 1);
    let before = 0;
    group.buckets.forEach((bucket, b) => {
      const value = cumulative[b] ?? before;
      counts[bucket.bound === Infinity ? customValues.length : b] += value - before;
      before = value;
    });
    const count = floatAt(group.count, i) ?? before;
    counts[customValues.length] += count - before;
    const value: NativeHistogram = {
      schema: -53,
      zeroThreshold: 0,
      zeroCount: 0,
      count,
      sum: floatAt(group.sum, i) ?? 0,
      positiveIndices: Int32Array.from(counts, (_c, index) => index),
      positiveCounts: counts,
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      customValues,
      counterResetHint: 'unknown',
    };
    return { kind: 'histogram', value, hintGiven: false };
  });
  return { labels: group.labels, points };
}

function floatAt(points: readonly Point[] | undefined, i: number): number | undefined {
  const point = points?.[i];
  return point?.kind === 'float' ? point.value : undefined;
}
