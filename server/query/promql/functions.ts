import {
  compileRegex,
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  withLabel,
  withoutLabels,
} from '../../model/index.ts';
import type { Call, Expr } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { histogramFraction, histogramNumber, histogramQuantile } from './histogram-functions.ts';
import { emptySeries, isEmptySeries, type Value, type VectorSeries } from './values.ts';

const NAME_ONLY: ReadonlySet<string> = new Set([METRIC_NAME]);

/** What a function gets: its evaluated arguments, the call, and the shared context. */
interface Input {
  readonly call: Call;
  readonly args: readonly Value[];
  readonly context: EvaluationContext;
}

type InstantFunction = (input: Input) => Value;

function vectorOf(value: Value | undefined): VectorSeries[] {
  if (value?.kind !== 'vector') throw executionError('BUG: a vector argument is not a vector');
  return value.series;
}

function scalarOf(value: Value | undefined): Float64Array {
  if (value?.kind !== 'scalar') throw executionError('BUG: a scalar argument is not a scalar');
  return value.values;
}

function textOf(value: Value | undefined): string {
  if (value?.kind !== 'string') throw executionError('BUG: a string argument is not a string');
  return value.value;
}

/** A function of each float; histograms are left out, the metric's name goes. */
function mapFloats(input: Input, f: (value: number, step: number) => number): Value {
  const steps = input.context.steps.count;
  const out: VectorSeries[] = [];
  for (const series of vectorOf(input.args[0])) {
    const result = emptySeries(withoutLabels(series.labels, NAME_ONLY), steps);
    for (let i = 0; i < steps; i++) {
      if (!series.has[i] || series.histograms?.[i]) continue;
      result.has[i] = 1;
      result.values[i] = f(series.values[i], i);
    }
    if (!isEmptySeries(result)) out.push(result);
  }
  return { kind: 'vector', series: out };
}

const math =
  (f: (value: number) => number): InstantFunction =>
  (input) =>
    mapFloats(input, f);

/** A part of the time that a value means in seconds, or of the evaluation's time where there is no argument. */
const timePart =
  (f: (date: Date) => number): InstantFunction =>
  (input) => {
    if (input.args.length > 0) return mapFloats(input, (value) => f(new Date(value * 1000)));
    const { startMs, stepMs, count } = input.context.steps;
    const series = emptySeries([], count);
    for (let i = 0; i < count; i++) {
      series.has[i] = 1;
      series.values[i] = f(new Date(startMs + i * stepMs));
    }
    return { kind: 'vector', series: [series] };
  };

function clamp(input: Input, low: Float64Array | undefined, high: Float64Array | undefined): Value {
  const result = mapFloats(input, (value, i) => {
    const [min, max] = [low?.[i] ?? Number.NEGATIVE_INFINITY, high?.[i] ?? Number.POSITIVE_INFINITY];
    if (Number.isNaN(min) || Number.isNaN(max)) return Number.NaN;
    return Math.max(min, Math.min(max, value));
  });
  if (!low || !high || result.kind !== 'vector') return result;
  // Where the bounds cross, clamp has no value.
  for (const series of result.series) for (let i = 0; i < low.length; i++) if (low[i] > high[i]) series.has[i] = 0;
  return { kind: 'vector', series: result.series.filter((series) => !isEmptySeries(series)) };
}

function round(input: Input): Value {
  const nearest = input.args[1] ? scalarOf(input.args[1]) : undefined;
  return mapFloats(input, (value, i) => {
    // As in Prometheus the inverse is used, so that 0.1 rounds without noise; ties go up.
    const inverse = 1 / (nearest?.[i] ?? 1);
    return Math.floor(value * inverse + 0.5) / inverse;
  });
}

function labelReplace({ args, context }: Input): Value {
  const [destination, replacement, source, pattern] = args.slice(1).map(textOf);
  const regex = compileRegex(`^(?s:${pattern})$`);
  if (destination === '') throw executionError('invalid destination label name in label_replace(): ""');
  const relabelled = vectorOf(args[0]).map((series) => {
    const match = regex.matcher(labelValue(series.labels, source));
    if (!match.find()) return series;
    const value = replacement.replace(/\$(?:(\$)|\{(\w+)\}|(\w+))/g, (_, dollar, braced, plain) => {
      if (dollar) return '$';
      const group = braced ?? plain;
      try {
        return (/^\d+$/.test(group) ? match.group(Number(group)) : match.group(group)) ?? '';
      } catch {
        return ''; // A group that the expression doesn't have is empty, as in Go.
      }
    });
    return { ...series, labels: withLabel(series.labels, destination, value) };
  });
  return { kind: 'vector', series: mergeEqual(relabelled, context) };
}

function labelJoin({ args, context }: Input): Value {
  const [destination, separator, ...sources] = args.slice(1).map(textOf);
  const joined = vectorOf(args[0]).map((series) => {
    const value = sources.map((name) => labelValue(series.labels, name)).join(separator);
    return { ...series, labels: withLabel(series.labels, destination, value) };
  });
  return { kind: 'vector', series: mergeEqual(joined, context) };
}

/** Joins series whose labels became equal; a step at which two have a value is an error. */
export function mergeEqual(input: VectorSeries[], context: EvaluationContext): VectorSeries[] {
  const byLabels = new Map<string, VectorSeries>();
  for (const series of input) {
    const key = labelsKey(series.labels);
    const known = byLabels.get(key);
    if (!known) {
      byLabels.set(key, series);
      continue;
    }
    const histograms = known.histograms || series.histograms ? new Array(context.steps.count) : undefined;
    const merged: VectorSeries = {
      labels: known.labels,
      values: known.values.slice(),
      has: known.has.slice(),
      histograms,
    };
    for (let i = 0; i < merged.has.length; i++) {
      if (known.has[i] && series.has[i]) throw executionError('vector cannot contain metrics with the same labelset');
      const from = series.has[i] ? series : known;
      merged.has[i] = from.has[i];
      merged.values[i] = from.values[i];
      if (histograms) histograms[i] = from.histograms?.[i];
    }
    byLabels.set(key, merged);
  }
  return [...byLabels.values()];
}

function sortBy(compare: (a: VectorSeries, b: VectorSeries) => number): InstantFunction {
  return ({ args }) => ({ kind: 'vector', series: [...vectorOf(args[0])].sort(compare), sorted: true });
}

/** Sorting is by the value of the only step; range queries have no order of values. */
function byValue(sign: 1 | -1): (a: VectorSeries, b: VectorSeries) => number {
  return (a, b) => {
    const [x, y] = [a.values[0], b.values[0]];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return sign * (x - y);
  };
}

function sortByLabel(sign: 1 | -1): InstantFunction {
  return ({ args }) => {
    const names = args.slice(1).map(textOf);
    const collator = new Intl.Collator('en', { numeric: true });
    const compare = (a: VectorSeries, b: VectorSeries): number => {
      for (const name of names) {
        const order = collator.compare(labelValue(a.labels, name), labelValue(b.labels, name));
        if (order !== 0) return sign * order;
      }
      return sign * (labelsKey(a.labels) < labelsKey(b.labels) ? -1 : 1);
    };
    return { kind: 'vector', series: [...vectorOf(args[0])].sort(compare), sorted: true };
  };
}

/** The labels that an absent selector would have had: those of its `=` matchers. */
export function absentLabels(expr: Expr): Labels {
  const selector = expr.kind === 'matrix' ? expr.selector : expr;
  if (selector.kind !== 'selector') return [];
  const seen = new Map<string, number>();
  for (const { name } of selector.matchers) seen.set(name, (seen.get(name) ?? 0) + 1);
  let labels: Labels = [];
  for (const { name, op, value } of selector.matchers) {
    if (op === '=' && name !== METRIC_NAME && seen.get(name) === 1) labels = withLabel(labels, name, value);
  }
  return labels;
}

/** 1 at the steps at which none of the series has a value. */
export function absentSeries(labels: Labels, input: readonly VectorSeries[], steps: number): VectorSeries[] {
  const result = emptySeries(labels, steps);
  for (let i = 0; i < steps; i++) {
    if (input.some((series) => series.has[i])) continue;
    result.has[i] = 1;
    result.values[i] = 1;
  }
  return isEmptySeries(result) ? [] : [result];
}

function scalar({ args, context }: Input): Value {
  const values = new Float64Array(context.steps.count).fill(Number.NaN);
  const input = vectorOf(args[0]);
  for (let i = 0; i < values.length; i++) {
    const present = input.filter((series) => series.has[i] && !series.histograms?.[i]);
    if (present.length === 1) values[i] = present[0].values[i];
  }
  return { kind: 'scalar', values };
}

function everyStep(context: EvaluationContext, f: (ms: number) => number): Float64Array {
  const { startMs, stepMs, count } = context.steps;
  return Float64Array.from({ length: count }, (_, i) => f(startMs + i * stepMs));
}

const DAY_MS = 86_400_000;

/** Functions of instant vectors, scalars and strings, by name. */
export const INSTANT_FUNCTIONS: ReadonlyMap<string, InstantFunction> = new Map<string, InstantFunction>([
  ...(
    [
      'abs',
      'ceil',
      'floor',
      'exp',
      'log2',
      'log10',
      'sqrt',
      'sin',
      'cos',
      'tan',
      'asin',
      'acos',
      'atan',
      'sinh',
      'cosh',
      'tanh',
      'asinh',
      'acosh',
      'atanh',
    ] as const
  ).map((name) => [name, math(Math[name])] as [string, InstantFunction]),
  ['ln', math(Math.log)],
  ['sgn', math((v) => (v > 0 ? 1 : v < 0 ? -1 : v))],
  ['deg', math((v) => (v * 180) / Math.PI)],
  ['rad', math((v) => (v * Math.PI) / 180)],
  ['minute', timePart((d) => d.getUTCMinutes())],
  ['hour', timePart((d) => d.getUTCHours())],
  ['day_of_month', timePart((d) => d.getUTCDate())],
  ['day_of_week', timePart((d) => d.getUTCDay())],
  ['day_of_year', timePart((d) => Math.floor((d.getTime() - Date.UTC(d.getUTCFullYear(), 0, 1)) / DAY_MS) + 1)],
  ['days_in_month', timePart((d) => new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 0)).getUTCDate())],
  ['month', timePart((d) => d.getUTCMonth() + 1)],
  ['year', timePart((d) => d.getUTCFullYear())],
  ['clamp', (input) => clamp(input, scalarOf(input.args[1]), scalarOf(input.args[2]))],
  ['clamp_min', (input) => clamp(input, scalarOf(input.args[1]), undefined)],
  ['clamp_max', (input) => clamp(input, undefined, scalarOf(input.args[1]))],
  ['round', round],
  ['label_replace', labelReplace],
  ['label_join', labelJoin],
  ['sort', sortBy(byValue(1))],
  ['sort_desc', sortBy(byValue(-1))],
  ['sort_by_label', sortByLabel(1)],
  ['sort_by_label_desc', sortByLabel(-1)],
  ['scalar', scalar],
  [
    'vector',
    ({ args }) => {
      const values = scalarOf(args[0]);
      return {
        kind: 'vector',
        series: [{ labels: [], values, has: new Uint8Array(values.length).fill(1), histograms: undefined }],
      };
    },
  ],
  ['time', ({ context }) => ({ kind: 'scalar', values: everyStep(context, (ms) => ms / 1000) })],
  ['pi', ({ context }) => ({ kind: 'scalar', values: everyStep(context, () => Math.PI) })],
  [
    'absent',
    ({ call, args, context }) => ({
      kind: 'vector',
      series: absentSeries(absentLabels(call.args[0]), vectorOf(args[0]), context.steps.count),
    }),
  ],
  [
    'histogram_quantile',
    ({ call, args, context }) => ({
      kind: 'vector',
      series: histogramQuantile(call, scalarOf(args[0]), vectorOf(args[1]), context),
    }),
  ],
  [
    'histogram_fraction',
    ({ call, args, context }) => ({
      kind: 'vector',
      series: histogramFraction(call, scalarOf(args[0]), scalarOf(args[1]), vectorOf(args[2]), context),
    }),
  ],
  [
    'histogram_count',
    ({ args, context }) => ({
      kind: 'vector',
      series: histogramNumber(vectorOf(args[0]), context.steps.count, (h) => h.count),
    }),
  ],
  [
    'histogram_sum',
    ({ args, context }) => ({
      kind: 'vector',
      series: histogramNumber(vectorOf(args[0]), context.steps.count, (h) => h.sum),
    }),
  ],
  [
    'histogram_avg',
    ({ args, context }) => ({
      kind: 'vector',
      series: histogramNumber(vectorOf(args[0]), context.steps.count, (h) => h.sum / h.count),
    }),
  ],
]);
