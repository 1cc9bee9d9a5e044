import { bitsOf, isStale, type NativeHistogram, type SeriesSamples } from '../../model/index.ts';
import {
  DEFAULT_LOOKBACK_MS,
  DEFAULT_SUBQUERY_STEP_MS,
  type PlanNode,
  parsePromql,
  planQuery,
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

/**
 * Prometheus's `totalQueryableSamples`: the samples that each selector looks at, added up over the steps, whether or not
 * they are the same ones. A native histogram counts by the memory that it takes, in sixteenths of its bytes as Prometheus
 * does. Of a subquery the samples that its own steps look at count, where Prometheus counts its results.
 * @param data what was selected for each fetch of the query's plan
 */
export function countQueryable(times: Times, data: readonly (readonly SeriesSamples[])[]): number {
  const { query, startMs, stepMs } = times;
  const plan = planQuery(query, parsePromql(query), {
    startMs,
    endMs: stepMs === 0 ? startMs : times.endMs,
    stepMs,
    lookbackMs: times.lookbackMs ?? DEFAULT_LOOKBACK_MS,
    subqueryStepMs: DEFAULT_SUBQUERY_STEP_MS,
  });
  const known = new Map<PlanNode, number>();
  const count = (node: PlanNode): number => {
    let total = known.get(node);
    if (total !== undefined) return total;
    total = node.fetch === undefined ? 0 : countSelector(node, data[node.fetch] ?? []);
    for (const input of node.inputs) total += count(input);
    // What is evaluated once stands for every step.
    if (node.kind === 'once') total *= node.steps.count;
    known.set(node, total);
    return total;
  };
  return count(plan.root);
}

function countSelector(node: PlanNode, data: readonly SeriesSamples[]): number {
  let total = 0;
  for (const series of data)
    total += node.expr.kind === 'matrix' ? countRanges(node, series) : countInstants(node, series);
  return total;
}

/** Samples in `(end − range, end]` of every step; two pointers that only go forward. */
function countRanges({ steps, window }: PlanNode, series: SeriesSamples): number {
  if (!window) return 0;
  const { timestamps } = series;
  const before = weightsBefore(series);
  let [from, to, total] = [0, 0, 0];
  for (let step = 0; step < steps.count; step++) {
    const end = windowEnd(window, steps.startMs + step * steps.stepMs);
    while (to < timestamps.length && timestamps[to] <= end) to++;
    while (from < to && timestamps[from] <= end - window.rangeMs) from++;
    total += before[to] - before[from];
  }
  return total;
}

/** Steps whose last sample within the lookback isn't a staleness marker. */
function countInstants({ steps, window }: PlanNode, series: SeriesSamples): number {
  if (!window) return 0;
  const { timestamps } = series;
  const before = weightsBefore(series);
  let [to, total] = [0, 0];
  for (let step = 0; step < steps.count; step++) {
    const end = windowEnd(window, steps.startMs + step * steps.stepMs);
    while (to < timestamps.length && timestamps[to] <= end) to++;
    if (to > 0 && timestamps[to - 1] > end - window.rangeMs) total += before[to] - before[to - 1];
  }
  return total;
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
