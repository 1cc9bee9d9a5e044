import { BlockReader, type BlockSummary, BlockWriter } from './block-file.ts';
import { decodeChunk, MAX_CHUNK_SAMPLES, type SampleColumns, sampleColumns } from './chunk-codec.ts';
import { type Cut, levelIn } from './cut.ts';
import { firstAtOrAfter, orderSamples } from './ordering.ts';
import { type SegmentMemory, SegmentReader } from './segment.ts';
import { deletionsOf, isDeleted, removeDeleted, type Tombstone } from './tombstones.ts';

/** A chunk at least this long is taken over as it is when blocks are merged. */
const LONG_CHUNK = MAX_CHUNK_SAMPLES / 2;

/**
 * Writes all samples of a segment, which nobody writes to any more, as a block without those that were deleted or are
 * too old.
 */
export function sealSegment(
  memory: SegmentMemory,
  tombstones: readonly Tombstone[],
  cut: Cut,
  path: string,
): BlockSummary {
  const segment = new SegmentReader(memory);
  segment.refresh();
  const [start, end] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const deletions = deletionsOf(tombstones, memory.sequence, start, end);
  const writer = new BlockWriter(path, cut.fleet);
  let columns = sampleColumns(4096);
  try {
    for (let id = 0; id < segment.seriesEnd; id++) {
      const count = segment.count(id, start, end);
      if (count === 0) continue;
      if (count > columns.times.length) columns = sampleColumns(count * 2);
      segment.copy(id, start, end, columns, 0, count);
      const left = removeDeleted(deletions, id, columns, 0, count);
      addKept(writer, id, columns, orderSamples(columns, 0, left), floorOf(cut, id));
    }
    return writer.finish(memory.sequence, memory.sequence, 0);
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

function floorOf({ fleet, floors }: Cut, id: number): number {
  return floors[levelIn(fleet, id)];
}

/** Writes the first `count` samples, in order of time, without those before the floor. */
function addKept(
  writer: BlockWriter,
  id: number,
  { times, values }: SampleColumns,
  count: number,
  floorMs: number,
): void {
  const first = firstAtOrAfter(times, 0, count, floorMs);
  writer.add(id, times.subarray(first, count), values.subarray(first, count), count - first);
}

/** An open block and the deletions that concern it. */
interface OpenBlock {
  readonly reader: BlockReader;
  readonly deletions: readonly Tombstone[];
}

/**
 * Writes the samples of several blocks, given in the order of their sequences, as one block without those that were
 * deleted or are too old.
 */
export function mergeBlocks(
  parts: readonly BlockSummary[],
  tombstones: readonly Tombstone[],
  cut: Cut,
  path: string,
): BlockSummary {
  const blocks = parts.map((part): OpenBlock => {
    const deletions = deletionsOf(tombstones, part.firstSequence, part.minMs, part.maxMs);
    return { reader: new BlockReader(part.path), deletions };
  });
  const writer = new BlockWriter(path, cut.fleet);
  try {
    const next = new Uint32Array(blocks.length);
    for (;;) {
      let id = Number.POSITIVE_INFINITY;
      for (let b = 0; b < blocks.length; b++) {
        const { reader } = blocks[b];
        if (next[b] < reader.chunks) id = Math.min(id, reader.series[next[b]]);
      }
      if (id === Number.POSITIVE_INFINITY) break;
      mergeSeries(blocks, next, id, floorOf(cut, id), writer);
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
function mergeSeries(
  blocks: readonly OpenBlock[],
  next: Uint32Array,
  id: number,
  floorMs: number,
  writer: BlockWriter,
): void {
  const parts: Part[] = [];
  let inOrder = true;
  for (let b = 0; b < blocks.length; b++) {
    const { reader, deletions } = blocks[b];
    for (; next[b] < reader.chunks && reader.series[next[b]] === id; next[b]++) {
      const chunk = next[b];
      if (reader.lastMs[chunk] < floorMs) continue;
      if (isDeleted(deletions, id, reader.firstMs[chunk], reader.lastMs[chunk])) continue;
      const last = parts[parts.length - 1];
      if (last && reader.firstMs[chunk] <= last.reader.lastMs[last.chunk]) inOrder = false;
      parts.push({ reader, deletions, chunk });
    }
  }
  let short: Part[] = [];
  for (const part of parts) {
    const { reader, deletions, chunk } = part;
    const isWhole = deletions.length === 0 && reader.firstMs[chunk] >= floorMs;
    if (!(isWhole && inOrder && reader.counts[chunk] >= LONG_CHUNK)) {
      short.push(part);
      continue;
    }
    joinChunks(short, id, floorMs, writer);
    short = [];
    reader.read([chunk], (_, words, at, length) => {
      const encoded = words.subarray(at, at + length);
      writer.addEncoded(id, encoded, reader.counts[chunk], reader.firstMs[chunk], reader.lastMs[chunk]);
    });
  }
  joinChunks(short, id, floorMs, writer);
}

/** Decodes chunks and writes their samples as new ones. */
function joinChunks(parts: readonly Part[], id: number, floorMs: number, writer: BlockWriter): void {
  const count = parts.reduce((sum, { reader, chunk }) => sum + reader.counts[chunk], 0);
  if (count === 0) return;
  const columns = sampleColumns(count);
  let at = 0;
  for (const { reader, deletions, chunk } of parts) {
    reader.read([chunk], (_, words, from) => {
      at += removeDeleted(deletions, id, columns, at, decodeChunk(words, from, columns, at));
    });
  }
  addKept(writer, id, columns, orderSamples(columns, 0, at), floorMs);
}
