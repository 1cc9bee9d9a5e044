// PromQL over HTTP against Barograph, Prometheus and VictoriaMetrics with the same data, in one run: median and worst of
// the runs in milliseconds, CPU milliseconds a query, peak memory, bytes on disk. The runs of the systems alternate.
//   npm run bench promql                24 hours of 10,000 series at 15 s (57.6 million samples; loading takes minutes)
//   npm run bench promql -- 2 5         2 hours, five runs a query
//   npm run bench promql -- 0.1 5 100000   six minutes of 100,000 series
//   npm run bench promql -- 168 5 800 week   seven days of 800 series, and questions about whole weeks
// Peers and load generator as in bench/ingest.ts. VictoriaMetrics' cache of answers is off for the runs (nocache=1).
import { execFileSync } from 'node:child_process';
import { median, newFolder, presentPeers, type RunningPeer, sendLoad, startPeer, usageOf } from './lab/peers.ts';

const [hours, runs, series] = [2, 3, 4].map((i) => Number(process.argv[i] ?? [24, 7, 10_000][i - 2]));
const asksWeeks = process.argv[5] === 'week';
const HOUR_S = 3600;
/** Data ends here; a round minute keeps the steps of all systems on the same grid. */
const endS = Math.floor(Date.now() / 60_000) * 60 - 60;

interface Question {
  readonly group: 'pane' | 'hard' | 'week';
  readonly query: string;
  /** Hours and step in seconds; instant where there are none. */
  readonly range?: { readonly hours: number; readonly stepS: number };
}

const hour = { hours: 1, stepS: 15 };
const day = { hours: 24, stepS: 600 };
const weeks: readonly Question[] = [
  { group: 'week', query: 'sum by (region) (rate(inference_token_count_total[7d]))' },
  { group: 'week', query: 'topk(10, rate({__name__=~"inference_.+_total"}[7d]))' },
  { group: 'week', query: 'increase(inference_requests_total[7d])' },
  { group: 'week', query: 'avg_over_time(DCGM_FI_DEV_FB_USED[7d])' },
  { group: 'week', query: 'avg_over_time({__name__=~".+"}[7d])' },
  { group: 'week', query: 'sum by (region) (rate(inference_token_count_total[7d]))', range: day },
  { group: 'week', query: 'sum(increase(inference_requests_total[7d]))', range: { hours: 1, stepS: 15 } },
  { group: 'week', query: 'max by (gpu_type) (avg_over_time(DCGM_FI_DEV_FB_USED[7d]))', range: day },
  {
    group: 'week',
    query: 'sum by (model_version) (rate(inference_token_count_total[1h]))',
    range: { hours: 168, stepS: 3600 },
  },
];

const hours24: readonly Question[] = [
  { group: 'pane', query: 'sum by (model_version) (rate(inference_token_count_total[5m]))', range: hour },
  {
    group: 'pane',
    query: 'histogram_quantile(0.5, sum by (le) (rate(inference_ttft_seconds_bucket[5m])))',
    range: hour,
  },
  {
    group: 'pane',
    query: 'histogram_quantile(0.95, sum by (le, model_version) (rate(inference_total_latency_seconds_bucket[5m])))',
    range: hour,
  },
  {
    group: 'pane',
    query: 'sum by (le) (increase(inference_tokens_per_second_bucket[1m]))',
    range: { hours: 1, stepS: 60 },
  },
  {
    group: 'pane',
    query: 'sum(rate(inference_requests_total{customer_tier="pro"}[5m])) / sum(rate(inference_requests_total[5m]))',
    range: hour,
  },
  { group: 'pane', query: 'avg by (gpu_type) (DCGM_FI_DEV_FB_USED)', range: hour },
  { group: 'pane', query: 'max by (instance) (DCGM_FI_DEV_POWER_USAGE)', range: hour },
  { group: 'pane', query: 'sum by (deployment) (rate(inference_requests_total[5m]))' },
  { group: 'hard', query: 'topk(10, {model_version=~".+"})' },
  { group: 'hard', query: 'topk(10, rate({__name__=~"inference_.+"}[5m]))', range: { hours: 1, stepS: 60 } },
  {
    group: 'hard',
    query:
      'histogram_quantile(0.99, sum by (le, deployment, model_version, region) (rate({__name__=~"inference_.+_bucket"}[5m])))',
    range: { hours: 6, stepS: 60 },
  },
  { group: 'hard', query: 'sum by (region) (rate(inference_token_count_total[1d]))', range: { hours: 1, stepS: 60 } },
  {
    group: 'hard',
    query: 'sum by (model_version) (rate(inference_token_count_total[5m]))',
    range: { hours: 24, stepS: 60 },
  },
  { group: 'hard', query: 'max_over_time(avg by (gpu_type) (DCGM_FI_DEV_FB_USED)[1d:5m])' },
  { group: 'hard', query: 'avg_over_time(DCGM_FI_PROF_SM_OCCUPANCY[6h])' },
  { group: 'hard', query: 'count({instance=~"node-1.*:9400", model_version=~"llm-(a|b)-.+", deployment!~"dep-3.?"})' },
  {
    group: 'hard',
    query: 'sum by (region) ({instance=~".+-1[0-9]:.*", model_version=~".*-b-.*|llm-c.+v1", replica!~"1.*"})',
  },
  { group: 'hard', query: 'count by (__name__, deployment) ({__name__=~".+"})' },
];

const questions = asksWeeks ? weeks : hours24;

async function ask(peer: RunningPeer, { query, range }: Question): Promise<number> {
  const spanHours = Math.min(range?.hours ?? 0, hours);
  const params: Record<string, string> = range
    ? { start: String(endS - spanHours * HOUR_S), end: String(endS), step: String(range.stepS) }
    : { time: String(endS) };
  const body = new URLSearchParams({ query, nocache: '1', ...params });
  const response = await fetch(`${peer.url}/api/v1/query${range ? '_range' : ''}`, { method: 'POST', body });
  const answer = await response.text();
  if (!response.ok) throw new Error(`${peer.name}: ${query}: ${answer.slice(0, 200)}`);
  return answer.length;
}

interface Timing {
  readonly wallMs: number;
  readonly cpuMs: number;
}

async function time(peer: RunningPeer, question: Question): Promise<Timing> {
  const cpu = usageOf(peer.pid).cpuSeconds;
  const started = performance.now();
  await ask(peer, question);
  const wallMs = performance.now() - started;
  return { wallMs, cpuMs: (usageOf(peer.pid).cpuSeconds - cpu) * 1000 };
}

const present = presentPeers();
const running: RunningPeer[] = [];
try {
  for (const peer of present) {
    let one = await startPeer(peer, newFolder());
    process.stderr.write(`${peer.name}: loading ${hours} h of ${series} series\n`);
    const scrapes = Math.round((hours * HOUR_S) / 15) + 1;
    const start = (endS - hours * HOUR_S) * 1000;
    const report = await sendLoad(one, { series, scrapes, start, ...(asksWeeks ? { batch: 8000 } : {}) });
    console.log(
      `${peer.name.padEnd(18)} ${report.acked} samples, ${report.samplesPerCpuSecond} samples/CPU s, peak ${report.peakMiB} MiB`,
    );
    // After a restart nothing is in a cache of the program's own.
    await one.stop('SIGTERM');
    const folder = one.folder;
    const started = performance.now();
    one = await startPeer(peer, folder);
    const readyMs = performance.now() - started;
    const first = await time(one, questions[0]);
    console.log(
      `${''.padEnd(18)} ready ${readyMs.toFixed(0)} ms after a restart, first query ${first.wallMs.toFixed(0)} ms`,
    );
    running.push(one);
  }
  for (const question of questions) {
    const timings = new Map<string, Timing[]>(running.map((peer) => [peer.name, []]));
    for (let run = 0; run < runs; run++) {
      for (const peer of running) timings.get(peer.name)?.push(await time(peer, question));
    }
    const { group, range, query } = question;
    console.log(`\n${group}: ${query}${range ? ` over ${range.hours} h every ${range.stepS} s` : ''}`);
    for (const [name, list] of timings) {
      const wall = list.map((one) => one.wallMs);
      const cpu = list.reduce((sum, one) => sum + one.cpuMs, 0) / runs;
      console.log(
        `  ${name.padEnd(18)} ${median(wall).toFixed(1).padStart(8)} ms  worst ${Math.max(...wall)
          .toFixed(1)
          .padStart(8)} ms  ${cpu.toFixed(0).padStart(6)} CPU ms`,
      );
    }
  }
  console.log(asksWeeks ? '\n32 of them at once' : '\n32 panels at once, over 1 h every 15 s');
  const panels = Array.from({ length: 32 }, (_, i) => questions[i % 7]);
  for (const peer of running) {
    const walls: number[] = [];
    for (let run = 0; run < runs; run++) {
      const started = performance.now();
      await Promise.all(panels.map((panel) => ask(peer, panel)));
      walls.push(performance.now() - started);
    }
    console.log(`  ${peer.name.padEnd(18)} ${median(walls).toFixed(0).padStart(8)} ms`);
  }
  console.log('\nat the end');
  for (const peer of running) {
    const disk = Number(execFileSync('du', ['-sb', peer.folder], { encoding: 'utf8' }).split('\t')[0]) / 2 ** 20;
    console.log(
      `  ${peer.name.padEnd(18)} peak ${usageOf(peer.pid).peakMiB.toFixed(0)} MiB, ${disk.toFixed(0)} MiB on disk`,
    );
  }
} finally {
  for (const peer of running) await peer.remove();
}
