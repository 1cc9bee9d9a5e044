import { BlockReader, type BlockSummary, BlockWriter } from './block-file.ts';
import { decodeChunk, MAX_CHUNK_SAMPLES, sampleColumns } from './chunk-codec.ts';
import { orderSamples } from './ordering.ts';
import { type SegmentMemory, SegmentReader } from './segment.ts';

/** A chunk at least this long is taken over as it is when blocks are merged. */
const LONG_CHUNK = MAX_CHUNK_SAMPLES / 2;

/** Writes all samples of a segment, which nobody writes to any more, as a block. */
export function sealSegment(memory: SegmentMemory, path: string): BlockSummary {
  const segment = new SegmentReader(memory);
  segment.refresh();
  const [start, end] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const writer = new BlockWriter(path);
  let columns = sampleColumns(4096);
  try {
    for (let id = 0; id < segment.seriesEnd; id++) {
      const count = segment.count(id, start, end);
      if (count === 0) continue;
      if (count > columns.times.length) columns = sampleColumns(count * 2);
      segment.copy(id, start, end, columns, 0, count);
      writer.add(id, columns.times, columns.values, orderSamples(columns, 0, count));
    }
    return writer.finish(memory.sequence, memory.sequence);
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** Writes the samples of several blocks, given in the order of their sequences, as one block. */
export function mergeBlocks(parts: readonly BlockSummary[], path: string): BlockSummary {
  const blocks = parts.map((part) => new BlockReader(part.path));
  const writer = new BlockWriter(path);
  try {
    const next = new Uint32Array(blocks.length);
    for (;;) {
      let id = Number.POSITIVE_INFINITY;
      for (let b = 0; b < blocks.length; b++) {
        if (next[b] < blocks[b].chunks) id = Math.min(id, blocks[b].series[next[b]]);
      }
      if (id === Number.POSITIVE_INFINITY) break;
      mergeSeries(blocks, next, id, writer);
    }
    return writer.finish(parts[parts.length - 1].sequence, parts[0].firstSequence);
  } catch (error) {
    writer.abandon();
    throw error;
  } finally {
    for (const block of blocks) block.close();
  }
}

/** One chunk of the series that is being merged. */
interface Part {
  readonly block: BlockReader;
  readonly chunk: number;
}

/** Merges one series' chunks and moves `next` past them. */
function mergeSeries(blocks: readonly BlockReader[], next: Uint32Array, id: number, writer: BlockWriter): void {
  const parts: Part[] = [];
  let inOrder = true;
  for (let b = 0; b < blocks.length; b++) {
    const block = blocks[b];
    for (; next[b] < block.chunks && block.series[next[b]] === id; next[b]++) {
      const last = parts[parts.length - 1];
      if (last && block.firstMs[next[b]] <= last.block.lastMs[last.chunk]) inOrder = false;
      parts.push({ block, chunk: next[b] });
    }
  }
  let short: Part[] = [];
  for (const part of parts) {
    const isLong = inOrder && part.block.counts[part.chunk] >= LONG_CHUNK;
    if (!isLong) {
      short.push(part);
      continue;
    }
    joinChunks(short, id, writer);
    short = [];
    const { block, chunk } = part;
    block.read([chunk], (_, words, at, length) => {
      const encoded = words.subarray(at, at + length);
      writer.addEncoded(id, encoded, block.counts[chunk], block.firstMs[chunk], block.lastMs[chunk]);
    });
  }
  joinChunks(short, id, writer);
}

/** Decodes chunks and writes their samples as new ones. */
function joinChunks(parts: readonly Part[], id: number, writer: BlockWriter): void {
  const count = parts.reduce((sum, { block, chunk }) => sum + block.counts[chunk], 0);
  if (count === 0) return;
  const columns = sampleColumns(count);
  let at = 0;
  for (const { block, chunk } of parts) {
    block.read([chunk], (_, words, from) => {
      at += decodeChunk(words, from, columns, at);
    });
  }
  writer.add(id, columns.times, columns.values, orderSamples(columns, 0, count));
}
