import { BarographError, type Matcher, type Span } from '../model/index.ts';
import type { Readers } from '../store/index.ts';
import { answerLogs, type LogQuery } from './log-request.ts';
import { encodePrometheus, parseSelector, queryPromql, selectorsOf } from './promql/index.ts';
import { answerTraces, type TraceQuery } from './trace-request.ts';

/** What the API asks of a query worker: plain data that crosses to a thread. */
export type QueryRequest = MetricQuery | LogQuery | TraceQuery;

/** What a worker answers: the body of the HTTP answer, or the spans of a trace, which the API encodes. */
export type QueryAnswer<R extends QueryRequest = QueryRequest> = R extends { readonly kind: 'trace' }
  ? Span[]
  : string | Uint8Array;

/** Requests about metrics, in Prometheus's terms. Times are milliseconds. */
export type MetricQuery =
  | {
      readonly kind: 'promql';
      readonly query: string;
      readonly startMs: number;
      readonly endMs: number;
      /** 0 for an instant query. */
      readonly stepMs: number;
      readonly lookbackMs: number | undefined;
      /** Milliseconds that the request may take, if less than the server allows. */
      readonly timeoutMs: number | undefined;
    }
  | {
      readonly kind: 'series' | 'labels';
      readonly match: readonly string[];
      readonly startMs: number;
      readonly endMs: number;
      /** 0 for none. */
      readonly limit: number;
    }
  | {
      readonly kind: 'label_values';
      readonly label: string;
      readonly match: readonly string[];
      readonly startMs: number;
      readonly endMs: number;
      readonly limit: number;
    }
  | { readonly kind: 'exemplars'; readonly query: string; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'metadata'; readonly metric: string | undefined; readonly limit: number };

/** Answers a request. */
export async function answer(
  request: QueryRequest,
  readers: Readers,
  signal: AbortSignal,
): Promise<QueryAnswer | Span[]> {
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
      return answerMetrics(request, readers, signal);
  }
}

async function answerMetrics(
  request: MetricQuery,
  readers: Readers,
  signal: AbortSignal,
): Promise<string | Uint8Array> {
  switch (request.kind) {
    case 'promql': {
      const { query, startMs, endMs, stepMs, lookbackMs } = request;
      // The pool keeps the time: it knows how long the request waited, and it answers while this thread is busy.
      const limits = { timeoutMs: Number.POSITIVE_INFINITY };
      const options = { startMs, endMs, stepMs, lookbackMs, limits, signal };
      return encodePrometheus(await queryPromql(query, options, readers.metrics), signal);
    }
    case 'series': {
      const found = await readers.metrics.series(selectors(request.match), request.startMs, request.endMs, 0);
      return limited(
        found.map((labels) => Object.fromEntries(pairs(labels))),
        request.limit,
      );
    }
    case 'labels':
      return limited(
        await readers.metrics.labelNames(selectors(request.match), request.startMs, request.endMs),
        request.limit,
      );
    case 'label_values': {
      const { label, match, startMs, endMs, limit } = request;
      return limited(await readers.metrics.labelValues(label, selectors(match), startMs, endMs), limit);
    }
    case 'exemplars':
      return success(await exemplars(request, readers));
    case 'metadata': {
      const found = await readers.metrics.metadata(request.metric);
      const kept = request.limit > 0 ? found.slice(0, request.limit) : found;
      return success(Object.fromEntries(kept.map(({ metric, type, help, unit }) => [metric, [{ type, help, unit }]])));
    }
  }
}

function selectors(match: readonly string[]): Matcher[][] {
  return match.map((text) => parseSelector(text));
}

async function exemplars(
  request: { query: string; startMs: number; endMs: number },
  readers: Readers,
): Promise<unknown[]> {
  const out: unknown[] = [];
  for (const matchers of selectorsOf(request.query)) {
    const found = await readers.metrics.exemplars({ matchers, startMs: request.startMs, endMs: request.endMs });
    for (const { labels, exemplars: list } of found) {
      out.push({
        seriesLabels: Object.fromEntries(pairs(labels)),
        exemplars: list.map((e) => ({
          labels: Object.fromEntries(pairs(e.labels)),
          value: String(e.value),
          timestamp: e.timestampMs / 1000,
        })),
      });
    }
  }
  return out;
}

function pairs(labels: readonly string[]): [string, string][] {
  return Array.from({ length: labels.length / 2 }, (_, i) => [labels[2 * i], labels[2 * i + 1]]);
}

/** A list cut at a limit, with Prometheus's warning where it was. */
function limited(found: readonly unknown[], limit: number): string {
  if (limit <= 0 || found.length <= limit) return success(found);
  const data = JSON.stringify(found.slice(0, limit));
  return `{"status":"success","data":${data},"warnings":["results truncated due to limit"]}`;
}

function success(data: unknown): string {
  return `{"status":"success","data":${JSON.stringify(data)}}`;
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
