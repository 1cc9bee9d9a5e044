// Answers queries in worker threads: a request as plain data in, the body of its HTTP answer out.
// In: QueryRequest from the API. Out: JSON as text or bytes, spans or samples; or a BarographError with a place and a status.
// Never: runs a query on the thread that acknowledges writes, or writes to the store.

export type { LogQuery } from './log-request.ts';
export { type LogExpr, type LogqlExpr, type MetricExpr, parseLogql } from './logql/index.ts';
export { type PoolOptions, type QueryOutcome, type QueryPool, startQueryPool } from './pool.ts';
export { type FuzzyAlgorithm, type PackedSeries, type SearchQuery, unpackSeries } from './prometheus/index.ts';
export {
  EXPERIMENTAL_AGGREGATIONS,
  EXPERIMENTAL_FUNCTIONS,
  type Expr,
  type LabelMatcher,
  parsePromql,
  parseSelector,
  SIGNATURES,
  walk,
} from './promql/index.ts';
export type { QueryAnswer, QueryRequest } from './request.ts';
export type { TraceQuery } from './trace-request.ts';
export {
  type FieldExpr,
  type MetricsExpr,
  parseTraceql,
  type ScalarExpr,
  type SpansetExpr,
  TAG_SCOPES,
  type TagScopeName,
  type TraceqlExpr,
  type TraceStage,
  tagSearchQuery,
} from './traceql/index.ts';
