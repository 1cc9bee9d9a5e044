import type { Span } from '../../model/index.ts';
import type { TraceReader } from '../../store/index.ts';
import { calculate } from './arithmetic.ts';
import type { AttributeField, IntrinsicField, MetricsExpr, Pipeline } from './ast.ts';
import { candidateSpans, candidateTraces, type Scan } from './candidates.ts';
import { invalidQuery, limitError, unsupportedQuery } from './errors.ts';
import { compilePipeline, wholeTrace } from './evaluate.ts';
import { compareValues, compileField, compileTest, isLocal, type Value } from './field.ts';
import { parseTraceql } from './parse.ts';
import { planSearch } from './plan.ts';
import { printField } from './print.ts';
import { TimeBuckets } from './time-buckets.ts';
import type { TraceView } from './trace-view.ts';

/** What a metrics query is asked over. */
export interface TraceMetricsParams {
  readonly startNs: bigint;
  readonly endNs: bigint;
  /** Nanoseconds between samples; 0 makes one sample of the whole range (an instant query). */
  readonly stepNs: bigint;
  readonly signal?: AbortSignal;
}

/** A series: what its spans have in common, and a value a sample; `NaN` where there is none. */
export interface TraceSeries {
  readonly labels: readonly { readonly name: string; readonly value: Value }[];
  readonly values: Float64Array;
}

/** A metrics query's answer. */
export interface TraceMetricsResult {
  /** Time of each sample; it counts spans that started after the one before, up to and including it. */
  readonly timestampsMs: readonly number[];
  readonly series: readonly TraceSeries[];
  readonly inspectedSpans: number;
}

const MAX_STEPS = 11_000;
const MAX_SERIES = 1000;
/** Traces loaded at a time where a pipeline looks at whole traces. */
const GROUP = 16;

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
}

/**
 * Runs a metrics query such as `{ status = error } | rate() by (resource.service.name)`. The range is widened to whole
 * steps since the epoch, so that samples don't move between two refreshes. Durations count in seconds.
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
  const scan: Scan = {
    startNs: grid.startNs + 1n,
    endNs: grid.startNs + grid.stepNs * BigInt(grid.count) + 1n,
    signal: params.signal,
    inspectedTraces: 0,
    inspectedSpans: 0,
  };
  const series = await evaluateSeries(expr.metrics, { grid, scan, reader });
  const timestampsMs = Array.from({ length: grid.count }, (_, k) =>
    Number((grid.startNs + grid.stepNs * BigInt(k + 1)) / 1_000_000n),
  );
  return { timestampsMs, series, inspectedSpans: scan.inspectedSpans };
}

function gridOf({ startNs, endNs, stepNs }: TraceMetricsParams): Grid {
  if (endNs <= startNs) throw invalidQuery('time range', 'the end is not after the start');
  if (stepNs < 0n) throw invalidQuery('step', `a step of ${stepNs} ns`, 'use a positive step');
  if (stepNs === 0n) return { startNs, stepNs: endNs - startNs, count: 1 };
  const first = startNs / stepNs;
  const count = (endNs + stepNs - 1n) / stepNs - first;
  if (count > BigInt(MAX_STEPS))
    throw limitError('samples of a TraceQL query', String(count), MAX_STEPS, 'use a longer step or a shorter range');
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
      const kept = input.map(({ labels, values }) => ({
        labels,
        values: values.map((value) => (compareValues(expr.op, value, expr.value) ? value : Number.NaN)),
      }));
      return kept.filter(({ values }) => values.some((value) => !Number.isNaN(value)));
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
  const out = input.map(({ labels, values }) => ({
    labels,
    from: values,
    values: new Float64Array(count).fill(Number.NaN),
  }));
  for (let k = 0; k < count; k++) {
    const present = out.filter(({ from }) => !Number.isNaN(from[k]));
    present.sort((a, b) => (op === 'topk' ? b.from[k] - a.from[k] : a.from[k] - b.from[k]));
    for (const series of present.slice(0, limit)) series.values[k] = series.from[k];
  }
  return out
    .filter(({ values }) => values.some((value) => !Number.isNaN(value)))
    .map(({ labels, values }) => ({ labels, values }));
}

type SeriesExpr = MetricsExpr & { kind: 'series' };
type Visit = (span: Span, trace: TraceView | undefined) => void;

async function scanSeries(expr: SeriesExpr, context: Context): Promise<TraceSeries[]> {
  if (expr.op === 'compare') throw unsupportedQuery('compare()', 'the other metrics functions, such as rate() by (…)');
  const { grid } = context;
  const by = expr.by.map((field) => ({ name: printField(field), read: compileField(field) }));
  const value = expr.field === undefined ? undefined : compileField(expr.field);
  const scale = expr.field?.kind === 'intrinsic' && DURATIONS.has(expr.field.name) ? 1e-9 : 1;
  const groups = new Map<string, { labels: TraceSeries['labels']; buckets: TimeBuckets }>();
  const shared = {
    op: expr.op,
    params: expr.params,
    count: grid.count,
    seconds: Number(grid.stepNs) / 1e9,
    samples: { kept: 0 },
  };
  const visit: Visit = (span, trace) => {
    const number = value === undefined ? 1 : value(span, trace);
    if (typeof number !== 'number') return;
    const values = by.map(({ read }) => read(span, trace));
    const key = JSON.stringify(values, (_name, part: unknown) => (part === undefined ? { nil: true } : part));
    let group = groups.get(key);
    if (group === undefined) {
      if (groups.size >= MAX_SERIES)
        throw limitError(
          'series of a TraceQL query',
          `more than ${MAX_SERIES}`,
          MAX_SERIES,
          'group by fewer attributes',
        );
      const labels =
        by.length === 0
          ? [{ name: '__name__', value: expr.op }]
          : by.map(({ name }, i) => ({ name, value: values[i] }));
      group = { labels, buckets: new TimeBuckets(shared) };
      groups.set(key, group);
    }
    // A bucket holds what started after the sample before, up to and including its own.
    group.buckets.add(Number((span.startNs - grid.startNs - 1n) / grid.stepNs), number * scale);
  };
  await eachMatch(expr.pipeline, [...expr.by, ...(expr.field ? [expr.field] : [])], context, visit);
  if (groups.size === 0 && by.length === 0)
    groups.set('', { labels: [{ name: '__name__', value: expr.op }], buckets: new TimeBuckets(shared) });
  // In the order of their labels, so that equal values are ranked the same way every time.
  const sorted = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, { labels, buckets }]) => buckets.finish(labels));
}

const DURATIONS: ReadonlySet<string> = new Set(['span:duration', 'trace:duration', 'event:timeSinceStart']);

/** Visits the spans that a pipeline leaves and that start in the range. Filters of single spans need no traces loaded. */
async function eachMatch(
  pipeline: Pipeline,
  read: readonly (AttributeField | IntrinsicField)[],
  { scan, reader }: Context,
  visit: Visit,
): Promise<void> {
  const plan = planSearch(pipeline);
  const filters = pipeline.stages.map((stage) =>
    stage.kind === 'filter' && isLocal(stage.expr) ? compileTest(stage.expr) : undefined,
  );
  if (read.every(isLocal) && filters.every((test) => test !== undefined)) {
    for await (const span of candidateSpans(plan, scan, reader)) {
      if (filters.every((test) => test(span, undefined))) visit(span, undefined);
    }
    return;
  }
  const run = compilePipeline(pipeline);
  for await (const trace of candidateTraces(plan, scan, () => GROUP, reader)) {
    const found = new Set(run(trace, wholeTrace(trace)).flatMap(({ spans }) => spans));
    for (const span of found) if (span.startNs >= scan.startNs && span.startNs < scan.endNs) visit(span, trace);
  }
}
