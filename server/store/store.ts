import fs from 'node:fs';
import path from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type { Labels, MetricType } from '../model/index.ts';
import { LabelIndex } from './label-index.ts';
import { createLogReader } from './log-reader.ts';
import { createMetricReader } from './metric-reader.ts';
import type { Readers } from './reader.ts';
import { Registry } from './registry.ts';
import { doubles, int64s, readChunks, text, uints } from './rows.ts';
import { prepareSchema } from './schema.ts';
import { createTraceReader } from './trace-reader.ts';
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
}

/** What the last sample of a series was. */
export interface LastSample {
  readonly series: number;
  readonly timestampMs: number;
  readonly value: number;
}

/** An input of aggregation as it was committed last; see `WriteBuffer.pushAggregateInput`. */
export interface StoredAggregateInput {
  readonly output: number;
  readonly hi: number;
  readonly lo: number;
  readonly last: number;
  readonly startMs: number;
  readonly timestampMs: number;
}

/** The store as its one writer sees it. */
export interface Store {
  readonly series: Registry;
  readonly streams: Registry;
  readonly writer: Writer;
  /** How readers in other threads find this store. */
  readonly address: StoreAddress;
  /** The last sample of every series that has one at or after `sinceMs`. */
  lastSamples(sinceMs: number): Promise<LastSample[]>;
  /** What aggregation remembered, the newest of each input. */
  aggregateInputs(): Promise<StoredAggregateInput[]>;
  /** The labels of the stored series, by number. */
  storedSeries(): Promise<Labels[]>;
  /** Name and type of every metric whose metadata is stored. */
  storedMetadata(): Promise<{ metric: string; type: MetricType }[]>;
  /** Bytes of the data directory. */
  diskBytes(): number;
  /** Commits what waits and closes the files. */
  close(): Promise<void>;
}

/** Crosses to a worker thread: the file, its settings, and the shared counts of what is committed. */
export interface StoreAddress {
  readonly file: string;
  readonly settings: Readonly<Record<string, string>>;
  /** Two 32-bit counts: committed series, committed streams. */
  readonly committed: SharedArrayBuffer;
}

/**
 * Opens (or creates) the store and takes up its series index.
 * @throws BarographError `schema_version`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  fs.mkdirSync(options.directory, { recursive: true });
  const address: StoreAddress = {
    file: path.resolve(options.directory, 'hot.duckdb'),
    settings: {
      threads: String(options.threads ?? 2),
      memory_limit: `${options.memoryMiB ?? 1024}MiB`,
      // A checkpoint rewrites row groups, so it should come by the hundred thousand rows, not by the megabyte.
      checkpoint_threshold: '128MiB',
    },
    committed: new SharedArrayBuffer(8),
  };
  const instance = await DuckDBInstance.fromCache(address.file, address.settings);
  const connection = await instance.connect();
  const reading = await instance.connect();
  await prepareSchema(connection);
  const series = new Registry();
  const streams = new Registry();
  await restoreRegistry(reading, 'series', series);
  await restoreRegistry(reading, 'streams', streams);
  const counts = new Int32Array(address.committed);
  const publish = (seriesCount: number, streamCount: number) => {
    Atomics.store(counts, 0, seriesCount);
    Atomics.store(counts, 1, streamCount);
  };
  publish(series.size, streams.size);
  const writer = new Writer(connection, series, streams, { ...DEFAULT_WRITER_LIMITS, ...options.writer }, publish);
  return {
    series,
    streams,
    writer,
    address,
    lastSamples: (sinceMs) => readLastSamples(reading, sinceMs),
    aggregateInputs: () => readAggregateInputs(reading),
    storedSeries: () => readLabelSets(reading, 'series', 0),
    storedMetadata: () => readMetadataTypes(reading),
    diskBytes: () => directoryBytes(options.directory),
    async close() {
      await writer.close();
      await connection.run('CHECKPOINT').catch(() => {
        // A reader may hold a snapshot; the write-ahead log keeps everything until the next start.
      });
      connection.closeSync();
      reading.closeSync();
      instance.closeSync();
    },
  };
}

/** Opens readers on a store that this process has open, in any of its threads. */
export async function openReaders(address: StoreAddress): Promise<Readers> {
  const instance = await DuckDBInstance.fromCache(address.file, address.settings);
  const connection = await instance.connect();
  const counts = new Int32Array(address.committed);
  const seriesIndex = new LabelIndex();
  const streamIndex = new LabelIndex();
  const refreshSeries = indexRefresher(connection, 'series', seriesIndex, () => Atomics.load(counts, 0));
  const refreshStreams = indexRefresher(connection, 'streams', streamIndex, () => Atomics.load(counts, 1));
  return {
    metrics: createMetricReader(connection, seriesIndex, refreshSeries),
    logs: createLogReader(connection, streamIndex, refreshStreams),
    traces: createTraceReader(connection),
    close() {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** A function that adds label sets that were committed since its last call; concurrent calls share one read. */
function indexRefresher(
  connection: DuckDBConnection,
  table: 'series' | 'streams',
  index: LabelIndex,
  committed: () => number,
): () => Promise<void> {
  let running: Promise<void> | undefined;
  const read = async () => {
    for (const labels of await readLabelSets(connection, table, index.size)) index.add(labels);
    running = undefined;
  };
  return async () => {
    while (index.size < committed()) await (running ??= read());
  };
}

async function readLabelSets(connection: DuckDBConnection, table: string, from: number): Promise<Labels[]> {
  const out: Labels[] = [];
  const query = `SELECT id, labels FROM ${table} WHERE id >= ${from} ORDER BY id`;
  for await (const chunk of readChunks(connection, query, undefined, undefined)) {
    for (let row = 0; row < chunk.rowCount; row++) out.push(JSON.parse(text(chunk, 1, row)) as string[]);
  }
  return out;
}

async function restoreRegistry(connection: DuckDBConnection, table: string, registry: Registry): Promise<void> {
  const sets = await readLabelSets(connection, table, 0);
  for (let id = 0; id < sets.length; id++) registry.restore(id, sets[id]);
}

async function readMetadataTypes(connection: DuckDBConnection): Promise<{ metric: string; type: MetricType }[]> {
  const out: { metric: string; type: MetricType }[] = [];
  for await (const chunk of readChunks(connection, 'SELECT metric, type FROM metadata', undefined, undefined)) {
    for (let row = 0; row < chunk.rowCount; row++) {
      out.push({ metric: text(chunk, 0, row), type: text(chunk, 1, row) as MetricType });
    }
  }
  return out;
}

async function readLastSamples(connection: DuckDBConnection, sinceMs: number): Promise<LastSample[]> {
  const query = `SELECT series, max(ts)::BIGINT, max_by(value, ts) FROM samples WHERE ts >= ${Math.floor(sinceMs)} GROUP BY series`;
  const out: LastSample[] = [];
  for await (const chunk of readChunks(connection, query, undefined, undefined)) {
    const [series, times, values] = [uints(chunk, 0), int64s(chunk, 1), doubles(chunk, 2)];
    for (let row = 0; row < chunk.rowCount; row++) {
      out.push({ series: series[row], timestampMs: Number(times[row]), value: values[row] });
    }
  }
  return out;
}

async function readAggregateInputs(connection: DuckDBConnection): Promise<StoredAggregateInput[]> {
  const latest = new Map<string, StoredAggregateInput>();
  const query = 'SELECT output, hi, lo, last, start, ts FROM aggregate_inputs';
  for await (const chunk of readChunks(connection, query, undefined, undefined)) {
    const [outputs, his, los] = [uints(chunk, 0), uints(chunk, 1), uints(chunk, 2)];
    const [lasts, starts, times] = [doubles(chunk, 3), int64s(chunk, 4), int64s(chunk, 5)];
    for (let row = 0; row < chunk.rowCount; row++) {
      // A later row of one input replaces the earlier one; rows come in the order in which they were written.
      latest.set(`${outputs[row]}/${his[row]}/${los[row]}`, {
        output: outputs[row],
        hi: his[row],
        lo: los[row],
        last: lasts[row],
        startMs: Number(starts[row]),
        timestampMs: Number(times[row]),
      });
    }
  }
  return [...latest.values()];
}

function directoryBytes(directory: string): number {
  let bytes = 0;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) bytes += fs.statSync(path.join(entry.parentPath, entry.name)).size;
  }
  return bytes;
}
