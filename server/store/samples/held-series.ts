import { BlockReader } from './block-file.ts';
import type { SampleCatalog } from './catalog.ts';
import { SegmentReader } from './segment.ts';

/**
 * Marks the series that have samples, deleted ones that aren't removed yet included: bit `id % 8` of byte `id >> 3`.
 * Reads the index of every block, so it is nothing for every minute.
 */
export function markHeldSeries({ blocks, segments }: SampleCatalog, marks: Uint8Array): void {
  for (const { path } of blocks) {
    const reader = new BlockReader(path);
    try {
      for (const id of reader.series) marks[id >> 3] |= 1 << (id & 7);
    } finally {
      reader.close();
    }
  }
  for (const memory of segments) {
    const reader = new SegmentReader(memory);
    reader.refresh();
    for (let id = 0; id < reader.seriesEnd; id++) {
      if (reader.count(id, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY) > 0) marks[id >> 3] |= 1 << (id & 7);
    }
  }
}
