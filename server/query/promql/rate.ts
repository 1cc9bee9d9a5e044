import {
  compactHistogram,
  divideHistogram,
  hasCustomBounds,
  isHistogramReset,
  type Labels,
  type NativeHistogram,
  sameBounds,
  scaledDifference,
  scaleHistogram,
  subtractHistograms,
  sumHistograms,
} from '../../model/index.ts';
import type { RangeFunction, RangeOutput, RangeScope } from './range-functions.ts';
import type { RangeNotes } from './range-notes.ts';
import type { Stretches, Windows } from './windows.ts';

/** What looking at a histogram costs, in floats. */
const HISTOGRAM_WORK = 100;

/** `rate(v[r])`: the increase of a counter per second. */
export const rate: RangeFunction = (windows, out, scope) => extrapolated(windows, out, scope, true, true);

/** `increase(v[r])`: how much a counter grew. */
export const increase: RangeFunction = (windows, out, scope) => extrapolated(windows, out, scope, true, false);

/** `delta(v[r])`: how much a gauge changed. */
export const delta: RangeFunction = (windows, out, scope) => extrapolated(windows, out, scope, false, false);

function extrapolated(
  windows: Windows,
  out: RangeOutput,
  { notes, tick }: RangeScope,
  isCounter: boolean,
  isRate: boolean,
): void {
  if (windows.samples.histograms) return mixedColumn(windows, out, notes, tick, isCounter, isRate);
  if (floatColumn(windows, out, isCounter, isRate) && isCounter) notes.counterName(windows.labels);
}

/**
 * Floats at O(1) a step: the increase of a window is a difference of two samples plus what was lost at the resets
 * between them, and resets are few. Whether any window had a value.
 */
function floatColumn(windows: Windows, out: RangeOutput, isCounter: boolean, isRate: boolean): boolean {
  const { samples, from, to, shared } = windows;
  const { values } = samples;
  const { factors, zeroPoints, zeroLimits } = (shared.stretches ??= stretchesOf(windows, isRate));
  const resets = isCounter && !windows.ascends ? resetIndices(values) : NO_RESETS;
  const hasResets = resets.length > 0;
  const { values: outValues, has } = out;
  const steps = factors.length;
  let [firstReset, pastReset] = [0, 0];
  let found = 0;
  for (let step = 0; step < steps; step++) {
    const first = from[step];
    const last = to[step] - 1;
    if (last <= first) continue;
    const start = values[first];
    let grown = values[last] - start;
    if (hasResets) {
      while (firstReset < resets.length && resets[firstReset] <= first) firstReset++;
      if (pastReset < firstReset) pastReset = firstReset;
      while (pastReset < resets.length && resets[pastReset] <= last) pastReset++;
      for (let i = firstReset; i < pastReset; i++) grown += values[resets[i] - 1];
    }
    let factor = factors[step];
    // A product is cheaper than the quotient that decides, and rules nearly every window out.
    if (isCounter && start >= 0 && start < zeroLimits[step] * grown && start / grown < zeroPoints[step]) {
      factor = stretchToZero(windows, step, start / grown, isRate);
    }
    outValues[step] = grown * factor;
    has[step] = 1;
    found++;
  }
  return found > 0;
}

/** The stretch of a window whose counter was zero shortly before. */
function stretchToZero(
  { samples, from, to, ends, rangeMs }: Windows,
  step: number,
  zeroPoint: number,
  isRate: boolean,
) {
  const { timestamps } = samples;
  const [first, last] = [from[step], to[step] - 1];
  const factor = stretch(timestamps[first], timestamps[last], last - first, ends[step], rangeMs, zeroPoint);
  return isRate ? factor / (rangeMs / 1000) : factor;
}

/** The stretches of windows whose counters weren't zero just before, and from where on they were. */
function stretchesOf({ samples, from, to, ends, rangeMs }: Windows, isRate: boolean): Stretches {
  const { timestamps } = samples;
  const factors = new Float64Array(ends.length);
  const zeroPoints = new Float64Array(ends.length);
  const zeroLimits = new Float64Array(ends.length);
  const seconds = rangeMs / 1000;
  for (let step = 0; step < ends.length; step++) {
    const [first, last] = [from[step], to[step] - 1];
    if (last <= first) continue;
    const [firstMs, lastMs, gaps] = [timestamps[first], timestamps[last], last - first];
    const factor = stretch(firstMs, lastMs, gaps, ends[step], rangeMs, Number.POSITIVE_INFINITY);
    factors[step] = isRate ? factor / seconds : factor;
    const sampled = (lastMs - firstMs) / 1000;
    zeroPoints[step] = toStartOf(firstMs, sampled / gaps, ends[step] - rangeMs) / sampled;
    zeroLimits[step] = zeroPoints[step] * ABOVE_ROUNDING;
  }
  return { factors, zeroPoints, zeroLimits };
}

/** Seconds from the start of a window to its first sample, or half a gap where that is far. */
function toStartOf(firstMs: number, averageGap: number, startMs: number): number {
  const toStart = (firstMs - startMs) / 1000;
  return toStart >= averageGap * 1.1 ? averageGap / 2 : toStart;
}

/** Makes up for what a product and a quotient may differ by. */
const ABOVE_ROUNDING = 1.000001;

const NO_RESETS: readonly number[] = [];

/** The samples that are smaller than the one before them. */
function resetIndices(values: Float64Array): readonly number[] {
  let found: number[] | undefined;
  for (let i = 1; i < values.length; i++) if (values[i] < values[i - 1]) (found ??= []).push(i);
  return found ?? NO_RESETS;
}

/**
 * By how much the increase between the samples of a window is stretched to the window's edges: up to the edge where the
 * samples come close to it (within 1.1 average gaps), else half a gap beyond the outermost sample, and for counters
 * never past the time at which they would have been zero.
 * @param gaps Number of samples less one.
 * @param zeroPoint The first value as a share of the increase; how far back the counter was zero.
 * Source: extrapolatedRate of prometheus/prometheus promql/functions.go.
 */
function stretch(
  firstMs: number,
  lastMs: number,
  gaps: number,
  endMs: number,
  rangeMs: number,
  zeroPoint: number,
): number {
  const sampled = (lastMs - firstMs) / 1000;
  const average = sampled / gaps;
  let toStart = toStartOf(firstMs, average, endMs - rangeMs);
  let toEnd = (endMs - lastMs) / 1000;
  const toZero = sampled * zeroPoint;
  if (toZero < toStart) toStart = toZero;
  if (toEnd >= average * 1.1) toEnd = average / 2;
  return (sampled + toStart + toEnd) / sampled;
}

/** Windows that may hold histograms: only floats, or only histograms, give a value. */
function mixedColumn(
  windows: Windows,
  out: RangeOutput,
  notes: RangeNotes,
  tick: (work: number) => void,
  isCounter: boolean,
  isRate: boolean,
): void {
  const { samples, from, to, ends, rangeMs, labels } = windows;
  const { timestamps, values } = samples;
  const all = samples.histograms as readonly (NativeHistogram | undefined)[];
  const seconds = rangeMs / 1000;
  tick(HISTOGRAM_WORK * all.length);
  const counts = countsOf(all);
  for (let step = 0; step < ends.length; step++) {
    const [first, last] = [from[step], to[step] - 1];
    if (last < first) continue;
    tick(HISTOGRAM_WORK);
    const found = counts.histograms[last + 1] - counts.histograms[first];
    if (found > 0 && found <= last - first) {
      notes.mixedTypes(labels);
      continue;
    }
    if (last === first) continue;
    const stretched = (grown: number, before: number): number => {
      const zeroPoint = isCounter && grown > 0 && before >= 0 ? before / grown : Number.POSITIVE_INFINITY;
      const factor = stretch(timestamps[first], timestamps[last], last - first, ends[step], rangeMs, zeroPoint);
      return isRate ? factor / seconds : factor;
    };
    if (found === 0) {
      let grown = values[last] - values[first];
      if (isCounter) {
        for (let i = first + 1; i <= last; i++) if (values[i] < values[i - 1]) grown += values[i - 1];
        notes.counterName(labels);
      }
      out.values[step] = grown * stretched(grown, values[first]);
    } else {
      const [before, now] = [all[first] as NativeHistogram, all[last] as NativeHistogram];
      let result: NativeHistogram | undefined;
      if (counts.breaks[last] === counts.breaks[first]) {
        noteKinds(before, now, counts.gauges[last + 1] > counts.gauges[first], isCounter, labels, notes);
        result = scaledDifference(now, before, stretched(now.count - before.count, before.count));
      } else {
        tick(HISTOGRAM_WORK * (last - first));
        const points = all.slice(first, last + 1) as NativeHistogram[];
        const grown = histogramIncrease(points, isCounter, labels, notes);
        result = grown && scaleHistogram(grown, stretched(grown.count, before.count));
      }
      if (!result) continue;
      (out.histograms ??= new Array(ends.length))[step] = result;
    }
    out.has[step] = 1;
  }
}

/** What windows of histograms are asked, counted once, so that a window is a difference of two counts. */
interface HistogramCounts {
  /** How many of the samples before i are histograms, and how many of those say that they are gauges. */
  readonly histograms: Uint32Array;
  readonly gauges: Uint32Array;
  /** How many samples up to i are reset against the one before, or have another layout. */
  readonly breaks: Uint32Array;
}

function countsOf(all: readonly (NativeHistogram | undefined)[]): HistogramCounts {
  const [histograms, gauges] = [new Uint32Array(all.length + 1), new Uint32Array(all.length + 1)];
  const breaks = new Uint32Array(all.length);
  for (let i = 0; i < all.length; i++) {
    const now = all[i];
    const before = i > 0 ? all[i - 1] : undefined;
    histograms[i + 1] = histograms[i] + Number(now !== undefined);
    gauges[i + 1] = gauges[i] + Number(now?.counterResetHint === 'gauge');
    if (i > 0) breaks[i] = breaks[i - 1];
    if (now && before && (!sameLayout(before, now) || isHistogramReset(before, now))) breaks[i]++;
  }
  return { histograms, gauges, breaks };
}

function sameLayout(a: NativeHistogram, b: NativeHistogram): boolean {
  return a.schema === b.schema && a.zeroThreshold === b.zeroThreshold && sameBounds(a.customValues, b.customValues);
}

/** Remarks about counters read as gauges and the other way round. */
function noteKinds(
  first: NativeHistogram,
  last: NativeHistogram,
  anyGauge: boolean,
  isCounter: boolean,
  labels: Labels,
  notes: RangeNotes,
): void {
  if (isCounter && anyGauge) notes.notCounter(labels);
  if (!isCounter && (first.counterResetHint !== 'gauge' || last.counterResetHint !== 'gauge')) notes.notGauge(labels);
}

/** The increase over two or more histograms; resets are added as for floats. `undefined` where they don't fit. */
function histogramIncrease(
  points: readonly NativeHistogram[],
  isCounter: boolean,
  labels: Labels,
  notes: RangeNotes,
): NativeHistogram | undefined {
  const last = points[points.length - 1];
  let first = points[0];
  const anyGauge = points.some((h) => h.counterResetHint === 'gauge');
  noteKinds(first, last, anyGauge, isCounter, labels, notes);
  // A reset right after the first sample makes its buckets irrelevant, and so it may have another layout.
  if (isCounter && isHistogramReset(first, points[1])) first = emptyLike(points[1]);
  if (
    hasCustomBounds(first) !== hasCustomBounds(last) ||
    (isCounter && points.slice(1).some((h) => hasCustomBounds(h) !== hasCustomBounds(last)))
  ) {
    notes.mixedSchemas(labels);
    return undefined;
  }
  const difference = subtractHistograms(last, first);
  if (!difference) return undefined;
  if (difference.reconciled) notes.reconciled('subtraction');
  let grown = difference.value;
  if (isCounter) {
    let before = first;
    for (const now of points.slice(1)) {
      if (isHistogramReset(before, now)) {
        const sum = sumHistograms([grown, before]);
        if (!sum) return undefined;
        if (sum.reconciled) notes.reconciled('addition');
        grown = sum.value;
      }
      before = now;
    }
    // Every sample that is looked at bounds the resolution, as the counts between are compared with each other.
    const schema = Math.min(...points.slice(1).map((h) => h.schema), first.schema);
    if (schema < grown.schema) grown = sumHistograms([grown, { ...emptyLike(grown), schema }])?.value ?? grown;
  }
  return compactHistogram({ ...grown, counterResetHint: 'gauge' });
}

function emptyLike(h: NativeHistogram): NativeHistogram {
  return {
    schema: h.schema,
    customValues: h.customValues,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveIndices: new Int32Array(0),
    positiveCounts: new Float64Array(0),
    negativeIndices: new Int32Array(0),
    negativeCounts: new Float64Array(0),
    counterResetHint: 'unknown',
  };
}

/** `irate` (per second, for counters) and `idelta` (for gauges): from the last two samples of each window. */
export function instantDelta(isRate: boolean): RangeFunction {
  return (windows, out, { notes }) => {
    const { samples, from, to, labels } = windows;
    const { timestamps, values, histograms } = samples;
    for (let step = 0; step < from.length; step++) {
      const last = to[step] - 1;
      if (last <= from[step]) continue;
      const seconds = (timestamps[last] - timestamps[last - 1]) / 1000;
      const [before, now] = [histograms?.[last - 1], histograms?.[last]];
      if (before && now) {
        const change = histogramChange(before, now, isRate, labels, notes);
        if (!change) continue;
        (out.histograms ??= new Array(from.length))[step] = isRate ? divideHistogram(change, seconds) : change;
      } else if (before || now) {
        notes.mixedTypes(labels);
        continue;
      } else {
        const [a, b] = [values[last - 1], values[last]];
        // After a reset of a counter all of the last value is new.
        const change = isRate && b < a ? b : b - a;
        out.values[step] = isRate ? change / seconds : change;
      }
      out.has[step] = 1;
    }
  };
}

function histogramChange(
  before: NativeHistogram,
  now: NativeHistogram,
  isRate: boolean,
  labels: Labels,
  notes: RangeNotes,
): NativeHistogram | undefined {
  const isGauge = (h: NativeHistogram) => h.counterResetHint === 'gauge';
  if (isRate && (isGauge(before) || isGauge(now))) notes.notCounter(labels);
  if (!isRate && !(isGauge(before) && isGauge(now))) notes.notGauge(labels);
  if (isRate && isHistogramReset(before, now)) return compactHistogram({ ...now, counterResetHint: 'gauge' });
  const difference = subtractHistograms(now, before);
  if (!difference) {
    notes.mixedSchemas(labels);
    return undefined;
  }
  if (difference.reconciled) notes.reconciled('subtraction');
  return { ...difference.value, counterResetHint: 'gauge' };
}
