import type { NativeHistogram } from '../model/index.ts';
import type { HistogramSeries, PointLabels, SeriesTemporality } from './metric-points.ts';
import { toExemplar } from './otlp-labels.ts';
import type { OtlpBuckets, OtlpExponentialPoint, OtlpHistogramPoint, OtlpSummaryPoint } from './otlp-metrics-shape.ts';
import { labelsOf, quote, type Translation } from './otlp-translation.ts';

/** The finest and coarsest schema of native histograms. */
const MAX_SCHEMA = 8;
const MIN_SCHEMA = -4;
/** What Prometheus gives exponential histograms that don't set a zero threshold. */
const DEFAULT_ZERO_THRESHOLD = 1e-128;

/** A histogram with explicit bounds: `_bucket{le}` (cumulative over the bounds), `_sum`, `_count`. */
export function addHistogram(
  translation: Translation,
  name: string,
  temporality: SeriesTemporality,
  point: OtlpHistogramPoint,
): boolean {
  const { out } = translation;
  const problem = point.noRecordedValue ? undefined : histogramProblem(point);
  if (problem !== undefined) {
    out.reject(1, `metric ${quote(name)}: ${problem}`);
    return false;
  }
  const labels = labelsOf(translation, name, point, 'le');
  if (labels === undefined) return false;
  const add = (series: number, value: number): void => {
    if (point.noRecordedValue) out.stale(series, point.timeMs, point.startMs);
    else out.sample(series, point.timeMs, point.startMs, value);
  };
  if (point.sum !== undefined) add(out.series(`${name}_sum`, labels, 'histogram', temporality), point.sum);
  const bounds = Math.min(point.explicitBounds.length, point.bucketCounts.length);
  const { count, buckets } = seriesOf(translation, name, labels, temporality, point.explicitBounds.slice(0, bounds));
  add(count, point.count);
  let cumulative = 0;
  let bucket = 0;
  for (let i = 0; i < bounds; i++) {
    cumulative += point.bucketCounts[i];
    // A last bound of +Inf is allowed and is the same bucket as the one below.
    if (point.explicitBounds[i] !== Number.POSITIVE_INFINITY) add(buckets[bucket++], cumulative);
  }
  add(buckets[bucket], point.count);
  for (const exemplar of point.exemplars) {
    const translated = toExemplar(exemplar);
    if (translated === undefined) continue;
    let i = 0;
    while (i < buckets.length - 1 && !(translated.value <= point.explicitBounds[i])) i++;
    out.exemplar(buckets[i], translated);
  }
  return true;
}

/** The series of a histogram's count and buckets; known ones where the point's labels came with these bounds before. */
function seriesOf(
  { out }: Translation,
  name: string,
  labels: PointLabels,
  temporality: SeriesTemporality,
  bounds: readonly number[],
): HistogramSeries {
  const known = labels.histograms.get(name);
  if (known?.bounds.length === bounds.length && bounds.every((bound, i) => bound === known.bounds[i])) return known;
  const bucket = (le: string) =>
    out.series(`${name}_bucket`, labels, 'histogram', temporality, { name: 'le', value: le });
  const finite = bounds.filter((bound) => bound !== Number.POSITIVE_INFINITY);
  const found = {
    bounds,
    count: out.series(`${name}_count`, labels, 'histogram', temporality),
    buckets: [...finite.map((bound) => bucket(formatFloat(bound))), bucket('+Inf')],
  };
  labels.histograms.set(name, found);
  return found;
}

function histogramProblem(point: OtlpHistogramPoint): string | undefined {
  const { bucketCounts, explicitBounds } = point;
  if (bucketCounts.length > 0 && bucketCounts.length !== explicitBounds.length + 1) {
    return `${bucketCounts.length} buckets for ${explicitBounds.length} bounds, accepted is one more than bounds`;
  }
  for (let i = 0; i < explicitBounds.length; i++) {
    if (Number.isNaN(explicitBounds[i]) || (i > 0 && explicitBounds[i] <= explicitBounds[i - 1])) {
      return `bound ${i} is not above the one before it`;
    }
  }
  return undefined;
}

/** An exponential histogram: one native histogram. A point without a recorded value is a staleness marker. */
export function addExponential(
  translation: Translation,
  name: string,
  temporality: SeriesTemporality,
  point: OtlpExponentialPoint,
): boolean {
  const { out } = translation;
  const labels = labelsOf(translation, name, point);
  if (labels === undefined) return false;
  const converted = point.noRecordedValue ? undefined : toNativeHistogram(point, temporality);
  if (typeof converted === 'string') {
    out.reject(1, `metric ${quote(name)}: ${converted}`);
    return false;
  }
  const series = out.series(name, labels, 'histogram', temporality);
  if (converted === undefined) out.stale(series, point.timeMs, point.startMs);
  else out.histogram(series, point.timeMs, point.startMs, converted);
  for (const exemplar of point.exemplars) {
    const translated = toExemplar(exemplar);
    if (translated !== undefined) out.exemplar(series, translated);
  }
  return true;
}

/**
 * The native histogram of an exponential one, or what is wrong with it. Scales above 8 are merged down to 8: a bucket of
 * scale s covers 2^(s−8) buckets. OTLP's bucket i is (base^i, base^(i+1)], Prometheus's (base^(i−1), base^i], hence + 1.
 */
function toNativeHistogram(point: OtlpExponentialPoint, temporality: SeriesTemporality): NativeHistogram | string {
  if (point.scale < MIN_SCHEMA) return `scale ${point.scale}, accepted is ${MIN_SCHEMA} and above`;
  const scaleDown = Math.max(0, point.scale - MAX_SCHEMA);
  const positive = toSparse(point.positive, scaleDown);
  const negative = toSparse(point.negative, scaleDown);
  if (positive === undefined || negative === undefined) return 'a bucket whose index does not fit 32 bits';
  if (!matchesCount(point)) return 'a count that is not the sum of its buckets';
  return {
    schema: Math.min(point.scale, MAX_SCHEMA),
    zeroThreshold: point.zeroThreshold > 0 ? point.zeroThreshold : DEFAULT_ZERO_THRESHOLD,
    zeroCount: point.zeroCount,
    count: point.count,
    sum: point.sum ?? 0,
    positiveIndices: positive.indices,
    positiveCounts: positive.counts,
    negativeIndices: negative.indices,
    negativeCounts: negative.counts,
    customValues: undefined,
    counterResetHint: temporality === 'delta' ? 'gauge' : 'unknown',
  };
}

/** Merges 2^scaleDown neighbours into one bucket and leaves empty buckets out. */
function toSparse(buckets: OtlpBuckets, scaleDown: number): { indices: Int32Array; counts: Float64Array } | undefined {
  const { offset, counts } = buckets;
  const last = offset + counts.length - 1;
  if (counts.length > 0 && last >= 0x7fffffff && scaleDown === 0) return undefined;
  const indices: number[] = [];
  const merged: number[] = [];
  const divisor = 2 ** Math.min(scaleDown, 32);
  for (let i = 0; i < counts.length; i++) {
    if (counts[i] === 0) continue;
    const index = Math.floor((offset + i) / divisor) + 1;
    if (indices.length > 0 && indices[indices.length - 1] === index) merged[merged.length - 1] += counts[i];
    else {
      indices.push(index);
      merged.push(counts[i]);
    }
  }
  return { indices: Int32Array.from(indices), counts: Float64Array.from(merged) };
}

/** Prometheus refuses native histograms whose count isn't the sum of their buckets; a NaN sum allows a larger count. */
function matchesCount(point: OtlpExponentialPoint): boolean {
  let total = point.zeroCount;
  for (const count of point.positive.counts) total += count;
  for (const count of point.negative.counts) total += count;
  if (Number.isNaN(point.sum)) return total <= point.count;
  // Beyond 2^53 numbers are rounded, so the sum may differ without anyone being wrong.
  return total === point.count || total > Number.MAX_SAFE_INTEGER;
}

/** A summary: one series a quantile, `_sum` and `_count`. */
export function addSummary(translation: Translation, name: string, point: OtlpSummaryPoint): boolean {
  const { out } = translation;
  const labels = labelsOf(translation, name, point, 'quantile');
  if (labels === undefined) return false;
  const add = (series: number, value: number): void => {
    if (point.noRecordedValue) out.stale(series, point.timeMs, point.startMs);
    else out.sample(series, point.timeMs, point.startMs, value);
  };
  add(out.series(`${name}_sum`, labels, 'summary', 'cumulative'), point.sum);
  add(out.series(`${name}_count`, labels, 'summary', 'cumulative'), point.count);
  for (const { quantile, value } of point.quantiles) {
    add(out.series(name, labels, 'summary', 'gauge', { name: 'quantile', value: formatFloat(quantile) }), value);
  }
  return true;
}

/** A number as Go's `strconv.FormatFloat(v, 'f', -1, 64)` writes it: the shortest digits, never an exponent. */
export function formatFloat(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign, lead, fraction = '', power] = match;
  const digits = lead + fraction;
  const exponent = Number(power);
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  return sign + digits.padEnd(exponent + 1, '0');
}
