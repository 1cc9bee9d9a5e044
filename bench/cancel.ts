// How soon work ends when its client hangs up: npm run bench cancel [runs] [parts of names, with commas]. Starts the program with 2 million samples of
// 1,000 series, 300,000 series, 200,000 log lines and 40,000 spans, asks over HTTP, closes the socket at a random moment
// before the answer is there, and watches the threads until they are quiet. Prints for each kind of request the
// milliseconds from the close to the last work (median, 95th percentile, worst) and the CPU milliseconds of that work.
import net from 'node:net';
import { labelsFromRecord } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import { BAROGRAPH, median, newFolder, type RunningPeer, startPeer } from './lab/peers.ts';
import { ThreadWatch, type WorkAfter } from './lab/thread-watch.ts';

const RUNS = Number(process.argv[2] ?? 25);
const NAMED = (process.argv[3] ?? '').split(',');
const STEP_MS = 15_000;
const SAMPLES = 2000;
const LOADS = 1000;
const WIDE = 300_000;
const LINES = 200_000;
const TRACES = 5000;
const END_MS = Math.floor(Date.now() / STEP_MS) * STEP_MS;
const START_MS = END_MS - (SAMPLES - 1) * STEP_MS;
const MAX_WAIT_MS = 30_000;
/** Requests are closed within their first so many milliseconds. */
const MAX_DELAY_MS = 1500;

interface Phase {
  readonly name: string;
  readonly path: string;
  readonly params?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  readonly accept?: string;
  /** Requests of this kind at once; all are closed together. Default 1. */
  readonly at?: number;
}

const [start, end] = [String(START_MS / 1000), String(END_MS / 1000)];
const [startNs, endNs] = [`${START_MS}000000`, `${END_MS + 1}000000`];

const PHASES: readonly Phase[] = [
  {
    name: '16 at once, most waiting for a place',
    path: '/api/v1/query_range',
    params: { query: 'quantile_over_time(0.5, load[2h])', start, end, step: '3' },
    at: 16,
  },
  { name: 'reading columns', path: '/api/v1/query', params: { query: 'count_over_time(load[9h])', time: end } },
  {
    name: 'evaluating: windows',
    path: '/api/v1/query_range',
    params: { query: 'quantile_over_time(0.5, load[2h])', start, end, step: '3' },
  },
  {
    name: 'evaluating: subquery',
    path: '/api/v1/query_range',
    params: { query: 'max_over_time(rate(load[5m])[1h:15s])', start, end, step: '15' },
  },
  {
    name: 'aggregating',
    path: '/api/v1/query_range',
    params: { query: 'topk(50, rate(load[5m])) or sum by (job) (load)', start, end, step: '3' },
  },
  {
    name: 'joining',
    path: '/api/v1/query_range',
    params: { query: 'load / on (job) group_left () load > 0', start, end, step: '3' },
  },
  {
    name: 'encoding an answer of 11 million samples',
    path: '/api/v1/query_range',
    params: { query: 'load', start, end, step: '3' },
  },
  {
    name: 'compressing it',
    path: '/api/v1/query_range',
    params: { query: 'load', start, end, step: '6' },
    accept: 'gzip',
  },
  { name: '300,000 series at one time', path: '/api/v1/query', params: { query: '{__name__=~"wide.*"}', time: end } },
  { name: 'series', path: '/api/v1/series', params: { 'match[]': '{__name__=~"wide.*"}' } },
  { name: 'series in a range', path: '/api/v1/series', params: { 'match[]': '{instance!=""}', start, end } },
  { name: 'labels', path: '/api/v1/labels', params: { 'match[]': '{__name__=~"wide.*"}', start, end } },
  { name: 'label values', path: '/api/v1/label/instance/values', params: { 'match[]': '{instance=~"h.*"}' } },
  { name: 'status/tsdb', path: '/api/v1/status/tsdb' },
  { name: 'search', path: '/api/v1/search/metric_names', params: { 'search[]': 'wide_99', fuzz_alg: 'jarowinkler' } },
  { name: 'federate', path: '/federate', params: { 'match[]': '{__name__=~"wide.*"}' } },
  { name: 'remote read, streamed', path: '/api/v1/read', body: readBody('streamed_xor_chunks') },
  { name: 'remote read, samples', path: '/api/v1/read', body: readBody('samples') },
  {
    name: 'LogQL, lines that match nothing',
    path: '/loki/api/v1/query_range',
    params: { query: '{job="gate"} | json | logfmt | took > 1h', start: startNs, end: endNs, limit: '100' },
  },
  {
    name: 'LogQL, a metric',
    path: '/loki/api/v1/query_range',
    params: {
      query: 'sum by (outcome) (rate({job="gate"} | logfmt [5m]))',
      start: startNs,
      end: endNs,
      step: '15s',
    },
  },
  {
    name: 'TraceQL, every trace a candidate',
    path: '/api/search',
    params: { q: '{ span.n = 1 } >> { span.n = -1 }', start, end, limit: '20' },
  },
  {
    name: 'TraceQL, a metric',
    path: '/api/metrics/query_range',
    params: { q: '{} | quantile_over_time(duration, .5) by (span.n)', start, end, step: '60s' },
  },
];

/** A field of a protobuf message: a number, or bytes with their length. */
function field(tag: number, value: number | Buffer): Buffer {
  const varint = (n: number): number[] => (n < 128 ? [n] : [(n % 128) | 128, ...varint(Math.floor(n / 128))]);
  if (typeof value === 'number') return Buffer.from([tag << 3, ...varint(value)]);
  return Buffer.concat([Buffer.from([(tag << 3) | 2, ...varint(value.length)]), value]);
}

/** Prometheus's `ReadRequest` for all samples of `load`, or, where they come whole, of 900 of its series. */
function readBody(kind: 'samples' | 'streamed_xor_chunks'): Buffer {
  const matcher = (type: number, name: string, value: string): Buffer =>
    field(3, Buffer.concat([field(1, type), field(2, Buffer.from(name)), field(3, Buffer.from(value))]));
  const matchers = [matcher(0, '__name__', 'load')];
  if (kind === 'samples') matchers.push(matcher(2, 'job', 'j[0-8]..?'));
  const query = Buffer.concat([field(1, START_MS), field(2, END_MS), ...matchers]);
  const types = kind === 'samples' ? [0] : [1];
  return Buffer.from(snappyCompress(Buffer.concat([field(1, query), field(2, Buffer.from(types))])));
}

async function post(url: string, type: string, body: Buffer | string, encoding?: string): Promise<void> {
  const headers: Record<string, string> = { 'content-type': type };
  if (encoding !== undefined) headers['content-encoding'] = encoding;
  const answer = await fetch(url, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${(await answer.text()).slice(0, 300)}`);
}

/** Writes series of which sample `i` is at `timeOf(i)`. */
async function write(url: string, series: readonly string[][], count: number, timeOf: (i: number) => number) {
  const rows = series.length * count;
  const body = encodeWriteRequest({
    series,
    sampleSeries: Uint32Array.from({ length: rows }, (_, i) => i % series.length),
    sampleTimestampMs: Float64Array.from({ length: rows }, (_, i) => timeOf(Math.floor(i / series.length))),
    sampleValue: Float64Array.from({ length: rows }, (_, i) => (i * 7919) % 1000),
  });
  await post(`${url}/api/v1/write`, 'application/x-protobuf', Buffer.from(snappyCompress(body)), 'snappy');
}

async function load(url: string): Promise<void> {
  const loads = Array.from(
    { length: LOADS },
    (_, i) => labelsFromRecord({ __name__: 'load', job: `j${i}` }) as string[],
  );
  for (let from = 0; from < SAMPLES; from += 100) await write(url, loads, 100, (i) => START_MS + (from + i) * STEP_MS);
  for (let from = 0; from < WIDE; from += 20_000) {
    const wide = Array.from({ length: 20_000 }, (_, i) => {
      const n = from + i;
      return labelsFromRecord({
        __name__: `wide_${n % 1000}`,
        instance: `h${Math.floor(n / 1000)}`,
        job: 'w',
      }) as string[];
    });
    await write(url, wide, 1, () => END_MS);
  }
  const outcomes = ['ok', 'ok', 'refused', 'timeout', 'error'];
  for (let from = 0; from < LINES; from += 10_000) {
    const values = Array.from({ length: 10_000 }, (_, i) => {
      const n = from + i;
      const ms = START_MS + Math.floor(((END_MS - START_MS) * n) / LINES);
      return [
        `${ms}000000`,
        `level=info event=request outcome=${outcomes[n % 5]} response_tokens=${n % 900} took=${n % 9}s`,
      ];
    });
    await post(
      `${url}/loki/api/v1/push`,
      'application/json',
      JSON.stringify({ streams: [{ stream: { job: 'gate' }, values }] }),
    );
  }
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
  for (let from = 0; from < TRACES; from += 500) {
    const spans = Array.from({ length: 500 * 8 }, (_, i) => {
      const [trace, n] = [from + Math.floor(i / 8), i % 8];
      const ms = START_MS + Math.floor(((END_MS - START_MS) * trace) / TRACES) + n;
      return {
        traceId: hex(trace + 1, 32),
        spanId: hex(trace * 8 + n + 1, 16),
        parentSpanId: n === 0 ? '' : hex(trace * 8 + n, 16),
        name: `stage-${n}`,
        kind: 1,
        startTimeUnixNano: `${ms}000000`,
        endTimeUnixNano: `${ms + 100 + (i % 90)}000000`,
        attributes: [{ key: 'n', value: { intValue: String(n) } }],
      };
    });
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'gate' } }] };
    const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
    await post(`${url}/v1/traces`, 'application/json', body);
  }
}

/** Sends a request on a socket of its own; `done` resolves with its status once the whole answer is there. */
function open(url: string, phase: Phase): { socket: net.Socket; done: Promise<number> } {
  const { port } = new URL(url);
  const query = phase.params ? `?${new URLSearchParams(phase.params)}` : '';
  const { body } = phase;
  const headers = [
    `${body ? 'POST' : 'GET'} ${phase.path}${query} HTTP/1.1`,
    'host: bench',
    'connection: close',
    ...(phase.accept ? [`accept-encoding: ${phase.accept}`] : []),
    ...(body
      ? ['content-type: application/x-protobuf', 'content-encoding: snappy', `content-length: ${body.length}`]
      : []),
  ];
  const socket = net.connect(Number(port), '127.0.0.1');
  socket.write(`${headers.join('\r\n')}\r\n\r\n`);
  if (body) socket.write(body);
  const done = new Promise<number>((resolve, reject) => {
    let status = 0;
    socket.on('data', (data: Buffer) => {
      if (status === 0) status = Number(data.toString('latin1', 9, 12));
    });
    socket.on('end', () => resolve(status));
    socket.on('error', reject);
    socket.on('close', () => resolve(status));
  });
  return { socket, done };
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds that a request takes when it may go on, at most `MAX_WAIT_MS`. */
async function fullTime(url: string, phase: Phase): Promise<number> {
  const started = performance.now();
  const { socket, done } = open(url, { ...phase, at: 1 });
  const status = await Promise.race([done, wait(MAX_WAIT_MS)]);
  if (status !== undefined && status !== 200) throw new Error(`${phase.name}: status ${status}`);
  socket.destroy();
  return performance.now() - started;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
}

const line = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`);
const shown = (ms: number): string => ms.toFixed(ms < 10 ? 1 : 0);

let program: RunningPeer | undefined;
try {
  program = await startPeer(BAROGRAPH, newFolder());
  const { url, pid } = program;
  await load(url);
  await wait(2000);
  line([
    'request',
    'whole, ms',
    'closed',
    'idle after, ms: median',
    'p95',
    'worst',
    'CPU ms of it: median',
    'worst',
    'main thread',
  ]);
  line(Array.from({ length: 9 }, (_, i) => (i === 0 ? '---' : '--:')));
  const all: WorkAfter[] = [];
  for (const phase of PHASES.filter(({ name }) => NAMED.some((part) => name.includes(part)))) {
    // Once to warm up, and once to know how long it takes.
    await fullTime(url, phase);
    const wholeMs = await fullTime(url, phase);
    await wait(300);
    const found: WorkAfter[] = [];
    for (let run = 0; run < RUNS; run++) {
      const watch = new ThreadWatch(pid);
      const opened = Array.from({ length: phase.at ?? 1 }, () => open(url, phase));
      let isDone = false;
      for (const { done } of opened) {
        done.then(
          () => (isDone = true),
          () => {},
        );
      }
      await wait(Math.random() * Math.min(wholeMs * 0.9, MAX_DELAY_MS));
      const close = (): void => {
        for (const { socket } of opened) socket.destroy();
      };
      if (!isDone) found.push(watch.after(close));
      close();
      watch.close();
      await wait(30);
    }
    all.push(...found);
    line([phase.name, shown(wholeMs), ...rowOf(found)]);
  }
  line(['all', '', ...rowOf(all)]);
} finally {
  await program?.remove();
}

function rowOf(found: readonly WorkAfter[]): string[] {
  const [idle, cpu, main] = [
    found.map((one) => one.idleAfterMs),
    found.map((one) => one.workersCpuMs),
    found.map((one) => one.mainCpuMs),
  ];
  const worst = Math.max(...idle);
  return [
    String(found.length),
    ...[median(idle), percentile(idle, 0.95), worst, median(cpu), Math.max(...cpu), median(main)].map(shown),
  ];
}
