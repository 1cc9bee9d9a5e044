// What Prometheus's API answers beside the values of expressions: labels, series, metadata, exemplars, searches,
// cardinality, expressions as text and tree, and samples for federation and remote read.
// In: requests as plain data and a metric reader. Out: bodies of answers, or packed series that cross threads.
// Never: knows HTTP, or answers with a part of what was asked without saying so.
export { answerCardinality, type CardinalityQuery } from './cardinality.ts';
export { answerExemplars, type ExemplarQuery } from './exemplar-answers.ts';
export { formatQuery } from './expression-format.ts';
export { type ExpressionQuery, expressionTree } from './expression-json.ts';
export type { FuzzyAlgorithm, SearchTerms } from './fuzzy.ts';
export {
  answerLabels,
  answerMetadata,
  type LabelQuery,
  type MetadataQuery,
  type MetricRange,
} from './label-answers.ts';
export { type PackedSeries, transferOf, unpackSeries } from './packed-series.ts';
export { answerPromql, type PromqlQuery } from './promql-answer.ts';
export { answerLastSamples, answerSamples, type LastSamplesQuery, type SamplesQuery } from './sample-answers.ts';
export { answerSearch, type SearchQuery } from './search.ts';
