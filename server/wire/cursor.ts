import { isUtf8 } from 'node:buffer';
import type { BarographError } from '../model/index.ts';
import { malformed, tooLarge } from './malformed.ts';
import { MAX_REMEMBERED_BYTES, StringTable } from './string-table.ts';

/** Protobuf's wire types that are in use; 3 and 4 (groups) are refused. */
export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
export const FIXED32 = 5;

const WIRE_NAMES: Readonly<Record<number, string>> = {
  0: 'a varint',
  1: '8 fixed bytes',
  2: 'a length and bytes',
  3: 'the start of a group',
  4: 'the end of a group',
  5: '4 fixed bytes',
};

/** How deep messages may nest, as in protobuf's own decoders. */
export const MAX_DEPTH = 100;

/**
 * How many nested messages and list elements one body may hold, by default. A message can be two bytes on the wire and a
 * hundred in memory, so the size of a body alone bounds nothing.
 */
export const MAX_ELEMENTS = 4_000_000;

const TWO_32 = 4294967296;
/** Bodies from this size on repeat names and values enough that remembering strings pays. */
const REMEMBER_FROM_BYTES = 2048;

/**
 * Reads one protobuf message from bytes that nobody vouches for. Lengths are checked against the enclosing message before
 * anything is read or allocated; every error names the path of the field and the byte.
 *
 * A decoder loops `while (cursor.next()) switch (cursor.field) …`, calls one read method per field, which checks the wire
 * type, and steps into a message between `enter` and `leave`.
 */
export class Cursor {
  readonly bytes: Buffer;
  /** The next byte to read. */
  pos = 0;
  /** End of the current message, exclusive. */
  end: number;
  /** Number of the field that `next` found. */
  field = 0;
  /** Its wire type. */
  wire = 0;
  /** Halves of the last 64-bit number read by `varint64` or `fixed64`, unsigned. */
  lo = 0;
  hi = 0;
  /** Fields that were skipped because no decoder knows them. */
  skipped = 0;

  readonly #root: string;
  readonly #maxElements: number;
  readonly #strings: StringTable | undefined;
  #elements = 0;
  #depth = 0;
  readonly #names: string[] = [];
  readonly #indexes: number[] = [];
  readonly #scratch = new DataView(new ArrayBuffer(8));

  /** Reads `bytes` (not copied; they must not change while the cursor is used) as a message called `root` in errors. */
  constructor(bytes: Uint8Array, root: string, maxElements = MAX_ELEMENTS) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.byteLength;
    this.#root = root;
    this.#maxElements = maxElements;
    this.#strings = bytes.byteLength >= REMEMBER_FROM_BYTES ? new StringTable(this.bytes) : undefined;
  }

  /** Moves to the next field of the current message; false at its end. */
  next(): boolean {
    if (this.pos >= this.end) return false;
    const at = this.pos;
    const first = this.bytes[at];
    let tag = first;
    if (first < 0x80) this.pos = at + 1;
    else {
      this.varint64();
      if (this.hi !== 0) throw this.fail('a tag of more than 32 bits', 'field numbers below 2^29', at);
      tag = this.lo;
    }
    this.field = tag >>> 3;
    this.wire = tag & 7;
    if (this.field === 0) throw this.fail('field number 0', 'field numbers from 1', at);
    return true;
  }

  /** Steps into the message in the current field; returns what `leave` must be given. `index` is −1 for single fields. */
  enter(name: string, index = -1): number {
    const depth = this.#depth;
    this.#names[depth] = name;
    this.#indexes[depth] = index;
    this.#depth = depth + 1;
    if (depth >= MAX_DEPTH) throw this.fail('a message nested deeper', `at most ${MAX_DEPTH} levels`);
    this.#spend(1);
    const length = this.#length();
    const outer = this.end;
    this.end = this.pos + length;
    return outer;
  }

  /** Steps out of a message that was read to its end. */
  leave(outer: number): void {
    this.end = outer;
    this.#depth--;
  }

  /** Skips the current field, whatever it is. */
  skip(): void {
    this.skipped++;
    switch (this.wire) {
      case VARINT:
        this.varint64();
        return;
      case FIXED64:
        this.#advance(8);
        return;
      case BYTES:
        this.#advance(this.#readLength());
        return;
      case FIXED32:
        this.#advance(4);
        return;
      default:
        throw this.fail(WIRE_NAMES[this.wire] ?? `wire type ${this.wire}`, 'wire types 0, 1, 2 and 5');
    }
  }

  /** A string, refused where it isn't UTF-8. */
  string(name: string): string {
    const length = this.#checkedLength(name);
    const start = this.pos;
    this.pos = start + length;
    if (length === 0) return '';
    const text =
      length <= MAX_REMEMBERED_BYTES && this.#strings !== undefined
        ? this.#strings.read(start, length)
        : this.bytes.toString('utf8', start, this.pos);
    // The runtime writes U+FFFD for what it can't decode, so only strings that hold one need a second look.
    if (text.includes('\ufffd') && !isUtf8(this.bytes.subarray(start, this.pos))) {
      throw this.failIn(name, 'bytes that are not UTF-8', 'UTF-8 text', start);
    }
    return text;
  }

  /** The bytes of the current field, as a view. */
  blob(name: string): Buffer {
    const length = this.#checkedLength(name);
    this.pos += length;
    return this.bytes.subarray(this.pos - length, this.pos);
  }

  /** Steps over the bytes of the current field and returns how many they are; `pos` is their end then. */
  span(name: string): number {
    const length = this.#checkedLength(name);
    this.pos += length;
    return length;
  }

  /** The bytes of the current field in lower-case hexadecimal. */
  hex(name: string): string {
    const length = this.#checkedLength(name);
    this.pos += length;
    return this.bytes.toString('hex', this.pos - length, this.pos);
  }

  /** A `double`. The payload of a NaN is lost; where it matters use `fixed64` and look at `hi` and `lo`. */
  double(name: string): number {
    this.fixed64(name);
    this.#scratch.setUint32(0, this.lo, true);
    this.#scratch.setUint32(4, this.hi, true);
    return this.#scratch.getFloat64(0, true);
  }

  /** Reads a `fixed64`, `sfixed64` or `double` into `lo` and `hi`. */
  fixed64(name: string): void {
    if (this.wire !== FIXED64) throw this.#wrongWire(name, FIXED64);
    this.rawFixed64(name);
  }

  /** The same, without a tag: an element of a packed list. */
  rawFixed64(name: string): void {
    const p = this.pos;
    if (p + 8 > this.end) throw this.failIn(name, `${this.end - p} bytes to the end of the message`, '8 bytes');
    const b = this.bytes;
    this.lo = (b[p] | (b[p + 1] << 8) | (b[p + 2] << 16) | (b[p + 3] << 24)) >>> 0;
    this.hi = (b[p + 4] | (b[p + 5] << 8) | (b[p + 6] << 16) | (b[p + 7] << 24)) >>> 0;
    this.pos = p + 8;
  }

  /** A `fixed64` as an exact integer. */
  fixed64BigInt(name: string): bigint {
    this.fixed64(name);
    return (BigInt(this.hi) << 32n) | BigInt(this.lo);
  }

  /** A `fixed64` of nanoseconds as whole milliseconds, rounded down. Exact, without a BigInt. */
  fixed64Ms(name: string): number {
    this.fixed64(name);
    return nsHalvesToMs(this.hi, this.lo);
  }

  /** A `fixed64` as a number; beyond 2^53 the nearest. */
  fixed64Number(name: string): number {
    this.fixed64(name);
    return this.hi * TWO_32 + this.lo;
  }

  /** An `sfixed64` as a number; beyond 2^53 the nearest. */
  sfixed64Number(name: string): number {
    this.fixed64(name);
    return signedNumber(this.hi, this.lo);
  }

  /** A `fixed32`. */
  fixed32(name: string): number {
    if (this.wire !== FIXED32) throw this.#wrongWire(name, FIXED32);
    const p = this.pos;
    if (p + 4 > this.end) throw this.failIn(name, `${this.end - p} bytes to the end of the message`, '4 bytes');
    this.pos = p + 4;
    return this.bytes.readUInt32LE(p);
  }

  /** A `uint32`, `enum` or `bool` as an unsigned number; higher bits are cut off as protobuf prescribes. */
  uint32(name: string): number {
    if (this.wire !== VARINT) throw this.#wrongWire(name, VARINT);
    return this.varint32();
  }

  /** An `int32` or `enum`, signed. */
  int32(name: string): number {
    return this.uint32(name) | 0;
  }

  /** A `sint32` (zigzag). */
  sint32(name: string): number {
    const n = this.uint32(name);
    return (n >>> 1) ^ -(n & 1);
  }

  /** A `bool`. */
  bool(name: string): boolean {
    if (this.wire !== VARINT) throw this.#wrongWire(name, VARINT);
    this.varint64();
    return (this.lo | this.hi) !== 0;
  }

  /** An `int64` as a number; beyond ±2^53 the nearest. */
  int64Number(name: string): number {
    if (this.wire !== VARINT) throw this.#wrongWire(name, VARINT);
    this.varint64();
    return signedNumber(this.hi, this.lo);
  }

  /** A `uint64` as a number; beyond 2^53 the nearest. */
  uint64Number(name: string): number {
    if (this.wire !== VARINT) throw this.#wrongWire(name, VARINT);
    this.varint64();
    return this.hi * TWO_32 + this.lo;
  }

  /** An `int64` as an exact integer. */
  int64BigInt(name: string): bigint {
    if (this.wire !== VARINT) throw this.#wrongWire(name, VARINT);
    this.varint64();
    return (BigInt(this.hi | 0) << 32n) | BigInt(this.lo);
  }

  /** A varint cut to its low 32 bits. */
  varint32(): number {
    const first = this.bytes[this.pos];
    if (first < 0x80 && this.pos < this.end) {
      this.pos++;
      return first;
    }
    this.varint64();
    return this.lo;
  }

  /** A varint of up to ten bytes into `lo` and `hi`. */
  varint64(): void {
    const b = this.bytes;
    const at = this.pos;
    let lo = 0;
    let hi = 0;
    for (let i = 0; i < 10; i++) {
      if (at + i >= this.end) throw this.fail('the end of the message', 'the rest of a varint', at);
      const byte = b[at + i];
      const bits = byte & 0x7f;
      if (i === 9 && byte > 1) break;
      if (i < 4) lo |= bits << (7 * i);
      else if (i === 4) {
        lo |= bits << 28;
        hi = bits >>> 4;
      } else hi |= bits << (7 * i - 32);
      if (byte < 0x80) {
        this.pos = at + i + 1;
        this.lo = lo >>> 0;
        this.hi = hi >>> 0;
        return;
      }
    }
    throw this.fail('a varint of more than 64 bits', 'at most 64 bits in 10 bytes', at);
  }

  /**
   * Appends the elements of a `repeated double`, packed or not. The length of a packed list is checked before it is read.
   */
  doubles(name: string, into: number[]): void {
    if (this.wire === FIXED64) {
      into.push(this.double(name));
      return;
    }
    const stop = this.#packedEnd(name);
    this.#spend((stop - this.pos) / 8);
    while (this.pos < stop) {
      this.rawFixed64(name);
      this.#scratch.setUint32(0, this.lo, true);
      this.#scratch.setUint32(4, this.hi, true);
      into.push(this.#scratch.getFloat64(0, true));
    }
  }

  /** Appends the elements of a `repeated fixed64`, packed or not, as numbers. */
  fixed64s(name: string, into: number[]): void {
    if (this.wire === FIXED64) {
      into.push(this.fixed64Number(name));
      return;
    }
    const stop = this.#packedEnd(name);
    this.#spend((stop - this.pos) / 8);
    while (this.pos < stop) {
      this.rawFixed64(name);
      into.push(this.hi * TWO_32 + this.lo);
    }
  }

  /** Appends the elements of a `repeated uint64`, packed or not, as numbers. */
  uint64s(name: string, into: number[]): void {
    if (this.wire === VARINT) {
      into.push(this.uint64Number(name));
      return;
    }
    const outer = this.enter(name);
    while (this.pos < this.end) {
      this.#spend(1);
      this.varint64();
      into.push(this.hi * TWO_32 + this.lo);
    }
    this.leave(outer);
  }

  /** Appends the elements of a `repeated sint64` (zigzag), packed or not, as numbers. */
  sint64s(name: string, into: number[]): void {
    if (this.wire === VARINT) {
      this.varint64();
      into.push(zigzagNumber(this.hi, this.lo));
      return;
    }
    const outer = this.enter(name);
    while (this.pos < this.end) {
      this.#spend(1);
      this.varint64();
      into.push(zigzagNumber(this.hi, this.lo));
    }
    this.leave(outer);
  }

  /** Where the cursor is, for errors: `Root.list[3].field at byte 12`. */
  where(name = '', at = this.pos): string {
    let path = this.#root;
    for (let i = 0; i < this.#depth; i++) {
      path += `.${this.#names[i]}`;
      if (this.#indexes[i] >= 0) path += `[${this.#indexes[i]}]`;
    }
    if (name !== '') path += `.${name}`;
    return `${path} at byte ${at}`;
  }

  /** The error for the current message. */
  fail(got: string, accepted: string, at = this.pos): BarographError {
    return malformed(this.where('', at), got, accepted);
  }

  /** The error for a field of the current message. */
  failIn(name: string, got: string, accepted: string, at = this.pos): BarographError {
    return malformed(this.where(name, at), got, accepted);
  }

  #spend(count: number): void {
    this.#elements += count;
    if (this.#elements <= this.#maxElements) return;
    throw tooLarge(
      this.where(),
      `more than ${this.#maxElements} elements`,
      `at most ${this.#maxElements}`,
      'send smaller batches',
    );
  }

  #wrongWire(name: string, wanted: number): BarographError {
    return this.failIn(name, WIRE_NAMES[this.wire] ?? `wire type ${this.wire}`, WIRE_NAMES[wanted]);
  }

  #checkedLength(name: string): number {
    if (this.wire !== BYTES) throw this.#wrongWire(name, BYTES);
    const length = this.#readLength();
    const left = this.end - this.pos;
    if (length > left) throw this.failIn(name, `a length of ${length}`, `at most the ${left} bytes that are left`);
    return length;
  }

  #length(): number {
    if (this.wire !== BYTES) throw this.#wrongWire('', BYTES);
    const length = this.#readLength();
    const left = this.end - this.pos;
    if (length > left) throw this.fail(`a length of ${length}`, `at most the ${left} bytes that are left`);
    return length;
  }

  /** A length; one beyond 32 bits stays larger than any message. */
  #readLength(): number {
    const first = this.bytes[this.pos];
    if (first < 0x80 && this.pos < this.end) {
      this.pos++;
      return first;
    }
    this.varint64();
    return this.hi * TWO_32 + this.lo;
  }

  #packedEnd(name: string): number {
    const length = this.#checkedLength(name);
    if (length % 8 !== 0) throw this.failIn(name, `a packed list of ${length} bytes`, 'a multiple of 8');
    return this.pos + length;
  }

  #advance(count: number): void {
    const left = this.end - this.pos;
    if (count > left) throw this.fail(`a field of ${count} bytes`, `at most the ${left} bytes that are left`);
    this.pos += count;
  }
}

/**
 * Nanoseconds, given as two unsigned 32-bit halves, as whole milliseconds, rounded down.
 *
 * 2^32 ns is 4294 ms and 967 296 ns, so the high half contributes `hi · 4294` whole milliseconds and a remainder that
 * stays below 2^53; no step rounds.
 */
export function nsHalvesToMs(hi: number, lo: number): number {
  return hi * 4294 + Math.floor((hi * 967_296 + lo) / 1_000_000);
}

function signedNumber(hi: number, lo: number): number {
  return (hi | 0) * TWO_32 + lo;
}

/** Zigzag on the halves, so that numbers beyond 2^53 are rounded once. */
function zigzagNumber(hi: number, lo: number): number {
  const mask = -(lo & 1);
  const low = ((lo >>> 1) | ((hi & 1) << 31)) ^ mask;
  return signedNumber((hi >>> 1) ^ mask, low >>> 0);
}
