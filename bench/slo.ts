// Measures what a budget over 30 days costs from additive records, beside asking the raw counters: wall milliseconds of the
// PromQL engine in this process over arrays. The store and HTTP are not part of it.
// Usage: node bench/slo.ts [--series N]. Raw counters have a sample each 5 minutes here, a twentieth of what a scrape
// interval of 15 s makes, since 30 days of those don't fit into memory as arrays.
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { labelsFromRecord } from '../server/model/index.ts';
import { queryPromql } from '../server/query/promql/index.ts';
import { MemoryMetricReader } from '../server/query/promql/memory-reader.ts';

const HOUR_MS = 3_600_000;
const DAYS = 30;
const END_MS = DAYS * 24 * HOUR_MS;
const RUNS = 5;
const BUDGET = (total: string, good: string) => `1 - (${total} - ${good}) / (${total} > 0) / 0.01`;

/** `series` of a name, spread over 20 deployments, where each is one of `groups`. */
function fill(reader: MemoryMetricReader, name: string, series: number, stepMs: number, values: Float64Array): void {
  const timestamps = Float64Array.from(values, (_, i) => (i + 1) * stepMs);
  for (let i = 0; i < series; i++) {
    const labels = { __name__: name, slo: 's', deployment: `d${i % 20}`, instance: `i${i}` };
    reader.add({ labels: labelsFromRecord(labels), timestamps, values, histograms: undefined });
  }
}

async function medianMs(reader: MemoryMetricReader, query: string): Promise<{ ms: number; series: number }> {
  const times: number[] = [];
  let series = 0;
  for (let run = 0; run < RUNS; run++) {
    const begin = performance.now();
    const limits = { maxSamples: 1e12 };
    const { value } = await queryPromql(query, { startMs: END_MS, endMs: END_MS, stepMs: 0, limits }, reader);
    times.push(performance.now() - begin);
    if (value.kind === 'vector' || value.kind === 'matrix') series = value.series.length;
  }
  return { ms: times.sort((a, b) => a - b)[Math.floor(RUNS / 2)], series };
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { series: { type: 'string', default: '10000' } } });
  const count = Number(values.series);
  const hours = DAYS * 24;
  const reader = new MemoryMetricReader();
  const counter = Float64Array.from({ length: hours * 12 }, (_, i) => i * 10);
  const hourly = new Float64Array(hours).fill(120);
  fill(reader, 'all_total', count, HOUR_MS / 12, counter);
  fill(reader, 'good_total', count, HOUR_MS / 12, counter);
  fill(reader, 'slo:total:increase1h', 20, HOUR_MS, hourly);
  fill(reader, 'slo:good:increase1h', 20, HOUR_MS, hourly);
  const sum = (name: string) => `sum by (deployment) (increase(${name}[30d]))`;
  const records = (name: string) => `sum_over_time(${name}{slo="s"}[30d])`;
  const rows: [string, string][] = [
    [`${count} raw counters by deployment`, BUDGET(sum('all_total'), sum('good_total'))],
    ['20 deployments from hourly records', BUDGET(records('slo:total:increase1h'), records('slo:good:increase1h'))],
  ];
  for (const [what, query] of rows) {
    const { ms, series } = await medianMs(reader, query);
    console.log(`${what}: ${ms.toFixed(1)} ms, ${series} series`);
  }
  const wide = new MemoryMetricReader();
  fill(wide, 'slo:total:increase1h', count, HOUR_MS, hourly);
  fill(wide, 'slo:good:increase1h', count, HOUR_MS, hourly);
  const { ms, series } = await medianMs(wide, BUDGET(records('slo:total:increase1h'), records('slo:good:increase1h')));
  console.log(`${count} budgets from hourly records: ${ms.toFixed(1)} ms, ${series} series`);
}

await main();
