import { describe, expect, it } from 'vitest';
import { decodeLokiPush, decodeLokiPushJson, encodeLokiPushJson } from './loki-push.ts';
import { encodeLokiPush } from './loki-push-encode.ts';
import { decodeOtlpLogs, decodeOtlpLogsJson } from './otlp-logs.ts';
import { decodeOtlpMetrics } from './otlp-metrics.ts';
import { decodeOtlpMetricsJson } from './otlp-metrics-json.ts';
import { encodeOtlpRequest } from './otlp-request-encode.ts';
import { decodeOtlpTraces } from './otlp-traces.ts';
import { decodeOtlpTracesJson } from './otlp-traces-json.ts';

const IDS = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
const TIME = '1760000000000000000';
const ATTRIBUTES = [
  { key: 'text', value: { stringValue: 'né' } },
  { key: 'number', value: { intValue: '-5' } },
  { key: 'share', value: { doubleValue: 0.5 } },
  { key: 'bytes', value: { bytesValue: 'AAEC' } },
  { key: 'flag', value: { boolValue: true } },
  { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '7' }] } } },
  { key: 'map', value: { kvlistValue: { values: [{ key: 'k', value: { stringValue: 'v' } }] } } },
];
const RESOURCE = { attributes: ATTRIBUTES };
const SCOPE = { name: 'scope', version: '1', attributes: ATTRIBUTES };

function bytesOf(message: object): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}

describe('export requests in protobuf say what they say in JSON', () => {
  it('spans', () => {
    const span = {
      ...IDS,
      name: 'chat',
      kind: 3,
      startTimeUnixNano: TIME,
      endTimeUnixNano: '1760000000000000009',
      traceState: 'ot=th:8',
      attributes: ATTRIBUTES,
      events: [{ timeUnixNano: TIME, name: 'e', attributes: ATTRIBUTES }],
      links: [{ ...IDS, attributes: ATTRIBUTES }],
      status: { code: 2, message: 'TIMEOUT' },
    };
    const message = { resourceSpans: [{ resource: RESOURCE, scopeSpans: [{ scope: SCOPE, spans: [span] }] }] };
    const decoded = decodeOtlpTracesJson(bytesOf(message));
    expect(decoded.spans).toHaveLength(1);
    expect(decodeOtlpTraces(encodeOtlpRequest('traces', message))).toEqual(decoded);
  });

  it('log records', () => {
    const record = {
      ...IDS,
      timeUnixNano: TIME,
      observedTimeUnixNano: TIME,
      severityNumber: 9,
      severityText: 'INFO',
      eventName: 'event',
      body: ATTRIBUTES[6].value,
      attributes: ATTRIBUTES,
    };
    const message = { resourceLogs: [{ resource: RESOURCE, scopeLogs: [{ scope: SCOPE, logRecords: [record] }] }] };
    const decoded = decodeOtlpLogsJson(bytesOf(message));
    expect(decoded).toHaveLength(1);
    expect(decodeOtlpLogs(encodeOtlpRequest('logs', message))).toEqual(decoded);
  });

  it('metrics', () => {
    const exemplar = { ...IDS, timeUnixNano: TIME, asDouble: 2, filteredAttributes: ATTRIBUTES };
    const point = { timeUnixNano: TIME, startTimeUnixNano: TIME, attributes: ATTRIBUTES, exemplars: [exemplar] };
    const buckets = { count: '3', sum: 4.5, bucketCounts: ['1', '2'], explicitBounds: [0.5] };
    const metrics = [
      { name: 'a', description: 'd', unit: 's', gauge: { dataPoints: [{ ...point, asDouble: 1.5 }] } },
      {
        name: 'b',
        sum: { aggregationTemporality: 2, isMonotonic: true, dataPoints: [{ ...point, asInt: '-3' }] },
      },
      { name: 'c', histogram: { aggregationTemporality: 2, dataPoints: [{ ...point, ...buckets }] } },
    ];
    const message = { resourceMetrics: [{ resource: RESOURCE, scopeMetrics: [{ scope: SCOPE, metrics }] }] };
    const decoded = decodeOtlpMetricsJson(bytesOf(message));
    expect(decodeOtlpMetrics(encodeOtlpRequest('metrics', message))).toEqual(decoded);
  });

  it('a push of log lines', () => {
    const stream = ['app', 'a "quoted" \\ name', 'job', 'x'];
    const entries = [
      { stream, timestampNs: 1_760_000_000_123_456_789n, line: 'one', metadata: ['k', 'v'] },
      { stream, timestampNs: 1_760_000_000_123_456_790n, line: 'zwei é', metadata: [] },
    ];
    expect(decodeLokiPush(encodeLokiPush(entries))).toEqual(decodeLokiPushJson(encodeLokiPushJson(entries)));
  });
});
