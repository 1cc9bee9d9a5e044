import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createMatcher,
  type Labels,
  labelsFromRecord,
  type Matcher,
  msToNs,
  type NativeHistogram,
  type Span,
} from '../../model/index.ts';
import { openStore, type Store, type StoreOptions } from '../store.ts';
import { retentionSchema } from './settings.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 1);

let directory = '';
let store: Store;
/** The moved clock. */
let now = START;
let freeBytes = 1e12;

const open = async (retention: object = {}, rest: Partial<StoreOptions> = {}): Promise<void> => {
  store = await openStore({
    directory,
    samples: { segmentSlots: 2048, removalDelayMs: 0 },
    retention: retentionSchema.parse(retention),
    upkeep: { nowMs: () => now, space: async () => ({ freeBytes, totalBytes: 2e12 }) },
    ...rest,
  });
};

beforeEach(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-retention-'));
  now = START;
  freeBytes = 1e12;
});

afterEach(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

const series = (record: Record<string, string>): number => store.series.resolve(labelsFromRecord(record));
const named = (metric: string): Matcher[] => [createMatcher('__name__', '=', metric)];
const FOREVER = { startMs: -1e15, endMs: 1e15 };

/** Times of the samples of a metric, days after the start. */
async function days(metric: string): Promise<number[]> {
  const found = await store.readers().metrics.select({ matchers: named(metric), ...FOREVER });
  return [...new Set(found.flatMap(({ timestamps }) => [...timestamps].map((t) => Math.floor((t - START) / DAY))))];
}

/** Writes some samples an hour of both levels, through whole days, and seals what is full. */
async function writeDays(from: number, to: number, perHour = 10): Promise<void> {
  const fleet = series({ __name__: 'fleet:inference_requests_total' });
  const ids = Array.from({ length: 4 }, (_, i) => series({ __name__: 'inference_requests_total', i: String(i) }));
  for (let hour = from * 24; hour < to * 24; hour++) {
    for (let i = 0; i < perHour; i++) {
      const time = START + hour * HOUR + i * 60_000;
      store.writer.buffer.pushSample(fleet, time, hour);
      for (const id of ids) store.writer.buffer.pushSample(id, time, hour + i);
    }
    if (hour % 8 === 7) await store.writer.commit();
  }
}

const filesOf = (ending: string): string[] =>
  fs.readdirSync(path.join(directory, 'samples')).filter((name) => name.endsWith(ending));

const histogram: NativeHistogram = {
  schema: 0,
  zeroThreshold: 0,
  zeroCount: 0,
  count: 1,
  sum: 1,
  positiveIndices: Int32Array.of(1),
  positiveCounts: Float64Array.of(1),
  negativeIndices: new Int32Array(0),
  negativeCounts: new Float64Array(0),
  customValues: undefined,
  counterResetHint: 'unknown',
};

function span(startMs: number, id: number): Span {
  return {
    traceId: id.toString(16).padStart(32, '0'),
    spanId: id.toString(16).padStart(16, '0'),
    parentSpanId: '',
    traceState: '',
    name: 'model_inference',
    kind: 'server',
    startNs: msToNs(startMs),
    durationNs: 1000n,
    status: 'ok',
    statusMessage: '',
    serviceName: 's',
    resource: {},
    scopeName: '',
    scopeVersion: '',
    attributes: {},
    events: [],
    links: [],
  };
}

async function logDays(): Promise<number[]> {
  const out: number[] = [];
  const matchers = [createMatcher('job', '=', 'j')];
  const request = {
    matchers,
    startNs: 0n,
    endNs: 1n << 62n,
    contains: [],
    direction: 'forward',
    expectedLines: 0,
  } as const;
  for await (const { timestampsNs } of store.readers().logs.select(request)) {
    for (const ns of timestampsNs) out.push(Math.floor((Number(ns / 1_000_000n) - START) / DAY));
  }
  return out;
}

async function spanDays(): Promise<number[]> {
  const out: number[] = [];
  for await (const spans of store.readers().traces.spans({ startNs: 0n, endNs: 1n << 62n, conditions: [] })) {
    for (const { startNs } of spans) out.push(Math.floor((Number(startNs / 1_000_000n) - START) / DAY));
  }
  return out.sort((a, b) => a - b);
}

describe('samples', () => {
  it('go by level and age, from sight at once, from the disk with their block, and the fleet level stays', async () => {
    await open({ per_model: { age: '5d' }, fleet: { age: '15d' } });
    await writeDays(0, 12);
    const before = store.sampleStats();
    now = START + 12 * DAY;
    await store.upkeep.retention.run();
    expect(await days('inference_requests_total')).toEqual([7, 8, 9, 10, 11]);
    expect(await days('fleet:inference_requests_total')).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    const after = store.sampleStats();
    expect(after.trimmed).toBeGreaterThan(2);
    expect(after.sealedBytes).toBeLessThan(before.sealedBytes);
    expect(after.expired.per_model).toBeGreaterThan(3000);
    expect(after.expired.fleet).toBe(0);
    // A day after the floor at the latest nothing of it is on the disk.
    const { oldestMs } = store.upkeep.retention.status.sizes.per_model;
    expect(oldestMs).toBeGreaterThanOrEqual(START + 6 * DAY);
    now = START + 40 * DAY;
    await store.upkeep.retention.run();
    expect(await days('fleet:inference_requests_total')).toEqual([]);
    expect(store.sampleStats().blocks).toBe(0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(filesOf('.block')).toEqual([]);
  });

  it('that are still in memory are not seen, and are left out when they are sealed', async () => {
    await open({ per_model: { age: '1d' } }, { samples: { segmentSlots: 1 << 20, removalDelayMs: 0 } });
    await writeDays(0, 3);
    now = START + 3 * DAY;
    await store.upkeep.retention.run();
    expect(await days('inference_requests_total')).toEqual([2]);
    await store.deleteSeries([named('nothing_of_this')], 0, 1);
    await store.deleteSeries([named('fleet:inference_requests_total')], START, START);
    await store.upkeep.retention.run();
    expect(store.sampleStats().sealedSamples).toBeLessThan(72 * 10 + 25 * 40);
    expect(await days('inference_requests_total')).toEqual([2]);
  });

  it('of blocks that a crash left behind are removed by the next run', async () => {
    await open({ per_model: { age: '5d' } });
    await writeDays(0, 10);
    await store.upkeep.retention.run();
    await store.close();
    const blocks = filesOf('.block').map((name) => path.join(directory, 'samples', name));
    const copies = blocks.map((file) => fs.readFileSync(file));
    now = START + 500 * DAY;
    await open({ per_model: { age: '5d' } });
    expect(await days('inference_requests_total')).toEqual([]);
    await store.upkeep.retention.run();
    await store.close();
    expect(filesOf('.block')).toEqual([]);
    // The files come back, as if they had not been removed before the crash.
    for (const [i, file] of blocks.entries()) fs.writeFileSync(file, copies[i]);
    await open({ per_model: { age: '5d' } });
    expect(await days('inference_requests_total')).toEqual([]);
    await store.upkeep.retention.run();
    await store.close();
    expect(filesOf('.block')).toEqual([]);
    await open();
  });

  it('are read to the end by a query that holds their block', async () => {
    await open({ per_model: { age: '5d' } });
    await writeDays(0, 3);
    const readers = store.readers();
    await readers.metrics.select({ matchers: named('inference_requests_total'), ...FOREVER });
    const held = store.readers();
    const [first] = await held.metrics.select({ matchers: named('inference_requests_total'), ...FOREVER });
    now = START + 100 * DAY;
    await store.upkeep.retention.run();
    expect(first.timestamps).toHaveLength(720);
    expect(await readers.metrics.select({ matchers: named('inference_requests_total'), ...FOREVER })).toEqual([]);
  });

  it('over a size lose their oldest blocks, the fleet level last', async () => {
    await open({ per_model: { age: '90d' } });
    await writeDays(0, 20, 40);
    now = START + 20 * DAY;
    await store.upkeep.retention.run();
    const { per_model: full } = store.upkeep.retention.status.sizes;
    await store.close();
    await open({ per_model: { age: '90d', max_size: `${Math.floor(full.bytes / 2)}B` } });
    await store.upkeep.retention.run();
    const left = await days('inference_requests_total');
    expect(left.at(-1)).toBe(19);
    expect(left.length).toBeGreaterThan(6);
    expect(left.length).toBeLessThan(13);
    expect(store.upkeep.retention.status.sizes.per_model.bytes).toBeLessThanOrEqual(full.bytes / 2);
    expect(await days('fleet:inference_requests_total')).toHaveLength(20);
    await store.upkeep.retention.run();
    expect(await days('inference_requests_total')).toEqual(left);
  });
});

describe('rows of tables', () => {
  async function writeRows(): Promise<void> {
    const stream = store.streams.resolve(labelsFromRecord({ job: 'j' }));
    const plain = series({ __name__: 'latency' });
    const fleet = series({ __name__: 'fleet:latency' });
    const labels: Labels = ['trace_id', 'a'];
    for (let day = 0; day < 40; day++) {
      const time = START + day * DAY + HOUR;
      const { buffer } = store.writer;
      buffer.pushLog(stream, { timestampNs: msToNs(time), line: `line ${day}`, metadata: [] } as never);
      buffer.pushSpan(span(time, day + 1));
      buffer.pushHistogram(plain, time, histogram);
      buffer.pushHistogram(fleet, time, histogram);
      buffer.pushExemplar(plain, { timestampMs: time, value: 1, labels });
    }
    await store.writer.commit();
  }

  it('go by signal and age, and those of the fleet level stay', async () => {
    await open();
    await writeRows();
    now = START + 40 * DAY;
    const range = (from: number, to = 40): number[] => Array.from({ length: to - from }, (_, i) => from + i);
    const look = async () => ({
      logs: await logDays(),
      spans: await spanDays(),
      plain: await days('latency'),
      fleet: await days('fleet:latency'),
      exemplars: (await store.readers().metrics.exemplars({ matchers: named('latency'), ...FOREVER }))[0]?.exemplars
        .length,
      trace: (await store.readers().traces.trace('1'.padStart(32, '0'), { spansPerTrace: 9, textPerTrace: 1e6 }))
        .length,
    });
    const expected = { logs: range(26), spans: range(33), plain: range(10), fleet: range(0), exemplars: 7, trace: 0 };
    await store.upkeep.retention.run();
    expect(await look()).toEqual(expected);
    expect(store.upkeep.retention.status.removed).toEqual({
      fleet_histograms: 0,
      per_model_histograms: 10,
      exemplars: 33,
      logs: 26,
      traces: 33,
      fleet: 0,
      per_model: 0,
    });
    await store.close();
    // They are gone, not only hidden.
    await open(
      Object.fromEntries(['per_model', 'exemplars', 'logs', 'traces'].map((key) => [key, { age: 'forever' }])),
    );
    expect(await look()).toEqual(expected);
  });

  it('are not seen from the first query after a start on, before the first run', async () => {
    await open();
    await writeRows();
    await store.close();
    now = START + 100 * DAY;
    await open();
    expect([await logDays(), await spanDays(), await days('latency')]).toEqual([[], [], []]);
    expect(await days('fleet:latency')).toHaveLength(40);
  });

  it('over a size lose their oldest part', async () => {
    await open({ logs: { age: 'forever' } });
    const stream = store.streams.resolve(labelsFromRecord({ job: 'j' }));
    for (let i = 0; i < 200_000; i++) {
      const timestampNs = msToNs(START + i * (DAY / 10_000));
      store.writer.buffer.pushLog(stream, {
        timestampNs,
        line: `${Math.sin(i)} ${Math.cos(i)}`,
        metadata: [],
      } as never);
      if (i % 50_000 === 0) await store.writer.commit();
    }
    await store.writer.commit();
    await store.close();
    now = START + 20 * DAY;
    await open({ logs: { age: 'forever' } });
    await store.upkeep.retention.run();
    const { bytes } = store.upkeep.retention.status.sizes.logs;
    expect(bytes).toBeGreaterThan(2e6);
    await store.close();
    await open({ logs: { age: 'forever', max_size: Math.floor(bytes / 2) } });
    await store.upkeep.retention.run();
    const left = await logDays();
    expect(left[0]).toBeGreaterThanOrEqual(9);
    expect(left[0]).toBeLessThan(13);
    expect(left.at(-1)).toBe(19);
    for (let i = 0; i < 3; i++) await store.upkeep.retention.run();
    expect((await logDays()).length).toBeGreaterThan(left.length * 0.9);
  }, 30_000);
});

describe('the disk', () => {
  it('with too little room refuses writes with the limit, and takes them again with some to spare', async () => {
    await open({ min_free: '1GiB' });
    freeBytes = 2 ** 30 - 1;
    await store.upkeep.disk.look();
    expect(() => store.writer.assertRoom()).toThrow(/1024\.0MiB free.*at least 1GiB.*retention\.min_free/);
    expect(store.upkeep.disk.stats.refused).toBe(1);
    freeBytes = 2 ** 30 + 1;
    await store.upkeep.disk.look();
    expect(store.upkeep.disk.isLow).toBe(true);
    freeBytes = 1.2 * 2 ** 30;
    await store.upkeep.disk.look();
    expect(() => store.writer.assertRoom()).not.toThrow();
  });

  it('has a limit of 2 GiB, or 5 % of a small one', async () => {
    await open({}, { upkeep: { space: async () => ({ freeBytes: 2 ** 29, totalBytes: 2 ** 32 }) } });
    expect(store.upkeep.disk.limitBytes).toBeCloseTo(0.05 * 2 ** 32);
    expect(store.upkeep.disk.isLow).toBe(false);
    await store.close();
    await open({}, { upkeep: { space: async () => ({ freeBytes: 1e9, totalBytes: 1e12 }) } });
    expect(store.upkeep.disk.isLow).toBe(true);
  });
});

it('series that have nothing left are told', async () => {
  await open({ per_model: { age: '5d' }, exemplars: { age: '5d' } });
  await writeDays(0, 8);
  const gone = series({ __name__: 'gone' });
  const kept = series({ __name__: 'kept' });
  store.writer.buffer.pushHistogram(gone, START, histogram);
  store.writer.buffer.pushHistogram(kept, START + 30 * DAY, histogram);
  await store.writer.commit();
  expect([...(await store.upkeep.emptySeries())]).toEqual([]);
  now = START + 30 * DAY;
  await store.upkeep.retention.run();
  expect([...(await store.upkeep.emptySeries())]).toContain(gone);
  expect([...(await store.upkeep.emptySeries())]).not.toContain(kept);
});
