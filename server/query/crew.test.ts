import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { labelsFromRecord } from '../model/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { type QueryPool, startQueryPool } from './index.ts';
import type { MetricQuery } from './metric-request.ts';

const SERIES = 700;
const SAMPLES = 300;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-crew-'));
let store: Store;
let one: QueryPool;
let three: QueryPool;

beforeAll(async () => {
  store = await openStore({ directory: folder });
  const ids = Array.from({ length: SERIES }, (_, i) =>
    store.series.resolve(labelsFromRecord({ __name__: 'tokens_total', pod: `pod-${i}`, model: `m-${i % 3}` })),
  );
  for (let k = 0; k < SAMPLES; k++) {
    for (const [i, id] of ids.entries()) store.writer.buffer.pushSample(id, 15_000 * k, k * (1 + i / 7));
  }
  await store.writer.commit();
  one = await startQueryPool(store, { threads: 1 });
  three = await startQueryPool(store, { threads: 3 });
});

afterAll(async () => {
  await one?.close();
  await three?.close();
  await store?.close();
  fs.rmSync(folder, { recursive: true, force: true });
});

function question(query: string): MetricQuery {
  const range = { startMs: 600_000, endMs: 15_000 * (SAMPLES - 1), stepMs: 15_000 };
  const rest = { lookbackMs: undefined, timeoutMs: undefined, limit: 0, statsSinceMs: undefined };
  return { kind: 'promql', query, ...range, ...rest };
}

async function ask(pool: QueryPool, query: string): Promise<string> {
  return Buffer.from((await pool.run(question(query))) as Uint8Array).toString();
}

const QUERIES = [
  'sum(rate(tokens_total[5m]))',
  'avg by (model) (rate(tokens_total[5m]))',
  'max by (pod) (tokens_total)',
  'sum by (model) (increase(tokens_total[2m])) / on (model) count by (model) (tokens_total)',
];

test('the same bits come, however many threads helped', async () => {
  for (const query of QUERIES) expect(await ask(three, query)).toBe(await ask(one, query));
});

test('with more queries than threads as well', async () => {
  const expected = await Promise.all(QUERIES.map((query) => ask(one, query)));
  const asked = Array.from({ length: 24 }, (_, i) => ask(three, QUERIES[i % QUERIES.length]));
  for (const [i, answer] of (await Promise.all(asked)).entries()) expect(answer).toBe(expected[i % QUERIES.length]);
});

test('a limit holds for what all threads read together', async () => {
  const limits = { maxSamples: (SERIES * SAMPLES) / 2 };
  const pool = await startQueryPool(store, { threads: 3, limits });
  try {
    await expect(ask(pool, QUERIES[0])).rejects.toMatchObject({ code: 'query_limit' });
    expect(pool.running).toBe(0);
  } finally {
    await pool.close();
  }
});

test('a cancelled query ends for all of them', async () => {
  const stop = new AbortController();
  const asked = three.run(question(QUERIES[1]), stop.signal);
  stop.abort();
  await expect(asked).rejects.toMatchObject({ code: 'cancelled' });
  expect(await ask(three, QUERIES[0])).toBe(await ask(one, QUERIES[0]));
});
