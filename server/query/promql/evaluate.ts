import { bitsOf, METRIC_NAME, type NativeHistogram, type SeriesSamples, withoutLabels } from '../../model/index.ts';
import { aggregate } from './aggregate.ts';
import type { Call, Expr, MatrixSelector, Subquery, VectorSelector } from './ast.ts';
import { unparen } from './ast.ts';
import { binary } from './binary.ts';
import { EvaluationContext, isStepInvariant, type Steps } from './context.ts';
import { executionError } from './errors.ts';
import { absentLabels, absentSeries, INSTANT_FUNCTIONS, mergeEqual } from './functions.ts';
import { WINDOW_FUNCTIONS, type WindowNotes } from './range-functions.ts';
import { fastCounterFunction } from './rate.ts';
import { EXPERIMENTAL_FUNCTIONS } from './signatures.ts';
import { emptySeries, isEmptySeries, type Value, type VectorSeries } from './values.ts';
import { isStaleAt, type Window, type WindowSamples, withoutStale } from './windows.ts';

const NAME_ONLY: ReadonlySet<string> = new Set([METRIC_NAME]);
/** Range functions whose result still is the metric, so that the name stays. */
const KEEPS_NAME: ReadonlySet<string> = new Set(['last_over_time', 'first_over_time']);
/** Gauge functions that say so when they are given a counter, and the reverse. */
const WANTS_COUNTER: ReadonlySet<string> = new Set(['rate', 'increase', 'irate']);

/** Evaluates an expression over every step of the context. */
export function evaluate(expr: Expr, context: EvaluationContext): Value {
  if (context.steps.count > 1 && isStepInvariant(expr) && expr.kind !== 'number' && expr.kind !== 'string') {
    return repeat(evaluate(expr, withSteps(context, { ...context.steps, count: 1 })), context.steps.count);
  }
  switch (expr.kind) {
    case 'number':
      return { kind: 'scalar', values: new Float64Array(context.steps.count).fill(expr.value) };
    case 'string':
      return { kind: 'string', value: expr.value };
    case 'paren':
      return evaluate(expr.expr, context);
    case 'unary':
      return negate(expr.op, evaluate(expr.expr, context), context);
    case 'selector':
      return { kind: 'vector', series: instantSelector(expr, context) };
    case 'matrix':
    case 'subquery':
      throw executionError('BUG: a range vector is evaluated by the function around it');
    case 'binary':
      return binary(expr, evaluate(expr.left, context), evaluate(expr.right, context), context);
    case 'aggregate': {
      const param = expr.param ? evaluate(expr.param, context) : undefined;
      const input = evaluate(expr.expr, context);
      if (input.kind !== 'vector') throw executionError('BUG: an aggregation over no vector');
      const scalars = param?.kind === 'scalar' ? param.values : undefined;
      const name = param?.kind === 'string' ? param.value : '';
      const sorted = (expr.op === 'topk' || expr.op === 'bottomk') && context.steps.count === 1;
      return { kind: 'vector', series: aggregate(expr, input.series, scalars, name, context), sorted };
    }
    case 'call':
      return call(expr, context);
  }
}

function withSteps(context: EvaluationContext, steps: Steps): EvaluationContext {
  // The counters, limits and annotations stay those of the query.
  return Object.assign(Object.create(EvaluationContext.prototype), context, { steps }) as EvaluationContext;
}

/** A value of one step, the same at every step. */
function repeat(value: Value, count: number): Value {
  if (value.kind === 'string') return value;
  if (value.kind === 'scalar') return { kind: 'scalar', values: new Float64Array(count).fill(value.values[0]) };
  const series = value.series.map((one) => ({
    labels: one.labels,
    values: new Float64Array(count).fill(one.values[0]),
    has: new Uint8Array(count).fill(one.has[0]),
    histograms: one.histograms ? new Array<NativeHistogram | undefined>(count).fill(one.histograms[0]) : undefined,
  }));
  return { kind: 'vector', series };
}

function negate(op: '+' | '-', value: Value, context: EvaluationContext): Value {
  if (op === '+' || value.kind === 'string') return value;
  if (value.kind === 'scalar') return { kind: 'scalar', values: value.values.map((v) => -v) };
  const position = { start: 0, end: 0 };
  const minusOne: Expr = { kind: 'number', value: -1, position };
  const product = {
    kind: 'binary',
    op: '*',
    left: minusOne,
    right: minusOne,
    bool: false,
    matching: undefined,
    position,
  } as const;
  return binary(product, value, { kind: 'scalar', values: new Float64Array(context.steps.count).fill(-1) }, context);
}

/** The newest sample of each series within the lookback of each step. */
function instantSelector(expr: VectorSelector, context: EvaluationContext, timestamps = false): VectorSeries[] {
  const { startMs, stepMs, count } = context.steps;
  const found = context.data.get(expr) ?? [];
  context.charge(found.length * count);
  const out: VectorSeries[] = [];
  for (const samples of found) {
    const { timestamps: times, values } = samples;
    const bits = bitsOf(values);
    const result = emptySeries(samples.labels, count);
    const histograms = samples.histograms && !timestamps ? new Array<NativeHistogram | undefined>(count) : undefined;
    let at = 0;
    let any = false;
    for (let step = 0; step < count; step++) {
      const time = context.shifted(expr, startMs + step * stepMs);
      while (at < times.length && times[at] <= time) at++;
      const newest = at - 1;
      // The lookback is open on the left.
      if (newest < 0 || times[newest] <= time - context.lookbackMs || isStaleAt(samples, bits, newest)) continue;
      any = true;
      result.has[step] = 1;
      const histogram = samples.histograms?.[newest];
      if (timestamps) result.values[step] = times[newest] / 1000;
      else if (histogram && histograms) histograms[step] = histogram;
      else result.values[step] = values[newest];
    }
    if (any) out.push(histograms ? { ...result, histograms } : result);
  }
  return out;
}

function call(expr: Call, context: EvaluationContext): Value {
  if (EXPERIMENTAL_FUNCTIONS.has(expr.name)) {
    context.info(`the function ${expr.name} is experimental`, expr.position);
  }
  const window = WINDOW_FUNCTIONS.get(expr.name);
  const matrixIndex = expr.args.findIndex((arg) => isMatrix(arg));
  if (expr.name === 'absent_over_time') {
    const arg = unparen(expr.args[0]) as MatrixSelector | Subquery;
    const present = overWindows({ ...expr, name: 'present_over_time' }, arg, [], context);
    return { kind: 'vector', series: absentSeries(absentLabels(arg), present, context.steps.count) };
  }
  if (window && matrixIndex >= 0) {
    const scalars = expr.args
      .filter((_, i) => i !== matrixIndex)
      .map((arg) => (evaluate(arg, context) as { values: Float64Array }).values);
    const arg = unparen(expr.args[matrixIndex]) as MatrixSelector | Subquery;
    return { kind: 'vector', series: overWindows(expr, arg, scalars, context) };
  }
  if (expr.name === 'timestamp') return timestamp(expr, context);
  const instant = INSTANT_FUNCTIONS.get(expr.name);
  if (!instant) throw executionError(`BUG: the function ${expr.name} has a signature and no implementation`);
  return instant({ call: expr, args: expr.args.map((arg) => evaluate(arg, context)), context });
}

function isMatrix(expr: Expr): boolean {
  const inner = unparen(expr);
  return inner.kind === 'matrix' || inner.kind === 'subquery';
}

/** `timestamp()` of a selector is the time of the sample itself; of anything else that of the step. */
function timestamp(expr: Call, context: EvaluationContext): Value {
  const arg = unparen(expr.args[0]);
  const withoutName = (series: VectorSeries) => ({ ...series, labels: withoutLabels(series.labels, NAME_ONLY) });
  if (arg.kind === 'selector') {
    return { kind: 'vector', series: mergeEqual(instantSelector(arg, context, true).map(withoutName), context) };
  }
  const input = evaluate(arg, context);
  if (input.kind !== 'vector') throw executionError('BUG: timestamp of no vector');
  const { startMs, stepMs } = context.steps;
  const series = input.series.map((one) => ({
    ...withoutName(one),
    values: Float64Array.from(one.values, (_, i) => (startMs + i * stepMs) / 1000),
    histograms: undefined,
  }));
  return { kind: 'vector', series };
}

interface RangeInput {
  readonly samples: SeriesSamples;
  readonly floats: WindowSamples;
}

function overWindows(
  expr: Call,
  arg: MatrixSelector | Subquery,
  scalars: readonly Float64Array[],
  context: EvaluationContext,
): VectorSeries[] {
  const { startMs, stepMs, count } = context.steps;
  const anchor = arg.kind === 'matrix' ? arg.selector : arg;
  const found = arg.kind === 'matrix' ? (context.data.get(arg.selector) ?? []) : subquerySamples(arg, context);
  const input: RangeInput[] = found.map((samples) => ({ samples, floats: withoutStale(samples) }));
  context.charge(input.reduce((sum, { floats }) => sum + floats.timestamps.length, input.length * count));
  const notes = windowNotes(expr, arg, context);
  const f = WINDOW_FUNCTIONS.get(expr.name);
  if (!f) throw executionError(`BUG: ${expr.name} is no range function`);
  const ends = new Float64Array(count);
  for (let step = 0; step < count; step++) ends[step] = context.shifted(anchor, startMs + step * stepMs);
  const out: VectorSeries[] = [];
  for (const { samples, floats } of input) {
    const labels = KEEPS_NAME.has(expr.name) ? samples.labels : withoutLabels(samples.labels, NAME_ONLY);
    const fast = floats.histograms ? undefined : fastCounterFunction(expr.name);
    const series = fast
      ? fast(labels, floats, ends, arg.rangeMs)
      : slowWindows(f, labels, floats, ends, arg.rangeMs, scalars, notes, context);
    if (!isEmptySeries(series)) out.push(series);
  }
  if (out.length > 0 && WANTS_COUNTER.has(expr.name)) hintAtCounters(arg, found, context);
  return KEEPS_NAME.has(expr.name) ? out : mergeEqual(out, context);
}

function slowWindows(
  f: NonNullable<ReturnType<typeof WINDOW_FUNCTIONS.get>>,
  labels: SeriesSamples['labels'],
  samples: WindowSamples,
  ends: Float64Array,
  rangeMs: number,
  scalars: readonly Float64Array[],
  notes: WindowNotes,
  context: EvaluationContext,
): VectorSeries {
  const count = ends.length;
  const result = emptySeries(labels, count);
  let histograms: (NativeHistogram | undefined)[] | undefined;
  const { timestamps } = samples;
  let [from, to] = [0, 0];
  for (let step = 0; step < count; step++) {
    const endMs = ends[step];
    const startMs = endMs - rangeMs;
    while (to < timestamps.length && timestamps[to] <= endMs) to++;
    while (from < to && timestamps[from] <= startMs) from++;
    const window: Window = { samples, from, to, startMs, endMs };
    // `predict_linear` predicts from the time of the step; the others don't look at the last argument.
    const args = scalars.map((values) => values[step]);
    args.push(context.steps.startMs + step * context.steps.stepMs);
    const value = f(window, args, notes);
    if (value === undefined) continue;
    result.has[step] = 1;
    if (typeof value === 'number') result.values[step] = value;
    else (histograms ??= new Array<NativeHistogram | undefined>(count))[step] = value;
  }
  return histograms ? { ...result, histograms } : result;
}

function windowNotes(expr: Call, arg: MatrixSelector | Subquery, context: EvaluationContext): WindowNotes {
  const { position } = arg;
  return {
    mixed: () => context.warn('encountered a mix of histograms and floats', position),
    histogramIgnored: () =>
      context.info(`ignored histograms in a range containing both floats and histograms for ${expr.name}`, position),
    incompatible: () => context.warn('vector contains histograms with incompatible custom buckets', position),
  };
}

const COUNTER_NAME = /(_total|_sum|_count|_bucket)$/;

/** `rate` of something that isn't named like a counter is probably a mistake; native histograms are counters. */
function hintAtCounters(
  arg: MatrixSelector | Subquery,
  found: readonly SeriesSamples[],
  context: EvaluationContext,
): void {
  if (arg.kind !== 'matrix') return;
  const name = arg.selector.matchers.find((m) => m.name === METRIC_NAME && m.op === '=')?.value;
  if (name === undefined || COUNTER_NAME.test(name) || found.some((series) => series.histograms)) return;
  context.info(
    `metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "${name}"`,
    arg.position,
  );
}

/** A subquery's inner expression evaluated at its own steps, which lie on multiples of the step. */
function subquerySamples(expr: Subquery, context: EvaluationContext): SeriesSamples[] {
  const stepMs = expr.stepMs || DEFAULT_SUBQUERY_STEP_MS;
  const { startMs, stepMs: outerStep, count } = context.steps;
  const first = context.shifted(expr, startMs) - expr.rangeMs;
  const last = context.shifted(expr, startMs + (count - 1) * outerStep);
  let from = Math.floor(first / stepMs) * stepMs;
  if (from <= first) from += stepMs;
  const steps = Math.max(0, Math.floor((last - from) / stepMs) + 1);
  if (steps === 0) return [];
  const inner = evaluate(expr.expr, withSteps(context, { startMs: from, stepMs, count: steps }));
  if (inner.kind !== 'vector') throw executionError('BUG: a subquery over no vector');
  return inner.series.map((series) => {
    const timestamps: number[] = [];
    const values: number[] = [];
    const histograms: (NativeHistogram | undefined)[] = [];
    for (let i = 0; i < steps; i++) {
      if (!series.has[i]) continue;
      timestamps.push(from + i * stepMs);
      values.push(series.values[i]);
      histograms.push(series.histograms?.[i]);
    }
    return {
      labels: series.labels,
      timestamps: Float64Array.from(timestamps),
      values: Float64Array.from(values),
      histograms: series.histograms ? histograms : undefined,
    };
  });
}

/** The step of a subquery that names none: Prometheus's default evaluation interval. */
export const DEFAULT_SUBQUERY_STEP_MS = 60_000;

/** The samples of a matrix selector as an instant query at the top level shows them. */
export function matrixSamples(expr: MatrixSelector | Subquery, context: EvaluationContext): SeriesSamples[] {
  const anchor = expr.kind === 'matrix' ? expr.selector : expr;
  const endMs = context.shifted(anchor, context.steps.startMs);
  const found = expr.kind === 'matrix' ? (context.data.get(expr.selector) ?? []) : subquerySamples(expr, context);
  return found.flatMap((series) => {
    const { timestamps, values, histograms } = withoutStale(series);
    let from = 0;
    while (from < timestamps.length && timestamps[from] <= endMs - expr.rangeMs) from++;
    let to = from;
    while (to < timestamps.length && timestamps[to] <= endMs) to++;
    if (from === to) return [];
    return [
      {
        labels: series.labels,
        timestamps: timestamps.subarray(from, to),
        values: values.subarray(from, to),
        histograms: histograms?.slice(from, to),
      },
    ];
  });
}
