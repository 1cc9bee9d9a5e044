import { bitsOf, isStale, type Labels, type NativeHistogram, type SeriesSamples } from '../../model/index.ts';

/** One series' samples without staleness markers, as range functions see them. */
export interface WindowSamples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly histograms: readonly (NativeHistogram | undefined)[] | undefined;
}

/** The samples of one series and, for every step, which of them lie in the step's window. */
export interface Windows {
  readonly labels: Labels;
  readonly samples: WindowSamples;
  /** First sample inside the window of step i, and the first one past it; equal where it is empty. */
  readonly from: Int32Array;
  readonly to: Int32Array;
  /** End of the window of step i, milliseconds, inside it; it begins `rangeMs` before, outside it. */
  readonly ends: Float64Array;
  readonly rangeMs: number;
  /** Whether it is known that no value is smaller than the one before it, and none is NaN. */
  readonly ascends: boolean;
  /** What functions compute of the windows alone; shared by neighbouring series with the same timestamps. */
  readonly shared: SharedWindows;
}

/** What can be computed of windows without looking at values. */
export interface SharedWindows {
  stretches?: Stretches;
}

/** How each window's increase is stretched to its edges; see `rate.ts`. */
export interface Stretches {
  /** By how much, where nothing is known of the counter's zero; already per second for `rate`. */
  readonly factors: Float64Array;
  /** Up to which share of the increase a first value means that the counter was zero within the stretch. */
  readonly zeroPoints: Float64Array;
  /** A little more than `zeroPoints`, for a first look that rounding can't mislead. */
  readonly zeroLimits: Float64Array;
}

/** The samples of one window. */
export interface Window {
  readonly samples: WindowSamples;
  readonly from: number;
  readonly to: number;
  /** The window's bounds in milliseconds: open on the left, closed on the right. */
  readonly startMs: number;
  readonly endMs: number;
}

/**
 * Finds the samples of every window in one pass.
 * @param ends Ascending ends of the windows.
 * @param from, to Filled; as long as `ends`.
 */
export function findWindows(
  timestamps: Float64Array,
  ends: Float64Array,
  rangeMs: number,
  from: Int32Array,
  to: Int32Array,
): void {
  const n = timestamps.length;
  let first = 0;
  let past = 0;
  for (let step = 0; step < ends.length; step++) {
    const endMs = ends[step];
    const startMs = endMs - rangeMs;
    while (past < n && timestamps[past] <= endMs) past++;
    while (first < past && timestamps[first] <= startMs) first++;
    from[step] = first;
    to[step] = past;
  }
}

/** Whether no value is smaller than the one before it and none is NaN, as in most stretches of a counter. */
export function ascends(values: Float64Array): boolean {
  for (let i = 1; i < values.length; i++) if (!(values[i] >= values[i - 1])) return false;
  return values.length !== 1 || !Number.isNaN(values[0]);
}

/** Whether some value is NaN. */
function hasNaN(values: Float64Array): boolean {
  const n = values.length;
  const even = n - (n % 4);
  // Four at a time: a sum is NaN if one of its terms is, or for infinities that a closer look then clears.
  for (let i = 0; i < even; i += 4) {
    const sum = values[i] + values[i + 1] + values[i + 2] + values[i + 3];
    if (Number.isNaN(sum)) return true;
  }
  for (let i = even; i < n; i++) if (Number.isNaN(values[i])) return true;
  return false;
}

/** The samples without staleness markers: range functions never see them. */
export function withoutStale(series: SeriesSamples): WindowSamples {
  const { timestamps, values, histograms } = series;
  if (!hasNaN(values)) return series;
  const bits = bitsOf(values);
  const n = timestamps.length;
  let stale = 0;
  for (let i = 0; i < n; i++) if (Number.isNaN(values[i]) && isStaleAt(series, bits, i)) stale++;
  if (stale === 0) return series;
  const kept = { timestamps: new Float64Array(n - stale), values: new Float64Array(n - stale) };
  const keptHistograms = histograms ? new Array<NativeHistogram | undefined>(n - stale) : undefined;
  let at = 0;
  for (let i = 0; i < n; i++) {
    if (Number.isNaN(values[i]) && isStaleAt(series, bits, i)) continue;
    kept.timestamps[at] = timestamps[i];
    kept.values[at] = values[i];
    if (keptHistograms) keptHistograms[at] = histograms?.[i];
    at++;
  }
  return { ...kept, histograms: keptHistograms };
}

/** Whether sample `i` is a staleness marker: a float one, in a series of histograms as well. */
export function isStaleAt(series: SeriesSamples, bits: Uint32Array, i: number): boolean {
  return series.histograms?.[i] === undefined && isStale(bits, i);
}

/** A window without the histograms in it. */
export function floatWindow(window: Window): Window {
  const { samples, from, to } = window;
  const timestamps: number[] = [];
  const values: number[] = [];
  for (let i = from; i < to; i++) {
    if (samples.histograms?.[i]) continue;
    timestamps.push(samples.timestamps[i]);
    values.push(samples.values[i]);
  }
  const floats = {
    timestamps: Float64Array.from(timestamps),
    values: Float64Array.from(values),
    histograms: undefined,
  };
  return { ...window, samples: floats, from: 0, to: values.length };
}

/** How many histograms a window holds. */
export function countHistograms({ samples: { histograms }, from, to }: Window): number {
  let found = 0;
  if (histograms) for (let i = from; i < to; i++) if (histograms[i]) found++;
  return found;
}

/** Below this average number of samples a window is walked through; above, the sliding forms are faster. Measured. */
export const SLIDING_FROM = 12;

/** How many samples a window has on average. */
export function averageLength({ from, to }: Windows): number {
  let samples = 0;
  for (let step = 0; step < from.length; step++) samples += to[step] - from[step];
  return samples / Math.max(1, from.length);
}
