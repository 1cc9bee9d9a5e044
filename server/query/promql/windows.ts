import { bitsOf, isStale, type NativeHistogram, type SeriesSamples } from '../../model/index.ts';

/** One series' samples without staleness markers, as range functions see them. */
export interface WindowSamples {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly histograms: readonly (NativeHistogram | undefined)[] | undefined;
}

/** A function over the samples `[from, to)` of a series that lie in one window, or over all its windows at once. */
export interface Window {
  readonly samples: WindowSamples;
  /** First sample inside, and the first one past the window. */
  readonly from: number;
  readonly to: number;
  /** The window's bounds in milliseconds: open on the left, closed on the right. */
  readonly startMs: number;
  readonly endMs: number;
}

/** The samples without staleness markers: range functions never see them. */
export function withoutStale(series: SeriesSamples): WindowSamples {
  const bits = bitsOf(series.values);
  const n = series.timestamps.length;
  let stale = 0;
  for (let i = 0; i < n; i++) if (isStaleAt(series, bits, i)) stale++;
  if (stale === 0) return series;
  const timestamps = new Float64Array(n - stale);
  const values = new Float64Array(n - stale);
  const histograms = series.histograms ? new Array<NativeHistogram | undefined>(n - stale) : undefined;
  let at = 0;
  for (let i = 0; i < n; i++) {
    if (isStaleAt(series, bits, i)) continue;
    timestamps[at] = series.timestamps[i];
    values[at] = series.values[i];
    if (histograms) histograms[at] = series.histograms?.[i];
    at++;
  }
  return { timestamps, values, histograms };
}

/** Whether sample `i` is a staleness marker, as a float or as a histogram whose sum is one. */
export function isStaleAt(series: SeriesSamples, bits: Uint32Array, i: number): boolean {
  const histogram = series.histograms?.[i];
  if (!histogram) return isStale(bits, i);
  return Number.isNaN(histogram.sum) && isStale(bitsOf(Float64Array.of(histogram.sum)), 0);
}
