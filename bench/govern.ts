// A cardinality bomb of a million request IDs a minute against Barograph, Prometheus and VictoriaMetrics in one run, each
// over what it speaks: memory and series over time, the pane's queries before, during and after, CPU, and whether the totals
// are those that were sent.
//   npm run bench govern                 60 s of bomb each
//   npm run bench govern -- 20 barograph 20 s, one system
// Writes results as JSON to the file that BAROGRAPH_BENCH_OUT names. Peers are looked for in BAROGRAPH_PEERS.
import fs from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { expandQuery, PANE } from '../server/dashboards/index.ts';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import type { BombReport, BombTarget } from './lab/bomb.ts';
import { newFolder, type Peer, presentPeers, type RunningPeer, startPeer, usageOf } from './lab/peers.ts';

const SECONDS = Number(process.argv[2] ?? 60);
const ONLY = process.argv[3];
const IDS_PER_MINUTE = 1_000_000;
const CALM_SECONDS = Math.min(20, SECONDS);
const HISTORY_SECONDS = 3600;
const STEP_SECONDS = 15;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Which phase of a system's run it is. */
const PHASES = ['before', 'during', 'after'] as const;
type Phase = (typeof PHASES)[number];

/** What one system did. */
interface Result {
  readonly name: string;
  readonly bomb: BombReport;
  readonly series: Record<Phase, number>;
  /** Milliseconds of the pane's queries. */
  readonly p95: Record<Phase, number>;
  readonly median: Record<Phase, number>;
  readonly queries: Record<Phase, number>;
  readonly failedQueries: number;
  /** Per second. */
  readonly cpuPerSecond: Record<Phase, number>;
  /** MiB, one a second. */
  readonly resident: { second: number; mib: number; phase: Phase }[];
  readonly sums: { readonly write: number; readonly otlp: number; readonly lines: number };
  /** What was acknowledged, the warm-up included. */
  readonly sent: Result['sums'];
  /** Milliseconds of the cardinality page's answers during the bomb; empty where there is none. */
  readonly cardinality: { readonly p95: number; readonly worst: number; readonly offered: number } | undefined;
}

/** A fleet as a gateway tells of it: 40 label sets, with the buckets of the contract's histograms. */
const fleet = Array.from({ length: 40 }, (_, i) => ({
  customer_tier: `tier-${i % 2}`,
  deployment: `chat-${i % 10}`,
  environment: 'production',
  job: 'llm-gateway',
  model_version: `llama-3.1-${i % 5}b`,
  region: `eu-${i % 4}`,
}));
const BOUNDS = ['0.01', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '30', '+Inf'];
const series = fleet.flatMap((labels) => [
  ...['inference_ttft_seconds', 'inference_total_latency_seconds', 'inference_token_count'].flatMap((base) => {
    const own: Record<string, string> =
      base === 'inference_token_count' ? { token_type: 'input' } : { token_bucket: 'le512' };
    const all = { ...labels, ...own };
    return [
      ...BOUNDS.map((le) => ({ ...all, __name__: `${base}_bucket`, le })),
      { ...all, __name__: `${base}_sum` },
      { ...all, __name__: `${base}_count` },
    ];
  }),
  ...['ok', 'error', 'timeout'].map((outcome) => ({ ...labels, __name__: 'inference_requests_total', outcome })),
  ...['input', 'output'].map((token_type) => ({ ...labels, __name__: 'inference_tokens_total', token_type })),
]);
const labelSets = series.map((labels) => labelsFromRecord(labels as Readonly<Record<string, string>>));
const sampleSeries = Uint32Array.from(labelSets, (_, i) => i);

async function writeFleet(url: string, timeMs: number, startMs: number): Promise<void> {
  const sampleValue = Float64Array.from(sampleSeries, (i) => ((timeMs - startMs) / 1000) * (1 + (i % 13)));
  const sampleTimestampMs = new Float64Array(labelSets.length).fill(timeMs);
  const body = snappyCompress(encodeWriteRequest({ series: labelSets, sampleSeries, sampleTimestampMs, sampleValue }));
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const response = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text.slice(0, 200)}`);
}

const PANE_QUERIES = PANE.rows
  .flatMap(({ panels }) => panels)
  .flatMap((panel) => panel.queries.filter(({ language }) => language === 'promql'))
  .map(({ expr }) => {
    const context = { filters: {}, labels: [], stepSeconds: STEP_SECONDS, sampleIntervalSeconds: 15 };
    return expandQuery(expr, 'promql', context);
  });

/** Milliseconds until an answer is there, or `undefined` where it failed. */
async function timed(url: string, form?: URLSearchParams): Promise<number | undefined> {
  const started = performance.now();
  const response = await fetch(url, form ? { method: 'POST', body: form } : {});
  await response.arrayBuffer();
  return response.ok ? performance.now() - started : undefined;
}

/** The value of an instant query, 0 where there is none. */
async function valueNow(url: string, query: string): Promise<number> {
  const response = await fetch(`${url}?${new URLSearchParams({ query })}`);
  const body = (await response.json()) as { data?: { result?: { value: [number, string] }[] } };
  return Number(body.data?.result?.[0]?.value[1] ?? 0);
}

/** Series that the system keeps, by its own metrics. */
async function storedSeries(url: string): Promise<number> {
  const own = await (await fetch(`${url}/metrics`)).text();
  const found =
    /^(?:barograph_store_series|prometheus_tsdb_head_series|vm_cache_entries\{type="storage\/hour_metric_ids"\}) (\S+)/m.exec(
      own,
    );
  return Number(found?.[1] ?? 0);
}

const quantile = (values: number[], q: number) => [...values].sort((a, b) => a - b)[Math.floor(q * values.length)] ?? 0;
const byPhase = <T>(of: (phase: Phase) => T) =>
  Object.fromEntries(PHASES.map((phase) => [phase, of(phase)])) as Record<Phase, T>;

function targetsOf({
  name,
  url,
  ports,
}: RunningPeer & { ports: number[] }): Pick<BombTarget, 'write' | 'otlp' | 'loki'> {
  const write = `${url}/api/v1/write`;
  if (name === 'barograph')
    return { write, otlp: `http://127.0.0.1:${ports[0]}/v1/metrics`, loki: `${url}/loki/api/v1/push` };
  // Debian's Prometheus is built without OTLP, so all of its IDs come by remote write.
  const otlp = name === 'prometheus' ? undefined : `${url}/opentelemetry/v1/metrics`;
  return { write, otlp, loki: undefined };
}

async function run(peer: Peer): Promise<Result> {
  const system = await startPeer(peer, newFolder());
  try {
    return await measure(system);
  } finally {
    await system.remove();
  }
}

async function measure(system: RunningPeer): Promise<Result> {
  const { url, pid, name } = system;
  const targets = targetsOf({ ...system, ports: [Number(new URL(url).port) + 1] });
  const startMs = Math.floor(Date.now() / 1000 - HISTORY_SECONDS) * 1000;
  for (let ms = startMs; ms < Date.now(); ms += STEP_SECONDS * 1000) await writeFleet(targets.write, ms, startMs);
  let phase: Phase = 'before';
  let isOver = false;
  let failedQueries = 0;
  const times = byPhase(() => [] as number[]);
  const resident: Result['resident'] = [];
  const cardinality: number[] = [];
  const began = performance.now();
  const fleetLoop = async () => {
    for (; !isOver; await sleep(5000)) await writeFleet(targets.write, Date.now(), startMs);
  };
  const queryLoop = async () => {
    for (let i = 0; !isOver; i++, await sleep(50)) {
      const end = Date.now() / 1000;
      const range = { start: `${end - HISTORY_SECONDS}`, end: `${end}`, step: `${STEP_SECONDS}`, nocache: '1' };
      const form = new URLSearchParams({ query: PANE_QUERIES[i % PANE_QUERIES.length], ...range });
      const asked = phase;
      const ms = await timed(`${url}/api/v1/query_range`, form);
      if (ms === undefined) failedQueries++;
      else times[asked].push(ms);
    }
  };
  const memoryLoop = async () => {
    for (; !isOver; await sleep(1000)) {
      const second = Math.round((performance.now() - began) / 1000);
      resident.push({ second, mib: Math.round(usageOf(pid).residentMiB), phase });
      if (name !== 'barograph' || phase !== 'during') continue;
      const ms = await timed(`${url}/api/barograph/v1/cardinality?limit=200`);
      if (ms !== undefined) cardinality.push(ms);
    }
  };
  const seriesAt = {} as Record<Phase, number>;
  const cpuAt = {} as Record<Phase, number>;
  const loops = Promise.all([fleetLoop(), queryLoop(), memoryLoop()]);
  // What is warmed up before counts for nothing: code that is compiled, caches, and a little of the bomb itself.
  const warmUp = await explode({ ...targets, idsPerMinute: IDS_PER_MINUTE, seconds: CALM_SECONDS, firstId: 0 });
  await sleep(5000);
  times.before.length = 0;
  resident.length = 0;
  const enter = async (next: Phase, work: () => Promise<unknown>) => {
    phase = next;
    const cpu = usageOf(pid).cpuSeconds;
    const started = performance.now();
    await work();
    cpuAt[next] = (usageOf(pid).cpuSeconds - cpu) / ((performance.now() - started) / 1000);
    seriesAt[next] = await storedSeries(url);
  };
  await enter('before', () => sleep(CALM_SECONDS * 1000));
  let bomb = {} as BombReport;
  await enter('during', async () => {
    bomb = await explode({ ...targets, idsPerMinute: IDS_PER_MINUTE, seconds: SECONDS, firstId: 100_000_000 });
  });
  await enter('after', () => sleep(CALM_SECONDS * 1000));
  isOver = true;
  await loops;
  // VictoriaMetrics shows samples once they are half a minute old.
  if (name === 'victoria-metrics') await sleep(35_000);
  const sums = await sumsOf(url, name);
  return {
    name,
    bomb,
    series: seriesAt,
    p95: byPhase((at) => quantile(times[at], 0.95)),
    median: byPhase((at) => quantile(times[at], 0.5)),
    queries: byPhase((at) => times[at].length),
    failedQueries,
    cpuPerSecond: cpuAt,
    resident,
    sums,
    sent: {
      write: warmUp.writeSum + bomb.writeSum,
      otlp: warmUp.otlpSum + bomb.otlpSum,
      lines: warmUp.lines + bomb.lines,
    },
    cardinality: await cardinalityOf(url, cardinality),
  };
}

/** What the system says was counted, however old. */
async function sumsOf(url: string, name: string): Promise<Result['sums']> {
  const query = `${url}/api/v1/query`;
  const write = await valueNow(query, 'sum(last_over_time(bomb_write_total[30m]))');
  const otlp = await valueNow(query, 'sum(last_over_time({__name__=~"bomb[._]otlp(_total)?"}[30m]))');
  if (name !== 'barograph') return { write, otlp, lines: 0 };
  const lines = await valueNow(`${url}/loki/api/v1/query`, 'sum(count_over_time({service_name="bomb"}[30m]))');
  return { write, otlp, lines };
}

async function cardinalityOf(url: string, times: number[]): Promise<Result['cardinality']> {
  if (times.length === 0) return undefined;
  const answer = await (await fetch(`${url}/api/barograph/v1/cardinality`)).json();
  const { offered } = (answer as { data: { offered?: number; total?: { offered: number } } }).data;
  return { p95: quantile(times, 0.95), worst: Math.max(...times), offered: offered ?? 0 };
}

function explode(target: BombTarget): Promise<BombReport> {
  return new Promise((resolve, reject) => {
    const file = path.join(import.meta.dirname, 'lab', 'bomb.ts');
    const worker = new Worker(file, { workerData: target });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

const BARS = '▁▂▃▄▅▆▇█';

/** Memory over time as text: a column every few seconds, from 0 to the highest of all systems. */
function chart({ resident }: Result, highest: number): string {
  const width = 60;
  const columns = Array.from({ length: Math.min(width, resident.length) }, (_, i) => {
    const { mib } = resident[Math.floor((i * resident.length) / Math.min(width, resident.length))];
    return BARS[Math.min(BARS.length - 1, Math.floor((mib / highest) * BARS.length))];
  });
  return columns.join('');
}

function print(results: readonly Result[]): void {
  const highest = Math.max(...results.flatMap(({ resident }) => resident.map(({ mib }) => mib)));
  for (const result of results) {
    const { name, bomb, sums, sent, resident } = result;
    const memory = byPhase((at) => resident.filter(({ phase }) => phase === at).map(({ mib }) => mib));
    console.log(
      `\n${name}: ${bomb.ids} IDs taken, ${bomb.failed} refused${bomb.reason ? ` (${bomb.reason})` : ''}, sender ${(bomb.lateMs / 1000).toFixed(1)} s late at the end`,
    );
    for (const phase of PHASES) {
      const [median, p95] = [result.median[phase].toFixed(1), result.p95[phase].toFixed(1)];
      const cells = [
        `series ${result.series[phase]}`,
        `memory ${quantile(memory[phase], 0.5)} MiB, highest ${Math.max(...memory[phase])}`,
        `queries median ${median} ms, p95 ${p95} ms (${result.queries[phase]})`,
        `CPU ${result.cpuPerSecond[phase].toFixed(2)} s/s`,
      ];
      console.log(`  ${phase.padEnd(7)} ${cells.join(' · ')}`);
    }
    const exact = (said: number, of: number) => `${said} of ${of}`;
    console.log(
      `  totals: remote write ${exact(sums.write, sent.write)}, OTLP ${exact(sums.otlp, sent.otlp)}, log lines ${exact(sums.lines, sent.lines)}; failed queries ${result.failedQueries}`,
    );
    if (result.cardinality) {
      const { p95, worst, offered } = result.cardinality;
      console.log(
        `  cardinality page during the bomb: p95 ${p95.toFixed(1)} ms, worst ${worst.toFixed(1)} ms, ${offered} series offered`,
      );
    }
    console.log(`  memory  ${chart(result, highest)}  0 to ${highest} MiB`);
  }
}

const results: Result[] = [];
for (const peer of presentPeers()) {
  if (ONLY !== undefined && peer.name !== ONLY) continue;
  process.stderr.write(`${peer.name}\n`);
  const result = await run(peer).catch((error: Error) => error);
  if (result instanceof Error) console.log(`${peer.name}: ${result.message} ${result.cause ?? ''}`);
  else results.push(result);
}
print(results);
if (process.env.BAROGRAPH_BENCH_OUT) fs.writeFileSync(process.env.BAROGRAPH_BENCH_OUT, JSON.stringify(results));
