import fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { BarographError } from '../../model/index.ts';
import type { LabelChange, LabelCounts, LabelWriter } from './label-writer.ts';

/*
 * A file of label sets is a record after the other, each of what a commit added, synced before anything refers to it: a
 * number in a journal, a block or a table never has another meaning. A record in 32-bit little-endian words:
 *   0 "BGLS"   1 CRC-32 of all that follows   2 bytes of the record   3 label sets before it   4 label sets
 *   5 symbols   6 bytes of their text   7 pairs   8 pairs of the label sets   9–11 zero
 *   lengths of the symbols, symbols of the pairs (two each), lengths of the label sets, pairs of the label sets,
 *   the text, to an even number of words
 */
const MAGIC = 0x534c4742;
const HEADER_WORDS = 12;
const HEADER_BYTES = HEADER_WORDS * 4;
/** The file is read in pieces of so many bytes. */
const READ_BYTES = 4 * 2 ** 20;

/** Appends label sets to their file. */
export class LabelFile {
  private readonly file: FileHandle;
  private readonly writer: LabelWriter;
  private bytes: number;
  /** What of the label sets is in the file. */
  private saved: LabelCounts;
  /** Bytes at the end that a crash had cut short, and that were removed; nothing refers to them. */
  readonly dropped: number;

  private constructor(file: FileHandle, writer: LabelWriter, bytes: number, dropped: number) {
    this.file = file;
    this.writer = writer;
    this.bytes = bytes;
    this.dropped = dropped;
    this.saved = writer.counts;
  }

  /**
   * Opens a file, or makes an empty one, and adds what it holds to a writer that has nothing yet.
   * @throws BarographError `labels_damaged`.
   */
  static async open(path: string, writer: LabelWriter): Promise<LabelFile> {
    const file = await open(path, fs.existsSync(path) ? 'r+' : 'wx+');
    try {
      const { bytes, dropped } = replayLabels(path, writer);
      if (dropped > 0) {
        await file.truncate(bytes);
        await file.datasync();
      }
      return new LabelFile(file, writer, bytes, dropped);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Makes durable what was added since the last time, as of the call; what readers may then be shown is returned.
   * Never call it while another call runs.
   */
  async save(): Promise<LabelCounts> {
    const { writer, saved, bytes } = this;
    const { counts } = writer;
    // What a refused label set left behind goes with the next one that is taken.
    if (counts.sets === saved.sets) return saved;
    const record = encodeRecord(writer.change(saved, counts), saved.sets);
    try {
      for (let written = 0; written < record.length; ) {
        const { bytesWritten } = await this.file.write(record, written, record.length - written, bytes + written);
        written += bytesWritten;
      }
      await this.file.datasync();
    } catch (error) {
      // What is there of the record is written over by the next try; a start before it drops it, since it isn't whole,
      // or takes it up, and then the numbers in it mean what they mean now.
      await this.file.truncate(bytes).catch(() => {});
      throw error;
    }
    this.bytes = bytes + record.length;
    this.saved = counts;
    return counts;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

function encodeRecord(change: LabelChange, before: number): Buffer {
  const { text, symbolLengths, pairSymbols, setLengths, setPairs } = change;
  const columns = [symbolLengths, pairSymbols, setLengths, setPairs];
  const words = columns.reduce((sum, column) => sum + column.length, HEADER_WORDS);
  const bytes = Math.ceil((words * 4 + text.length) / 8) * 8;
  const memory = new Uint32Array(bytes / 4);
  const record = Buffer.from(memory.buffer);
  memory.set([MAGIC, 0, bytes, before, setLengths.length, symbolLengths.length, text.length]);
  memory.set([pairSymbols.length / 2, setPairs.length], 7);
  let at = HEADER_WORDS;
  for (const column of columns) {
    memory.set(column, at);
    at += column.length;
  }
  record.set(text, at * 4);
  memory[1] = crc32(record.subarray(8));
  return record;
}

/** Bytes of a file, read in large pieces from its beginning to its end. */
class FileBytes {
  readonly size: number;
  private readonly file: number;
  private buffer = Buffer.from(new ArrayBuffer(READ_BYTES));
  private from = 0;
  private length = 0;

  constructor(file: number) {
    this.file = file;
    this.size = fs.fstatSync(file).size;
  }

  /** Bytes `[at, at + length)` in memory that is aligned for words, until the next call; `undefined` beyond the end. */
  read(at: number, length: number): Buffer | undefined {
    if (at + length > this.size) return undefined;
    if (at < this.from || at + length > this.from + this.length) {
      if (length > this.buffer.length) this.buffer = Buffer.from(new ArrayBuffer(length));
      this.from = at;
      this.length = 0;
      while (this.length < length) {
        const room = this.buffer.length - this.length;
        const got = fs.readSync(this.file, this.buffer, this.length, room, at + this.length);
        if (got === 0) return undefined;
        this.length += got;
      }
    }
    return this.buffer.subarray(at - this.from, at - this.from + length);
  }
}

/**
 * Adds what a file holds to a writer. A record that is cut short or damaged at the end was never referred to; before the
 * end it means that the disk lost something.
 */
function replayLabels(path: string, writer: LabelWriter): { bytes: number; dropped: number } {
  const file = fs.openSync(path, 'r');
  try {
    const source = new FileBytes(file);
    let at = 0;
    while (at < source.size) {
      const record = readRecord(source, at);
      if (!record) {
        if (hasRecordAfter(source, at))
          throw damaged(path, `a damaged record at byte ${at}, with later records after it`);
        break;
      }
      const isRight = record.before === writer.size && writer.restore(record.change);
      if (!isRight) throw damaged(path, `a record at byte ${at} that doesn't follow from those before it`);
      at += record.bytes;
    }
    writer.publish(writer.counts);
    return { bytes: at, dropped: source.size - at };
  } finally {
    fs.closeSync(file);
  }
}

/** A record; its change is valid until the next read. */
interface LabelRecord {
  readonly bytes: number;
  readonly before: number;
  readonly change: LabelChange;
}

function readRecord(source: FileBytes, at: number): LabelRecord | undefined {
  const head = source.read(at, HEADER_BYTES);
  if (!head) return undefined;
  const [magic, , bytes] = wordsOf(head, 0, 3);
  if (magic !== MAGIC || bytes < HEADER_BYTES || bytes % 8 !== 0) return undefined;
  const record = source.read(at, bytes);
  if (!record) return undefined;
  const [, crc, , before, sets, symbols, textBytes, pairs, setPairCount] = wordsOf(record, 0, HEADER_WORDS);
  if (crc32(record.subarray(8)) !== crc) return undefined;
  let word = HEADER_WORDS;
  const take = (count: number): Uint32Array => {
    const column = wordsOf(record, word, count);
    word += count;
    return column;
  };
  if ((HEADER_WORDS + symbols + 2 * pairs + sets + setPairCount) * 4 + textBytes > bytes) return undefined;
  const [symbolLengths, pairSymbols, setLengths, setPairs] = [
    take(symbols),
    take(2 * pairs),
    take(sets),
    take(setPairCount),
  ];
  const text = record.subarray(word * 4, word * 4 + textBytes);
  return { bytes, before, change: { text, symbolLengths, pairSymbols, setLengths, setPairs } };
}

function wordsOf(bytes: Buffer, word: number, count: number): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset + word * 4, count);
}

/** Whether a whole record begins somewhere after a damaged one. A crash leaves one record that isn't whole, the last. */
function hasRecordAfter(source: FileBytes, damagedAt: number): boolean {
  for (let at = damagedAt + 8; at + HEADER_BYTES <= source.size; at += 8) {
    const word = source.read(at, 8);
    if (word && word.readUInt32LE(0) === MAGIC && readRecord(source, at)) return true;
  }
  return false;
}

function damaged(path: string, got: string): BarographError {
  return new BarographError({
    code: 'labels_damaged',
    status: 500,
    where: path,
    got,
    accepted: 'the file as it was written: it says which series each sample belongs to',
    fix: 'check the disk; restore the file from a backup, or start with another --data directory',
  });
}
