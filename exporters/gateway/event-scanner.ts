import type { MemoryBudget } from './memory-budget.ts';

const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const FIRST_CARRY_BYTES = 1024;
const NEWLINE = Buffer.from('\n');
const NOTHING: Buffer = Buffer.alloc(0);

/** What becomes of an event in what is passed on. */
export type EventVerdict = 'pass' | 'hide';

/** Who is told of the events of a stream. */
export interface EventListener {
  /** An event's data, from `start` to `end`, exclusive; the bytes are only valid during the call. */
  event(bytes: Buffer, start: number, end: number): EventVerdict;
  /** An event is too large to be looked at, or measuring has no memory left; it passes. */
  tooLarge(): void;
}

/**
 * Finds the events of a stream of server-sent events in its bytes as they come, cut anywhere, with any of the three line
 * endings. An event that came whole in one piece is not copied. Comments, names and ids are skipped.
 *
 * With an `output` it also gives out the bytes of the stream without the events that are to be hidden, event by event;
 * without one the caller passes the bytes on itself.
 */
export class EventScanner {
  readonly #listener: EventListener;
  readonly #budget: MemoryBudget;
  readonly #maxEventBytes: number;
  readonly #output: ((bytes: Buffer) => void) | undefined;
  #lineEnd: typeof LF | typeof CR | undefined;
  /** The beginning of an event whose end hasn't come. */
  #carry = NOTHING;
  #carried = 0;
  /** In the carried bytes: the line that is being read, and how far its end has been looked for. */
  #lineStart = 0;
  #searched = 0;
  /** In the bytes that are scanned: the data of the event so far; -1 while there is none. */
  #dataStart = -1;
  #dataEnd = -1;
  /** The data of an event that has several lines of it. */
  #joined: Buffer[] | undefined;
  /** Whether the rest of an event is skipped because it is too large, and whether its line was blank so far. */
  #isSkipping = false;
  #isLineBlank = true;

  constructor(listener: EventListener, budget: MemoryBudget, maxEventBytes: number, output?: (bytes: Buffer) => void) {
    this.#listener = listener;
    this.#budget = budget;
    this.#maxEventBytes = maxEventBytes;
    this.#output = output;
  }

  feed(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#isSkipping) {
      const skipped = this.#skip(bytes);
      this.#output?.(bytes.subarray(0, skipped));
      bytes = bytes.subarray(skipped);
    }
    if (bytes.length === 0) return;
    if (this.#carried === 0) this.#scan(bytes, bytes.length);
    else if (this.#maxEventBytes - this.#carried < bytes.length && this.#carried < this.#maxEventBytes) {
      // As much of it as there is room for, in which the event may end.
      const room = this.#maxEventBytes - this.#carried;
      this.feed(bytes.subarray(0, room));
      this.feed(bytes.subarray(room));
    } else if (this.#append(bytes)) this.#scan(this.#carry, this.#carried);
    else {
      this.#giveUp(this.#carry.subarray(0, this.#carried));
      this.feed(bytes);
    }
  }

  /** The stream has ended. An event without its blank line counts: clients read it, and it may be an error. */
  end(): void {
    if (this.#carried > 0) {
      const bytes = this.#carry.subarray(0, this.#carried);
      this.#line(bytes, this.#lineStart, trimCr(bytes, this.#lineStart, this.#carried));
      if (this.#dispatch(bytes) === 'pass') this.#output?.(Buffer.from(bytes));
    }
    this.release();
  }

  /** Gives back what is held. */
  release(): void {
    this.#budget.give(this.#carry.length);
    this.#carry = NOTHING;
    this.#carried = this.#lineStart = this.#searched = 0;
    this.#dataStart = this.#dataEnd = -1;
    this.#joined = undefined;
  }

  #scan(bytes: Buffer, length: number): void {
    let line = this.#lineStart;
    let searchFrom = this.#searched;
    let eventStart = 0;
    // Where the bytes begin that pass and haven't been given out.
    let passFrom = 0;
    for (;;) {
      const end = this.#findLineEnd(bytes, searchFrom, length);
      if (end < 0) break;
      const textEnd = trimCr(bytes, line, end);
      const next = end + 1;
      if (textEnd > line) this.#line(bytes, line, textEnd);
      else {
        if (this.#dispatch(bytes) === 'hide') {
          this.#pass(bytes, passFrom, eventStart);
          passFrom = next;
        }
        eventStart = next;
      }
      line = searchFrom = next;
    }
    this.#pass(bytes, passFrom, eventStart);
    this.#keep(bytes, eventStart, length, line);
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (!this.#output || to <= from) return;
    const part = bytes.subarray(from, to);
    // The carried bytes are overwritten by what comes next.
    this.#output(bytes === this.#carry ? Buffer.from(part) : part);
  }

  /** Keeps what belongs to an event that isn't complete. */
  #keep(bytes: Buffer, from: number, length: number, line: number): void {
    this.#lineStart = line - from;
    this.#searched = this.#lineEnd === undefined ? 0 : length - from;
    if (this.#dataStart >= 0) {
      this.#dataStart -= from;
      this.#dataEnd -= from;
    }
    if (bytes === this.#carry) {
      if (from > 0) this.#carry.copyWithin(0, from, length);
      this.#carried = length - from;
      return;
    }
    this.#carried = 0;
    const rest = bytes.subarray(from, length);
    if (rest.length > 0 && !this.#append(rest)) this.#giveUp(rest);
  }

  /** @returns false where there is no room. */
  #append(chunk: Buffer): boolean {
    const needed = this.#carried + chunk.length;
    if (needed > this.#carry.length) {
      if (needed > this.#maxEventBytes) return false;
      const capacity = Math.max(FIRST_CARRY_BYTES, 2 ** Math.ceil(Math.log2(needed)));
      if (!this.#budget.take(capacity - this.#carry.length)) return false;
      const grown = Buffer.allocUnsafeSlow(capacity);
      this.#carry.copy(grown, 0, 0, this.#carried);
      this.#carry = grown;
    }
    chunk.copy(this.#carry, this.#carried);
    this.#carried = needed;
    return true;
  }

  /** Gives up on the event of which these bytes are the beginning; it passes as it is. */
  #giveUp(beginning: Buffer): void {
    this.#listener.tooLarge();
    this.#output?.(Buffer.from(beginning));
    const line = beginning.subarray(this.#lineStart);
    this.#isLineBlank = line.length === 0 || (line.length === 1 && line[0] === CR);
    this.release();
    this.#isSkipping = true;
  }

  /** @returns the place behind the event that is skipped, or the end of the bytes. */
  #skip(bytes: Buffer): number {
    let line = 0;
    for (;;) {
      const end = this.#findLineEnd(bytes, line, bytes.length);
      const textEnd = end < 0 ? bytes.length : end;
      const isBlank = this.#isLineBlank && (textEnd === line || (textEnd === line + 1 && bytes[line] === CR));
      if (end < 0) {
        this.#isLineBlank = isBlank;
        return bytes.length;
      }
      this.#isLineBlank = true;
      line = end + 1;
      if (isBlank) {
        this.#isSkipping = false;
        return line;
      }
    }
  }

  #findLineEnd(bytes: Buffer, from: number, length: number): number {
    if (from >= length) return -1;
    if (this.#lineEnd === undefined) {
      // Lines end by LF, by CR and LF, or by CR alone; the first one shows which, once the byte behind a CR is there.
      let at = from;
      while (at < length && bytes[at] !== LF && bytes[at] !== CR) at++;
      if (at >= length || (bytes[at] === CR && at + 1 >= length)) return -1;
      this.#lineEnd = bytes[at] === LF || bytes[at + 1] === LF ? LF : CR;
    }
    const end = bytes.indexOf(this.#lineEnd, from);
    return end >= length ? -1 : end;
  }

  #line(bytes: Buffer, start: number, end: number): void {
    // "data", a colon, and one space that doesn't count.
    const isData =
      bytes[start] === 0x64 &&
      bytes[start + 1] === 0x61 &&
      bytes[start + 2] === 0x74 &&
      bytes[start + 3] === 0x61 &&
      bytes[start + 4] === 0x3a &&
      start + 5 <= end;
    if (!isData) return;
    const from = start + 5 < end && bytes[start + 5] === SPACE ? start + 6 : start + 5;
    if (this.#dataStart < 0) {
      this.#dataStart = from;
      this.#dataEnd = end;
      return;
    }
    this.#joined ??= [Buffer.from(bytes.subarray(this.#dataStart, this.#dataEnd))];
    this.#joined.push(NEWLINE, Buffer.from(bytes.subarray(from, end)));
  }

  #dispatch(bytes: Buffer): EventVerdict {
    const [start, end, joined] = [this.#dataStart, this.#dataEnd, this.#joined];
    this.#dataStart = this.#dataEnd = -1;
    this.#joined = undefined;
    if (start < 0) return 'pass';
    if (!joined) return this.#listener.event(bytes, start, end);
    const whole = Buffer.concat(joined);
    return this.#listener.event(whole, 0, whole.length);
  }
}

function trimCr(bytes: Buffer, start: number, end: number): number {
  return end > start && bytes[end - 1] === CR ? end - 1 : end;
}
