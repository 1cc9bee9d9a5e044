import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BarographError, SPAN_KINDS, SPAN_STATUSES, type Span } from '../model/index.ts';
import { oracleDecode, oracleEncode, otlpProto } from './oracle.data.ts';
import { decodeOtlpLogs, decodeOtlpLogsJson } from './otlp-logs.ts';
import {
  logsRequest,
  metricsRequest,
  plainAttributes,
  plainValue,
  toOtlpJson,
  tracesRequest,
} from './otlp-messages.data.ts';
import { decodeOtlpMetrics } from './otlp-metrics.ts';
import { decodeOtlpMetricsJson } from './otlp-metrics-json.ts';
import { decodeOtlpTraces } from './otlp-traces.ts';
import { encodeTraceByIdResponse, encodeTraces, tracesToJson } from './otlp-traces-encode.ts';
import { decodeOtlpTracesJson } from './otlp-traces-json.ts';

type Plain = Record<string, never> & Record<string, unknown>;
const RUNS = { numRuns: 150 };

function json(message: object): Uint8Array {
  return Buffer.from(JSON.stringify(toOtlpJson(message)));
}

const hex = (bytes: unknown) => Buffer.from((bytes ?? []) as Uint8Array).toString('hex');
const validHex = (bytes: unknown) => (/^0*$/.test(hex(bytes)) ? '' : hex(bytes));
const toMs = (ns: unknown) => Number(BigInt((ns ?? 0) as string) / 1_000_000n);

function expectedExemplars(list: Plain[] | undefined): unknown[] {
  return (list ?? []).map((e) => ({
    timeMs: toMs(e.time_unix_nano),
    value: e.as_double,
    traceId: validHex(e.trace_id),
    spanId: validHex(e.span_id),
    attributes: plainAttributes(e.filtered_attributes),
  }));
}

function expectedPoint(p: Plain): object {
  return {
    attributes: plainAttributes(p.attributes),
    startMs: toMs(p.start_time_unix_nano),
    timeMs: toMs(p.time_unix_nano),
    noRecordedValue: p.flags === 1,
  };
}

function expectedBuckets(b: Plain | undefined): unknown {
  return { offset: b?.offset ?? 0, counts: b?.bucket_counts ?? [] };
}

function expectedMetric(m: Plain): unknown {
  const names = { name: m.name, description: m.description, unit: m.unit };
  const temporality = (d: Plain) => ['unspecified', 'delta', 'cumulative'][d.aggregation_temporality as number];
  const points = (d: Plain, more: (p: Plain) => object) =>
    (d.data_points as Plain[]).map((p) => ({ ...expectedPoint(p), ...more(p) }));
  const number = (p: Plain) => ({ value: p.as_double ?? p.as_int, exemplars: expectedExemplars(p.exemplars) });
  if (m.gauge) return { ...names, kind: 'gauge', points: points(m.gauge, number) };
  if (m.sum) {
    const sum = m.sum as Plain;
    const data = { points: points(sum, number), temporality: temporality(sum), monotonic: sum.is_monotonic };
    return { ...names, kind: 'sum', ...data };
  }
  if (m.histogram) {
    const read = (p: Plain) => ({
      count: p.count,
      sum: p.sum,
      bucketCounts: p.bucket_counts,
      explicitBounds: p.explicit_bounds,
      exemplars: expectedExemplars(p.exemplars),
    });
    return { ...names, kind: 'histogram', points: points(m.histogram, read), temporality: temporality(m.histogram) };
  }
  if (m.exponential_histogram) {
    const read = (p: Plain) => ({
      count: p.count,
      sum: p.sum,
      scale: p.scale ?? 0,
      zeroCount: p.zero_count ?? 0,
      zeroThreshold: p.zero_threshold ?? 0,
      positive: expectedBuckets(p.positive),
      negative: expectedBuckets(p.negative),
      exemplars: expectedExemplars(p.exemplars),
    });
    const data = m.exponential_histogram as Plain;
    return { ...names, kind: 'exponential_histogram', points: points(data, read), temporality: temporality(data) };
  }
  if (m.summary) {
    const read = (p: Plain) => ({ count: p.count, sum: p.sum, quantiles: p.quantile_values });
    return { ...names, kind: 'summary', points: points(m.summary, read) };
  }
  return { ...names, kind: 'empty' };
}

function expectedScope(s: Plain): unknown {
  return {
    name: s.name,
    version: s.version,
    attributes: plainAttributes(s.attributes),
    droppedAttributesCount: s.dropped_attributes_count,
  };
}

function expectedMetrics(message: object): unknown {
  const request = message as Plain;
  return {
    resources: (request.resource_metrics as Plain[]).map((r) => ({
      attributes: plainAttributes((r.resource as Plain).attributes),
      scopes: (r.scope_metrics as Plain[]).map((s) => ({
        scope: expectedScope(s.scope),
        metrics: (s.metrics as Plain[]).map(expectedMetric),
      })),
    })),
  };
}

function expectedSpans(message: object): unknown[] {
  const spans: unknown[] = [];
  for (const r of (message as Plain).resource_spans as Plain[]) {
    const resource = plainAttributes((r.resource as Plain).attributes);
    for (const s of r.scope_spans as Plain[])
      for (const p of s.spans as Plain[]) {
        if (validHex(p.trace_id) === '' || validHex(p.span_id) === '') continue;
        const start = BigInt(p.start_time_unix_nano as string);
        const end = BigInt(p.end_time_unix_nano as string);
        spans.push({
          traceId: hex(p.trace_id),
          spanId: hex(p.span_id),
          parentSpanId: validHex(p.parent_span_id),
          traceState: p.trace_state,
          name: p.name,
          kind: SPAN_KINDS[p.kind as number],
          startNs: start,
          durationNs: end > start ? end - start : 0n,
          status: SPAN_STATUSES[(p.status as Plain).code as number],
          statusMessage: (p.status as Plain).message,
          resource,
          scopeName: (s.scope as Plain).name,
          scopeVersion: (s.scope as Plain).version,
          attributes: plainAttributes(p.attributes),
          events: (p.events as Plain[]).map((e) => ({
            timeNs: BigInt(e.time_unix_nano as string),
            name: e.name,
            attributes: plainAttributes(e.attributes),
          })),
          links: (p.links as Plain[])
            .filter((l) => validHex(l.trace_id) !== '' && validHex(l.span_id) !== '')
            .map((l) => ({
              traceId: hex(l.trace_id),
              spanId: hex(l.span_id),
              attributes: plainAttributes(l.attributes),
            })),
        });
      }
  }
  return spans;
}

function expectedRecords(message: object): unknown[] {
  const records: unknown[] = [];
  for (const r of (message as Plain).resource_logs as Plain[]) {
    for (const s of r.scope_logs as Plain[])
      for (const p of s.log_records as Plain[]) {
        const time = BigInt(p.time_unix_nano as string);
        const observed = BigInt(p.observed_time_unix_nano as string);
        records.push({
          resource: plainAttributes((r.resource as Plain).attributes),
          scopeName: (s.scope as Plain).name,
          scopeVersion: (s.scope as Plain).version,
          scopeAttributes: plainAttributes((s.scope as Plain).attributes),
          scopeDroppedAttributesCount: (s.scope as Plain).dropped_attributes_count,
          hasTime: time !== 0n,
          timestampNs: time !== 0n ? time : observed,
          observedNs: observed,
          severityNumber: p.severity_number,
          severityText: p.severity_text,
          body: plainValue(p.body),
          attributes: plainAttributes(p.attributes),
          droppedAttributesCount: p.dropped_attributes_count,
          flags: p.flags,
          traceId: validHex(p.trace_id),
          spanId: validHex(p.span_id),
          eventName: p.event_name,
        });
      }
  }
  return records;
}

const withoutServiceName = (spans: readonly Span[]) => spans.map(({ serviceName: _, ...span }) => span);
/** JSON has no −0. */
const unsigned = (value: unknown): unknown =>
  typeof value === 'number' && value === 0
    ? 0
    : value !== null && typeof value === 'object'
      ? Array.isArray(value)
        ? value.map(unsigned)
        : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, unsigned(v)]))
      : value;

describe('OTLP requests', () => {
  test('metrics agree with an independent encoder, in protobuf and in JSON', () => {
    fc.assert(
      fc.property(metricsRequest, (message) => {
        const expected = expectedMetrics(message);
        const bytes = oracleEncode(otlpProto, 'otlp.ExportMetricsServiceRequest', message);
        expect(decodeOtlpMetrics(bytes)).toEqual(expected);
        expect(decodeOtlpMetricsJson(json(message))).toEqual(unsigned(expected));
      }),
      RUNS,
    );
  });

  test('traces agree with an independent encoder, in protobuf and in JSON', () => {
    fc.assert(
      fc.property(tracesRequest, (message) => {
        const expected = expectedSpans(message);
        const bytes = oracleEncode(otlpProto, 'otlp.ExportTraceServiceRequest', message);
        expect(withoutServiceName(decodeOtlpTraces(bytes).spans)).toEqual(expected);
        expect(withoutServiceName(decodeOtlpTracesJson(json(message)).spans)).toEqual(unsigned(expected));
      }),
      RUNS,
    );
  });

  test('logs agree with an independent encoder, in protobuf and in JSON', () => {
    fc.assert(
      fc.property(logsRequest, (message) => {
        const expected = expectedRecords(message);
        const bytes = oracleEncode(otlpProto, 'otlp.ExportLogsServiceRequest', message);
        expect(decodeOtlpLogs(bytes)).toEqual(expected);
        expect(decodeOtlpLogsJson(json(message))).toEqual(unsigned(expected));
      }),
      RUNS,
    );
  });

  test('spans come back from their encodings', () => {
    fc.assert(
      fc.property(tracesRequest, (message) => {
        const { spans } = decodeOtlpTraces(oracleEncode(otlpProto, 'otlp.ExportTraceServiceRequest', message));
        const sorted = (list: readonly Span[]) => list.map((s) => JSON.stringify(unsigned(bigints(s)))).sort();
        expect(sorted(decodeOtlpTraces(encodeTraces(spans)).spans)).toEqual(sorted(spans));
        const text = Buffer.from(JSON.stringify(tracesToJson(spans)));
        expect(sorted(decodeOtlpTracesJson(text).spans)).toEqual(sorted(spans));
      }),
      RUNS,
    );
  });
});

const bigints = (value: unknown): unknown =>
  typeof value === 'bigint'
    ? String(value)
    : value !== null && typeof value === 'object'
      ? Array.isArray(value)
        ? value.map(bigints)
        : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, bigints(v)]))
      : typeof value === 'number'
        ? String(value)
        : value;

describe('broken OTLP requests', () => {
  const cases = [
    ['metrics', metricsRequest, 'otlp.ExportMetricsServiceRequest', decodeOtlpMetrics, decodeOtlpMetricsJson],
    ['traces', tracesRequest, 'otlp.ExportTraceServiceRequest', decodeOtlpTraces, decodeOtlpTracesJson],
    ['logs', logsRequest, 'otlp.ExportLogsServiceRequest', decodeOtlpLogs, decodeOtlpLogsJson],
  ] as const;

  test.each(cases)(
    '%s: every prefix and random flips of bits throw malformed or decode',
    (_, arbitrary, type, decode, decodeJson) => {
      const messages = fc.sample(arbitrary as fc.Arbitrary<object>, { numRuns: 40, seed: 11 });
      const encoded = messages.map((m) => oracleEncode(otlpProto, type, m)).sort((a, b) => b.length - a.length);
      const bytes = encoded[0];
      expect(bytes.length).toBeGreaterThan(300);
      let thrown = 0;
      for (let length = 0; length < bytes.length; length++) thrown += survive(() => decode(bytes.slice(0, length)));
      expect(thrown).toBeGreaterThan(bytes.length / 2);
      let seed = 3;
      for (let i = 0; i < 2000; i++) {
        seed = (seed * 1103515245 + 12345) & 0x7fffffff;
        const broken = bytes.slice();
        broken[seed % bytes.length] ^= 1 << ((seed >> 8) % 8);
        survive(() => decode(broken));
      }
      const text = json(messages[0]);
      for (let length = 0; length < text.length; length += 3) survive(() => decodeJson(text.slice(0, length)));
    },
  );

  test('errors name the path and the byte', () => {
    const bytes = oracleEncode(otlpProto, 'otlp.ExportMetricsServiceRequest', {
      resource_metrics: [
        { scope_metrics: [{}, { metrics: [{ name: 'a' }, { sum: { data_points: [{ time_unix_nano: 5 }] } }] }] },
      ],
    });
    const cut = bytes.slice();
    // The time's 8 fixed bytes become a varint.
    cut[bytes.length - 9] = 0x18;
    expect(() => decodeOtlpMetrics(cut)).toThrow(
      'ExportMetricsServiceRequest.resource_metrics[0].scope_metrics[1].metrics[1].sum.data_points[0].time_unix_nano at byte 18: ' +
        'got a varint, accepted is 8 fixed bytes',
    );
    const text = Buffer.from(
      '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":[{"timeUnixNano":"soon"}]}}]}]}]}',
    );
    expect(() => decodeOtlpMetricsJson(text)).toThrow(
      'ExportMetricsServiceRequest.resourceMetrics[0].scopeMetrics[0].metrics[0].gauge.dataPoints[0].timeUnixNano: ' +
        'got a string of 4 characters, accepted is nanoseconds since the epoch, as a string or a number',
    );
  });

  test('errors never hold what was sent', () => {
    const secret = 'the patient said';
    const bodies = [`{"resourceLogs": ${secret}`, `"${secret}"`, `{"resourceLogs":[{"scopeLogs":"${secret}"}]}`];
    for (const body of bodies) {
      try {
        decodeOtlpLogsJson(Buffer.from(body));
        expect.unreachable();
      } catch (error) {
        expect(error).toBeInstanceOf(BarographError);
        expect(String(error)).not.toContain('patient');
        expect((error as Error).cause).toBeUndefined();
      }
    }
  });

  test('values nested too deep are refused', () => {
    const depth = 60;
    const text = `${'{"arrayValue":{"values":['.repeat(depth)}{}${']}}'.repeat(depth)}`;
    const body = Buffer.from(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":${text}}]}]}]}`);
    expect(() => decodeOtlpLogsJson(body)).toThrow('at most 100 levels');
    // The oracle refuses to write such a message, so it is put together from the inside out.
    let bytes = Uint8Array.of();
    const wrap = (field: number) => {
      const { length } = bytes;
      const size = length < 128 ? [length] : [(length & 127) | 128, length >> 7];
      bytes = Uint8Array.of(field * 8 + 2, ...size, ...bytes);
    };
    for (let i = 0; i < depth; i++) for (const field of [1, 5]) wrap(field);
    for (const field of [5, 2, 2, 1]) wrap(field);
    expect(() => decodeOtlpLogs(bytes)).toThrow('at most 100 levels');
  });

  test('millions of empty messages are refused before they fill the memory', () => {
    const bytes = new Uint8Array(8_000_000);
    for (let i = 0; i < bytes.length; i += 2) bytes[i] = 0x0a;
    expect(() => decodeOtlpTraces(bytes)).toThrow(/more than 3000000 elements/);
    const text = Buffer.from(`{"resourceSpans":[${'{},'.repeat(4_100_000)}{}]}`);
    expect(() => decodeOtlpTracesJson(text)).toThrow(/more than 4000000 JSON values/);
  });

  test('spans that break the rules are counted, the others taken', () => {
    const good = {
      trace_id: new Uint8Array(16).fill(1),
      span_id: new Uint8Array(8).fill(2),
      start_time_unix_nano: 5,
      end_time_unix_nano: 9,
    };
    const bad = [
      { ...good, trace_id: new Uint8Array(16) },
      { ...good, trace_id: new Uint8Array(8).fill(1) },
      { ...good, span_id: new Uint8Array(0) },
      { ...good, start_time_unix_nano: 0 },
      { ...good, start_time_unix_nano: '9223372036854775808' },
      { ...good, parent_span_id: new Uint8Array(3) },
    ];
    const spans = [
      ...bad,
      good,
      { ...good, end_time_unix_nano: 1 },
      { ...good, links: [{ trace_id: new Uint8Array(2) }] },
    ];
    const resource = { attributes: [{ key: 'service.name', value: { string_value: 'gateway' } }] };
    const message = { resource_spans: [{ scope_spans: [{ spans }], resource }] };
    const result = decodeOtlpTraces(oracleEncode(otlpProto, 'otlp.ExportTraceServiceRequest', message));
    expect(result.rejected).toBe(6);
    expect(result.spans.map((s) => s.durationNs)).toEqual([4n, 0n, 4n]);
    expect(result.spans[0].serviceName).toBe('gateway');
    expect(result.spans[0].resource).toBe(result.spans[1].resource);
    expect(result.rejectedMessage).toContain('2 × a trace ID that is not 16 bytes, or zero');
    expect(result.rejectedMessage).toContain('1 × a span that ends before it starts');
    expect(result.rejectedMessage).toContain('1 × a link without a trace ID');
  });
});

describe('answers to a trace by ID', () => {
  test('wrap the trace as Tempo does', () => {
    const span = {
      trace_id: new Uint8Array(16).fill(1),
      span_id: new Uint8Array(8).fill(2),
      start_time_unix_nano: 5,
      end_time_unix_nano: 9,
    };
    const { spans } = decodeOtlpTraces(
      oracleEncode(otlpProto, 'otlp.ExportTraceServiceRequest', {
        resource_spans: [{ scope_spans: [{ spans: [span] }] }],
      }),
    );
    const decoded = oracleDecode(otlpProto, 'otlp.TraceByIDResponse', encodeTraceByIdResponse(spans, 'partial', 'cut'));
    expect(decoded).toMatchObject({ status: 1, message: 'cut', trace: { resource_spans: [{ scope_spans: [{}] }] } });
    expect(oracleDecode(otlpProto, 'otlp.TraceByIDResponse', encodeTraceByIdResponse(spans)).status).toBeUndefined();
  });
});

function survive(act: () => void): number {
  try {
    act();
    return 0;
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
    return 1;
  }
}
