// PromQL: text → parse → check → plan → fetch → evaluate → JSON.
// In: a query, its times and a metric reader. Out: values over steps with warnings and infos, or an error with a place.
// Never: touches storage except through the reader, or answers what it doesn't support with something else.
export type { AtModifier, Binary, Duration, Expr, LabelMatcher, VectorMatching, VectorSelector } from './ast.ts';
export { walk } from './ast.ts';
export { typeOf } from './check.ts';
export { DEFAULT_EVALUATION_LIMITS, type EvaluationLimits } from './context.ts';
export { durationMs, isLiteralDuration } from './duration.ts';
export { encodePrometheus } from './encode.ts';
export {
  DEFAULT_LOOKBACK_MS,
  DEFAULT_SUBQUERY_STEP_MS,
  explainPromql,
  type PromResult,
  parseSelector,
  type QueryOptions,
  queryPromql,
  selectorsOf,
} from './engine.ts';
export { formatValue } from './format.ts';
export { parsePromql } from './parse.ts';
export { type Crew, type PartJob, type PartResult, PartWork, type SharedWork } from './parts.ts';
export { type PlanNode, planQuery, windowEnd } from './plan.ts';
export { printExpr, printMatchers } from './print.ts';
export type { RangeSeries } from './range.ts';
export { EXPERIMENTAL_AGGREGATIONS, EXPERIMENTAL_FUNCTIONS, SIGNATURES } from './signatures.ts';
