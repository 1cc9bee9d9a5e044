import fs from 'node:fs';
import { crc32 } from 'node:zlib';
import { BarographError } from '../../model/index.ts';
import { LEVELS, type Level } from '../signals.ts';
import { decodeChunk, encodeChunk, MAX_CHUNK_SAMPLES, maxChunkWords, type SampleColumns } from './chunk-codec.ts';
import { levelIn } from './cut.ts';

/*
 * A block is a file of sealed samples that is never changed. In 32-bit little-endian words:
 *   header  4 words   "BGSB", version, 0, 0
 *   chunks            chunk-codec.ts, ordered by series, then time; those of one series don't overlap
 *   index             seven arrays of one entry a chunk: series, first word, words, samples, CRC-32 (Uint32 each),
 *                     first and last time (Float64 each; they start at an even word)
 *   levels 16 words   for the fleet level, then for the other series, as doubles: samples, bytes with their share of the
 *                     index, first and last time; version 1 doesn't have them, and they are counted from its index
 *   footer 16 words   chunks, first word of the index, CRC-32 of the index, version; as doubles: samples, first and
 *                     last time; the rest 0; "BGSB" as the last word
 */
const MAGIC = 0x42534742;
const VERSION = 2;
/** The version that has no sums of the levels. */
const VERSION_WITHOUT_LEVELS = 1;
const HEADER_WORDS = 4;
const FOOTER_WORDS = 16;
const LEVELS_WORDS = 16;
/** Bytes that a chunk takes in the index. */
const INDEX_BYTES = 36;
/** Words that are gathered before they are written. */
const WRITE_WORDS = 1 << 18;
/** Two wanted chunks that lie closer than this are read at once, in words. */
const GAP_WORDS = 16 * 1024;
/** Words that are read at once, at most, unless a chunk is longer. */
const READ_WORDS = 1 << 20;

/** What a block holds of one level. */
export interface LevelSummary {
  readonly samples: number;
  /** Of their chunks, and what these take in the index. */
  readonly bytes: number;
  /** Milliseconds, both inclusive; +∞ and −∞ where there are no samples. */
  readonly minMs: number;
  readonly maxMs: number;
}

/** What a block holds, without opening it. */
export interface BlockSummary {
  /** Blocks with higher numbers were written later: of samples of one time theirs count. */
  readonly sequence: number;
  /** Of a merged block the lowest sequence among its parts; else the same as `sequence`. */
  readonly firstSequence: number;
  /** Goes up when a block is written anew without what was deleted. */
  readonly revision: number;
  readonly path: string;
  readonly bytes: number;
  readonly samples: number;
  readonly chunks: number;
  /** Milliseconds, both inclusive. */
  readonly minMs: number;
  readonly maxMs: number;
  readonly levels: Readonly<Record<Level, LevelSummary>>;
}

/** Adds up what chunks hold, by level. */
class LevelSums {
  private readonly fleet: Uint32Array;
  private readonly sums = {
    fleet: { samples: 0, bytes: 0, minMs: Number.POSITIVE_INFINITY, maxMs: Number.NEGATIVE_INFINITY },
    per_model: { samples: 0, bytes: 0, minMs: Number.POSITIVE_INFINITY, maxMs: Number.NEGATIVE_INFINITY },
  };

  /** @param fleet numbers of the series of the fleet level, ascending. */
  constructor(fleet: Uint32Array) {
    this.fleet = fleet;
  }

  add(series: number, words: number, count: number, firstMs: number, lastMs: number): void {
    const sum = this.sums[levelIn(this.fleet, series)];
    sum.samples += count;
    sum.bytes += words * 4 + INDEX_BYTES;
    sum.minMs = Math.min(sum.minMs, firstMs);
    sum.maxMs = Math.max(sum.maxMs, lastMs);
  }

  get all(): Record<Level, LevelSummary> {
    return { fleet: { ...this.sums.fleet }, per_model: { ...this.sums.per_model } };
  }
}

/** Writes a block chunk by chunk; the file is complete once `finish` returned. */
export class BlockWriter {
  private readonly file: number;
  private readonly path: string;
  private words = new Uint32Array(WRITE_WORDS + maxChunkWords(MAX_CHUNK_SAMPLES) + 1);
  private used = HEADER_WORDS;
  private written = 0;
  private readonly index: { series: number[]; start: number[]; length: number[]; count: number[]; crc: number[] } = {
    series: [],
    start: [],
    length: [],
    count: [],
    crc: [],
  };
  private readonly firsts: number[] = [];
  private readonly lasts: number[] = [];
  private samples = 0;
  private readonly levels: LevelSums;

  /** @param fleet numbers of the series of the fleet level, ascending. */
  constructor(path: string, fleet: Uint32Array) {
    this.path = path;
    this.levels = new LevelSums(fleet);
    this.file = fs.openSync(path, 'w');
    this.words[0] = MAGIC;
    this.words[1] = VERSION;
  }

  /** Encodes samples of a series, ascending strictly in time, in as many chunks as they need. */
  add(series: number, times: Float64Array, values: Float64Array, count: number): void {
    // Chunks of about equal length leave no rest that is hardly worth its header.
    const parts = Math.ceil(count / MAX_CHUNK_SAMPLES);
    for (let part = 0; part < parts; part++) {
      const from = Math.floor((part * count) / parts);
      const to = Math.floor(((part + 1) * count) / parts);
      const at = this.used;
      this.used = encodeChunk(times, values, from, to - from, this.words, at);
      this.note(series, at, to - from, times[from], times[to - 1]);
    }
  }

  /** Takes over a chunk as another block has it. */
  addEncoded(series: number, chunk: Uint32Array, count: number, firstMs: number, lastMs: number): void {
    const at = this.used;
    this.words.set(chunk, at);
    this.used += chunk.length;
    this.note(series, at, count, firstMs, lastMs);
  }

  private note(series: number, at: number, count: number, firstMs: number, lastMs: number): void {
    const { index } = this;
    index.series.push(series);
    index.start.push(this.written + at);
    index.length.push(this.used - at);
    index.count.push(count);
    index.crc.push(crc32(bytesOf(this.words, at, this.used - at)));
    this.firsts.push(firstMs);
    this.lasts.push(lastMs);
    this.samples += count;
    this.levels.add(series, this.used - at, count, firstMs, lastMs);
    if (this.used >= WRITE_WORDS) this.flush();
  }

  private flush(): void {
    fs.writeSync(this.file, bytesOf(this.words, 0, this.used));
    this.written += this.used;
    this.words.fill(0, 0, this.used);
    this.used = 0;
  }

  /** Writes the index and makes the file durable. */
  finish(sequence: number, firstSequence: number, revision: number): BlockSummary {
    if ((this.written + this.used) % 2 === 1) this.used++;
    this.flush();
    const chunks = this.firsts.length;
    const { series, start, length, count, crc } = this.index;
    const integers = [series, start, length, count, crc].map((values) => bytesOf(Uint32Array.from(values), 0, chunks));
    const padding = Buffer.alloc(chunks % 2 === 1 ? 4 : 0);
    const times = [this.firsts, this.lasts].map((values) => Buffer.from(Float64Array.from(values).buffer));
    const index = Buffer.concat([...integers, padding, ...times]);
    const minMs = this.firsts.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
    const maxMs = this.lasts.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const levels = this.levels.all;
    const sums = Float64Array.from(LEVELS.flatMap((level) => summaryInOrder(levels[level])));
    const footer = new Uint32Array(FOOTER_WORDS);
    footer.set([chunks, this.written, crc32(index), VERSION]);
    new Float64Array(footer.buffer).set([this.samples, minMs, maxMs], 2);
    footer[FOOTER_WORDS - 1] = MAGIC;
    fs.writeSync(this.file, index);
    fs.writeSync(this.file, Buffer.from(sums.buffer));
    fs.writeSync(this.file, bytesOf(footer, 0, FOOTER_WORDS));
    fs.fsyncSync(this.file);
    fs.closeSync(this.file);
    const bytes = this.written * 4 + index.length + (LEVELS_WORDS + FOOTER_WORDS) * 4;
    const { path, samples } = this;
    return { sequence, firstSequence, revision, path, bytes, samples, chunks, minMs, maxMs, levels };
  }

  /** Gives the file up. */
  abandon(): void {
    fs.closeSync(this.file);
    fs.rmSync(this.path, { force: true });
  }
}

function summaryInOrder({ samples, bytes, minMs, maxMs }: LevelSummary): number[] {
  return [samples, bytes, minMs, maxMs];
}

/**
 * What the footer of a block says.
 * @param fleet numbers of the series of the fleet level, ascending.
 * @throws BarographError `block_damaged`.
 */
export function readBlockSummary(
  path: string,
  { sequence, firstSequence, revision }: Pick<BlockSummary, 'sequence' | 'firstSequence' | 'revision'>,
  fleet: Uint32Array,
): BlockSummary {
  const file = fs.openSync(path, 'r');
  try {
    const bytes = fs.fstatSync(file).size;
    const footer = new Uint32Array(FOOTER_WORDS);
    const at = bytes - FOOTER_WORDS * 4;
    if (at < 0 || bytes % 4 !== 0) throw damaged(path, 'length');
    fs.readSync(file, bytesOf(footer, 0, FOOTER_WORDS), 0, FOOTER_WORDS * 4, at);
    checkFooter(path, footer);
    const [samples, minMs, maxMs] = new Float64Array(footer.buffer, 16, 3);
    const levels = footer[3] === VERSION_WITHOUT_LEVELS ? countLevels(path, fleet) : readLevels(path, file, at);
    return { sequence, firstSequence, revision, path, bytes, samples, chunks: footer[0], minMs, maxMs, levels };
  } finally {
    fs.closeSync(file);
  }
}

function checkFooter(path: string, footer: Uint32Array): void {
  const isKnown = footer[3] === VERSION || footer[3] === VERSION_WITHOUT_LEVELS;
  if (footer[FOOTER_WORDS - 1] !== MAGIC || !isKnown) throw damaged(path, 'footer');
}

function readLevels(path: string, file: number, footerAt: number): Record<Level, LevelSummary> {
  const sums = new Float64Array(LEVELS_WORDS / 2);
  const at = footerAt - LEVELS_WORDS * 4;
  if (at < 0) throw damaged(path, 'length');
  fs.readSync(file, Buffer.from(sums.buffer), 0, LEVELS_WORDS * 4, at);
  const summary = (n: number): LevelSummary => {
    const [samples, bytes, minMs, maxMs] = sums.subarray(4 * n, 4 * n + 4);
    return { samples, bytes, minMs, maxMs };
  };
  return { fleet: summary(0), per_model: summary(1) };
}

function countLevels(path: string, fleet: Uint32Array): Record<Level, LevelSummary> {
  const reader = new BlockReader(path);
  try {
    const sums = new LevelSums(fleet);
    for (let chunk = 0; chunk < reader.chunks; chunk++) {
      const { series, counts, firstMs, lastMs } = reader;
      sums.add(series[chunk], reader.wordsOf(chunk), counts[chunk], firstMs[chunk], lastMs[chunk]);
    }
    return sums.all;
  } finally {
    reader.close();
  }
}

/** Reads a block. Its index is in memory while it is open. */
export class BlockReader {
  readonly path: string;
  /** One entry a chunk, ordered by series, then time. */
  readonly series: Uint32Array;
  readonly counts: Uint32Array;
  readonly firstMs: Float64Array;
  readonly lastMs: Float64Array;
  private readonly start: Uint32Array;
  private readonly length: Uint32Array;
  private readonly crc: Uint32Array;
  private readonly file: number;
  private scratch = new Uint32Array(0);

  /** @throws BarographError `block_damaged`; an error of the system where the file can't be opened. */
  constructor(path: string) {
    this.path = path;
    this.file = fs.openSync(path, 'r');
    const size = fs.fstatSync(this.file).size;
    const footer = this.readWords(Math.floor(size / 4) - FOOTER_WORDS, FOOTER_WORDS);
    checkFooter(path, footer);
    const [chunks, start, crc] = footer;
    const evenChunks = chunks + (chunks % 2);
    const index = this.readWords(start, 4 * chunks + evenChunks + 4 * chunks);
    if (crc32(bytesOf(index, 0, index.length)) !== crc) throw damaged(path, 'index');
    const column = (n: number) => index.subarray(n * chunks, (n + 1) * chunks);
    this.series = column(0);
    this.start = column(1);
    this.length = column(2);
    this.counts = column(3);
    this.crc = column(4);
    const timesAt = 4 * (4 * chunks + evenChunks);
    this.firstMs = new Float64Array(index.buffer, timesAt, chunks);
    this.lastMs = new Float64Array(index.buffer, timesAt + 8 * chunks, chunks);
  }

  /** How many chunks it has. */
  get chunks(): number {
    return this.series.length;
  }

  /** Words of a chunk. */
  wordsOf(chunk: number): number {
    return this.length[chunk];
  }

  /** Bytes of memory that its index takes. */
  get indexBytes(): number {
    return this.series.buffer.byteLength;
  }

  /** The first chunk of the first series that isn't below `id`, looked for from `from` on. */
  seek(id: number, from: number): number {
    const { series } = this;
    // Wanted series mostly lie close to each other, so the steps grow from where the last one was.
    let step = 1;
    let low = from;
    while (low + step < series.length && series[low + step] < id) {
      low += step;
      step *= 2;
    }
    let high = Math.min(low + step, series.length);
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (series[middle] < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Reads chunks, given ascending, in few large reads, and hands each to `visit`.
   * @throws BarographError `block_damaged`.
   */
  read(
    chunks: ArrayLike<number>,
    visit: (chunk: number, words: Uint32Array, at: number, length: number) => void,
  ): void {
    for (let from = 0; from < chunks.length; ) {
      const base = this.start[chunks[from]];
      let end = base + this.length[chunks[from]];
      let to = from + 1;
      for (; to < chunks.length; to++) {
        const start = this.start[chunks[to]];
        const next = start + this.length[chunks[to]];
        if (start - end > GAP_WORDS || next - base > READ_WORDS) break;
        end = next;
      }
      const words = this.readInto(base, end - base);
      for (let i = from; i < to; i++) {
        const chunk = chunks[i];
        const at = this.start[chunk] - base;
        const length = this.length[chunk];
        if (crc32(bytesOf(words, at, length)) !== this.crc[chunk]) throw damaged(this.path, `chunk ${chunk}`);
        visit(chunk, words, at, length);
      }
      from = to;
    }
  }

  /** Whether it holds samples of one of the series, given ascending. */
  holdsAny(ids: Uint32Array): boolean {
    let chunk = 0;
    for (const id of ids) {
      chunk = this.seek(id, chunk);
      if (chunk < this.chunks && this.series[chunk] === id) return true;
    }
    return false;
  }

  /** Decodes one chunk into columns; returns its number of samples. */
  decode(chunk: number, out: SampleColumns, at: number): number {
    let count = 0;
    this.read([chunk], (_, words, from) => {
      count = decodeChunk(words, from, out, at);
    });
    return count;
  }

  close(): void {
    fs.closeSync(this.file);
  }

  /** The words stay valid until the next call. */
  private readInto(at: number, count: number): Uint32Array {
    if (count > this.scratch.length) this.scratch = new Uint32Array(Math.max(count, 4096));
    this.readExactly(this.scratch, at, count);
    return this.scratch;
  }

  private readWords(at: number, count: number): Uint32Array {
    if (!(at >= 0)) throw damaged(this.path, 'length');
    const words = new Uint32Array(count);
    this.readExactly(words, at, count);
    return words;
  }

  private readExactly(words: Uint32Array, at: number, count: number): void {
    const read = fs.readSync(this.file, bytesOf(words, 0, count), 0, count * 4, at * 4);
    if (read !== count * 4) throw damaged(this.path, 'length');
  }
}

function bytesOf(words: Uint32Array, at: number, count: number): Buffer {
  return Buffer.from(words.buffer, words.byteOffset + at * 4, count * 4);
}

function damaged(path: string, what: string): BarographError {
  return new BarographError({
    code: 'block_damaged',
    status: 500,
    where: path,
    got: `a ${what} that doesn't have its checksum`,
    accepted: 'the file as it was written',
    fix: 'check the disk; restore the file from a backup, or move it out of the data directory to go on without it',
  });
}
