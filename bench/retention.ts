// What deleting costs: the latency of commits while retention removes most of what is stored, and the space before and
// after. Run it with `node bench/retention.ts [millions of log lines]`; prints JSON.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { labelsFromRecord } from '../server/model/index.ts';
import { openStore, retentionSchema } from '../server/store/index.ts';

const LINES = Number(process.argv[2] ?? 2) * 1e6;
const SERIES = 1000;
const DAYS = 20;
const DAY_MS = 86_400_000;
const END_MS = Date.now();
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-bench-retention-'));

const store = await openStore({
  directory,
  samples: { segmentSlots: 1 << 20, removalDelayMs: 0 },
  retention: retentionSchema.parse({ logs: { age: '2d' }, per_model: { age: '2d' } }),
});
const fleet = store.series.resolve(labelsFromRecord({ __name__: 'fleet:bench_total' }));
const ids = Array.from({ length: SERIES }, (_, i) => {
  return store.series.resolve(labelsFromRecord({ __name__: 'bench_total', i: String(i) }));
});
const stream = store.streams.resolve(labelsFromRecord({ job: 'bench' }));

/** Bytes of the folder's files. */
function used(folder: string): number {
  const files = fs.readdirSync(folder, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, entry) => sum + fs.statSync(path.join(entry.parentPath, entry.name)).blocks * 512, 0);
}

const STEPS = 400;
for (let step = 0; step < STEPS; step++) {
  const startMs = END_MS - DAYS * DAY_MS + (step * DAYS * DAY_MS) / STEPS;
  for (let i = 0; i < LINES / STEPS; i++) {
    const timestampNs = BigInt(Math.floor(startMs + i)) * 1_000_000n;
    const line = `event=request id=${(Math.sin(i + step) * 1e9).toFixed(0)} took=${i % 997} path=/v1/chat`;
    store.writer.buffer.pushLog(stream, { stream: [], timestampNs, line, metadata: [] });
  }
  for (let i = 0; i < 30; i++) {
    store.writer.buffer.pushSample(fleet, startMs + i * 60_000, step * 30 + i);
    for (const id of ids) store.writer.buffer.pushSample(id, startMs + i * 60_000, Math.floor(Math.sin(id + i) * 1e4));
  }
  await store.writer.commit();
}
while (store.sampleStats().waitingSegments > 0) await new Promise((resolve) => setTimeout(resolve, 50));

/** Small commits one after the other for as long as `until` takes; resolves with their milliseconds, ascending. */
async function latencies(until: Promise<unknown>): Promise<number[]> {
  const all: number[] = [];
  let isDone = false;
  void until.finally(() => {
    isDone = true;
  });
  while (!isDone) {
    const started = performance.now();
    for (const id of ids) store.writer.buffer.pushSample(id, Date.now(), 1);
    store.writer.buffer.pushLog(stream, {
      stream: [],
      timestampNs: BigInt(Date.now()) * 1_000_000n,
      line: 'x',
      metadata: [],
    });
    await store.writer.commit();
    all.push(performance.now() - started);
  }
  return all.sort((a, b) => a - b);
}

const summary = (values: number[]) => {
  const at = (share: number) =>
    Number(values[Math.min(values.length - 1, Math.floor(share * values.length))]?.toFixed(1));
  return { commits: values.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
};

const idle = await latencies(new Promise((resolve) => setTimeout(resolve, 3000)));
const before = { all: used(directory), samples: used(path.join(directory, 'samples')) };
const started = performance.now();
const deleting = await latencies(store.upkeep.retention.run());
const seconds = (performance.now() - started) / 1000;
await new Promise((resolve) => setTimeout(resolve, 200));
const { status } = store.upkeep.retention;
const after = { all: used(directory), samples: used(path.join(directory, 'samples')) };
const result = {
  lines: LINES,
  samples: STEPS * 30 * SERIES,
  removed: { lines: status.removed.logs, samples: status.removed.per_model },
  seconds: Number(seconds.toFixed(1)),
  idle: summary(idle),
  deleting: summary(deleting),
  bytesBefore: before,
  bytesAfter: after,
  keptBytes: Object.fromEntries(Object.entries(status.sizes).map(([signal, { bytes }]) => [signal, Math.round(bytes)])),
};
console.log(JSON.stringify(result, undefined, 2));
await store.close();
fs.rmSync(directory, { recursive: true });
