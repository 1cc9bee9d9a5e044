import fs from 'node:fs';
import path from 'node:path';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { type Program, startProgram, temporaryDirectory } from './program.ts';

// Tenants through the real program: on every protocol a tenant sees its own data and nobody else's, across a restart.

const NOW_MS = Math.floor(Date.now() / 1000) * 1000;
let folder: string;
let config: string;
let program: Program;

beforeAll(async () => {
  folder = temporaryDirectory();
  config = path.join(folder, 'barograph.yaml');
  fs.writeFileSync(
    config,
    [
      'tenants:',
      '  enabled: true',
      '  max: 3',
      '  overrides: { gold: { retention: { logs: { age: 2d } } } }',
      'canary: { enabled: false }',
      'govern:',
      '  labels: { squad: { class: never } }',
      '  tenants: { gold: { labels: { squad: { class: structural } } } }',
      '',
    ].join('\n'),
  );
  await start();
});

afterAll(async () => {
  await program?.stop();
  fs.rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<void> {
  program = await startProgram(path.join(folder, 'data'), ['--config', config]);
}

function headersOf(tenant: string | undefined): Record<string, string> {
  return tenant === undefined ? {} : { 'X-Scope-OrgID': tenant };
}

async function get(tenant: string | undefined, route: string, params: Record<string, string> = {}) {
  const url = `${program.url}${route}?${new URLSearchParams(params)}`;
  const answer = await fetch(url, { headers: headersOf(tenant) });
  return { status: answer.status, text: await answer.text() };
}

async function post(tenant: string | undefined, url: string, body: string | Buffer, headers: Record<string, string>) {
  const answer = await fetch(url, { method: 'POST', body, headers: { ...headers, ...headersOf(tenant) } });
  return { status: answer.status, text: await answer.text() };
}

function write(tenant: string | undefined, record: Record<string, string>, value: number) {
  const body = encodeWriteRequest({
    series: [labelsFromRecord(record)],
    sampleSeries: Uint32Array.of(0),
    sampleTimestampMs: Float64Array.of(NOW_MS),
    sampleValue: Float64Array.of(value),
  });
  return post(tenant, `${program.url}/api/v1/write`, Buffer.from(snappyCompress(body)), {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
  });
}

async function query(tenant: string, promql: string): Promise<unknown> {
  const { text } = await get(tenant, '/api/v1/query', { query: promql, time: String(NOW_MS / 1000 + 1) });
  const { data } = JSON.parse(text) as { data: { result: { metric: unknown; value: [number, string] }[] } };
  return data.result.map(({ metric, value }) => [metric, value[1]]);
}

function pushLine(tenant: string, line: string) {
  const stream = { stream: { app: 'gateway' }, values: [[`${NOW_MS}000000`, line]] };
  return post(tenant, `${program.url}/loki/api/v1/push`, JSON.stringify({ streams: [stream] }), {
    'content-type': 'application/json',
  });
}

function otlpSpan(service: string): string {
  const times = { startTimeUnixNano: `${NOW_MS - 50}000000`, endTimeUnixNano: `${NOW_MS}000000` };
  const span = { traceId: '5b8efff798038103d269b633813fc60c', spanId: 'eee19b7ec3c1b174', name: 'gateway', ...times };
  const attributes = [{ key: 'service.name', value: { stringValue: service } }];
  return JSON.stringify({ resourceSpans: [{ resource: { attributes }, scopeSpans: [{ spans: [span] }] }] });
}

/** An empty export by gRPC; the code of the answer. */
function exportByGrpc(tenant: string | undefined): Promise<number> {
  const client = new Client(program.otlpGrpcAddress, credentials.createInsecure());
  const metadata = new Metadata();
  if (tenant !== undefined) metadata.set('x-scope-orgid', tenant);
  const asIs = (bytes: Buffer): Buffer => bytes;
  const method = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export';
  return new Promise((resolve) => {
    client.makeUnaryRequest(method, asIs, asIs, Buffer.alloc(0), metadata, (error) => {
      client.close();
      resolve(error?.code ?? 0);
    });
  });
}

describe('each tenant', () => {
  it('has its own metrics, under its own policy', async () => {
    for (const [tenant, value] of [
      ['gold', 7],
      ['silver', 5],
    ] as const) {
      expect(await write(tenant, { __name__: 'jobs', job: 'a', squad: 'x' }, value)).toMatchObject({ status: 204 });
    }
    expect(await query('gold', 'jobs')).toEqual([[{ __name__: 'jobs', job: 'a', squad: 'x' }, '7']]);
    expect(await query('silver', 'jobs')).toEqual([[{ __name__: 'jobs', job: 'a' }, '5']]);
  });

  it('has its own logs and traces', async () => {
    expect(await pushLine('gold', 'event=request outcome=ok')).toMatchObject({ status: 204 });
    const url = `${program.otlpHttpUrl}/v1/traces`;
    expect(await post('silver', url, otlpSpan('s'), { 'content-type': 'application/json' })).toMatchObject({
      status: 200,
    });
    const lines = async (tenant: string) => {
      const { text } = await get(tenant, '/loki/api/v1/query_range', { query: '{app="gateway"}' });
      return (JSON.parse(text) as { data: { result: unknown[] } }).data.result.length;
    };
    expect([await lines('gold'), await lines('silver')]).toEqual([1, 0]);
    const trace = (tenant: string) => get(tenant, '/api/traces/5b8efff798038103d269b633813fc60c');
    expect([(await trace('silver')).status, (await trace('gold')).status]).toEqual([200, 404]);
  });

  it('is told apart by gRPC as well', async () => {
    expect(await exportByGrpc('gold')).toBe(0);
    // UNAUTHENTICATED and INVALID_ARGUMENT.
    expect([await exportByGrpc(undefined), await exportByGrpc('a|b')]).toEqual([16, 3]);
  });

  it('is a label of the program’s own metrics', async () => {
    const { text } = await get(undefined, '/metrics');
    expect(text).toContain('barograph_store_series{tenant="gold"} ');
    expect(text).toContain('barograph_store_series{tenant="silver"} ');
    expect(JSON.parse((await get(undefined, '/api/barograph/v1/tenants')).text)).toEqual({
      tenants: ['anonymous', 'gold', 'silver'],
    });
  });

  it('keeps its data across a restart, and its own retention', async () => {
    await program.stop();
    await start();
    expect(await query('gold', 'jobs')).toEqual([[{ __name__: 'jobs', job: 'a', squad: 'x' }, '7']]);
    expect(await query('silver', 'jobs')).toEqual([[{ __name__: 'jobs', job: 'a' }, '5']]);
    const retentionOf = async (tenant: string) => (await get(tenant, '/api/v1/status/runtimeinfo')).text;
    expect(await retentionOf('gold')).toContain('logs 2d');
    expect(await retentionOf('silver')).toContain('logs 14d');
  });
});

describe('a request is refused, and says why,', () => {
  it.each([
    [undefined, 401, 'no org id'],
    ['gold|silver', 400, 'several tenants'],
    ['../gold', 400, 'a name that no tenant can have'],
    ['..', 400, 'a name that no tenant can have'],
    ['bronze', 404, 'a tenant begins when it first writes'],
  ])('of %s', async (tenant, status, why) => {
    const answer = await get(tenant, '/api/v1/query', { query: 'up' });
    expect(answer).toEqual({ status, text: expect.stringContaining(why) });
    expect(JSON.parse(answer.text)).toMatchObject({ status: 'error' });
  });

  it('of one tenant too many', async () => {
    const answer = await write('bronze', { __name__: 'jobs' }, 1);
    expect(answer).toEqual({ status: 429, text: expect.stringContaining('tenants.max') });
    expect(fs.readdirSync(path.join(folder, 'data', 'tenants')).sort()).toEqual(['anonymous', 'gold', 'silver']);
  });

  it('but not where it is nobody’s', async () => {
    for (const route of ['/-/ready', '/-/healthy', '/ready', '/version', '/metrics']) {
      expect((await get(undefined, route)).status).toBe(200);
    }
  });
});
