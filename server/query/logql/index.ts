// LogQL: text → tree → checked → plan → lines or numbers → Loki's JSON.
// In: a query, its time range, and a reader of log batches.
// Out: streams, a matrix, a vector or a scalar; bodies for Loki's routes.
// Never: a wrong answer for what it doesn't know (it says so), a line of content in an error, memory without a limit.
export type { LogExpr, LogqlExpr, MetricExpr } from './ast.ts';
export { DETECTED_LEVEL_LABEL, type DetectedLevel, detectLevel } from './detected-level.ts';
export {
  type EncodeOptions,
  encodeLoki,
  encodeLokiError,
  encodeLokiIndexStats,
  encodeLokiSeries,
  encodeLokiStrings,
} from './encode.ts';
export { DEFAULT_LIMITS as DEFAULT_LOGQL_LIMITS, type LogqlLimits } from './limits.ts';
export { parseLogql } from './parse.ts';
export { printLogql } from './print.ts';
export { explainLogql, type LogqlParams, parseLogSelector, queryLogql } from './query.ts';
export type { LogqlStats, LogResult, LogRow, ResultSeries } from './result.ts';
