import type { Labels, NativeHistogram } from '../../model/index.ts';

/**
 * A series of a result as columns over the query's steps. `has[i]` says whether step i has a value; where
 * `histograms[i]` is set, that is the value and `values[i]` is meaningless.
 */
export interface VectorSeries {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly has: Uint8Array;
  readonly histograms: (NativeHistogram | undefined)[] | undefined;
}

/** What an expression is, over every step at once. */
export type Value =
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'vector'; readonly series: VectorSeries[]; readonly sorted?: boolean };

/** A new series without values. */
export function emptySeries(labels: Labels, steps: number): VectorSeries {
  return { labels, values: new Float64Array(steps), has: new Uint8Array(steps), histograms: undefined };
}

/** A copy of a series that shares nothing, with other labels. */
export function withHistograms(series: VectorSeries): VectorSeries & { histograms: (NativeHistogram | undefined)[] } {
  const histograms = series.histograms ?? new Array<NativeHistogram | undefined>(series.values.length);
  return { ...series, histograms };
}

/** Whether a series has a value at any step. */
export function isEmptySeries(series: VectorSeries): boolean {
  for (let i = 0; i < series.has.length; i++) if (series.has[i]) return false;
  return true;
}
