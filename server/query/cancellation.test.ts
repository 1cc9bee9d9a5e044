import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BarographError, labelsFromRecord } from '../model/index.ts';
import { openStore, type Readers, type Store } from '../store/index.ts';
import { createMemoryLogReader } from './logql/memory-reader.ts';
import { answer, type QueryRequest } from './request.ts';

/*
 * Work is counted in looks at the signal: between two of them lies some milliseconds' work at most, so a request whose
 * whole work has many looks can be stopped anywhere in it, and one that makes no look after the one that said "stop"
 * does no more work. No clock is asked.
 */

const SERIES = 20_000;
const LOADS = 200;
const SAMPLES = 500;
const LINES = 20_000;
const STEP_MS = 15_000;
const START_MS = 1_767_225_600_000;
const END_MS = START_MS + (SAMPLES - 1) * STEP_MS;

let directory = '';
let store: Store;
let readers: Readers;

beforeAll(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-cancellation-'));
  store = await openStore({ directory });
  const { series, writer } = store;
  for (let i = 0; i < SERIES; i++) {
    const id = series.resolve(labelsFromRecord({ __name__: `wide_${i % 100}`, instance: `h${i}`, job: 'wide' }));
    writer.buffer.pushSample(id, END_MS, i);
  }
  for (let i = 0; i < LOADS; i++) {
    const id = series.resolve(labelsFromRecord({ __name__: 'load', job: `j${i}` }));
    for (let step = 0; step < SAMPLES; step++) {
      writer.buffer.pushSample(id, START_MS + step * STEP_MS, (step * 7919) % 1000);
    }
  }
  await writer.commit();
  const entries = Array.from({ length: LINES }, (_, i) => ({
    stream: labelsFromRecord({ job: 'gate' }),
    timestampNs: BigInt(START_MS + i) * 1_000_000n,
    line: `event=request tokens=${i % 900}`,
    metadata: [],
  }));
  readers = { ...store.readers(), logs: createMemoryLogReader(entries, 8192) };
}, 60_000);

afterAll(async () => {
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
});

/** A signal that counts how often it is looked at, and is aborted from the look `abortAt` on. */
function countedSignal(abortAt: number) {
  const controller = new AbortController();
  const counted = { signal: controller.signal, looks: 0, after: 0 };
  const get = (): boolean => {
    if (++counted.looks < abortAt) return false;
    counted.after++;
    return true;
  };
  Object.defineProperty(controller.signal, 'aborted', { get });
  return counted;
}

const ALL = { startMs: START_MS - 1, endMs: END_MS } as const;
const promql = (query: string, stepMs: number): QueryRequest => ({
  kind: 'promql',
  query,
  startMs: stepMs === 0 ? END_MS : START_MS,
  endMs: END_MS,
  stepMs,
  lookbackMs: undefined,
  timeoutMs: undefined,
  limit: 0,
  statsSinceMs: undefined,
});
const logql = (query: string, stepNs: bigint): QueryRequest => ({
  kind: 'logql',
  query,
  startNs: BigInt(START_MS) * 1_000_000n,
  endNs: BigInt(END_MS) * 1_000_000n,
  stepNs,
  limit: 100,
  direction: 'backward',
  categorizeLabels: false,
});
const wide = '{__name__=~"wide.*"}';

const REQUESTS: readonly (readonly [string, QueryRequest, least: number])[] = [
  ['windows', promql('quantile_over_time(0.5, load[1h])', 30_000), 100],
  ['a subquery', promql('max_over_time(rate(load[5m])[30m:15s])', 60_000), 20],
  ['an aggregation', promql('topk(3, load) or sum by (job) (load)', 15_000), 2],
  ['a join', promql('load * on (job) load', 15_000), LOADS / 100],
  ['an answer of many series', promql(wide, 0), SERIES],
  ['an answer of many samples', promql('load', 15_000), LOADS],
  ['series', { kind: 'series', match: [wide], limit: 0, ...ALL }, SERIES / 1000],
  ['labels', { kind: 'labels', match: [wide], limit: 0, ...ALL }, 3],
  ['values of a label', { kind: 'label_values', label: 'instance', match: [wide], limit: 0, ...ALL }, 3],
  ['cardinality', { kind: 'cardinality', limit: 10 }, SERIES / 1024],
  [
    'a search',
    {
      kind: 'search',
      target: { kind: 'label_values', label: 'instance' },
      match: [],
      terms: { terms: ['h7'], threshold: 0.8, algorithm: 'jarowinkler', caseSensitive: false },
      order: 'score',
      includeScore: false,
      limit: 10,
      batchSize: 10,
      ...ALL,
    },
    SERIES / 1024,
  ],
  [
    'remote read',
    { kind: 'samples', matchers: [{ name: 'job', op: '=~', value: '.+' }], maxSamples: 1e9, ...ALL },
    SERIES / 4096,
  ],
  ['federation', { kind: 'last_samples', match: [wide], ...ALL }, SERIES / 4096],
  ['lines', logql('{job="gate"} | logfmt | tokens > 1000', 1n), LINES / 1024],
  ['numbers from lines', logql('sum(rate({job="gate"} | logfmt [5m]))', 60_000_000_000n), LINES / 1024],
];

describe('a request that nobody waits for', () => {
  it.for(REQUESTS)('stops wherever it is: %s', async ([, request, least]) => {
    const whole = countedSignal(Number.POSITIVE_INFINITY);
    await answer(request, readers, whole.signal);
    expect(whole.looks).toBeGreaterThanOrEqual(Math.floor(least));
    for (const part of [0, 0.13, 0.37, 0.5, 0.71, 0.93, 1]) {
      const stopped = countedSignal(Math.max(1, Math.ceil(part * whole.looks)));
      const error = await answer(request, readers, stopped.signal).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(BarographError);
      expect((error as BarographError).code).toBe('cancelled');
      // What cleans up may look once more; a loop that went on would look many times.
      expect(stopped.after).toBeLessThanOrEqual(3);
    }
  });
});
