import {
  decodeOtlpLogs,
  decodeOtlpLogsJson,
  decodeOtlpMetrics,
  decodeOtlpMetricsJson,
  decodeOtlpTraces,
  decodeOtlpTracesJson,
  toSeries,
} from '../wire/index.ts';
import type { LogIngest } from './log-ingest.ts';
import type { IngestOutcome, MetricIngest } from './metric-ingest.ts';
import type { TraceIngest } from './trace-ingest.ts';

/** The signals of OTLP that are received. */
export type OtlpSignal = 'metrics' | 'logs' | 'traces';
/** How an OTLP body is written. */
export type OtlpEncoding = 'protobuf' | 'json';

/** The ways that OTLP's signals take. */
export interface OtlpWays {
  readonly metrics: MetricIngest;
  readonly logs: LogIngest;
  readonly traces: TraceIngest;
}

/**
 * Decodes and takes in an uncompressed OTLP export request; durable once the store commits. The whole body is decoded
 * before anything is taken, so a malformed one leaves nothing behind.
 * @throws BarographError `malformed` (400), `too_large` (413), `overloaded` (503).
 */
export function takeOtlp(ways: OtlpWays, signal: OtlpSignal, body: Uint8Array, encoding: OtlpEncoding): IngestOutcome {
  const isJson = encoding === 'json';
  switch (signal) {
    case 'metrics':
      return ways.metrics.points(toSeries(isJson ? decodeOtlpMetricsJson(body) : decodeOtlpMetrics(body)));
    case 'logs': {
      const records = isJson ? decodeOtlpLogsJson(body) : decodeOtlpLogs(body);
      return ways.logs.takeRecords(records, BigInt(Date.now()) * 1_000_000n);
    }
    case 'traces': {
      const decoded = isJson ? decodeOtlpTracesJson(body) : decodeOtlpTraces(body);
      const outcome = ways.traces.take(decoded.spans, 'otlp');
      return {
        accepted: outcome.accepted,
        rejected: outcome.rejected + decoded.rejected,
        reason: decoded.rejected > 0 ? decoded.rejectedMessage : outcome.reason,
      };
    }
  }
}
