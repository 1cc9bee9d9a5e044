import {
  type Bucket,
  bucketsOf,
  CUSTOM_BUCKETS_SCHEMA,
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  type NativeHistogram,
  withoutLabels,
} from '../../model/index.ts';
import type { Call } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import { formatValue } from './format.ts';
import { emptySeries, isEmptySeries, type VectorSeries } from './values.ts';

const NAME: ReadonlySet<string> = new Set([METRIC_NAME]);
const NAME_AND_LE: ReadonlySet<string> = new Set([METRIC_NAME, 'le']);

/** A classic histogram: the bucket series that share everything but `le`, by ascending bound. */
interface ClassicHistogram {
  readonly labels: Labels;
  readonly bounds: number[];
  readonly series: VectorSeries[];
}

/** `histogram_quantile(φ, v)` over classic buckets and native histograms. */
export function histogramQuantile(
  call: Call,
  q: Float64Array,
  input: VectorSeries[],
  context: EvaluationContext,
): VectorSeries[] {
  const steps = context.steps.count;
  const out: VectorSeries[] = [];
  for (let step = 0; step < steps; step++) {
    if (Number.isNaN(q[step]) || q[step] < 0 || q[step] > 1) {
      context.warn(`quantile value should be between 0 and 1, got ${formatValue(q[step])}`, call.args[0].position);
    }
  }
  for (const classic of classicHistograms(call, input, context)) {
    const result = emptySeries(classic.labels, steps);
    const counts = new Float64Array(classic.bounds.length);
    for (let step = 0; step < steps; step++) {
      const buckets = bucketsAt(classic, step, counts);
      if (buckets === 0) continue;
      result.has[step] = 1;
      const forced = forceMonotonic(counts, classic.bounds.length);
      if (forced)
        context.info(
          'input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)',
          call.args[1].position,
        );
      result.values[step] = classicQuantile(q[step], classic.bounds, counts);
    }
    if (!isEmptySeries(result)) out.push(result);
  }
  out.push(...nativeColumn(input, steps, (h, step) => nativeQuantile(q[step], h)));
  return out;
}

/** `histogram_fraction(lower, upper, v)` over classic buckets and native histograms. */
export function histogramFraction(
  call: Call,
  lower: Float64Array,
  upper: Float64Array,
  input: VectorSeries[],
  context: EvaluationContext,
): VectorSeries[] {
  const steps = context.steps.count;
  const out: VectorSeries[] = [];
  for (const classic of classicHistograms(call, input, context)) {
    const result = emptySeries(classic.labels, steps);
    const counts = new Float64Array(classic.bounds.length);
    for (let step = 0; step < steps; step++) {
      if (bucketsAt(classic, step, counts) === 0) continue;
      forceMonotonic(counts, classic.bounds.length);
      const buckets = classic.bounds.map((bound, i) => ({
        lower: i === 0 ? (bound > 0 ? 0 : Number.NEGATIVE_INFINITY) : classic.bounds[i - 1],
        upper: bound,
        count: i === 0 ? counts[0] : counts[i] - counts[i - 1],
      }));
      result.has[step] = 1;
      result.values[step] = fraction(lower[step], upper[step], buckets, counts[counts.length - 1], linear);
    }
    if (!isEmptySeries(result)) out.push(result);
  }
  const native = (h: NativeHistogram, step: number) => {
    const interpolate = h.schema === CUSTOM_BUCKETS_SCHEMA ? linear : exponential;
    return fraction(
      lower[step],
      upper[step],
      bucketsOf(h).map((b) => naturalBounds(h, b)),
      h.count,
      interpolate,
    );
  };
  out.push(...nativeColumn(input, steps, native));
  return out;
}

/** `histogram_count`, `histogram_sum`, `histogram_avg`: one number of each native histogram. */
export function histogramNumber(
  input: VectorSeries[],
  steps: number,
  of: (h: NativeHistogram) => number,
): VectorSeries[] {
  return nativeColumn(input, steps, of);
}

function nativeColumn(
  input: VectorSeries[],
  steps: number,
  of: (h: NativeHistogram, step: number) => number,
): VectorSeries[] {
  const out: VectorSeries[] = [];
  for (const series of input) {
    if (!series.histograms) continue;
    const result = emptySeries(withoutLabels(series.labels, NAME), steps);
    for (let step = 0; step < steps; step++) {
      const histogram = series.has[step] ? series.histograms[step] : undefined;
      if (!histogram) continue;
      result.has[step] = 1;
      result.values[step] = of(histogram, step);
    }
    if (!isEmptySeries(result)) out.push(result);
  }
  return out;
}

function classicHistograms(call: Call, input: VectorSeries[], context: EvaluationContext): ClassicHistogram[] {
  const groups = new Map<string, { labels: Labels; members: [number, VectorSeries][] }>();
  for (const series of input) {
    if (series.histograms && !series.histograms.some((h, i) => series.has[i] && !h)) continue;
    const le = labelValue(series.labels, 'le');
    const bound = le === '+Inf' || le === 'Inf' ? Number.POSITIVE_INFINITY : Number(le);
    if (le === '' || Number.isNaN(bound)) {
      context.warn(
        `bucket label "le" is missing or has a malformed value of "${le}" for metric name "${labelValue(series.labels, METRIC_NAME)}"`,
        call.args[call.args.length - 1].position,
      );
      continue;
    }
    const labels = withoutLabels(series.labels, NAME_AND_LE);
    const key = labelsKey(labels);
    const group = groups.get(key);
    if (group) group.members.push([bound, series]);
    else groups.set(key, { labels, members: [[bound, series]] });
  }
  return [...groups.values()].map(({ labels, members }) => {
    members.sort((a, b) => a[0] - b[0]);
    return { labels, bounds: members.map(([bound]) => bound), series: members.map(([, series]) => series) };
  });
}

/** Fills the cumulative counts of one step; absent buckets repeat the one before. Returns how many are present. */
function bucketsAt(classic: ClassicHistogram, step: number, counts: Float64Array): number {
  let present = 0;
  let last = 0;
  for (let i = 0; i < classic.series.length; i++) {
    const series = classic.series[i];
    if (series.has[step] && !series.histograms?.[step]) {
      present++;
      // Buckets of equal bounds written in two ways ("1" and "1.0") are added up.
      last = i > 0 && classic.bounds[i] === classic.bounds[i - 1] ? last + series.values[step] : series.values[step];
    }
    counts[i] = last;
  }
  return present;
}

/** Makes counts ascend; true where the difference was more than rounding (relative 1e-12, as in Prometheus). */
function forceMonotonic(counts: Float64Array, length: number): boolean {
  let forced = false;
  for (let i = 1; i < length; i++) {
    if (counts[i] < counts[i - 1]) {
      if (counts[i - 1] - counts[i] > 1e-12 * Math.abs(counts[i - 1])) forced = true;
      counts[i] = counts[i - 1];
    }
  }
  return forced;
}

function classicQuantile(q: number, bounds: readonly number[], counts: Float64Array): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  const last = bounds.length - 1;
  if (bounds[last] !== Number.POSITIVE_INFINITY || last < 1) return Number.NaN;
  const total = counts[last];
  if (total === 0 || Number.isNaN(total)) return Number.NaN;
  let rank = q * total;
  let bucket = 0;
  while (bucket < last && counts[bucket] < rank) bucket++;
  if (bucket === last) return bounds[last - 1];
  if (bucket === 0 && bounds[0] <= 0) return bounds[0];
  const upper = bounds[bucket];
  const lower = bucket > 0 ? bounds[bucket - 1] : 0;
  const below = bucket > 0 ? counts[bucket - 1] : 0;
  rank -= below;
  return lower + (upper - lower) * (rank / (counts[bucket] - below));
}

/** A zero bucket of a histogram with observations on one side only reaches from or to zero. */
function naturalBounds(h: NativeHistogram, bucket: Bucket): Bucket {
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) {
    return bucket.lower === Number.NEGATIVE_INFINITY && bucket.upper > 0 ? { ...bucket, lower: 0 } : bucket;
  }
  if (bucket.lower >= 0 || bucket.upper <= 0) return bucket;
  if (h.negativeIndices.length === 0 && h.positiveIndices.length > 0) return { ...bucket, lower: 0 };
  if (h.positiveIndices.length === 0 && h.negativeIndices.length > 0) return { ...bucket, upper: 0 };
  return bucket;
}

type Interpolate = (lower: number, upper: number, share: number) => number;

const linear: Interpolate = (lower, upper, share) => lower + (upper - lower) * share;

/** Within an exponential bucket observations are taken to be spread evenly on a logarithmic scale. */
const exponential: Interpolate = (lower, upper, share) => {
  if (lower <= 0 && upper >= 0) return linear(lower, upper, share);
  if (lower > 0) return 2 ** linear(Math.log2(lower), Math.log2(upper), share);
  return -(2 ** linear(Math.log2(-lower), Math.log2(-upper), share));
};

function nativeQuantile(q: number, h: NativeHistogram): number {
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  if (h.count === 0 || Number.isNaN(q)) return Number.NaN;
  const buckets = bucketsOf(h);
  let rank = q * h.count;
  let below = 0;
  for (let i = 0; i < buckets.length; i++) {
    const bucket = naturalBounds(h, buckets[i]);
    if (bucket.count === 0 || (below + bucket.count < rank && i < buckets.length - 1)) {
      below += bucket.count;
      continue;
    }
    // NaN observations are in the count but in no bucket; a rank among them is NaN.
    if (Number.isNaN(h.sum) && below + bucket.count < rank) return Number.NaN;
    if (bucket.upper === Number.POSITIVE_INFINITY) return bucket.lower;
    if (bucket.lower === Number.NEGATIVE_INFINITY) return bucket.upper;
    rank = Math.max(0, Math.min(1, (rank - below) / bucket.count));
    return (h.schema === CUSTOM_BUCKETS_SCHEMA ? linear : exponential)(bucket.lower, bucket.upper, rank);
  }
  return Number.NaN;
}

/** The share of observations in (lower, upper], counting parts of buckets by interpolation. */
function fraction(lower: number, upper: number, buckets: Bucket[], total: number, interpolate: Interpolate): number {
  if (total === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  const rankOf = (value: number): number => {
    let rank = 0;
    for (const bucket of buckets) {
      if (value >= bucket.upper) rank += bucket.count;
      else if (value > bucket.lower) rank += bucket.count * shareBelow(value, bucket, interpolate);
    }
    return rank;
  };
  return (rankOf(upper) - rankOf(lower)) / total;
}

function shareBelow(value: number, { lower, upper }: Bucket, interpolate: Interpolate): number {
  if (!Number.isFinite(lower) || !Number.isFinite(upper)) return 0;
  if (interpolate === linear || (lower <= 0 && upper >= 0)) return (value - lower) / (upper - lower);
  if (lower > 0) return (Math.log2(value) - Math.log2(lower)) / (Math.log2(upper) - Math.log2(lower));
  return (Math.log2(-value) - Math.log2(-lower)) / (Math.log2(-upper) - Math.log2(-lower));
}
