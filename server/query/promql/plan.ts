import { printDurationMs } from '../../model/index.ts';
import {
  type Call,
  type Expr,
  type LabelMatcher,
  type MatrixSelector,
  type Subquery,
  unparen,
  type VectorSelector,
} from './ast.ts';
import { type DurationScope, durationMs, positiveDurationMs } from './duration.ts';
import { infoSelector } from './info.ts';
import { printMatchers } from './print.ts';

/** The evaluation steps of a query or of a subquery within it. */
export interface Steps {
  /** Milliseconds of the first step. */
  readonly startMs: number;
  /** Milliseconds between steps, > 0. */
  readonly stepMs: number;
  /** Number of steps, ≥ 0. */
  readonly count: number;
}

/** The times of the whole query, in milliseconds, which `@ start()`, `step()` and `range()` mean even in a subquery. */
export interface QueryTimes {
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly lookbackMs: number;
  /** The step of subqueries that name none. */
  readonly subqueryStepMs: number;
}

/** The samples that selectors with the same matchers need, in milliseconds, both inclusive. */
export interface Fetch {
  readonly matchers: readonly LabelMatcher[];
  readonly startMs: number;
  readonly endMs: number;
}

/** Where a selector or subquery looks: at `atMs` or the step's own time, minus `offsetMs`, back over `rangeMs`. */
export interface Window {
  readonly atMs: number | undefined;
  readonly offsetMs: number;
  readonly rangeMs: number;
}

/**
 * A piece of work: an expression over some steps. Nodes are shared where the same text is evaluated over the same
 * steps; `uses` counts the consumers.
 */
export interface PlanNode {
  readonly id: number;
  /** `once` repeats its only input, which has one step, over all steps; the others do what `expr` says. */
  readonly kind: 'once' | 'evaluate';
  readonly expr: Expr;
  readonly steps: Steps;
  readonly inputs: readonly PlanNode[];
  readonly uses: number;
  /** Where the same text stands in the query, as distances from `expr.position`; the first is 0. */
  readonly shifts: readonly number[];
  /** Set for selectors, range selectors and subqueries. */
  readonly window: Window | undefined;
  /** Index into the plan's fetches, for selectors and range selectors. */
  readonly fetch: number | undefined;
  /** Whether only counts and sums of histograms are asked for; then resets are detected while reading. */
  readonly stats: boolean;
}

/** What a query will do: plain data. */
export interface Plan {
  /** The text that it was made of. */
  readonly query: string;
  readonly times: QueryTimes;
  readonly steps: Steps;
  readonly root: PlanNode;
  readonly fetches: readonly Fetch[];
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Decides what to read and in which order to evaluate.
 * @throws BarographError `promql_parse` where a duration that depends on the query's times isn't positive.
 */
export function planQuery(query: string, expr: Expr, times: QueryTimes): Plan {
  const steps: Steps =
    times.stepMs === 0
      ? { startMs: times.startMs, stepMs: 1, count: 1 }
      : {
          startMs: times.startMs,
          stepMs: times.stepMs,
          count: times.endMs < times.startMs ? 0 : Math.floor((times.endMs - times.startMs) / times.stepMs) + 1,
        };
  const planner = new Planner(query, times);
  const root = planner.node(expr, steps);
  return { query, times, steps, root, fetches: planner.fetches };
}

class Planner {
  readonly fetches: Mutable<Fetch>[] = [];
  private readonly nodes = new Map<string, Mutable<PlanNode> & { shifts: number[] }>();
  private readonly scope: DurationScope;
  private readonly query: string;
  private readonly times: QueryTimes;

  constructor(query: string, times: QueryTimes) {
    this.query = query;
    this.times = times;
    this.scope = { query, stepMs: times.stepMs, rangeMs: times.endMs - times.startMs };
  }

  node(written: Expr, steps: Steps, stats = false): PlanNode {
    const expr = unparen(written);
    const { start, end } = expr.position;
    const once = steps.count > 1 && isStepInvariant(expr) && !STAYS.has(expr.kind);
    const kind = once ? 'once' : 'evaluate';
    const text = this.query.slice(start, end);
    const key = `${kind} ${expr.kind} ${stats} ${steps.startMs} ${steps.stepMs} ${steps.count} ${text}`;
    const known = this.nodes.get(key);
    if (known) {
      this.reuse(known, start - known.expr.position.start);
      return known;
    }
    const inputs = once ? [this.node(expr, { ...steps, count: 1 }, stats)] : this.inputs(expr, steps, stats);
    const window = once ? undefined : this.window(expr);
    const fetch = window && expr.kind !== 'subquery' ? this.fetch(expr, window, steps) : undefined;
    const node = {
      id: this.nodes.size,
      kind,
      expr,
      steps,
      inputs,
      uses: 1,
      shifts: [0],
      window,
      fetch,
      stats,
    } as const;
    this.nodes.set(key, { ...node, shifts: [0] });
    return this.nodes.get(key) as PlanNode;
  }

  private reuse(node: Mutable<PlanNode> & { shifts: number[] }, shift: number): void {
    node.uses++;
    if (!node.shifts.includes(shift)) node.shifts.push(shift);
    // A subquery is no value of its own: each consumer takes what is inside.
    if (node.expr.kind === 'subquery' && node.kind === 'evaluate') {
      this.reuse(node.inputs[0] as Mutable<PlanNode> & { shifts: number[] }, shift);
    }
  }

  private inputs(expr: Expr, steps: Steps, stats: boolean): PlanNode[] {
    switch (expr.kind) {
      case 'number':
      case 'string':
      case 'selector':
      case 'matrix':
        return [];
      case 'paren':
      case 'unary':
        return [this.node(expr.expr, steps, stats)];
      case 'subquery':
        return [this.node(expr.expr, this.subquerySteps(expr, steps))];
      case 'call':
        return this.arguments(expr, steps, stats);
      case 'aggregate': {
        const param = expr.param ? [this.node(expr.param, steps)] : [];
        return [this.node(expr.expr, steps, stats), ...param];
      }
      case 'binary':
        return [this.node(expr.left, steps), this.node(expr.right, steps)];
    }
  }

  private arguments(expr: Call, steps: Steps, stats: boolean): PlanNode[] {
    if (expr.name === 'info') return [this.node(expr.args[0], steps), this.node(infoSelector(expr), steps)];
    const inner = STATS_ONLY.has(expr.name) || (stats && !expr.name.startsWith('histogram_'));
    return expr.args.map((arg) => this.node(arg, steps, inner));
  }

  private window(expr: Expr): Window | undefined {
    if (expr.kind !== 'selector' && expr.kind !== 'matrix' && expr.kind !== 'subquery') return undefined;
    const { at, offset } = expr.kind === 'matrix' ? expr.selector : expr;
    const { startMs, endMs, lookbackMs } = this.times;
    return {
      atMs: at && (at.kind === 'timestamp' ? at.ms : at.kind === 'start' ? startMs : endMs),
      offsetMs: offset ? durationMs(offset, this.scope) : 0,
      rangeMs: expr.kind === 'selector' ? lookbackMs : positiveDurationMs(expr.range, this.scope),
    };
  }

  /** A subquery's steps lie on multiples of its own step, so that its results don't depend on the query's start. */
  private subquerySteps(expr: Subquery, outer: Steps): Steps {
    const stepMs = expr.step ? positiveDurationMs(expr.step, this.scope) : this.times.subqueryStepMs;
    const window = this.window(expr) as Window;
    const first = windowEnd(window, outer.startMs) - window.rangeMs;
    const last = windowEnd(window, outer.startMs + Math.max(0, outer.count - 1) * outer.stepMs);
    let startMs = Math.floor(first / stepMs) * stepMs;
    if (startMs <= first) startMs += stepMs;
    return { startMs, stepMs, count: outer.count === 0 ? 0 : Math.max(0, Math.floor((last - startMs) / stepMs) + 1) };
  }

  private fetch(expr: Expr, window: Window, steps: Steps): number {
    const selector = (expr.kind === 'matrix' ? (expr as MatrixSelector).selector : expr) as VectorSelector;
    const last = steps.startMs + Math.max(0, steps.count - 1) * steps.stepMs;
    // Ranges are open on the left: a sample exactly `range` ago is outside. The extended ranges also look at the
    // sample before the range, and smoothing at the one after it.
    const before = selector.mode ? this.times.lookbackMs : 0;
    const after = selector.mode === 'smoothed' ? this.times.lookbackMs : 0;
    const startMs = windowEnd(window, steps.startMs) - window.rangeMs + 1 - before;
    const endMs = windowEnd(window, last) + after;
    const key = printMatchers(selector.matchers);
    for (let i = 0; i < this.fetches.length; i++) {
      const fetch = this.fetches[i];
      if (printMatchers(fetch.matchers) !== key || startMs > fetch.endMs + 1 || endMs < fetch.startMs - 1) continue;
      fetch.startMs = Math.min(fetch.startMs, startMs);
      fetch.endMs = Math.max(fetch.endMs, endMs);
      return i;
    }
    this.fetches.push({ matchers: selector.matchers, startMs, endMs });
    return this.fetches.length - 1;
  }
}

/** The time at which a window ends for a step at `ms`, both milliseconds. */
export function windowEnd(window: Window, ms: number): number {
  return (window.atMs ?? ms) - window.offsetMs;
}

/** What is never wrapped to be evaluated once: literals cost nothing, and a range is no value of its own. */
const STAYS: ReadonlySet<string> = new Set(['number', 'string', 'matrix', 'subquery']);

/** Functions that look at nothing but the count and the sum of a histogram. */
const STATS_ONLY: ReadonlySet<string> = new Set(['histogram_count', 'histogram_sum', 'histogram_avg']);

/** Functions whose value depends on the time of the step even where their arguments don't. */
const DEPENDS_ON_STEP: ReadonlySet<string> = new Set(['time', 'timestamp', 'predict_linear', 'info']);
const CONSTANTS: ReadonlySet<string> = new Set(['pi', 'step', 'range', 'start', 'end']);

/** Whether an expression is the same at every step, so that it need be evaluated once. */
export function isStepInvariant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return true;
    case 'selector':
    case 'subquery':
      return expr.at !== undefined;
    case 'matrix':
      return expr.selector.at !== undefined;
    case 'paren':
    case 'unary':
      return isStepInvariant(expr.expr);
    case 'aggregate':
      return isStepInvariant(expr.expr) && (expr.param === undefined || isStepInvariant(expr.param));
    case 'binary':
      return isStepInvariant(expr.left) && isStepInvariant(expr.right);
    case 'call':
      if (DEPENDS_ON_STEP.has(expr.name)) return false;
      return expr.args.length === 0 ? CONSTANTS.has(expr.name) : expr.args.every(isStepInvariant);
  }
}

/** A plan as text: what is fetched, then what is evaluated, inner lines indented; shared nodes are printed once. */
export function printPlan(plan: Plan): string {
  const { steps, fetches, root } = plan;
  const lines = [`steps ${steps.count} from ${steps.startMs} every ${printDurationMs(steps.stepMs)}`];
  fetches.forEach((fetch, i) => {
    lines.push(`fetch #${i} ${printMatchers(fetch.matchers)} [${fetch.startMs}, ${fetch.endMs}]`);
  });
  const printed = new Set<PlanNode>();
  const print = (node: PlanNode, indent: string): void => {
    const shared = node.uses > 1 ? ` %${node.id}` : '';
    if (printed.has(node)) {
      lines.push(`${indent}see${shared}`);
      return;
    }
    printed.add(node);
    lines.push(`${indent}${node.kind === 'once' ? 'once' : describe(node)}${shared}`);
    for (const input of node.inputs) print(input, `${indent}  `);
  };
  print(root, '');
  return lines.join('\n');
}

function describe({ expr, window, fetch, inputs }: PlanNode): string {
  const at = window?.atMs === undefined ? '' : ` at ${window.atMs}`;
  const offset = window?.offsetMs ? ` offset ${printDurationMs(window.offsetMs)}` : '';
  const range = window ? printDurationMs(window.rangeMs) : '';
  switch (expr.kind) {
    case 'number':
      return `number ${expr.value}`;
    case 'string':
      return `string ${JSON.stringify(expr.value)}`;
    case 'selector':
      return `instant #${fetch} lookback ${range}${at}${offset}${expr.mode ? ` ${expr.mode}` : ''}`;
    case 'matrix':
      return `range #${fetch} ${range}${at}${offset}${expr.selector.mode ? ` ${expr.selector.mode}` : ''}`;
    case 'subquery': {
      const { count, stepMs, startMs } = inputs[0].steps;
      return `subquery ${range}${at}${offset}, ${count} steps from ${startMs} every ${printDurationMs(stepMs)}`;
    }
    case 'paren':
      return 'paren';
    case 'unary':
      return `unary ${expr.op}`;
    case 'call':
      return `call ${expr.name}`;
    case 'aggregate':
      return `aggregate ${expr.op} ${expr.grouping} (${expr.labels.join(', ')})`;
    case 'binary':
      return `binary ${expr.op}${expr.bool ? ' bool' : ''}`;
  }
}
