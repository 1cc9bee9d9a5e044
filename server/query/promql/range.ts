import { labelsKey, type SeriesSamples, withoutLabels } from '../../model/index.ts';
import type { MatrixSelector, Position } from './ast.ts';
import { type ColumnSource, KeptColumns, type SeriesSink } from './columns.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { formatG } from './format.ts';
import { type Plan, type PlanNode, type Window, windowEnd } from './plan.ts';
import { EXTENDED_RANGES, RANGE_FUNCTIONS, type RangeFunction } from './range-functions.ts';
import { RangeNotes } from './range-notes.ts';
import { dropped, joinDropped, NAME_ONLY, type VectorSeries } from './values.ts';
import { ascends, findWindows, type SharedWindows, withoutStale } from './windows.ts';

/** Range functions whose result still is the metric, so that the name stays. */
const KEEPS_NAME: ReadonlySet<string> = new Set(['last_over_time', 'first_over_time']);

/** A series of a range vector; the flag is that of the series it comes from. */
export interface RangeSeries {
  readonly samples: SeriesSamples;
  readonly dropName: boolean;
}

/** A call of a range function. */
export interface RangeCall {
  readonly name: string;
  /** The call, whose steps the result has. */
  readonly node: PlanNode;
  /** The range selector or subquery. */
  readonly input: PlanNode;
  readonly found: readonly RangeSeries[];
  /** Scalar arguments by step. */
  readonly args: readonly Float64Array[];
  /** That of the range vector. */
  readonly position: Position;
}

/** Applies a range function to every series of a range vector. */
export function rangeColumns(call: RangeCall, plan: Plan, context: EvaluationContext): VectorSeries[] {
  const { name, node, found } = call;
  const cells = found.length * node.steps.count;
  // Counted before they are made, so that too many end the query before they fill the memory.
  context.charge(cells);
  const columns = new KeptColumns(node.steps.count, found.length);
  rangeInto(call, plan, context, columns, columns.sink);
  context.release(cells);
  return KEEPS_NAME.has(name) ? columns.series : joinDropped(columns.series, context);
}

/** `rangeColumns` for a consumer that takes one series after the other; names must be dropped with delay. */
export function rangeInto(
  { name, node, input, found, args, position }: RangeCall,
  plan: Plan,
  context: EvaluationContext,
  columns: ColumnSource,
  sink: SeriesSink,
): void {
  const { startMs, stepMs, count } = node.steps;
  const window = input.window as Window;
  const f = functionFor(name, input, plan);
  const timeOf = (step: number): number => startMs + step * stepMs;
  const tick = (work: number): void => context.tick(work);
  const scope = { args, timeOf, notes: new RangeNotes(context, position), tick };
  const ends = new Float64Array(count);
  for (let step = 0; step < count; step++) ends[step] = windowEnd(window, timeOf(step));
  const from = new Int32Array(count);
  const to = new Int32Array(count);
  const keepsName = KEEPS_NAME.has(name);
  let timestamps: Float64Array | undefined;
  let shared: SharedWindows = {};
  let any = false;
  for (const { samples: series, dropName } of found) {
    context.tick(count + series.timestamps.length);
    const isAscending = ascends(series.values);
    const samples = isAscending ? series : withoutStale(series);
    // The series of one target have the same timestamps, and so the same windows.
    if (!timestamps || !sameTimes(timestamps, samples.timestamps)) {
      timestamps = samples.timestamps;
      findWindows(timestamps, ends, window.rangeMs, from, to);
      shared = {};
    }
    const column = columns.next();
    const windows = {
      labels: series.labels,
      samples,
      from,
      to,
      ends,
      rangeMs: window.rangeMs,
      ascends: isAscending,
      shared,
    };
    f(windows, column, scope);
    if (column.has.indexOf(1) < 0) continue;
    const named = keepsName ? { labels: series.labels, dropName } : dropped({ labels: series.labels }, context);
    sink(named.labels, named.dropName, column);
    any = true;
  }
  if (name === 'quantile_over_time' && any) warnOfQuantiles(args[0], node, context);
}

function sameTimes(a: Float64Array, b: Float64Array): boolean {
  if (a === b) return true;
  const n = a.length;
  if (b.length !== n || a[0] !== b[0] || a[n - 1] !== b[n - 1]) return false;
  for (let i = 1; i < n; i++) if (a[i] !== b[i]) return false;
  return true;
}

function warnOfQuantiles(q: Float64Array, { expr }: PlanNode, context: EvaluationContext): void {
  const bad = q.find((value) => !(value >= 0 && value <= 1));
  if (bad === undefined || expr.kind !== 'call') return;
  context.warn(`quantile value should be between 0 and 1, got ${formatG(bad)}`, expr.args[0].position);
}

function functionFor(name: string, input: PlanNode, { times }: Plan): RangeFunction {
  const mode = input.expr.kind === 'matrix' ? (input.expr as MatrixSelector).selector.mode : undefined;
  const f = mode ? EXTENDED_RANGES[mode](name, times.lookbackMs) : RANGE_FUNCTIONS.get(name);
  if (f) return f;
  if (mode) throw executionError(`${mode} modifier can not be used with the function ${name}`);
  throw executionError(`BUG: ${name} is no range function`);
}

/**
 * The samples of a range vector as an instant query at the top level shows them, names that were to be dropped gone.
 * @throws BarographError `promql_execution` where two series become equal.
 */
export function matrixInput(
  root: PlanNode,
  found: readonly RangeSeries[],
  context: EvaluationContext,
): SeriesSamples[] {
  const window = root.window as Window;
  const ends = Float64Array.of(windowEnd(window, root.steps.startMs));
  const [from, to] = [new Int32Array(1), new Int32Array(1)];
  const seen = new Set<string>();
  return found.flatMap(({ samples, dropName }) => {
    context.tick(samples.timestamps.length);
    const { timestamps, values, histograms } = withoutStale(samples);
    findWindows(timestamps, ends, window.rangeMs, from, to);
    const [first, past] = [from[0], to[0]];
    if (first === past) return [];
    const labels = dropName ? withoutLabels(samples.labels, NAME_ONLY) : samples.labels;
    const key = labelsKey(labels);
    if (seen.has(key)) throw executionError('vector cannot contain metrics with the same labelset');
    seen.add(key);
    return [
      {
        labels,
        timestamps: timestamps.subarray(first, past),
        values: values.subarray(first, past),
        histograms: histograms?.slice(first, past),
      },
    ];
  });
}
