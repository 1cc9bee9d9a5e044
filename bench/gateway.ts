// The gateway: what it adds to each event of a stream, beside a plain proxy of node:http and @portkey-ai/gateway, before one
// upstream, in rounds that alternate; and what reading an event costs.
//   npm run bench gateway                     500 streams of 20 events a second, three rounds of 6 s each
//   npm run bench gateway -- 200 20 3 5       200 streams of 20 events a second, three rounds of 5 s
// Portkey's gateway is installed into node_modules/.cache by the lock of bench/peers, whose override is there because it
// answers every stream with a 500 beside the newest @hono/node-server that its ranges allow. `--no-peers` leaves it out.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Instrumentation } from '@barograph/sdk';
import { MemoryBudget } from '../exporters/gateway/memory-budget.ts';
import { OwnMetrics } from '../exporters/gateway/own-metrics.ts';
import { StreamedBody } from '../exporters/gateway/streamed-body.ts';
import { runStreams } from './lab/stream-client.ts';

const ROOT = path.join(import.meta.dirname, '..');
const LAB = path.join(import.meta.dirname, 'lab');
const numbers = process.argv
  .slice(2)
  .filter((arg) => /^\d+$/.test(arg))
  .map(Number);
const [STREAMS = 500, PER_SECOND = 20, ROUNDS = 3, SECONDS = 6] = numbers;
const EVENTS_A_STREAM = 100;
const WARM_UP_SECONDS = 3;
const CLOCK_TICKS = 100;

const children: ChildProcess[] = [];

/** Starts a program. @returns it with the port that it says. */
async function start(args: readonly string[], port: RegExp, env = {}): Promise<{ child: ChildProcess; port: number }> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } });
  children.push(child);
  let said = '';
  return new Promise((resolve, reject) => {
    const onData = (data: Buffer): void => {
      said += data.toString();
      const found = port.exec(said);
      if (found) resolve({ child, port: Number(found[1]) });
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
    child.once('exit', (code) => reject(new Error(`${args[0]} ended with ${code}: ${said.slice(0, 500)}`)));
  });
}

interface Subject {
  readonly name: string;
  readonly port: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly child?: ChildProcess;
}

function installPeers(): string | undefined {
  const folder = path.join(ROOT, 'node_modules', '.cache', 'bench-peers');
  const program = path.join(folder, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js');
  const lock = (folder: string): string => fs.readFileSync(path.join(folder, 'package-lock.json'), 'utf8');
  const peers = path.join(import.meta.dirname, 'peers');
  if (!fs.existsSync(program) || lock(folder) !== lock(peers)) {
    fs.mkdirSync(folder, { recursive: true });
    for (const file of ['package.json', 'package-lock.json'])
      fs.copyFileSync(path.join(peers, file), path.join(folder, file));
    const installed = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], {
      cwd: folder,
      stdio: 'ignore',
    });
    if (installed.status !== 0) return undefined;
  }
  return program;
}

async function startSubjects(upstream: number): Promise<Subject[]> {
  const plain = await start([path.join(LAB, 'plain-proxy.ts'), String(upstream)], /(\d+)/);
  const gateway = await start(
    [
      path.join(ROOT, 'exporters', 'cmd', 'gateway.ts'),
      ...['--upstream', `http://127.0.0.1:${upstream}`, '--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0'],
    ],
    /ready at http:\/\/127\.0\.0\.1:(\d+)/,
  );
  const subjects: Subject[] = [
    { name: 'no proxy', port: upstream },
    { name: 'plain node:http proxy', ...plain },
    { name: 'barograph gateway', ...gateway },
  ];
  const portkey = process.argv.includes('--no-peers') ? undefined : installPeers();
  if (portkey === undefined) console.log('@portkey-ai/gateway is left out');
  else {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const env = { TRUSTED_CUSTOM_HOSTS: '127.0.0.1,localhost', NODE_ENV: 'production' };
    const { child } = await start([portkey, `--port=${port}`, '--headless'], /(running|ready|localhost)/i, env);
    const headers = {
      'x-portkey-provider': 'openai',
      'x-portkey-custom-host': `http://127.0.0.1:${upstream}/v1`,
      authorization: 'Bearer none',
    };
    await new Promise((resolve) => setTimeout(resolve, 1000));
    subjects.push({ name: '@portkey-ai/gateway 1.15.2', port, child, headers });
  }
  return subjects;
}

function cpuSeconds({ child }: Subject): number {
  if (!child) return 0;
  const fields = fs.readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / CLOCK_TICKS;
}

function peakMiB({ child }: Subject): number {
  const peak = child && /VmHWM:\s+(\d+)/.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'));
  return peak ? Number(peak[1]) / 1024 : 0;
}

interface Row {
  readonly p50: number;
  readonly p99: number;
  readonly cpuUs: number;
  readonly events: number;
  readonly failed: number;
}

async function round(subject: Subject): Promise<Row> {
  const before = cpuSeconds(subject);
  const { delaysUs, failed } = await runStreams(subject.port, STREAMS, SECONDS, WARM_UP_SECONDS, subject.headers);
  const used = cpuSeconds(subject) - before;
  const at = (share: number): number => delaysUs[Math.floor(share * (delaysUs.length - 1))] / 1000;
  const events = delaysUs.length * ((SECONDS + WARM_UP_SECONDS) / SECONDS);
  return { p50: at(0.5), p99: at(0.99), cpuUs: (used / events) * 1e6, events: delaysUs.length / SECONDS, failed };
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function proxies(): Promise<void> {
  const upstream = await start(
    [path.join(LAB, 'stream-upstream.ts'), String(EVENTS_A_STREAM), String(PER_SECOND)],
    /(\d+)/,
  );
  const subjects = await startSubjects(upstream.port);
  const rows = new Map<string, Row[]>(subjects.map(({ name }) => [name, []]));
  for (let i = 0; i < ROUNDS; i++) for (const subject of subjects) rows.get(subject.name)?.push(await round(subject));
  console.log(
    `${STREAMS} streams, ${PER_SECOND} events a second each, ${ROUNDS} rounds of ${SECONDS} s; milliseconds from the ` +
      "upstream's write to the client's read, median of the rounds\n",
  );
  const base = rows.get('no proxy') ?? [];
  console.log(`${''.padEnd(28)}    p50    p99   added p50   added p99   CPU µs/event   events/s   peak MiB   failed`);
  for (const subject of subjects) {
    const own = rows.get(subject.name) ?? [];
    const of = (read: (row: Row) => number): number => median(own.map(read));
    // Added is the difference to the round without a proxy that was run just before.
    const added = (read: (row: Row) => number): number => median(own.map((row, i) => read(row) - read(base[i])));
    const cells = [
      of(({ p50 }) => p50)
        .toFixed(2)
        .padStart(7),
      of(({ p99 }) => p99)
        .toFixed(2)
        .padStart(7),
      added(({ p50 }) => p50)
        .toFixed(2)
        .padStart(12),
      added(({ p99 }) => p99)
        .toFixed(2)
        .padStart(12),
      (subject.child ? of(({ cpuUs }) => cpuUs).toFixed(1) : '').padStart(15),
      of(({ events }) => events)
        .toFixed(0)
        .padStart(11),
      (subject.child ? peakMiB(subject).toFixed(0) : '').padStart(11),
      String(own.reduce((sum, { failed }) => sum + failed, 0)).padStart(9),
    ];
    console.log(subject.name.padEnd(28) + cells.join(''));
  }
  for (const child of children) child.kill();
}

/** What an event costs to read, apart from passing it on. */
function reading(): void {
  const instrumentation = new Instrumentation({ stage: 'gateway', requestEvents: false });
  const event = (i: number, more = ''): Buffer =>
    Buffer.from(
      `data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk","created":1764000000,"model":"m",` +
        `"choices":[{"index":0,"delta":{"content":" token ${i}"},"logprobs":${more || 'null'},"finish_reason":null}]}\n\n`,
    );
  const measure = (name: string, pieces: readonly Buffer[], eventsAPiece = 1): void => {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 7; round++) {
      const limits = { budget: new MemoryBudget(1e9), own: new OwnMetrics(), maxEventBytes: 1e6, maxBodyBytes: 1e6 };
      const body = new StreamedBody('chat', instrumentation.inference({ model: 'm' }), limits);
      const startNs = process.hrtime.bigint();
      for (let i = 0; i < 200_000; i++) body.feed(pieces[i % pieces.length]);
      best = Math.min(best, Number(process.hrtime.bigint() - startNs) / 200_000 / eventsAPiece);
    }
    console.log(`${name.padEnd(58)} ${best.toFixed(0).padStart(6)} ns an event`);
  };
  const pieces = Array.from({ length: 64 }, (_, i) => event(i));
  measure('an event of a known shape, whole in its piece', pieces);
  const halves = pieces.flatMap((piece) => [piece.subarray(0, 100), piece.subarray(100)]);
  measure('the same, cut in two', halves, 0.5);
  const odd = Array.from({ length: 64 }, (_, i) => event(i, `{"content":[{"token":" t${i}","logprob":-0.${i}}]}`));
  measure('an event that has to be parsed (log probabilities)', odd);
  console.log('');
}

reading();
if (!process.argv.includes('--reading')) await proxies();
