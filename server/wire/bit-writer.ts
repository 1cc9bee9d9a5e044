/** Writes bits, the highest first, into one growing buffer, as the chunks of Prometheus's storage are laid out. */
export class BitWriter {
  #bytes = new Uint8Array(256);
  /** Whole bytes begun. */
  #size = 0;
  /** Bits that are free in the last byte, 0 to 7. */
  #free = 0;

  /** Forgets what was written; the buffer is kept. */
  clear(): void {
    this.#size = 0;
    this.#free = 0;
  }

  /** What was written, the last byte filled up with zeros, as a copy that the caller owns. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#size);
  }

  /** Changes a byte that was written. */
  setByte(at: number, value: number): void {
    this.#bytes[at] = value;
  }

  /** The low `count` bits of a number, 1 to 32 of them. */
  bits(value: number, count: number): void {
    if (this.#size + 8 > this.#bytes.length) this.#grow();
    let left = count;
    while (left > 0) {
      if (this.#free === 0) {
        this.#bytes[this.#size++] = 0;
        this.#free = 8;
      }
      const take = left < this.#free ? left : this.#free;
      const part = (value >>> (left - take)) & ((1 << take) - 1);
      this.#bytes[this.#size - 1] |= part << (this.#free - take);
      this.#free -= take;
      left -= take;
    }
  }

  /** The low `count` bits of a 64-bit number given as halves, 1 to 64 of them. */
  bits64(hi: number, lo: number, count: number): void {
    if (count > 32) {
      this.bits(hi, count - 32);
      this.bits(lo, 32);
    } else this.bits(lo, count);
  }

  /** A whole number as 64 bits in two's complement; beyond 2^53 the nearest. */
  int64(value: number): void {
    this.bits64(Math.floor(value / 4294967296), value, 64);
  }

  /** An unsigned varint of bytes, which need not begin at a byte's edge. */
  uvarint(value: bigint): void {
    let rest = value;
    while (rest > 0x7fn) {
      this.bits(Number(rest & 0x7fn) | 0x80, 8);
      rest >>= 7n;
    }
    this.bits(Number(rest), 8);
  }

  /**
   * An integer by the prefix code of histogram chunks: `0` for 0, else a run of ones and a zero for 3, 6, 9, 12, 18, 25
   * or 56 bits, eight ones for 64. Source: prometheus/prometheus tsdb/chunkenc varbit.
   */
  varbitInt(value: number): void {
    if (value === 0) {
      this.bits(0, 1);
      return;
    }
    for (let i = 0; i < WIDTHS.length; i++) {
      const width = WIDTHS[i];
      const limit = 2 ** (width - 1);
      if (value > limit || value < 1 - limit) continue;
      this.#prefixed(i, width, value);
      return;
    }
    this.bits(0xff, 8);
    this.int64(value);
  }

  /** The same for an integer from 0 to 2^53. */
  varbitUint(value: number): void {
    if (value === 0) {
      this.bits(0, 1);
      return;
    }
    const i = WIDTHS.findIndex((width) => value < 2 ** width);
    this.#prefixed(i, WIDTHS[i], value);
  }

  #prefixed(index: number, width: number, value: number): void {
    // index + 1 ones and a zero.
    this.bits((1 << (index + 2)) - 2, index + 2);
    this.bits64(Math.floor(value / 4294967296), value, width);
  }

  #grow(): void {
    const grown = new Uint8Array(this.#bytes.length * 2);
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

const WIDTHS = [3, 6, 9, 12, 18, 25, 56];

/**
 * Writes doubles as the difference to the one before: the bits that changed, within a window of bits that is kept as long
 * as it fits. Source: Pelkonen et al., "Gorilla", 4.1.2; prometheus/prometheus tsdb/chunkenc xor.
 */
export class XorState {
  #hi = 0;
  #lo = 0;
  /** Zeros before and behind the window; `leading` is 255 while there is none. */
  #leading = 255;
  #trailing = 0;

  /** The first value, whole. */
  first(out: BitWriter, hi: number, lo: number): void {
    this.#hi = hi;
    this.#lo = lo;
    out.bits64(hi, lo, 64);
  }

  /** A value that follows. */
  next(out: BitWriter, hi: number, lo: number): void {
    const high = (hi ^ this.#hi) >>> 0;
    const low = (lo ^ this.#lo) >>> 0;
    this.#hi = hi;
    this.#lo = lo;
    if (high === 0 && low === 0) {
      out.bits(0, 1);
      return;
    }
    // Five bits hold the number of leading zeros.
    const leading = Math.min(31, high !== 0 ? Math.clz32(high) : 32 + Math.clz32(low));
    const trailing = low !== 0 ? trailingZeros(low) : 32 + trailingZeros(high);
    if (this.#leading !== 255 && leading >= this.#leading && trailing >= this.#trailing) {
      out.bits(0b10, 2);
      writeWindow(out, high, low, this.#trailing, 64 - this.#leading - this.#trailing);
      return;
    }
    this.#leading = leading;
    this.#trailing = trailing;
    const width = 64 - leading - trailing;
    out.bits(0b11, 2);
    out.bits(leading, 5);
    // 64 doesn't fit six bits and is written as 0, which no window has.
    out.bits(width & 63, 6);
    writeWindow(out, high, low, trailing, width);
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** The `width` bits of a 64-bit number that end `trailing` bits above its lowest. */
function writeWindow(out: BitWriter, high: number, low: number, trailing: number, width: number): void {
  if (trailing === 0) out.bits64(high, low, width);
  else if (trailing >= 32) out.bits(high >>> (trailing - 32), width);
  else out.bits64(high >>> trailing, (high << (32 - trailing)) | (low >>> trailing), width);
}
