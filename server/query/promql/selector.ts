import { bitsOf, type NativeHistogram, type SeriesSamples } from '../../model/index.ts';
import type { EvaluationContext } from './context.ts';
import { interpolated } from './extended-range.ts';
import { isReset } from './histogram-arithmetic.ts';
import { type PlanNode, type Window, windowEnd } from './plan.ts';
import { emptySeries, isEmptySeries, type VectorSeries } from './values.ts';
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
  const { startMs, stepMs, count } = node.steps;
  const window = node.window as Window;
  const smoothed = node.expr.kind === 'selector' && node.expr.mode === 'smoothed';
  const times = new Float64Array(count);
  for (let step = 0; step < count; step++) times[step] = windowEnd(window, startMs + step * stepMs);
  const out: VectorSeries[] = [];
  for (const samples of found) {
    // Counted while they are made, so that too many end the query before they fill the memory.
    context.charge(count);
    const series = smoothed
      ? smoothedColumn(samples, times, window.rangeMs, picked)
      : newestColumn(samples, times, window.rangeMs, picked);
    if (!isEmptySeries(series)) out.push(series);
  }
  context.release(found.length * count);
  return out;
}

function newestColumn(samples: SeriesSamples, times: Float64Array, lookbackMs: number, picked: Picked): VectorSeries {
  const { timestamps, values, labels } = samples;
  const all = picked === 'value' ? samples.histograms : undefined;
  const bits = bitsOf(values);
  const out = emptySeries(labels, times.length);
  const histograms = all ? new Array<NativeHistogram | undefined>(times.length) : undefined;
  let next = 0;
  for (let step = 0; step < times.length; step++) {
    const time = times[step];
    while (next < timestamps.length && timestamps[next] <= time) next++;
    const newest = next - 1;
    // The lookback is open on the left: a sample exactly that old is outside.
    if (newest < 0 || timestamps[newest] <= time - lookbackMs) continue;
    const value = values[newest];
    if (Number.isNaN(value) && isStaleAt(samples, bits, newest)) continue;
    out.has[step] = 1;
    out.values[step] = picked === 'time' ? timestamps[newest] / 1000 : value;
    if (histograms) histograms[step] = all?.[newest];
  }
  return histograms ? { ...out, histograms } : out;
}

/** `v smoothed`: the value at the step's time on the line between the samples around it. */
function smoothedColumn(series: SeriesSamples, times: Float64Array, lookbackMs: number, picked: Picked): VectorSeries {
  const samples = withoutStale(series);
  const { timestamps, values } = samples;
  const out = emptySeries(series.labels, times.length);
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
  return out;
}

/**
 * Histograms of unknown relation to their predecessors with what their counts say: where only count and sum are asked
 * for, Prometheus detects resets while reading, and conflicts between series are then noticed.
 */
export function withDetectedResets(found: readonly SeriesSamples[]): readonly SeriesSamples[] {
  return found.map((series) => {
    if (!series.histograms) return series;
    let before: NativeHistogram | undefined;
    const histograms = series.histograms.map((now) => {
      if (!now) return undefined;
      const known = before;
      before = now;
      if (now.counterResetHint !== 'unknown' || !known) return now;
      return { ...now, counterResetHint: isReset(known, now) ? ('reset' as const) : ('no_reset' as const) };
    });
    return { ...series, histograms };
  });
}
