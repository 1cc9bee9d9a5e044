import { BYTES, FIXED32, FIXED64, VARINT } from './cursor.ts';

/** The largest integer step of a varint that a number holds exactly. */
const TWO_32 = 4294967296;

/**
 * Writes protobuf messages into one growing buffer. `begin` and `end` bracket a nested message; its length is filled in
 * at `end`. Default values are written too: a caller that wants proto3's omissions doesn't call.
 */
export class Writer {
  #bytes: Buffer;
  #view: DataView;
  /** Bytes written. */
  size = 0;

  constructor(initialBytes = 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(64, initialBytes));
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.byteLength);
  }

  /** What was written, as a copy that the caller owns. */
  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, 0, this.size);
  }

  /** Forgets what was written; the buffer is kept. */
  clear(): void {
    this.size = 0;
  }

  /** Begins a nested message; returns what `end` must be given. */
  begin(field: number): number {
    this.tag(field, BYTES);
    this.#reserve(1);
    return ++this.size;
  }

  /** Ends the nested message that `begin` returned `start` for. */
  end(start: number): void {
    const length = this.size - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    // One byte was kept for the length; longer lengths move the message, which costs a memmove of a few bytes to KiB.
    const extra = length < 0x4000 ? 1 : length < 0x200000 ? 2 : length < 0x10000000 ? 3 : 4;
    this.#reserve(extra);
    this.#bytes.copyWithin(start + extra, start, this.size);
    this.size = start - 1;
    this.varint(length);
    this.size += length;
  }

  string(field: number, text: string): void {
    this.tag(field, BYTES);
    const bytes = Buffer.byteLength(text);
    this.varint(bytes);
    this.#reserve(bytes);
    this.#bytes.write(text, this.size, 'utf8');
    this.size += bytes;
  }

  blob(field: number, bytes: Uint8Array): void {
    this.tag(field, BYTES);
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.size);
    this.size += bytes.length;
  }

  /** Bytes from hexadecimal text of even length. */
  hex(field: number, text: string): void {
    this.tag(field, BYTES);
    const bytes = text.length >> 1;
    this.varint(bytes);
    this.#reserve(bytes);
    this.#bytes.write(text, this.size, 'hex');
    this.size += bytes;
  }

  double(field: number, value: number): void {
    this.tag(field, FIXED64);
    this.rawDouble(value);
  }

  rawDouble(value: number): void {
    this.#reserve(8);
    this.#view.setFloat64(this.size, value, true);
    this.size += 8;
  }

  /** Eight bytes from two unsigned 32-bit halves; keeps the bits of a NaN. */
  fixed64Halves(field: number, hi: number, lo: number): void {
    this.tag(field, FIXED64);
    this.#reserve(8);
    this.#view.setUint32(this.size, lo, true);
    this.#view.setUint32(this.size + 4, hi, true);
    this.size += 8;
  }

  fixed64(field: number, value: bigint): void {
    this.tag(field, FIXED64);
    this.#reserve(8);
    this.#view.setBigUint64(this.size, BigInt.asUintN(64, value), true);
    this.size += 8;
  }

  fixed32(field: number, value: number): void {
    this.tag(field, FIXED32);
    this.#reserve(4);
    this.#view.setUint32(this.size, value, true);
    this.size += 4;
  }

  /** A `uint32`, `uint64`, `bool` or non-negative `enum`; an integer from 0 to 2^53. */
  uint(field: number, value: number): void {
    this.tag(field, VARINT);
    this.varint(value);
  }

  /** An `int32` or `int64`; an integer from −2^53 to 2^53. */
  int(field: number, value: number): void {
    this.tag(field, VARINT);
    if (value >= 0) this.varint(value);
    else this.varintBigInt(BigInt.asUintN(64, BigInt(value)));
  }

  /** An `int64` that may need all its bits. */
  int64(field: number, value: bigint): void {
    this.tag(field, VARINT);
    this.varintBigInt(BigInt.asUintN(64, value));
  }

  /** A `sint32` or `sint64` (zigzag); an integer from −2^52 to 2^52. */
  sint(field: number, value: number): void {
    this.tag(field, VARINT);
    this.rawSint(value);
  }

  rawSint(value: number): void {
    this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest >= TWO_32) {
      this.#bytes[this.size++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    let low = rest >>> 0;
    while (low > 0x7f) {
      this.#bytes[this.size++] = (low & 0x7f) | 0x80;
      low >>>= 7;
    }
    this.#bytes[this.size++] = low;
  }

  varintBigInt(value: bigint): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7fn) {
      this.#bytes[this.size++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#bytes[this.size++] = Number(rest);
  }

  #reserve(count: number): void {
    const wanted = this.size + count;
    if (wanted <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.size));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer, grown.byteOffset, grown.byteLength);
  }
}
