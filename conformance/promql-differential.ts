// Compares random queries over random data with a real Prometheus, value by value.
// Usage: node conformance/promql-differential.ts FOLDER_OF_PROGRAMS [queries] [seed] [delayed] [notes]
// `delayed` switches delayed name removal on, on both sides; Prometheus 3.5 has it wrong in some cases that are mended since.
// `ask=QUERY` shows both answers to one query in place of random ones, `at=MS` makes it instant.
// `notes` compares warnings and infos as well. The folder holds `prometheus`. Everything is written to a temporary folder
// and removed.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {
  bitsOf,
  labelsFromRecord,
  labelsKey,
  type NativeHistogram,
  printLabels,
  setStale,
} from '../server/model/index.ts';
import { encodePrometheus, queryPromql } from '../server/query/promql/index.ts';
import { MemoryMetricReader } from '../server/query/promql/memory-reader.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { withHints } from './promql-load.ts';
import { parseFloatGo, toSamples } from './promql-notation.ts';
import { type Random, type RandomSeries, randomData, randomQuery, seeded } from './promql-random.ts';

const DATA_END_MS = 2 * 3_600_000;
const RANGE = { startMs: 1_200_000, endMs: 6_600_000, stepMs: 300_000 };
/**
 * How much data one remote write request holds: one sample of a series, because Prometheus takes the floats of a request
 * before its histograms, whatever their times.
 */
const WRITE_MS = 15_000;

const DELAYED = process.argv.includes('delayed');
const NOTES = process.argv.includes('notes');

interface Asked {
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
}

/** A value of an answer: a number, or a histogram as JSON has it. */
type Cell = number | JsonHistogram;

interface JsonHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [number, string, string, string])[];
}

/** Values by time in milliseconds, by labels; or the error. */
type Outcome =
  | { readonly error: string }
  | { readonly series: Map<string, Map<number, Cell>>; readonly notes: ReadonlySet<string> };

/** Starts a Prometheus that holds the data and gives its address. */
async function startPrometheus(bin: string, data: readonly RandomSeries[]): Promise<{ url: string; stop: () => void }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'promql-differential-'));
  fs.writeFileSync(path.join(folder, 'prometheus.yml'), 'global: {}\n');
  const port = await freePort();
  const features = ['native-histograms', 'promql-experimental-functions'];
  if (DELAYED) features.push('promql-delayed-name-removal');
  const child = spawn(
    path.join(bin, 'prometheus'),
    [
      `--config.file=${path.join(folder, 'prometheus.yml')}`,
      `--storage.tsdb.path=${path.join(folder, 'storage')}`,
      '--storage.tsdb.retention.time=100y',
      '--web.enable-remote-write-receiver',
      `--web.listen-address=127.0.0.1:${port}`,
      `--enable-feature=${features.join(',')}`,
      '--log.level=error',
    ],
    { stdio: 'ignore' },
  );
  const stop = (): void => {
    child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    await untilReady(url);
    for (let fromMs = 0; fromMs <= DATA_END_MS; fromMs += WRITE_MS) await write(url, data, fromMs);
  } catch (error) {
    stop();
    throw error;
  }
  return { url, stop };
}

async function untilReady(url: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const ready = await fetch(`${url}/-/ready`).catch(() => undefined);
    if (ready?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('Prometheus was not ready within 20 s');
}

/** Sends the samples of one slice of time. */
async function write(url: string, data: readonly RandomSeries[], fromMs: number): Promise<void> {
  const samples: { series: number; ms: number; value: number | undefined }[] = [];
  const histograms: { series: number; timestampMs: number; histogram: NativeHistogram }[] = [];
  data.forEach(({ points }, series) => {
    for (const [ms, point] of points) {
      if (ms < fromMs || ms >= fromMs + WRITE_MS) continue;
      if (point.kind === 'histogram') histograms.push({ series, timestampMs: ms, histogram: point.value });
      else samples.push({ series, ms, value: point.kind === 'float' ? point.value : undefined });
    }
  });
  const sampleValue = Float64Array.from(samples, ({ value }) => value ?? 0);
  const bits = bitsOf(sampleValue);
  samples.forEach(({ value }, i) => {
    if (value === undefined) setStale(bits, i);
  });
  const body = encodeWriteRequest({
    series: data.map(({ metric, labels }) => labelsFromRecord({ ...labels, __name__: metric })),
    sampleSeries: Uint32Array.from(samples, ({ series }) => series),
    sampleTimestampMs: Float64Array.from(samples, ({ ms }) => ms),
    sampleValue,
    histograms,
  });
  const answer = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: Buffer.from(snappyCompress(body)),
  });
  if (!answer.ok) throw new Error(`Prometheus refused data with ${answer.status}: ${await answer.text()}`);
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function ask(url: string, { query, startMs, endMs, stepMs }: Asked): Promise<Outcome> {
  const times: Record<string, string> =
    stepMs === 0
      ? { time: String(startMs / 1000) }
      : { start: String(startMs / 1000), end: String(endMs / 1000), step: String(stepMs / 1000) };
  const params = new URLSearchParams({ query, ...times });
  const route = stepMs === 0 ? 'query' : 'query_range';
  return read(await (await fetch(`${url}/api/v1/${route}`, { method: 'POST', body: params })).json());
}

/** Small, so that aggregations are made in several parts. */
const PART_SAMPLES = 60;

async function evaluate(reader: MemoryMetricReader, { query, ...times }: Asked): Promise<Outcome> {
  try {
    const result = await queryPromql(
      query,
      { ...times, delayedNameRemoval: DELAYED, partSamples: PART_SAMPLES },
      reader,
    );
    return read(JSON.parse(Buffer.from(encodePrometheus(result)).toString()));
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

interface JsonSeries {
  readonly metric: Record<string, string>;
  readonly value?: readonly [number, string];
  readonly histogram?: readonly [number, JsonHistogram];
  readonly values?: readonly (readonly [number, string])[];
  readonly histograms?: readonly (readonly [number, JsonHistogram])[];
}

/** The body of an answer, whoever gave it. */
function read(body: unknown): Outcome {
  const { error, data, warnings, infos } = body as {
    error?: string;
    data?: { resultType: string; result: readonly JsonSeries[] | readonly [number, string] };
    warnings?: string[];
    infos?: string[];
  };
  if (!data) return { error: error ?? 'no data' };
  const notes = new Set([...(warnings ?? []), ...(infos ?? [])]);
  if (data.resultType === 'scalar') {
    const [seconds, value] = data.result as readonly [number, string];
    return { series: new Map([['', new Map([[Math.round(seconds * 1000), parseFloatGo(value)]])]]), notes };
  }
  const series = (data.result as readonly JsonSeries[]).map((one) => {
    const points = new Map<number, Cell>();
    for (const [t, v] of one.values ?? (one.value ? [one.value] : []))
      points.set(Math.round(t * 1000), parseFloatGo(v));
    for (const [t, h] of one.histograms ?? (one.histogram ? [one.histogram] : [])) points.set(Math.round(t * 1000), h);
    return [labelsKey(labelsFromRecord(one.metric)), points] as const;
  });
  return { series: new Map(series), notes };
}

/** Differences that are known, and why they stay. `only` limits one to problems that say this. */
const EXPLAINED: readonly { readonly query: RegExp; readonly only?: RegExp; readonly why: string }[] = [
  {
    query: /timestamp\([^()]*@/,
    why: 'Prometheus 3.5 misses samples that are older than the newest step when timestamp() meets @',
  },
  {
    query:
      /(count_values|%|changes).*(ln|log|exp|sin|atan|deg|\^|avg|rate|quantile|std|linear|deriv)|(ln|log|exp|sin|atan|deg|\^).*%/,
    why: 'the result shows the last digit of a value, which depends on the mathematics library and the order of sums',
  },
  {
    query: /(?:rate|increase)\([^[]*\(?nhg/,
    why: 'Prometheus 3.5 does not end extrapolation at the zero of a native histogram',
  },
  {
    query: /count_values.*(nh|mix)/,
    why: 'the result shows bounds of exponential buckets, whose last digit Prometheus takes from a table',
  },
  {
    query: /nh|mix/,
    only: /\[[013],"[^"]*","[^"]*","NaN"\]/,
    why: "Prometheus's storage adds empty buckets of later histograms to earlier ones, and 0/0 makes them visible",
  },
  {
    query: /sort.*histogram_.*[!=]=/,
    only: /only in ours/,
    why: 'Prometheus 3.5 takes what it read out of compared histograms for histograms, and sort leaves those out',
  },
  {
    query: /histogram_(count|sum|avg)\((.*[!=]=|nhc [-+] nhc)/,
    only: /only in|undefined|ours null/,
    why: 'Prometheus 3.5 reads only counts and sums under histogram_count, also where whole histograms are compared or added',
  },
  {
    query: /changes\(+(nh|mix)/,
    why: "Prometheus's storage adds empty buckets of later histograms to earlier ones, which 3.5 counts as changes",
  },
  {
    query: /avg.*\/ 0/,
    why: 'Prometheus 3.5 gives NaN as the mean of infinite histograms',
  },
  {
    query: /(last|first)_over_time\(\(/,
    only: /only in/,
    why: 'with delayed name removal Prometheus 3.5 forgets at a subquery that a name was to be dropped',
  },
  {
    query: /mad_over_time/,
    only: /ours (null|undefined)|only in/,
    why: 'Prometheus 3.5 ranks NaN below every number in mad_over_time; later versions give NaN',
  },
  {
    query: /(resets|rate|increase)\(.*-\(*nh/,
    why: 'a negated histogram is no counter, and its resets mean nothing',
  },
  {
    query: /histogram_quantile.*(\/ 0|\/ -1|-|delta)/,
    why: 'a histogram that has no buckets, or negative counts, has no quantiles: Prometheus 3.5 gives a bound, we give NaN',
  },
  {
    query: /(<=|>=|==|!=|<|>|nh|mix)/,
    only: /many-to-one/,
    why: 'Prometheus 3.5 misses many-to-one matches whose results are all filtered away or have no meaning',
  },
];

function explanation(query: string, problem: string): string | undefined {
  return EXPLAINED.find((known) => known.query.test(query) && (known.only?.test(problem) ?? true))?.why;
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
      if (x === undefined || y === undefined || !sameCell(x, y)) {
        return `${name} at ${ms / 1000}: theirs ${JSON.stringify(x)}, ours ${JSON.stringify(y)}`;
      }
    }
  }
  // The API of Prometheus shows ten notes at most.
  if (!NOTES || theirs.notes.size >= 10) return undefined;
  const [a, b] = [plainNotes(theirs.notes), plainNotes(ours.notes)];
  const [more, less] = [[...a].filter((note) => !b.has(note)), [...b].filter((note) => !a.has(note))];
  return more.length + less.length === 0 ? undefined : `only theirs: ${more.join('; ')}, only ours: ${less.join('; ')}`;
}

/** Remarks that Prometheus makes since 3.5, or that are ours alone. */
const LATER_NOTES = /is experimental|has NaN observations|conflicting counter resets|were reconciled/;

/** Notes in the words of 3.5: versions differ in whether they name the metric. */
function plainNotes(notes: ReadonlySet<string>): Set<string> {
  const kept = [...notes].filter((note) => !LATER_NOTES.test(note));
  return new Set(kept.map((note) => note.replace(/ for metric name "[^"]*"/, '')));
}

function describe(outcome: Outcome): string {
  return 'error' in outcome ? `failed (${outcome.error})` : `gave ${outcome.series.size} series`;
}

function sameCell(a: Cell, b: Cell): boolean {
  if (typeof a === 'number' || typeof b === 'number') return typeof a === typeof b && close(a as number, b as number);
  const [x, y] = [a.buckets ?? [], b.buckets ?? []];
  const texts = [
    [a.count, b.count],
    [a.sum, b.sum],
  ];
  if (x.length !== y.length) return false;
  x.forEach(([rule, ...numbers], i) => {
    texts.push([String(rule), String(y[i][0])], ...numbers.map((text, k) => [text, y[i][k + 1] as string]));
  });
  return texts.every(([one, other]) => close(parseFloatGo(one), parseFloatGo(other)));
}

function close(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  return Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b));
}

/** A random query at random times: most over a range, some at one time. */
function randomAsked(random: Random): Asked {
  const query = randomQuery(random);
  if (random() < 0.75) return { query, ...RANGE };
  const ms = RANGE.startMs + Math.floor(random() * 5400) * 1000;
  return { query, startMs: ms, endMs: ms, stepMs: 0 };
}

const [bin, count = '1000', seed = '1'] = process.argv.slice(2);
if (bin === undefined || !fs.existsSync(path.join(bin, 'prometheus'))) {
  console.error(`promql-differential: got ${JSON.stringify(bin)}, accepted is a folder that holds prometheus`);
  process.exit(2);
}
const random = seeded(Number(seed));
const data = randomData(random, DATA_END_MS);
const reader = new MemoryMetricReader();
for (const { metric, labels, points } of data) {
  reader.add(toSamples(labelsFromRecord({ ...labels, __name__: metric }), withHints(points)));
}
const { url, stop } = await startPrometheus(bin, data);
let [differences, explained, failures] = [0, 0, 0];
/** The value of an argument `name=value`. */
const argument = (name: string): string | undefined => {
  return process.argv.find((text) => text.startsWith(`${name}=`))?.slice(name.length + 1);
};
const [ownQuery, ownMs] = [argument('ask'), Number(argument('at') ?? 0)];
try {
  if (ownQuery !== undefined) {
    const times = ownMs > 0 ? { startMs: ownMs, endMs: ownMs, stepMs: 0 } : RANGE;
    for (const outcome of [
      await ask(url, { query: ownQuery, ...times }),
      await evaluate(reader, { query: ownQuery, ...times }),
    ]) {
      console.dir(outcome, { depth: 8, maxArrayLength: 1000 });
    }
    stop();
    process.exit();
  }
  for (let i = 0; i < Number(count); i++) {
    const asked = randomAsked(random);
    const [theirs, ours] = await Promise.all([ask(url, asked), evaluate(reader, asked)]);
    if ('error' in theirs) failures++;
    let problem = difference(theirs, ours);
    // Once in some thousand queries Prometheus 3.5 answers differently when it is asked again.
    if (problem !== undefined) problem = difference(await ask(url, asked), ours);
    if (problem === undefined) continue;
    if (explanation(asked.query, problem) !== undefined) {
      explained++;
      continue;
    }
    differences++;
    if (differences <= 30)
      console.log(`${asked.query}${asked.stepMs === 0 ? `, at ${asked.startMs}` : ''}\n    ${problem}`);
  }
} finally {
  stop();
}
console.log(
  `${count} queries (seed ${seed}), ${failures} of them refused by Prometheus, ${differences} differ, ${explained} differ for a known reason`,
);
process.exitCode = differences > 0 ? 1 : 0;
