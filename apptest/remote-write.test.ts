import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { labelsFromRecord, type NativeHistogram } from '../server/model/index.ts';
import {
  encodeWriteRequest,
  encodeWriteRequestV2,
  snappyCompress,
  WRITE_V2_CONTENT_TYPE,
} from '../server/wire/index.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const run = promisify(execFile);
const SHARED = path.join(import.meta.dirname, '..', '..', 'shared');
/** On the grid of the fleet level, whose samples stand at the end of each 15 seconds. */
const START = Math.floor(Date.now() / 15_000) * 15_000 - 600_000;

let directory = '';
let program: Program;

beforeEach(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
});

afterEach(async () => {
  await program.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

interface Sample {
  readonly labels: Record<string, string>;
  readonly ms: number;
  readonly value: number;
}

function encode(samples: readonly Sample[]): Uint8Array {
  return encodeWriteRequest({
    series: samples.map((sample) => labelsFromRecord(sample.labels)),
    sampleSeries: Uint32Array.from(samples, (_, i) => i),
    sampleTimestampMs: Float64Array.from(samples, (sample) => sample.ms),
    sampleValue: Float64Array.from(samples, (sample) => sample.value),
  });
}

async function post(body: Uint8Array, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${program.url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy', ...headers },
    body: Buffer.from(body),
  });
}

const write = (samples: readonly Sample[]): Promise<Response> => post(snappyCompress(encode(samples)));

async function instant(query: string, ms: number): Promise<Record<string, number>> {
  const answer = await ask(program, '/api/v1/query', { query, time: String(ms / 1000) });
  expect(answer.status, answer.error).toBe('success');
  const result = answer.data.result as { metric: Record<string, string>; value: [number, string] }[];
  return Object.fromEntries(result.map(({ metric, value }) => [JSON.stringify(metric), Number(value[1])]));
}

describe('a leak of request IDs into a label', () => {
  it('keeps the total, makes no series, and is counted by rule and source', async () => {
    const labels = {
      __name__: 'inference_requests_total',
      deployment: 'gateway',
      model_version: 'llm-a-v1',
      outcome: 'ok',
    };
    for (let scrape = 0; scrape < 5; scrape++) {
      const samples: Sample[] = [];
      for (let i = 0; i < 100; i++) {
        samples.push({
          labels: { ...labels, request_id: `req-${scrape}-${i}` },
          ms: START + scrape * 15_000,
          value: 2,
        });
      }
      samples.push({ labels: { ...labels, outcome: 'error' }, ms: START + scrape * 15_000, value: scrape });
      expect((await write(samples)).status).toBe(204);
    }
    const at = START + 4 * 15_000;
    const found = await instant('inference_requests_total', at);
    expect(Object.values(found).sort((a, b) => a - b)).toEqual([4, 1000]);
    expect(Object.keys(found).join()).not.toContain('req-');
    const fleet = await instant('sum({__name__="fleet:inference_requests_total"})', at);
    expect(fleet['{}']).toBe(1004);
    const own = await (await fetch(`${program.url}/metrics`)).text();
    expect(own).toMatch(/barograph_govern_decisions_total\{[^}]*source="remote_write"[^}]*\} 500/);
    expect(own).not.toContain('req-');
  });
});

describe('bad input', () => {
  const good = [{ labels: { __name__: 'up', job: 'a' }, ms: START, value: 1 }];

  it.each([
    ['a truncated message', () => post(snappyCompress(encode(good).slice(0, -3))), 400],
    ['bytes that are not snappy', () => post(Uint8Array.of(255, 1, 2, 3, 4, 5, 6)), 400],
    ['an encoding that is not supported', () => post(encode(good), { 'content-encoding': 'br' }), 415],
    ['another content type', () => post(snappyCompress(encode(good)), { 'content-type': 'application/json' }), 415],
    ['a snappy block that claims 4 GiB', () => post(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0)), 413],
    ['a body over the limit', () => post(new Uint8Array(65 * 1024 * 1024)), 413],
    ['a series without a name', () => write([{ labels: { job: 'a' }, ms: START, value: 1 }]), 400],
  ])('%s is refused with a status and stores nothing', async (_name, send, status) => {
    const response = await send();
    expect(response.status).toBe(status);
    expect((await response.text()).length).toBeGreaterThan(10);
    expect(await instant('count({job!=""})', START)).toEqual({});
  });

  it('takes the good part of a request with a bad series', async () => {
    const response = await write([...good, { labels: { job: 'nameless' }, ms: START, value: 1 }]);
    expect(response.status).toBe(400);
    expect(await response.text()).toMatch(/1 of 2 samples refused/);
    expect(Object.values(await instant('up', START))).toEqual([1]);
  });

  it('answers queries that are wrong with a place', async () => {
    const answer = await ask(program, '/api/v1/query', { query: 'sum(up' });
    expect(answer).toMatchObject({ status: 'error', errorType: 'bad_data' });
    expect(answer.error).toMatch(/^invalid parameter "query": 1:\d+: parse error/);
  });
});

describe('remote write 2.0', () => {
  const histogram: NativeHistogram = {
    schema: 0,
    zeroThreshold: 1e-128,
    zeroCount: 0,
    count: 3,
    sum: 4.5,
    positiveIndices: Int32Array.of(0, 1),
    positiveCounts: Float64Array.of(1, 2),
    negativeIndices: new Int32Array(0),
    negativeCounts: new Float64Array(0),
    customValues: undefined,
    counterResetHint: 'unknown',
  };
  const written = (response: Response) =>
    ['samples', 'histograms', 'exemplars'].map((what) =>
      response.headers.get(`x-prometheus-remote-write-${what}-written`),
    );
  const writeV2 = (names: string[]) =>
    post(
      snappyCompress(
        encodeWriteRequestV2({
          series: names.map((name) => labelsFromRecord({ __name__: name, job: 'a', a: 'x', b: 'y' })),
          sampleSeries: Uint32Array.of(0),
          sampleTimestampMs: Float64Array.of(START),
          sampleValue: Float64Array.of(5),
          histograms: [{ series: 1, timestampMs: START, histogram }],
          exemplars: [{ series: 0, exemplar: { labels: ['trace_id', 'abc'], value: 1, timestampMs: START } }],
        }),
      ),
      { 'content-type': WRITE_V2_CONTENT_TYPE, 'x-prometheus-remote-write-version': '2.0.0' },
    );

  it('says what it has written, and the rest of a request with a bad series is written', async () => {
    const response = await writeV2(['v2_value', 'v2_histogram']);
    expect(response.status).toBe(204);
    expect(written(response)).toEqual(['1', '1', '1']);
    expect(Object.values(await instant('v2_value', START))).toEqual([5]);
    expect(Object.values(await instant('histogram_sum(v2_histogram)', START))).toEqual([4.5]);
    const partly = await writeV2(['v2_other', '']);
    expect(partly.status).toBe(400);
    expect(await partly.text()).toMatch(/1 series refused; series 1: no metric name/);
    expect(written(partly)).toEqual(['1', '0', '1']);
    expect(Object.values(await instant('v2_other', START))).toEqual([5]);
  });

  it('refuses another message with 415', async () => {
    const type = 'application/x-protobuf;proto=io.prometheus.write.v3.Request';
    expect((await post(snappyCompress(new Uint8Array(3)), { 'content-type': type })).status).toBe(415);
  });
});

describe('a real Prometheus', () => {
  const peers =
    process.env.BAROGRAPH_PEERS ?? path.join(import.meta.dirname, '..', 'node_modules', '.cache', 'barograph-peers');

  it.for([
    ['1.0', 'prometheus.WriteRequest'],
    ['2.0', 'io.prometheus.write.v2.Request'],
  ])('remote-writes %s in, and promtool reads back', { timeout: 180_000 }, async ([, message], context) => {
    if (!fs.existsSync(path.join(peers, 'usr', 'bin', 'prometheus'))) {
      const script = path.join(SHARED, 'lab', 'peers.sh');
      if (!fs.existsSync(script)) return context.skip('no Prometheus here, and nothing to unpack one with');
      try {
        fs.mkdirSync(peers, { recursive: true });
        await run('bash', [script, peers], { timeout: 120_000 });
      } catch {
        return context.skip('a Prometheus could not be unpacked here');
      }
    }
    const folder = temporaryDirectory();
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const config = `
global: {scrape_interval: 1s}
scrape_configs: [{job_name: self, scrape_protocols: [PrometheusProto], static_configs: [{targets: ['127.0.0.1:${port}']}]}]
remote_write:
  - url: '${program.url}/api/v1/write'
    protobuf_message: ${message}
    send_native_histograms: true
    queue_config: {batch_send_deadline: 1s}
`;
    fs.writeFileSync(path.join(folder, 'prometheus.yml'), config);
    const prometheus = spawn(path.join(peers, 'usr', 'bin', 'prometheus'), [
      `--config.file=${folder}/prometheus.yml`,
      `--storage.tsdb.path=${folder}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--enable-feature=native-histograms,metadata-wal-records',
    ]);
    try {
      const native = 'sum(histogram_count(prometheus_http_request_duration_seconds))';
      let observed = 0;
      for (let i = 0; i < 120 && observed === 0; i++) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        observed = Object.values(await instant(native, Date.now()))[0] ?? 0;
      }
      expect(observed).toBeGreaterThan(0);
      expect(Object.keys(await instant('prometheus_tsdb_head_series', Date.now()))).toHaveLength(1);
      const promtool = path.join(peers, 'usr', 'bin', 'promtool');
      const { stdout } = await run(promtool, ['query', 'instant', program.url, 'up{job="self"}']);
      expect(stdout).toMatch(/up\{.*job="self".*\} => 1 @/);
      const own = await (await fetch(`${program.url}/metrics`)).text();
      expect(own).not.toMatch(/barograph_receiver_requests_total\{[^}]*remote_write[^}]*status="(4|5)/);
    } finally {
      prometheus.kill('SIGKILL');
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});
