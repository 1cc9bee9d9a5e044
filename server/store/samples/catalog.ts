import type { Floors } from '../signals.ts';
import type { BlockSummary } from './block-file.ts';
import type { SegmentMemory } from './segment.ts';
import type { Tombstone } from './tombstones.ts';

/**
 * Where samples are at one moment. Later sources come later in the lists, and segments after blocks: of several samples
 * of one series at one time the one in the last source counts, and there the last one.
 */
export interface SampleCatalog {
  /** Goes up with each change. */
  readonly version: number;
  readonly blocks: readonly BlockSummary[];
  readonly segments: readonly SegmentMemory[];
  /** What of it was deleted and isn't removed yet. */
  readonly tombstones: readonly Tombstone[];
  /** Numbers of the series that hold native histograms, which lie in a table. */
  readonly histogramSeries: Uint32Array;
  /** What queries may see, of samples and of tables; absent where that is everything. */
  readonly floors?: Floors;
}
