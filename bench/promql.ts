// Measures the PromQL engine in this process over arrays: CPU milliseconds and the growth of the heap of each query.
// Usage: node bench/promql.ts [series] [samples per series]. The store and HTTP are not part of it.
import { performance } from 'node:perf_hooks';
import { labelsFromRecord } from '../server/model/index.ts';
import { queryPromql } from '../server/query/promql/index.ts';
import { MemoryMetricReader } from '../server/query/promql/memory-reader.ts';

/** One measured query. */
export interface BenchRow {
  readonly query: string;
  /** Median over the runs of CPU milliseconds, user and system. */
  readonly cpuMs: number;
  readonly wallMs: number;
  /** Series of the answer. */
  readonly series: number;
}

const INTERVAL_MS = 15_000;
const LES = ['0.1', '0.25', '0.5', '1', '2.5', '5', '10', '30', '60', '+Inf'];

/** Counters over models and regions, with a reset now and then, and classic histograms; deterministic. */
export function benchReader(series: number, samples: number): MemoryMetricReader {
  const reader = new MemoryMetricReader();
  let seed = 42;
  const random = (): number => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 32;
  };
  const timestamps = Float64Array.from({ length: samples }, (_, i) => i * INTERVAL_MS);
  const counter = (resets = 0): Float64Array => {
    let value = 0;
    return Float64Array.from({ length: samples }, () => (value = random() < resets ? 0 : value + random() * 100));
  };
  for (let i = 0; i < series; i++) {
    const labels = { model_version: `m${i % 20}`, region: `r${i % 7}`, instance: `host-${i}` };
    const add = (record: Record<string, string>): void =>
      reader.add({ labels: labelsFromRecord(record), timestamps, values: counter(0.001), histograms: undefined });
    add({ __name__: 'inference_tokens_total', ...labels });
    if (i % 10 !== 0) continue;
    // Every bucket holds what the one below it holds and more.
    const below = new Float64Array(samples);
    for (const le of LES) {
      counter().forEach((value, at) => {
        below[at] += value;
      });
      const name = { __name__: 'inference_ttft_seconds_bucket', le };
      reader.add({
        labels: labelsFromRecord({ ...name, ...labels }),
        timestamps,
        values: below.slice(),
        histograms: undefined,
      });
    }
  }
  return reader;
}

/** Queries of the pane and hard ones. */
export const BENCH_QUERIES: readonly string[] = [
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

/** Runs every query over the whole range, a step every interval. */
export async function runBench(reader: MemoryMetricReader, samples: number, runs: number): Promise<BenchRow[]> {
  const endMs = (samples - 1) * INTERVAL_MS;
  const rows: BenchRow[] = [];
  for (const query of BENCH_QUERIES) {
    const cpu: number[] = [];
    const wall: number[] = [];
    let found = 0;
    for (let run = 0; run < runs; run++) {
      const [cpuBefore, wallBefore] = [process.cpuUsage(), performance.now()];
      const { value } = await queryPromql(query, { startMs: 0, endMs, stepMs: INTERVAL_MS }, reader);
      const used = process.cpuUsage(cpuBefore);
      cpu.push((used.user + used.system) / 1000);
      wall.push(performance.now() - wallBefore);
      found = value.kind === 'vector' ? value.series.length : 1;
    }
    rows.push({ query, cpuMs: median(cpu), wallMs: median(wall), series: found });
  }
  return rows;
}

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

if (import.meta.main) {
  const [series = 10_000, samples = 240] = process.argv.slice(2).map(Number);
  console.log(`${series} series × ${samples} samples, ${samples} steps, node ${process.version}`);
  for (const row of await runBench(benchReader(series, samples), samples, 5)) {
    const times = `${row.cpuMs.toFixed(0).padStart(7)} ms CPU ${row.wallMs.toFixed(0).padStart(7)} ms wall`;
    console.log(`${times} ${String(row.series).padStart(6)} series  ${row.query}`);
  }
}
