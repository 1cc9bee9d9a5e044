// Compares random queries over random data with a real Prometheus, value by value.
// Usage: node conformance/promql-differential.ts FOLDER_OF_PROGRAMS [queries] [seed] [delayed]
// `delayed` switches delayed name removal on, on both sides; Prometheus 3.5 has it wrong in some cases that are mended since.
// The folder holds `prometheus` and `promtool`. Everything is written to a temporary folder and removed.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { labelsFromRecord, labelsKey, printLabels } from '../server/model/index.ts';
import { queryPromql } from '../server/query/promql/index.ts';
import { MemoryMetricReader } from '../server/query/promql/memory-reader.ts';
import { parseFloatGo } from './promql-notation.ts';
import { type RandomSeries, randomData, randomQuery, seeded } from './promql-random.ts';

const DATA_END_MS = 2 * 3_600_000;
const QUERY = { startMs: 1_200_000, endMs: 6_600_000, stepMs: 300_000 };

const DELAYED = process.argv[5] === 'delayed';

/** Values by time in milliseconds, by labels; or the error. */
type Outcome = { readonly error: string } | { readonly series: Map<string, Map<number, number>> };

/** Starts a Prometheus that holds the data and gives its address. */
async function startPrometheus(bin: string, data: readonly RandomSeries[]): Promise<{ url: string; stop: () => void }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'promql-differential-'));
  const lines = [...new Set(data.map(({ metric }) => metric))].flatMap((metric) => [
    `# TYPE ${metric} unknown`,
    ...data.filter((series) => series.metric === metric).flatMap(openMetrics),
  ]);
  fs.writeFileSync(path.join(folder, 'data.om'), `${lines.join('\n')}\n# EOF\n`);
  const storage = path.join(folder, 'storage');
  execFileSync(path.join(bin, 'promtool'), [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    path.join(folder, 'data.om'),
    storage,
  ]);
  fs.writeFileSync(path.join(folder, 'prometheus.yml'), 'global: {}\n');
  const port = await freePort();
  const child = spawn(
    path.join(bin, 'prometheus'),
    [
      `--config.file=${path.join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${storage}`,
      '--storage.tsdb.retention.time=100y',
      `--web.listen-address=127.0.0.1:${port}`,
      ...(DELAYED ? ['--enable-feature=promql-delayed-name-removal'] : []),
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  const stop = (): void => {
    child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; tries < 100; tries++) {
    const ready = await fetch(`${url}/-/ready`).catch(() => undefined);
    if (ready?.ok) return { url, stop };
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  stop();
  throw new Error(`${bin}/prometheus was not ready within 20 s`);
}

function openMetrics({ metric, labels, points }: RandomSeries): string[] {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value}"`);
  return points.map(
    ({ ms, value }) => `${metric}{${pairs.join(',')}} ${value === Infinity ? '+Inf' : value} ${ms / 1000}`,
  );
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ask(url: string, query: string): Promise<Outcome> {
  const params = new URLSearchParams({
    query,
    start: String(QUERY.startMs / 1000),
    end: String(QUERY.endMs / 1000),
    step: String(QUERY.stepMs / 1000),
  });
  const answer = (await (await fetch(`${url}/api/v1/query_range`, { method: 'POST', body: params })).json()) as {
    error?: string;
    data?: { result: { metric: Record<string, string>; values: [number, string][] }[] };
  };
  if (!answer.data) return { error: answer.error ?? 'no data' };
  const series = answer.data.result.map(({ metric, values }) => {
    const points = values.map(([t, v]) => [Math.round(t * 1000), parseFloatGo(v)] as const);
    return [labelsKey(labelsFromRecord(metric)), new Map(points)] as const;
  });
  return { series: new Map(series) };
}

async function evaluate(reader: MemoryMetricReader, query: string): Promise<Outcome> {
  try {
    const { value, steps } = await queryPromql(query, { ...QUERY, delayedNameRemoval: DELAYED }, reader);
    if (value.kind === 'scalar') {
      const points = Array.from(value.values, (v, i) => [steps.startMs + i * steps.stepMs, v] as const);
      return { series: new Map([['', new Map(points)]]) };
    }
    const series = new Map<string, Map<number, number>>();
    if (value.kind !== 'vector') return { error: `got a ${value.kind}` };
    for (const { labels, values, has } of value.series) {
      const points = new Map<number, number>();
      for (let i = 0; i < values.length; i++) if (has[i]) points.set(steps.startMs + i * steps.stepMs, values[i]);
      if (points.size > 0) series.set(labelsKey(labels), points);
    }
    return { series };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Differences that are known, and why they stay. */
const EXPLAINED: readonly { readonly query: RegExp; readonly why: string }[] = [
  {
    query: /timestamp\([^()]*@/,
    why: 'Prometheus 3.5 misses samples that are older than the newest step when timestamp() meets @',
  },
  {
    query: /(count_values|%).*(ln|log|exp|sin|atan|deg|\^|avg|rate|quantile|std)|(ln|log|exp|sin|atan|deg|\^).*%/,
    why: 'the result shows the last digit of a value, which depends on the mathematics library',
  },
  {
    query: /(<=|>=|==|!=|<|>)/,
    why: 'Prometheus 3.5 misses many-to-one matches of comparisons whose results are all filtered away',
  },
];

function explanation(query: string, problem: string): string | undefined {
  const filtered = /many-to-one/.test(problem);
  return EXPLAINED.find(({ query: pattern, why }) => pattern.test(query) && (filtered || !why.includes('many-to-one')))
    ?.why;
}

/** What differs, or `undefined`. Errors are equal whatever they say. */
function difference(theirs: Outcome, ours: Outcome): string | undefined {
  if ('error' in theirs || 'error' in ours) {
    if ('error' in theirs && 'error' in ours) return undefined;
    return `theirs ${describe(theirs)}, ours ${describe(ours)}`;
  }
  for (const key of new Set([...theirs.series.keys(), ...ours.series.keys()])) {
    const [a, b] = [theirs.series.get(key), ours.series.get(key)];
    const name = printLabels(key === '' ? [] : key.split('\u00ff\u00fe'));
    if (!a || !b) return `${name} only in ${a ? 'theirs' : 'ours'}`;
    for (const ms of new Set([...a.keys(), ...b.keys()])) {
      const [x, y] = [a.get(ms), b.get(ms)];
      if (x === undefined || y === undefined || !close(x, y)) return `${name} at ${ms / 1000}: theirs ${x}, ours ${y}`;
    }
  }
  return undefined;
}

function describe(outcome: Outcome): string {
  return 'error' in outcome ? `failed (${outcome.error})` : `gave ${outcome.series.size} series`;
}

function close(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}

const [bin, count = '1000', seed = '1'] = process.argv.slice(2);
if (bin === undefined || !fs.existsSync(path.join(bin, 'prometheus'))) {
  console.error(
    `promql-differential: got ${JSON.stringify(bin)}, accepted is a folder that holds prometheus and promtool`,
  );
  process.exit(2);
}
const random = seeded(Number(seed));
const data = randomData(random, DATA_END_MS);
const reader = new MemoryMetricReader();
for (const { metric, labels, points } of data) {
  reader.add({
    labels: labelsFromRecord({ ...labels, __name__: metric }),
    timestamps: Float64Array.from(points, (p) => p.ms),
    values: Float64Array.from(points, (p) => p.value),
    histograms: undefined,
  });
}
const { url, stop } = await startPrometheus(bin, data);
let [differences, explained, failures] = [0, 0, 0];
try {
  for (let i = 0; i < Number(count); i++) {
    const query = randomQuery(random);
    const [theirs, ours] = await Promise.all([ask(url, query), evaluate(reader, query)]);
    if ('error' in theirs) failures++;
    const problem = difference(theirs, ours);
    if (problem === undefined) continue;
    if (explanation(query, problem) !== undefined) {
      explained++;
      continue;
    }
    differences++;
    if (differences <= 30) console.log(`${query}\n    ${problem}`);
  }
} finally {
  stop();
}
console.log(
  `${count} queries (seed ${seed}), ${failures} of them refused by Prometheus, ${differences} differ, ${explained} differ for a known reason`,
);
process.exitCode = differences > 0 ? 1 : 0;
