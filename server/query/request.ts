import { BarographError, type Span } from '../model/index.ts';
import type { Readers } from '../store/index.ts';
import { answerLogs, type LogQuery } from './log-request.ts';
import { answerMetrics, type MetricQuery } from './metric-request.ts';
import type { PackedSeries } from './prometheus/index.ts';
import type { Crew } from './promql/index.ts';
import { answerTraces, type TraceQuery } from './trace-request.ts';

/** What the API asks of a query worker: plain data that crosses to a thread. */
export type QueryRequest = MetricQuery | LogQuery | TraceQuery;

/**
 * What a worker answers: the body of the HTTP answer, or the spans of a trace or samples of series, which the API
 * encodes.
 */
export type QueryAnswer<R extends QueryRequest = QueryRequest> = R extends { readonly kind: 'trace' }
  ? Span[]
  : R extends { readonly kind: 'samples' | 'last_samples' }
    ? PackedSeries
    : string | Uint8Array;

/**
 * Answers a request.
 * @param crew Threads that may help with it.
 */
export async function answer(
  request: QueryRequest,
  readers: Readers,
  signal: AbortSignal,
  crew?: Crew,
): Promise<QueryAnswer> {
  switch (request.kind) {
    case 'logql':
    case 'log_labels':
    case 'log_label_values':
    case 'log_series':
    case 'log_stats':
      return answerLogs(request, readers.logs, signal);
    case 'trace':
    case 'trace_metrics':
    case 'trace_tag_values':
    case 'trace_tags':
    case 'traceql':
      return answerTraces(request, readers.traces, signal);
    default:
      return answerMetrics(request, readers.metrics, signal, crew);
  }
}

/** An error as plain data that crosses threads. */
export interface WireError {
  readonly code: string;
  readonly status: number;
  readonly message: string;
}

/** Turns anything thrown into what crosses threads; an unexpected error is a bug and says so. */
export function toWireError(error: unknown): WireError {
  if (error instanceof BarographError) return { code: error.code, status: error.status, message: error.message };
  return { code: 'internal', status: 500, message: error instanceof Error ? error.message : String(error) };
}

/** An error that came from another thread. */
export function fromWireError({ code, status, message }: WireError): BarographError {
  return new BarographError({ code, status, where: message });
}
