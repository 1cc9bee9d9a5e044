// How fast the label and series routes answer over many series, through a query thread as the server asks them, without
// HTTP: npm run bench labels [series]. Prints wall milliseconds, the median of five after one that warms up, and what
// comes out; then what compressing the answer of `series` costs.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { labelsFromRecord } from '../server/model/index.ts';
import { type QueryRequest, startQueryPool } from '../server/query/index.ts';
import { openStore, type Store } from '../server/store/index.ts';

const SERIES = Number(process.argv[2] ?? 300_000);
const RUNS = 5;
const NOW_MS = 1_767_225_600_000;
const ALL = { startMs: Number.MIN_SAFE_INTEGER, endMs: Number.MAX_SAFE_INTEGER };
const HOUR = { startMs: NOW_MS - 3_600_000, endMs: NOW_MS };

/** Pods of many deployments with many metrics each, as a large cluster has them. */
function labelsOf(i: number) {
  const pod = Math.floor(i / 60);
  return labelsFromRecord({
    __name__: `metric_${i % 60}_total`,
    deployment: `service-${pod % 300}`,
    environment: 'production',
    instance: `10.${pod % 16}.${(pod >> 4) % 256}.${(pod >> 12) % 256}:9090`,
    job: `service-${pod % 300}`,
    node: `node-${pod % 400}`,
    pod: `service-${pod % 300}-${((pod * 2_654_435_761) >>> 0).toString(16)}`,
    region: `region-${pod % 4}`,
  });
}

async function fill(store: Store): Promise<void> {
  for (let i = 0; i < SERIES; i++) {
    const id = store.series.resolve(labelsOf(i));
    for (let step = 0; step < 3; step++) {
      store.writer.buffer.pushSample(id, NOW_MS - step * 15_000, i);
    }
    if (i % 20_000 === 0) await store.writer.commit();
  }
  await store.writer.commit();
}

const terms = { threshold: 0.8, algorithm: 'jarowinkler', caseSensitive: false } as const;
const search = { kind: 'search', order: 'score', includeScore: false, limit: 100, batchSize: 100, ...HOUR } as const;
const one = '{job="service-7"}';

const REQUESTS: readonly (readonly [string, QueryRequest])[] = [
  ['labels', { kind: 'labels', match: [], limit: 0, ...ALL }],
  ['labels, an hour', { kind: 'labels', match: [], limit: 0, ...HOUR }],
  ['labels of a job, an hour', { kind: 'labels', match: [one], limit: 0, ...HOUR }],
  ['values of __name__', { kind: 'label_values', label: '__name__', match: [], limit: 0, ...ALL }],
  ['values of __name__, an hour', { kind: 'label_values', label: '__name__', match: [], limit: 0, ...HOUR }],
  ['values of pod, an hour', { kind: 'label_values', label: 'pod', match: [], limit: 0, ...HOUR }],
  [
    'values of pod of a metric, an hour',
    { kind: 'label_values', label: 'pod', match: ['metric_7_total'], limit: 0, ...HOUR },
  ],
  ['series of a metric, an hour', { kind: 'series', match: ['metric_7_total'], limit: 0, ...HOUR }],
  ['series of a job, limit 100', { kind: 'series', match: [one], limit: 100, ...HOUR }],
  ['series, all', { kind: 'series', match: ['{environment="production"}'], limit: 0, ...HOUR }],
  ['series, all, limit 1000', { kind: 'series', match: ['{environment="production"}'], limit: 1000, ...HOUR }],
  [
    'search metric names',
    {
      ...search,
      target: { kind: 'metric_names', includeMetadata: false },
      match: [],
      terms: { ...terms, terms: ['metirc_7'] },
    },
  ],
  [
    'search pods',
    {
      ...search,
      target: { kind: 'label_values', label: 'pod' },
      match: [],
      terms: { ...terms, terms: ['service-77'] },
    },
  ],
  ['status/tsdb', { kind: 'cardinality', limit: 10 }],
  ['federation of all', { kind: 'last_samples', match: ['{environment="production"}'], ...HOUR }],
];

function sizeOf(answer: unknown): number {
  if (typeof answer === 'string') return answer.length;
  if (answer instanceof Uint8Array) return answer.length;
  return (answer as { labelText: string }).labelText.length;
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
}

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-labels-'));
const store = await openStore({ directory });
const pool = await startQueryPool(store, { threads: 1 });
try {
  await fill(store);
  let started = performance.now();
  await pool.run({ kind: 'labels', match: [one], limit: 0, ...HOUR });
  console.log(
    `${SERIES} series; the first answer, which builds the index: ${Math.round(performance.now() - started)} ms`,
  );
  let largest: Uint8Array | undefined;
  for (const [name, request] of REQUESTS) {
    const times: number[] = [];
    let size = 0;
    for (let run = 0; run <= RUNS; run++) {
      started = performance.now();
      const answer = await pool.run(request);
      if (run > 0) times.push(performance.now() - started);
      size = sizeOf(answer);
      if (name === 'series, all') largest = answer as Uint8Array;
    }
    console.log(`${name.padEnd(38)} ${median(times).toFixed(1).padStart(8)} ms ${String(size).padStart(10)} bytes`);
  }
  for (const [name, compress] of [
    ['gzip 1', (body: Uint8Array) => zlib.gzipSync(body, { level: 1 })],
    ['gzip 2', (body: Uint8Array) => zlib.gzipSync(body, { level: 2 })],
    ['gzip 6', (body: Uint8Array) => zlib.gzipSync(body, { level: 6 })],
    ['zstd 1', (body: Uint8Array) => zstd(body, 1)],
    ['zstd 3', (body: Uint8Array) => zstd(body, 3)],
  ] as const) {
    started = performance.now();
    const size = compress(largest ?? new Uint8Array()).length;
    console.log(
      `${name.padEnd(38)} ${(performance.now() - started).toFixed(1).padStart(8)} ms ${String(size).padStart(10)} bytes`,
    );
  }
} finally {
  await pool.close();
  await store.close();
  fs.rmSync(directory, { recursive: true, force: true });
}

function zstd(body: Uint8Array, level: number): Uint8Array {
  return zlib.zstdCompressSync(body, { params: { [zlib.constants.ZSTD_c_compressionLevel]: level } });
}
