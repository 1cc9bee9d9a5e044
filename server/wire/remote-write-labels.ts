import { type Cursor, VARINT } from './cursor.ts';
import { tooLarge } from './malformed.ts';
import { IS_EMPTY, IS_METRIC_NAME, NOT_UTF8, type SymbolTable } from './remote-write-symbols.ts';

/** The most bytes that the labels of one request may have once their symbols are put in. */
const MAX_LABEL_BYTES = 256 * 1024 * 1024;

/**
 * Puts the labels of remote write 2.0 series together from their symbols as 1.0 sends them, so that a series has the same
 * key bytes in both. Lives for one request. For each series: `begin`, then the references, then `resolve`.
 */
export class LabelResolver {
  /** Label fields of the series that were resolved, one behind the other. */
  bytes: Buffer;
  /** How many of `bytes` are in use. */
  size = 0;
  readonly #symbols: SymbolTable;
  #view: DataView;
  /** References of the current series' labels. */
  #refs = new Uint32Array(64);
  #refCount = 0;
  /** References and places of the labels of the series before: what a series has in common with it is copied at once. */
  #lastRefs = new Uint32Array(64);
  #lastOffsets = new Uint32Array(65);
  #lastCount = 0;

  /** Writes into `space`, or into something longer where it doesn't suffice. */
  constructor(symbols: SymbolTable, space: Buffer) {
    this.#symbols = symbols;
    this.bytes = space;
    this.#view = viewOf(space);
  }

  /** Forgets the references of the series before. */
  begin(): void {
    this.#refCount = 0;
  }

  /** Takes back the labels of a series that is refused; `size` is where they began. */
  takeBack(size: number): void {
    this.size = size;
    this.#lastCount = 0;
  }

  /**
   * Reads the packed references at `pos` where their list and each of them is short; returns the position behind them,
   * or `pos` where anything is longer, for the general path.
   */
  readShort(pos: number, end: number): number {
    const { bytes } = this.#symbols;
    if (pos + 2 > end) return pos;
    const length = bytes[pos + 1];
    let p = pos + 2;
    const stop = p + length;
    if (length >= 0x80 || stop > end) return pos;
    // Every reference is a byte at least.
    if (this.#refs.length < length) this.#growRefs(length);
    const refs = this.#refs;
    let count = 0;
    while (p < stop) {
      let ref = bytes[p++];
      if (ref >= 0x80) {
        // A reference of two or three bytes; the last one must lie within the list.
        if (p >= stop) return pos;
        const second = bytes[p++];
        ref = (ref & 0x7f) | ((second & 0x7f) << 7);
        if (second >= 0x80) {
          if (p >= stop || bytes[p] >= 0x80) return pos;
          ref |= bytes[p++] << 14;
        }
      }
      refs[count++] = ref;
    }
    this.#refCount = count;
    return stop;
  }

  /** Reads the field of references that the cursor is at, packed or not. */
  read(cursor: Cursor): void {
    if (cursor.wire === VARINT) {
      this.#addRef(cursor.uint32('labels_refs'));
      return;
    }
    const outer = cursor.enter('labels_refs');
    while (cursor.pos < cursor.end) this.#addRef(cursor.varint32());
    cursor.leave(outer);
  }

  #addRef(ref: number): void {
    if (this.#refCount === this.#refs.length) this.#growRefs(this.#refCount * 2);
    this.#refs[this.#refCount++] = ref;
  }

  #growRefs(size: number): void {
    const refs = new Uint32Array(size);
    refs.set(this.#refs);
    this.#refs = refs;
    this.#lastRefs = new Uint32Array(size);
    this.#lastOffsets = new Uint32Array(size + 1);
    this.#lastCount = 0;
  }

  /**
   * Writes the current series' labels behind those of the others as 1.0 sends them; returns what is wrong with them, if
   * anything is. Then what was written doesn't count.
   */
  resolve(): string | undefined {
    const symbols = this.#symbols;
    const refs = this.#refs;
    const count = this.#refCount;
    const last = this.#lastRefs;
    const known = this.#lastCount;
    // Until this series turns out to be good there is none to copy from.
    this.#lastCount = 0;
    if (count % 2 !== 0) return `${count} label references, which is no even number`;
    const { starts, ends, flags } = symbols;
    let size = 0;
    for (let i = 0; i < count; i++) {
      if (refs[i] >= symbols.count) return `label reference ${refs[i]} beyond the ${symbols.count} symbols`;
      size += ends[refs[i]] - starts[refs[i]];
    }
    // A label's own framing is two tags and at most a length of five bytes.
    this.#reserve(size + count * 4 + 8);
    const to = this.bytes;
    // Short texts are copied eight bytes at a time, the last of them beyond the end of the text: half the time of a loop
    // over bytes, and a fifth of a call into the runtime (measured in bench/wire.ts).
    const toView = this.#view;
    const fromView = symbols.view;
    const offsets = this.#lastOffsets;
    let at = this.size;
    let named = false;
    let isBeforeKnown = true;
    for (let i = 0; i < count; ) {
      const name = refs[i];
      const value = refs[i + 1];
      const isNameKnown = i < known && name === last[i];
      if (!isNameKnown || !isBeforeKnown) {
        if ((flags[name] & NOT_UTF8) !== 0) return 'a label that is not UTF-8';
        if ((flags[name] & IS_EMPTY) !== 0) return 'an empty label name';
        const order = i > 0 ? symbols.compare(refs[i - 2], name) : -1;
        if (order === 0) return 'a label name that is there twice';
        if (order > 0) return 'label names that are not sorted';
      }
      isBeforeKnown = isNameKnown;
      if ((flags[value] & NOT_UTF8) !== 0) return 'a label that is not UTF-8';
      if ((flags[name] & IS_METRIC_NAME) !== 0) named = (flags[value] & IS_EMPTY) === 0;
      if (isNameKnown && value === last[i + 1]) {
        // Labels in a row that the series before had in the same places were judged with it, and are copied at once.
        let end = i + 2;
        while (end < count && end < known && refs[end] === last[end] && refs[end + 1] === last[end + 1]) end += 2;
        const start = offsets[i];
        const length = offsets[end] - start;
        for (let k = 0; k < length; k += 8) toView.setBigUint64(at + k, toView.getBigUint64(start + k));
        for (; i < end; i += 2) {
          if ((flags[refs[i]] & IS_METRIC_NAME) !== 0) named = true;
          offsets[i] += at - start;
        }
        at += length;
        continue;
      }
      offsets[i] = at;
      last[i] = name;
      last[i + 1] = value;
      const length = 2 + ends[name] - starts[name] + ends[value] - starts[value];
      to[at++] = 0x0a;
      if (length < 0x80) to[at++] = length;
      else at = writeVarint(to, at, length);
      to[at++] = 0x0a;
      const nameStart = starts[name];
      const nameLength = ends[name] - nameStart;
      for (let k = 0; k < nameLength; k += 8) toView.setBigUint64(at + k, fromView.getBigUint64(nameStart + k));
      at += nameLength;
      to[at++] = 0x12;
      const valueStart = starts[value];
      const valueLength = ends[value] - valueStart;
      for (let k = 0; k < valueLength; k += 8) toView.setBigUint64(at + k, fromView.getBigUint64(valueStart + k));
      at += valueLength;
      i += 2;
    }
    if (!named) return 'no metric name';
    offsets[count] = at;
    this.#lastCount = count;
    this.size = at;
    return undefined;
  }

  /** The symbol that is the current series' name. */
  nameRef(): number {
    for (let i = 0; i < this.#refCount; i += 2)
      if ((this.#symbols.flags[this.#refs[i]] & IS_METRIC_NAME) !== 0) return this.#refs[i + 1];
    throw new Error('BUG: a series without a name was kept');
  }

  #reserve(bytes: number): void {
    const wanted = this.size + bytes;
    if (wanted > MAX_LABEL_BYTES) {
      const accepted = `${MAX_LABEL_BYTES} bytes`;
      throw tooLarge('Request.timeseries', 'labels that are longer together', accepted, 'send smaller batches');
    }
    if (wanted <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.size);
    this.bytes = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function writeVarint(to: Uint8Array, at: number, value: number): number {
  let rest = value;
  let p = at;
  while (rest > 0x7f) {
    to[p++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  to[p++] = rest;
  return p;
}
