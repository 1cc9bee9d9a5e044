// What governing costs of ingestion's CPU on clean data: remote write of a gateway's and its engines' series, governed and
// with a governor that keeps everything as it is, alternating in processes of their own; and what a leak costs a sample.
//   npm run bench govern-share             five rounds of 10,000 series × 120 scrapes
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createGovernor, type Governor } from '../server/govern/index.ts';
import { MetricIngest } from '../server/ingest/index.ts';
import { type Labels, labelsFromRecord } from '../server/model/index.ts';
import { openStore } from '../server/store/index.ts';
import { encodeWriteRequest } from '../server/wire/index.ts';
import { median } from './lab/peers.ts';

const [SERIES, SCRAPES, A_REQUEST] = [10_000, 120, 2_000];
type Way = 'governed' | 'passed' | 'leaking';

/** The governor that decides nothing: every series is kept under its own labels and has no fleet level. */
function passing(governor: Governor): Governor {
  const judgeSeries: Governor['judgeSeries'] = (labels) => ({ kind: 'keep', labels, fleet: undefined });
  return Object.create(governor, {
    judgeSeries: { value: judgeSeries },
    ruleByName: { value: () => undefined },
    countStored: { value: () => {} },
  }) as Governor;
}

/** Half of it is the contract's, which has a fleet level; the rest is what node and engine exporters say. */
function labelsOf(i: number, scrape: number, isLeak: boolean): Labels {
  const k = i >> 1;
  const own: Record<string, string> =
    i % 2 === 0
      ? {
          __name__: 'inference_requests_total',
          customer_tier: `tier-${Math.floor(k / 2500) % 2}`,
          deployment: `chat-${k % 50}`,
          model_version: `llama-3.1-${Math.floor(k / 50) % 10}b`,
          outcome: ['ok', 'error', 'timeout', 'refused', 'empty'][Math.floor(k / 500) % 5],
        }
      : { __name__: `engine_steps_${k % 20}_total`, deployment: `chat-${k % 50}`, replica: `r-${Math.floor(k / 20)}` };
  const request: Record<string, string> = isLeak
    ? { request_id: `req-${scrape}-${((i * 2_654_435_761) >>> 0).toString(16)}` }
    : {};
  return labelsFromRecord({ ...own, ...request, job: 'llm-gateway', region: `eu-${k % 4}` });
}

async function measure(way: Way): Promise<number> {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-share-'));
  const store = await openStore({ directory });
  const governor = createGovernor();
  const ingest = await MetricIngest.open(store, way === 'passed' ? passing(governor) : governor, Date.now());
  const startMs = Date.now() - SCRAPES * 15_000;
  let micros = 0;
  let samples = 0;
  for (let scrape = 0; scrape < SCRAPES; scrape++) {
    for (let from = 0; from < SERIES; from += A_REQUEST) {
      const series = Array.from({ length: A_REQUEST }, (_, i) => labelsOf(from + i, scrape, way === 'leaking'));
      const sampleSeries = Uint32Array.from(series, (_, i) => i);
      const sampleTimestampMs = new Float64Array(A_REQUEST).fill(startMs + scrape * 15_000);
      const sampleValue = Float64Array.from(sampleSeries, (i) => scrape * (1 + (i % 9)));
      const body = Buffer.from(encodeWriteRequest({ series, sampleSeries, sampleTimestampMs, sampleValue }));
      const cpu = process.cpuUsage();
      ingest.remoteWrite(body);
      await store.writer.commit();
      const { user, system } = process.cpuUsage(cpu);
      // The first scrapes judge, allocate and compile; a fleet sends the same series for days.
      if (scrape < 10) continue;
      micros += user + system;
      samples += A_REQUEST;
    }
  }
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
  return micros / samples;
}

const own = process.argv[2];
if (own === 'governed' || own === 'passed' || own === 'leaking') console.log(await measure(own));
else {
  const rounds = Number(own ?? 5);
  const found: Record<Way, number[]> = { governed: [], passed: [], leaking: [] };
  for (let round = 0; round < rounds; round++) {
    for (const way of ['governed', 'passed', 'leaking'] as const) {
      const { stdout } = spawnSync(process.execPath, [import.meta.filename, way], { encoding: 'utf8' });
      found[way].push(Number(stdout));
    }
  }
  const [governed, passed, leaking] = [median(found.governed), median(found.passed), median(found.leaking)];
  for (const way of ['governed', 'passed', 'leaking'] as const) {
    console.log(
      `${way.padEnd(9)} ${median(found[way]).toFixed(3)} µs CPU a sample (${found[way].map((n) => n.toFixed(2)).join(', ')})`,
    );
  }
  console.log(`governing is ${(100 * (1 - passed / governed)).toFixed(1)} % of ingestion on clean data`);
  console.log(`a leaking sample costs ${(leaking / governed).toFixed(1)} times a clean one`);
}
