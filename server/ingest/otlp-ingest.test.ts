import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createGovernor } from '../govern/index.ts';
import { createMatcher, labelValue } from '../model/index.ts';
import { openStore, type Store } from '../store/index.ts';
import { LogIngest, MetricIngest, type OtlpSignal, type OtlpWays, TraceIngest, takeOtlp } from './index.ts';

let directory = '';
let store: Store;
let ways: OtlpWays;

const START_MS = Date.now() - 600_000;

async function open(): Promise<void> {
  store = await openStore({ directory });
  const governor = createGovernor();
  ways = {
    metrics: await MetricIngest.open(store, governor, Date.now()),
    logs: new LogIngest(store, governor),
    traces: new TraceIngest(store, governor),
  };
}

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-otlp-'));
  await open();
});

afterEach(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Takes an export in JSON and commits it. */
async function send(signal: OtlpSignal, body: object) {
  const outcome = takeOtlp(ways, signal, Buffer.from(JSON.stringify(body)), 'json');
  await store.writer.commit();
  return outcome;
}

interface Point {
  readonly attributes?: Record<string, string>;
  readonly atMs: number;
  readonly startMs?: number;
  readonly value: number;
}

/** An export of one sum. */
function sum(name: string, temporality: 1 | 2, points: readonly Point[], isMonotonic = true): object {
  const dataPoints = points.map(({ attributes = {}, atMs, startMs = 0, value }) => ({
    attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
    timeUnixNano: `${atMs}000000`,
    startTimeUnixNano: `${startMs}000000`,
    asDouble: value,
  }));
  const metrics = [{ name, sum: { aggregationTemporality: temporality, isMonotonic, dataPoints } }];
  return { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] };
}

/** The series of a metric: values by time. */
async function read(metric: string): Promise<{ labels: readonly string[]; values: number[] }[]> {
  const found = await store.readers().metrics.select({
    matchers: [createMatcher('__name__', '=', metric)],
    startMs: 0,
    endMs: Number.MAX_SAFE_INTEGER,
  });
  return found.map(({ labels, values }) => ({ labels, values: [...values] }));
}

describe('metrics with a leak', () => {
  it('become one series whose total is the sum, with no trace of the leak', async () => {
    const points = Array.from({ length: 50 }, (_, i) => ({
      attributes: { kind: 'a', request_id: randomUUID() },
      atMs: START_MS + i,
      value: 2,
    }));
    expect(await send('metrics', sum('shop.orders', 2, points))).toMatchObject({ accepted: 50, rejected: 0 });
    // The same series again, each a little higher.
    const later = points.map((point) => ({ ...point, atMs: START_MS + 60_000, value: 3 }));
    await send('metrics', sum('shop.orders', 2, later));
    const found = await read('shop_orders_total');
    expect(found).toHaveLength(1);
    expect(found[0].values.at(-1)).toBe(150);
    expect(labelValue(found[0].labels, 'request_id')).toBe('');
  });

  it('count a restart of the sender by its start time, where values alone would not show it', async () => {
    const attributes = { request_id: 'f47ac10b-58cc-4372-a567-0e02b2c3d479' };
    const at = (seconds: number, startMs: number, value: number) =>
      send('metrics', sum('shop.orders', 2, [{ attributes, atMs: START_MS + seconds * 1000, startMs, value }]));
    await at(0, START_MS - 1000, 5);
    await at(10, START_MS + 5000, 7);
    const [{ values }] = await read('shop_orders_total');
    expect(values.at(-1)).toBe(12);
  });
});

describe('delta temporality', () => {
  it('adds up, also over a restart of the program', async () => {
    const at = (seconds: number, value: number) =>
      send('metrics', sum('shop.orders', 1, [{ attributes: { kind: 'a' }, atMs: START_MS + seconds * 1000, value }]));
    await at(0, 5);
    await at(10, 2);
    await store.close();
    await open();
    await at(20, 3);
    const [{ values }] = await read('shop_orders_total');
    expect(values).toEqual([5, 7, 10]);
  });

  it('is refused, point by point, for what is no counter', async () => {
    const body = sum('shop.open', 1, [{ atMs: START_MS, value: 1 }], false);
    const outcome = await send('metrics', body);
    expect(outcome).toMatchObject({ accepted: 0, rejected: 1 });
    expect(outcome.reason).toMatch(/delta/);
    expect(await read('shop_open')).toEqual([]);
  });
});

describe('native histograms', () => {
  /** Observations of 1.5 so far, by sender. */
  const histograms = (name: string, counts: Readonly<Record<string, number>>, seconds: number, leaks: boolean) => {
    const dataPoints = Object.entries(counts).map(([sender, count]) => ({
      attributes: [
        { key: leaks ? 'request_id' : 'model_version', value: { stringValue: sender } },
        { key: 'deployment', value: { stringValue: 'chat' } },
      ],
      timeUnixNano: `${START_MS + seconds * 1000}000000`,
      count,
      sum: 1.5 * count,
      scale: 0,
      positive: { offset: 0, bucketCounts: [count] },
    }));
    const metrics = [{ name, unit: 's', exponentialHistogram: { aggregationTemporality: 2, dataPoints } }];
    return send('metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] });
  };
  const totals = async (metric: string): Promise<number[][]> => {
    const found = await store.readers().metrics.select({
      matchers: [createMatcher('__name__', '=', metric)],
      startMs: 0,
      endMs: Number.MAX_SAFE_INTEGER,
    });
    return found.map(({ histograms: all }) => (all ?? []).map((one) => one?.count ?? -1));
  };

  it('whose leak was removed go on from their total after a restart', async () => {
    await histograms('shop.wait', { r1: 4, r2: 6 }, 0, true);
    await histograms('shop.wait', { r1: 5, r2: 6 }, 10, true);
    await store.close();
    await open();
    await histograms('shop.wait', { r1: 7, r2: 6, r3: 1 }, 20, true);
    expect(await totals('shop_wait_seconds')).toEqual([[10, 11, 14]]);
  });

  it('feed the fleet level, also after a restart', async () => {
    await histograms('inference.ttft', { m1: 4, m2: 6 }, 0, false);
    await store.close();
    await open();
    await histograms('inference.ttft', { m1: 5, m2: 9 }, 30, false);
    expect((await totals('inference_ttft_seconds')).sort()).toEqual([
      [4, 5],
      [6, 9],
    ]);
    const fleet = await totals('fleet:inference_ttft_seconds');
    expect(fleet.map((counts) => counts.at(-1))).toEqual([14]);
  });
});

it('feeds the fleet level from series of several models', async () => {
  const point = (model: string, value: number, seconds: number): Point => ({
    attributes: { model, service: 'chat', outcome: 'success' },
    atMs: START_MS + seconds * 1000,
    value,
  });
  await send('metrics', sum('inference.requests', 2, [point('m1', 4, 0), point('m2', 6, 0)]));
  await send('metrics', sum('inference.requests', 2, [point('m1', 5, 15), point('m2', 8, 15)]));
  const fleet = await read('fleet:inference_requests_total');
  const total = fleet.reduce((all, { values }) => all + (values.at(-1) as number), 0);
  expect(total).toBe(13);
});

it('gives a log record without a time the time of its arrival', async () => {
  const before = BigInt(Date.now()) * 1_000_000n;
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'gateway' } }] };
  const scopeLogs = [{ logRecords: [{ body: { stringValue: 'ready' } }] }];
  expect(await send('logs', { resourceLogs: [{ resource, scopeLogs }] })).toMatchObject({ accepted: 1 });
  const request = { matchers: [createMatcher('deployment', '=', 'gateway')], contains: [], expectedLines: 0 };
  const times: bigint[] = [];
  for await (const batch of store
    .readers()
    .logs.select({ ...request, startNs: before, endNs: before + 60_000_000_000n, direction: 'forward' })) {
    times.push(...batch.timestampsNs);
  }
  expect(times).toHaveLength(1);
});

it('takes nothing of a body that is malformed at its end', async () => {
  const body = JSON.stringify(sum('shop.orders', 2, [{ atMs: START_MS, value: 1 }])).slice(0, -1);
  expect(() => takeOtlp(ways, 'metrics', Buffer.from(body), 'json')).toThrow(/ExportMetricsServiceRequest/);
  await store.writer.commit();
  expect(await read('shop_orders_total')).toEqual([]);
});
