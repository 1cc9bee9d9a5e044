import { ROOT_CONTEXT, TraceFlags, trace } from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, type LogRecordProcessor, type ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { Deployment } from './fleet.ts';
import { contractLabels, gatewayResource, tokenBucketOf } from './gateway-attributes.ts';
import { toHrTime } from './hr-time.ts';
import type { GatewayRequest } from './request.ts';

/** OpenTelemetry's severity numbers of the levels that the gateway writes. */
const SEVERITY = { INFO: 9, WARN: 13, ERROR: 17 } as const;
type Level = keyof typeof SEVERITY;

/** Keeps records until they are taken. */
class Collector implements LogRecordProcessor {
  records: ReadableLogRecord[] = [];
  onEmit(record: ReadableLogRecord): void {
    this.records.push(record);
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

/** A gateway process's structured logs through the OpenTelemetry SDK: one event a line, fields instead of prose. */
export class GatewayLogs {
  readonly #collector = new Collector();
  readonly #logger: ReturnType<LoggerProvider['getLogger']>;

  constructor(deployment: Deployment) {
    const provider = new LoggerProvider({
      resource: resourceFromAttributes(gatewayResource(deployment)),
      processors: [this.#collector],
    });
    this.#logger = provider.getLogger('llm-gateway');
  }

  /** Writes the events of a request that has ended. */
  record(request: GatewayRequest): void {
    for (const attempt of request.attempts) {
      if (attempt.retryReason === undefined) continue;
      const fields = { retry_reason: attempt.retryReason, replica: attempt.replica.name };
      this.#write(request, 'WARN', attempt.endMs, { event: 'request.retried', ...fields });
    }
    if (request.policy !== undefined) {
      this.#write(request, 'WARN', request.endMs, { event: 'guardrail.triggered', policy: request.policy });
    }
    const failed = request.outcome === 'error' || request.outcome === 'timeout' || request.outcome === 'empty';
    const level = failed ? 'ERROR' : request.outcome === 'cancelled' ? 'WARN' : 'INFO';
    this.#write(request, level, request.endMs, finishedFields(request));
  }

  /** The records since the last call. */
  take(): ReadableLogRecord[] {
    const { records } = this.#collector;
    this.#collector.records = [];
    return records;
  }

  get pending(): number {
    return this.#collector.records.length;
  }

  #write(request: GatewayRequest, level: Level, timeMs: number, fields: Record<string, string | number>): void {
    const { traceId, spanId } = request;
    const timestamp = toHrTime(timeMs);
    const labels = contractLabels(request);
    const line = { level: level.toLowerCase(), ...fields, ...labels, trace_id: traceId, span_id: spanId };
    this.#logger.emit({
      timestamp,
      observedTimestamp: timestamp,
      severityNumber: SEVERITY[level],
      severityText: level,
      body: JSON.stringify(line),
      attributes: labels,
      context: trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED }),
    });
  }
}

function finishedFields(request: GatewayRequest): Record<string, string | number> {
  const fields: Record<string, string | number> = {
    event: 'request.finished',
    outcome: request.outcome!,
    prompt_class: request.promptClass,
    token_bucket: tokenBucketOf(request.promptTokens),
    prompt_tokens: request.promptTokens,
    cached_tokens: request.cachedTokens,
    response_tokens: request.outputTokens,
    total_ms: Math.round(request.endMs - request.arrivalMs),
  };
  if (request.streamed && !Number.isNaN(request.firstTokenMs)) {
    fields.ttft_ms = Math.round(request.firstTokenMs - request.arrivalMs);
  }
  if (!Number.isNaN(request.firstScheduledMs)) {
    fields.queue_ms = Math.round(request.firstScheduledMs - request.engineArrivalMs);
  }
  if (request.preemptions > 0) fields.preemptions = request.preemptions;
  if (request.attempts.length > 1) fields.attempts = request.attempts.length;
  if (request.attempts.length > 0) fields.replica = request.attempts.at(-1)!.replica.name;
  if (request.policy !== undefined) fields.policy = request.policy;
  if (request.errorType !== undefined) fields.error_type = request.errorType;
  return fields;
}
