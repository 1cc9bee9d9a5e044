import fs from 'node:fs';
import path from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { type DuckDBConnection, DuckDBInstance, LIST, listValue, UINTEGER } from '@duckdb/node-api';
import { BarographError, createMatcher, type Matcher, type MetricType, type NativeHistogram } from '../model/index.ts';
import {
  compactAggregateState,
  readAggregateHistograms,
  readAggregateInputs,
  type StoredAggregateHistogram,
} from './aggregate-state.ts';
import { type ChunkSource, LocalChunkSource, serveChunks } from './chunks.ts';
import { decodeHistogram } from './histogram-codec.ts';
import { InputJournal, type RememberedInputs } from './input-journal.ts';
import { LabelIndex, type LabelMemory, type Registry } from './labels/index.ts';
import { createLogReader } from './log-reader.ts';
import { createMetricReader, DEFAULT_METRIC_READER_LIMITS, type MetricReaderLimits } from './metric-reader.ts';
import type { Readers } from './reader.ts';
import { KEEP_EVERYTHING, type RetentionSettings } from './retention/index.ts';
import { bytes, int64s, text, uints } from './rows.ts';
import {
  LastSamples,
  type SampleCatalog,
  SampleReader,
  type SampleSizes,
  SampleStore,
  type SampleStoreLimits,
  type SampleStoreStats,
} from './samples/index.ts';
import { prepareSchema } from './schema.ts';
import { FLEET_PREFIX, type Floors, NO_FLOORS } from './signals.ts';
import { openLabels } from './stored-labels.ts';
import { findTexts, type TextMatch } from './text-search.ts';
import { createTraceReader } from './trace-reader.ts';
import { databaseFile, directoryBytes, Upkeep, type UpkeepParts } from './upkeep.ts';
import { visibleReaders } from './visible-readers.ts';
import { DEFAULT_WRITER_LIMITS, Writer, type WriterLimits } from './writer.ts';

/** Where the store is and how much it may use. */
export interface StoreOptions {
  /** The data directory; created where it is missing. */
  readonly directory: string;
  /** Memory that DuckDB may use, in MiB. Default 1024. */
  readonly memoryMiB?: number;
  /** Threads that DuckDB may use. Default 2. */
  readonly threads?: number;
  readonly writer?: Partial<WriterLimits>;
  readonly samples?: Partial<SampleStoreLimits>;
  /** What is kept. Default: everything. */
  readonly retention?: RetentionSettings;
  /** The clock and the disk of retention; default the system's. */
  readonly upkeep?: Pick<UpkeepParts, 'nowMs' | 'space'>;
}

/** What the last sample of a series was. */
export interface LastSample {
  readonly series: number;
  readonly timestampMs: number;
  readonly value: number;
}

/** What the last native histogram of a series was. */
export interface StoredHistogram {
  readonly series: number;
  readonly timestampMs: number;
  readonly histogram: NativeHistogram;
}

/** Memory that the threads of the process share. */
export interface SharedStore {
  readonly series: LabelMemory;
  readonly streams: LabelMemory;
  /** Int32: the version of the samples' catalog. */
  readonly catalogVersion: SharedArrayBuffer;
}

/** The store as its one writer sees it. */
export interface Store {
  readonly series: Registry;
  readonly streams: Registry;
  readonly writer: Writer;
  /** Numbers about the samples' files, for the program's own metrics. */
  sampleStats(): SampleStoreStats & SampleSizes;
  /** What readers of other threads need beside a port. */
  readonly shared: SharedStore;
  /** Readers for this thread. */
  readers(): Readers;
  /** Serves the reads of another thread, which holds `remoteChunkSource` of the port's other end. */
  serve(port: MessagePort): void;
  /** The last sample of every series that has one at or after `sinceMs`, as of the start of the process. */
  lastSamples(sinceMs: number): LastSample[];
  /** Visits what aggregation remembered, the oldest first: of an input that comes twice the later one counts. */
  aggregateInputs(visit: Parameters<RememberedInputs>[0]): Promise<void>;
  /** Who remembers says here what, once the inputs were taken up, so that what is on the disk stays as small. */
  rememberInputs(remembered: RememberedInputs): Promise<void>;
  /** What aggregation remembered of inputs that are native histograms, the newest of each. */
  aggregateHistograms(): Promise<StoredAggregateHistogram[]>;
  /** The last native histogram of every series that has one at or after `sinceMs`. */
  lastHistograms(sinceMs: number): Promise<StoredHistogram[]>;
  /** Name and type of every metric whose metadata is stored. */
  storedMetadata(): Promise<{ metric: string; type: MetricType }[]>;
  /**
   * Deletes what series that match any of the sets have in a time range, both ends inclusive, as of now: samples,
   * histograms and exemplars. Readers miss it at once; its space is given back in the background.
   */
  deleteSeries(matcherSets: readonly (readonly Matcher[])[], startMs: number, endMs: number): Promise<void>;
  /**
   * The texts of all tables that hold any of the needles (one character a byte), read beside commits, not between them.
   * At most 100 a column.
   */
  findTexts(needles: readonly string[], signal?: AbortSignal): Promise<TextMatch[]>;
  /**
   * Deletes what one deployment (or environment) of this name sent: what its series have, the lines of its streams and
   * the spans of the service of that name. The label sets themselves stay known.
   */
  deleteDeployment(deployment: string): Promise<void>;
  /** Retention, the disk's free space, checkpoints. */
  readonly upkeep: Upkeep;
  /** Whether what was deleted still takes space. */
  hasTombstones(): boolean;
  /** Bytes of the data directory. */
  diskBytes(): number;
  /** Commits what waits and closes the files. */
  close(): Promise<void>;
}

/**
 * Opens (or creates) the store and takes up its series index. One thread owns the database: DuckDB's instance can't be
 * shared with the process's other threads, and a second one on the same file would not see what the first commits.
 * @throws BarographError `schema_version`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  fs.mkdirSync(options.directory, { recursive: true });
  const instance = await openDatabase(options);
  const connection = await instance.connect();
  const found = await prepareSchema(connection);
  await compactAggregateState(connection);
  const catalogVersion = new SharedArrayBuffer(4);
  const version = new Int32Array(catalogVersion);
  const source = new LocalChunkSource(instance, () => ({ ...samples.catalog, floors: upkeep.retention.floors }));
  const labels = await openLabels(options.directory, found, connection, source);
  const last = new LastSamples();
  const fleetSeries = () => labels.series.select(FLEET_SERIES);
  const samples = await SampleStore.open({
    directory: path.join(options.directory, 'samples'),
    limits: options.samples,
    tablesCommit: await lastTablesCommit(connection),
    onReplay: (buffer) => last.noteAll(buffer),
    onChange: () => Atomics.add(version, 0, 1),
    fleetSeries,
  });
  const inputs = await InputJournal.open(options.directory, samples.lastCommit);
  samples.addHistogramSeries(await readHistogramSeries(source));
  const limits = { ...DEFAULT_WRITER_LIMITS, ...options.writer };
  const writer = new Writer(connection, { labels, samples, inputs, limits });
  const upkeep = new Upkeep({
    ...options.upkeep,
    directory: options.directory,
    connection: await instance.connect(),
    settings: options.retention ?? KEEP_EVERYTHING,
    samples,
    writer,
    fleetSeries,
    seriesCount: () => labels.series.registry.size,
    onFloors: () => Atomics.add(version, 0, 1),
  });
  writer.assertDisk = () => upkeep.disk.assertRoom();
  await upkeep.start();
  const shared = { series: labels.series.memory, streams: labels.streams.memory, catalogVersion };
  const deleteSeries: Store['deleteSeries'] = async (matcherSets, startMs, endMs) => {
    const ids = labels.series.select(matcherSets);
    if (ids.length === 0) return;
    await writer.exclusively(async (tables) => {
      await deleteRows(tables, ids, startMs, endMs);
      await samples.deleteSamples(ids, startMs, endMs);
    });
  };
  return {
    series: labels.series.registry,
    streams: labels.streams.registry,
    writer,
    shared,
    sampleStats: () => ({ ...samples.stats, ...samples.sizes }),
    readers: () => createReaders(source, shared),
    serve: (port) => serveChunks(port, source),
    lastSamples: (sinceMs) => lastSamples(samples, last, sinceMs),
    async aggregateInputs(visit) {
      await readAggregateInputs(source, visit);
      inputs.read(visit);
    },
    async rememberInputs(remembered) {
      inputs.remembered = remembered;
      // Rows that an earlier version wrote move to the journal.
      if ((await connection.runAndReadAll('SELECT 1 FROM aggregate_inputs LIMIT 1')).getRows().length === 0) return;
      await inputs.renew();
      await connection.run('DELETE FROM aggregate_inputs');
    },
    aggregateHistograms: () => readAggregateHistograms(source),
    lastHistograms: (sinceMs) => readLastHistograms(source, sinceMs),
    storedMetadata: () => readMetadataTypes(source),
    deleteSeries,
    findTexts: (needles, signal) => findTexts(source, needles, signal),
    async deleteDeployment(deployment) {
      // The fleet level keeps the environment, not the deployment.
      const sets = ['deployment', 'environment'].map((label) => [createMatcher(label, '=', deployment)]);
      await deleteSeries(sets, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY);
      const streamIds = labels.streams.select(sets);
      await writer.exclusively((tables) => deleteEvents(tables, streamIds, deployment));
    },
    upkeep,
    hasTombstones: () => samples.catalog.tombstones.length > 0,
    diskBytes: () => directoryBytes(options.directory),
    async close() {
      await upkeep.close();
      await writer.close();
      await samples.close();
      await Promise.all([labels.series.close(), labels.streams.close()]);
      source.close();
      // Without it, the write-ahead log keeps everything until the next start.
      if (upkeep.hasRoom) await connection.run('CHECKPOINT').catch(() => {});
      connection.closeSync();
      instance.closeSync();
    },
  };
}

async function deleteEvents(connection: DuckDBConnection, streamIds: Uint32Array, service: string): Promise<void> {
  const lines = 'DELETE FROM logs WHERE stream IN (SELECT unnest($1))';
  if (streamIds.length > 0) await connection.run(lines, [listValue([...streamIds])], [LIST(UINTEGER)]);
  await connection.run('DELETE FROM spans WHERE service = $1', [service]);
}

/** Deletes the series' rows in a time range, both ends inclusive, in milliseconds. */
async function deleteRows(
  connection: DuckDBConnection,
  ids: Uint32Array,
  startMs: number,
  endMs: number,
): Promise<void> {
  const [from, to] = [Math.max(Number.MIN_SAFE_INTEGER, startMs), Math.min(Number.MAX_SAFE_INTEGER, endMs)];
  for (const table of ['histograms', 'exemplars']) {
    const statement = `DELETE FROM ${table} WHERE ts BETWEEN ${from} AND ${to} AND series IN (SELECT unnest($1))`;
    await connection.run(statement, [listValue([...ids])], [LIST(UINTEGER)]);
  }
}

async function openDatabase(options: StoreOptions): Promise<DuckDBInstance> {
  const file = databaseFile(options.directory);
  try {
    return await DuckDBInstance.create(file, {
      threads: String(options.threads ?? 2),
      memory_limit: `${options.memoryMiB ?? 1024}MiB`,
      // Never by itself: `Upkeep` checkpoints between commits, and only where there is room for it.
      checkpoint_threshold: '1TiB',
    });
  } catch (cause) {
    const [, holder] = /Conflicting lock is held.*\(PID (\d+)\)/.exec((cause as Error).message) ?? [];
    if (holder === undefined) throw cause;
    throw new BarographError({
      code: 'data_in_use',
      status: 500,
      where: `data directory ${options.directory}`,
      got: `one that process ${holder} has open`,
      accepted: 'a data directory for one process at a time',
      fix: 'stop that process, or start with another --data directory',
      cause,
    });
  }
}

/** The last commit of which the tables know; only that one is worth keeping. */
async function lastTablesCommit(connection: DuckDBConnection): Promise<number> {
  const found = await connection.runAndReadAll('SELECT max(number) FROM commits');
  const number = Number(found.getRows()[0]?.[0] ?? 0);
  await connection.run(`DELETE FROM commits WHERE number < ${number}`);
  return number;
}

function lastSamples(samples: SampleStore, replayed: LastSamples, sinceMs: number): LastSample[] {
  const last = new LastSamples();
  last.noteBlocks(samples.catalog.blocks, sinceMs);
  // What only journals hold was written later than any block.
  for (const { series, timestampMs, value } of replayed.since(sinceMs)) last.note(series, timestampMs, value);
  return [...last.since(sinceMs)];
}

async function readHistogramSeries(source: ChunkSource): Promise<Uint32Array> {
  const ids: number[] = [];
  for await (const chunk of source.read('SELECT DISTINCT series FROM histograms', undefined, undefined)) {
    ids.push(...uints(chunk, 0).subarray(0, chunk.count));
  }
  return Uint32Array.from(ids).sort();
}

async function readLastHistograms(source: ChunkSource, sinceMs: number): Promise<StoredHistogram[]> {
  // Of several histograms at one time the one written last counts, so the row's number breaks the tie.
  const order = 'ts::HUGEINT * 4294967296 + rowid';
  const query = `SELECT series, max(ts)::BIGINT, max_by(body, ${order}) FROM histograms WHERE ts >= ${Math.floor(sinceMs)} GROUP BY series`;
  const out: StoredHistogram[] = [];
  for await (const chunk of source.read(query, undefined, undefined)) {
    const [series, times] = [uints(chunk, 0), int64s(chunk, 1)];
    for (let row = 0; row < chunk.count; row++) {
      const histogram = decodeHistogram(bytes(chunk, 2, row));
      out.push({ series: series[row], timestampMs: Number(times[row]), histogram });
    }
  }
  return out;
}

/** Readers over a source, in any thread; `shared` is the store's. */
export function createReaders(
  source: ChunkSource,
  shared: SharedStore,
  limits: MetricReaderLimits = DEFAULT_METRIC_READER_LIMITS,
): Readers {
  const version = new Int32Array(shared.catalogVersion);
  const samples = new SampleReader(EMPTY_CATALOG);
  let floors: Floors = NO_FLOORS;
  const useCatalog = (catalog: SampleCatalog) => {
    samples.use(catalog);
    floors = catalog.floors ?? NO_FLOORS;
  };
  const refreshSamples = catalogRefresher(source, useCatalog, () => Atomics.load(version, 0));
  const readers: Readers = {
    metrics: createMetricReader(source, new LabelIndex(shared.series), samples, refreshSamples, limits),
    logs: createLogReader(source, new LabelIndex(shared.streams)),
    traces: createTraceReader(source),
  };
  return visibleReaders(readers, async () => {
    await refreshSamples();
    return floors;
  });
}

/** Matches the series of the fleet level. */
const FLEET_SERIES = [[createMatcher('__name__', '=~', `${FLEET_PREFIX}.*`)]];

const EMPTY_CATALOG: SampleCatalog = {
  version: -1,
  blocks: [],
  segments: [],
  tombstones: [],
  histogramSeries: new Uint32Array(0),
};

/** A function that brings a reader up to the current catalog; concurrent calls share one request. */
function catalogRefresher(
  source: ChunkSource,
  use: (catalog: SampleCatalog) => void,
  version: () => number,
): () => Promise<void> {
  let running: Promise<void> | undefined;
  let known = -1;
  const fetchCatalog = async () => {
    try {
      const at = version();
      use(await source.catalog());
      known = at;
    } finally {
      running = undefined;
    }
  };
  return async () => {
    while (known !== version()) await (running ??= fetchCatalog());
  };
}

async function readMetadataTypes(source: ChunkSource): Promise<{ metric: string; type: MetricType }[]> {
  const out: { metric: string; type: MetricType }[] = [];
  for await (const chunk of source.read('SELECT metric, type FROM metadata', undefined, undefined)) {
    for (let row = 0; row < chunk.count; row++) {
      out.push({ metric: text(chunk, 0, row), type: text(chunk, 1, row) as MetricType });
    }
  }
  return out;
}
