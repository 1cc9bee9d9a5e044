import type { Span } from '../../model/index.ts';
import type { SpanPart, TraceReader } from '../../store/index.ts';
import { calculate } from './arithmetic.ts';
import type { FieldExpr, Hint, MetricsExpr, Pipeline } from './ast.ts';
import { candidateSpans, openScan, type Scan, visitCandidateTraces } from './candidates.ts';
import { Comparison } from './compare.ts';
import { invalidQuery, limitError } from './errors.ts';
import { compilePipeline, wholeTrace } from './evaluate.ts';
import type { Exemplar } from './exemplars.ts';
import { compareValues, compileField, compileTest, isLocal, type Value } from './field.ts';
import { DEFAULT_TRACEQL_LIMITS, type TraceqlLimits } from './limits.ts';
import { parseTraceql } from './parse.ts';
import { planSearch } from './plan.ts';
import { printField } from './print.ts';
import { Budget, TimeBuckets } from './time-buckets.ts';
import type { TraceView } from './trace-view.ts';

/** What a metrics query is asked over. */
export interface TraceMetricsParams {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /**
   * Nanoseconds between samples; 0 makes one sample of the whole range (an instant query). By default about 240 samples,
   * as in Tempo.
   */
  readonly stepNs?: bigint;
  /** Exemplars of each series at most, up to 100; the hint `with (exemplars=…)` goes before. Default 0. */
  readonly exemplars?: number;
  readonly signal?: AbortSignal;
  readonly limits?: Partial<TraceqlLimits>;
}

/** A series: what its spans have in common, and a value a sample; `NaN` where there is none. */
export interface TraceSeries {
  readonly labels: readonly SeriesLabel[];
  readonly values: Float64Array;
  readonly exemplars?: readonly Exemplar[];
  /** Says something about the answer and has no samples. */
  readonly isMark?: boolean;
}

/** A label; numbers are integers unless `isFloat`. */
export interface SeriesLabel {
  readonly name: string;
  readonly value: Value;
  readonly isFloat?: boolean;
}

/** A metrics query's answer. */
export interface TraceMetricsResult {
  /** Time of each sample; it counts spans that started after the one before, up to and including it. */
  readonly timestampsMs: readonly number[];
  readonly series: readonly TraceSeries[];
  readonly inspectedSpans: number;
  /** What is missing, where there are more series than are answered; those that are there are whole. */
  readonly partial: string | undefined;
}

const MAX_STEPS = 11_000;
/** Series of one metrics function; Tempo's `max_response_series`. */
const MAX_SERIES = 1000;
const MAX_EXEMPLARS = 100;
/** Traces of the first read where a pipeline looks at whole traces: all of them will be needed. */
const FIRST_GROUP = 256;

interface Grid {
  /** The first sample counts spans after this moment. */
  readonly startNs: bigint;
  readonly stepNs: bigint;
  readonly count: number;
}

interface Context {
  readonly grid: Grid;
  readonly scan: Scan;
  readonly reader: TraceReader;
  readonly budget: Budget;
  readonly exemplars: number;
  /** Whether series beyond the limit may be left out and the answer marked, because nothing is computed from them. */
  readonly mayBePartial: boolean;
  partial: string | undefined;
}

/**
 * Runs a metrics query such as `{ status = error } | rate() by (resource.service.name)`. The range is widened to whole
 * steps since the epoch, so that samples don't move between two refreshes. Durations count in seconds.
 *
 * Of more series than 1000 the first that were found are answered and the rest is left out, marked in `partial`, as Tempo
 * does. Where numbers are computed from series (arithmetic, `topk`, an instant query, whose answer has no room for a
 * mark) and past every other limit the query fails with `query_limit`.
 * @throws BarographError `traceql_syntax`, `traceql_invalid`, `traceql_unsupported`, `query_limit`, `cancelled`.
 */
export async function queryTraceMetrics(
  text: string,
  params: TraceMetricsParams,
  reader: TraceReader,
): Promise<TraceMetricsResult> {
  const expr = parseTraceql(text);
  if (expr.kind !== 'metrics') {
    throw invalidQuery(
      'TraceQL query',
      'it selects spans and makes no numbers',
      'end it with a metrics function: { } | rate()',
    );
  }
  const grid = gridOf(params);
  const context: Context = {
    grid,
    scan: openScan({
      startNs: grid.startNs + 1n,
      endNs: grid.startNs + grid.stepNs * BigInt(grid.count) + 1n,
      limits: { ...DEFAULT_TRACEQL_LIMITS, ...params.limits },
      signal: params.signal,
    }),
    reader,
    budget: new Budget(),
    exemplars: exemplarsOf(expr.hints, params.exemplars ?? 0),
    mayBePartial: params.stepNs !== 0n && showsSeriesAsTheyAre(expr.metrics),
    partial: undefined,
  };
  const series = await evaluateSeries(expr.metrics, context);
  const timestampsMs = Array.from({ length: grid.count }, (_, k) =>
    Number((grid.startNs + grid.stepNs * BigInt(k + 1)) / 1_000_000n),
  );
  return { timestampsMs, series, inspectedSpans: context.scan.inspectedSpans, partial: context.partial };
}

/** The hint is a number, or whether there are any; without a hint it is what the request asks for. */
function exemplarsOf(hints: readonly Hint[], asked: number): number {
  const hint = hints.find(({ name }) => name === 'exemplars')?.value;
  if (hint?.kind === 'bool') return hint.value ? MAX_EXEMPLARS : 0;
  const count = hint?.kind === 'int' ? hint.value : asked;
  return Math.max(0, Math.min(MAX_EXEMPLARS, count));
}

function showsSeriesAsTheyAre(expr: MetricsExpr): boolean {
  return expr.kind === 'series' || (expr.kind === 'filter' && showsSeriesAsTheyAre(expr.input));
}

const SECOND_NS = 1_000_000_000n;

/** About 240 samples, in whole multiples of 5 s where they are at least as long, else of 1 s; as in Tempo. */
function defaultStepNs(rangeNs: bigint): bigint {
  const wanted = rangeNs / 240n;
  const unit = wanted >= 5n * SECOND_NS ? 5n * SECOND_NS : SECOND_NS;
  return wanted < SECOND_NS ? SECOND_NS : (wanted / unit) * unit;
}

function gridOf({ startNs, endNs, stepNs = defaultStepNs(endNs - startNs) }: TraceMetricsParams): Grid {
  if (endNs <= startNs) throw invalidQuery('time range', 'the end is not after the start');
  if (stepNs < 0n) throw invalidQuery('step', `a step of ${stepNs} ns`, 'use a positive step');
  if (stepNs === 0n) return { startNs, stepNs: endNs - startNs, count: 1 };
  const first = startNs / stepNs;
  const count = (endNs + stepNs - 1n) / stepNs - first;
  if (count > BigInt(MAX_STEPS))
    throw limitError(
      'samples of a TraceQL query',
      `${count}`,
      'samples',
      MAX_STEPS,
      'use a longer step or a shorter range',
    );
  return { startNs: first * stepNs, stepNs, count: Number(count) };
}

async function evaluateSeries(expr: MetricsExpr, context: Context): Promise<TraceSeries[]> {
  switch (expr.kind) {
    case 'series':
      return scanSeries(expr, context);
    case 'number':
      return [{ labels: [], values: new Float64Array(context.grid.count).fill(expr.value) }];
    case 'rank':
      return rank(expr.op, expr.limit, await evaluateSeries(expr.input, context), context.grid.count);
    case 'filter': {
      const input = await evaluateSeries(expr.input, context);
      const kept = input.map((series) => ({
        ...series,
        values: series.values.map((value) => (compareValues(expr.op, value, expr.value) ? value : Number.NaN)),
      }));
      return kept.filter(({ values, isMark }) => isMark || values.some((value) => !Number.isNaN(value)));
    }
    case 'arithmetic': {
      const left = await evaluateSeries(expr.left, context);
      const right = await evaluateSeries(expr.right, context);
      return combine(expr, left, right);
    }
  }
}

/** Series of both sides meet by their labels; a number meets every series. */
function combine(
  expr: MetricsExpr & { kind: 'arithmetic' },
  left: readonly TraceSeries[],
  right: readonly TraceSeries[],
): TraceSeries[] {
  const apply = (a: TraceSeries, b: TraceSeries, labels: TraceSeries['labels']) => ({
    labels,
    values: a.values.map((value, k) => calculate(expr.op, value, b.values[k])),
  });
  if (expr.right.kind === 'number') return left.map((a) => apply(a, right[0], a.labels));
  if (expr.left.kind === 'number') return right.map((b) => apply(left[0], b, b.labels));
  const key = ({ labels }: TraceSeries) => JSON.stringify(labels.filter(({ name }) => name !== '__name__'));
  const partners = new Map(right.map((series) => [key(series), series]));
  return left.flatMap((a) => {
    const b = partners.get(key(a));
    return b === undefined ? [] : [apply(a, b, a.labels)];
  });
}

/** The first `limit` series at each sample; a series that is never among them is left out. */
function rank(op: 'topk' | 'bottomk', limit: number, input: readonly TraceSeries[], count: number): TraceSeries[] {
  const out = input.map((series) => ({
    series,
    from: series.values,
    values: new Float64Array(count).fill(Number.NaN),
  }));
  for (let k = 0; k < count; k++) {
    const present = out.filter(({ from }) => !Number.isNaN(from[k]));
    present.sort((a, b) => (op === 'topk' ? b.from[k] - a.from[k] : a.from[k] - b.from[k]));
    for (const series of present.slice(0, limit)) series.values[k] = series.from[k];
  }
  return out
    .filter(({ values }) => values.some((value) => !Number.isNaN(value)))
    .map(({ series, values }) => ({ ...series, values }));
}

type SeriesExpr = MetricsExpr & { kind: 'series' };
type Visit = (span: Span, trace: TraceView | undefined) => void;

async function scanSeries(expr: SeriesExpr, context: Context): Promise<TraceSeries[]> {
  if (expr.op === 'compare') return compareSpans(expr, context);
  const { grid } = context;
  const by = expr.by.map((field) => ({ name: printField(field), read: compileField(field) }));
  const value = expr.field === undefined ? undefined : compileField(expr.field);
  const groups = new Map<string, { labels: TraceSeries['labels']; buckets: TimeBuckets }>();
  const shared = {
    op: expr.op,
    params: expr.params,
    count: grid.count,
    seconds: Number(grid.stepNs) / 1e9,
    scale: expr.field?.kind === 'intrinsic' && DURATIONS.has(expr.field.name) ? 1e-9 : 1,
    exemplars: context.exemplars,
    budget: context.budget,
  };
  const visit: Visit = (span, trace) => {
    const number = value === undefined ? 1 : value(span, trace);
    if (typeof number !== 'number') return;
    const values = by.map(({ read }) => read(span, trace));
    const key = values.length === 0 ? '' : keyOf(values);
    let group = groups.get(key);
    if (group === undefined) {
      if (groups.size >= MAX_SERIES) return refuseSeries(context);
      const labels =
        by.length === 0
          ? [{ name: '__name__', value: expr.op }]
          : by.map(({ name }, i) => ({ name, value: values[i] }));
      group = { labels, buckets: new TimeBuckets(shared) };
      groups.set(key, group);
    }
    group.buckets.add(sampleOf(grid, span), number, span);
  };
  await eachMatch(expr.pipeline, { fields: [...expr.by, ...(expr.field ? [expr.field] : [])] }, context, visit);
  if (groups.size === 0 && by.length === 0)
    groups.set('', { labels: [{ name: '__name__', value: expr.op }], buckets: new TimeBuckets(shared) });
  // In the order of their labels, so that equal values are ranked the same way every time.
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, { labels, buckets }]) => buckets.finish(labels));
}

function keyOf(values: readonly Value[]): string {
  return JSON.stringify(values, (_name, part: unknown) => (part === undefined ? { nil: true } : part));
}

/** A sample counts what started after the sample before, up to and including its own moment. */
function sampleOf(grid: Grid, span: Span): number {
  return Number((span.startNs - grid.startNs - 1n) / grid.stepNs);
}

/** @throws BarographError `query_limit` where the answer can't be marked as partial. */
function refuseSeries(context: Context): void {
  if (context.mayBePartial) {
    context.partial = `more than ${MAX_SERIES} series, of which the first ${MAX_SERIES} found are here; group by fewer attributes`;
    return;
  }
  const what = 'series of a TraceQL query';
  throw limitError(what, `more than ${MAX_SERIES}`, 'series', MAX_SERIES, 'group by fewer attributes');
}

async function compareSpans(expr: SeriesExpr, context: Context): Promise<TraceSeries[]> {
  const comparison = new Comparison(expr, context.grid.count, context.budget);
  const selection = expr.selection?.kind === 'filter' && expr.selection.expr ? [expr.selection.expr] : [];
  const needs = { fields: selection, parts: ['attributes', 'resource', 'details'] as const };
  await eachMatch(expr.pipeline, needs, context, (span, trace) =>
    comparison.add(sampleOf(context.grid, span), span, trace),
  );
  return comparison.finish();
}

const DURATIONS: ReadonlySet<string> = new Set(['span:duration', 'trace:duration', 'event:timeSinceStart']);

/** What a metrics function reads of the spans that it gets. */
interface Needs {
  readonly fields: readonly FieldExpr[];
  readonly parts?: readonly SpanPart[];
}

/** Visits the spans that a pipeline leaves and that start in the range. Filters of single spans need no traces loaded. */
async function eachMatch(
  pipeline: Pipeline,
  { fields, parts }: Needs,
  { scan, reader }: Context,
  visit: Visit,
): Promise<void> {
  const plan = planSearch(pipeline, fields, parts);
  const filters = pipeline.stages.map((stage) =>
    stage.kind === 'filter' && isLocal(stage.expr) ? compileTest(stage.expr) : undefined,
  );
  if (fields.every(isLocal) && filters.every((test) => test !== undefined)) {
    // The first filter is the plan's seed; what reads the spans has applied it.
    const others = filters.slice(1);
    const spanParts = [...new Set([...plan.spanParts, ...plan.traceParts])];
    for await (const batch of candidateSpans({ ...plan, spanParts }, scan, reader)) {
      for (const span of batch) if (others.every((test) => test(span, undefined))) visit(span, undefined);
    }
    return;
  }
  const run = compilePipeline(pipeline);
  await visitCandidateTraces(plan, scan, reader, {
    firstGroup: FIRST_GROUP,
    visit: (trace) => {
      const found = new Set(run(trace, wholeTrace(trace)).flatMap(({ spans }) => spans));
      for (const span of found) if (span.startNs >= scan.startNs && span.startNs < scan.endNs) visit(span, trace);
    },
    isDone: () => false,
  });
}
