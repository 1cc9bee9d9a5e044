import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import zlib from 'node:zlib';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter as LogGrpc } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPLogExporter as LogHttp } from '@opentelemetry/exporter-logs-otlp-http';
import { OTLPLogExporter as LogProto } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter as MetricGrpc } from '@opentelemetry/exporter-metrics-otlp-grpc';
import { OTLPMetricExporter as MetricHttp } from '@opentelemetry/exporter-metrics-otlp-http';
import { OTLPMetricExporter as MetricProto } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter as TraceGrpc } from '@opentelemetry/exporter-trace-otlp-grpc';
import { OTLPTraceExporter as TraceHttp } from '@opentelemetry/exporter-trace-otlp-http';
import { OTLPTraceExporter as TraceProto } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, type LogRecordExporter, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import {
  AggregationTemporality,
  MeterProvider,
  PeriodicExportingMetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { SimpleSpanProcessor, type SpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import snappy from 'snappy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

let directory = '';
let program: Program;

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
});

afterAll(async () => {
  await program?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** What one of the SDK's protocols exports with. */
interface Exporters {
  readonly metrics: (temporality: AggregationTemporality) => PushMetricExporter;
  readonly logs: () => LogRecordExporter;
  readonly traces: () => SpanExporter;
}

const GZIP = { compression: 'gzip' as never };

function exporters(protocol: string): Exporters {
  const at = (signal: string) => ({ url: `${program.otlpHttpUrl}/v1/${signal}` });
  const grpc = { url: `http://${program.otlpGrpcAddress}` };
  switch (protocol) {
    case 'HTTP/protobuf':
      return {
        metrics: (temporalityPreference) => new MetricProto({ ...at('metrics'), temporalityPreference }),
        logs: () => new LogProto(at('logs')),
        traces: () => new TraceProto(at('traces')),
      };
    case 'HTTP/JSON with gzip':
      return {
        metrics: (temporalityPreference) => new MetricHttp({ ...at('metrics'), ...GZIP, temporalityPreference }),
        logs: () => new LogHttp({ ...at('logs'), ...GZIP }),
        traces: () => new TraceHttp({ ...at('traces'), ...GZIP }),
      };
    case 'gRPC with gzip':
      return {
        metrics: (temporalityPreference) => new MetricGrpc({ ...grpc, ...GZIP, temporalityPreference }),
        logs: () => new LogGrpc({ ...grpc, ...GZIP }),
        traces: () => new TraceGrpc({ ...grpc, ...GZIP }),
      };
    default:
      throw new Error(`no exporters for ${protocol}`);
  }
}

async function instantValue(query: string): Promise<number | undefined> {
  const answer = await ask(program, '/api/v1/query', { query });
  expect(answer.status, answer.error).toBe('success');
  const result = answer.data.result as { value: [number, string] }[];
  expect(result.length, query).toBeLessThanOrEqual(1);
  return result.length === 0 ? undefined : Number(result[0].value[1]);
}

/** The data of Loki's answer, as far as tests look at it. */
interface LokiData {
  readonly resultType: string;
  readonly encodingFlags?: string[];
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by query, and each test looks at what it knows.
  readonly result: any;
}

async function lokiQuery(
  route: string,
  params: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<LokiData> {
  const response = await fetch(`${program.url}/loki/api/v1/${route}?${new URLSearchParams(params)}`, { headers });
  const text = await response.text();
  expect(response.status, text).toBe(200);
  return JSON.parse(text).data;
}

/** What is stored of a stream. The label `service_name` has become the taxonomy's `deployment` on its way in. */
async function logStats(selector: string): Promise<{ streams: number; entries: number }> {
  const response = await fetch(`${program.url}/loki/api/v1/index/stats?${new URLSearchParams({ query: selector })}`);
  return (await response.json()) as { streams: number; entries: number };
}

describe.each(['HTTP/protobuf', 'HTTP/JSON with gzip', 'gRPC with gzip'])("OpenTelemetry's SDK over %s", (protocol) => {
  const service = `gateway-${protocol.toLowerCase().replaceAll(/[^a-z]+/g, '-')}`;
  const resource = resourceFromAttributes({ 'service.name': service });

  it.each([
    ['cumulative', AggregationTemporality.CUMULATIVE],
    ['delta', AggregationTemporality.DELTA],
  ])('sends metrics with %s temporality', async (name, temporality) => {
    const reader = new PeriodicExportingMetricReader({
      exporter: exporters(protocol).metrics(temporality),
      exportIntervalMillis: 3_600_000,
    });
    const provider = new MeterProvider({ resource, readers: [reader] });
    const meter = provider.getMeter('receivers-test');
    const counter = meter.createCounter(`shop.${name}.orders`, { unit: '{order}' });
    const histogram = meter.createHistogram(`shop.${name}.wait`, {
      unit: 's',
      advice: { explicitBucketBoundaries: [0.1, 1] },
    });
    const gauge = meter.createGauge(`shop.${name}.open`);
    for (let round = 1; round <= 2; round++) {
      for (let i = 0; i < 5; i++) counter.add(2, { kind: 'book', request_id: randomUUID() });
      histogram.record(0.5, { kind: 'book' });
      gauge.record(round);
      await reader.forceFlush();
    }
    const of = `job="${service}"`;
    expect(await instantValue(`shop_${name}_orders_total{kind="book",${of}}`)).toBe(20);
    expect(await instantValue(`count({__name__="shop_${name}_orders_total",${of}})`)).toBe(1);
    expect(await instantValue(`shop_${name}_orders_total{request_id!=""}`)).toBe(undefined);
    expect(
      await instantValue(
        `shop_${name}_wait_seconds_bucket{le="1.0",${of}} or shop_${name}_wait_seconds_bucket{le="1",${of}}`,
      ),
    ).toBe(2);
    expect(await instantValue(`shop_${name}_wait_seconds_bucket{le="0.1",${of}}`)).toBe(0);
    expect(await instantValue(`shop_${name}_wait_seconds_sum{${of}}`)).toBe(1);
    expect(await instantValue(`shop_${name}_open{${of}}`)).toBe(2);
    await provider.shutdown();
  });

  it('sends logs', async () => {
    const provider = new LoggerProvider({
      resource,
      processors: [new SimpleLogRecordProcessor({ exporter: exporters(protocol).logs() })],
    });
    const logger = provider.getLogger('receivers-test');
    for (let i = 0; i < 3; i++) {
      logger.emit({ severityNumber: SeverityNumber.WARN, severityText: 'WARN', body: `queue is long, round ${i}` });
    }
    await provider.forceFlush();
    await provider.shutdown();
    await expect.poll(() => logStats(`{deployment="${service}"}`)).toMatchObject({ streams: 1, entries: 3 });
    const query = `{deployment="${service}"} |= "round" | detected_level="warn"`;
    const found = await lokiQuery('query_range', { query, direction: 'forward' });
    expect(found.resultType).toBe('streams');
    const lines = found.result.flatMap(({ values }: { values: [string, string][] }) => values.map(([, line]) => line));
    expect(lines.sort()).toEqual([0, 1, 2].map((i) => `queue is long, round ${i}`));
    const counted = await lokiQuery('query', { query: `sum(count_over_time({deployment="${service}"}[5m]))` });
    expect(counted.result[0].value[1]).toBe('3');
    const values = await fetch(`${program.url}/loki/api/v1/label/deployment/values`);
    expect(((await values.json()) as { data: string[] }).data).toContain(service);
  });

  it("sends logs, which are found by the contract's labels of their own attributes", async () => {
    const provider = new LoggerProvider({
      resource,
      processors: [new SimpleLogRecordProcessor({ exporter: exporters(protocol).logs() })],
    });
    const logger = provider.getLogger('receivers-test');
    const requestId = randomUUID();
    const attributes = { 'gen_ai.request.model': `model-of-${service}`, customer_tier: 'gold', request_id: requestId };
    for (const outcome of ['ok', 'timeout', 'timeout'])
      logger.emit({ body: '{"event":"request.finished"}', attributes: { ...attributes, outcome } });
    await provider.forceFlush();
    await provider.shutdown();
    const ofModel = `model_version="model-of-${service}"`;
    await expect.poll(() => logStats(`{${ofModel}}`)).toMatchObject({ streams: 2, entries: 3 });
    expect(await logStats(`{${ofModel},customer_tier="gold",outcome="timeout"}`)).toMatchObject({ entries: 2 });
    const query = `{${ofModel}, outcome="ok"} | request_id="${requestId}"`;
    const found = await lokiQuery('query_range', { query }, { 'x-loki-response-encoding-flags': 'categorize-labels' });
    expect(found.result).toHaveLength(1);
    expect(found.result[0].stream).toMatchObject({ deployment: service, customer_tier: 'gold' });
    expect(found.result[0].stream).not.toHaveProperty('request_id');
    const [, , { structuredMetadata }] = found.result[0].values[0];
    expect(structuredMetadata).not.toHaveProperty('gen_ai_request_model');
  });

  it('sends traces, which are found by their ID in both encodings', async () => {
    const provider = new TracerProvider({
      resource,
      spanProcessors: [new SimpleSpanProcessor({ exporter: exporters(protocol).traces() })],
    });
    const span = provider
      .getTracer('receivers-test')
      .startSpan('POST /v1/chat', { attributes: { 'http.route': '/v1/chat' } });
    span.addEvent('first token');
    span.end();
    await provider.forceFlush();
    await provider.shutdown();
    const { traceId, spanId } = span.spanContext();
    const route = `${program.url}/api/traces/${traceId}`;
    await expect.poll(async () => (await fetch(route)).status).toBe(200);
    // biome-ignore lint/suspicious/noExplicitAny: OTLP's JSON, of which the test looks at a few fields.
    const trace = (await (await fetch(route)).json()) as any;
    const [stored] = trace.batches[0].scopeSpans[0].spans;
    expect(stored).toMatchObject({ name: 'POST /v1/chat', events: [{ name: 'first token' }] });
    const accept = { headers: { accept: 'application/protobuf' } };
    const v1 = await fetch(route, accept);
    const v2 = await fetch(`${program.url}/api/v2/traces/${traceId}`, accept);
    expect(v1.headers.get('content-type')).toBe('application/protobuf');
    const [trace1, trace2] = await Promise.all([v1, v2].map(async (answer) => Buffer.from(await answer.arrayBuffer())));
    expect(trace1.includes(Buffer.from(spanId, 'hex'))).toBe(true);
    const q = `{ resource.service.name = "${service}" && .http.route = "/v1/chat" }`;
    const search = await fetch(`${program.url}/api/search?${new URLSearchParams({ q })}`);
    const { traces } = (await search.json()) as { traces: Record<string, unknown>[] };
    expect(traces).toMatchObject([{ rootServiceName: service, rootTraceName: 'POST /v1/chat' }]);
    expect(String(traces[0].traceID).padStart(32, '0')).toBe(traceId);
    const tags = await fetch(`${program.url}/api/v2/search/tags?scope=span`);
    expect(await tags.json()).toMatchObject({
      scopes: [{ name: 'span', tags: expect.arrayContaining(['http.route']) }],
    });
    // The newer answer wraps the older one in its field 1.
    expect(trace2.includes(trace1)).toBe(true);
  });
});

/** An OTLP export of one span in JSON. */
function spanJson(fields: Record<string, unknown> = {}): Record<string, unknown> {
  const startTimeUnixNano = `${BigInt(Date.now()) * 1_000_000n}`;
  const span = { traceId: '1'.repeat(32), spanId: '2'.repeat(16), name: 's', startTimeUnixNano, ...fields };
  return { resourceSpans: [{ scopeSpans: [{ spans: [{ endTimeUnixNano: startTimeUnixNano, ...span }] }] }] };
}

async function post(route: string, body: string | Buffer, headers: Record<string, string>): Promise<Response> {
  return fetch(`${program.url}${route}`, { method: 'POST', headers, body: body as never });
}

/** Sends the headers of a request in protobuf with a body of so many bytes, and reads the answer to that. */
function announce(route: string, bytes: number): Promise<[status: number | undefined, body: Buffer]> {
  return new Promise((resolve, reject) => {
    const headers = { ...PROTO_TYPE, 'content-length': bytes };
    const request = http.request(`${program.url}${route}`, { method: 'POST', headers }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      request.destroy();
      resolve([response.statusCode, Buffer.concat(chunks)]);
    });
    request.on('error', reject);
    request.flushHeaders();
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };
const PROTO_TYPE = { 'content-type': 'application/x-protobuf' };

describe('OTLP bodies that are not what they should be', () => {
  it.each(['metrics', 'logs', 'traces'])(
    'answers malformed %s with 400 and a status in the encoding of the request',
    async (signal) => {
      // Field 1, a message of 100 bytes, of which 2 follow.
      const truncated = await post(`/v1/${signal}`, Buffer.from([0x0a, 100, 1, 2]), PROTO_TYPE);
      expect(truncated.status).toBe(400);
      expect(truncated.headers.get('content-type')).toBe('application/x-protobuf');
      const status = Buffer.from(await truncated.arrayBuffer());
      expect([...status.subarray(0, 3)]).toEqual([0x08, 3, 0x12]);
      const json = await post(`/v1/${signal}`, '{"resourceSpans": [', JSON_TYPE);
      expect(json.status).toBe(400);
      expect(await json.json()).toMatchObject({ code: 3 });
    },
  );

  it('stores nothing of a body that breaks in the middle', async () => {
    const good = spanJson({ traceId: 'a'.repeat(32) });
    const bad = spanJson({ traceId: 'b'.repeat(32), startTimeUnixNano: { not: 'a time' } });
    const resourceSpans = [...(good.resourceSpans as unknown[]), ...(bad.resourceSpans as unknown[])];
    expect((await post('/v1/traces', JSON.stringify({ resourceSpans }), JSON_TYPE)).status).toBe(400);
    expect((await fetch(`${program.url}/api/traces/${'a'.repeat(32)}`)).status).toBe(404);
  });

  it('ignores fields that it does not know', async () => {
    const body = JSON.stringify({ ...spanJson({ traceId: 'c'.repeat(32), ofTomorrow: { x: [1] } }), more: 1 });
    const answer = await post('/v1/traces', body, JSON_TYPE);
    expect([answer.status, await answer.text()]).toEqual([200, '{}']);
    expect((await fetch(`${program.url}/api/traces/${'c'.repeat(32)}`)).status).toBe(200);
    // Field 15, a varint.
    const proto = await post('/v1/traces', Buffer.from([0x78, 1]), PROTO_TYPE);
    expect([proto.status, (await proto.arrayBuffer()).byteLength]).toEqual([200, 0]);
  });

  it('takes the fit spans and tells how many were not', async () => {
    const resourceSpans = [spanJson({ traceId: 'd'.repeat(32) }), spanJson({ traceId: '' })].flatMap(
      (body) => body.resourceSpans as unknown[],
    );
    const answer = await post('/v1/traces', JSON.stringify({ resourceSpans }), JSON_TYPE);
    expect(answer.status).toBe(200);
    const { partialSuccess } = (await answer.json()) as { partialSuccess: Record<string, string> };
    expect(partialSuccess.rejectedSpans).toBe('1');
    expect(partialSuccess.errorMessage).toMatch(/trace ID/);
    expect((await fetch(`${program.url}/api/traces/${'d'.repeat(32)}`)).status).toBe(200);
  });

  it('refuses other content types and encodings with 415', async () => {
    expect((await post('/v1/logs', '<xml/>', { 'content-type': 'text/xml' })).status).toBe(415);
    expect((await post('/v1/logs', '{}', { ...JSON_TYPE, 'content-encoding': 'br' })).status).toBe(415);
  });

  it('refuses bodies beyond 64 MiB with 413, also where they only unpack to that', async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(65 * 1024 * 1024), { level: 1 });
    const unpacked = await post('/v1/traces', bomb, { ...PROTO_TYPE, 'content-encoding': 'gzip' });
    expect(unpacked.status).toBe(413);
    const broken = await post('/v1/traces', bomb.subarray(0, 1000), { ...PROTO_TYPE, 'content-encoding': 'gzip' });
    expect(broken.status).toBe(400);
    // The length alone is enough for the answer; a client that goes on sending might miss it.
    const [status, body] = await announce('/v1/traces', 65 * 1024 * 1024);
    expect([status, body[0]]).toEqual([413, 0x08]);
  });
});

/** A Loki push of one stream in protobuf. */
function lokiProto(labels: string, line: string): Buffer {
  const field = (number: number, bytes: Buffer): Buffer =>
    Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);
  const seconds: number[] = [];
  for (let rest = Math.floor(Date.now() / 1000); ; rest = Math.floor(rest / 128)) {
    if (rest < 128) {
      seconds.push(rest);
      break;
    }
    seconds.push((rest % 128) | 128);
  }
  const timestamp = field(1, Buffer.from([0x08, ...seconds]));
  const entry = field(2, Buffer.concat([timestamp, field(2, Buffer.from(line))]));
  return field(1, Buffer.concat([field(1, Buffer.from(labels)), entry]));
}

describe('Loki push', () => {
  const now = (): string => `${BigInt(Date.now()) * 1_000_000n}`;
  const stream = (service: string, values: unknown[]): string =>
    JSON.stringify({ streams: [{ stream: { service_name: service }, values }] });

  it('takes JSON with structured metadata, plain and gzip', async () => {
    const body = stream('engine-json', [[now(), 'KV cache is full', { trace_id: '1'.repeat(32) }]]);
    const plain = await post('/loki/api/v1/push', body, JSON_TYPE);
    expect([plain.status, await plain.text()]).toEqual([204, '']);
    const zipped = zlib.gzipSync(stream('engine-json', [[now(), 'second line']]));
    expect((await post('/loki/api/v1/push', zipped, { ...JSON_TYPE, 'content-encoding': 'gzip' })).status).toBe(204);
    expect(await logStats('{deployment="engine-json"}')).toMatchObject({ streams: 1, entries: 2 });
    const found = await lokiQuery(
      'query_range',
      { query: '{deployment="engine-json"} |= "KV"' },
      { 'x-loki-response-encoding-flags': 'categorize-labels' },
    );
    expect(found.encodingFlags).toEqual(['categorize-labels']);
    const [[, line, labels]] = found.result[0].values;
    expect([line, labels.structuredMetadata.trace_id]).toEqual(['KV cache is full', '1'.repeat(32)]);
  });

  it('takes protobuf with snappy', async () => {
    const body = snappy.compressSync(lokiProto('{service_name="engine-proto"}', 'a line'));
    const answer = await post('/loki/api/v1/push', body, PROTO_TYPE);
    expect([answer.status, await answer.text()]).toEqual([204, '']);
    expect(await logStats('{deployment="engine-proto"}')).toMatchObject({ streams: 1, entries: 1 });
    const series = await fetch(`${program.url}/loki/api/v1/series?match[]={deployment="engine-proto"}`);
    expect(await series.json()).toMatchObject({ data: [{ deployment: 'engine-proto' }] });
  });

  it.each([
    ['a timestamp that is a number', stream('bad', [[123, 'line']]), JSON_TYPE, 400],
    ['broken JSON', '{"streams":[', JSON_TYPE, 400],
    ['protobuf that is not snappy', Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff]), PROTO_TYPE, 400],
    ['another content type', 'hello', { 'content-type': 'text/csv' }, 415],
    ['another encoding', '{}', { ...JSON_TYPE, 'content-encoding': 'br' }, 415],
  ])('refuses %s', async (_name, body, headers, status) => {
    const answer = await post('/loki/api/v1/push', body, headers);
    expect(answer.status).toBe(status);
    expect(await logStats('{deployment="bad"}')).toMatchObject({ entries: 0 });
  });
});

it('answers health checks of the data sources, and says so where a route is missing', async () => {
  expect(await (await fetch(`${program.url}/api/echo`)).text()).toBe('echo');
  expect((await fetch(`${program.url}/ready`)).status).toBe(200);
  const health = { query: 'vector(1)+vector(1)', direction: 'backward', time: '4000000000' };
  const { resultType, result } = await lokiQuery('query', health);
  expect([resultType, result]).toEqual(['vector', [{ metric: {}, value: [4000000000, '2'] }]]);
  const lines = await fetch(`${program.url}/loki/api/v1/query?query={a="b"}`);
  expect([lines.status, await lines.text()]).toEqual([400, expect.stringMatching(/query_range/)]);
  for (const route of ['/loki/api/v1/status/buildinfo', '/api/status/buildinfo']) {
    expect(await (await fetch(`${program.url}${route}`)).json()).toHaveProperty('version');
  }
  const missing = await fetch(`${program.url}/loki/api/v1/patterns`);
  expect([missing.status, ((await missing.json()) as { error: string }).error]).toEqual([
    404,
    'no route GET /loki/api/v1/patterns',
  ]);
});
