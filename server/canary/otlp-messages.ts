import { HARMLESS_LINES } from './hide.data.ts';
import type { Hider, Value, ValueRecord } from './hide.ts';
import { CANARY_NAME } from './label.ts';
import { pick } from './random.ts';

/** How large the messages become. */
export interface MessageShape {
  /** Spans, records or metrics a message. */
  readonly items: number;
  /** Milliseconds since the epoch of everything in it. */
  readonly nowMs: number;
}

const PROVIDERS = ['openai', 'anthropic', 'vllm', 'aws.bedrock'];
const MODELS = ['gpt-4o-mini', 'meta-llama/Llama-3.1-8B-Instruct', 'Qwen/Qwen3-0.6B'];
const REGIONS = ['eu-west-1', 'us-east-1', 'westeurope'];

/** An export request of spans in the shape of OTLP/JSON. */
export function traceRequest(hider: Hider, shape: MessageShape): object {
  const spans = Array.from({ length: shape.items }, () => span(hider, shape));
  return { resourceSpans: [{ resource: resource(hider), scopeSpans: [{ scope: scope(hider), spans }] }] };
}

/** An export request of log records in the shape of OTLP/JSON. */
export function logRequest(hider: Hider, shape: MessageShape): object {
  const logRecords = Array.from({ length: shape.items }, (_, i) => logRecord(hider, shape, i));
  return { resourceLogs: [{ resource: resource(hider), scopeLogs: [{ scope: scope(hider), logRecords }] }] };
}

/** An export request of metrics in the shape of OTLP/JSON. Values are 0, so that no total changes. */
export function metricRequest(hider: Hider, shape: MessageShape): object {
  const metrics = Array.from({ length: shape.items }, (_, i) => metric(hider, shape, i));
  return { resourceMetrics: [{ resource: resource(hider), scopeMetrics: [{ scope: scope(hider), metrics }] }] };
}

function resource(hider: Hider): object {
  const harmless = {
    'service.name': CANARY_NAME,
    'deployment.environment.name': CANARY_NAME,
    'cloud.region': pick(hider.draw, REGIONS),
  };
  return { attributes: keyValues(hider.attributes('resource attributes', harmless)) };
}

function scope(hider: Hider): object {
  return {
    name: hider.text('scope name', 'opentelemetry.instrumentation.openai'),
    version: hider.text('scope version', '0.44.1'),
    attributes: keyValues(hider.attributes('scope attributes', { short_name: 'openai' })),
  };
}

function span(hider: Hider, { nowMs }: MessageShape): object {
  const time = nanoseconds(nowMs);
  const operation = {
    'gen_ai.operation.name': 'chat',
    'gen_ai.provider.name': pick(hider.draw, PROVIDERS),
    'gen_ai.request.model': pick(hider.draw, MODELS),
    'gen_ai.usage.input_tokens': hider.draw(4000),
  };
  const exception = { 'exception.type': 'ValueError' };
  return {
    traceId: hexId(hider, 32),
    spanId: hexId(hider, 16),
    traceState: hider.text('trace state', 'ot=th:8'),
    name: hider.text('span name', 'chat gpt-4o-mini'),
    kind: 3,
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes: keyValues(hider.attributes('span attributes', { ...operation, policy: hider.control })),
    status: { code: 2, message: hider.text('status message', 'DEADLINE_EXCEEDED') },
    events: [
      {
        timeUnixNano: time,
        name: hider.text('span event name', 'first_token'),
        attributes: keyValues(hider.attributes('span event attributes', { index: 0 })),
      },
      {
        timeUnixNano: time,
        name: 'exception',
        attributes: keyValues(exceptionAttributes(hider, 'span event exception', exception)),
      },
      {
        timeUnixNano: time,
        name: 'gen_ai.user.message',
        attributes: keyValues(hider.attributes('content event', {})),
      },
    ],
    links: [
      {
        traceId: hexId(hider, 32),
        spanId: hexId(hider, 16),
        traceState: hider.text('span link state', ''),
        attributes: keyValues(hider.attributes('span link attributes', { kind: 'retry' })),
      },
    ],
  };
}

function exceptionAttributes(hider: Hider, place: string, harmless: ValueRecord): ValueRecord {
  const message = hider.text(`${place} message`, '');
  const stack = hider.text(`${place} stack trace`, '');
  return {
    ...harmless,
    ...(message === '' ? {} : { 'exception.message': `could not answer: ${message}` }),
    ...(stack === '' ? {} : { 'exception.stacktrace': `Traceback (most recent call last):\nValueError: ${stack}` }),
  };
}

function logRecord(hider: Hider, { nowMs }: MessageShape, i: number): object {
  const time = `${BigInt(nanoseconds(nowMs)) + BigInt(i)}`;
  return {
    timeUnixNano: time,
    observedTimeUnixNano: time,
    severityNumber: 9,
    severityText: hider.text('severity text', 'INFO'),
    eventName: hider.text('event name', 'inference.request'),
    body: anyValue(hider.body('log body', pick(hider.draw, HARMLESS_LINES))),
    attributes: keyValues(hider.attributes('log attributes', { outcome: 'ok', policy: hider.control })),
    traceId: hexId(hider, 32),
    spanId: hexId(hider, 16),
  };
}

const METRICS = [
  { name: 'canary.requests', unit: '{request}', kind: 'sum' },
  { name: 'canary.queue.length', unit: '{request}', kind: 'gauge' },
  { name: 'canary.duration', unit: 's', kind: 'histogram' },
  { name: 'inference_requests_total', unit: '', kind: 'sum' },
] as const;

function metric(hider: Hider, { nowMs }: MessageShape, i: number): object {
  const { name, unit, kind } = METRICS[i % METRICS.length];
  const time = nanoseconds(nowMs);
  const exemplar = {
    timeUnixNano: time,
    asDouble: 0,
    traceId: hexId(hider, 32),
    spanId: hexId(hider, 16),
    filteredAttributes: keyValues(hider.attributes('exemplar attributes', { prompt_class: 'chat' })),
  };
  const point = {
    startTimeUnixNano: nanoseconds(nowMs - 60_000),
    timeUnixNano: time,
    attributes: keyValues(hider.attributes('point attributes', { model_version: pick(hider.draw, MODELS) })),
    exemplars: [exemplar],
  };
  const described = {
    name: i % 2 === 0 ? hider.text('metric name', name) : hider.name('metric name', name),
    description: hider.text('metric description', 'Requests that the canary made up.'),
    unit: hider.text('metric unit', unit),
  };
  switch (kind) {
    case 'sum':
      return {
        ...described,
        sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...point, asDouble: 0 }] },
      };
    case 'gauge':
      return { ...described, gauge: { dataPoints: [{ ...point, asDouble: 0 }] } };
    case 'histogram': {
      const buckets = { count: '0', sum: 0, bucketCounts: ['0', '0'], explicitBounds: [1] };
      return { ...described, histogram: { aggregationTemporality: 2, dataPoints: [{ ...point, ...buckets }] } };
    }
  }
}

/** Nanoseconds since the epoch, as OTLP/JSON writes them. */
function nanoseconds(ms: number): string {
  return `${BigInt(ms) * 1_000_000n}`;
}

function hexId(hider: Hider, digits: number): string {
  // The first digit keeps it from being all zeros, which is no identifier.
  return `c${Array.from({ length: digits - 1 }, () => hider.draw(16).toString(16)).join('')}`;
}

function keyValues(record: ValueRecord): object[] {
  return Object.entries(record).map(([key, value]) => ({ key, value: anyValue(value) }));
}

function anyValue(value: Value): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') return { intValue: String(value) };
  if (value instanceof Uint8Array) return { bytesValue: Buffer.from(value).toString('base64') };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { kvlistValue: { values: keyValues(value as ValueRecord) } };
}
