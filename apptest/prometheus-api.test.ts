import { execFile } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NativeHistogram } from '../server/model/index.ts';
import { decodeScrape, inflate, ScrapeBatch, scrapeProtocolOf, snappyCompress } from '../server/wire/index.ts';
import { findPrometheus, startPrometheus } from './peer-prometheus.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';
import { type TestSeries, writeSeries } from './prometheus-samples.ts';

const run = promisify(execFile);
const STEP_MS = 15_000;
const STEPS = 240;
const END = Math.floor(Date.now() / STEP_MS) * STEP_MS;
const START = END - (STEPS - 1) * STEP_MS;
const seconds = (ms: number): string => String(ms / 1000);

let directory = '';
let program: Program;

function histogram(step: number): NativeHistogram {
  return {
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: step * 3,
    sum: step * 4.5,
    positiveIndices: Int32Array.of(0, 2),
    positiveCounts: Float64Array.of(step, step * 2),
    negativeIndices: new Int32Array(0),
    negativeCounts: new Float64Array(0),
    customValues: undefined,
    counterResetHint: 'unknown',
  };
}

const SERIES: readonly TestSeries[] = [
  ...Array.from({ length: 60 }, (_, i) => ({
    labels: { __name__: 'http_requests_total', deployment: 'web', job: 'web', instance: `host-${i}` },
    at: (step: number) => step * (i + 1),
  })),
  { labels: { __name__: 'queue_length', deployment: 'web', job: 'web', instance: 'host-0' }, at: Math.cos },
  { labels: { __name__: 'dotted.name', deployment: 'web', job: 'web', instance: 'host-0' }, at: (step) => step },
  { labels: { __name__: 'lonely', deployment: 'web', job: 'web' }, at: (step) => step },
  { labels: { __name__: 'native_seconds', deployment: 'web', job: 'web', instance: 'host-0' }, at: histogram },
];

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
  const exemplar = { labels: ['trace_id', 'abcdef'], value: 1e-7, timestampMs: END - 1000 };
  const metadata = [
    { metric: 'http_requests_total', type: 'counter', help: 'Requests.', unit: '' },
    { metric: 'queue_length', type: 'gauge', help: 'Waiting.', unit: 'requests' },
  ] as const;
  const steps = { startMs: START, stepMs: STEP_MS, count: STEPS };
  const extras = { exemplars: [{ series: 0, exemplar }], metadata };
  expect(await writeSeries(program.url, SERIES, steps, extras)).toBe(204);
});

afterAll(async () => {
  await program.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** The lines of an answer of JSON lines. */
async function search(what: string, params: readonly [string, string][]): Promise<{ results?: { name: string }[] }[]> {
  const response = await fetch(`${program.url}/api/v1/search/${what}?${new URLSearchParams(params)}`);
  expect(response.headers.get('content-type')).toBe('application/x-ndjson; charset=utf-8');
  return (await response.text())
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('search', () => {
  it('finds metric names by similarity, with what is known about them', async () => {
    const lines = await search('metric_names', [
      ['search[]', 'http_requset'],
      ['fuzz_alg', 'jarowinkler'],
      ['fuzz_threshold', '85'],
      ['include_metadata', 'true'],
    ]);
    expect(lines).toEqual([
      { results: [{ name: 'http_requests_total', type: 'counter', help: 'Requests.' }] },
      { status: 'success', has_more: false },
    ]);
  });

  it('gives batches, orders, and says that there is more', async () => {
    const lines = await search('label_values', [
      ['label', 'instance'],
      ['search[]', 'HOST-5'],
      ['case_sensitive', 'false'],
      ['sort_by', 'alpha'],
      ['sort_dir', 'dsc'],
      ['limit', '3'],
      ['batch_size', '2'],
    ]);
    expect(lines).toEqual([
      { results: [{ name: 'host-59' }, { name: 'host-58' }] },
      { results: [{ name: 'host-57' }] },
      { status: 'success', has_more: true },
    ]);
  });

  it('finds the names of labels of some series, the best first', async () => {
    const lines = await search('label_names', [
      ['search[]', 'job'],
      ['search[]', 'nst'],
      ['sort_by', 'score'],
      ['match[]', 'queue_length'],
    ]);
    expect(lines[0].results?.map(({ name }) => name)).toEqual(['job', 'instance']);
  });

  it.each([
    ['metric_names', 'fuzz_threshold=101', 'invalid fuzz_threshold "101": must be 0-100'],
    ['metric_names', 'fuzz_alg=x', 'unsupported fuzz_alg "x": must be one of [subsequence jarowinkler]'],
    ['metric_names', 'sort_dir=asc', 'sort_dir is only valid when sort_by is set'],
    ['label_names', 'sort_by=score', 'sort_by=score requires search[] to be set'],
    ['label_values', '', 'missing required parameter "label"'],
    ['label_values', 'label=a&limit=-1', 'invalid limit "-1": must be non-negative integer'],
  ])('%s?%s is refused', async (what, params, error) => {
    const response = await fetch(`${program.url}/api/v1/search/${what}?${params}`);
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({ status: 'error', errorType: 'bad_data', error });
  });
});

describe('status', () => {
  it('tells what the series are made of', async () => {
    const { data } = await ask(program, '/api/v1/status/tsdb', { limit: '2' });
    expect(data.headStats).toMatchObject({ numSeries: SERIES.length, minTime: START, maxTime: END });
    expect(data.headStats.chunkCount).toBeGreaterThanOrEqual(SERIES.length - 1);
    expect(data.seriesCountByMetricName[0]).toEqual({ name: 'http_requests_total', value: 60 });
    expect(data.labelValueCountByLabelName[0]).toEqual({ name: 'instance', value: 60 });
    expect(data.seriesCountByLabelValuePair).toHaveLength(2);
    expect(data.seriesCountByLabelValuePair[0].value).toBe(SERIES.length);
  });

  it('tells the configuration without secrets', async () => {
    const data = temporaryDirectory();
    const config = `${data}/barograph.yml`;
    fs.writeFileSync(config, 'server: {token: this-is-a-secret-token}\n');
    const guarded = await startProgram(data, ['--config', config]);
    try {
      const headers = { authorization: 'Bearer this-is-a-secret-token' };
      for (const path of ['config', 'flags']) {
        const text = await (await fetch(`${guarded.url}/api/v1/status/${path}`, { headers })).text();
        expect(text).toContain('<secret>');
        expect(text).not.toContain('secret-token');
      }
      expect((await fetch(`${guarded.url}/api/v1/status/config`)).status).toBe(401);
    } finally {
      await guarded.stop();
      fs.rmSync(data, { recursive: true, force: true });
    }
  });

  it('has the shapes that clients read', async () => {
    expect((await ask(program, '/api/v1/status/runtimeinfo')).data).toMatchObject({
      startTime: expect.stringMatching(/^\d{4}-/),
      reloadConfigSuccess: true,
      GOMAXPROCS: expect.any(Number),
    });
    const features = (await ask(program, '/api/v1/features')).data;
    expect(features.api.search).toBe(true);
    expect(features.promql_functions.mad_over_time).toBe(true);
    expect((await ask(program, '/api/v1/status/flags')).data['query.lookback-delta']).toBe('5m');
  });
});

describe('what Grafana asks', () => {
  it('is healthy: 1+1 at the beginning of time, and build information without features', async () => {
    const form = await fetch(`${program.url}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'query=1%2B1&time=4',
    });
    expect(await form.json()).toEqual({ status: 'success', data: { resultType: 'scalar', result: [4, '2'] } });
    const info = (await ask(program, '/api/v1/status/buildinfo')).data;
    expect(info.features).toEqual({});
    expect(info.version).toMatch(/^\d/);
  });

  it('takes milliseconds for its probe of exemplars', async () => {
    const range = { start: String(END - 60_000), end: String(END) };
    expect(await ask(program, '/api/v1/query_exemplars', { query: 'test', ...range })).toEqual({
      status: 'success',
      data: [],
    });
  });

  it('gets exemplars with their labels and metadata by metric', async () => {
    const query = 'rate(http_requests_total[5m]) + http_requests_total';
    const { data } = await ask(program, '/api/v1/query_exemplars', { query, start: seconds(START), end: seconds(END) });
    expect(data).toEqual([
      {
        seriesLabels: { __name__: 'http_requests_total', deployment: 'web', instance: 'host-0', job: 'web' },
        exemplars: [{ labels: { trace_id: 'abcdef' }, value: '0.0000001', timestamp: (END - 1000) / 1000 }],
      },
    ]);
    expect((await ask(program, '/api/v1/metadata', { metric: 'queue_length' })).data).toEqual({
      queue_length: [{ type: 'gauge', unit: 'requests', help: 'Waiting.' }],
    });
  });

  it('is told that a method is not allowed, so that it tries the other', async () => {
    const response = await fetch(`${program.url}/api/v1/label/job/values`, { method: 'POST' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, OPTIONS');
  });
});

describe('a query', () => {
  it('may be long, by GET too; a form that is too large is refused in Prometheus’s form', async () => {
    const names = Array.from({ length: 10_000 }, (_, i) => `host-${i}`);
    const query = `count(http_requests_total{instance=~"${names.join('|')}"})`;
    expect((await ask(program, '/api/v1/query', { query, time: seconds(END) })).data.result[0].value[1]).toBe('60');
    const response = await fetch(`${program.url}/api/v1/query`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `query=${'1'.repeat(65 * 1024 * 1024)}`,
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ status: 'error', errorType: 'bad_data' });
  });

  it('whose time is up before it begins is answered as Prometheus does', async () => {
    const response = await fetch(`${program.url}/api/v1/query?query=1&timeout=0`);
    expect(response.status).toBe(503);
    expect(await response.json()).toEqual({
      status: 'error',
      errorType: 'timeout',
      error: 'query timed out in query execution',
    });
  });

  it('tells its stats beside warnings', async () => {
    const range = { start: seconds(END - 60_000), end: seconds(END), step: '15' };
    const query = 'http_requests_total';
    const answer = await ask(program, '/api/v1/query_range', { query, ...range, limit: '1', stats: 'all' });
    expect(answer.data.result).toHaveLength(1);
    expect(answer.data.stats.samples.totalQueryableSamples).toBe(300);
    expect(answer.data.stats.timings.execTotalTime).toBeGreaterThan(0);
    expect(answer.warnings).toEqual(['results truncated due to limit']);
  });
});

/** An answer as it came over the wire. */
function raw(
  path: string,
  headers: Record<string, string>,
): Promise<{ headers: http.IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    http
      .get(`${program.url}${path}`, { headers }, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
        response.on('error', reject);
      })
      .on('error', reject);
  });
}

describe('compressed answers', () => {
  const large = `/api/v1/query_range?query=http_requests_total&start=${seconds(START)}&end=${seconds(END)}&step=60`;
  const federate = '/federate?match[]=http_requests_total';

  it.each([
    ['a body', large, 'gzip', 'gzip'],
    ['a body', large, 'gzip, deflate, br, zstd', 'zstd'],
    ['a body', large, 'gzip, zstd;q=0.5', 'gzip'],
    ['a body', large, '*', 'zstd'],
    ['a stream', federate, 'gzip', 'gzip'],
    ['a stream', federate, 'zstd', 'zstd'],
  ] as const)('%s of %s, asked for with %s', async (_kind, path, accept, coding) => {
    const plain = await raw(path, {});
    const packed = await raw(path, { 'accept-encoding': accept });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(packed.headers['content-encoding']).toBe(coding);
    expect(packed.headers.vary).toBe('Accept-Encoding');
    expect(packed.body.length).toBeLessThan(plain.body.length / 2);
    const unpacked = coding === 'gzip' ? zlib.gunzipSync(packed.body) : zlib.zstdDecompressSync(packed.body);
    expect(unpacked.equals(plain.body)).toBe(true);
  });

  it.each([
    ['a small answer', '/api/v1/query?query=1', 'gzip'],
    ['nothing that is known', large, 'br'],
    ['a coding that is ruled out', large, 'gzip;q=0'],
  ])('%s is sent as it is', async (_what, path, accept) => {
    expect((await raw(path, { 'accept-encoding': accept })).headers['content-encoding']).toBeUndefined();
  });
});

describe('expositions', () => {
  const protobuf = 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited';

  it.each([
    ['', 'PrometheusText0.0.4', 62],
    ['text/plain;version=1.0.0;escaping=allow-utf-8', 'PrometheusText1.0.0', 62],
    ['application/openmetrics-text;version=1.0.0', 'OpenMetricsText1.0.0', 62],
    // Only this one has native histograms.
    [protobuf, 'PrometheusProto', 63],
  ] as const)('federates in what is asked for: %s', async (accept, protocol, count) => {
    const match = '/federate?match[]={job="web",__name__!="dotted.name"}';
    const response = await fetch(`${program.url}${match}`, { headers: { accept } });
    expect(response.status).toBe(200);
    const batch = new ScrapeBatch();
    decodeScrape(Buffer.from(await response.arrayBuffer()), protocol, { scrapeMs: END }, batch);
    expect(batch.seriesCount).toBe(count);
  });

  it('federates nothing but the last sample, with its time and an instance', async () => {
    const text = await (await fetch(`${program.url}/federate?match[]=lonely`)).text();
    expect(text).toBe(`# TYPE lonely untyped\nlonely{deployment="web",instance="",job="web"} ${STEPS - 1} ${END}\n`);
  });

  it('federates families that are more than one part', { timeout: 60_000 }, async () => {
    const many = Array.from({ length: 1203 }, (_, i) => ({
      labels: { __name__: 'many', deployment: 'web', job: 'web', instance: `many-${i}` },
      at: () => i,
    }));
    expect(await writeSeries(program.url, many, { startMs: END, stepMs: STEP_MS, count: 1 })).toBe(204);
    for (const accept of ['', 'application/openmetrics-text;version=1.0.0', protobuf]) {
      const response = await fetch(`${program.url}/federate?match[]=many`, { headers: { accept } });
      const bytes = Buffer.from(await response.arrayBuffer());
      const batch = new ScrapeBatch();
      decodeScrape(bytes, scrapeProtocolOf(response.headers.get('content-type') ?? ''), { scrapeMs: END }, batch);
      expect(batch.seriesCount).toBe(1203);
      if (accept !== protobuf) expect(bytes.toString().split('# TYPE')).toHaveLength(2);
    }
  });

  it('goes on after clients that left, however many', async () => {
    for (let i = 0; i < 12; i++) {
      const client = new AbortController();
      const left = fetch(`${program.url}/federate?match[]={job="web"}`, { signal: client.signal });
      setTimeout(() => client.abort(), i);
      await left.then((response) => response.body?.cancel()).catch(() => {});
    }
    const response = await fetch(`${program.url}/federate?match[]=queue_length`);
    expect(await response.text()).toContain('queue_length{');
  });

  it('shows its own metrics in OpenMetrics', async () => {
    const response = await fetch(`${program.url}/metrics`, { headers: { accept: 'application/openmetrics-text' } });
    expect(response.headers.get('content-type')).toMatch(/^application\/openmetrics-text; version=0.0.1/);
    const text = await response.text();
    expect(text).toMatch(/^barograph_store_series \d+$/m);
    expect(text.endsWith('# EOF\n')).toBe(true);
  });
});

describe('OTLP at Prometheus’s path', () => {
  it('is taken', async () => {
    const point = { asDouble: 7, timeUnixNano: `${END}000000` };
    const metrics = [{ name: 'otlp.gauge', gauge: { dataPoints: [point] } }];
    const response = await fetch(`${program.url}/api/v1/otlp/v1/metrics`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }),
    });
    expect(response.status).toBe(200);
    const answer = await ask(program, '/api/v1/query', { query: 'otlp_gauge', time: seconds(END) });
    expect(answer.data.result[0].value[1]).toBe('7');
  });
});

describe('remote read', () => {
  const field = (number: number, bytes: Uint8Array): Buffer =>
    Buffer.concat([Buffer.of((number << 3) | 2, bytes.length), bytes]);
  const varint = (number: number, value: number): Buffer => {
    const out = [number << 3];
    let rest = BigInt(value);
    for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
    return Buffer.from([...out, Number(rest)]);
  };
  const matcher = (name: string, value: string): Buffer =>
    field(3, Buffer.concat([varint(1, 0), field(2, Buffer.from(name)), field(3, Buffer.from(value))]));
  const read = (query: Buffer): Promise<Response> =>
    fetch(`${program.url}/api/v1/read`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
      body: Buffer.from(snappyCompress(query)),
    });

  it('answers with samples where nothing else is asked for', async () => {
    const query = Buffer.concat([varint(1, END - 30_000), varint(2, END), matcher('__name__', 'queue_length')]);
    const response = await read(field(1, query));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/x-protobuf');
    const body = inflate(Buffer.from(await response.arrayBuffer()), 'snappy');
    expect(Buffer.from(body).toString('latin1')).toContain('queue_length');
    // Three samples of a double each.
    const value = Buffer.alloc(8);
    value.writeDoubleLE(Math.cos(STEPS - 1));
    expect(Buffer.from(body).includes(value)).toBe(true);
  });

  it('answers with whole samples that are more than one part', async () => {
    const query = Buffer.concat([varint(1, START), varint(2, END), matcher('job', 'web')]);
    const response = await read(Buffer.concat([field(1, query), field(1, query)]));
    const body = Buffer.from(inflate(Buffer.from(await response.arrayBuffer()), 'snappy'));
    // Two results of the same length, and nothing else.
    const results: Buffer[] = [];
    for (let at = 0; at < body.length; ) {
      expect(body[at++]).toBe(10);
      let [length, shift] = [0, 0];
      do length += (body[at] & 127) << (7 * shift++);
      while (body[at++] >= 128);
      results.push(body.subarray(at, at + length));
      at += length;
    }
    expect(results).toHaveLength(2);
    expect(results[0].equals(results[1])).toBe(true);
    expect(results[0].length).toBeGreaterThan(63 * STEPS * 10);
  });

  it.each([
    ['no snappy', () => fetch(`${program.url}/api/v1/read`, { method: 'POST', body: Buffer.of(255, 1, 2) })],
    ['no message', () => read(Buffer.of(10, 200))],
  ])('refuses %s with 400', async (_what, send) => {
    const response = await send();
    expect(response.status).toBe(400);
    expect((await response.text()).length).toBeGreaterThan(10);
  });
});

async function resultOf(response: Response): Promise<unknown[]> {
  return ((await response.json()) as { data: { result: unknown[] } }).data.result;
}

describe('real clients', () => {
  it('promtool asks and checks', { timeout: 120_000 }, async (context) => {
    const folder = await findPrometheus();
    if (folder === undefined) return context.skip('no promtool here, and nothing to unpack one with');
    const promtool = async (...args: string[]): Promise<string> => (await run(`${folder}/promtool`, args)).stdout;
    expect(await promtool('query', 'instant', program.url, 'sum(http_requests_total)', '--time', seconds(END))).toMatch(
      /^\{\} => 437370 @/,
    );
    const times = [`--start=${seconds(END - 30_000)}`, `--end=${seconds(END)}`, '--step=15s'];
    const range = await promtool('query', 'range', ...times, program.url, 'lonely');
    expect(range).toContain('lonely{deployment="web", job="web"} =>\n237 @');
    expect(await promtool('query', 'series', '--match=queue_length', program.url)).toContain('queue_length');
    expect((await promtool('query', 'labels', program.url, 'job')).trim()).toBe('web');
    const lint = execFile(`${folder}/promtool`, ['check', 'metrics']);
    lint.stdin?.end(await (await fetch(`${program.url}/metrics`)).text());
    expect(await new Promise((resolve) => lint.once('exit', resolve))).toBe(0);
    // Older ones can't check health.
    if (!(await promtool('check', '--help')).includes('check healthy')) return;
    for (const what of ['healthy', 'ready']) await promtool('check', what, `--url=${program.url}`);
  });

  it('a Prometheus reads from us, and federates', { timeout: 120_000 }, async (context) => {
    const folder = await findPrometheus();
    if (folder === undefined) return context.skip('no Prometheus here, and nothing to unpack one with');
    const target = new URL(program.url).host;
    const prometheus = await startPrometheus(
      folder,
      () => `
global: {scrape_interval: 1s}
remote_read: [{url: '${program.url}/api/v1/read', read_recent: true}]
scrape_configs:
  - job_name: federated
    honor_labels: true
    metrics_path: /federate
    params: {'match[]': ['lonely']}
    metric_relabel_configs: [{target_label: by, replacement: federation}]
    static_configs: [{targets: ['${target}']}]
`,
      ['--enable-feature=native-histograms'],
    );
    try {
      const both = async (query: string) => {
        const params = `query=${encodeURIComponent(query)}&start=${seconds(START)}&end=${seconds(END)}&step=60`;
        const answers = [program.url, prometheus.url].map(async (url) =>
          resultOf(await fetch(`${url}/api/v1/query_range?${params}`)),
        );
        return Promise.all(answers);
      };
      for (const query of [
        'sum(rate(http_requests_total[5m]))',
        'http_requests_total{instance=~"host-[1-3]"}',
        '{"dotted.name"}',
        'histogram_sum(native_seconds)',
        'histogram_quantile(0.9, rate(native_seconds[5m]))',
      ]) {
        const [ours, theirs] = await both(query);
        expect(ours.length, query).toBeGreaterThan(0);
        expect(theirs, query).toEqual(ours);
      }
      let federated: { value: [number, string] }[] = [];
      for (let i = 0; i < 50 && federated.length === 0; i++) {
        await new Promise((resolve) => setTimeout(resolve, 200));
        const url = `${prometheus.url}/api/v1/query?query=${encodeURIComponent('lonely{by="federation"}')}`;
        federated = (await resultOf(await fetch(url))) as typeof federated;
      }
      expect(federated[0]?.value[1]).toBe(String(STEPS - 1));
    } finally {
      prometheus.stop();
    }
  });
});
