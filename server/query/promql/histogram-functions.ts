import {
  bucketsOf,
  hasCustomBounds,
  KahanSum,
  labelsKey,
  labelValue,
  METRIC_NAME,
  type NativeHistogram,
  withLabel,
} from '../../model/index.ts';
import type { Expr } from './ast.ts';
import {
  bucketsAt,
  type ClassicBuckets,
  type ClassicHistogram,
  classicHistograms,
  classicQuantile,
  forceMonotonic,
} from './classic-histogram.ts';
import { type EvaluationContext, forMetric } from './context.ts';
import { executionError } from './errors.ts';
import { formatG } from './format.ts';
import { classicFraction, nativeFraction, nativeQuantile } from './histogram-quantile.ts';
import type { Input, InstantFunction } from './instant.ts';
import { quote } from './strings.ts';
import {
  dropped,
  emptySeries,
  isEmptySeries,
  joinDropped,
  mergeEqual,
  scalarOf,
  textOf,
  type Value,
  type VectorSeries,
  vectorOf,
} from './values.ts';

/** How one histogram becomes a number at a step. */
interface Reading {
  readonly classic: (buckets: ClassicBuckets, step: number, metric: string) => number;
  readonly native: (h: NativeHistogram, step: number, metric: string) => number;
}

/** Reads classic and native histograms of a vector; where both share labels at a step neither is read. */
function readHistograms(input: Input, argument: number, reading: Reading): VectorSeries[] {
  const { args, steps, context } = input;
  const { position } = input.call.args[argument];
  const vector = vectorOf(args[argument]);
  const out: VectorSeries[] = [];
  const native = new Map<string, VectorSeries>();
  for (const series of vector) if (series.histograms) native.set(labelsKey(series.labels), series);
  const buckets: ClassicBuckets = { bounds: [], counts: [] };
  const conflicts = new Map<string, Uint8Array>();
  for (const classic of classicHistograms(vector, position, context)) {
    context.tick(steps.count * classic.bounds.length);
    const twin = native.get(classic.key);
    const result = emptySeries(classic.labels, steps.count, classic.dropName);
    for (let step = 0; step < steps.count; step++) {
      if (bucketsAt(classic, step, buckets) === 0) continue;
      if (twin?.has[step] && twin.histograms?.[step]) {
        noteConflict(conflicts, classic, step, steps.count);
        context.warn(forMetric('vector contains a mix of classic and native histograms', classic.metric), position);
        continue;
      }
      result.has[step] = 1;
      result.values[step] = reading.classic(buckets, step, classic.metric);
    }
    if (!isEmptySeries(result)) out.push(result);
  }
  out.push(...nativeColumns(vector, context, reading.native, conflicts));
  return mergeEqual(out);
}

function noteConflict(
  conflicts: Map<string, Uint8Array>,
  { key }: ClassicHistogram,
  step: number,
  steps: number,
): void {
  let at = conflicts.get(key);
  if (!at) conflicts.set(key, (at = new Uint8Array(steps)));
  at[step] = 1;
}

function nativeColumns(
  input: readonly VectorSeries[],
  context: EvaluationContext,
  of: (h: NativeHistogram, step: number, metric: string) => number,
  conflicts: ReadonlyMap<string, Uint8Array> = new Map(),
): VectorSeries[] {
  const out: VectorSeries[] = [];
  for (const series of input) {
    context.tick(100 * series.values.length);
    const { histograms } = series;
    if (!histograms) continue;
    const { labels, dropName } = dropped(series, context);
    const conflict = conflicts.size > 0 ? conflicts.get(labelsKey(series.labels)) : undefined;
    const metric = labelValue(series.labels, METRIC_NAME);
    const result = emptySeries(labels, histograms.length, dropName);
    for (let step = 0; step < histograms.length; step++) {
      const histogram = series.has[step] ? histograms[step] : undefined;
      if (!histogram || conflict?.[step]) continue;
      result.has[step] = 1;
      result.values[step] = of(histogram, step, metric);
    }
    if (!isEmptySeries(result)) out.push(result);
  }
  return out;
}

function warnOfQuantiles(q: Float64Array, { position }: Expr, context: EvaluationContext): void {
  const bad = q.find((value) => !(value >= 0 && value <= 1));
  if (bad !== undefined) context.warn(`quantile value should be between 0 and 1, got ${formatG(bad)}`, position);
}

function quantileReading(q: Float64Array, input: Input, argument: number): Reading {
  const { context } = input;
  const { position } = input.call.args[argument];
  const repaired = new Set<string>();
  return {
    classic: (buckets, step, metric) => {
      // Prometheus looks at the last bucket before it repairs the order.
      const complete = buckets.bounds[buckets.bounds.length - 1] === Number.POSITIVE_INFINITY;
      const isQuantile = q[step] >= 0 && q[step] <= 1;
      if (complete && isQuantile && forceMonotonic(buckets) && !repaired.has(metric)) {
        repaired.add(metric);
        const message =
          'input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)';
        context.info(forMetric(message, metric), position);
      }
      return classicQuantile(q[step], buckets);
    },
    native: (h, step, metric) => {
      const value = nativeQuantile(q[step], h);
      if (Number.isNaN(h.sum) && h.count > 0 && q[step] >= 0 && q[step] <= 1) {
        const outcome = Number.isNaN(value) ? 'result is NaN' : 'result is skewed higher';
        context.info(forMetric(`input to histogram_quantile has NaN observations, ${outcome}`, metric), position);
      }
      return value;
    },
  };
}

/** `histogram_quantile(φ, v)`. */
function histogramQuantile(input: Input): Value {
  const q = scalarOf(input.args[0]);
  warnOfQuantiles(q, input.call.args[0], input.context);
  const series = readHistograms(input, 1, quantileReading(q, input, 1));
  return { kind: 'vector', series: joinDropped(series, input.context) };
}

/** `histogram_quantiles(v, "label", φ, …)`: several quantiles, told apart by a label. */
function histogramQuantiles(input: Input): Value {
  const name = textOf(input.args[1]);
  if (name === '' || !name.isWellFormed()) throw executionError(`invalid label name ${quote(name)}`);
  const out: VectorSeries[] = [];
  for (let i = 2; i < input.args.length; i++) {
    const q = scalarOf(input.args[i]);
    warnOfQuantiles(q, input.call.args[i], input.context);
    for (const series of readHistograms(input, 0, quantileReading(q, input, 0))) {
      out.push(...byQuantile(series, name, q));
    }
  }
  return { kind: 'vector', series: mergeEqual(out) };
}

/** The quantile may change from step to step, and with it the label. */
function byQuantile(series: VectorSeries, name: string, q: Float64Array): VectorSeries[] {
  return [...new Set(q)].map((value) => {
    const has = series.has.map((present, step) => (Object.is(q[step], value) ? present : 0));
    return { ...series, has, labels: withLabel(series.labels, name, quantileLabel(value)) };
  });
}

/** A number as OpenMetrics writes it in a label: whole numbers end in `.0`. */
function quantileLabel(value: number): string {
  const text = formatG(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}

/** `histogram_fraction(lower, upper, v)`. */
function histogramFraction(input: Input): Value {
  const { context } = input;
  const lower = scalarOf(input.args[0]);
  const upper = scalarOf(input.args[1]);
  const { position } = input.call.args[2];
  const series = readHistograms(input, 2, {
    classic: (buckets, step) => {
      forceMonotonic(buckets);
      return classicFraction(lower[step], upper[step], buckets);
    },
    native: (h, step, metric) => {
      if (Number.isNaN(h.sum) && h.count > 0) {
        const message = 'input to histogram_fraction has NaN observations, which are excluded from all fractions';
        context.info(forMetric(message, metric), position);
      }
      return nativeFraction(lower[step], upper[step], h);
    },
  });
  return { kind: 'vector', series: joinDropped(series, context) };
}

/** Population variance of the observations, taking each to be in the middle of its bucket. */
function nativeVariance(h: NativeHistogram): number {
  const mean = h.sum / h.count;
  const squares = new KahanSum();
  for (const { lower, upper, count } of bucketsOf(h)) {
    if (count === 0) continue;
    let middle = 0;
    if (hasCustomBounds(h)) middle = (lower + upper) / 2;
    else if (lower > 0 || upper < 0) middle = Math.sign(upper + lower) * Math.sqrt(lower * upper);
    squares.add(count * (middle - mean) ** 2);
  }
  return squares.value / h.count;
}

/** One number of each native histogram. */
function numberOf(of: (h: NativeHistogram) => number): InstantFunction {
  return ({ args, context }) => ({
    kind: 'vector',
    series: joinDropped(nativeColumns(vectorOf(args[0]), context, of), context),
  });
}

/** Functions of histograms, by name. */
export const HISTOGRAM_FUNCTIONS: readonly (readonly [string, InstantFunction])[] = [
  ['histogram_quantile', histogramQuantile],
  ['histogram_quantiles', histogramQuantiles],
  ['histogram_fraction', histogramFraction],
  ['histogram_count', numberOf((h) => h.count)],
  ['histogram_sum', numberOf((h) => h.sum)],
  ['histogram_avg', numberOf((h) => h.sum / h.count)],
  ['histogram_stdvar', numberOf(nativeVariance)],
  ['histogram_stddev', numberOf((h) => Math.sqrt(nativeVariance(h)))],
];
