import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { type IdGenerator, type ReadableSpan, type SpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Deployment } from './fleet.ts';
import { contractLabels, gatewayResource, tokenBucketOf } from './gateway-attributes.ts';
import { toHrTime } from './hr-time.ts';
import type { Random } from './random.ts';
import type { Attempt, GatewayRequest, Interval } from './request.ts';

/** Which traces are kept, decided when a request has ended. */
export interface TracePolicy {
  /** Share of ordinary requests, 0 to 1. */
  readonly share: number;
  /** Requests with at least this time to the first token, or in all, are kept; milliseconds. */
  readonly slowFirstTokenMs: number;
  readonly slowTotalMs: number;
}

export const DEFAULT_TRACE_POLICY: TracePolicy = { share: 0.1, slowFirstTokenMs: 2000, slowTotalMs: 30_000 };

/** Outcomes whose traces are always kept. */
const KEPT_OUTCOMES: ReadonlySet<string> = new Set(['error', 'timeout', 'empty', 'refused']);

/** Whether a request's trace is kept: slow and failed ones always, others by a hash of their trace ID. */
export function keepsTrace(request: GatewayRequest, policy: TracePolicy): boolean {
  if (KEPT_OUTCOMES.has(request.outcome!)) return true;
  if (request.endMs - request.arrivalMs >= policy.slowTotalMs) return true;
  if (request.firstTokenMs - request.arrivalMs >= policy.slowFirstTokenMs) return true;
  return Number.parseInt(request.traceId.slice(-8), 16) < policy.share * 2 ** 32;
}

/** Hands out the IDs that the request already has in logs, then random ones. */
class ReplayedIds implements IdGenerator {
  traceId = '';
  /** The next span's; `''` for a random one. */
  spanId = '';
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  generateTraceId(): string {
    return this.traceId;
  }

  generateSpanId(): string {
    const { spanId } = this;
    this.spanId = '';
    return spanId === '' ? this.#random.hex(16) : spanId;
  }
}

/** Keeps ended spans until they are taken. */
class Collector implements SpanProcessor {
  spans: ReadableSpan[] = [];
  onStart(): void {}
  onEnd(span: ReadableSpan): void {
    this.spans.push(span);
  }
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

/** A gateway process's traces through the OpenTelemetry SDK: the semantic path of each request. */
export class GatewaySpans {
  readonly #ids: ReplayedIds;
  readonly #collector = new Collector();
  readonly #tracer: Tracer;

  constructor(deployment: Deployment, random: Random) {
    this.#ids = new ReplayedIds(random);
    const provider = new TracerProvider({
      resource: resourceFromAttributes(gatewayResource(deployment)),
      idGenerator: this.#ids,
      spanProcessors: [this.#collector],
    });
    this.#tracer = provider.getTracer('llm-gateway');
  }

  /** Writes the spans of a request that has ended. */
  record(request: GatewayRequest): void {
    this.#ids.traceId = request.traceId;
    this.#ids.spanId = request.spanId;
    const whole = { startMs: request.arrivalMs, endMs: request.endMs };
    const failed = request.errorType !== undefined;
    const gateway = this.#start(ROOT_CONTEXT, 'gateway', SpanKind.SERVER, whole, gatewayAttributes(request));
    if (failed) gateway.span.setStatus({ code: SpanStatusCode.ERROR });
    const step = (name: string, kind: SpanKind, interval: Interval | undefined, attributes: Attributes = {}): void => {
      if (interval && interval.startMs <= request.endMs) {
        this.#start(gateway.context, name, kind, clip(interval, request.endMs), attributes).end();
      }
    };
    step('authenticate', SpanKind.INTERNAL, request.authenticate);
    step('vector_search', SpanKind.CLIENT, request.vectorSearch, {
      'gen_ai.operation.name': 'retrieval',
      'gen_ai.data_source.id': `docs-${request.region}`,
      'gen_ai.retrieval.top_k': 8,
      'db.system.name': 'qdrant',
      'db.collection.name': 'docs',
    });
    step('prompt_build', SpanKind.INTERNAL, request.promptBuild, { prompt_class: request.promptClass });
    for (const attempt of request.attempts) this.#recordAttempt(gateway.context, request, attempt);
    step('output_filtering', SpanKind.INTERNAL, request.outputFiltering, policyAttributes(request));
    gateway.end();
  }

  /** The spans that have ended since the last call. */
  take(): ReadableSpan[] {
    const { spans } = this.#collector;
    this.#collector.spans = [];
    return spans;
  }

  get pending(): number {
    return this.#collector.spans.length;
  }

  #recordAttempt(parent: Context, request: GatewayRequest, attempt: Attempt): void {
    const isLast = attempt === request.attempts.at(-1);
    const interval = clip(attempt, request.endMs);
    const attributes = inferenceAttributes(request, attempt, isLast);
    const inference = this.#start(parent, 'model_inference', SpanKind.CLIENT, interval, attributes);
    const failed = attempt.retryReason !== undefined || (isLast && request.finishReason === 'error');
    if (failed) inference.span.setStatus({ code: SpanStatusCode.ERROR });
    if (isLast && !Number.isNaN(request.engineArrivalMs) && request.engineArrivalMs >= attempt.startMs) {
      const stages = [
        ['queue', request.engineArrivalMs, request.firstScheduledMs],
        ['prefill', request.firstScheduledMs, request.firstTokenMs],
        ['decode', request.firstTokenMs, request.lastTokenMs],
      ] as const;
      for (const [name, startMs, endMs] of stages) {
        if (Number.isNaN(startMs)) break;
        // A stage that was cut off ended with the attempt.
        const stage = clip({ startMs, endMs: Number.isNaN(endMs) ? interval.endMs : endMs }, interval.endMs);
        const extra = name === 'queue' ? { preemptions: request.preemptions } : {};
        this.#start(inference.context, name, SpanKind.INTERNAL, stage, extra).end();
      }
    }
    inference.end();
  }

  #start(parent: Context, name: string, kind: SpanKind, interval: Interval, attributes: Attributes) {
    const span = this.#tracer.startSpan(name, { kind, startTime: toHrTime(interval.startMs), attributes }, parent);
    return { span, context: trace.setSpan(parent, span), end: () => span.end(toHrTime(interval.endMs)) };
  }
}

function clip(interval: Interval, endMs: number): Interval {
  return { startMs: Math.min(interval.startMs, endMs), endMs: Math.min(interval.endMs, endMs) };
}

function gatewayAttributes(request: GatewayRequest): Attributes {
  const attributes: Attributes = {
    ...contractLabels(request),
    ...policyAttributes(request),
    'http.request.method': 'POST',
    'http.route': '/v1/chat/completions',
    // A stream that breaks has long answered 200.
    'http.response.status_code': statusCode(request),
    outcome: request.outcome!,
    prompt_class: request.promptClass,
    token_bucket: tokenBucketOf(request.promptTokens),
    request_id: request.requestId,
  };
  if (request.errorType !== undefined) attributes['error.type'] = request.errorType;
  const retry = request.attempts.find((attempt) => attempt.retryReason !== undefined);
  if (retry) attributes.retry_reason = retry.retryReason;
  return attributes;
}

/** The HTTP status that the caller saw. */
function statusCode(request: GatewayRequest): number {
  if (request.policy !== undefined && request.attempts.length === 0) return 403;
  if (!Number.isNaN(request.firstTokenMs)) return 200;
  switch (request.errorType) {
    case undefined:
    case 'empty_response':
      return 200;
    case 'timeout':
      return 504;
    case 'client_disconnected':
      return 499;
    case 'context_length_exceeded':
      return 400;
    case 'queue_full':
      return 429;
    default:
      return 503;
  }
}

function policyAttributes(request: GatewayRequest): Attributes {
  return request.policy === undefined ? {} : { policy: request.policy };
}

function inferenceAttributes(request: GatewayRequest, attempt: Attempt, isLast: boolean): Attributes {
  const attributes: Attributes = {
    ...contractLabels(request),
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': 'openai',
    'gen_ai.request.model': request.deployment.name,
    'gen_ai.request.max_tokens': request.maxTokens,
    'gen_ai.request.stream': request.streamed,
    'gen_ai.output.type': 'text',
    'server.address': `${attempt.replica.name}.inference.svc`,
    'server.port': 8000,
    replica: attempt.replica.name,
    engine: 'vllm',
  };
  if (attempt.retryReason !== undefined) attributes['error.type'] = attempt.retryReason;
  if (!isLast) return attributes;
  if (request.finishReason === 'error' && request.errorType !== undefined) attributes['error.type'] = request.errorType;
  if (request.finishReason !== undefined) attributes['gen_ai.response.finish_reasons'] = [request.finishReason];
  if (request.outputTokens > 0) {
    attributes['gen_ai.response.model'] = request.modelVersion;
    attributes['gen_ai.response.id'] = `chatcmpl-${request.requestId.slice(4)}`;
    attributes['gen_ai.usage.input_tokens'] = request.promptTokens;
    attributes['gen_ai.usage.output_tokens'] = request.outputTokens;
    attributes['gen_ai.usage.cache_read.input_tokens'] = request.cachedTokens;
  }
  if (request.streamed && !Number.isNaN(request.firstTokenMs)) {
    attributes['gen_ai.response.time_to_first_chunk'] = (request.firstTokenMs - attempt.startMs) / 1000;
  }
  return attributes;
}
