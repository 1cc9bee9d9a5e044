import type { NativeHistogram } from './histogram.ts';
import type { Labels } from './labels.ts';

/** What a metric is. `unknown` where nobody said. */
export type MetricType =
  | 'counter'
  | 'gauge'
  | 'histogram'
  | 'gaugehistogram'
  | 'summary'
  | 'info'
  | 'stateset'
  | 'unknown';

/** What is known about a metric beside its samples. */
export interface MetricMetadata {
  readonly metric: string;
  readonly type: MetricType;
  readonly help: string;
  readonly unit: string;
}

/**
 * The samples of one series in a time range, as columns of equal length. Timestamps ascend strictly.
 * Staleness markers are among the values (see `stale.ts`).
 */
export interface SeriesSamples {
  readonly labels: Labels;
  /** Milliseconds since the epoch. */
  readonly timestamps: Float64Array;
  /** Where `histograms` has an entry, the value is meaningless. */
  readonly values: Float64Array;
  /** Sparse array beside the values for series that hold native histograms, else `undefined`. */
  readonly histograms: readonly (NativeHistogram | undefined)[] | undefined;
}

/** A sample that points at a trace. */
export interface Exemplar {
  /** Labels of the exemplar itself: `trace_id`, `span_id`, … */
  readonly labels: Labels;
  readonly value: number;
  readonly timestampMs: number;
}
