import { BarographError } from '../../model/index.ts';
import { formatValue } from './format.ts';

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
  /** `,[time,"` of each, one after the other. */
  readonly opening: Uint8Array;
  /** Where each begins, and behind them where the last ends. */
  readonly offsets: Uint32Array;
}

/** Prepares times, which are JSON numbers as text. */
export function sampleTimes(times: readonly string[]): SampleTimes {
  const offsets = new Uint32Array(times.length + 1);
  for (let i = 0; i < times.length; i++) offsets[i + 1] = offsets[i] + times[i].length + 4;
  return { opening: Buffer.from(times.map((time) => `,[${time},"`).join(''), 'latin1'), offsets };
}

/**
 * JSON while it is written: bytes, without a string or an object for each sample.
 * Grows by parts up to a limit.
 */
export class JsonBytes {
  private bytes: Buffer<ArrayBuffer> = Buffer.allocUnsafeSlow(16_384);
  private length = 0;
  /** Parts that are full, and how many bytes they have: what was written isn't moved until the end. */
  private readonly full: Buffer<ArrayBuffer>[] = [];
  private before = 0;
  private readonly quoted = new Map<string, string>();
  private scratch = Buffer.allocUnsafeSlow(4096);

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
    // Numbers become text all at once, which costs half of what one string for each does; gauges repeat themselves.
    const fresh: number[] = [];
    let last = Number.NaN;
    for (let i = 0; i < values.length; i++) {
      if (has[i] !== 1 || values[i] === last) continue;
      last = values[i];
      fresh.push(last);
    }
    const digits = JSON.stringify(fresh);
    if (this.scratch.length < digits.length) this.scratch = Buffer.allocUnsafeSlow(digits.length * 2);
    this.scratch.write(digits, 0, 'latin1');
    return this.writeSamples(times, values, has);
  }

  private writeSamples({ opening, offsets }: SampleTimes, values: ArrayLike<number>, has: ArrayLike<number>): boolean {
    const { scratch } = this;
    let any = false;
    let last = Number.NaN;
    let [from, to] = [0, 0];
    for (let i = 0; i < values.length; i++) {
      if (has[i] !== 1) continue;
      this.reserve(SAMPLE_BYTES);
      const { bytes } = this;
      let at = this.length;
      // The comma before the first sample is left out.
      for (let k = offsets[i] + (any ? 0 : 1), past = offsets[i + 1]; k < past; k++) bytes[at++] = opening[k];
      any = true;
      const value = values[i];
      if (value !== last) {
        // The next number in the scratch text stands behind a bracket or a comma.
        from = to + 1;
        to = from;
        while (scratch[to] !== COMMA && scratch[to] !== CLOSE) to++;
        last = value;
      }
      if (isPlain(value)) for (let k = from; k < to; k++) bytes[at++] = scratch[k];
      else {
        this.length = at;
        this.ascii(formatValue(value));
        at = this.length;
      }
      bytes[at] = QUOTE;
      bytes[at + 1] = CLOSE;
      this.length = at + 2;
    }
    return any;
  }

  /** Appends `[time,"value"]`; `time` is ASCII. */
  sample(time: string, value: number): void {
    this.reserve(SAMPLE_BYTES);
    this.ascii(`[${time},"${formatValue(value)}"]`);
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
      this.before -= this.bytes.length;
    }
    this.length = size - this.before;
  }

  /** The bytes in memory of their own, which can move to another thread; nothing can be appended afterwards. */
  finish(): Uint8Array {
    if (this.full.length === 0) return new Uint8Array(this.bytes.buffer.transfer(this.length));
    const bytes = new Uint8Array(this.size);
    let at = 0;
    for (const part of this.full.splice(0)) {
      bytes.set(part, at);
      at += part.length;
    }
    bytes.set(this.bytes.subarray(0, this.length), at);
    return bytes;
  }

  private ascii(text: string): void {
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
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
    this.length = 0;
  }
}

/** Whether JSON writes a number just as Prometheus does: finite, not in exponent form, and not a negative zero. */
function isPlain(value: number): boolean {
  const size = Math.abs(value);
  return (size >= 1e-6 && size < 1e21) || Object.is(value, 0);
}
