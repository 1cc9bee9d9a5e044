import type { SeriesSamples } from '../../model/index.ts';
import type { MatrixSelector, Position } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { formatG } from './format.ts';
import { type Plan, type PlanNode, type Window, windowEnd } from './plan.ts';
import { EXTENDED_RANGES, RANGE_FUNCTIONS, type RangeFunction, type RangeOutput } from './range-functions.ts';
import { RangeNotes } from './range-notes.ts';
import { dropped, emptySeries, isEmptySeries, joinDropped, type VectorSeries } from './values.ts';
import { findWindows, withoutStale } from './windows.ts';

/** Range functions whose result still is the metric, so that the name stays. */
const KEEPS_NAME: ReadonlySet<string> = new Set(['last_over_time', 'first_over_time']);

/** A series of a range vector; the flag is that of the series it comes from. */
export interface RangeSeries {
  readonly samples: SeriesSamples;
  readonly dropName: boolean;
}

/**
 * Applies a range function to every series of a range vector.
 * @param node The call, whose steps the result has.
 * @param input The range selector or subquery.
 * @param args Scalar arguments by step.
 */
export function rangeColumns(
  name: string,
  node: PlanNode,
  input: PlanNode,
  found: readonly RangeSeries[],
  args: readonly Float64Array[],
  position: Position,
  { plan, context }: { plan: Plan; context: EvaluationContext },
): VectorSeries[] {
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
  const out: VectorSeries[] = [];
  for (const { samples: series, dropName } of found) {
    // Counted while they are made, so that too many end the query before they fill the memory.
    context.charge(count);
    context.tick(series.timestamps.length);
    const samples = withoutStale(series);
    findWindows(samples.timestamps, ends, window.rangeMs, from, to);
    const result: VectorSeries & RangeOutput = emptySeries(series.labels, count, dropName);
    f({ labels: series.labels, samples, from, to, ends, rangeMs: window.rangeMs }, result, scope);
    if (isEmptySeries(result)) continue;
    out.push(KEEPS_NAME.has(name) ? result : { ...result, ...dropped(result, context) });
  }
  context.release(found.length * count);
  if (name === 'quantile_over_time') warnOfQuantiles(args[0], node, context);
  return KEEPS_NAME.has(name) ? out : joinDropped(out, context);
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

/** The samples of a range vector as an instant query at the top level shows them. */
export function matrixInput(root: PlanNode, found: readonly RangeSeries[]): SeriesSamples[] {
  const window = root.window as Window;
  const ends = Float64Array.of(windowEnd(window, root.steps.startMs));
  const [from, to] = [new Int32Array(1), new Int32Array(1)];
  return found.flatMap(({ samples }) => {
    const { timestamps, values, histograms } = withoutStale(samples);
    findWindows(timestamps, ends, window.rangeMs, from, to);
    const [first, past] = [from[0], to[0]];
    if (first === past) return [];
    return [
      {
        labels: samples.labels,
        timestamps: timestamps.subarray(first, past),
        values: values.subarray(first, past),
        histograms: histograms?.slice(first, past),
      },
    ];
  });
}
