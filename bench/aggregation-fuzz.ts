// Looks for streams of which aggregation loses or invents something: random raw series with a request ID each, over resets,
// restarts of senders, late and repeated samples, deltas and restarts of this process. The total of the series that is left
// must be that of the raw ones, exactly: all values are integers.
//   npm run bench aggregation-fuzz [seeds of the aggregator, default 20000] [seeds over the store, default 60]
// Ends with 1 where one failed, and prints its seed.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Aggregator, createGovernor } from '../server/govern/index.ts';
import { MetricIngest, takeOtlp } from '../server/ingest/index.ts';
import { labelsFromRecord, type NativeHistogram } from '../server/model/index.ts';
import { openStore, type Store } from '../server/store/index.ts';
import { encodeWriteRequest } from '../server/wire/index.ts';

const [SEEDS, STORE_SEEDS] = [Number(process.argv[2] ?? 20_000), Number(process.argv[3] ?? 60)];
const T0 = 1_700_000_000_000;

/** Whole numbers below a bound, the same for the same seed (mulberry32). */
type Dice = (below: number) => number;

function dice(seed: number): Dice {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * below);
  };
}

/** A raw series as its sender has it, and what it has counted as a receiver may know it. */
class Raw {
  value = 0;
  startMs: number;
  total = 0;
  private last: { ms: number; value: number; startMs: number } | undefined;

  constructor(saysStart: boolean) {
    this.startMs = saysStart ? T0 : 0;
  }

  /** What a sample adds, by the rules of counters: late ones are left out, a reset counts the whole value. */
  take(ms: number, value: number, startMs: number): void {
    const { last } = this;
    if (last && (ms < last.ms || (ms === last.ms && value < last.value))) return;
    const isReset = last && (value < last.value || (startMs !== last.startMs && startMs > 0 && last.startMs > 0));
    this.total += !last || isReset ? value : value - last.value;
    this.last = { ms, value, startMs: startMs > 0 ? startMs : (last?.startMs ?? 0) };
  }
}

function histogramOf(count: number, schema: number, counts: readonly number[]): NativeHistogram {
  return {
    schema,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: count * 3,
    positiveIndices: Int32Array.from(counts, (_, i) => i * 2 - 4),
    positiveCounts: Float64Array.from(counts),
    negativeIndices: new Int32Array(0),
    negativeCounts: new Float64Array(0),
    customValues: undefined,
    counterResetHint: 'unknown',
  };
}

interface Kept {
  readonly inputs: Map<string, readonly [hi: number, lo: number, last: number, startMs: number, ms: number]>;
  readonly histograms: Map<
    string,
    readonly [hi: number, lo: number, last: NativeHistogram, startMs: number, ms: number]
  >;
  last: { value: number; timestampMs: number } | undefined;
  histogram: { histogram: NativeHistogram; ms: number } | undefined;
}

/** Drains as a commit does: what is emitted is stored, what changed is remembered. */
function commit(aggregator: Aggregator, kept: Kept): void {
  aggregator.drain(
    (_series, timestampMs, value) => {
      kept.last = { value, timestampMs };
    },
    (_series, ms, histogram) => {
      kept.histogram = { histogram, ms };
    },
  );
  aggregator.drainInputs(
    (_series, hi, lo, last, startMs, ms) => kept.inputs.set(`${hi}/${lo}`, [hi, lo, last, startMs, ms]),
    (_series, hi, lo, last, startMs, ms) => kept.histograms.set(`${hi}/${lo}`, [hi, lo, last, startMs, ms]),
  );
}

/** Another process that takes up what was committed. */
function restarted(kept: Kept, resolutionMs: number): Aggregator {
  const aggregator = new Aggregator();
  const output = aggregator.output(1, 'counter', kept.last, resolutionMs);
  for (const [hi, lo, last, startMs, ms] of kept.inputs.values())
    aggregator.restoreInput(output, hi, lo, last, startMs, ms);
  if (kept.histogram) aggregator.restoreOutputHistogram(output, kept.histogram.histogram, kept.histogram.ms);
  for (const [hi, lo, last, startMs, ms] of kept.histograms.values())
    aggregator.restoreSlotHistogram(aggregator.inputByHash(output, hi, lo), last, ms, startMs);
  return aggregator;
}

/** One random history of counters through the aggregator; says what differs. */
function runCounters(seed: number): string | undefined {
  const next = dice(seed);
  const resolutionMs = next(2) * 15_000;
  const kept: Kept = { inputs: new Map(), histograms: new Map(), last: undefined, histogram: undefined };
  let aggregator = restarted(kept, resolutionMs);
  const raws: Raw[] = [];
  let deltas = 0;
  let ms = T0;
  for (let step = 0; step < 60 + next(200); step++) {
    ms += next(20_000);
    const output = aggregator.output(1, 'counter');
    const what = next(20);
    if (what === 0) {
      commit(aggregator, kept);
      aggregator = restarted(kept, resolutionMs);
      continue;
    }
    if (what === 1) {
      commit(aggregator, kept);
      continue;
    }
    if (what === 2) {
      const amount = next(1000);
      aggregator.addDelta(output, ms - next(3) * 10_000, amount);
      deltas += amount;
      continue;
    }
    if (raws.length === 0 || what < 6) raws.push(new Raw(next(2) === 0));
    const index = next(raws.length);
    const raw = raws[index];
    if (next(8) === 0) {
      raw.value = 0;
      if (raw.startMs > 0) raw.startMs = ms;
    }
    raw.value += next(5) === 0 ? 0 : next(1000);
    const isLate = next(6) === 0;
    const at = isLate ? ms - next(60_000) : ms;
    const value = isLate ? next(raw.value + 1) : raw.value;
    aggregator.add(aggregator.inputByHash(output, index * 7 + 1, index), at, value, raw.startMs);
    raw.take(at, value, raw.startMs);
  }
  commit(aggregator, kept);
  const expected = raws.reduce((sum, { total }) => sum + total, deltas);
  const got = kept.last?.value ?? 0;
  return got === expected ? undefined : `counters: ${got} instead of ${expected}`;
}

/** The same of native histograms of several resolutions. */
function runHistograms(seed: number): string | undefined {
  const next = dice(seed ^ 0x5bd1e995);
  const resolutionMs = next(2) * 15_000;
  const kept: Kept = { inputs: new Map(), histograms: new Map(), last: undefined, histogram: undefined };
  let aggregator = restarted(kept, resolutionMs);
  const senders: { schema: number; counts: number[] }[] = [];
  let expected = 0;
  let ms = T0;
  for (let step = 0; step < 30 + next(60); step++) {
    ms += 1 + next(20_000);
    const output = aggregator.output(1, 'counter');
    const what = next(16);
    if (what < 2) {
      commit(aggregator, kept);
      if (what === 0) aggregator = restarted(kept, resolutionMs);
      continue;
    }
    if (what === 2) {
      const counts = [next(9), next(9) + 1];
      aggregator.addHistogramDelta(output, ms, histogramOf(counts[0] + counts[1], 1, counts));
      expected += counts[0] + counts[1];
      continue;
    }
    if (senders.length === 0 || what < 6) senders.push({ schema: next(4), counts: [0, 0, 0, 0] });
    const index = next(senders.length);
    const sender = senders[index];
    const before = sender.counts.reduce((a, b) => a + b, 0);
    let isReset = false;
    if (before > 0 && next(8) === 0) {
      sender.counts = [0, 0, 0, 0];
      isReset = true;
    }
    // A histogram that began anew is known by a bucket that fell, so it stays below what it was.
    const grow = isReset ? 0 : 1 + next(50);
    sender.counts[next(4)] += grow;
    const count = sender.counts.reduce((a, b) => a + b, 0);
    aggregator.addHistogram(
      aggregator.inputByHash(output, index + 1, index),
      ms,
      histogramOf(count, sender.schema, sender.counts),
      0,
    );
    expected += isReset ? count : count - before;
  }
  commit(aggregator, kept);
  const total = kept.histogram?.histogram;
  const buckets = total?.positiveCounts.reduce((a, b) => a + b, 0) ?? 0;
  if ((total?.count ?? 0) !== expected || (total?.sum ?? 0) !== expected * 3 || buckets !== expected)
    return `histograms: count ${total?.count}, sum ${total?.sum}, buckets ${buckets} instead of ${expected}`;
  return undefined;
}

/** The last value that was stored of each series whose name begins so, added up. */
class Written {
  readonly values = new Map<number, number>();
  watch(store: Store): void {
    const { beforeCommit } = store.writer;
    store.writer.beforeCommit = () => {
      beforeCommit();
      const { samples } = store.writer.buffer;
      for (let i = 0; i < samples.count; i++) this.values.set(samples.series[i], samples.values[i]);
    };
  }
  get total(): number {
    return [...this.values.values()].reduce((a, b) => a + b, 0);
  }
}

/** Remote write and OTLP, cumulative and of increases, classic buckets with them, over the store and its restarts. */
async function runStore(seed: number): Promise<string | undefined> {
  const next = dice(seed);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-fuzz-'));
  const written = new Written();
  const open = async () => {
    const store = await openStore({ directory });
    const metrics = await MetricIngest.open(store, createGovernor(), T0 + 60_000);
    written.watch(store);
    return { store, metrics };
  };
  let { store, metrics } = await open();
  const raws = Array.from({ length: 40 }, () => new Raw(false));
  const names = ['app_requests_total', 'app_latency_seconds_bucket', 'app_latency_seconds_sum'];
  let deltas = 0;
  let ms = T0;
  try {
    for (let round = 0; round < 25; round++) {
      ms += 1000;
      if (next(6) === 0) {
        await store.close();
        ({ store, metrics } = await open());
      }
      const chosen = raws.filter(() => next(3) === 0);
      for (const raw of chosen) {
        if (next(7) === 0) raw.value = 0;
        raw.value += next(100);
        raw.take(ms, raw.value, 0);
      }
      const series = chosen.map((raw) => {
        const index = raws.indexOf(raw);
        const le = names[index % 3].endsWith('_bucket') ? { le: '0.5' } : undefined;
        const labels = { __name__: names[index % 3], region: `eu-${index % 2}`, request_id: `r-${index}`, ...le };
        return labelsFromRecord(labels as Record<string, string>);
      });
      const columns = {
        series,
        sampleSeries: Uint32Array.from(chosen, (_, i) => i),
        sampleTimestampMs: new Float64Array(chosen.length).fill(ms),
        sampleValue: Float64Array.from(chosen, ({ value }) => value),
      };
      metrics.remoteWrite(Buffer.from(encodeWriteRequest(columns)));
      const points = Array.from({ length: next(5) }, () => {
        const asInt = String(next(1000));
        deltas += Number(asInt);
        const attributes = [{ key: 'request_id', value: { stringValue: `d-${next(1e6)}` } }];
        return { attributes, timeUnixNano: `${ms}000000`, startTimeUnixNano: `${ms - 1000}000000`, asInt };
      });
      const sum = { aggregationTemporality: 1, isMonotonic: true, dataPoints: points };
      const body = { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: 'app.deltas', sum }] }] }] };
      const ways = { metrics } as unknown as Parameters<typeof takeOtlp>[0];
      if (points.length > 0) takeOtlp(ways, 'metrics', Buffer.from(JSON.stringify(body)), 'json');
      await store.writer.commit();
    }
    const expected = raws.reduce((sum, { total }) => sum + total, deltas);
    return written.total === expected ? undefined : `store: ${written.total} instead of ${expected}`;
  } finally {
    await store.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

let failed = 0;
function report(kind: string, seed: number, difference: string | undefined): void {
  if (difference === undefined) return;
  if (failed++ < 10) console.log(`${kind} seed ${seed}: ${difference}`);
}
const started = performance.now();
for (let seed = 1; seed <= SEEDS; seed++) {
  report('aggregator', seed, runCounters(seed));
  report('aggregator', seed, runHistograms(seed));
}
for (let seed = 1; seed <= STORE_SEEDS; seed++) report('store', seed, await runStore(seed));
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `${2 * SEEDS} histories through the aggregator, ${STORE_SEEDS} over the store: ${failed} differ (${seconds} s)`,
);
if (failed > 0) process.exitCode = 1;
