import fs from 'node:fs';
import path from 'node:path';
import type { MessagePort } from 'node:worker_threads';
import { DuckDBInstance } from '@duckdb/node-api';
import type { Labels, MetricType } from '../model/index.ts';
import { type ChunkSource, LocalChunkSource, serveChunks } from './chunks.ts';
import { LabelIndex } from './label-index.ts';
import { createLogReader } from './log-reader.ts';
import { createMetricReader } from './metric-reader.ts';
import type { Readers } from './reader.ts';
import { Registry } from './registry.ts';
import { doubles, int64s, text, uints } from './rows.ts';
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
  /** Two 32-bit counts that threads share: committed series, committed streams. */
  readonly committed: SharedArrayBuffer;
  /** Readers for this thread. */
  readers(): Readers;
  /** Serves the reads of another thread, which holds `remoteChunkSource` of the port's other end. */
  serve(port: MessagePort): void;
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

/**
 * Opens (or creates) the store and takes up its series index. One thread owns the database: DuckDB's instance can't be
 * shared with the process's other threads, and a second one on the same file would not see what the first commits.
 * @throws BarographError `schema_version`.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  fs.mkdirSync(options.directory, { recursive: true });
  const instance = await DuckDBInstance.create(path.resolve(options.directory, 'hot.duckdb'), {
    threads: String(options.threads ?? 2),
    memory_limit: `${options.memoryMiB ?? 1024}MiB`,
    // A checkpoint rewrites row groups, so it should come by the hundred thousand rows, not by the megabyte.
    checkpoint_threshold: '128MiB',
  });
  const connection = await instance.connect();
  await prepareSchema(connection);
  const source = new LocalChunkSource(instance);
  const series = new Registry();
  const streams = new Registry();
  await restoreRegistry(source, 'series', series);
  await restoreRegistry(source, 'streams', streams);
  const committed = new SharedArrayBuffer(8);
  const counts = new Int32Array(committed);
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
    committed,
    readers: () => createReaders(source, committed),
    serve: (port) => serveChunks(port, source),
    lastSamples: (sinceMs) => readLastSamples(source, sinceMs),
    aggregateInputs: () => readAggregateInputs(source),
    storedSeries: () => readLabelSets(source, 'series', 0),
    storedMetadata: () => readMetadataTypes(source),
    diskBytes: () => directoryBytes(options.directory),
    async close() {
      await writer.close();
      source.close();
      await connection.run('CHECKPOINT').catch(() => {
        // The write-ahead log keeps everything until the next start.
      });
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** Readers over a source, in any thread; `committed` is the store's. */
export function createReaders(source: ChunkSource, committed: SharedArrayBuffer): Readers {
  const counts = new Int32Array(committed);
  const seriesIndex = new LabelIndex();
  const streamIndex = new LabelIndex();
  const refreshSeries = indexRefresher(source, 'series', seriesIndex, () => Atomics.load(counts, 0));
  const refreshStreams = indexRefresher(source, 'streams', streamIndex, () => Atomics.load(counts, 1));
  return {
    metrics: createMetricReader(source, seriesIndex, refreshSeries),
    logs: createLogReader(source, streamIndex, refreshStreams),
    traces: createTraceReader(source),
  };
}

/** A function that adds label sets that were committed since its last call; concurrent calls share one read. */
function indexRefresher(
  source: ChunkSource,
  table: 'series' | 'streams',
  index: LabelIndex,
  committed: () => number,
): () => Promise<void> {
  let running: Promise<void> | undefined;
  const read = async () => {
    try {
      for (const labels of await readLabelSets(source, table, index.size)) index.add(labels);
    } finally {
      running = undefined;
    }
  };
  return async () => {
    const wanted = committed();
    while (index.size < wanted) {
      const before = index.size;
      await (running ??= read());
      if (index.size === before) throw new Error(`BUG: ${wanted} ${table} are committed, ${before} can be read`);
    }
  };
}

async function readLabelSets(source: ChunkSource, table: string, from: number): Promise<Labels[]> {
  const out: Labels[] = [];
  const query = `SELECT id, labels FROM ${table} WHERE id >= ${from} ORDER BY id`;
  for await (const chunk of source.read(query, undefined, undefined)) {
    for (let row = 0; row < chunk.count; row++) out.push(JSON.parse(text(chunk, 1, row)) as string[]);
  }
  return out;
}

async function restoreRegistry(source: ChunkSource, table: string, registry: Registry): Promise<void> {
  const sets = await readLabelSets(source, table, 0);
  for (let id = 0; id < sets.length; id++) registry.restore(id, sets[id]);
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

async function readLastSamples(source: ChunkSource, sinceMs: number): Promise<LastSample[]> {
  // Of several samples at one time the one written last counts, so the row's number breaks the tie.
  const order = 'ts::HUGEINT * 4294967296 + rowid';
  const query = `SELECT series, max(ts)::BIGINT, max_by(value, ${order}) FROM samples WHERE ts >= ${Math.floor(sinceMs)} GROUP BY series`;
  const out: LastSample[] = [];
  for await (const chunk of source.read(query, undefined, undefined)) {
    const [series, times, values] = [uints(chunk, 0), int64s(chunk, 1), doubles(chunk, 2)];
    for (let row = 0; row < chunk.count; row++) {
      out.push({ series: series[row], timestampMs: Number(times[row]), value: values[row] });
    }
  }
  return out;
}

async function readAggregateInputs(source: ChunkSource): Promise<StoredAggregateInput[]> {
  const latest = new Map<string, StoredAggregateInput>();
  const query = 'SELECT output, hi, lo, last, start, ts FROM aggregate_inputs';
  for await (const chunk of source.read(query, undefined, undefined)) {
    const [outputs, his, los] = [uints(chunk, 0), uints(chunk, 1), uints(chunk, 2)];
    const [lasts, starts, times] = [doubles(chunk, 3), int64s(chunk, 4), int64s(chunk, 5)];
    for (let row = 0; row < chunk.count; row++) {
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
