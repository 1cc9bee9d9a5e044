// Keeps every signal in one data directory, committed in groups: samples in journals and blocks of their own, the rest in
// DuckDB's tables, and indexes over label sets.
// In: governed rows from ingest, pushed into the writer's buffer and acknowledged once `commit()` resolves.
// Out: readers for the query engines, from any thread of the process.
// Never: judges labels, knows a protocol or a query language, or acknowledges what isn't on disk.

export type { StoredAggregateHistogram } from './aggregate-state.ts';
export { type ChunkSource, remoteChunkSource } from './chunks.ts';
export type { Registry } from './labels/index.ts';
export { DEFAULT_METRIC_READER_LIMITS, type MetricReaderLimits } from './metric-reader.ts';
export type * from './reader.ts';
export {
  type DiskGuard,
  describeRetention,
  type Retention,
  type RetentionSettings,
  type RetentionStatus,
  retentionSchema,
  shownRetention,
} from './retention/index.ts';
export { type Floors, SIGNALS, type Signal } from './signals.ts';
export {
  createReaders,
  type LastSample,
  openStore,
  type SharedStore,
  type Store,
  type StoredHistogram,
  type StoreOptions,
} from './store.ts';
export type { TextMatch } from './text-search.ts';
export type { Upkeep } from './upkeep.ts';
export type { WriteBuffer } from './write-buffer.ts';
export type { Writer, WriterLimits, WriterStats } from './writer.ts';
