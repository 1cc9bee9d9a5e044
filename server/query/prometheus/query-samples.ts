import { bitsOf, isStale, type NativeHistogram, type SeriesSamples } from '../../model/index.ts';
import {
  DEFAULT_LOOKBACK_MS,
  DEFAULT_SUBQUERY_STEP_MS,
  type PlanNode,
  parsePromql,
  planQuery,
  type RangeSeries,
  windowEnd,
} from '../promql/index.ts';

/** The times of a query, milliseconds. */
interface Times {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
  readonly lookbackMs: number | undefined;
}

/** Samples of each step that the series of one subquery hold, by the number of its plan node. */
export type SubquerySamples = Map<number, Float64Array>;

/**
 * Prometheus's `totalQueryableSamplesPerStep`: the samples that each selector looks at in each step, whether or not they
 * are the same ones; of a subquery its results count, and not what they are made of. A native histogram counts by the
 * memory that it takes, in sixteenths of its bytes as Prometheus does. The sum is its `totalQueryableSamples`.
 * @param data what was selected for each fetch of the query's plan
 * @param subqueries what `countSubquery` counted
 * @returns one number a step
 */
export function countQueryable(
  times: Times,
  data: readonly (readonly SeriesSamples[])[],
  subqueries: SubquerySamples,
): Float64Array {
  const { query, startMs, stepMs } = times;
  const plan = planQuery(query, parsePromql(query), {
    startMs,
    endMs: stepMs === 0 ? startMs : times.endMs,
    stepMs,
    lookbackMs: times.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    subqueryStepMs: DEFAULT_SUBQUERY_STEP_MS,
  });
  const known = new Map<PlanNode, Float64Array>();
  const count = (node: PlanNode): Float64Array => {
    let counts = known.get(node);
    if (counts) return counts;
    if (node.kind === 'once') {
      // What is evaluated once stands for every step.
      counts = new Float64Array(node.steps.count).fill(count(node.inputs[0])[0] ?? 0);
    } else if (node.expr.kind === 'subquery') {
      counts = subqueries.get(node.id) ?? new Float64Array(node.steps.count);
    } else {
      counts = new Float64Array(node.steps.count);
      if (node.fetch !== undefined) countSelector(node, data[node.fetch] ?? [], counts);
      for (const input of node.inputs) {
        const inner = count(input);
        for (let step = 0; step < counts.length; step++) counts[step] += inner[step];
      }
    }
    known.set(node, counts);
    return counts;
  };
  return count(plan.root);
}

/** Counts the results of a subquery that each step of the expression around it looks at. */
export function countSubquery(node: PlanNode, found: readonly RangeSeries[], into: SubquerySamples): void {
  const counts = new Float64Array(node.steps.count);
  for (const { samples } of found) countRanges(node, samples, counts);
  into.set(node.id, counts);
}

function countSelector(node: PlanNode, data: readonly SeriesSamples[], counts: Float64Array): void {
  for (const series of data) {
    if (node.expr.kind === 'matrix') countRanges(node, series, counts);
    else countInstants(node, series, counts);
  }
}

/** Samples in `(end − range, end]` of every step; two pointers that only go forward. */
function countRanges({ steps, window }: PlanNode, series: SeriesSamples, counts: Float64Array): void {
  if (!window) return;
  const { timestamps } = series;
  const before = weightsBefore(series);
  let [from, to] = [0, 0];
  for (let step = 0; step < steps.count; step++) {
    const end = windowEnd(window, steps.startMs + step * steps.stepMs);
    while (to < timestamps.length && timestamps[to] <= end) to++;
    while (from < to && timestamps[from] <= end - window.rangeMs) from++;
    counts[step] += before[to] - before[from];
  }
}

/** Steps whose last sample within the lookback isn't a staleness marker. */
function countInstants({ steps, window }: PlanNode, series: SeriesSamples, counts: Float64Array): void {
  if (!window) return;
  const { timestamps } = series;
  const before = weightsBefore(series);
  let to = 0;
  for (let step = 0; step < steps.count; step++) {
    const end = windowEnd(window, steps.startMs + step * steps.stepMs);
    while (to < timestamps.length && timestamps[to] <= end) to++;
    if (to > 0 && timestamps[to - 1] > end - window.rangeMs) counts[step] += before[to] - before[to - 1];
  }
}

/** What the samples before each place weigh together; staleness markers weigh nothing. */
function weightsBefore(series: SeriesSamples): Float64Array {
  const { values, histograms } = series;
  const bits = bitsOf(values);
  const before = new Float64Array(values.length + 1);
  for (let i = 0; i < values.length; i++) {
    const histogram = histograms?.[i];
    let weight = 1;
    if (histogram) weight = histogramWeight(histogram);
    else if (isStale(bits, i)) weight = 0;
    before[i + 1] = before[i] + weight;
  }
  return before;
}

/** Bytes of a histogram's fixed part in Prometheus. Source: prometheus/prometheus FloatHistogram.Size. */
const HISTOGRAM_BYTES = 168;

function histogramWeight({ positiveCounts, negativeCounts, customValues }: NativeHistogram): number {
  const words = positiveCounts.length + negativeCounts.length + (customValues?.length ?? 0);
  return Math.floor((HISTOGRAM_BYTES + 8 * words) / 16);
}
