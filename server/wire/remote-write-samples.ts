import type { BarographError } from '../model/index.ts';
import type { Cursor } from './cursor.ts';
import { tooLarge } from './malformed.ts';
import type { WriteRequestBatch } from './remote-write-batch.ts';

const TAG_VALUE = 0x09;
const TAG_TIMESTAMP = 0x10;
const TAG_START = 0x18;
const TWO_21 = 2097152;

/** Which of the two messages is read: only 2.0's samples have a start time. */
export type WriteVersion = 1 | 2;

/** Reads `Sample` messages of remote write into the columns of a batch; lives for one request. */
export class SampleReader {
  readonly #cursor: Cursor;
  readonly #bytes: Buffer;
  readonly #batch: WriteRequestBatch;
  readonly #version: WriteVersion;
  /** How many samples fit before the arrays or the limit have to be looked at. */
  #room: number;

  constructor(cursor: Cursor, batch: WriteRequestBatch, version: WriteVersion) {
    this.#cursor = cursor;
    this.#bytes = cursor.bytes;
    this.#batch = batch;
    this.#version = version;
    this.#room = Math.min(batch.sampleSeries.length, batch.limits.maxSamples);
  }

  /**
   * Reads the sample field at `pos` where it is laid out as every sender does: a short length, the value (left out for
   * 0), the timestamp, in 2.0 perhaps a start time. Returns the position behind it, or 0 where it is anything else, for
   * `read`.
   */
  readFast(pos: number, end: number, series: number): number {
    const bytes = this.#bytes;
    if (pos + 2 > end) return 0;
    const stop = pos + 2 + bytes[pos + 1];
    if (bytes[pos + 1] >= 0x80 || stop > end) return 0;
    let p = pos + 2;
    let lo = 0;
    let hi = 0;
    if (p + 9 <= stop && bytes[p] === TAG_VALUE) {
      lo = bytes[p + 1] | (bytes[p + 2] << 8) | (bytes[p + 3] << 16) | (bytes[p + 4] << 24);
      hi = bytes[p + 5] | (bytes[p + 6] << 8) | (bytes[p + 7] << 16) | (bytes[p + 8] << 24);
      p += 9;
    }
    if (p + 7 > stop || bytes[p] !== TAG_TIMESTAMP) return 0;
    // Present-day milliseconds are varints of six bytes: three times 7 bits below 2^21, the others above it.
    const b1 = bytes[p + 1];
    const b2 = bytes[p + 2];
    const b3 = bytes[p + 3];
    const b4 = bytes[p + 4];
    const b5 = bytes[p + 5];
    const b6 = bytes[p + 6];
    if ((b1 & b2 & b3 & b4 & b5 & 0x80) === 0 || b6 >= 0x80) return 0;
    const low = (b1 & 0x7f) | ((b2 & 0x7f) << 7) | ((b3 & 0x7f) << 14);
    const high = (b4 & 0x7f) | ((b5 & 0x7f) << 7) | (b6 << 14);
    if (p + 7 === stop) {
      this.push(series, low + high * TWO_21, hi, lo);
      return stop;
    }
    if (this.#version === 1 || p + 14 !== stop || bytes[p + 7] !== TAG_START) return 0;
    const startMs = presentMs(bytes, p + 8);
    if (startMs < 0) return 0;
    this.push(series, low + high * TWO_21, hi, lo);
    this.setStart(startMs);
    return stop;
  }

  // message Sample {
  //   double value = 1;
  //   int64 timestamp = 2;
  //   int64 start_timestamp = 3;  (remote write 2.0)
  // }
  /** Reads a sample message, whatever its layout. */
  read(series: number): void {
    const cursor = this.#cursor;
    let hi = 0;
    let lo = 0;
    let timestampMs = 0;
    let startMs = 0;
    while (cursor.next()) {
      switch (cursor.field) {
        case 1:
          cursor.fixed64('value');
          hi = cursor.hi;
          lo = cursor.lo;
          break;
        case 2:
          timestampMs = cursor.int64Number('timestamp');
          break;
        case 3:
          if (this.#version === 1) cursor.skip();
          else startMs = cursor.int64Number('start_timestamp');
          break;
        default:
          cursor.skip();
      }
    }
    this.push(series, timestampMs, hi, lo);
    if (startMs !== 0) this.setStart(startMs);
  }

  /** Adds a sample from the halves of its value. */
  push(series: number, timestampMs: number, hi: number, lo: number): void {
    const batch = this.#batch;
    const i = batch.sampleCount;
    if (i >= this.#room) this.#makeRoom();
    batch.sampleSeries[i] = series;
    batch.sampleTimestampMs[i] = timestampMs;
    batch.sampleBits[2 * i] = lo;
    batch.sampleBits[2 * i + 1] = hi;
    batch.sampleCount = i + 1;
  }

  /** Says since when the sample that was added last counts. */
  setStart(startMs: number): void {
    const batch = this.#batch;
    batch.sampleStartMs[batch.sampleCount - 1] = startMs;
    batch.hasStarts = true;
  }

  /** Throws where the batch is full. */
  check(): void {
    const batch = this.#batch;
    const count = batch.sampleCount + batch.histograms.length + batch.exemplars.length;
    if (count >= batch.limits.maxSamples) throw tooMany('samples', batch.limits.maxSamples);
  }

  #makeRoom(): void {
    this.check();
    const { sampleCount, limits } = this.#batch;
    if (sampleCount >= this.#batch.sampleSeries.length) this.#batch.growSamples();
    this.#room = Math.min(this.#batch.sampleSeries.length, limits.maxSamples);
  }
}

/** A varint of exactly six bytes, which present-day milliseconds are; −1 for any other. */
function presentMs(bytes: Uint8Array, p: number): number {
  if ((bytes[p] & bytes[p + 1] & bytes[p + 2] & bytes[p + 3] & bytes[p + 4] & 0x80) === 0) return -1;
  if (bytes[p + 5] >= 0x80) return -1;
  const low = (bytes[p] & 0x7f) | ((bytes[p + 1] & 0x7f) << 7) | ((bytes[p + 2] & 0x7f) << 14);
  const high = (bytes[p + 3] & 0x7f) | ((bytes[p + 4] & 0x7f) << 7) | (bytes[p + 5] << 14);
  return low + high * TWO_21;
}

/** The error of a request over its limits. */
export function tooMany(what: string, limit: number): BarographError {
  return tooLarge('WriteRequest', `more than ${limit} ${what}`, `at most ${limit}`, 'lower max_samples_per_send');
}
