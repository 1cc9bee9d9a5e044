import { createMatcher, type SeriesSamples } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { type Expr, unparen, type VectorSelector, walk } from './ast.ts';
import { typeOf } from './check.ts';
import { DEFAULT_EVALUATION_LIMITS, EvaluationContext, type EvaluationLimits, type Steps } from './context.ts';
import { executionError } from './errors.ts';
import { DEFAULT_SUBQUERY_STEP_MS, evaluate, matrixSamples } from './evaluate.ts';
import { parsePromql } from './parse.ts';
import { planQuery, printPlan } from './plan.ts';
import type { Value } from './values.ts';

/** Prometheus's default lookback. */
export const DEFAULT_LOOKBACK_MS = 300_000;

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
  readonly limits?: Partial<EvaluationLimits>;
  readonly signal?: AbortSignal;
}

/** What a query gives. Timestamps are milliseconds. */
export interface PromResult {
  readonly kind: 'instant' | 'range';
  readonly value: Value | { readonly kind: 'matrix'; readonly series: SeriesSamples[] };
  readonly steps: Steps;
  readonly warnings: string[];
  readonly infos: string[];
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
    throw executionError(
      `invalid expression type "${type === 'matrix' ? 'range vector' : 'string'}" for range query, must be Scalar or instant Vector`,
    );
  }
  const steps = stepsOf(options);
  const lookbackMs = options.lookbackMs ?? DEFAULT_LOOKBACK_MS;
  const plan = planQuery(expr, steps, lookbackMs, DEFAULT_SUBQUERY_STEP_MS);
  const limits = { ...DEFAULT_EVALUATION_LIMITS, ...options.limits };
  const data = await fetchAll(plan.fetches, reader, options.signal);
  const context = new EvaluationContext({
    query,
    steps,
    lookbackMs,
    data,
    queryStartMs: options.startMs,
    queryEndMs: options.endMs,
    limits,
    signal: options.signal,
  });
  const inner = unparen(expr);
  const value =
    inner.kind === 'matrix' || inner.kind === 'subquery'
      ? { kind: 'matrix' as const, series: matrixSamples(inner, context) }
      : evaluate(expr, context);
  return {
    kind: instant ? 'instant' : 'range',
    value,
    steps,
    warnings: [...context.warnings].sort(),
    infos: [...context.infos].sort(),
  };
}

/** The plan of a query as text. */
export function explainPromql(query: string, options: QueryOptions): string {
  return printPlan(
    planQuery(
      parsePromql(query),
      stepsOf(options),
      options.lookbackMs ?? DEFAULT_LOOKBACK_MS,
      DEFAULT_SUBQUERY_STEP_MS,
    ),
  );
}

function stepsOf({ startMs, endMs, stepMs }: QueryOptions): Steps {
  if (stepMs === 0) return { startMs, stepMs: 1, count: 1 };
  return { startMs, stepMs, count: endMs < startMs ? 0 : Math.floor((endMs - startMs) / stepMs) + 1 };
}

async function fetchAll(
  fetches: readonly { selector: VectorSelector; startMs: number; endMs: number }[],
  reader: MetricReader,
  signal: AbortSignal | undefined,
): Promise<Map<VectorSelector, SeriesSamples[]>> {
  const data = new Map<VectorSelector, SeriesSamples[]>();
  // Selectors that ask for the same thing are read once.
  const running = new Map<string, Promise<SeriesSamples[]>>();
  await Promise.all(
    fetches.map(async ({ selector, startMs, endMs }) => {
      const key = JSON.stringify([selector.matchers, startMs, endMs]);
      let read = running.get(key);
      if (!read) {
        const matchers = selector.matchers.map((m) => createMatcher(m.name, m.op, m.value));
        read = reader.select({ matchers, startMs, endMs }, signal);
        running.set(key, read);
      }
      data.set(selector, await read);
    }),
  );
  return data;
}

/**
 * The matchers of a `match[]` parameter.
 * @throws BarographError `promql_parse` where it is more than a selector.
 */
export function parseSelector(text: string): ReturnType<typeof createMatcher>[] {
  const expr: Expr = parsePromql(text);
  if (expr.kind !== 'selector' || expr.offsetMs !== 0 || expr.at) {
    throw executionError(
      `match[] must be a plain selector such as up{job="a"}, got an expression of kind ${expr.kind}`,
    );
  }
  return expr.matchers.map((m) => createMatcher(m.name, m.op, m.value));
}

/** The matchers of every selector in a query, for exemplars. */
export function selectorsOf(query: string): ReturnType<typeof createMatcher>[][] {
  const found: VectorSelector[] = [];
  walk(parsePromql(query), (expr) => {
    if (expr.kind === 'selector') found.push(expr);
  });
  return found.map((selector) => selector.matchers.map((m) => createMatcher(m.name, m.op, m.value)));
}
