import fs from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { BarographError } from '../model/index.ts';
import { InputBuffer } from './input-buffer.ts';

/*
 * What aggregation remembers of its inputs, in a file that is only appended to: one record a commit, and one with all that
 * is remembered at its beginning. A record in 32-bit little-endian words:
 *   0 "BGSI"   1 CRC-32 of all that follows   2 inputs   3 zero   4–5 the commit's number, a double; 0 for no commit
 *   last values, start times, times (Float64), output series, high and low words of the hash (Uint32, to an even number)
 * A record is written before the samples of its commit, so the last one of a file may belong to a commit that never was.
 */
const MAGIC = 0x49534742;
const HEADER_BYTES = 32;
/** Bytes after which a file is begun anew with what is remembered. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Visits everything that is remembered. */
export type RememberedInputs = (
  visit: (output: number, hi: number, lo: number, last: number, startMs: number, timestampMs: number) => void,
) => void;

/** Keeps what aggregation remembers durable; its size is bounded by what is remembered. One commit at a time. */
export class InputJournal {
  /** Visits all that is remembered, for a new file; given by who remembers. */
  remembered: RememberedInputs = () => {};
  private readonly directory: string;
  private file: FileHandle;
  private bytes: number;
  private buffer = Buffer.alloc(0);
  /** Where the record begins whose commit may still fail, or −1. */
  private doubtfulAt = -1;
  private maxBytes: number;

  private constructor(directory: string, file: FileHandle, bytes: number, maxBytes: number) {
    this.directory = directory;
    this.file = file;
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }

  /**
   * Opens the journal of a data directory, or begins one.
   * @param lastCommit the last commit of samples that counts: a last record of a later one is cut off.
   * @throws BarographError `journal_damaged`.
   */
  static async open(directory: string, lastCommit: number, maxBytes = MAX_BYTES): Promise<InputJournal> {
    const name = path.join(directory, FILE);
    const bytes = fs.existsSync(name) ? validBytes(name, lastCommit) : 0;
    const file = await open(name, fs.existsSync(name) ? 'r+' : 'w+');
    await file.truncate(bytes);
    const journal = new InputJournal(directory, file, bytes, maxBytes);
    await journal.settle();
    return journal;
  }

  /** Bytes of the file. */
  get size(): number {
    return this.bytes;
  }

  /** Visits what the file says, the oldest first: of an input that comes twice the later one counts. */
  read(visit: Parameters<RememberedInputs>[0]): void {
    const file = fs.openSync(path.join(this.directory, FILE), 'r');
    try {
      for (let at = 0; at < this.bytes; ) {
        const record = readRecord(file, at, this.bytes);
        if (!record) throw damaged(this.directory, at);
        const { output, hi, lo, last, startMs, timestampMs } = record.inputs;
        for (let i = 0; i < record.inputs.count; i++)
          visit(output[i], hi[i], lo[i], last[i], startMs[i], timestampMs[i]);
        at += record.bytes;
      }
    } finally {
      fs.closeSync(file);
    }
  }

  /** Makes inputs durable that belong to a commit, before that commit. @param commit its number, 0 for none. */
  async append(inputs: InputBuffer, commit: number): Promise<void> {
    this.doubtfulAt = this.bytes;
    try {
      this.bytes += await this.write(this.file, this.bytes, inputs, commit);
      await this.file.datasync();
    } catch (error) {
      await this.takeBack().catch(() => {});
      throw error;
    }
  }

  /** The commit of the last record failed. */
  async takeBack(): Promise<void> {
    if (this.doubtfulAt < 0) return;
    this.bytes = this.doubtfulAt;
    this.doubtfulAt = -1;
    await this.file.truncate(this.bytes);
    await this.file.datasync();
  }

  /** The commit of the last record is durable. Begins the file anew where it has grown too long. */
  async confirm(): Promise<void> {
    this.doubtfulAt = -1;
    if (this.bytes > this.maxBytes) await this.renew();
  }

  /** Says in the file itself that the last record counts; before the numbers of commits are no longer at hand. */
  async settle(): Promise<void> {
    if (this.bytes === 0) return;
    this.bytes += await this.write(this.file, this.bytes, new InputBuffer(), 0);
    await this.file.datasync();
  }

  /** Writes what is remembered into a new file, which then takes the place of the old one. */
  async renew(): Promise<void> {
    const all = new InputBuffer();
    this.remembered((...input) => all.push(...input));
    const unfinished = path.join(this.directory, UNFINISHED);
    const file = await open(unfinished, 'w+');
    try {
      const bytes = await this.write(file, 0, all, 0);
      await file.datasync();
      fs.renameSync(unfinished, path.join(this.directory, FILE));
      syncDirectory(this.directory);
      const old = this.file;
      this.file = file;
      this.bytes = bytes;
      // Where more is remembered than a file should hold, it may grow to twice that before the next time.
      this.maxBytes = Math.max(this.maxBytes, 2 * bytes);
      this.buffer = Buffer.alloc(0);
      await old.close();
    } catch (error) {
      if (this.file !== file) await file.close().catch(() => {});
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.settle();
    await this.file.close();
  }

  private async write(file: FileHandle, at: number, inputs: InputBuffer, commit: number): Promise<number> {
    const { count } = inputs;
    const bytes = recordBytes(count);
    if (this.buffer.length < bytes) this.buffer = Buffer.from(new ArrayBuffer(Math.ceil(bytes / 4096) * 4096));
    const { buffer } = this.buffer;
    const header = new Uint32Array(buffer, 0, HEADER_BYTES / 4);
    header.set([MAGIC, 0, count, 0, 0, 0, 0, 0]);
    new Float64Array(buffer, 16, 1)[0] = commit;
    new Float64Array(buffer, HEADER_BYTES, count).set(inputs.last.subarray(0, count));
    new Float64Array(buffer, HEADER_BYTES + 8 * count, count).set(inputs.startMs.subarray(0, count));
    new Float64Array(buffer, HEADER_BYTES + 16 * count, count).set(inputs.timestampMs.subarray(0, count));
    const words = new Uint32Array(buffer, HEADER_BYTES + 24 * count, 3 * count + (count % 2));
    words.set(inputs.output.subarray(0, count));
    words.set(inputs.hi.subarray(0, count), count);
    words.set(inputs.lo.subarray(0, count), 2 * count);
    if (count % 2 === 1) words[3 * count] = 0;
    const record = this.buffer.subarray(0, bytes);
    header[1] = crc32(record.subarray(8));
    for (let written = 0; written < bytes; ) {
      written += (await file.write(record, written, bytes - written, at + written)).bytesWritten;
    }
    return bytes;
  }
}

const FILE = 'aggregation.journal';
const UNFINISHED = 'aggregation.unfinished';

function recordBytes(count: number): number {
  return HEADER_BYTES + 24 * count + 4 * (3 * count + (count % 2));
}

interface InputRecord {
  readonly bytes: number;
  readonly commit: number;
  readonly inputs: InputBuffer;
}

function readRecord(file: number, at: number, size: number): InputRecord | undefined {
  if (size - at < HEADER_BYTES) return undefined;
  const header = new Uint32Array(HEADER_BYTES / 4);
  const headerBytes = Buffer.from(header.buffer);
  fs.readSync(file, headerBytes, 0, HEADER_BYTES, at);
  const [magic, crc, count] = header;
  const bytes = recordBytes(count);
  if (magic !== MAGIC || bytes > size - at) return undefined;
  const body = new ArrayBuffer(bytes - HEADER_BYTES);
  fs.readSync(file, new Uint8Array(body), 0, body.byteLength, at + HEADER_BYTES);
  if (crc32(new Uint8Array(body), crc32(headerBytes.subarray(8))) !== crc) return undefined;
  const commit = new Float64Array(header.buffer, 16, 1)[0];
  const inputs = new InputBuffer();
  inputs.count = count;
  inputs.last = new Float64Array(body, 0, count);
  inputs.startMs = new Float64Array(body, 8 * count, count);
  inputs.timestampMs = new Float64Array(body, 16 * count, count);
  inputs.output = new Uint32Array(body, 24 * count, count);
  inputs.hi = new Uint32Array(body, 28 * count, count);
  inputs.lo = new Uint32Array(body, 32 * count, count);
  return { bytes, commit, inputs };
}

/** Bytes of the records that count. What is cut short at the end was never acknowledged. */
function validBytes(name: string, lastCommit: number): number {
  const file = fs.openSync(name, 'r');
  try {
    const { size } = fs.fstatSync(file);
    let [at, lastAt, lastOf] = [0, 0, 0];
    for (let record = readRecord(file, 0, size); record; record = readRecord(file, at, size)) {
      [lastAt, lastOf] = [at, record.commit];
      at += record.bytes;
    }
    return lastOf > lastCommit ? lastAt : at;
  } finally {
    fs.closeSync(file);
  }
}

function syncDirectory(directory: string): void {
  const handle = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}

function damaged(directory: string, at: number): BarographError {
  return new BarographError({
    code: 'journal_damaged',
    status: 500,
    where: path.join(directory, FILE),
    got: `a damaged record at byte ${at}`,
    accepted: 'the file as it was written',
    fix: 'check the disk; restore the file from a backup, or remove it: series that are added up then count anew',
  });
}
