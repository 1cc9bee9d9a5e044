import { BlockReader, type BlockSummary, BlockWriter } from './block-file.ts';
import { decodeChunk, MAX_CHUNK_SAMPLES, sampleColumns } from './chunk-codec.ts';
import { orderSamples } from './ordering.ts';
import { type SegmentMemory, SegmentReader } from './segment.ts';
import { deletionsOf, isDeleted, removeDeleted, type Tombstone } from './tombstones.ts';

/** A chunk at least this long is taken over as it is when blocks are merged. */
const LONG_CHUNK = MAX_CHUNK_SAMPLES / 2;

/** Writes all samples of a segment, which nobody writes to any more, as a block without those that were deleted. */
export function sealSegment(memory: SegmentMemory, tombstones: readonly Tombstone[], path: string): BlockSummary {
  const segment = new SegmentReader(memory);
  segment.refresh();
  const [start, end] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const deletions = deletionsOf(tombstones, memory.sequence, start, end);
  const writer = new BlockWriter(path);
  let columns = sampleColumns(4096);
  try {
    for (let id = 0; id < segment.seriesEnd; id++) {
      const count = segment.count(id, start, end);
      if (count === 0) continue;
      if (count > columns.times.length) columns = sampleColumns(count * 2);
      segment.copy(id, start, end, columns, 0, count);
      const left = removeDeleted(deletions, id, columns, 0, count);
      writer.add(id, columns.times, columns.values, orderSamples(columns, 0, left));
    }
    return writer.finish(memory.sequence, memory.sequence, 0);
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** An open block and the deletions that concern it. */
interface OpenBlock {
  readonly reader: BlockReader;
  readonly deletions: readonly Tombstone[];
}

/**
 * Writes the samples of several blocks, given in the order of their sequences, as one block without those that were
 * deleted.
 */
export function mergeBlocks(
  parts: readonly BlockSummary[],
  tombstones: readonly Tombstone[],
  path: string,
): BlockSummary {
  const blocks = parts.map((part): OpenBlock => {
    const deletions = deletionsOf(tombstones, part.firstSequence, part.minMs, part.maxMs);
    return { reader: new BlockReader(part.path), deletions };
  });
  const writer = new BlockWriter(path);
  try {
    const next = new Uint32Array(blocks.length);
    for (;;) {
      let id = Number.POSITIVE_INFINITY;
      for (let b = 0; b < blocks.length; b++) {
        const { reader } = blocks[b];
        if (next[b] < reader.chunks) id = Math.min(id, reader.series[next[b]]);
      }
      if (id === Number.POSITIVE_INFINITY) break;
      mergeSeries(blocks, next, id, writer);
    }
    const revision = Math.max(...parts.map((part) => part.revision)) + 1;
    return writer.finish(parts[parts.length - 1].sequence, parts[0].firstSequence, revision);
  } catch (error) {
    writer.abandon();
    throw error;
  } finally {
    for (const { reader } of blocks) reader.close();
  }
}

/** One chunk of the series that is being merged. */
interface Part extends OpenBlock {
  readonly chunk: number;
}

/** Merges one series' chunks and moves `next` past them. */
function mergeSeries(blocks: readonly OpenBlock[], next: Uint32Array, id: number, writer: BlockWriter): void {
  const parts: Part[] = [];
  let inOrder = true;
  for (let b = 0; b < blocks.length; b++) {
    const { reader, deletions } = blocks[b];
    for (; next[b] < reader.chunks && reader.series[next[b]] === id; next[b]++) {
      const chunk = next[b];
      if (isDeleted(deletions, id, reader.firstMs[chunk], reader.lastMs[chunk])) continue;
      const last = parts[parts.length - 1];
      if (last && reader.firstMs[chunk] <= last.reader.lastMs[last.chunk]) inOrder = false;
      parts.push({ reader, deletions, chunk });
    }
  }
  let short: Part[] = [];
  for (const part of parts) {
    const { reader, deletions, chunk } = part;
    const isLong = inOrder && deletions.length === 0 && reader.counts[chunk] >= LONG_CHUNK;
    if (!isLong) {
      short.push(part);
      continue;
    }
    joinChunks(short, id, writer);
    short = [];
    reader.read([chunk], (_, words, at, length) => {
      const encoded = words.subarray(at, at + length);
      writer.addEncoded(id, encoded, reader.counts[chunk], reader.firstMs[chunk], reader.lastMs[chunk]);
    });
  }
  joinChunks(short, id, writer);
}

/** Decodes chunks and writes their samples as new ones. */
function joinChunks(parts: readonly Part[], id: number, writer: BlockWriter): void {
  const count = parts.reduce((sum, { reader, chunk }) => sum + reader.counts[chunk], 0);
  if (count === 0) return;
  const columns = sampleColumns(count);
  let at = 0;
  for (const { reader, deletions, chunk } of parts) {
    reader.read([chunk], (_, words, from) => {
      at += removeDeleted(deletions, id, columns, at, decodeChunk(words, from, columns, at));
    });
  }
  writer.add(id, columns.times, columns.values, orderSamples(columns, 0, at));
}
