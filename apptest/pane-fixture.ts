import { createReadStream, existsSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { PANE } from '../server/dashboards/index.ts';

/** How the fixture answers range queries whose text contains `match`. */
export interface Fault {
  readonly match: string;
  readonly kind: 'error' | 'empty' | 'slow' | 'warning';
}

/** A server of the pane's files and of the API that it calls, with values that follow from formulas of the time. */
export interface PaneFixture {
  readonly url: string;
  /** Every API path with its query, in the order in which it was asked. */
  readonly asked: URL[];
  faults: Fault[];
  close(): Promise<void>;
}

const DIST = join(import.meta.dirname, '../ui/dist');
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** Starts the fixture on a free port. */
export async function startPaneFixture(): Promise<PaneFixture> {
  const asked: URL[] = [];
  const fixture = { url: '', asked, faults: [] as Fault[], close: async () => {} };
  const server = createServer((request, response) => {
    void answer(request, response, fixture).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fixture.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  fixture.close = () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
  return fixture;
}

async function answer(request: IncomingMessage, response: ServerResponse, fixture: PaneFixture): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://fixture');
  const path = url.pathname;
  if (!/^\/(api|loki)\//.test(path)) return sendFile(path, response);
  fixture.asked.push(url);
  if (path === '/api/barograph/v1/pane') return sendJson(response, PANE);
  if (path === '/api/v1/status/buildinfo') return sendJson(response, { status: 'success', data: { version: '0.1.0' } });
  const label = /^\/api\/v1\/label\/([^/]+)\/values$/.exec(path)?.[1];
  if (label) return sendJson(response, { status: 'success', data: LABEL_VALUES[label] ?? [] });
  if (path === '/api/v1/query_range') return sendRange(url, response, fixture);
  if (path === '/loki/api/v1/query_range') return sendLogs(url, response);
  if (path === '/api/search') return sendJson(response, searchTraces(url));
  const traceId = /^\/api\/traces\/([0-9a-f]{32})$/.exec(path)?.[1];
  if (traceId) return sendJson(response, traceOf(traceId));
  sendJson(response, { status: 'error', error: 'not found' }, 404);
}

function sendJson(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function sendFile(path: string, response: ServerResponse): void {
  const file = join(DIST, normalize(path === '/' ? '/index.html' : path));
  if (!file.startsWith(DIST) || !existsSync(file)) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
  createReadStream(file).pipe(response);
}

const MODELS = ['llama-3.3-70b', 'mistral-small-3.2', 'qwen3-32b'];
const NODES = ['gpu-a01', 'gpu-a02', 'gpu-b01', 'gpu-b02', 'gpu-b03', 'gpu-b04'];
const GPU_TYPES = ['NVIDIA H100 80GB HBM3', 'NVIDIA L40S'];
const LABEL_VALUES: Readonly<Record<string, string[]>> = {
  model_version: MODELS,
  deployment: ['chat-prod', 'rag-prod', 'batch'],
  customer_tier: ['enterprise', 'free', 'pro'],
  gpu_type: GPU_TYPES,
  region: ['eu-west-1', 'us-east-1'],
};
const BUCKETS = ['≤128', '≤512', '≤2k', '≤8k', '≤32k', '>32k'];
const TOKEN_BOUNDS = [1, 4, 16, 64, 256, 1024, 4096, 16_384, 65_536, 262_144];

/** Noise between 0 and 1 that depends on its arguments alone. */
function noise(...parts: (string | number)[]): number {
  let h = 0x811c9dc5;
  for (const c of parts.join('\0')) h = Math.imul(h ^ c.charCodeAt(0), 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return ((h ^ (h >>> 13)) >>> 0) / 2 ** 32;
}

/** An incident of eight minutes in every fifty: 0 outside, rising to 1 in its middle. `t` in seconds since the epoch. */
function incident(t: number): number {
  const minute = (t / 60) % 50;
  return minute > 30 && minute < 38 ? Math.sin(((minute - 30) / 8) * Math.PI) : 0;
}

/** Load that rises and falls over half an hour, about 1. */
function load(t: number): number {
  return 1 + 0.22 * Math.sin(t / 290) + 0.1 * Math.sin(t / 97) + 0.05 * noise('load', t);
}

type Series = [labels: Record<string, string>, value: (t: number) => number];

/** The series that answer a query of the pane, recognised by the metric that it reads. */
function seriesOf(query: string): Series[] {
  const quantile = Number(/^histogram_quantile\((0\.\d+)/.exec(query)?.[1] ?? 0);
  if (query.includes('inference_ttft')) {
    const base = { 0.5: 0.21, 0.95: 0.62, 0.99: 1.15 }[quantile] ?? 1;
    return [[{}, (t) => base * load(t) * (1 + incident(t) * quantile ** 4 * 3.4) * (0.93 + 0.14 * noise(query, t))]];
  }
  if (query.includes('by (le, token_bucket)')) {
    return BUCKETS.map((bucket, i) => [
      { token_bucket: bucket },
      (t) => 1.4 * 1.75 ** i * load(t) * (1 + incident(t) * (i > 2 ? 1.6 : 0.2)) * (0.94 + 0.12 * noise(bucket, t)),
    ]);
  }
  if (query.includes('by (le, model_version)')) {
    return MODELS.map((model, i) => [
      { model_version: model },
      (t) => (5 + 3 * i) * load(t) * (1 + incident(t) * 0.4 * i),
    ]);
  }
  if (query.includes('inference_total_latency')) return [[{}, (t) => 8.4 * load(t) * (1 + incident(t) * 0.6)]];
  if (query.includes('by (outcome)')) {
    return ['error', 'timeout'].map((outcome, i) => [
      { outcome },
      (t) => 0.002 * (i + 1) * noise(outcome, t) + (i === 1 ? 0.03 : 0.004) * incident(t),
    ]);
  }
  if (query.includes('inference_requests_total'))
    return [[{}, (t) => 0.003 + 0.002 * noise('all', t) + 0.034 * incident(t)]];
  if (query.includes('"input"') && query.includes('inference_tokens_total')) return [[{}, (t) => 41_000 * load(t)]];
  if (query.includes('inference_tokens_total')) return [[{}, (t) => 5200 * load(t) * (1 - 0.35 * incident(t))]];
  if (query.includes('inference_token_count_bucket')) {
    return [...TOKEN_BOUNDS, Number.POSITIVE_INFINITY].map((bound) => [
      { le: bound === Number.POSITIVE_INFINITY ? '+Inf' : String(bound) },
      (t) => cumulativeTokens(bound, t),
    ]);
  }
  return infrastructureSeries(query);
}

/** Requests a second up to a prompt size: a chat's hill, and retrieval's, which grows in an incident. */
function cumulativeTokens(bound: number, t: number): number {
  const hill = (center: number, width: number) => 1 / (1 + Math.exp(-(Math.log2(bound) - center) / width));
  return 14 * load(t) * (0.7 * hill(9.3, 0.9) + (0.3 + 0.5 * incident(t)) * hill(12.6 + 0.3 * Math.sin(t / 400), 0.6));
}

function infrastructureSeries(query: string): Series[] {
  const byNode = (value: (node: string, i: number, t: number) => number): Series[] =>
    NODES.map((node, i) => [{ node }, (t) => value(node, i, t)]);
  if (query.includes('gpu_memory_total'))
    return GPU_TYPES.map((gpu_type, i) => [{ gpu_type }, () => [80, 48][i] * 2 ** 30]);
  if (query.includes('gpu_memory_used')) {
    return GPU_TYPES.map((gpu_type, i) => [
      { gpu_type },
      (t) => ([66, 35][i] + 6 * load(t) + 4 * incident(t)) * 2 ** 30,
    ]);
  }
  if (query.includes('gpu_temperature')) {
    return byNode((node, i, t) => 58 + 2.2 * i + 7 * load(t) + (i === 4 ? 16 * incident(t) : 0) + noise(node, t));
  }
  if (query.includes('THERMAL')) return byNode((_, i, t) => (i === 4 ? Math.max(0, incident(t - 60) - 0.25) : 0));
  if (query.includes('POWER_VIOLATION'))
    return byNode((node, i, t) => (i < 2 && noise(node, Math.floor(t / 240)) > 0.8 ? 0.25 : 0));
  if (query.includes('kv_cache')) return [[{}, (t) => Math.min(1, 0.55 * load(t) + 0.35 * incident(t))]];
  if (query.includes('SM_ACTIVE')) return [[{}, (t) => Math.min(1, 0.7 * load(t) + 0.02 * noise('sm', t))]];
  if (query.includes('node_cpu')) return [[{}, (t) => 0.2 * load(t) + 0.02 * noise('cpu', t)]];
  if (query.includes('node_memory')) return [[{}, (t) => 0.34 + 0.02 * load(t)]];
  return [];
}

async function sendRange(url: URL, response: ServerResponse, fixture: PaneFixture): Promise<void> {
  const query = url.searchParams.get('query') ?? '';
  const fault = fixture.faults.find(({ match }) => query.includes(match))?.kind;
  if (fault === 'slow') await new Promise((resolve) => setTimeout(resolve, 60_000));
  if (fault === 'error') {
    return sendJson(
      response,
      { status: 'error', errorType: 'execution', error: 'query needs 61,000,000 samples, the limit is 50,000,000' },
      422,
    );
  }
  const warnings = fault === 'warning' ? ['model_version: 14 % of these series are folded into "other"'] : [];
  const result =
    fault === 'empty' ? [] : seriesOf(query).map(([metric, value]) => ({ metric, values: sample(url, value) }));
  sendJson(response, { status: 'success', warnings, data: { resultType: 'matrix', result } });
}

/** The moments of a range query with values as text. */
function sample(url: URL, value: (t: number) => number, unit = 1): [number, string][] {
  const [start, end, step] = ['start', 'end', 'step'].map((name) => Number(url.searchParams.get(name)));
  const values: [number, string][] = [];
  for (let t = start / unit; t <= end / unit; t += step) values.push([t, String(value(t))]);
  return values;
}

function sendLogs(url: URL, response: ServerResponse): void {
  const query = url.searchParams.get('query') ?? '';
  if (query.startsWith('sum(')) {
    const errors = !query.includes('"WARN"');
    const counts = sample(
      url,
      (t) => Math.floor((errors ? 2.2 : 9) * incident(t) + (errors ? 0 : noise('w', t) > 0.96 ? 2 : 0)),
      1e9,
    );
    const values = counts.filter(([, count]) => count !== '0');
    return sendJson(response, {
      status: 'success',
      data: { resultType: 'matrix', result: values.length ? [{ metric: {}, values }] : [] },
    });
  }
  const endMs = Number(url.searchParams.get('end')) / 1e6;
  const engine: [string, string][] = [];
  const gateway: [string, string, object][] = [];
  for (let i = 0; i < 40; i++) {
    const ns = `${BigInt(Math.floor(endMs - i * 1300))}000000`;
    if (i % 5 === 2) engine.push([ns, ENGINE_LINES[i % ENGINE_LINES.length]]);
    else
      gateway.push([
        ns,
        gatewayEvent(i),
        { structuredMetadata: { trace_id: traceIdOf(i), span_id: '00f067aa0ba902b7' } },
      ]);
  }
  const structured = query.includes('!~ "^[{]"')
    ? []
    : [{ stream: { service_name: 'gateway', deployment: 'chat-prod', region: 'eu-west-1' }, values: gateway }];
  const result = [
    ...structured,
    { stream: { service_name: 'vllm', deployment: 'chat-prod', node: 'gpu-b03' }, values: engine },
  ];
  sendJson(response, { status: 'success', data: { resultType: 'streams', result } });
}

const ENGINE_LINES = [
  'INFO 11-24 10:02:11 [loggers.py:236] Engine 000: Avg prompt throughput: 8123.4 tokens/s, Avg generation throughput: 1204.1 tokens/s, Running: 62 reqs, Waiting: 18 reqs, GPU KV cache usage: 93.1%',
  'WARNING 11-24 10:02:12 [scheduler.py:812] KV cache is nearly full; requests wait for free blocks',
  'torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB',
];

function gatewayEvent(i: number): string {
  const outcome = i % 11 === 3 ? 'timeout' : 'ok';
  return JSON.stringify({
    event: i % 7 === 4 ? 'request.retried' : 'request.finished',
    level: outcome === 'ok' ? 'info' : 'error',
    outcome,
    prompt_class: ['chat', 'rag', 'code'][i % 3],
    response_tokens: 40 + ((i * 97) % 700),
    model_version: MODELS[i % 3],
    customer_tier: ['free', 'pro', 'enterprise'][i % 3],
  });
}

function traceIdOf(i: number): string {
  return (0x4bf92f3577b34d00n + BigInt(i)).toString(16).padStart(32, '0');
}

function searchTraces(url: URL): unknown {
  const endS = Number(url.searchParams.get('end'));
  const traces = Array.from({ length: 12 }, (_, i) => ({
    traceID: traceIdOf(i),
    rootServiceName: 'gateway',
    rootTraceName: 'gateway',
    startTimeUnixNano: `${BigInt(endS - 5 - i * 4)}${String(i * 71_000_000).padStart(9, '0')}`,
    durationMs: Math.round(traceSeconds(i) * 1000),
  }));
  return { traces, metrics: {} };
}

function traceSeconds(i: number): number {
  return 2.2 + 5 * noise('trace', i);
}

/** One request's semantic path; every third waits long in the queue. */
function traceOf(traceId: string): unknown {
  const i = Number(BigInt(`0x${traceId}`) - 0x4bf92f3577b34d00n);
  const total = traceSeconds(i);
  const queue = i % 3 === 0 ? 0.55 : 0.06;
  const startNs = 1_764_000_000_000_000_000n;
  const at = (share: number) => `${startNs + BigInt(Math.round(share * total * 1e9))}`;
  const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
  const int = (key: string, value: number) => ({ key, value: { intValue: String(value) } });
  const span = (id: number, parent: number, name: string, from: number, to: number, attributes: unknown[] = []) => ({
    traceId,
    spanId: String(id).padStart(16, '0'),
    parentSpanId: parent === 0 ? '' : String(parent).padStart(16, '0'),
    name,
    startTimeUnixNano: at(from),
    endTimeUnixNano: at(to),
    attributes,
    status: {},
  });
  const model = MODELS[((i % 3) + 3) % 3];
  const spans = [
    span(1, 0, 'gateway', 0, 1, [text('http.route', '/v1/chat/completions'), text('customer.tier', 'pro')]),
    span(2, 1, 'authenticate', 0.004, 0.012),
    span(3, 1, 'vector_search', 0.014, 0.07, [
      text('gen_ai.data_source.id', 'handbook'),
      int('gen_ai.retrieval.top_k', 8),
    ]),
    span(4, 1, 'prompt_build', 0.071, 0.078),
    span(5, 1, `chat ${model}`, 0.08, 0.97, [
      text('gen_ai.operation.name', 'chat'),
      text('gen_ai.response.model', model),
      int('gen_ai.usage.input_tokens', 3120),
      int('gen_ai.usage.output_tokens', 412),
    ]),
    span(6, 5, 'queue', 0.085, 0.085 + queue),
    span(7, 5, 'prefill', 0.085 + queue, 0.15 + queue),
    span(8, 5, 'decode', 0.15 + queue, 0.965),
    span(9, 1, 'output_filtering', 0.972, 0.995),
  ];
  const resource = {
    attributes: [
      text('service.name', 'gateway'),
      text('k8s.deployment.name', 'chat-prod'),
      text('cloud.region', 'eu-west-1'),
    ],
  };
  return { batches: [{ resource, scopeSpans: [{ scope: { name: '@barograph/sdk' }, spans }] }] };
}
