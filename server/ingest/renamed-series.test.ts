import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGovernor } from '../govern/index.ts';
import { labelsFromRecord, printLabels } from '../model/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { encodeWriteRequest } from '../wire/index.ts';
import { MetricIngest, ScrapeIngest } from './index.ts';

const COUNTER = 'vllm:prompt_tokens_total';
const START_MS = 1_700_000_000_000;

let directory: string;
let store: Store;
let ingest: MetricIngest;

async function start(): Promise<void> {
  store = await openStore({ directory });
  ingest = await MetricIngest.open(store, createGovernor(), START_MS + 3_600_000);
}

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-renamed-'));
  await start();
});

afterEach(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Sends values at a step and gives what was stored of it, by series. */
async function send(step: number, values: readonly (readonly [Record<string, string>, number])[]) {
  const series = values.map(([labels]) => labelsFromRecord(labels));
  const sampleSeries = Uint32Array.from(values, (_, i) => i);
  const sampleTimestampMs = new Float64Array(values.length).fill(START_MS + step * 15_000);
  const sampleValue = Float64Array.from(values, ([, value]) => value);
  ingest.remoteWrite(Buffer.from(encodeWriteRequest({ series, sampleSeries, sampleTimestampMs, sampleValue })));
  return commit();
}

async function commit(): Promise<Record<string, number>> {
  const stored = new Map<number, number>();
  const { beforeCommit } = store.writer;
  store.writer.beforeCommit = () => {
    beforeCommit();
    const { samples } = store.writer.buffer;
    for (let i = 0; i < samples.count; i++) stored.set(samples.series[i], samples.values[i]);
  };
  await store.writer.commit();
  store.writer.beforeCommit = beforeCommit;
  const named = Array.from(stored, ([id, value]) => [printLabels(store.series.labels(id) ?? []), value]);
  return Object.fromEntries(named) as Record<string, number>;
}

const one = { __name__: COUNTER, instance: 'a', model_name: 'llama' };
const other = { __name__: COUNTER, instance: 'a', model: 'llama' };
const BOTH = `${COUNTER}{instance="a", model_version="llama"}`;

function of(stored: Record<string, number>): number[] {
  return Object.entries(stored)
    .filter(([name]) => name.includes(COUNTER) && !name.includes('fleet:'))
    .map(([, value]) => value);
}

describe('raw series that become equal by new names alone', () => {
  it('are added up where they are counters, whole from the second on', async () => {
    expect(of(await send(0, [[one, 100]]))).toEqual([100]);
    expect(of(await send(1, [[one, 110]]))).toEqual([110]);
    const first = await send(2, [
      [one, 120],
      [other, 7],
    ]);
    expect(of(first)).toEqual([127]);
    const next = await send(3, [
      [other, 9],
      [one, 130],
    ]);
    expect(of(next)).toEqual([139]);
    expect(Object.keys(next)).toEqual([BOTH]);
  });

  it('go on over a restart, whichever comes first', async () => {
    await send(0, [
      [one, 100],
      [other, 50],
    ]);
    await send(1, [
      [one, 110],
      [other, 51],
    ]);
    for (const [step, order] of [
      [2, [other, one]],
      [4, [one, other]],
    ] as const) {
      await store.close();
      await start();
      const value = (labels: typeof one | typeof other, at: number) => (labels === one ? 100 + at * 10 : 50 + at);
      for (const labels of order) await send(step, [[labels, value(labels, step)]]);
      const stored = await send(step + 1, [
        [one, value(one, step + 1)],
        [other, value(other, step + 1)],
      ]);
      expect(of(stored)).toEqual([150 + (step + 1) * 11]);
    }
  });

  it('are joined by the rule of their metric where they are gauges', async () => {
    const gauge = 'vllm:num_requests_waiting';
    const stored = await send(0, [
      [{ ...one, __name__: gauge }, 5],
      [{ ...other, __name__: gauge }, 3],
    ]);
    const again = await send(1, [
      [{ ...one, __name__: gauge }, 6],
      [{ ...other, __name__: gauge }, 4],
    ]);
    expect(Object.keys(stored).filter((name) => !name.includes('fleet:')).length).toBe(1);
    expect(Object.entries(again).find(([name]) => !name.includes('fleet:'))?.[1]).toBe(10);
  });

  it('are one where the same series comes over two protocols', async () => {
    expect(of(await send(0, [[one, 100]]))).toEqual([100]);
    const scrape = new ScrapeIngest(ingest);
    const route = scrape.open(labelsFromRecord(one), 'counter');
    const bits = new Uint32Array(Float64Array.of(105).buffer);
    scrape.sample(route, START_MS + 15_000, 105, bits[0], bits[1], 0);
    expect(of(await commit())).toEqual([105]);
  });
});
