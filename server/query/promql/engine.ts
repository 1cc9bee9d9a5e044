import { createMatcher, type Matcher, type SeriesSamples } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { type Expr, unparen, walk } from './ast.ts';
import { typeOf } from './check.ts';
import { DEFAULT_EVALUATION_LIMITS, EvaluationContext, type EvaluationLimits } from './context.ts';
import { executionError, parseError } from './errors.ts';
import { Evaluator } from './evaluate.ts';
import { type FoldedShare, foldedShare, foldedWarnings } from './folded.ts';
import { parsePromql } from './parse.ts';
import { aggregateInParts, type Crew, DEFAULT_PART_SAMPLES, partedNodes, partSeriesOf } from './parts.ts';
import { type Fetch, type Plan, type PlanNode, planQuery, printPlan, type QueryTimes, type Steps } from './plan.ts';
import type { RangeSeries } from './range.ts';
import type { Value, VectorSeries } from './values.ts';

/** Prometheus's default lookback, milliseconds. */
export const DEFAULT_LOOKBACK_MS = 300_000;

/** The step of a subquery that names none: Prometheus's default evaluation interval, milliseconds. */
export const DEFAULT_SUBQUERY_STEP_MS = 60_000;

/** When and how a query is evaluated. */
export interface QueryOptions {
  /** First step, milliseconds. An instant query has `startMs` = `endMs`. */
  readonly startMs: number;
  /** The last step is the last one at or before this, milliseconds. */
  readonly endMs: number;
  /** Milliseconds between steps; 0 makes an instant query at `startMs`. */
  readonly stepMs: number;
  /** How far an instant selector looks back, milliseconds. Default 5 minutes. */
  readonly lookbackMs?: number;
  /** The step of subqueries that name none, milliseconds. Default 1 minute. */
  readonly subqueryStepMs?: number;
  /**
   * Whether a function drops the metric's name only at the end of the query, so that `label_replace` can use it. This is
   * Prometheus's `promql-delayed-name-removal`. Default true.
   */
  readonly delayedNameRemoval?: boolean;
  readonly limits?: Partial<EvaluationLimits>;
  /** Pairs of a metric and a label whose values governance folded, as `metric\0label`; what touches them is warned of. */
  readonly folded?: readonly string[];
  /** Cancels the reading, and the evaluation where the signal can be aborted from another thread's memory. */
  readonly signal?: AbortSignal;
  /** Threads that may take parts of the work. */
  readonly crew?: Crew;
  /** About how many samples a part of an aggregation has at least. Default 12,000. */
  readonly partSamples?: number;
  /** Told what each subquery of the plan gives, which statistics count; `node` is the subquery's. */
  readonly onSubquery?: (node: PlanNode, found: readonly RangeSeries[]) => void;
  /** Asked every few series while evaluating, which is synchronous: whether to stop. */
  readonly isCancelled?: () => boolean;
}

/** What a query gives. Timestamps are milliseconds. */
export interface PromResult {
  readonly kind: 'instant' | 'range';
  readonly value: Value | { readonly kind: 'matrix'; readonly series: SeriesSamples[] };
  readonly steps: Steps;
  /** Sorted, in Prometheus's words, with `(line:column)` of the expression. */
  readonly warnings: string[];
  readonly infos: string[];
  /** The most samples, read ones and those of values, that the evaluation held at one time. */
  readonly peakSamples: number;
}

/**
 * Parses, plans, fetches and evaluates a query.
 * @throws BarographError `promql_parse`, `promql_execution`, `query_limit`, `timeout`, `cancelled`.
 */
export async function queryPromql(query: string, options: QueryOptions, reader: MetricReader): Promise<PromResult> {
  const expr = parsePromql(query);
  const instant = options.stepMs === 0;
  const type = typeOf(expr);
  if (!instant && (type === 'matrix' || type === 'string')) {
    const name = type === 'matrix' ? 'range vector' : 'string';
    throw parseError(
      query,
      expr.position,
      `invalid expression type "${name}" for range query, must be Scalar or instant Vector`,
    );
  }
  const { signal } = options;
  const plan = planQuery(query, expr, timesOf(options));
  const context = new EvaluationContext({
    query,
    limits: { ...DEFAULT_EVALUATION_LIMITS, ...options.limits },
    delayedNameRemoval: options.delayedNameRemoval ?? true,
    isCancelled: () => signal?.aborted === true || options.isCancelled?.() === true,
  });
  context.checkTime();
  const { data, given, shares } = await fetchAll(plan, options, reader, context);
  context.checkTime();
  const folded = foldedWarnings(plan.fetches, shares, options.folded ?? []);
  const evaluator = new Evaluator(plan, data, context, options.onSubquery);
  for (const [node, series] of given) evaluator.give(node, series);
  const value = type === 'matrix' ? { kind: 'matrix' as const, series: evaluator.matrix() } : evaluator.run();
  return {
    kind: instant ? 'instant' : 'range',
    value,
    steps: plan.steps,
    warnings: [...context.warnings, ...folded].sort(),
    infos: [...context.infos].sort(),
    peakSamples: context.peakSamples,
  };
}

/** What a plan needs before it can be evaluated. */
interface Fetched {
  /** The answer to each fetch; empty where all that reads it was made in parts. */
  readonly data: readonly (readonly SeriesSamples[])[];
  readonly given: ReadonlyMap<PlanNode, VectorSeries[]>;
  readonly shares: readonly FoldedShare[];
}

async function fetchAll(
  plan: Plan,
  options: QueryOptions,
  reader: MetricReader,
  context: EvaluationContext,
): Promise<Fetched> {
  const { signal, folded = [], partSamples = DEFAULT_PART_SAMPLES } = options;
  const given = new Map<PlanNode, VectorSeries[]>();
  const shares: FoldedShare[] = [];
  const data: SeriesSamples[][] = new Array(plan.fetches.length);
  // Statistics count what each selector holds, which parts never do as a whole.
  const parted = !options.onSubquery && context.delayedNameRemoval ? partedNodes(plan) : [];
  for (const [place, { node, fetch }] of parted.entries()) {
    const scan = await reader.scan(requestOf(plan.fetches[fetch]), signal);
    const partSeries = partSeriesOf(plan.fetches[fetch], scan.ids.length, partSamples);
    if (scan.hasHistograms || scan.ids.length <= partSeries) {
      data[fetch] = await scan.readAll();
      continue;
    }
    const limits = { ...DEFAULT_EVALUATION_LIMITS, ...options.limits };
    const { ids } = scan;
    const { times } = plan;
    const job = { query: plan.query, times, delayedNameRemoval: true, limits, folded, place, ids, partSeries };
    const made = await aggregateInParts(job, plan, scan, options.crew, context);
    if (!made.series) continue;
    given.set(node, made.series);
    shares.push(...made.shares);
    data[fetch] = [];
  }
  const missing = plan.fetches.map(async (fetch, i) => {
    data[i] ??= await reader.select(requestOf(fetch), signal);
  });
  await Promise.all(missing);
  for (const series of data) if (series.length > 0) shares.push(foldedShare(series, folded));
  return { data, given, shares };
}

/** The plan of a query as text. */
export function explainPromql(query: string, options: QueryOptions): string {
  return printPlan(planQuery(query, parsePromql(query), timesOf(options)));
}

function timesOf(options: QueryOptions): QueryTimes {
  const { startMs, endMs, stepMs } = options;
  return {
    startMs,
    endMs: stepMs === 0 ? startMs : endMs,
    stepMs,
    lookbackMs: options.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    subqueryStepMs: options.subqueryStepMs ?? DEFAULT_SUBQUERY_STEP_MS,
  };
}

function requestOf({ matchers, startMs, endMs }: Fetch) {
  return { matchers: matchers.map((m) => createMatcher(m.name, m.op, m.value)), startMs, endMs };
}

/**
 * The matchers of a `match[]` parameter.
 * @throws BarographError `promql_parse` where it is more than a selector.
 */
export function parseSelector(text: string): Matcher[] {
  const expr: Expr = unparen(parsePromql(text));
  if (expr.kind !== 'selector' || expr.offset || expr.at || expr.mode) {
    throw executionError(
      `match[] must be a plain selector such as up{job="a"}, got an expression of kind ${expr.kind}`,
    );
  }
  return expr.matchers.map((m) => createMatcher(m.name, m.op, m.value));
}

/** The matchers of every selector in a query, for exemplars. */
export function selectorsOf(query: string): Matcher[][] {
  const found: Matcher[][] = [];
  walk(parsePromql(query), (expr) => {
    if (expr.kind === 'selector') found.push(expr.matchers.map((m) => createMatcher(m.name, m.op, m.value)));
  });
  return found;
}
