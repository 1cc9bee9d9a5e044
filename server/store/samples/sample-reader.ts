import { BarographError } from '../../model/index.ts';
import { throwIfAborted } from '../chunks.ts';
import type { SampleExtent } from '../reader.ts';
import { BlockReader, type BlockSummary } from './block-file.ts';
import type { SampleCatalog } from './catalog.ts';
import { decodeChunk, type SampleColumns } from './chunk-codec.ts';
import { ColumnSpace } from './column-space.ts';
import { firstAtOrAfter, orderSamples } from './ordering.ts';
import { SegmentReader } from './segment.ts';
import { deletionsOf, isDeleted, removeDeleted, type Tombstone } from './tombstones.ts';

/** Bytes of block indexes that a reader keeps in memory. */
const MAX_INDEX_BYTES = 256 * 1024 * 1024;
/** Chunks that are decoded between two looks at the signal. */
const CHUNKS_PER_LOOK = 256;
/** Series between two looks at the signal, less one: a power of two. */
const SERIES_PER_LOOK = 4095;

/** Samples of one series, ascending strictly in time. */
export interface SeriesColumns {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
}

/** Where samples are read from, and what of them was deleted. */
interface Source<Reader> {
  readonly reader: Reader;
  readonly deletions: readonly Tombstone[];
}

/** Which series have pieces that don't follow each other in time; the samples of a chunk always do. */
class PieceOrder {
  private readonly last: Float64Array;
  private readonly doubtful: Uint8Array;

  constructor(slots: number) {
    this.last = new Float64Array(slots).fill(Number.NEGATIVE_INFINITY);
    this.doubtful = new Uint8Array(slots);
  }

  /** Notes a piece that is in order in itself. */
  add(slot: number, { times }: SampleColumns, from: number, count: number): void {
    if (count === 0) return;
    if (times[from] <= this.last[slot]) this.doubtful[slot] = 1;
    this.last[slot] = times[from + count - 1];
  }

  doubt(slot: number): void {
    this.doubtful[slot] = 1;
  }

  isDoubtful(slot: number): boolean {
    return this.doubtful[slot] === 1;
  }
}

/** The chunks of one block that a request needs, ascending, and for which of its series. */
interface WantedChunks extends Source<BlockReader> {
  readonly chunks: number[];
  readonly slots: number[];
}

/** Reads samples from blocks and segments, in any thread; nothing else has to run for it. */
export class SampleReader {
  private catalog: SampleCatalog;
  private readonly segments = new Map<number, SegmentReader>();
  /** By path, the longest unused first. */
  private readonly blocks = new Map<string, BlockReader>();

  private readonly space = new ColumnSpace();

  constructor(catalog: SampleCatalog) {
    this.catalog = catalog;
  }

  /** The version of the catalog that it reads by. */
  get version(): number {
    return this.catalog.version;
  }

  /** Numbers of the series that hold native histograms. */
  get histogramSeries(): Uint32Array {
    return this.catalog.histogramSeries;
  }

  /** Reads by another catalog from now on, and lets go of what isn't in it. */
  use(catalog: SampleCatalog): void {
    this.catalog = catalog;
    const segments = new Set(catalog.segments.map((segment) => segment.sequence));
    for (const sequence of this.segments.keys()) if (!segments.has(sequence)) this.segments.delete(sequence);
    const paths = new Set(catalog.blocks.map((block) => block.path));
    for (const [path, block] of this.blocks) {
      if (paths.has(path)) continue;
      block.close();
      this.blocks.delete(path);
    }
  }

  /**
   * The samples of `[startMs, endMs]`, both inclusive, of each series, by place in `ids`; `undefined` where it has none.
   * @param ids numbers of series, ascending.
   * @param space what the samples are kept in, by default until `reuse`.
   * @throws BarographError `query_limit` where more than `maxSamples` would be read; `cancelled`, `block_damaged`.
   */
  select(
    ids: ArrayLike<number>,
    startMs: number,
    endMs: number,
    maxSamples: number,
    signal: AbortSignal | undefined,
    space: ColumnSpace = this.space,
  ): (SeriesColumns | undefined)[] {
    const ends = new Float64Array(ids.length + 1);
    const segments = this.openSegments(startMs, endMs);
    const wanted = this.wantedBlocks(startMs, endMs).map((source) => {
      throwIfAborted(signal);
      return chunksOf(source, ids, startMs, endMs, ends);
    });
    for (const { reader } of segments) {
      for (let slot = 0; slot < ids.length; slot++) {
        if ((slot & SERIES_PER_LOOK) === 0) throwIfAborted(signal);
        ends[slot + 1] += reader.count(ids[slot], startMs, endMs);
      }
    }
    for (let slot = 0; slot < ids.length; slot++) ends[slot + 1] += ends[slot];
    const total = ends[ids.length];
    if (total > maxSamples) throw tooManySamples(total, maxSamples);
    const columns = space.take(total);
    const next = ends.slice();
    const order = new PieceOrder(ids.length);
    for (const one of wanted) readChunks(one, ids, columns, next, order, signal);
    for (const { reader, deletions } of segments) {
      for (let slot = 0; slot < ids.length; slot++) {
        if ((slot & SERIES_PER_LOOK) === 0) throwIfAborted(signal);
        const room = ends[slot + 1] - next[slot];
        if (room <= 0) continue;
        const copied = reader.copy(ids[slot], startMs, endMs, columns, next[slot], room);
        const left = removeDeleted(deletions, ids[slot], columns, next[slot], copied);
        if (!reader.isOrdered(ids[slot])) order.doubt(slot);
        order.add(slot, columns, next[slot], left);
        next[slot] += left;
      }
    }
    return Array.from({ length: ids.length }, (_, slot) => {
      if ((slot & SERIES_PER_LOOK) === 0) throwIfAborted(signal);
      const count = next[slot] - ends[slot];
      const ordered = order.isDoubtful(slot) ? orderSamples(columns, ends[slot], count) : count;
      return cutOut(columns, ends[slot], ends[slot] + ordered, startMs, endMs);
    });
  }

  /** Says that nobody needs the answers of `select` so far; their memory is used again. */
  reuse(): void {
    this.space.reuse();
  }

  /** Which of the series, by place in `ids`, may have samples in the range; says so rather too often than too seldom. */
  active(ids: readonly number[], startMs: number, endMs: number, signal?: AbortSignal): Uint8Array {
    const active = new Uint8Array(ids.length);
    for (const source of this.wantedBlocks(startMs, endMs)) {
      throwIfAborted(signal);
      const ends = new Float64Array(ids.length + 1);
      for (const slot of chunksOf(source, ids, startMs, endMs, ends).slots) active[slot] = 1;
    }
    for (const { reader, deletions } of this.openSegments(startMs, endMs)) {
      const [minMs, maxMs] = reader.range;
      for (let slot = 0; slot < ids.length; slot++) {
        if ((slot & SERIES_PER_LOOK) === 0) throwIfAborted(signal);
        if (active[slot] === 1 || isDeleted(deletions, ids[slot], minMs, maxMs)) continue;
        if (reader.count(ids[slot], startMs, endMs) > 0) active[slot] = 1;
      }
    }
    return active;
  }

  /**
   * How many chunks of samples there are, runs of segments included, and the times of the first and the last of the
   * samples, milliseconds; the first is after the last where there are none. What was deleted and isn't removed yet counts.
   */
  extent(): SampleExtent {
    let [chunks, startMs, endMs] = [0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const add = (count: number, minMs: number, maxMs: number): void => {
      chunks += count;
      startMs = Math.min(startMs, minMs);
      endMs = Math.max(endMs, maxMs);
    };
    for (const block of this.catalog.blocks) add(block.chunks, block.minMs, block.maxMs);
    for (const { reader } of this.openSegments(Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY)) {
      add(reader.runs, reader.range[0], reader.range[1]);
    }
    return { chunks, startMs, endMs };
  }

  /** Closes its files. */
  close(): void {
    for (const block of this.blocks.values()) block.close();
    this.blocks.clear();
    this.segments.clear();
  }

  private openSegments(startMs: number, endMs: number): Source<SegmentReader>[] {
    const open: Source<SegmentReader>[] = [];
    for (const memory of this.catalog.segments) {
      const { sequence } = memory;
      let reader = this.segments.get(sequence);
      if (!reader) {
        reader = new SegmentReader(memory);
        this.segments.set(sequence, reader);
      }
      reader.refresh();
      const [minMs, maxMs] = reader.range;
      if (minMs > endMs || maxMs < startMs) continue;
      open.push({ reader, deletions: deletionsOf(this.catalog.tombstones, sequence, minMs, maxMs) });
    }
    return open;
  }

  private wantedBlocks(startMs: number, endMs: number): Source<BlockReader>[] {
    const wanted = this.catalog.blocks.filter((block) => block.minMs <= endMs && block.maxMs >= startMs);
    const open = wanted.map((block): Source<BlockReader> => {
      const deletions = deletionsOf(this.catalog.tombstones, block.firstSequence, block.minMs, block.maxMs);
      return { reader: this.openBlock(block), deletions };
    });
    let bytes = 0;
    for (const block of this.blocks.values()) bytes += block.indexBytes;
    for (const [path, block] of this.blocks) {
      if (bytes <= MAX_INDEX_BYTES) break;
      if (open.some(({ reader }) => reader === block)) continue;
      bytes -= block.indexBytes;
      block.close();
      this.blocks.delete(path);
    }
    return open;
  }

  private openBlock({ path }: BlockSummary): BlockReader {
    const block = this.blocks.get(path) ?? new BlockReader(path);
    this.blocks.delete(path);
    this.blocks.set(path, block);
    return block;
  }
}

/** Finds the chunks that overlap the range, and adds their samples to `ends`, one place after that of their series. */
function chunksOf(
  { reader, deletions }: Source<BlockReader>,
  ids: ArrayLike<number>,
  startMs: number,
  endMs: number,
  ends: Float64Array,
): WantedChunks {
  const chunks: number[] = [];
  const slots: number[] = [];
  const { series, counts, firstMs, lastMs } = reader;
  let chunk = 0;
  for (let slot = 0; slot < ids.length && chunk < series.length; slot++) {
    const id = ids[slot];
    chunk = reader.seek(id, chunk);
    for (; chunk < series.length && series[chunk] === id; chunk++) {
      if (firstMs[chunk] > endMs || lastMs[chunk] < startMs) continue;
      if (isDeleted(deletions, id, firstMs[chunk], lastMs[chunk])) continue;
      chunks.push(chunk);
      slots.push(slot);
      ends[slot + 1] += counts[chunk];
    }
  }
  return { reader, deletions, chunks, slots };
}

/** Decodes chunks to where their series' next samples go. */
function readChunks(
  { reader, deletions, chunks, slots }: WantedChunks,
  ids: ArrayLike<number>,
  columns: SampleColumns,
  next: Float64Array,
  order: PieceOrder,
  signal: AbortSignal | undefined,
): void {
  let i = 0;
  reader.read(chunks, (_, words, at) => {
    if (i % CHUNKS_PER_LOOK === 0) throwIfAborted(signal);
    const slot = slots[i++];
    const count = decodeChunk(words, at, columns, next[slot]);
    const left = removeDeleted(deletions, ids[slot], columns, next[slot], count);
    order.add(slot, columns, next[slot], left);
    next[slot] += left;
  });
}

/** Leaves out the samples of one series beyond the range. */
function cutOut(
  columns: SampleColumns,
  from: number,
  end: number,
  startMs: number,
  endMs: number,
): SeriesColumns | undefined {
  const first = firstAtOrAfter(columns.times, from, end, startMs);
  const last = firstAtOrAfter(columns.times, first, end, endMs + 1);
  if (first === last) return undefined;
  return { timestamps: columns.times.subarray(first, last), values: columns.values.subarray(first, last) };
}

function tooManySamples(got: number, accepted: number): BarographError {
  return new BarographError({
    code: 'query_limit',
    status: 422,
    where: 'selector',
    got: `${got} samples`,
    accepted: `at most ${accepted}`,
    fix: 'add matchers, shorten the time range, or raise query.max_samples',
  });
}
