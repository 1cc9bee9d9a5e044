import fs from 'node:fs';
import path from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-grpc';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { labelsFromRecord } from '../server/model/index.ts';
import {
  encodeWriteRequest,
  encodeWriteRequestV2,
  snappyCompress,
  WRITE_V2_CONTENT_TYPE,
  type WriteRequestV2Columns,
} from '../server/wire/index.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

/** The word that must be nowhere once everything has come in, and what people write to a model around it. */
const CANARY = 'zanzibarcanary';
const PROSE = `please tell me why my ${CANARY} does not work`;
const PROMPT_JSON = `{"prompt":"${CANARY}","n":1}`;
/** A harmless word in the same places; that it is found shows that the search would find the other. */
const CONTROL = 'kilimanjarocontrol';

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const NOW_MS = Date.now();
const NOW_NS = `${BigInt(NOW_MS) * 1_000_000n}`;
const JSON_TYPE = { 'content-type': 'application/json' };

let directory = '';
let program: Program;
/** What the program answered to anything that was sent. */
const answers: string[] = [];

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory, ['--log-level', 'debug']);
});

afterAll(async () => {
  await program?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

async function send(route: string, body: string | Uint8Array, headers: Record<string, string>): Promise<number> {
  // The W3C's baggage travels beside every request of an instrumented client.
  const baggage = `note=${CANARY},prompt=${encodeURIComponent(PROSE)}`;
  const response = await fetch(`${program.url}${route}`, {
    method: 'POST',
    headers: { baggage, tracestate: `vendor=${CANARY}`, 'user-agent': CANARY, ...headers },
    body: typeof body === 'string' ? body : Buffer.from(body),
  });
  answers.push(await response.text());
  return response.status;
}

/** A JavaScript value as OTLP's AnyValue in JSON. */
function anyValue(value: unknown): unknown {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'number') return { intValue: String(value) };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { kvlistValue: { values: attributesOf(value as Record<string, unknown>) } };
}

function attributesOf(record: Record<string, unknown>): unknown[] {
  return Object.entries(record).map(([key, value]) => ({ key, value: anyValue(value) }));
}

/** Attributes in which content was seen to hide, of every signal. */
const HIDDEN: Record<string, unknown> = {
  'gen_ai.input.messages': [{ role: 'user', parts: [{ content: CANARY }] }],
  'gen_ai.output.messages': PROMPT_JSON,
  'gen_ai.prompt.0.content': CANARY,
  'gen_ai.tool.call.arguments': { city: CANARY },
  'gen_ai.evaluation.explanation': CANARY,
  'app.note': PROSE,
  'app.words': PROSE.split(' '),
  'app.state': { deep: { deeper: { note: PROSE, messages: [CANARY] } } },
  'app.json': PROMPT_JSON,
  'app.long': `${CANARY}${'x'.repeat(3000)}`,
  'baggage.note': PROSE,
  'baggage.prompt': CANARY,
  'db.query.text': `SELECT '${CANARY}'`,
  'enduser.id': CANARY,
  'exception.message': CANARY,
  'exception.stacktrace': `Traceback\nValueError: ${CANARY}`,
  'url.full': `https://shop.example/search?q=${CANARY}`,
  'http.request.header.authorization': [CANARY],
  contact_email: `${CANARY}@example.com`,
  region: PROSE,
  'gen_ai.request.model': PROMPT_JSON,
  [PROSE]: 'name',
};

const RESOURCE = { attributes: attributesOf({ ...HIDDEN, 'service.name': 'gateway', 'cloud.region': CONTROL }) };
const SCOPE = { name: PROSE, version: PROSE, attributes: attributesOf(HIDDEN) };

function traces(): string {
  const span = {
    traceId: TRACE_ID,
    spanId: '00f067aa0ba902b7',
    traceState: `ot=th:8,vendor=${CANARY}`,
    name: PROSE,
    startTimeUnixNano: NOW_NS,
    endTimeUnixNano: NOW_NS,
    attributes: attributesOf({ ...HIDDEN, 'gen_ai.provider.name': CONTROL }),
    status: { code: 2, message: `ValueError: ${PROSE}` },
    events: [
      { timeUnixNano: NOW_NS, name: 'exception', attributes: attributesOf(HIDDEN) },
      { timeUnixNano: NOW_NS, name: PROSE, attributes: attributesOf({ message: CANARY }) },
      { timeUnixNano: NOW_NS, name: 'gen_ai.user.message', attributes: attributesOf({ custom: CANARY }) },
    ],
    links: [{ traceId: TRACE_ID, spanId: '00f067aa0ba902b7', attributes: attributesOf(HIDDEN) }],
  };
  return JSON.stringify({ resourceSpans: [{ resource: RESOURCE, scopeSpans: [{ scope: SCOPE, spans: [span] }] }] });
}

const LINES: unknown[] = [
  { event: 'request', prompt: CANARY, n: 1 },
  { messages: [{ role: 'user', content: CANARY }], level: 'info' },
  PROMPT_JSON,
  `sent ${PROMPT_JSON} to the engine`,
  JSON.stringify({ message: `sent ${PROMPT_JSON}`, error: { message: CANARY } }),
  `level=info event=request prompt="${CANARY} said \\"hi\\"" tokens=5`,
  `Received request cmpl-7: prompt: "${CANARY}", params: X(), prompt_token_ids: [1, 2], lora_request: None.`,
  `Receive: obj=GenerateReqInput(rid='a', text='${CANARY}', input_ids=None)`,
  `Prompt: ${PROSE}`,
  `user ${CANARY}@example.com logged in`,
];

function logs(): string {
  const ids = { traceId: TRACE_ID, spanId: '00f067aa0ba902b7' };
  const records = LINES.map((body, i) => ({
    timeUnixNano: `${BigInt(NOW_NS) + BigInt(i)}`,
    body: anyValue(body),
    attributes: attributesOf({ ...HIDDEN, policy: CONTROL }),
    ...ids,
  }));
  const event = { timeUnixNano: NOW_NS, eventName: 'gen_ai.user.message', body: anyValue(CANARY) };
  const logRecords = [...records, { ...event, attributes: attributesOf({ custom: CANARY }) }];
  return JSON.stringify({ resourceLogs: [{ resource: RESOURCE, scopeLogs: [{ scope: SCOPE, logRecords }] }] });
}

function metrics(): string {
  const point = {
    startTimeUnixNano: NOW_NS,
    timeUnixNano: NOW_NS,
    attributes: attributesOf({ ...HIDDEN, colour: CONTROL }),
    asDouble: 1,
    exemplars: [
      {
        timeUnixNano: NOW_NS,
        asDouble: 1,
        traceId: TRACE_ID,
        spanId: '00f067aa0ba902b7',
        filteredAttributes: attributesOf({ ...HIDDEN, prompt_class: CONTROL }),
      },
    ],
  };
  const sum = { aggregationTemporality: 2, isMonotonic: true, dataPoints: [point] };
  const histogram = {
    aggregationTemporality: 2,
    dataPoints: [{ ...point, count: '1', sum: 1, bucketCounts: ['0', '1'], explicitBounds: [1] }],
  };
  const list = [
    { name: 'app.requests', description: PROSE, unit: PROSE, sum },
    { name: 'app.wait', description: `what prompt="${CANARY}" took`, unit: 's', histogram },
    { name: PROSE, description: 'x', unit: '1', gauge: { dataPoints: [point] } },
    { name: 'inference_requests_total', description: CANARY, unit: '{request}', sum },
  ];
  const scopeMetrics = [{ scope: SCOPE, metrics: list }];
  return JSON.stringify({ resourceMetrics: [{ resource: RESOURCE, scopeMetrics }] });
}

/** The same places with labels alone, as remote write has them. */
const HIDDEN_LABELS: Record<string, string> = {
  prompt: CANARY,
  gen_ai_input_messages: CANARY,
  user_id: CANARY,
  request_id: PROSE,
  region: PROSE,
  deployment: PROMPT_JSON,
  instance: PROSE,
  error_message: CANARY,
  note: PROSE,
};

function remoteWrite(): WriteRequestV2Columns {
  const names = ['app_total', 'inference_requests_total', PROSE, `fleet:${CANARY}`];
  const series = names.map((name) => labelsFromRecord({ ...HIDDEN_LABELS, __name__: name, engine: CONTROL }));
  return {
    series,
    sampleSeries: Uint32Array.from(series.keys()),
    sampleTimestampMs: Float64Array.from(series, () => NOW_MS),
    sampleValue: Float64Array.from(series, () => 1),
    exemplars: [
      {
        series: 0,
        exemplar: { timestampMs: NOW_MS, value: 1, labels: labelsFromRecord({ ...HIDDEN_LABELS, engine: CONTROL }) },
      },
      { series: 1, exemplar: { timestampMs: NOW_MS, value: 1, labels: ['trace_id', PROSE] } },
    ],
    metadata: [
      { metric: 'app_total', type: 'counter', help: PROSE, unit: PROSE },
      { metric: PROSE, type: 'counter', help: 'x', unit: '' },
    ],
  };
}

function lokiPush(): string {
  const values = LINES.map((line, i) => [
    `${BigInt(NOW_NS) + BigInt(i)}`,
    typeof line === 'string' ? line : JSON.stringify(line),
    { ...HIDDEN_LABELS, trace_id: TRACE_ID, policy: CONTROL },
  ]);
  return JSON.stringify({ streams: [{ stream: { job: 'vllm', app: CONTROL, ...HIDDEN_LABELS }, values }] });
}

/** Sends the same through OpenTelemetry's SDK, by gRPC and by protobuf over HTTP. */
async function sendBySdk(): Promise<void> {
  const resource = resourceFromAttributes({ 'service.name': 'sdk', 'llm.prompt': CANARY, note: PROSE });
  const grpc = { url: `http://${program.otlpGrpcAddress}` };
  const attributes = { 'gen_ai.prompt': CANARY, note: PROSE, region: PROSE };
  const tracer = new TracerProvider({
    resource,
    spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter(grpc) })],
  });
  const span = tracer.getTracer('content-test').startSpan('chat', { attributes });
  span.recordException(new Error(PROSE));
  span.setStatus({ code: 2, message: PROSE });
  span.end();
  const logger = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter(grpc) })],
  });
  for (const line of LINES) logger.getLogger('content-test').emit({ body: line as string, attributes });
  const exporter = new OTLPMetricExporter({ url: `${program.otlpHttpUrl}/v1/metrics` });
  const meters = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter })] });
  meters.getMeter('content-test').createCounter('sdk.calls', { description: PROSE }).add(1, attributes);
  for (const provider of [tracer, logger, meters]) {
    await provider.forceFlush();
    await provider.shutdown();
  }
}

/** Requests that are refused; what they hold must not be in what is said about it. */
async function sendBroken(): Promise<void> {
  const broken = [
    `{"resourceSpans": [{"scopeSpans": "${CANARY}"}]}`,
    `{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "${CANARY}", "startTimeUnixNano": "${CANARY}"}]}]}]}`,
    `{"resourceLogs": ${CANARY}`,
    `{"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "a", "sum": {"dataPoints": [{"asDouble": "${CANARY}"}]}}]}]}]}`,
  ];
  for (const signal of ['traces', 'logs', 'metrics'])
    for (const body of broken) await send(`/v1/${signal}`, body, JSON_TYPE);
  for (const streams of [
    `[{"stream": {"a": "b"}, "values": [["${CANARY}", "x"]]}]`,
    `[{"stream": {"a": "b"}, "values": [["1", {"x": "${CANARY}"}]]}]`,
    `[{"stream": "${CANARY}", "values": []}]`,
    `[{"stream": {"a": "${CANARY}`,
  ])
    expect(await send('/loki/api/v1/push', `{"streams": ${streams}}`, JSON_TYPE)).toBe(400);
  const type = { 'content-type': 'application/x-protobuf' };
  const text = Buffer.from(`\x0a\x40${CANARY}`);
  for (const route of ['/v1/traces', '/v1/logs', '/v1/metrics', '/loki/api/v1/push', '/api/v1/write']) {
    expect(await send(route, text, type)).toBe(400);
    await send(route, snappyCompress(text), { ...type, 'content-encoding': 'snappy' });
    await send(route, text, { 'content-type': WRITE_V2_CONTENT_TYPE });
  }
}

/** Every text of the database and the bytes of every file beside it. */
async function storedText(): Promise<string> {
  const parts: string[] = [];
  for (const name of fs.readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(directory, name);
    if (fs.statSync(file).isFile()) parts.push(fs.readFileSync(file).toString('latin1'));
  }
  // The database may keep texts compressed, so its rows are read too.
  const instance = await DuckDBInstance.create(path.join(directory, 'hot.duckdb'), { access_mode: 'READ_ONLY' });
  const connection = await instance.connect();
  const tables = await connection.runAndReadAll('SELECT table_name FROM duckdb_tables()');
  for (const [table] of tables.getRows()) {
    const rows = await connection.runAndReadAll(`SELECT COLUMNS(*)::VARCHAR FROM "${table}"`);
    for (const row of rows.getRows()) parts.push(`${table}: ${row.join(' | ')}`);
  }
  connection.closeSync();
  instance.closeSync();
  return parts.join('\n');
}

/** The surroundings of each occurrence, so that a failure says where it is. */
function occurrences(text: string): string[] {
  return [...text.matchAll(/zanzibar/gi)]
    .slice(0, 20)
    .map(({ index }) => text.slice(Math.max(0, index - 160), index + 40));
}

it('finds the canary in no file, answer, log line or metric after it came in through every receiver', async () => {
  expect(await send('/v1/traces', traces(), JSON_TYPE)).toBe(200);
  expect(await send('/v1/logs', logs(), JSON_TYPE)).toBe(200);
  expect(await send('/v1/metrics', metrics(), JSON_TYPE)).toBe(200);
  const protobuf = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  // Two of its series have names that no series may have.
  expect(await send('/api/v1/write', snappyCompress(encodeWriteRequest(remoteWrite())), protobuf)).toBe(400);
  const v2 = { ...protobuf, 'content-type': WRITE_V2_CONTENT_TYPE };
  expect(await send('/api/v1/write', snappyCompress(encodeWriteRequestV2(remoteWrite())), v2)).toBe(400);
  expect(await send('/loki/api/v1/push', lokiPush(), JSON_TYPE)).toBe(204);
  await sendBySdk();
  await sendBroken();

  const trace = await fetch(`${program.url}/api/traces/${TRACE_ID}`);
  answers.push(await trace.text(), await (await fetch(`${program.url}/metrics`)).text());
  for (const route of ['labels', 'metadata', 'series?match[]={__name__!=""}', 'label/__name__/values'])
    answers.push(JSON.stringify(await ask(program, `/api/v1/${route}`)));
  const lines = new URLSearchParams({ query: '{deployment=~".+"}', limit: '1000' });
  answers.push(await (await fetch(`${program.url}/loki/api/v1/query_range?${lines}`)).text());
  await program.stop();

  const stored = await storedText();
  for (const table of ['exemplars', 'logs', 'spans'])
    expect(stored, `the control in ${table}`).toMatch(new RegExp(`^${table}: .*${CONTROL}`, 'm'));
  for (const file of ['series.labels', 'streams.labels'])
    expect(fs.readFileSync(path.join(directory, 'labels', file), 'latin1'), file).toContain(CONTROL);
  expect(stored).toContain(TRACE_ID);
  expect(occurrences(stored)).toEqual([]);
  expect(occurrences(answers.join('\n'))).toEqual([]);
  expect(program.output()).toContain('listening');
  expect(occurrences(program.output())).toEqual([]);
}, 60_000);
