import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  type Draw,
  drawRoot,
  drawSeeded,
  exposition,
  findMarkers,
  type HiddenPlace,
  Hider,
  logRequest,
  type MessageShape,
  metricRequest,
  needlesOf,
  pushEntries,
  searchFiles,
  traceRequest,
  writeRequest,
} from '../server/canary/index.ts';
import { createGovernor, type Governor } from '../server/govern/index.ts';
import { LogIngest, MetricIngest, type OtlpWays, ScrapeIngest, TraceIngest, takeOtlp } from '../server/ingest/index.ts';
import { BarographError } from '../server/model/index.ts';
import { openStore, type Store } from '../server/store/index.ts';
import {
  decodeLokiPush,
  decodeLokiPushJson,
  decodeScrape,
  encodeLokiPush,
  encodeLokiPushJson,
  encodeOtlpRequest,
  encodeWriteRequest,
  encodeWriteRequestV2,
  ScrapeBatch,
} from '../server/wire/index.ts';

/** A marker that came through, by the message in which it was. */
export interface Leak extends HiddenPlace {
  /** Which of the run's messages, from 0; the same seed and number make it again. */
  readonly message: number;
  /** Where it was found: a table's column, or a file. */
  readonly found: string;
  /** How it stood there. */
  readonly foundAs: string;
}

/** What a run came to. */
export interface ContentFuzzReport {
  readonly seed: number;
  readonly messages: number;
  /** Texts with markers that were hidden. */
  readonly hidden: number;
  readonly hiddenByPath: Readonly<Record<string, number>>;
  /** Messages of which something was refused, in their protocol's way. */
  readonly refused: number;
  /** Rows that were stored all the same. */
  readonly stored: number;
  readonly storedBytes: number;
  readonly leaks: readonly Leak[];
  readonly seconds: number;
}

/** Options of a run. */
export interface ContentFuzzOptions {
  readonly seed: number;
  readonly messages: number;
  /** Called now and then with how many messages were sent. */
  readonly onProgress?: (done: number) => void;
  /** Only this message is sent, to make a leak again. */
  readonly only?: number;
}

/** Messages whose commit is waited for together. */
const GROUP = 100;

/** The receivers without their sockets: bytes in, governed rows out. */
interface Program {
  readonly store: Store;
  readonly governor: Governor;
  readonly ways: OtlpWays;
  readonly scrapes: ScrapeIngest;
  readonly batch: ScrapeBatch;
}

/** One receiver: builds a message as bytes and takes it in. @returns Whether something was refused. */
type Path = (program: Program, hider: Hider, shape: MessageShape) => boolean;

const PATHS: Readonly<Record<string, Path>> = {
  otlp_traces_json: otlp('traces', traceRequest, 'json'),
  otlp_traces_protobuf: otlp('traces', traceRequest, 'protobuf'),
  otlp_logs_json: otlp('logs', logRequest, 'json'),
  otlp_logs_protobuf: otlp('logs', logRequest, 'protobuf'),
  otlp_metrics_json: otlp('metrics', metricRequest, 'json'),
  otlp_metrics_protobuf: otlp('metrics', metricRequest, 'protobuf'),
  remote_write_1: ({ ways }, hider, shape) =>
    ways.metrics.remoteWrite(Buffer.from(encodeWriteRequest(writeRequest(hider, shape)))).rejected > 0,
  remote_write_2: ({ ways }, hider, shape) =>
    ways.metrics.remoteWriteV2(Buffer.from(encodeWriteRequestV2(writeRequest(hider, shape)))).refused > 0,
  loki_json: ({ ways }, hider, shape) =>
    ways.logs.take(decodeLokiPushJson(encodeLokiPushJson(pushEntries(hider, shape))), 'loki_push', 1n).rejected > 0,
  loki_protobuf: ({ ways }, hider, shape) =>
    ways.logs.take(decodeLokiPush(encodeLokiPush(pushEntries(hider, shape))), 'loki_push', 1n).rejected > 0,
  scrape_text: (program, hider) => scrape(program, exposition(hider, 'text'), 'PrometheusText0.0.4'),
  scrape_openmetrics: (program, hider) => scrape(program, exposition(hider, 'openmetrics'), 'OpenMetricsText1.0.0'),
};

function otlp(
  signal: 'traces' | 'logs' | 'metrics',
  build: (hider: Hider, shape: MessageShape) => object,
  encoding: 'json' | 'protobuf',
): Path {
  return ({ ways }, hider, shape) => {
    const message = build(hider, shape);
    const body = encoding === 'json' ? Buffer.from(JSON.stringify(message)) : encodeOtlpRequest(signal, message);
    return takeOtlp(ways, signal, body, encoding).rejected > 0;
  };
}

function scrape({ scrapes, batch }: Program, text: string, protocol: 'PrometheusText0.0.4' | 'OpenMetricsText1.0.0') {
  const now = Date.now();
  decodeScrape(Buffer.from(text), protocol, { scrapeMs: now }, batch);
  let isRefused = false;
  const routes = Array.from({ length: batch.seriesCount }, (_, series) => {
    const route = scrapes.open(batch.seriesLabels(series), batch.typeOf(series));
    if (route.kind === 'refused') isRefused = true;
    return route;
  });
  for (const route of routes) scrapes.sample(route, now, 0, 0, 0, 0);
  for (const { series, exemplar } of batch.exemplars) scrapes.exemplar(routes[series], exemplar);
  for (const metadata of batch.metadata) scrapes.describe(metadata);
  return isRefused;
}

/**
 * Hides prompts with markers in random places of random messages, sends them through decoding, governance and a real store
 * in a temporary folder, and searches that for the markers: its tables' texts and its files' bytes.
 */
export async function fuzzContent(options: ContentFuzzOptions): Promise<ContentFuzzReport> {
  const began = performance.now();
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-fuzz-'));
  try {
    const store = await openStore({ directory });
    try {
      const sent = await sendAll(await openProgram(store), options);
      const leaks = await findLeaks(store, directory, sent, options.only);
      const stored = store.writer.stats.rows;
      const hiddenByPath: Record<string, number> = {};
      for (const { path: name } of sent.hider.places) hiddenByPath[name] = (hiddenByPath[name] ?? 0) + 1;
      const seconds = (performance.now() - began) / 1000;
      const { seed, messages } = options;
      const { hider, refused } = sent;
      const hidden = hider.places.length;
      return { seed, messages, hidden, hiddenByPath, refused, stored, storedBytes: store.diskBytes(), leaks, seconds };
    } finally {
      await store.close();
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function openProgram(store: Store): Promise<Program> {
  const governor = createGovernor();
  const metrics = await MetricIngest.open(store, governor, Date.now());
  const ways = { metrics, logs: new LogIngest(store, governor), traces: new TraceIngest(store, governor) };
  return { store, governor, ways, scrapes: new ScrapeIngest(metrics), batch: new ScrapeBatch() };
}

interface Sent {
  readonly hider: Hider;
  /** The message of each place. */
  readonly messageOf: readonly number[];
  readonly refused: number;
}

async function sendAll(program: Program, { seed, messages, onProgress, only }: ContentFuzzOptions): Promise<Sent> {
  let draw: Draw = drawSeeded(seed);
  const hider = new Hider(
    drawRoot(),
    (below) => draw(below),
    () => draw(8) === 0,
  );
  hider.control = drawRoot();
  const names = Object.keys(PATHS);
  const messageOf: number[] = [];
  let refused = 0;
  for (let i = 0; i < messages; i++) {
    if (only !== undefined && i !== only) continue;
    // Each message has a seed of its own, so that one can be made again without those before it.
    draw = drawSeeded((seed * 1_000_003 + i) >>> 0);
    const name = names[draw(names.length)];
    hider.path = name;
    try {
      if (PATHS[name](program, hider, { items: 1 + draw(3), nowMs: Date.now() })) refused++;
    } catch (error) {
      if (!(error instanceof BarographError) || error.status >= 500) throw error;
      refused++;
    }
    while (messageOf.length < hider.places.length) messageOf.push(i);
    if (i % GROUP === GROUP - 1) {
      await program.store.writer.commit();
      onProgress?.(i + 1);
    }
  }
  await program.store.writer.commit();
  return { hider, messageOf, refused };
}

async function findLeaks(
  store: Store,
  directory: string,
  { hider, messageOf }: Sent,
  only: number | undefined,
): Promise<Leak[]> {
  const needles = needlesOf(hider.root);
  const texts = needles.map(({ text }) => text);
  // A search that doesn't see what must be there proves nothing.
  const seen = hider.places.length > 0 ? await store.findTexts([hider.control]) : [];
  const isSeen = ['logs.', 'spans.'].every((table) => seen.some(({ place }) => place.startsWith(table)));
  if (!isSeen && only === undefined) throw new Error('the control was not found: send more messages');
  const inTables = (await store.findTexts(texts)).map(({ place, text }) => ({ found: place, text }));
  const { matches } = await searchFiles({ directory, needles: texts, sinceMs: 0 });
  const inFiles = matches.map(({ file, text }) => ({ found: file, text }));
  const leaks = new Map<string, Leak>();
  for (const { found, text } of [...inTables, ...inFiles]) {
    for (const { encoding, place } of findMarkers(text, hider.root, needles)) {
      const hidden = hider.places[place ?? -1] ?? { path: 'unknown', place: 'unknown', encoding };
      const message = messageOf[place ?? -1] ?? -1;
      leaks.set(`${found} ${place}`, { ...hidden, message, found, foundAs: encoding });
    }
  }
  return [...leaks.values()];
}

/** The leaks in a few lines, without what leaked. */
export function printLeaks({ seed, leaks }: ContentFuzzReport): string {
  return leaks
    .map(
      ({ path: name, place, encoding, message, found, foundAs }) =>
        `seed ${seed}, message ${message}: ${name} › ${place} (${encoding}) is in ${found} (${foundAs})`,
    )
    .join('\n');
}
