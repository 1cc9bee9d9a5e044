import fs from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

// The policy's file through the real program: what a reload changes, what it leaves, and that totals stay what they were.

const SECOND = 1000;
const START_MS = Math.floor(Date.now() / SECOND) * SECOND - 600 * SECOND;

let data: string;
let policy: string;
let program: Program;

beforeAll(async () => {
  data = temporaryDirectory();
  policy = path.join(data, 'policy.yaml');
  fs.writeFileSync(policy, 'labels: {team: {class: allowed}}\n');
  program = await startProgram(path.join(data, 'store'), ['--policy', policy]);
});

afterAll(async () => {
  await program?.stop();
  fs.rmSync(data, { recursive: true, force: true });
});

/** Writes one sample of each series at so many seconds after the start, by remote write. */
async function write(atSeconds: number, samples: readonly (readonly [Record<string, string>, number])[]) {
  const body = encodeWriteRequest({
    series: samples.map(([record]) => labelsFromRecord(record)),
    sampleSeries: Uint32Array.from(samples, (_, i) => i),
    sampleTimestampMs: Float64Array.from(samples, () => START_MS + atSeconds * SECOND),
    sampleValue: Float64Array.from(samples, ([, value]) => value),
  });
  const answer = await fetch(`${program.url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: Buffer.from(snappyCompress(body)),
  });
  return answer.status;
}

/** The same of cumulative sums by OTLP. */
async function writeOtlp(atSeconds: number, samples: readonly (readonly [Record<string, string>, number])[]) {
  const dataPoints = samples.map(([record, asDouble]) => ({
    timeUnixNano: `${START_MS + atSeconds * SECOND}000000`,
    asDouble,
    attributes: Object.entries(record).map(([key, stringValue]) => ({ key, value: { stringValue } })),
  }));
  const sum = { dataPoints, aggregationTemporality: 2, isMonotonic: true };
  const answer = await fetch(`${program.url}/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'otlp.jobs', sum }] }] }] }),
  });
  return answer.status;
}

/** The same of native histograms, by how much they counted. */
async function writeHistograms(atSeconds: number, samples: readonly (readonly [Record<string, string>, number])[]) {
  const dataPoints = samples.map(([record, count]) => ({
    timeUnixNano: `${START_MS + atSeconds * SECOND}000000`,
    count: String(count),
    sum: count,
    scale: 0,
    positive: { offset: 0, bucketCounts: [String(count)] },
    attributes: Object.entries(record).map(([key, stringValue]) => ({ key, value: { stringValue } })),
  }));
  const exponentialHistogram = { dataPoints, aggregationTemporality: 2 };
  const metrics = [{ name: 'otlp.waits', exponentialHistogram }];
  const answer = await fetch(`${program.url}/v1/metrics`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }),
  });
  return answer.status;
}

async function query(expr: string, atSeconds: number): Promise<Record<string, number>> {
  const answer = await ask(program, '/api/v1/query', { query: expr, time: String(START_MS / 1000 + atSeconds) });
  const out: Record<string, number> = {};
  for (const { metric, value } of answer.data.result) out[JSON.stringify(metric)] = Number(value[1]);
  return out;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${program.url}/metrics`)).text();
  return Number(
    text
      .split('\n')
      .find((line) => line.startsWith(`${name} `))
      ?.slice(name.length + 1),
  );
}

/** Changes the file and waits until the program has looked at it. */
async function change(text: string, what: 'ok' | 'failed'): Promise<void> {
  const counter = `barograph_govern_policy_reloads_total{result="${what}"}`;
  const before = await metric(counter);
  fs.writeFileSync(policy, text);
  process.kill(program.pid, 'SIGHUP');
  await expect.poll(() => metric(counter), { timeout: 10_000 }).toBeGreaterThan(before);
}

const shard = (name: string, i: number) => ({ __name__: name, team: 'a', shard: `s${i}` });
/** Two counters that stand at a thousand already. */
const both = (name: string, a: number, b: number) =>
  [
    [shard(name, 1), 1000 + a],
    [shard(name, 2), 1000 + b],
  ] as const;

describe('a policy that is read again', () => {
  it('adds up what it removes from then on, and counts nothing twice', async () => {
    for (const at of [0, 15, 30]) {
      expect(await write(at, both('app_jobs_total', at, at))).toBe(204);
      expect(await writeOtlp(at, both('otlp_jobs', at, at))).toBe(200);
      expect(await writeHistograms(at, both('otlp_waits', at, at))).toBe(200);
    }
    await change('labels: {team: {class: allowed}}\nprofiles: [{match: ["app_*", "otlp_*"], drop: [shard]}]\n', 'ok');
    for (const at of [45, 60]) {
      expect(await write(at, both('app_jobs_total', at, at))).toBe(204);
      expect(await writeOtlp(at, both('otlp_jobs', at, at))).toBe(200);
      expect(await writeHistograms(at, both('otlp_waits', at, at))).toBe(200);
    }
    expect(await query('histogram_count(otlp_waits)', 60)).toEqual({ '{"team":"a"}': 60 });
    for (const name of ['app_jobs_total', 'otlp_jobs_total']) {
      // What was stored as it is ended with its last sample, so a sum at one time has nothing twice.
      expect(await query(`count(${name}) by (shard)`, 60), name).toEqual({ '{}': 1 });
      expect(await query(`count(${name}) by (shard)`, 30), name).toEqual({ '{"shard":"s1"}': 1, '{"shard":"s2"}': 1 });
      // Both went up by 15 twice since then; the thousand that they stood at isn't an increase.
      expect(Object.values(await query(`${name}{shard=""}`, 60)), name).toEqual([60]);
    }
  });

  it('goes on in the other direction too', async () => {
    await change('labels: {team: {class: allowed}}\n', 'ok');
    expect(await write(75, both('app_jobs_total', 75, 75))).toBe(204);
    expect(Object.values(await query('app_jobs_total{shard!=""}', 75))).toEqual([1075, 1075]);
  });

  it('that is wrong changes nothing, and says so', async () => {
    await change('labels:\n  team: {class: wonderful}\n', 'failed');
    expect(await metric('barograph_govern_policy_up_to_date')).toBe(0);
    const { data } = await ask(program, '/api/barograph/v1/cardinality');
    expect(data.policy.error.message).toContain(
      `${policy}:2 › labels.team.class: got "wonderful", accepted is allowed`,
    );
    expect(program.output()).toContain('the one before stays in force');
    expect(await write(90, both('app_jobs_total', 90, 90))).toBe(204);
    expect(Object.values(await query('app_jobs_total{shard!=""}', 90))).toEqual([1090, 1090]);
    await change('labels: {team: {class: allowed}}\n', 'ok');
    expect(await metric('barograph_govern_policy_up_to_date')).toBe(1);
  });

  it('is seen without a signal', async () => {
    const before = await metric('barograph_govern_policy_generation');
    fs.writeFileSync(policy, 'relabel_configs: [{source_labels: [__name__], regex: noise_.*, action: drop}]\n');
    await expect.poll(() => metric('barograph_govern_policy_generation'), { timeout: 15_000 }).toBeGreaterThan(before);
    // What a rule leaves out is no error of the sender's.
    expect(
      await write(100, [[{ __name__: 'noise_total' }, 1] as const, [{ __name__: 'signal_total' }, 1] as const]),
    ).toBe(204);
    expect(await query('{__name__=~"noise_total|signal_total"}', 100)).toEqual({ '{"__name__":"signal_total"}': 1 });
  });
});

describe('the cardinality API', () => {
  it('tells what was offered, of whom, and what became of it', async () => {
    const leaking = Array.from({ length: 300 }, (_, i) => {
      return [{ __name__: 'leak_total', job: 'shop', request_id: `r-${i}`, region: `eu-${i % 4}` }, 1] as const;
    });
    expect(await write(110, leaking)).toBe(204);
    const { data } = await ask(program, '/api/barograph/v1/cardinality', { search: 'leak' });
    expect(data.metrics).toMatchObject([{ name: 'leak_total', stored: 4, leaking: 300 }]);
    expect(data.rules[0]).toMatchObject({ rule: 'request_id', label: 'request_id', action: 'removed', count: 300 });
    expect(data.senders[0]).toMatchObject({ source: 'remote_write', name: 'shop', leaking: 300 });
    const label = await ask(program, '/api/barograph/v1/cardinality/label', { name: 'region' });
    expect(label.data.top).toHaveLength(4);
    const one = await ask(program, '/api/barograph/v1/cardinality/metric', { name: 'leak_total' });
    expect(one.data.labels[0].name).toBe('request_id');
  });

  it.each([
    ['/cardinality', { limit: '5000' }, 'parameter limit: got 5000, accepted is 1 to 1000'],
    ['/cardinality', { growth: 'year' }, 'parameter growth: got "year", accepted is day or month'],
    ['/cardinality/metric', {}, 'parameter name: got nothing'],
    ['/cardinality/label', { name: 'nobody' }, 'parameter name: got "nobody", accepted is a label that was offered'],
  ])('%s refuses %j', async (route, params: Record<string, string>, message) => {
    expect((await ask(program, `/api/barograph/v1${route}`, params)).error).toContain(message);
  });

  it('shows the policy in force', async () => {
    const { data } = await ask(program, '/api/barograph/v1/policy');
    expect(data.policy.relabel_configs).toEqual([{ source_labels: ['__name__'], regex: 'noise_.*', action: 'drop' }]);
    expect(data.files).toEqual([policy]);
  });

  it('has queries say what was folded, and which conditions that breaks', async () => {
    const regions = Array.from({ length: 33 }, (_, i) => [{ __name__: 'cart_items', region: `z${i}` }, 1] as const);
    expect(await write(120, regions)).toBe(204);
    const time = String(START_MS / 1000 + 120);
    const all = await ask(program, '/api/v1/query', { query: 'sum(cart_items)', time });
    expect(all.warnings).toEqual([
      expect.stringMatching(/^PromQL warning: 3\.0 % of the samples .* folded into "other": region of cart_items$/),
    ]);
    const one = await ask(program, '/api/v1/query', { query: 'cart_items{region="z32"}', time });
    expect(one.warnings).toEqual([expect.stringContaining('conditions on region of cart_items')]);
    expect((await ask(program, '/api/v1/query', { query: 'signal_total', time })).warnings).toBeUndefined();
  });

  it('knows it after a restart', async () => {
    const before = (await ask(program, '/api/barograph/v1/cardinality', { search: 'leak' })).data;
    await program.stop();
    program = await startProgram(path.join(data, 'store'), ['--policy', policy]);
    const after = (await ask(program, '/api/barograph/v1/cardinality', { search: 'leak' })).data;
    expect(after.metrics).toEqual(before.metrics);
    expect([after.offered, after.stored, after.sinceMs]).toEqual([before.offered, before.stored, before.sinceMs]);
  });
});
