import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const DAY = 86_400_000;
/** On the quarter minute, where the fleet level has its samples. */
const NOW = Math.floor(Date.now() / 60_000) * 60_000 - 120_000;
const AGES = [0.01, 6, 10, 20, 50];

let directory = '';
let program: Program;

async function start(retention: string): Promise<void> {
  const config = path.join(directory, 'barograph.yaml');
  fs.writeFileSync(config, retention);
  program = await startProgram(path.join(directory, 'data'), [
    ...['--config', config, '--otlp-http-port', '0', '--otlp-grpc-port', '0'],
  ]);
}

beforeAll(async () => {
  directory = temporaryDirectory();
  await start('retention: {interval: 1h}\n');
  for (const age of [...AGES].reverse()) await write(NOW - age * DAY);
});

afterAll(async () => {
  await program.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

async function post(route: string, type: string, body: Uint8Array | string, encoding?: string): Promise<void> {
  const headers = { 'content-type': type, ...(encoding && { 'content-encoding': encoding }) };
  const response = await fetch(`${program.url}${route}`, { method: 'POST', headers, body: body as never });
  expect(response.ok, `${route}: ${response.status} ${await response.text()}`).toBe(true);
}

/** One sample of each level, one line and one span at a time. */
async function write(timeMs: number): Promise<void> {
  const request = encodeWriteRequest({
    series: [labelsFromRecord({ __name__: 'inference_requests_total', deployment: 'd', outcome: 'ok' })],
    sampleSeries: Uint32Array.of(0),
    sampleTimestampMs: Float64Array.of(timeMs),
    sampleValue: Float64Array.of(timeMs / 1000),
  });
  await post('/api/v1/write', 'application/x-protobuf', new Uint8Array(snappyCompress(request)), 'snappy');
  const values = [[`${BigInt(timeMs) * 1_000_000n}`, 'event=kept']];
  await post('/loki/api/v1/push', 'application/json', JSON.stringify({ streams: [{ stream: { job: 'j' }, values }] }));
  const startNs = BigInt(timeMs) * 1_000_000n;
  const span = { spanId: '0000000000000001', name: 'model_inference', startTimeUnixNano: String(startNs) };
  const spans = [{ ...span, traceId: traceIdAt(timeMs), endTimeUnixNano: String(startNs + 1000n) }];
  await post('/v1/traces', 'application/json', JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }));
}

const traceIdAt = (timeMs: number): string => timeMs.toString(16).padStart(32, '0');

/** The ages, in days, of what queries find of each signal. */
async function found() {
  const range = { start: String((NOW - 100 * DAY) / 1000), end: String(NOW / 1000) };
  const ages = (times: number[]): number[] =>
    times.map((time) => Math.round((NOW - time * 1000) / DAY)).sort((a, b) => a - b);
  const samples = async (metric: string): Promise<number[]> => {
    const { data } = await ask(program, '/api/v1/query', { query: `${metric}[100d]`, time: range.end });
    const values = (data.result as { values: [number, string][] }[]).flatMap((series) => series.values);
    return ages(values.map(([time]) => time));
  };
  const logs = await ask(program, '/loki/api/v1/query_range', { query: '{job="j"}', limit: '100', ...range });
  const lines = (logs.data.result as { values: [string, string][] }[]).flatMap((stream) => stream.values);
  const traces: number[] = [];
  for (const age of AGES) {
    const response = await fetch(`${program.url}/api/traces/${traceIdAt(NOW - age * DAY)}`);
    await response.text();
    if (response.status === 200) traces.push(Math.round(age));
  }
  return {
    fleet: await samples('fleet:inference_requests_total'),
    perModel: await samples('inference_requests_total'),
    logs: ages(lines.map(([ns]) => Number(BigInt(ns) / 1_000_000n) / 1000)),
    traces,
  };
}

interface Retention {
  readonly signals: { readonly signal: string; readonly oldest: string | null; readonly removed: number }[];
  readonly lastRun: string;
}

async function run(): Promise<Retention> {
  const response = await fetch(`${program.url}/api/barograph/v1/retention/run`, { method: 'POST' });
  expect(response.status).toBe(200);
  return ((await response.json()) as { data: Retention }).data;
}

const EXPECTED = { fleet: [0, 6, 10, 20, 50], perModel: [0, 6, 10, 20], logs: [0, 6, 10], traces: [0, 6] };

describe('what is older than its signal is kept', () => {
  it('is not seen, whether it was removed or not', async () => {
    expect(await found()).toEqual(EXPECTED);
  });

  it('is removed by a run, told in the answer and in the metrics', async () => {
    const { signals, lastRun } = await run();
    expect(Date.parse(lastRun)).toBeGreaterThan(NOW);
    const removed = Object.fromEntries(signals.map((one) => [one.signal, one.removed]));
    expect([removed.logs, removed.traces]).toEqual([2, 3]);
    expect(await found()).toEqual(EXPECTED);
    const metrics = await (await fetch(`${program.url}/metrics`)).text();
    expect(metrics).toMatch(/barograph_retention_removed_total\{signal="traces"\} 3/);
    expect(metrics).toMatch(/barograph_retention_runs_total\{result="failed"\} 0/);
    expect(metrics).toMatch(/barograph_disk_low 0/);
  });

  it('is gone after a crash and with a longer retention as well, where it was removed', async () => {
    await program.kill();
    await start('retention: {interval: 1h, logs: {age: forever}, traces: {age: forever}, per_model: {age: 300d}}\n');
    // Samples of an open segment go with its sealing, so only those of the tables are gone for good.
    expect(await found()).toMatchObject({ logs: EXPECTED.logs, traces: EXPECTED.traces });
  });

  it('is said in runtimeinfo and in the flags', async () => {
    const { storageRetention } = (await ask(program, '/api/v1/status/runtimeinfo')).data;
    expect(storageRetention).toContain('fleet 396d, per_model 300d');
    expect(storageRetention).toContain('logs forever');
    const flags = (await ask(program, '/api/v1/status/flags')).data;
    expect(flags['retention.exemplars.age']).toBe('7d');
  });
});

it('a wrong setting is refused with its line', async () => {
  const config = path.join(directory, 'wrong.yaml');
  fs.writeFileSync(config, 'retention:\n  logs:\n    age: 10 days\n');
  await expect(startProgram(path.join(directory, 'other'), ['--config', config])).rejects.toThrow(
    /wrong\.yaml:3 › retention\.logs\.age.*such as 5m/,
  );
});

/** A small disk of its own, or `undefined` where this machine doesn't let a test have one. */
function mountSmallDisk(): string | undefined {
  const place = temporaryDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', place], { stdio: 'ignore' });
    return place;
  } catch {
    fs.rmSync(place, { recursive: true });
    return undefined;
  }
}

describe('a disk that fills up', () => {
  /** Of 100 series 200 samples each, all of the value `at`; resolves with the status. */
  const write = async (target: Program, at: number): Promise<number> => {
    const body = encodeWriteRequest({
      series: Array.from({ length: 100 }, (_, i) => labelsFromRecord({ __name__: 'full_value', i: `n${i}` })),
      sampleSeries: Uint32Array.from({ length: 20_000 }, (_, i) => i % 100),
      sampleTimestampMs: Float64Array.from({ length: 20_000 }, (_, i) => NOW + at * 200 + Math.floor(i / 100)),
      sampleValue: new Float64Array(20_000).fill(at),
    });
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
    const init = { method: 'POST', headers, body: new Uint8Array(snappyCompress(body)) };
    const response = await fetch(`${target.url}/api/v1/write`, init);
    await response.text();
    if (response.status === 503) expect(response.headers.get('retry-after')).toBe('5');
    return response.status;
  };

  it('refuses writes before anything breaks, keeps what it took, and goes on once there is space', async (context) => {
    const disk = mountSmallDisk();
    if (disk === undefined) return context.skip('this machine mounts no tmpfs for a test');
    const config = path.join(directory, 'small.yaml');
    // A limit of one byte lets the disk run full for good.
    fs.writeFileSync(config, 'retention: {min_free: 1B}\n');
    const ports = ['--otlp-http-port', '0', '--otlp-grpc-port', '0'];
    let small = await startProgram(path.join(disk, 'data'), ['--config', config, ...ports]);
    try {
      fs.writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(20 * 2 ** 20));
      const taken: number[] = [];
      let refused = 0;
      for (let at = 0; at < 400 && refused < 5; at++) {
        if ((await write(small, at)) === 204) taken.push(at);
        else refused++;
      }
      expect(refused).toBe(5);
      expect(taken.length).toBeGreaterThan(20);
      const times = async (): Promise<number[]> => {
        const query = 'full_value{i="n7"}[10m]';
        const { data, error } = await ask(small, '/api/v1/query', { query, time: String((NOW + 400_000) / 1000) });
        expect(error).toBeUndefined();
        const values = (data.result[0].values as [number, string][]).map(([, value]) => Number(value));
        expect(values.length % 200).toBe(0);
        return [...new Set(values)];
      };
      expect(await times()).toEqual(taken);
      fs.rmSync(path.join(disk, 'ballast'));
      // What it says meanwhile is not about content, and the next write is taken at the latest after some tries.
      let status = 0;
      for (let i = 0; i < 20 && status !== 204; i++) {
        status = await write(small, 1000);
        if (status !== 204) await new Promise((resolve) => setTimeout(resolve, 500));
      }
      expect(status).toBe(204);
      expect(await times()).toEqual([...taken, 1000]);
      await small.kill();
      small = await startProgram(path.join(disk, 'data'), ['--config', config, ...ports]);
      expect(await times()).toEqual([...taken, 1000]);
      await small.stop();
      // With the limit that holds by default on such a disk, 5 %, writes end before that.
      fs.writeFileSync(config, 'retention: {}\n');
      small = await startProgram(path.join(disk, 'data'), ['--config', config, ...ports]);
      const { bavail, bsize } = fs.statfsSync(disk);
      fs.writeFileSync(path.join(disk, 'ballast'), Buffer.alloc(bavail * bsize - 2 ** 20));
      await new Promise((resolve) => setTimeout(resolve, 2500));
      expect(await write(small, 2000)).toBe(503);
      expect(await times()).toEqual([...taken, 1000]);
      expect(await (await fetch(`${small.url}/metrics`)).text()).toMatch(/barograph_disk_low 1/);
      expect(small.output()).not.toContain('full_value');
    } finally {
      await small.stop();
      execFileSync('umount', [disk]);
      fs.rmSync(disk, { recursive: true });
    }
  }, 120_000);
});
