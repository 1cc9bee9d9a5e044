import { type Labels, labelsKey, labelValue, METRIC_NAME, withoutLabels } from '../../model/index.ts';
import type { Position } from './ast.ts';
import { type EvaluationContext, forMetric } from './context.ts';
import { parseNumber } from './number.ts';
import { dropped, type VectorSeries } from './values.ts';

const LE_ONLY: ReadonlySet<string> = new Set(['le']);

/** A classic histogram: the bucket series that share everything but `le`, by ascending bound. */
export interface ClassicHistogram {
  /** Identifies the histogram among native ones of the same labels. */
  readonly key: string;
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly metric: string;
  readonly bounds: readonly number[];
  readonly series: readonly VectorSeries[];
}

/** The buckets of one step: ascending unique bounds and cumulative counts. */
export interface ClassicBuckets {
  bounds: number[];
  counts: number[];
}

/** Finds the classic histograms among the floats of a vector; a bucket without a usable `le` is left out and told. */
export function classicHistograms(
  input: readonly VectorSeries[],
  position: Position,
  context: EvaluationContext,
): ClassicHistogram[] {
  const groups = new Map<string, { first: VectorSeries; labels: Labels; members: [number, VectorSeries][] }>();
  for (const series of input) {
    context.tick();
    if (series.histograms && !hasFloats(series)) continue;
    const le = labelValue(series.labels, 'le');
    const bound = parseBound(le);
    if (bound === undefined) {
      const metric = labelValue(series.labels, METRIC_NAME);
      const message = `bucket label "le" is missing or has a malformed value of ${JSON.stringify(le)}`;
      context.warn(forMetric(message, metric), position);
      continue;
    }
    const labels = withoutLabels(series.labels, LE_ONLY);
    const key = labelsKey(labels);
    const group = groups.get(key);
    if (group) group.members.push([bound, series]);
    else groups.set(key, { first: series, labels, members: [[bound, series]] });
  }
  return Array.from(groups, ([key, { first, labels, members }]) => {
    members.sort((a, b) => (a[0] === b[0] ? 0 : a[0] - b[0]));
    const bounds = members.map(([bound]) => bound);
    const series = members.map(([, member]) => member);
    const metric = labelValue(labels, METRIC_NAME);
    return { key, ...dropped({ ...first, labels }, context), metric, bounds, series };
  });
}

function hasFloats({ has, histograms }: VectorSeries): boolean {
  for (let i = 0; i < has.length; i++) if (has[i] && !histograms?.[i]) return true;
  return false;
}

/** `le` as Go reads a float; durations and the like are no bounds. */
function parseBound(le: string): number | undefined {
  if (!/^[+-]?(?:\d|\.\d|0x|inf)[\da-fA-F_.eExX+-]*(?:nf)?$/i.test(le)) return undefined;
  const bound = parseNumber(le);
  return bound === undefined || Number.isNaN(bound) ? undefined : bound;
}

/**
 * Fills the buckets of one step; absent series are left out, equal bounds (`1` and `1.0`) added up.
 * @returns how many buckets there are.
 */
export function bucketsAt({ bounds, series }: ClassicHistogram, step: number, out: ClassicBuckets): number {
  let n = 0;
  for (let i = 0; i < series.length; i++) {
    const { has, values, histograms } = series[i];
    if (!has[step] || histograms?.[step]) continue;
    if (n > 0 && out.bounds[n - 1] === bounds[i]) {
      out.counts[n - 1] += values[step];
      continue;
    }
    out.bounds[n] = bounds[i];
    out.counts[n++] = values[step];
  }
  out.bounds.length = n;
  out.counts.length = n;
  return n;
}

/** Relative difference of counts that is rounding, as in Prometheus. */
const SMALL_DELTA = 1e-12;

/** Makes counts ascend; true where the difference was more than rounding. */
export function forceMonotonic({ counts }: ClassicBuckets): boolean {
  let forced = false;
  for (let i = 1; i < counts.length; i++) {
    const [before, now] = [counts[i - 1], counts[i]];
    if (now === before) continue;
    if (isRounding(before, now)) counts[i] = before;
    else if (now < before) {
      counts[i] = before;
      forced = true;
    }
  }
  return forced;
}

function isRounding(a: number, b: number): boolean {
  if (a === 0 || b === 0) return false;
  return Math.abs(a - b) / Math.min(Math.abs(a) + Math.abs(b), Number.MAX_VALUE) < SMALL_DELTA;
}

/** The φ-quantile of classic buckets; linear within a bucket, the last finite bound for the bucket above it. */
export function classicQuantile(q: number, { bounds, counts }: ClassicBuckets): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const last = bounds.length - 1;
  if (last < 1 || bounds[last] !== Number.POSITIVE_INFINITY) return Number.NaN;
  const total = counts[last];
  if (total === 0) return Number.NaN;
  let rank = q * total;
  // A binary search as Prometheus's, so that NaN counts lead to the same bucket.
  let [bucket, past] = [0, last];
  while (bucket < past) {
    const middle = (bucket + past) >> 1;
    if (counts[middle] >= rank) past = middle;
    else bucket = middle + 1;
  }
  if (bucket === last) return bounds[last - 1];
  if (bucket === 0 && bounds[0] <= 0) return bounds[0];
  const lower = bucket > 0 ? bounds[bucket - 1] : 0;
  const below = bucket > 0 ? counts[bucket - 1] : 0;
  rank -= below;
  return lower + (bounds[bucket] - lower) * (rank / (counts[bucket] - below));
}
