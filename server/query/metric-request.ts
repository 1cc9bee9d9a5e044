import type { MetricReader } from '../store/index.ts';
import {
  answerCardinality,
  answerExemplars,
  answerLabels,
  answerLastSamples,
  answerMetadata,
  answerPromql,
  answerSamples,
  answerSearch,
  type CardinalityQuery,
  type ExemplarQuery,
  type ExpressionQuery,
  expressionTree,
  formatQuery,
  type LabelQuery,
  type LastSamplesQuery,
  type MetadataQuery,
  type PackedSeries,
  type PromqlQuery,
  type SamplesQuery,
  type SearchQuery,
} from './prometheus/index.ts';
import type { Crew } from './promql/index.ts';

/** Requests about metrics, in Prometheus's terms. Times are milliseconds. */
export type MetricQuery =
  | PromqlQuery
  | LabelQuery
  | ExemplarQuery
  | MetadataQuery
  | ExpressionQuery
  | SearchQuery
  | CardinalityQuery
  | SamplesQuery
  | LastSamplesQuery;

/**
 * Answers a request about metrics with the body of its HTTP answer, or with samples, which the API encodes in the
 * format that was negotiated.
 */
export async function answerMetrics(
  request: MetricQuery,
  reader: MetricReader,
  signal: AbortSignal,
  crew?: Crew,
): Promise<string | Uint8Array | PackedSeries> {
  switch (request.kind) {
    case 'promql':
      return answerPromql(request, reader, signal, crew);
    case 'series':
    case 'labels':
    case 'label_values':
      return answerLabels(request, reader, signal);
    case 'exemplars':
      return answerExemplars(request, reader, signal);
    case 'metadata':
      return answerMetadata(request, reader);
    case 'format_query':
      return success(formatQuery(request.query));
    case 'parse_query':
      return success(expressionTree(request.query));
    case 'search':
      return answerSearch(request, reader, signal);
    case 'cardinality':
      return answerCardinality(request, reader, signal);
    case 'samples':
      return answerSamples(request, reader, signal);
    case 'last_samples':
      return answerLastSamples(request, reader, signal);
  }
}

function success(data: unknown): string {
  return `{"status":"success","data":${JSON.stringify(data)}}`;
}
