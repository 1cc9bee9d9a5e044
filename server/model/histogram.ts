/**
 * What is known of a histogram's relation to the one before it in its series.
 * `gauge` histograms go up and down and are never read as resets.
 */
export type CounterResetHint = 'unknown' | 'reset' | 'no_reset' | 'gauge';

/** The schema that says "custom bucket bounds" (a classic histogram in native form). */
export const CUSTOM_BUCKETS_SCHEMA = -53;

/**
 * A native (sparse, exponential) histogram with absolute float counts. Immutable.
 *
 * Bucket `i` of schema `s` covers `(2^((i-1)·2^-s), 2^(i·2^-s)]`; negative buckets mirror it. Buckets are two arrays of
 * equal length, indices ascending and unique, so that gaps cost nothing. For schema −53 bucket `i` ends at
 * `customValues[i]` (the last one at +Inf) and there are no negative or zero buckets.
 * Source: prometheus/prometheus model/histogram; OTLP's bucket offset o is index o + 1 here.
 */
export interface NativeHistogram {
  /** −4…8, or −53 for custom bounds. */
  readonly schema: number;
  /** Observations with |x| ≤ zeroThreshold are in the zero bucket. */
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  /** All observations. */
  readonly count: number;
  readonly sum: number;
  readonly positiveIndices: Int32Array;
  readonly positiveCounts: Float64Array;
  readonly negativeIndices: Int32Array;
  readonly negativeCounts: Float64Array;
  /** Ascending finite upper bounds for schema −53, else `undefined`. */
  readonly customValues: Float64Array | undefined;
  readonly counterResetHint: CounterResetHint;
}
