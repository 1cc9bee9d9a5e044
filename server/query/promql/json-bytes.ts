import { BarographError } from '../../model/index.ts';
import { formatValue } from './format.ts';
import { decimalPlaces, writeShortDecimal } from './short-decimal.ts';

/** Bytes of an answer at most: what browsers and clients can still take. */
const MAX_BYTES = 512 * 1024 * 1024;
/** Bytes of the longest sample: a time, a value in positional notation (up to 309 digits before the point), brackets. */
const SAMPLE_BYTES = 800;
/** Bytes of a part at most, unless one text is longer. */
const PART_BYTES = 4 * 1024 * 1024;
/** Texts kept in their quoted form; label names and values repeat from series to series. */
const MAX_QUOTED = 4096;

const QUOTE = 34;
const COMMA = 44;
const CLOSE = 93;

/** The times of the samples of a column, encoded once for every series that has them. */
export interface SampleTimes {
  /** `,[time,"` of each, every one in the same number of words; what follows its own bytes is overwritten. */
  readonly words: Uint32Array;
  readonly wordsEach: number;
  /** Bytes of each that count. */
  readonly lengths: Uint8Array;
}

/** Prepares times, which are JSON numbers as text. */
export function sampleTimes(times: readonly string[]): SampleTimes {
  const lengths = Uint8Array.from(times, (time) => time.length + 4);
  const wordsEach = Math.ceil(lengths.reduce((longest, length) => Math.max(longest, length), 0) / 4);
  const bytes = Buffer.from(times.map((time) => `,[${time},"`.padEnd(wordsEach * 4)).join(''), 'latin1');
  const words = new Uint32Array(times.length * wordsEach);
  for (let i = 0; i < words.length; i++) words[i] = bytes.readUint32LE(4 * i);
  return { words, wordsEach, lengths };
}

/**
 * JSON while it is written: bytes, without a string or an object for each sample.
 * Grows by parts up to a limit.
 */
export class JsonBytes {
  private bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(16_384);
  private view = new DataView(this.bytes.buffer);
  private length = 0;
  /** Parts that are full, and how many bytes they have: what was written isn't moved until the end. */
  private readonly full: Buffer<ArrayBuffer>[] = [];
  private before = 0;
  private readonly quoted = new Map<string, string>();
  private scratch = Buffer.allocUnsafeSlow(4096);
  private places = new Int8Array(512);

  /** Appends text as it is, in UTF-8. */
  text(text: string): void {
    // A UTF-16 code unit becomes three bytes at most.
    this.reserve(text.length * 3);
    this.length += this.bytes.write(text, this.length);
  }

  /** Appends a string in quotes. */
  string(text: string): void {
    let quoted = this.quoted.get(text);
    if (quoted === undefined) {
      quoted = JSON.stringify(text);
      if (this.quoted.size < MAX_QUOTED) this.quoted.set(text, quoted);
    }
    this.text(quoted);
  }

  /**
   * Appends `[time,"value"],…` for the values whose `has` is 1.
   * @returns whether there was any.
   */
  samples(times: SampleTimes, values: ArrayLike<number>, has: ArrayLike<number>): boolean {
    if (this.places.length < values.length) this.places = new Int8Array(values.length);
    const { places } = this;
    // Numbers with many digits become text all at once, which costs half of what one string for each does.
    const long: number[] = [];
    let last = Number.NaN;
    for (let i = 0; i < values.length; i++) {
      if (has[i] !== 1 || isSame(values[i], last)) continue;
      last = values[i];
      places[i] = decimalPlaces(last);
      if (places[i] < 0) long.push(last);
    }
    if (long.length > 0) {
      const digits = JSON.stringify(long);
      if (this.scratch.length < digits.length) this.scratch = Buffer.allocUnsafeSlow(digits.length * 2);
      this.scratch.write(digits, 0, 'latin1');
    }
    return this.writeSamples(times, values, has);
  }

  private writeSamples(times: SampleTimes, values: ArrayLike<number>, has: ArrayLike<number>): boolean {
    const { words, wordsEach, lengths } = times;
    const { scratch, places } = this;
    let { bytes, view } = this;
    let at = this.length;
    let any = false;
    let last = Number.NaN;
    /** The digits of the value before, and in which bytes they are; gauges repeat themselves. */
    let digits = bytes;
    let from = 0;
    let to = 0;
    /** Where the number before stands in the scratch text. */
    let scratchTo = 0;
    for (let i = 0; i < values.length; i++) {
      if (has[i] !== 1) continue;
      if (at + SAMPLE_BYTES > bytes.length) {
        this.length = at;
        this.reserve(SAMPLE_BYTES);
        ({ bytes, view } = this);
        at = this.length;
      }
      for (let word = i * wordsEach, past = word + wordsEach, k = at; word < past; word++, k += 4) {
        view.setUint32(k, words[word], true);
      }
      at += lengths[i];
      if (!any) {
        // No comma before the first sample.
        bytes.copyWithin(at - lengths[i], at - lengths[i] + 1, at--);
        any = true;
      }
      const value = values[i];
      const first = at;
      if (isSame(value, last)) for (let k = from; k < to; k++) bytes[at++] = digits[k];
      else if (places[i] >= 0) at = writeShortDecimal(bytes, at, value, places[i]);
      else {
        // The next number in the scratch text stands behind a bracket or a comma.
        let k = scratchTo + 1;
        if (isPlain(value)) while (scratch[k] !== COMMA && scratch[k] !== CLOSE) bytes[at++] = scratch[k++];
        else {
          while (scratch[k] !== COMMA && scratch[k] !== CLOSE) k++;
          at = writeAscii(bytes, at, formatValue(value));
        }
        scratchTo = k;
      }
      digits = bytes;
      from = first;
      to = at;
      last = value;
      bytes[at] = QUOTE;
      bytes[at + 1] = CLOSE;
      at += 2;
    }
    this.length = at;
    return any;
  }

  /** Appends `[time,"value"]`; `time` is ASCII. */
  sample(time: string, value: number): void {
    this.reserve(SAMPLE_BYTES);
    this.length = writeAscii(this.bytes, this.length, `[${time},"${formatValue(value)}"]`);
  }

  /** Appends a comma. */
  comma(): void {
    this.reserve(1);
    this.bytes[this.length++] = COMMA;
  }

  /** How many bytes there are; `truncate` goes back to an earlier number. */
  get size(): number {
    return this.before + this.length;
  }

  truncate(size: number): void {
    while (size < this.before) {
      this.bytes = this.full.pop() as Buffer<ArrayBuffer>;
      this.view = new DataView(this.bytes.buffer);
      this.before -= this.bytes.length;
    }
    this.length = size - this.before;
  }

  /**
   * The bytes in memory of their own, which can move to another thread; nothing can be appended afterwards.
   * @param look Called for every part, some milliseconds' work; it may throw.
   */
  finish(look: () => void = () => {}): Uint8Array {
    if (this.full.length === 0) return new Uint8Array(this.bytes.buffer.transfer(this.length));
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for (const part of this.full.splice(0)) {
      look();
      bytes.set(part, at);
      at += part.length;
    }
    bytes.set(this.bytes.subarray(0, this.length), at);
    return bytes;
  }

  private reserve(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    if (this.size > MAX_BYTES) {
      throw new BarographError({
        code: 'query_limit',
        status: 422,
        where: 'answer',
        got: `more than ${MAX_BYTES} bytes`,
        fix: 'aggregate, use a longer step, or ask for a shorter range',
      });
    }
    const full = this.bytes.subarray(0, this.length) as Buffer<ArrayBuffer>;
    this.full.push(full);
    this.before += full.length;
    this.bytes = Buffer.allocUnsafeSlow(Math.max(Math.min(this.bytes.length * 2, PART_BYTES), more));
    this.view = new DataView(this.bytes.buffer);
    this.length = 0;
  }
}

function writeAscii(bytes: Uint8Array, start: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[start + i] = text.charCodeAt(i);
  return start + text.length;
}

/** Whether two numbers have the same digits; zeros may differ in sign. */
function isSame(a: number, b: number): boolean {
  return a === b && a !== 0;
}

/** Whether JSON writes a number just as Prometheus does: finite, not in exponent form, and not a negative zero. */
function isPlain(value: number): boolean {
  const size = Math.abs(value);
  return (size >= 1e-6 && size < 1e21) || Object.is(value, 0);
}
