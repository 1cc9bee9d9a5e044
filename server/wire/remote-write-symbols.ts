import { isAscii, isUtf8 } from 'node:buffer';
import type { Cursor } from './cursor.ts';
import { tooLarge } from './malformed.ts';

/** The most symbols of one request. One is two bytes on the wire and more here. */
const MAX_SYMBOLS = 4_000_000;
const SLACK = 8;
const METRIC_NAME_BYTES = Buffer.from('__name__');

/** Bits of `SymbolTable.flags`: what is known of a symbol without making a string of it. */
export const NOT_UTF8 = 1;
export const IS_METRIC_NAME = 2;
export const IS_EMPTY = 4;

/**
 * The symbols of one remote write 2.0 request, as ranges of its body. A range starts at the length that stands before
 * the text in the body: that is how a label's name and value stand in a 1.0 message, so a label is put together by
 * copying two ranges.
 */
export class SymbolTable {
  readonly bytes: Buffer;
  /** What `starts` and `ends` point into, with eight bytes to read behind every symbol. */
  view: DataView;
  count = 0;
  /** First byte of each symbol's length prefix. */
  starts = new Uint32Array(1024);
  /** First byte of its text. */
  texts = new Uint32Array(1024);
  /** End of its text, exclusive. */
  ends = new Uint32Array(1024);
  /** What each symbol is; set by `finish`. */
  flags = new Uint8Array(0);
  readonly #strings = new Map<number, string>();

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Takes the symbol in the cursor's current field. */
  add(cursor: Cursor): void {
    if (this.count >= MAX_SYMBOLS) {
      throw tooLarge(
        'Request.symbols',
        `more than ${MAX_SYMBOLS} symbols`,
        `at most ${MAX_SYMBOLS}`,
        'send less at once',
      );
    }
    const i = this.count++;
    if (i === this.starts.length) this.#grow();
    this.starts[i] = cursor.pos;
    const length = cursor.span('symbols');
    this.ends[i] = cursor.pos;
    this.texts[i] = cursor.pos - length;
  }

  /** Looks through the texts once, when all symbols are there. */
  finish(): void {
    const { bytes, count, texts, ends } = this;
    this.flags = new Uint8Array(count);
    if (count === 0) return;
    if (ends[count - 1] + SLACK > bytes.length) {
      // The last symbol is near the end of the body, which no sender does: symbols come first.
      const longer = new Uint8Array(bytes.length + SLACK);
      longer.set(bytes);
      this.view = new DataView(longer.buffer);
    }
    // Symbols stand in one run mostly; where the whole run is ASCII, lengths below 128 included, so is each of them.
    const ascii = isAscii(bytes.subarray(texts[0], ends[count - 1]));
    for (let i = 0; i < count; i++) {
      const length = ends[i] - texts[i];
      if (length === 0) this.flags[i] = IS_EMPTY;
      else if (
        length === 8 &&
        bytes[texts[i]] === 0x5f &&
        bytes.compare(METRIC_NAME_BYTES, 0, 8, texts[i], ends[i]) === 0
      ) {
        this.flags[i] = IS_METRIC_NAME;
      } else if (!ascii && !isUtf8(bytes.subarray(texts[i], ends[i]))) {
        this.flags[i] = NOT_UTF8;
      }
    }
  }

  /** Whether a symbol is text. */
  isText(ref: number): boolean {
    return (this.flags[ref] & NOT_UTF8) === 0;
  }

  /** The order of two symbols by their bytes, which is that of their code points: negative, 0 or positive. */
  compare(a: number, b: number): number {
    const { bytes } = this;
    let p = this.texts[a];
    let q = this.texts[b];
    const endP = this.ends[a];
    const endQ = this.ends[b];
    while (p < endP && q < endQ) {
      const difference = bytes[p++] - bytes[q++];
      if (difference !== 0) return difference;
    }
    return endP - p - (endQ - q);
  }

  /** A symbol as a string, made once. */
  string(ref: number): string {
    let text = this.#strings.get(ref);
    if (text === undefined) {
      text = this.bytes.toString('utf8', this.texts[ref], this.ends[ref]);
      this.#strings.set(ref, text);
    }
    return text;
  }

  #grow(): void {
    const size = this.starts.length * 4;
    this.starts = longer(this.starts, size);
    this.texts = longer(this.texts, size);
    this.ends = longer(this.ends, size);
  }
}

function longer(array: Uint32Array<ArrayBuffer>, size: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(size);
  out.set(array);
  return out;
}
