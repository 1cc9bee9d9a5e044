import { addHistograms, isHistogramReset, type NativeHistogram, scaleHistogram } from '../../model/index.ts';
import type { Window, WindowSamples } from './windows.ts';

/** What a range function gives for one window; `undefined` for no value. */
export type WindowResult = number | NativeHistogram | undefined;

/** A range function that looks at one window. `args` are its scalar arguments at that step. */
export type WindowFunction = (window: Window, args: readonly number[], note: WindowNotes) => WindowResult;

/** Remarks that a window function can make about its input. */
export interface WindowNotes {
  mixed(): void;
  histogramIgnored(): void;
  incompatible(): void;
}

function floatsOnly(f: (w: Window, args: readonly number[]) => number | undefined): WindowFunction {
  return (window, args, note) => {
    const { samples } = window;
    if (!samples.histograms) return window.to > window.from ? f(window, args) : undefined;
    const kept = floatWindow(window);
    if (kept.to - kept.from < window.to - window.from) note.histogramIgnored();
    return kept.to > kept.from ? f(kept, args) : undefined;
  };
}

/** The float samples of a window that may hold histograms. */
function floatWindow(window: Window): Window {
  const { samples, from, to } = window;
  const timestamps: number[] = [];
  const values: number[] = [];
  for (let i = from; i < to; i++) {
    if (samples.histograms?.[i]) continue;
    timestamps.push(samples.timestamps[i]);
    values.push(samples.values[i]);
  }
  const floats: WindowSamples = {
    timestamps: Float64Array.from(timestamps),
    values: Float64Array.from(values),
    histograms: undefined,
  };
  return { ...window, samples: floats, from: 0, to: values.length };
}

/** Kahan's sum in Neumaier's form, so that many small values beside a large one are not lost. */
function preciseSum(values: Float64Array, from: number, to: number): number {
  let sum = 0;
  let lost = 0;
  for (let i = from; i < to; i++) {
    const value = values[i];
    const next = sum + value;
    if (!Number.isFinite(next)) lost = 0;
    else lost += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
    sum = next;
  }
  return sum + lost;
}

/**
 * The share of a window's increase that its samples show, stretched to the window's edges as Prometheus does: up to the
 * edge where the samples come close to it (within 1.1 average gaps), else half a gap beyond the outermost sample, and
 * for counters never past the time at which they would have been zero. Source: prometheus promql/functions.go.
 */
function extrapolationFactor(window: Window, isCounter: boolean, first: number, increase: number): number {
  const { timestamps } = window.samples;
  const firstMs = timestamps[window.from];
  const lastMs = timestamps[window.to - 1];
  const sampled = (lastMs - firstMs) / 1000;
  const average = sampled / (window.to - window.from - 1);
  let toStart = (firstMs - window.startMs) / 1000;
  let toEnd = (window.endMs - lastMs) / 1000;
  const threshold = average * 1.1;
  if (toStart >= threshold) toStart = average / 2;
  if (isCounter && increase > 0 && first >= 0) {
    const toZero = sampled * (first / increase);
    if (toZero < toStart) toStart = toZero;
  }
  if (toEnd >= threshold) toEnd = average / 2;
  return (sampled + toStart + toEnd) / sampled;
}

function extrapolated(isCounter: boolean, isRate: boolean): WindowFunction {
  return (window, _args, note) => {
    const { samples, from, to } = window;
    if (to - from < 2) return undefined;
    const seconds = (window.endMs - window.startMs) / 1000;
    if (samples.histograms) {
      let found = 0;
      for (let i = from; i < to; i++) if (samples.histograms[i]) found++;
      if (found > 0 && found < to - from) {
        note.mixed();
        return undefined;
      }
      if (found > 0) return histogramIncrease(window, isCounter, isRate ? seconds : 1, note);
    }
    const { values } = samples;
    let increase = values[to - 1] - values[from];
    if (isCounter) {
      for (let i = from + 1; i < to; i++) if (values[i] < values[i - 1]) increase += values[i - 1];
    }
    const factor = extrapolationFactor(window, isCounter, values[from], increase);
    return isRate ? (increase * factor) / seconds : increase * factor;
  };
}

function histogramIncrease(window: Window, isCounter: boolean, seconds: number, note: WindowNotes): WindowResult {
  const histograms = window.samples.histograms as readonly NativeHistogram[];
  const first = histograms[window.from];
  let increase = addHistograms(histograms[window.to - 1], first, -1);
  if (isCounter) {
    for (let i = window.from + 1; i < window.to && increase; i++) {
      if (isHistogramReset(histograms[i - 1], histograms[i])) increase = addHistograms(increase, histograms[i - 1]);
    }
  }
  if (!increase) {
    note.incompatible();
    return undefined;
  }
  const factor = extrapolationFactor(window, isCounter, first.count, increase.count);
  return { ...scaleHistogram(increase, factor / seconds), counterResetHint: 'gauge' };
}

function instantDelta(isRate: boolean): WindowFunction {
  return floatsOnly(({ samples, to, from }) => {
    if (to - from < 2) return undefined;
    const [before, last] = [samples.values[to - 2], samples.values[to - 1]];
    const seconds = (samples.timestamps[to - 1] - samples.timestamps[to - 2]) / 1000;
    if (!isRate) return last - before;
    return (last < before ? last : last - before) / seconds;
  });
}

/** Least squares over the window: slope per second, and the value at `interceptMs`. */
function linearRegression({ samples, from, to }: Window, interceptMs: number): { slope: number; intercept: number } {
  const { timestamps, values } = samples;
  let [sumX, sumY, sumXY, sumX2, n] = [0, 0, 0, 0, 0];
  let constant = true;
  for (let i = from; i < to; i++) {
    const x = (timestamps[i] - interceptMs) / 1000;
    if (values[i] !== values[from]) constant = false;
    n++;
    sumX += x;
    sumY += values[i];
    sumXY += x * values[i];
    sumX2 += x * x;
  }
  if (constant) {
    // A constant has no slope; computing it would leave rounding noise. Infinities have no line at all.
    return Number.isFinite(values[from])
      ? { slope: 0, intercept: values[from] }
      : { slope: Number.NaN, intercept: Number.NaN };
  }
  const covariance = sumXY - (sumX * sumY) / n;
  const variance = sumX2 - (sumX * sumX) / n;
  const slope = covariance / variance;
  return { slope, intercept: sumY / n - (slope * sumX) / n };
}

/** The φ-quantile of unsorted values, linearly interpolated; φ < 0 is −Inf, φ > 1 is +Inf. */
export function quantile(q: number, values: number[]): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return Number.NEGATIVE_INFINITY;
  if (q > 1) return Number.POSITIVE_INFINITY;
  // NaN sorts first, as in Prometheus.
  values.sort((a, b) => (Number.isNaN(a) ? (Number.isNaN(b) ? 0 : -1) : Number.isNaN(b) ? 1 : a - b));
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}

/** Population variance by Welford's method. */
function variance({ samples, from, to }: Window): number {
  let mean = 0;
  let squares = 0;
  for (let i = from, n = 1; i < to; i++, n++) {
    const delta = samples.values[i] - mean;
    mean += delta / n;
    squares += delta * (samples.values[i] - mean);
  }
  return squares / (to - from);
}

function averageOver({ samples, from, to }: Window): number {
  const sum = preciseSum(samples.values, from, to);
  if (Number.isFinite(sum)) return sum / (to - from);
  // The sum overflowed or holds infinities: an incremental mean is finite where the mean is.
  let mean = 0;
  for (let i = from, n = 1; i < to; i++, n++) {
    const value = samples.values[i];
    if (!Number.isFinite(mean) && !Number.isNaN(mean) && (mean === value || Number.isFinite(value))) continue;
    mean += value / n - mean / n;
  }
  return mean;
}

function sumHistograms({ samples, from, to }: Window, note: WindowNotes): NativeHistogram | undefined {
  let sum: NativeHistogram | undefined;
  for (let i = from; i < to; i++) {
    const h = samples.histograms?.[i];
    if (!h) continue;
    sum = sum ? addHistograms(sum, h) : h;
    if (!sum) {
      note.incompatible();
      return undefined;
    }
  }
  return sum && { ...sum, counterResetHint: sum.counterResetHint === 'gauge' ? 'gauge' : 'unknown' };
}

/** Sum and average exist for histograms as well; a mix has neither. */
function sumOrAverage(floats: (w: Window) => number, isAverage: boolean): WindowFunction {
  return (window, _args, note) => {
    const { samples, from, to } = window;
    if (to === from) return undefined;
    let found = 0;
    if (samples.histograms) for (let i = from; i < to; i++) if (samples.histograms[i]) found++;
    if (found === 0) return floats(window);
    if (found < to - from) {
      note.mixed();
      return undefined;
    }
    const sum = sumHistograms(window, note);
    return sum && isAverage ? scaleHistogram(sum, 1 / found) : sum;
  };
}

function extreme(
  isBetter: (candidate: number, best: number) => boolean,
  give: (w: Window, at: number) => number,
): WindowFunction {
  return floatsOnly((window) => {
    const { values } = window.samples;
    let best = window.from;
    for (let i = window.from + 1; i < window.to; i++) {
      if (isBetter(values[i], values[best]) || Number.isNaN(values[best])) best = i;
    }
    return give(window, best);
  });
}

const valueAt = (w: Window, i: number): number => w.samples.values[i];
const secondsAt = (w: Window, i: number): number => w.samples.timestamps[i] / 1000;

function changesOver(window: Window): number {
  const { values, histograms } = window.samples;
  let changes = 0;
  for (let i = window.from + 1; i < window.to; i++) {
    const [a, b] = [histograms?.[i - 1], histograms?.[i]];
    if (a || b) {
      if (
        !a ||
        !b ||
        a.count !== b.count ||
        a.sum !== b.sum ||
        addHistograms(a, b, -1)?.positiveCounts.some((c) => c !== 0)
      )
        changes++;
    } else if (values[i] !== values[i - 1] && !(Number.isNaN(values[i]) && Number.isNaN(values[i - 1]))) changes++;
  }
  return changes;
}

function resetsOver(window: Window): number {
  const { values, histograms } = window.samples;
  let resets = 0;
  for (let i = window.from + 1; i < window.to; i++) {
    const [a, b] = [histograms?.[i - 1], histograms?.[i]];
    if (a || b) {
      if (!a || !b || isHistogramReset(a, b)) resets++;
    } else if (values[i] < values[i - 1]) resets++;
  }
  return resets;
}

/** Holt's linear method: a level that follows the values and a trend that follows the level. */
function smooth({ samples, from, to }: Window, [factor, trendFactor]: readonly number[]): number | undefined {
  if (to - from < 2) return undefined;
  let before = 0;
  let level = samples.values[from];
  let trend = samples.values[from + 1] - samples.values[from];
  for (let i = from + 1; i < to; i++) {
    // The first trend is the first difference; later ones follow the two last levels.
    if (i > from + 1) trend = trendFactor * (level - before) + (1 - trendFactor) * trend;
    before = level;
    level = factor * samples.values[i] + (1 - factor) * (level + trend);
  }
  return level;
}

const anySample =
  (f: (w: Window) => WindowResult): WindowFunction =>
  (w) =>
    w.to > w.from ? f(w) : undefined;

/** Range functions by name. */
export const WINDOW_FUNCTIONS: ReadonlyMap<string, WindowFunction> = new Map<string, WindowFunction>([
  ['rate', extrapolated(true, true)],
  ['increase', extrapolated(true, false)],
  ['delta', extrapolated(false, false)],
  ['irate', instantDelta(true)],
  ['idelta', instantDelta(false)],
  [
    'deriv',
    floatsOnly((w) => (w.to - w.from < 2 ? undefined : linearRegression(w, w.samples.timestamps[w.from]).slope)),
  ],
  [
    'predict_linear',
    floatsOnly((w, [seconds, evaluationMs]) => {
      if (w.to - w.from < 2) return undefined;
      const { slope, intercept } = linearRegression(w, evaluationMs);
      return slope * seconds + intercept;
    }),
  ],
  ['sum_over_time', sumOrAverage((w) => preciseSum(w.samples.values, w.from, w.to), false)],
  ['avg_over_time', sumOrAverage(averageOver, true)],
  ['count_over_time', anySample((w) => w.to - w.from)],
  ['present_over_time', anySample(() => 1)],
  ['last_over_time', anySample((w) => w.samples.histograms?.[w.to - 1] ?? valueAt(w, w.to - 1))],
  ['first_over_time', anySample((w) => w.samples.histograms?.[w.from] ?? valueAt(w, w.from))],
  ['ts_of_last_over_time', anySample((w) => secondsAt(w, w.to - 1))],
  ['ts_of_first_over_time', anySample((w) => secondsAt(w, w.from))],
  ['min_over_time', extreme((c, b) => c < b, valueAt)],
  ['max_over_time', extreme((c, b) => c > b, valueAt)],
  ['ts_of_min_over_time', extreme((c, b) => c <= b, secondsAt)],
  ['ts_of_max_over_time', extreme((c, b) => c >= b, secondsAt)],
  ['stdvar_over_time', floatsOnly(variance)],
  ['stddev_over_time', floatsOnly((w) => Math.sqrt(variance(w)))],
  ['quantile_over_time', floatsOnly((w, [q]) => quantile(q, Array.from(w.samples.values.subarray(w.from, w.to))))],
  [
    'mad_over_time',
    floatsOnly((w) => {
      const values = Array.from(w.samples.values.subarray(w.from, w.to));
      const median = quantile(0.5, values);
      return quantile(
        0.5,
        values.map((v) => Math.abs(v - median)),
      );
    }),
  ],
  ['changes', anySample(changesOver)],
  ['resets', anySample(resetsOver)],
  ['double_exponential_smoothing', floatsOnly(smooth)],
]);
