import fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { BarographError } from '../../model/index.ts';
import { SampleBuffer } from './sample-buffer.ts';

/*
 * A journal is the file that makes a segment durable: one record a commit, appended and synced before the commit is
 * acknowledged. A record in 32-bit little-endian words:
 *   0 "BGSJ"   1 CRC-32 of all that follows   2 samples   3 bit 0: belongs to a commit of tables
 *   4–5 the commit's number, a double   6–7 zero
 *   times (Float64), values (Float64), series (Uint32, to an even number of words)
 */
const MAGIC = 0x4a534742;
const HEADER_BYTES = 32;
const WITH_TABLES = 1;

function recordBytes(samples: number): number {
  return HEADER_BYTES + samples * 16 + (samples + (samples % 2)) * 4;
}

/** Appends records to a journal file. */
export class JournalWriter {
  readonly path: string;
  private readonly file: FileHandle;
  private bytes: number;
  private buffer = Buffer.alloc(0);
  private doubtful = false;

  private constructor(path: string, file: FileHandle, bytes: number) {
    this.path = path;
    this.file = file;
    this.bytes = bytes;
  }

  /** Opens a journal, or creates it, to append after its first `bytes` bytes. */
  static async open(path: string, bytes: number): Promise<JournalWriter> {
    const file = await open(path, fs.existsSync(path) ? 'r+' : 'w+');
    await file.truncate(bytes);
    return new JournalWriter(path, file, bytes);
  }

  /** Bytes that are durable or about to be. */
  get size(): number {
    return this.bytes;
  }

  /**
   * Whether a sync or a cut failed. Then nobody knows what of the file is on the disk: nothing more may be appended, and
   * it has to be cut before a newer journal is begun.
   */
  get isDoubtful(): boolean {
    return this.doubtful;
  }

  /** Appends the rows `[from, to)` as one record and makes it durable; returns where it starts, for `takeBack`. */
  async append(samples: SampleBuffer, from: number, to: number, commit: number, withTables: boolean): Promise<number> {
    const count = to - from;
    const bytes = recordBytes(count);
    // Aligned, so that it can be filled as typed arrays.
    if (this.buffer.length < bytes) this.buffer = Buffer.from(new ArrayBuffer(bytes * 2));
    const { buffer, byteOffset } = this.buffer;
    const header = new Uint32Array(buffer, byteOffset, HEADER_BYTES / 4);
    header.set([MAGIC, 0, count, withTables ? WITH_TABLES : 0, 0, 0, 0, 0]);
    new Float64Array(buffer, byteOffset + 16, 1)[0] = commit;
    new Float64Array(buffer, byteOffset + HEADER_BYTES, count).set(samples.times.subarray(from, to));
    const words = new Uint32Array(buffer, byteOffset + HEADER_BYTES + count * 8, count * 2);
    words.set(samples.valueWords.subarray(2 * from, 2 * to));
    const series = new Uint32Array(buffer, byteOffset + HEADER_BYTES + count * 16, count + (count % 2));
    series.set(samples.series.subarray(from, to));
    if (count % 2 === 1) series[count] = 0;
    const record = this.buffer.subarray(0, bytes);
    header[1] = crc32(record.subarray(8));
    const at = this.bytes;
    for (let written = 0; written < bytes; ) {
      const { bytesWritten } = await this.file.write(record, written, bytes - written, at + written);
      written += bytesWritten;
    }
    await this.syncOrDoubt();
    this.bytes = at + bytes;
    return at;
  }

  /** Removes what was appended at or after `at`: it belongs to a commit that failed. */
  async takeBack(at: number): Promise<void> {
    this.bytes = at;
    try {
      await this.file.truncate(at);
    } catch (error) {
      this.doubtful = true;
      throw error;
    }
    await this.syncOrDoubt();
  }

  private async syncOrDoubt(): Promise<void> {
    try {
      await this.file.datasync();
    } catch (error) {
      this.doubtful = true;
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** What a replay found. */
export interface Replay {
  /** Bytes of whole records; the file is to be cut there. */
  readonly bytes: number;
  /** Bytes after them that were never acknowledged. */
  readonly dropped: number;
  readonly samples: number;
  /** The highest commit number. */
  readonly lastCommit: number;
}

/**
 * Reads a journal record by record. A record that is cut short or damaged at the end of the newest journal was never
 * acknowledged; anywhere else it means that the disk lost something.
 * @param tablesCommit the last commit of which the tables know: a record that belongs to a later one is dropped.
 * @param isNewest whether a damaged end is that of a write which a crash cut short.
 * @param take gets each record's samples; the buffer is used again afterwards.
 * @throws BarographError `journal_damaged`.
 */
export function replayJournal(
  path: string,
  tablesCommit: number,
  isNewest: boolean,
  take: (samples: SampleBuffer) => void,
): Replay {
  const file = fs.openSync(path, 'r');
  try {
    const size = fs.fstatSync(file).size;
    const samples = new SampleBuffer();
    let [at, total, lastCommit] = [0, 0, 0];
    while (at < size) {
      const record = readRecord(file, at, size);
      if (!record) {
        if (!isNewest) throw damaged(path, at);
        break;
      }
      const { bytes, count, commit, withTables } = record;
      if (withTables && commit > tablesCommit) break;
      fill(samples, record.body, count);
      take(samples);
      lastCommit = Math.max(lastCommit, commit);
      total += count;
      at += bytes;
    }
    return { bytes: at, dropped: size - at, samples: total, lastCommit };
  } finally {
    fs.closeSync(file);
  }
}

interface JournalRecord {
  readonly bytes: number;
  readonly count: number;
  readonly commit: number;
  readonly withTables: boolean;
  /** What follows the header. */
  readonly body: ArrayBuffer;
}

function readRecord(file: number, at: number, size: number): JournalRecord | undefined {
  const header = new Uint32Array(HEADER_BYTES / 4);
  const headerBytes = Buffer.from(header.buffer);
  if (size - at < HEADER_BYTES) return undefined;
  fs.readSync(file, headerBytes, 0, HEADER_BYTES, at);
  const [magic, crc, count, flags] = header;
  const bytes = recordBytes(count);
  if (magic !== MAGIC || bytes > size - at) return undefined;
  const body = new ArrayBuffer(bytes - HEADER_BYTES);
  fs.readSync(file, new Uint8Array(body), 0, body.byteLength, at + HEADER_BYTES);
  if (crc32(new Uint8Array(body), crc32(headerBytes.subarray(8))) !== crc) return undefined;
  const commit = new Float64Array(header.buffer, 16, 1)[0];
  return { bytes, count, commit, withTables: (flags & WITH_TABLES) !== 0, body };
}

function fill(samples: SampleBuffer, body: ArrayBuffer, count: number): void {
  samples.count = count;
  samples.times = new Float64Array(body, 0, count);
  samples.valueWords = new Uint32Array(body, count * 8, count * 2);
  samples.values = new Float64Array(body, count * 8, count);
  samples.series = new Uint32Array(body, count * 16, count);
}

function damaged(path: string, at: number): BarographError {
  return new BarographError({
    code: 'journal_damaged',
    status: 500,
    where: path,
    got: `a damaged record at byte ${at}, with later records in newer files`,
    accepted: 'the file as it was written',
    fix: 'check the disk; restore the file from a backup, or cut it there to go on without what follows',
  });
}
