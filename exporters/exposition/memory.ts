import { badLine, HASH, LF, MAX_LINE_BYTES, readTypeLine, readValue, valueStart } from './line.ts';

/** Most lines that one target may give. */
export const MAX_LINES = 200_000;
const MAX_REMEMBERED_BYTES = 32 * 1024 * 1024;
const BLANK = 0x20;
/** The id of a comment; below it are those of the families that comments declare. */
const COMMENT = -1;

/** What reads the lines that were never seen before, and takes the numbers of all. */
export interface LineTaker {
  /**
   * A sample's line that is new, up to its value.
   * @returns how the line is known from now on, 0 or more.
   */
  newSeries(bytes: Uint8Array, start: number, end: number, lineNumber: number): number;
  /**
   * A family's declaration that is new.
   * @returns how the family is known from now on, 0 or more.
   */
  newType(name: string, type: string): number;
  /** The family known as `family` is declared again. */
  takeType(family: number): void;
  /** The number of the line known as `id`. */
  take(id: number, value: number, lineNumber: number): void;
  /** Everything that was known by a number is forgotten. */
  forget(): void;
}

/**
 * Reads one target's text format again and again. Engines write the same series in the same order, so a line is compared
 * with the one that followed last time, and its labels are only read where it is new.
 */
export class SeriesMemory {
  readonly #taker: LineTaker;
  /** The lines up to their values, one behind the other, in the order in which they were first seen. */
  #bytes = Buffer.alloc(16 * 1024);
  #used = 0;
  #starts: number[] = [];
  #ends: number[] = [];
  #ids: number[] = [];
  #byText = new Map<string, number>();
  #wasNew = false;

  constructor(taker: LineTaker) {
    this.#taker = taker;
  }

  /**
   * Reads an answer; the numbers go to the taker.
   * @returns whether a line was new.
   * @throws ExporterError `bad_exposition`, `too_many_lines`; what was taken until then must not be used.
   */
  read(body: Buffer): boolean {
    if (this.#used > MAX_REMEMBERED_BYTES || this.#ids.length > 2 * MAX_LINES) this.#forget();
    this.#wasNew = false;
    let next = 0;
    let lineNumber = 0;
    for (let start = 0; start < body.length; ) {
      lineNumber++;
      if (lineNumber > MAX_LINES) throw badLine(lineNumber, `more than ${MAX_LINES} lines`, 'fewer');
      const length = this.#ends[next] - this.#starts[next];
      const valueAt = start + length;
      const isKnown =
        length > 0 &&
        valueAt < body.length &&
        body.compare(this.#bytes, this.#starts[next], this.#ends[next], start, valueAt) === 0 &&
        (this.#ids[next] < 0 ? body[valueAt] === LF : body[valueAt - 1] === BLANK && body[valueAt] > BLANK);
      if (!isKnown) {
        const end = lineEnd(body, start, lineNumber);
        const at = this.#find(body, start, end, lineNumber);
        if (at !== undefined) {
          this.#take(at, body, start + this.#ends[at] - this.#starts[at], end, lineNumber);
          next = at + 1;
        }
        start = end + 1;
      } else {
        const end = this.#ids[next] < 0 ? valueAt : lineEnd(body, valueAt, lineNumber);
        this.#take(next, body, valueAt, end, lineNumber);
        next++;
        start = end + 1;
      }
    }
    return this.#wasNew;
  }

  #take(at: number, body: Buffer, valueAt: number, end: number, lineNumber: number): void {
    const id = this.#ids[at];
    if (id >= 0) this.#taker.take(id, readValue(body, valueAt, end, lineNumber), lineNumber);
    else if (id < COMMENT) this.#taker.takeType(COMMENT - 1 - id);
  }

  /** The place of a line that wasn't the expected one, remembered if it is new; `undefined` for an empty line. */
  #find(body: Buffer, start: number, end: number, lineNumber: number): number | undefined {
    if (end === start || (end === start + 1 && body[start] === 0x0d)) return undefined;
    const isComment = body[start] === HASH;
    const stop = isComment ? end : valueStart(body, start, end, lineNumber);
    const text = body.toString('latin1', start, stop);
    const known = this.#byText.get(text);
    if (known !== undefined) return known;
    this.#wasNew = true;
    let id = COMMENT;
    if (isComment) {
      const declared = readTypeLine(body, start, end);
      if (declared) id = COMMENT - 1 - this.#taker.newType(declared.name, declared.type);
    } else id = this.#taker.newSeries(body, start, stop, lineNumber);
    const at = this.#ids.length;
    this.#room(stop - start);
    body.copy(this.#bytes, this.#used, start, stop);
    this.#starts.push(this.#used);
    this.#used += stop - start;
    this.#ends.push(this.#used);
    this.#ids.push(id);
    this.#byText.set(text, at);
    return at;
  }

  #room(bytes: number): void {
    if (this.#used + bytes <= this.#bytes.length) return;
    const larger = Buffer.alloc(2 * (this.#used + bytes));
    this.#bytes.copy(larger, 0, 0, this.#used);
    this.#bytes = larger;
  }

  #forget(): void {
    this.#used = 0;
    this.#starts = [];
    this.#ends = [];
    this.#ids = [];
    this.#byText = new Map();
    this.#taker.forget();
  }
}

function lineEnd(body: Buffer, from: number, lineNumber: number): number {
  const found = body.indexOf(LF, from);
  const end = found < 0 ? body.length : found;
  if (end - from > MAX_LINE_BYTES) throw badLine(lineNumber, `more than ${MAX_LINE_BYTES} bytes`, 'a shorter line');
  return end;
}
