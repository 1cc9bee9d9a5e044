import {
  isHistogramReset,
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  type NativeHistogram,
  type SeriesSamples,
  withLabel,
  withoutLabels,
} from '../server/model/index.ts';
import { type Point, parseFloatGo, parseSeriesLine, toSamples } from './promql-notation.ts';

/** What a script loaded so far; later loads of a series add to it. */
export class LoadedSeries {
  private readonly series = new Map<string, { labels: Labels; points: Map<number, Point> }>();

  /**
   * Adds the series lines of one `load`.
   * @param withCustom `load_with_nhcb`: classic histograms are stored as native ones with custom bounds as well.
   * @returns every series that changed, whole.
   */
  add(lines: readonly string[], intervalMs: number, withCustom: boolean): SeriesSamples[] {
    const changed = new Set<string>();
    const put = (labels: Labels, points: readonly Point[]): void => {
      const key = labelsKey(labels);
      let known = this.series.get(key);
      if (!known) this.series.set(key, (known = { labels, points: new Map() }));
      points.forEach((point, i) => {
        if (point.kind !== 'none') known.points.set(i * intervalMs, point);
      });
      changed.add(key);
    };
    const parsed = lines.map(parseSeriesLine);
    for (const { labels, points } of parsed) put(labels, points);
    if (withCustom) for (const { labels, points } of customHistograms(parsed)) put(labels, points);
    return [...changed].map((key) => {
      const { labels, points } = this.series.get(key) as { labels: Labels; points: Map<number, Point> };
      return toSamples(labels, withHints([...points].sort(([a], [b]) => a - b)));
    });
  }
}

/**
 * The hints that Prometheus's storage gives: a histogram that continues the one before it says so; the first one and
 * one after a reset start a new piece of storage, about whose past nothing is known.
 */
export function withHints(points: [number, Point][]): [number, Point][] {
  let before: NativeHistogram | undefined;
  return points.map(([ms, point]) => {
    if (point.kind !== 'histogram') {
      before = undefined;
      return [ms, point];
    }
    const { value } = point;
    const known = before;
    before = value;
    if (value.counterResetHint === 'gauge') return [ms, point];
    const comparable = known && known.counterResetHint !== 'gauge';
    const continues = comparable && !isHistogramReset(known, { ...value, counterResetHint: 'unknown' });
    const hint = continues ? 'no_reset' : 'unknown';
    return [ms, { ...point, value: { ...value, counterResetHint: hint } }];
  });
}

interface Custom {
  readonly labels: Labels;
  readonly buckets: { readonly bound: number; readonly points: readonly Point[] }[];
  sum: readonly Point[];
  count: readonly Point[];
}

const LE_ONLY: ReadonlySet<string> = new Set(['le']);

/** The classic histograms among series lines as native ones with custom bounds. */
function customHistograms(
  parsed: readonly { labels: Labels; points: Point[] }[],
): { labels: Labels; points: Point[] }[] {
  const byLabels = new Map<string, Custom>();
  for (const { labels, points } of parsed) {
    const [, base, suffix] = /^(.*)_(bucket|sum|count)$/.exec(labelValue(labels, METRIC_NAME)) ?? [];
    if (base === undefined) continue;
    const own = withLabel(withoutLabels(labels, LE_ONLY), METRIC_NAME, base);
    const key = labelsKey(own);
    let custom = byLabels.get(key);
    if (!custom) byLabels.set(key, (custom = { labels: own, buckets: [], sum: [], count: [] }));
    if (suffix === 'sum') custom.sum = points;
    else if (suffix === 'count') custom.count = points;
    else custom.buckets.push({ bound: parseFloatGo(labelValue(labels, 'le')), points });
  }
  return [...byLabels.values()].filter((custom) => custom.buckets.length > 0).map(toNative);
}

function toNative({ labels, buckets, sum, count }: Custom): { labels: Labels; points: Point[] } {
  buckets.sort((a, b) => (a.bound === b.bound ? 0 : a.bound - b.bound));
  const length = Math.max(...buckets.map(({ points }) => points.length));
  const valueAt = (points: readonly Point[], i: number): number | undefined => {
    const point = points[i];
    return point?.kind === 'float' ? point.value : undefined;
  };
  const points = Array.from({ length }, (_, i): Point => {
    const present = buckets.filter(({ points: own }) => valueAt(own, i) !== undefined);
    if (present.length === 0) return { kind: 'none' };
    const finite = [...new Set(present.map(({ bound }) => bound).filter((bound) => bound !== Infinity))];
    const cumulative = [...finite, Infinity].map((bound) =>
      Math.max(0, ...present.filter((b) => b.bound <= bound).map(({ points: own }) => valueAt(own, i) ?? 0)),
    );
    const counts = cumulative.map((c, at) => c - (at > 0 ? cumulative[at - 1] : 0));
    const value: NativeHistogram = {
      schema: -53,
      zeroThreshold: 0,
      zeroCount: 0,
      count: valueAt(count, i) ?? cumulative[cumulative.length - 1],
      sum: valueAt(sum, i) ?? 0,
      positiveIndices: Int32Array.from(counts.keys()),
      positiveCounts: Float64Array.from(counts),
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      customValues: Float64Array.from(finite),
      counterResetHint: 'unknown',
    };
    return { kind: 'histogram', value, hintGiven: false };
  });
  return { labels, points };
}
