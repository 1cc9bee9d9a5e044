// TraceQL: text → tree → checked → plan → traces → Tempo's JSON.
// In: a query, its time range, and a reader of spans.
// Out: found traces with the spans that matched; numbers over time; names and values of attributes; bodies for Tempo's routes.
// Never: a wrong answer for what it doesn't know (it says so), content in an error, memory without a limit.
export type { FieldExpr, MetricsExpr, ScalarExpr, SpansetExpr, Stage as TraceStage, TraceqlExpr } from './ast.ts';
export {
  encodeTempoInstant,
  encodeTempoMetrics,
  encodeTempoSearch,
  encodeTempoTags,
  encodeTempoTagsV1,
  encodeTempoTagValues,
  encodeTempoTagValuesV1,
} from './encode.ts';
export type { Exemplar } from './exemplars.ts';
export { filterTrace } from './filter-trace.ts';
export { DEFAULT_TRACEQL_LIMITS, type TraceqlLimits } from './limits.ts';
export { queryTraceMetrics, type TraceMetricsParams, type TraceMetricsResult, type TraceSeries } from './metrics.ts';
export { parseTraceql } from './parse.ts';
export { printTraceql } from './print.ts';
export {
  explainTraceql,
  type FoundSpan,
  type FoundSpanset,
  type FoundTrace,
  searchTraceql,
  type TraceSearchParams,
  type TraceSearchResult,
} from './search.ts';
export { type TagSearch, tagSearchQuery } from './tag-search.ts';
export {
  findTags,
  findTagValues,
  TAG_SCOPES,
  type TagParams,
  type TagScope,
  type TagScopeName,
  type TagValue,
} from './tags.ts';
