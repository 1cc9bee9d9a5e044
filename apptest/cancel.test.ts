import fs from 'node:fs';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { ask, type Program, startProgram, temporaryDirectory } from './program.ts';

const SERIES = 400;
const SAMPLES = 500;
const STEP_MS = 15_000;
const END_MS = Math.floor(Date.now() / STEP_MS) * STEP_MS;
const START_MS = END_MS - (SAMPLES - 1) * STEP_MS;

/** Runs for minutes where nothing stops it: windows of all samples, at 10,000 steps, of 400 series, sorted each time. */
const HEAVY = {
  query: 'quantile_over_time(0.5, load[2h])',
  start: String(START_MS / 1000),
  end: String(END_MS / 1000),
  step: '0.75',
};

let directory = '';
let program: Program;

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
  const series = Array.from({ length: SERIES }, (_, i) => labelsFromRecord({ __name__: 'load', job: `j${i}` }));
  const count = SERIES * SAMPLES;
  const body = encodeWriteRequest({
    series,
    sampleSeries: Uint32Array.from({ length: count }, (_, i) => i % SERIES),
    sampleTimestampMs: Float64Array.from({ length: count }, (_, i) => START_MS + Math.floor(i / SERIES) * STEP_MS),
    sampleValue: Float64Array.from({ length: count }, (_, i) => (i * 7919) % 1000),
  });
  const answer = await fetch(`${program.url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: Buffer.from(snappyCompress(body)),
  });
  expect(answer.status).toBe(204);
}, 60_000);

afterAll(async () => {
  await program.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Our own metrics, by name and labels. */
async function ownMetrics(): Promise<Map<string, number>> {
  const text = await (await fetch(`${program.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

async function until(holds: (metrics: Map<string, number>) => boolean, tries: number): Promise<Map<string, number>> {
  let metrics = await ownMetrics();
  for (let i = 0; i < tries && !holds(metrics); i++) {
    await delay(5);
    metrics = await ownMetrics();
  }
  return metrics;
}

const ended = (outcome: string): string => `barograph_query_requests_total{outcome="${outcome}"}`;

describe('a query that nobody waits for', () => {
  it('ends when its client goes away, and those that wait for a thread never begin', async () => {
    const agent = new http.Agent({ maxSockets: 50 });
    const requests = Array.from({ length: 50 }, () => {
      const request = http.get(`${program.url}/api/v1/query_range?${new URLSearchParams(HEAVY)}`, { agent });
      request.on('error', () => {});
      return request;
    });
    const busy = await until((m) => m.get('barograph_query_pending') === 50, 2000);
    expect(busy.get('barograph_query_pending')).toBe(50);
    expect(busy.get('barograph_query_running')).toBeGreaterThan(0);
    const abortedMs = performance.now();
    for (const request of requests) request.destroy();
    const idle = await until((m) => m.get('barograph_query_pending') === 0, 2000);
    console.log(`50 heavy queries aborted: threads idle after ${(performance.now() - abortedMs).toFixed(0)} ms`);
    expect(idle.get('barograph_query_pending')).toBe(0);
    expect(idle.get(ended('cancelled'))).toBe(50);
    expect(idle.get(ended('answered'))).toBe(0);
    // The threads still answer.
    const answer = await ask(program, '/api/v1/query', { query: 'count(load)', time: String(END_MS / 1000) });
    expect(answer.data.result[0].value[1]).toBe(String(SERIES));
  }, 60_000);

  it('ends when its time is up, as Prometheus tells it', async () => {
    const response = await fetch(`${program.url}/api/v1/query_range`, {
      method: 'POST',
      body: new URLSearchParams({ ...HEAVY, timeout: '50ms' }),
    });
    expect(response.status).toBe(503);
    const answer = (await response.json()) as { errorType: string; error: string };
    expect(answer.errorType).toBe('timeout');
    expect(answer.error).toMatch(/^query timed out in expression evaluation: got more than 50 ms/);
    const idle = await until((m) => m.get('barograph_query_pending') === 0, 2000);
    expect(idle.get(ended('timeout'))).toBe(1);
  }, 60_000);
});
