// Measures the PromQL engine in this process over arrays: CPU milliseconds of each query with its answer encoded, and of
// finding series by matchers. The store and HTTP are not part of it.
// Usage: node bench/promql-engine.ts [part …] [--runs N]. Parts: pane, topk, buckets, week, native, cardinality, index.
import { performance } from 'node:perf_hooks';
import { createMatcher, labelsFromRecord, type MatchOp, type NativeHistogram } from '../server/model/index.ts';
import { encodePrometheus, queryPromql } from '../server/query/promql/index.ts';
import { MemoryMetricReader } from '../server/query/promql/memory-reader.ts';
import { LabelIndex, LabelWriter, reserveLabelMemory } from '../server/store/labels/index.ts';

/** One measurement: medians over the runs. */
export interface BenchRow {
  readonly what: string;
  /** CPU milliseconds, user and system, of every thread of the process. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Wall milliseconds of the first run, when nothing was compiled or remembered yet. */
  readonly firstMs: number;
  /** Series of the answer. */
  readonly series: number;
}

/** A query over the steps from `startMs` to `endMs`; a step of 0 makes it instant, at the end. */
interface BenchQuery {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly stepMs: number;
}

const INTERVAL_MS = 15_000;
const HOUR_MS = 3_600_000;
const LES = ['0.1', '0.25', '0.5', '1', '2.5', '5', '10', '30', '60', '+Inf'];

/** Numbers from 0 to 1 that are the same at every run. */
function seeded(): () => number {
  let seed = 42;
  return () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
}

function timestamps(samples: number): Float64Array {
  return Float64Array.from({ length: samples }, (_, i) => i * INTERVAL_MS);
}

/** Counters over models and regions, with a reset now and then, and classic histograms. */
export function benchReader(series: number, samples: number): MemoryMetricReader {
  const reader = new MemoryMetricReader();
  const random = seeded();
  const times = timestamps(samples);
  const counter = (resets = 0): Float64Array => {
    let value = 0;
    return Float64Array.from({ length: samples }, () => (value = random() < resets ? 0 : value + random() * 100));
  };
  for (let i = 0; i < series; i++) {
    const labels = { model_version: `m${i % 20}`, region: `r${i % 7}`, instance: `host-${i}` };
    const name = { __name__: 'inference_tokens_total', ...labels };
    reader.add({ labels: labelsFromRecord(name), timestamps: times, values: counter(0.001), histograms: undefined });
    if (i % 10 === 0) addBuckets(reader, { __name__: 'inference_ttft_seconds_bucket', ...labels }, times, counter);
  }
  return reader;
}

/** Every bucket holds what the one below it holds and more. */
function addBuckets(
  reader: MemoryMetricReader,
  labels: Record<string, string>,
  times: Float64Array,
  counter: () => Float64Array,
): void {
  const below = new Float64Array(times.length);
  for (const le of LES) {
    counter().forEach((value, at) => {
      below[at] += value;
    });
    const values = below.slice();
    reader.add({ labels: labelsFromRecord({ ...labels, le }), timestamps: times, values, histograms: undefined });
  }
}

/** 5,000 buckets of 500 histograms, which four labels tell apart, over six hours. */
function bucketReader(): MemoryMetricReader {
  const reader = new MemoryMetricReader();
  const random = seeded();
  const times = timestamps((6 * HOUR_MS) / INTERVAL_MS + 20);
  const counter = (): Float64Array => {
    let value = 0;
    return Float64Array.from(times, () => (value += Math.floor(random() * 10)));
  };
  for (let i = 0; i < 500; i++) {
    const labels = { a: `a${i % 5}`, b: `b${i % 10}`, c: `c${i % 25}`, d: `d${i % 100}`, pod: `p${i}` };
    addBuckets(reader, { __name__: 'h_bucket', ...labels }, times, counter);
  }
  return reader;
}

/** 200 native histograms of some 40 buckets over six hours, as latencies of models make them. */
function nativeReader(): MemoryMetricReader {
  const reader = new MemoryMetricReader();
  const random = seeded();
  const times = timestamps((6 * HOUR_MS) / INTERVAL_MS + 20);
  for (let i = 0; i < 200; i++) {
    const indices = Int32Array.from({ length: 40 }, (_, k) => k - 10 + (i % 5));
    let counts = new Float64Array(40);
    let [count, sum] = [0, 0];
    const histograms = Array.from(times, (): NativeHistogram => {
      counts = counts.slice();
      for (let k = 0; k < 20; k++) counts[Math.floor((random() + random()) * 20)]++;
      count += 20;
      sum += random();
      return {
        schema: 3,
        zeroThreshold: 2 ** -128,
        zeroCount: 0,
        count,
        sum,
        positiveIndices: indices,
        positiveCounts: counts,
        negativeIndices: new Int32Array(0),
        negativeCounts: new Float64Array(0),
        customValues: undefined,
        counterResetHint: 'unknown',
      };
    });
    const labels = labelsFromRecord({ __name__: 'ttft', model: `m${i % 8}`, pod: `p${i}` });
    reader.add({ labels, timestamps: times, values: new Float64Array(times.length), histograms });
  }
  return reader;
}

/** Label sets of 100,000 series: pods of many deployments, as a large cluster has them. */
function clusterLabels(): readonly string[][] {
  return Array.from({ length: 100_000 }, (_, i) => {
    const deployment = `svc-${i % 200}`;
    return labelsFromRecord({
      __name__: `metric_${i % 50}`,
      deployment,
      pod: `${deployment}-${(i * 2654435761) >>> 8}-${i}`,
      path: `/api/v${i % 4}/item/${i % 3000}`,
      status: String(200 + (i % 5) * 100),
    }) as string[];
  });
}

const range = (query: string, hours: number, stepMs: number, endMs = hours * HOUR_MS): BenchQuery => {
  return { query, startMs: endMs - hours * HOUR_MS, endMs, stepMs };
};

const PANE_QUERIES: readonly string[] = [
  'inference_tokens_total',
  'sum by (model_version) (rate(inference_tokens_total[5m]))',
  'sum by (model_version) (increase(inference_tokens_total[1h]))',
  'topk(10, rate(inference_tokens_total[5m]))',
  'histogram_quantile(0.95, sum by (le, model_version) (rate(inference_ttft_seconds_bucket[5m])))',
  'histogram_quantile(0.95, rate(inference_ttft_seconds_bucket[5m]))',
  'max by (region) (max_over_time(inference_tokens_total[30m]))',
  'sum(avg_over_time(inference_tokens_total[30m]))',
  'quantile by (region) (0.99, rate(inference_tokens_total[5m]))',
  'count by (region) (inference_tokens_total)',
  'rate(inference_tokens_total[5m]) / on (instance) inference_tokens_total',
  'sum(rate(inference_tokens_total[5m])) / sum(rate(inference_tokens_total[5m])) > 0.5',
];

/** Parts of the benchmark by name; the data of one is garbage before the next begins. */
const PARTS: Readonly<Record<string, (runs: number) => Promise<BenchRow[]>>> = {
  pane: (runs) => {
    const queries = PANE_QUERIES.map((query) => range(query, 1, INTERVAL_MS));
    return measureQueries(benchReader(10_000, 241), queries, runs);
  },
  topk: (runs) => {
    const query = 'topk(10, inference_tokens_total)';
    return measureQueries(benchReader(10_000, 241), [range(query, 1, INTERVAL_MS), range(query, 1, 0)], runs);
  },
  buckets: (runs) => {
    const query = 'histogram_quantile(0.99, sum by (le, a, b, c, d) (rate(h_bucket[5m])))';
    return measureQueries(bucketReader(), [range(query, 6, INTERVAL_MS), range(query, 6, 60_000)], runs);
  },
  week: (runs) => {
    const [samples, endMs] = [(8 * 24 * HOUR_MS) / INTERVAL_MS, 8 * 24 * HOUR_MS];
    const queries = [
      range('sum(rate(inference_tokens_total[5m]))', 7 * 24, 300_000, endMs),
      range('rate(inference_tokens_total[5m])', 7 * 24, 300_000, endMs),
      range('sum by (region) (rate(inference_tokens_total[7d]))', 24, 60_000, endMs),
      range('max_over_time(inference_tokens_total[7d])', 24, 60_000, endMs),
      range('avg_over_time(inference_tokens_total[7d])', 24, 60_000, endMs),
      range('quantile_over_time(0.9, inference_tokens_total[1h])', 24, 60_000, endMs),
    ];
    return measureQueries(benchReader(100, samples), queries, runs);
  },
  native: (runs) => {
    const query = 'histogram_quantile(0.99, sum by (model) (rate(ttft[5m])))';
    const others = ['histogram_count(rate(ttft[5m]))', 'histogram_quantile(0.5, avg_over_time(ttft[5m]))'];
    return measureQueries(nativeReader(), [range(query, 6, 60_000), ...others.map((q) => range(q, 6, 60_000))], runs);
  },
  cardinality: (runs) => {
    const reader = new MemoryMetricReader();
    const times = timestamps(20);
    for (const labels of clusterLabels()) {
      reader.add({ labels, timestamps: times, values: new Float64Array(20).fill(1), histograms: undefined });
    }
    const queries = [
      'count by (__name__) ({__name__=~".+"})',
      'topk(10, count by (__name__) ({__name__=~".+"}))',
      'count(count by (pod) ({__name__=~"metric_.*"}))',
      'count by (deployment, status) ({__name__=~"metric_.*"})',
      'count without (pod) ({__name__=~"metric_.*"})',
    ];
    return measureQueries(
      reader,
      queries.map((query) => ({ query, startMs: 0, endMs: 19 * INTERVAL_MS, stepMs: 0 })),
      runs,
    );
  },
  index: async (runs) => measureIndex(runs),
};

async function measureQueries(
  reader: MemoryMetricReader,
  queries: readonly BenchQuery[],
  runs: number,
): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const { query, startMs, endMs, stepMs } of queries) {
    const options = { startMs: stepMs === 0 ? endMs : startMs, endMs, stepMs };
    const what = `${query}${stepMs === 0 ? '' : `, ${(endMs - startMs) / stepMs + 1} steps`}`;
    rows.push(
      await measure(what, runs, async () => {
        const result = await queryPromql(query, options, reader);
        encodePrometheus(result);
        return result.value.kind === 'vector' ? result.value.series.length : 1;
      }),
    );
  }
  return rows;
}

const SELECTORS: readonly (readonly [name: string, op: MatchOp, value: string][])[] = [
  [['__name__', '=', 'metric_7']],
  [['deployment', '=~', 'svc-1|svc-2|svc-3']],
  [['pod', '=~', 'svc-17-.*']],
  [['pod', '=~', '.*-99999']],
  [['pod', '=~', '.*77.*']],
  [['pod', '=~', 'svc-(1|2|3)-[0-9]+-.*']],
  [['path', '=~', '/api/v[12]/item/.*']],
  [['path', '=~', '/api/v[12]/item/[0-9]{2}']],
  [
    ['__name__', '=', 'metric_7'],
    ['pod', '!~', 'svc-7-.*'],
  ],
  [
    ['status', '!=', '200'],
    ['pod', '=~', '(?i)SVC-11-.*'],
  ],
  [['status', '!~', '4..|5..']],
];

async function measureIndex(runs: number): Promise<BenchRow[]> {
  const writer = new LabelWriter(reserveLabelMemory());
  const index = new LabelIndex(writer.memory);
  const labels = clusterLabels();
  const rows: BenchRow[] = [];
  rows.push(
    await measure('index 100,000 series', 1, async () => {
      for (const one of labels) writer.add(one);
      writer.publish(writer.counts);
      index.refresh();
      return index.size;
    }),
  );
  for (const selector of SELECTORS) {
    const what = `{${selector.map(([name, op, value]) => `${name}${op}"${value}"`).join(', ')}}`;
    rows.push(
      await measure(what, runs, async () => {
        const matchers = selector.map(([name, op, value]) => createMatcher(name, op, value));
        return index.select(matchers).length;
      }),
    );
  }
  return rows;
}

async function measure(what: string, runs: number, run: () => Promise<number>): Promise<BenchRow> {
  const cpu: number[] = [];
  const wall: number[] = [];
  let series = 0;
  for (let i = 0; i < runs; i++) {
    const [cpuBefore, wallBefore] = [process.cpuUsage(), performance.now()];
    series = await run();
    const used = process.cpuUsage(cpuBefore);
    cpu.push((used.user + used.system) / 1000);
    wall.push(performance.now() - wallBefore);
  }
  return { what, cpuMs: median(cpu), wallMs: median(wall), firstMs: wall[0], series };
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

if (import.meta.main) {
  const args = process.argv.slice(2);
  const at = args.indexOf('--runs');
  const runs = at < 0 ? 5 : Number(args[at + 1]);
  const named = at < 0 ? args : args.toSpliced(at, 2);
  console.log(`node ${process.version}, medians of ${runs} runs`);
  for (const name of named.length > 0 ? named : Object.keys(PARTS)) {
    if (!PARTS[name])
      throw new Error(`bench: got the part ${name}, accepted is one of: ${Object.keys(PARTS).join(', ')}`);
    console.log(`${name}:`);
    for (const row of await PARTS[name](runs)) {
      const times = `${row.cpuMs.toFixed(1).padStart(9)} ms CPU ${row.wallMs.toFixed(1).padStart(9)} ms wall ${row.firstMs.toFixed(1).padStart(8)} ms first`;
      console.log(`${times} ${String(row.series).padStart(7)} series  ${row.what}`);
    }
  }
}
