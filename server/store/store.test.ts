import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  bitsOf,
  createMatcher,
  isStale,
  labelsFromRecord,
  type Matcher,
  type NativeHistogram,
  type Span,
} from '../model/index.ts';
import { decodeHistogram, encodeHistogram } from './histogram-codec.ts';
import { createReaders, type LogBatch, openStore, remoteChunkSource, type Store } from './index.ts';

let directory = '';
let store: Store;

beforeEach(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-store-'));
  store = await openStore({ directory });
});

afterEach(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

const all = (metric: string): Matcher[] => [createMatcher('__name__', '=', metric)];

function series(record: Record<string, string>): number {
  return store.series.resolve(labelsFromRecord(record));
}

const histogram: NativeHistogram = {
  schema: 3,
  zeroThreshold: 1e-128,
  zeroCount: 2,
  count: 9,
  sum: 12.5,
  positiveIndices: Int32Array.of(-3, 0, 7),
  positiveCounts: Float64Array.of(1, 2, 3),
  negativeIndices: Int32Array.of(4),
  negativeCounts: Float64Array.of(1),
  customValues: undefined,
  counterResetHint: 'no_reset',
};

describe('samples', () => {
  it('come back by series, in time order, the last written of equal times, with staleness markers intact', async () => {
    const a = series({ __name__: 'm', host: 'a' });
    const b = series({ __name__: 'm', host: 'b' });
    const noise = series({ __name__: 'noise', host: 'a' });
    const buffer = store.writer.buffer;
    buffer.pushSample(a, 3000, 3);
    buffer.pushSample(noise, 2000, -1);
    buffer.pushSample(a, 1000, 1);
    buffer.pushSample(b, 1000, 10);
    buffer.pushSample(a, 1000, 1.5);
    buffer.pushSampleBits(b, 2000, 0x00000002, 0x7ff00000);
    buffer.pushSample(a, 9000, 9);
    await store.writer.commit();
    const readers = store.readers();
    const found = await readers.metrics.select({ matchers: all('m'), startMs: 1000, endMs: 3000 });
    const byHost = new Map(found.map((s) => [s.labels[3], s]));
    expect([...(byHost.get('a')?.timestamps ?? [])]).toEqual([1000, 3000]);
    expect([...(byHost.get('a')?.values ?? [])]).toEqual([1.5, 3]);
    const stale = byHost.get('b')?.values ?? new Float64Array(0);
    expect(isStale(bitsOf(stale), 1)).toBe(true);
    expect(found).toHaveLength(2);
  });

  it('of any time and value are the ones that were pushed', async () => {
    const sample = fc.record({
      series: fc.integer({ min: 0, max: 300 }),
      ts: fc.integer({ min: -8e12, max: 8e12 }),
      value: fc.double({ noNaN: true }),
    });
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(sample, { maxLength: 500 }), async (samples) => {
        const metric = `m${round++}`;
        const expected = new Map<string, Map<number, number>>();
        for (const { series: n, ts, value } of samples) {
          store.writer.buffer.pushSample(series({ __name__: metric, n: String(n) }), ts, value);
          if (!expected.has(String(n))) expected.set(String(n), new Map());
          expected.get(String(n))?.set(ts, value);
        }
        await store.writer.commit();
        const readers = store.readers();
        const found = await readers.metrics.select({ matchers: all(metric), startMs: -8e12, endMs: 8e12 });
        const got = new Map(found.map((s) => [s.labels[3], s]));
        expect(got.size).toBe(expected.size);
        for (const [n, points] of expected) {
          const sorted = [...points].sort((x, y) => x[0] - y[0]);
          expect([...(got.get(n)?.timestamps ?? [])]).toEqual(sorted.map(([ts]) => ts));
          expect([...(got.get(n)?.values ?? [])]).toEqual(sorted.map(([, v]) => v));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('are there after a restart, and new series get new numbers', async () => {
    const first = series({ __name__: 'm', host: 'a' });
    store.writer.buffer.pushSample(first, 1000, 1);
    await store.writer.commit();
    await store.close();
    store = await openStore({ directory });
    expect(store.series.size).toBe(1);
    expect(series({ __name__: 'm', host: 'a' })).toBe(first);
    expect(series({ __name__: 'm', host: 'b' })).toBe(first + 1);
    expect(store.lastSamples(0)).toEqual([{ series: first, timestampMs: 1000, value: 1 }]);
  });

  it('are found by matchers on labels that are absent, negative, regular and literal', async () => {
    series({ __name__: 'm', host: 'a', gpu: '0' });
    series({ __name__: 'm', host: 'b' });
    series({ __name__: 'n', host: 'a', gpu: '1' });
    await store.writer.commit();
    const readers = store.readers();
    const wide: [number, number] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
    const hosts = async (...matchers: Matcher[]) =>
      (await readers.metrics.series([matchers], ...wide, 0)).map((l) => `${l[1]}/${l[3]}`.replace(/[01]\//, ''));
    expect(await hosts(createMatcher('gpu', '=', ''))).toHaveLength(1);
    expect(await hosts(createMatcher('gpu', '!=', ''))).toHaveLength(2);
    expect(await hosts(createMatcher('host', '=~', 'a|c'))).toHaveLength(2);
    expect(await hosts(createMatcher('host', '!~', 'a.*'), createMatcher('__name__', '=', 'm'))).toHaveLength(1);
    expect(await hosts(createMatcher('gpu', '=~', '.*'))).toHaveLength(3);
    expect(await readers.metrics.labelValues('gpu', [], ...wide)).toEqual(['0', '1']);
    expect(await readers.metrics.labelNames([all('n')], ...wide)).toEqual(['__name__', 'gpu', 'host']);
  });
});

describe('deleted series', () => {
  it('lose samples, histograms and exemplars of the time, and get new ones', async () => {
    const [a, b] = [series({ __name__: 'm', host: 'a' }), series({ __name__: 'm', host: 'b' })];
    const { buffer } = store.writer;
    for (const id of [a, b]) {
      for (let ms = 0; ms < 5; ms++) buffer.pushSample(id, ms, 1);
      buffer.pushHistogram(id, 10, histogram);
      buffer.pushExemplar(id, { labels: ['trace_id', 'x'], value: 1, timestampMs: 3 });
    }
    await store.writer.commit();
    const readers = store.readers();
    const times = async () => {
      const found = await readers.metrics.select({ matchers: all('m'), startMs: 0, endMs: 100 });
      return Object.fromEntries(found.map(({ labels, timestamps }) => [labels[3], [...timestamps]]));
    };
    await store.deleteSeries([[createMatcher('host', '=', 'a')], [createMatcher('host', '=', 'none')]], 2, 20);
    expect(await times()).toEqual({ a: [0, 1], b: [0, 1, 2, 3, 4, 10] });
    store.writer.buffer.pushSample(a, 3, 2);
    await store.writer.commit();
    expect((await times()).a).toEqual([0, 1, 3]);
    const exemplars = await readers.metrics.exemplars({ matchers: all('m'), startMs: 0, endMs: 100 });
    expect(exemplars.map(({ labels }) => labels[3])).toEqual(['b']);
  });
});

describe('histograms', () => {
  it('survive their encoding', () => {
    expect(decodeHistogram(encodeHistogram(histogram))).toEqual(histogram);
    const custom = { ...histogram, schema: -53, customValues: Float64Array.of(0.1, 1, 10) };
    expect(decodeHistogram(encodeHistogram(custom))).toEqual(custom);
  });

  it('stand beside floats of their series', async () => {
    const id = series({ __name__: 'h' });
    store.writer.buffer.pushSample(id, 1000, 5);
    store.writer.buffer.pushHistogram(id, 2000, histogram);
    await store.writer.commit();
    const readers = store.readers();
    const [found] = await readers.metrics.select({ matchers: all('h'), startMs: 0, endMs: 5000 });
    expect([...found.timestamps]).toEqual([1000, 2000]);
    expect(found.histograms?.[0]).toBeUndefined();
    expect(found.histograms?.[1]).toEqual(histogram);
  });
});

describe('logs', () => {
  it('come in time order of either direction, filtered by stream, copies once', async () => {
    const stream = store.streams.resolve(labelsFromRecord({ app: 'gateway' }));
    const other = store.streams.resolve(labelsFromRecord({ app: 'other' }));
    const buffer = store.writer.buffer;
    const push = (id: number, ns: bigint, line: string) =>
      buffer.pushLog(id, { stream: [], timestampNs: ns, line, metadata: ['trace_id', 'abc'] });
    push(stream, 3n, 'third');
    push(other, 2n, 'noise');
    push(stream, 1n, 'first');
    push(stream, 1n, 'first');
    push(stream, 1n, "it's another");
    await store.writer.commit();
    const readers = store.readers();
    const read = async (direction: 'forward' | 'backward', contains: string[], expectedLines: number) => {
      const batches: LogBatch[] = [];
      const request = { matchers: [createMatcher('app', '=', 'gateway')], startNs: 0n, endNs: 10n };
      for await (const batch of readers.logs.select({ ...request, direction, contains, expectedLines }))
        batches.push(batch);
      return batches.flatMap((batch) => batch.lines);
    };
    expect(await read('forward', [], 0)).toEqual(['first', "it's another", 'third']);
    expect((await read('backward', [], 10))[0]).toBe('third');
    expect(await read('forward', ["it's"], 0)).toEqual(["it's another"]);
    expect(await readers.logs.stats([createMatcher('app', '=', 'other')], 0n, 10n)).toEqual({
      streams: 1,
      entries: 1,
      bytes: 5,
    });
    expect(await readers.logs.streams([], 3n, 4n)).toEqual([['app', 'gateway']]);
  });
});

describe('spans', () => {
  const span: Span = {
    traceId: '0123456789abcdef0123456789abcdef',
    spanId: 'f123456789abcdef',
    parentSpanId: '',
    traceState: 'a=b',
    name: 'model_inference',
    kind: 'client',
    startNs: 1_700_000_000_000_000_001n,
    durationNs: 5_000_000n,
    status: 'error',
    statusMessage: 'timeout',
    serviceName: 'gateway',
    resource: { 'service.name': 'gateway' },
    scopeName: 'scope',
    scopeVersion: '1',
    attributes: { model_version: "m'1", tokens: 12 },
    events: [{ timeNs: 1_700_000_000_000_000_002n, name: 'first_token', attributes: { n: 1 } }],
    links: [{ traceId: 'ff23456789abcdef0123456789abcdef', spanId: 'a123456789abcdef', attributes: {} }],
  };

  it('come back whole, by trace and by conditions, a rewritten span once', async () => {
    store.writer.buffer.pushSpan({ ...span, name: 'earlier' });
    store.writer.buffer.pushSpan(span);
    store.writer.buffer.pushSpan({ ...span, traceId: 'aa'.repeat(16), attributes: { model_version: 'other' } });
    await store.writer.commit();
    const readers = store.readers();
    const limits = { spansPerTrace: 1, textPerTrace: 10_000 };
    expect(await readers.traces.trace(span.traceId, limits)).toEqual([span]);
    const range = { startNs: 1_600_000_000_000_000_000n, endNs: 1_800_000_000_000_000_000n };
    const found: Span[] = [];
    const condition = { kind: 'attribute', scope: 'any', name: 'model_version', equals: "m'1" } as const;
    for await (const batch of readers.traces.spans({ ...range, conditions: [condition] })) found.push(...batch);
    expect(found).toEqual([span]);
    // A list holds what one of its elements is; leaving it out would be an answer that is too small.
    const listed = { ...span, traceId: 'bb'.repeat(16), attributes: { model_version: ['x', 'y'] } };
    store.writer.buffer.pushSpan(listed);
    await store.writer.commit();
    const elements: Span[] = [];
    const element = { ...condition, equals: 'y' };
    for await (const batch of readers.traces.spans({ ...range, conditions: [element] })) elements.push(...batch);
    expect(elements).toEqual([listed]);
  });
});

describe('readers behind a port', () => {
  it('read what the owner of the database commits, in messages of many rows', async () => {
    const { port1, port2 } = new MessageChannel();
    store.serve(port1);
    const readers = createReaders(remoteChunkSource(port2), store.shared);
    const ids = Array.from({ length: 100 }, (_, i) => series({ __name__: 'm', i: String(i) }));
    for (let ts = 0; ts < 1000; ts++) for (const id of ids) store.writer.buffer.pushSample(id, ts, id);
    await store.writer.commit();
    const found = await readers.metrics.select({ matchers: all('m'), startMs: 0, endMs: 5000 });
    expect(found).toHaveLength(100);
    expect(found.every((one) => one.timestamps.length === 1000)).toBe(true);
    const controller = new AbortController();
    controller.abort();
    const cancelled = readers.metrics.select({ matchers: all('m'), startMs: 0, endMs: 5000 }, controller.signal);
    await expect(cancelled).rejects.toMatchObject({ code: 'cancelled' });
    port1.close();
  });
});

describe('commits', () => {
  it('refuse writes while too much waits', async () => {
    await store.close();
    store = await openStore({ directory, writer: { maxPendingRows: 10 } });
    const id = series({ __name__: 'm' });
    for (let i = 0; i < 10; i++) store.writer.buffer.pushSample(id, i, i);
    expect(() => store.writer.assertRoom()).toThrow(/fewer than 10 rows/);
    await store.writer.commit();
    expect(() => store.writer.assertRoom()).not.toThrow();
  });

  it('made at once share groups and all become durable', async () => {
    const id = series({ __name__: 'm' });
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => {
        store.writer.buffer.pushSample(id, i, i);
        return store.writer.commit();
      }),
    );
    expect(store.writer.stats.commits).toBeLessThan(100);
    const readers = store.readers();
    const [found] = await readers.metrics.select({ matchers: all('m'), startMs: 0, endMs: 1000 });
    expect(found.timestamps).toHaveLength(100);
  });
});
