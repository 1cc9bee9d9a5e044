// Samples of series: journals that make them durable, segments in shared memory, sealed blocks on disk.
// In: buffers of samples, one commit at a time. Out: columns of samples, in any thread.
// Never: knows labels, reads or writes a table, or shows a sample that isn't durable.
export type { SampleCatalog } from './catalog.ts';
export { ColumnSpace } from './column-space.ts';
export type { LevelFloors } from './cut.ts';
export { syncDirectory } from './files.ts';
export { LastSamples } from './last-samples.ts';
export { SampleBuffer } from './sample-buffer.ts';
export { SampleReader, type SeriesColumns } from './sample-reader.ts';
export { type SampleSizes, SampleStore, type SampleStoreLimits, type SampleStoreStats } from './sample-store.ts';
