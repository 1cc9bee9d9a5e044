// What the SDK costs the program that it observes: npm run bench sdk [tokens].
// Time and bytes of a streamed token, of a piece through an observed client, and of a whole request, with a real
// OpenTelemetry SDK that throws away what it would send. Budgets: 150 ns and no allocation a token, 30 µs a request.
// Other instrumentations are measured the same way on the real client; all of them are installed on demand by the lock of
// bench/peers/sdk. `--no-peers` leaves them out.
import { PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';
import vm from 'node:vm';
import { BatchLogRecordProcessor, InMemoryLogRecordExporter, LoggerProvider } from '@opentelemetry/sdk-logs';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, InMemorySpanExporter, TracerProvider } from '@opentelemetry/sdk-trace';
import { Stream } from '../sdk/fixtures/stainless-client.ts';
import { Instrumentation, type InstrumentationOptions, observeOpenAI } from '../sdk/index.ts';
import { installSdkPeers } from './lab/sdk-peers.ts';

const ROUNDS = 7;
const USAGE = { inputTokens: 812, outputTokens: 200, cachedTokens: 512 };

v8.setFlagsFromString('--expose-gc');
const collectGarbage = vm.runInNewContext('gc') as () => void;
let collections = 0;
new PerformanceObserver((list) => {
  collections += list.getEntries().length;
}).observe({ entryTypes: ['gc'] });

class ManualReader extends MetricReader {
  protected override async onShutdown(): Promise<void> {}
  protected override async onForceFlush(): Promise<void> {}
}

/** An OpenTelemetry SDK whose exporters keep nothing. */
function discardingSdk() {
  let exportedSpans = 0;
  const done = (_items: unknown, finish: (result: { code: number }) => void): void => finish({ code: 0 });
  const countSpans = (items: readonly unknown[], finish: (result: { code: number }) => void): void => {
    exportedSpans += items.length;
    finish({ code: 0 });
  };
  const spanExporter = Object.assign(new InMemorySpanExporter(), { export: countSpans });
  const logExporter = Object.assign(new InMemoryLogRecordExporter(), { export: done });
  const queue = { maxQueueSize: 4096, scheduledDelayMillis: 10 };
  return {
    /** Spans that were handed over for export so far. */
    spanCount: () => exportedSpans,
    tracerProvider: new TracerProvider({
      spanProcessors: [new BatchSpanProcessor({ exporter: spanExporter, ...queue })],
    }),
    loggerProvider: new LoggerProvider({
      processors: [new BatchLogRecordProcessor({ exporter: logExporter, ...queue })],
    }),
    meterProvider: new MeterProvider({ readers: [new ManualReader()] }),
  };
}

/** An instrumentation that keeps its histograms itself, as `@barograph/sdk/register` sets it up. */
function instrument(options: InstrumentationOptions): Instrumentation {
  const instrumentation = new Instrumentation({ maxEventsPerSecond: 1e9, ...options });
  void instrumentation.metricProducer;
  return instrumentation;
}

interface Cost {
  readonly ns: number;
  /** NaN where the collector ran in between. */
  readonly bytes: number;
}

/**
 * CPU time and bytes of one item: the best of several rounds, as everything else that runs only adds. Bytes have rounds of
 * their own, because a forced collection shrinks the space for new objects and makes the next round collect more often.
 */
async function measure(items: number, work: () => void | Promise<void>): Promise<Cost> {
  let ns = Number.POSITIVE_INFINITY;
  let bytes = Number.NaN;
  await work();
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    await work();
    const used = process.cpuUsage(before);
    ns = Math.min(ns, ((used.user + used.system) * 1000) / items);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  for (let round = 0; round < ROUNDS; round++) {
    collectGarbage();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const seen = collections;
    const heap = process.memoryUsage().heapUsed;
    await work();
    const grown = process.memoryUsage().heapUsed - heap;
    await new Promise((resolve) => setImmediate(resolve));
    if (collections === seen) bytes = Number.isNaN(bytes) ? grown / items : Math.min(bytes, grown / items);
  }
  return { ns, bytes };
}

function print(part: string, { ns, bytes }: Cost, unit: 'ns' | 'µs', budget = ''): void {
  const time = unit === 'ns' ? ns : ns / 1000;
  const size = Number.isNaN(bytes) ? '–' : bytes.toFixed(1);
  console.log(`${part.padEnd(46)} ${time.toFixed(1).padStart(8)} ${unit} ${size.padStart(10)} B   ${budget}`);
}

/** A client whose streams give pieces that are parsed already, so that only the observer is measured. */
function createClient(pieces: readonly object[]) {
  async function* items(): AsyncGenerator<object> {
    for (const piece of pieces) yield piece;
  }
  const create = async (_body: object): Promise<AsyncIterable<object>> => new Stream(items, new AbortController());
  return { chat: { completions: { create } } };
}

function chatPieces(count: number): object[] {
  const of = (delta: object, finish_reason: string | null) => ({
    id: 'chatcmpl-1',
    model: 'gpt-5',
    choices: [{ index: 0, delta, finish_reason }],
  });
  const pieces = Array.from({ length: count }, (_, i) => of({ content: ` word${i}` }, null));
  const usage = { prompt_tokens: 812, completion_tokens: count };
  return [
    of({ role: 'assistant', content: '' }, null),
    ...pieces,
    of({}, 'stop'),
    { id: 'chatcmpl-1', choices: [], usage },
  ];
}

type Client = ReturnType<typeof createClient>;

async function readAll(client: Client, requests: number): Promise<void> {
  for (let i = 0; i < requests; i++) {
    const stream = await client.chat.completions.create({ model: 'gpt-5', stream: true, messages: [] });
    for await (const _piece of stream);
  }
}

async function main(tokens: number): Promise<void> {
  const request = { model: 'gpt-5', customer_tier: 'pro', prompt_class: 'rag', streamed: true } as const;
  const labels = { deployment: 'chat', region: 'eu-west', environment: 'production' } as const;
  console.log(`${''.padEnd(46)} ${'CPU time'.padStart(11)} ${'allocated'.padStart(12)}`);

  const instrumentation = instrument({ ...discardingSdk(), labels });
  const inference = instrumentation.inference(request);
  const tokenCost = await measure(tokens, () => {
    for (let i = 0; i < tokens; i++) inference.token();
  });
  print('a token', tokenCost, 'ns', 'at most 150 ns, 0 B');
  const chunkCost = await measure(tokens, () => {
    for (let i = 0; i < tokens; i++) inference.chunk('visible');
  });
  print('a piece of unknown length', chunkCost, 'ns', 'at most 150 ns, 0 B');
  const clockCost = await measure(tokens, () => {
    for (let i = 0; i < tokens; i++) performance.now();
  });
  print('  of which the clock (performance.now)', clockCost, 'ns');

  const requests = 2000;
  const whole = (target: Instrumentation) => () => {
    for (let i = 0; i < requests; i++) {
      const each = target.inference(request);
      each.firstToken();
      each.end({ finishReasons: ['stop'], usage: USAGE, responseModel: 'gpt-5' });
    }
  };
  print('a request: metrics, span and event', await measure(requests, whole(instrumentation)), 'µs', 'at most 30 µs');
  const { meterProvider } = discardingSdk();
  print('a request: metrics alone', await measure(requests, whole(instrument({ meterProvider, labels }))), 'µs');
  const api = new Instrumentation({ ...discardingSdk(), labels, maxEventsPerSecond: 1e9 });
  print("a request: OpenTelemetry's histograms", await measure(requests, whole(api)), 'µs');
  print('a request: no OpenTelemetry SDK there', await measure(requests, whole(instrument({ labels }))), 'µs');

  const pieces = chatPieces(200);
  const streams = 100;
  const perPiece = streams * pieces.length;
  const alone = await measure(perPiece, () => readAll(createClient(pieces), streams));
  print("a piece of a client's stream, alone", alone, 'ns');
  const observed = await measure(perPiece, () =>
    readAll(observeOpenAI(createClient(pieces) as never, { instrumentation, labels }) as Client, streams),
  );
  print("a piece of a client's stream, observed", observed, 'ns');
  print(
    '  added',
    { ns: observed.ns - alone.ns, bytes: observed.bytes - alone.bytes },
    'ns',
    'of it a 200th of a request',
  );
  const load = process.argv.includes('--no-peers') ? undefined : installSdkPeers();
  if (load)
    for (const peer of ['@opentelemetry/instrumentation-openai', '@traceloop/instrumentation-openai'])
      await measurePeer(load, peer);
  else console.log('peers: not installed, left out');
}

/** A peer's instrumentation, as both packages have it. */
interface PeerInstrumentation {
  setTracerProvider(provider: unknown): void;
  setMeterProvider(provider: unknown): void;
  enable(): void;
  disable(): void;
}

/** Measures the real client alone, with one peer and with ours on top, in this process; prints what each adds. */
async function measurePeer(load: NodeJS.Require, name: string): Promise<void> {
  const pieces = chatPieces(200);
  const streams = 100;
  const items = streams * pieces.length;
  const body = `${pieces.map((piece) => `data: ${JSON.stringify(piece)}\n\n`).join('')}data: [DONE]\n\n`;
  const answer = async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } });
  const { OpenAIInstrumentation: Peer } = load(name) as {
    OpenAIInstrumentation: new (config: object) => PeerInstrumentation;
  };
  const instrumentation = new Peer({ traceContent: false });
  const { tracerProvider, meterProvider, spanCount } = discardingSdk();
  instrumentation.setTracerProvider(tracerProvider);
  instrumentation.setMeterProvider(meterProvider);
  // The peer replaces methods of the client's classes as the package is loaded, and only then.
  const { OpenAI } = load('openai') as { OpenAI: new (options: object) => Client };
  const of = (): Client => new OpenAI({ apiKey: 'none', fetch: answer });
  const ours = instrument(discardingSdk());
  const observe = (): Client => observeOpenAI(of() as never, { instrumentation: ours }) as Client;
  const ways: readonly (readonly [name: string, isPatched: boolean, client: () => Client])[] = [
    ['alone', false, of],
    [`by ${name}`, true, of],
    ['by ours', false, observe],
  ];
  console.log('\na piece of the real client, openai of bench/peers/sdk');
  let alone: Cost | undefined;
  for (const [way, isPatched, client] of ways) {
    if (isPatched) instrumentation.enable();
    else instrumentation.disable();
    const cost = await measure(items, () => readAll(client(), streams));
    if (isPatched) await tracerProvider.forceFlush();
    // A peer that isn't in the way of the calls costs nothing, and to print that as its cost would be wrong.
    if (isPatched && spanCount() === 0) {
      console.log(`  ${way}: made no span, so nothing is told of it`);
      continue;
    }
    print(`  ${way}`, cost, 'ns', alone ? `adds ${(cost.ns - alone.ns).toFixed(0)} ns` : '');
    alone ??= cost;
  }
}

await main(Number(process.argv[2] ?? 200_000));
process.exit(0);
