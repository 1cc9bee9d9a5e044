import { bitsOf, isHistogramReset, type NativeHistogram, type SeriesSamples } from '../../model/index.ts';
import { type Column, type ColumnSource, KeptColumns, type SeriesSink } from './columns.ts';
import type { EvaluationContext } from './context.ts';
import { interpolated } from './extended-range.ts';
import { type PlanNode, type Window, windowEnd } from './plan.ts';
import type { VectorSeries } from './values.ts';
import { isStaleAt, withoutStale } from './windows.ts';

/** What an instant selector gives: the newest value, or (for `timestamp`) its time in seconds. */
export type Picked = 'value' | 'time';

/** The newest sample of each series within the lookback of each step, unless it is a staleness marker. */
export function instantSelector(
  node: PlanNode,
  found: readonly SeriesSamples[],
  picked: Picked,
  context: EvaluationContext,
): VectorSeries[] {
  const { count } = node.steps;
  // Counted before they are made, so that too many end the query before they fill the memory.
  context.charge(count * found.length);
  const columns = new KeptColumns(count, found.length);
  selectInto(node, found, picked, context, columns, columns.sink);
  context.release(count * found.length);
  return columns.series;
}

/** `instantSelector` for a consumer that takes one series after the other. */
export function selectInto(
  node: PlanNode,
  found: readonly SeriesSamples[],
  picked: Picked,
  context: EvaluationContext,
  columns: ColumnSource,
  sink: SeriesSink,
): void {
  const { startMs, stepMs, count } = node.steps;
  const window = node.window as Window;
  const smoothed = node.expr.kind === 'selector' && node.expr.mode === 'smoothed';
  const times = new Float64Array(count);
  for (let step = 0; step < count; step++) times[step] = windowEnd(window, startMs + step * stepMs);
  for (const samples of found) {
    context.tick(count + samples.timestamps.length);
    const column = columns.next();
    if (smoothed) smoothedColumn(samples, times, window.rangeMs, picked, column);
    else newestColumn(samples, times, window.rangeMs, picked, column);
    if (column.has.indexOf(1) >= 0) sink(samples.labels, false, column);
  }
}

function newestColumn(
  samples: SeriesSamples,
  times: Float64Array,
  lookbackMs: number,
  picked: Picked,
  out: Column,
): void {
  const { timestamps, values } = samples;
  const all = picked === 'value' ? samples.histograms : undefined;
  if (all) out.histograms = new Array<NativeHistogram | undefined>(times.length);
  let next = 0;
  for (let step = 0; step < times.length; step++) {
    const time = times[step];
    while (next < timestamps.length && timestamps[next] <= time) next++;
    const newest = next - 1;
    // The lookback is open on the left: a sample exactly that old is outside.
    if (newest < 0 || timestamps[newest] <= time - lookbackMs) continue;
    const value = values[newest];
    if (Number.isNaN(value) && isStaleAt(samples, bitsOf(values), newest)) continue;
    out.has[step] = 1;
    out.values[step] = picked === 'time' ? timestamps[newest] / 1000 : value;
    if (all && out.histograms) out.histograms[step] = all[newest];
  }
}

/** `v smoothed`: the value at the step's time on the line between the samples around it. */
function smoothedColumn(
  series: SeriesSamples,
  times: Float64Array,
  lookbackMs: number,
  picked: Picked,
  out: Column,
): void {
  const samples = withoutStale(series);
  const { timestamps, values } = samples;
  let next = 0;
  for (let step = 0; step < times.length; step++) {
    const time = times[step];
    while (next < timestamps.length && timestamps[next] <= time) next++;
    const before = next - 1;
    if (before < 0 || timestamps[before] <= time - lookbackMs || samples.histograms?.[before]) continue;
    out.has[step] = 1;
    const between = timestamps[before] < time && next < timestamps.length && timestamps[next] <= time + lookbackMs;
    if (picked === 'time') out.values[step] = timestamps[before] / 1000;
    else if (between && !samples.histograms?.[next]) {
      out.values[step] = interpolated(samples, before, time, false, true);
    } else out.values[step] = values[before];
  }
}

/** What comparing two histograms costs, in floats. */
const HISTOGRAM_WORK = 50;

const NO_BUCKETS = {
  positiveIndices: new Int32Array(0),
  positiveCounts: new Float64Array(0),
  negativeIndices: new Int32Array(0),
  negativeCounts: new Float64Array(0),
};

/**
 * Histograms of unknown relation to their predecessors with what their counts say: where only count and sum are asked
 * for, Prometheus detects resets while reading, and conflicts between series are then noticed. Buckets are left out.
 */
export function withDetectedResets(
  found: readonly SeriesSamples[],
  context: EvaluationContext,
): readonly SeriesSamples[] {
  return found.map((series) => {
    if (!series.histograms) return series;
    context.tick(HISTOGRAM_WORK * series.histograms.length);
    let before: NativeHistogram | undefined;
    const histograms = series.histograms.map((now): NativeHistogram | undefined => {
      if (!now) return undefined;
      const known = before;
      before = now;
      const { counterResetHint } = now;
      if (counterResetHint === 'gauge' || (counterResetHint === 'unknown' && !known)) return now;
      // Nobody looks at the buckets once it is known whether they fell.
      if (counterResetHint !== 'unknown' || !known) return { ...now, ...NO_BUCKETS };
      return { ...now, ...NO_BUCKETS, counterResetHint: isHistogramReset(known, now) ? 'reset' : 'no_reset' };
    });
    return { ...series, histograms };
  });
}
