import { BarographError, type SeriesSamples } from '../../model/index.ts';
import type { Expr, Position, Subquery, VectorSelector } from './ast.ts';
import { lineColumn } from './errors.ts';

/** The evaluation steps of a query or of a subquery within it. */
export interface Steps {
  /** Milliseconds of the first step. */
  readonly startMs: number;
  /** Milliseconds between steps, > 0. */
  readonly stepMs: number;
  /** Number of steps, ≥ 0. */
  readonly count: number;
}

/** Bounds of one evaluation. */
export interface EvaluationLimits {
  /** Samples (input and intermediate) that one query may hold. */
  readonly maxSamples: number;
  /** Wall-clock milliseconds. */
  readonly timeoutMs: number;
}

export const DEFAULT_EVALUATION_LIMITS: EvaluationLimits = { maxSamples: 50_000_000, timeoutMs: 120_000 };

/** What the evaluation of one query shares: the fetched data, the range of the whole query, limits, annotations. */
export class EvaluationContext {
  readonly query: string;
  readonly steps: Steps;
  readonly lookbackMs: number;
  /** Samples of each selector, fetched before the evaluation began. */
  readonly data: ReadonlyMap<VectorSelector, SeriesSamples[]>;
  /** The range of the top-level query, which `@ start()` and `@ end()` mean even inside subqueries. */
  readonly queryStartMs: number;
  readonly queryEndMs: number;
  readonly warnings = new Set<string>();
  readonly infos = new Set<string>();
  private readonly limits: EvaluationLimits;
  private readonly deadline: number;
  private readonly signal: AbortSignal | undefined;
  private samples = 0;

  constructor(parts: {
    query: string;
    steps: Steps;
    lookbackMs: number;
    data: ReadonlyMap<VectorSelector, SeriesSamples[]>;
    queryStartMs: number;
    queryEndMs: number;
    limits: EvaluationLimits;
    signal: AbortSignal | undefined;
  }) {
    this.query = parts.query;
    this.steps = parts.steps;
    this.lookbackMs = parts.lookbackMs;
    this.data = parts.data;
    this.queryStartMs = parts.queryStartMs;
    this.queryEndMs = parts.queryEndMs;
    this.limits = parts.limits;
    this.signal = parts.signal;
    this.deadline = performance.now() + parts.limits.timeoutMs;
  }

  /**
   * Counts samples that the evaluation now holds, and notices a passed deadline or a cancelled request.
   * @throws BarographError `query_limit`, `timeout`, `cancelled`.
   */
  charge(samples: number): void {
    this.samples += samples;
    if (this.samples > this.limits.maxSamples) {
      throw new BarographError({
        code: 'query_limit',
        status: 422,
        where: 'query',
        got: `${this.samples} samples while evaluating`,
        accepted: `at most ${this.limits.maxSamples}`,
        fix: 'add matchers, aggregate earlier, use a longer step, or raise query.max_samples',
      });
    }
    if (this.signal?.aborted) {
      throw new BarographError({ code: 'cancelled', status: 499, where: 'query', got: 'a cancelled request' });
    }
    if (performance.now() > this.deadline) {
      throw new BarographError({
        code: 'timeout',
        status: 503,
        where: 'query',
        got: `more than ${this.limits.timeoutMs} ms`,
        fix: 'narrow the query or raise query.timeout_ms',
      });
    }
  }

  warn(message: string, position: Position): void {
    this.warnings.add(`PromQL warning: ${message} (${lineColumn(this.query, position.start)})`);
  }

  info(message: string, position: Position): void {
    this.infos.add(`PromQL info: ${message} (${lineColumn(this.query, position.start)})`);
  }

  /** The time that a selector or subquery is evaluated at for a step at `ms`: `@` first, then the offset. */
  shifted(expr: VectorSelector | Subquery, ms: number): number {
    return shiftedTime(expr, ms, this.queryStartMs, this.queryEndMs);
  }
}

/** See `EvaluationContext.shifted`. */
export function shiftedTime(
  expr: VectorSelector | Subquery,
  ms: number,
  queryStartMs: number,
  queryEndMs: number,
): number {
  const { at } = expr;
  const base =
    at === undefined ? ms : at.kind === 'timestamp' ? at.ms : at.kind === 'start' ? queryStartMs : queryEndMs;
  return base - expr.offsetMs;
}

/** Whether an expression is the same at every step, so that it need be evaluated once. */
export function isStepInvariant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return true;
    case 'selector':
      return expr.at !== undefined;
    case 'matrix':
      return expr.selector.at !== undefined;
    case 'subquery':
      return expr.at !== undefined;
    case 'paren':
    case 'unary':
      return isStepInvariant(expr.expr);
    case 'aggregate':
      return isStepInvariant(expr.expr) && (expr.param === undefined || isStepInvariant(expr.param));
    case 'binary':
      return isStepInvariant(expr.left) && isStepInvariant(expr.right);
    case 'call':
      // These depend on the time of the step even without a selector.
      if (expr.name === 'time' || expr.name === 'timestamp' || expr.name === 'predict_linear') return false;
      if (expr.args.length === 0) return expr.name === 'pi';
      return expr.args.every(isStepInvariant);
  }
}
