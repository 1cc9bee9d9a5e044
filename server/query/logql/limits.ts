/**
 * What a LogQL query may use at most. A query that needs more fails with `query_limit`; it is never cut short silently.
 * Loki's defaults are given where it has the same limit.
 */
export interface LogqlLimits {
  /** Lines that a log query may ask for (Loki: `max_entries_limit_per_query`, 5000). */
  readonly maxEntries: number;
  /** Series of one metric expression's result or intermediate result (Loki: `max_query_series`, 500). */
  readonly maxSeries: number;
  /** Steps of a range query (as Prometheus). */
  readonly maxSteps: number;
  /** Series × steps of one intermediate result; one is about 21 bytes. */
  readonly maxPoints: number;
  /** Samples kept in memory by functions that need them all: `quantile_over_time`, `rate_counter`; one is 16 bytes. */
  readonly maxSamples: number;
}

export const DEFAULT_LIMITS: LogqlLimits = {
  maxEntries: 5000,
  maxSeries: 10_000,
  maxSteps: 11_000,
  maxPoints: 5_000_000,
  maxSamples: 5_000_000,
};
