/** How much one TraceQL query may touch. Passing a limit ends the query with `query_limit`, which names it. */
export interface TraceqlLimits {
  /** Traces that may match, of which each is looked at. */
  readonly candidates: number;
  /** Spans of one trace that is loaded whole. Half a trace would make counts and relations wrong, so none is cut. */
  readonly spansPerTrace: number;
  /** UTF-16 code units of the attributes and details of one trace that is loaded whole, as JSON. */
  readonly textPerTrace: number;
  /** Spans that are read altogether, for finding candidates and in whole traces. */
  readonly spans: number;
  /** Spans that a search's answer shows. */
  readonly shownSpans: number;
}

/**
 * One trace at a time is in memory, so `spansPerTrace` and `textPerTrace` bound what a query takes (about 150 MB at
 * worst) and the others bound its time and its answer.
 */
export const DEFAULT_TRACEQL_LIMITS: TraceqlLimits = {
  candidates: 100_000,
  spansPerTrace: 100_000,
  textPerTrace: 64 * 2 ** 20,
  spans: 20_000_000,
  shownSpans: 100_000,
};
