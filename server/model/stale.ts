/**
 * The staleness marker is one NaN among many: a series ends where a sample has exactly these bits. JavaScript can't
 * tell NaNs apart by value, so samples travel in typed arrays whose bits are copied, and this file looks at the bits.
 * Source: prometheus/prometheus model/value.
 */
const STALE_HI = 0x7ff00000;
const STALE_LO = 0x00000002;

/** A view of a `Float64Array` as 32-bit words, little endian: words 2i (low) and 2i+1 (high). */
export function bitsOf(values: Float64Array): Uint32Array {
  return new Uint32Array(values.buffer, values.byteOffset, values.length * 2);
}

/** Whether value `i` is a staleness marker; `bits` is `bitsOf(values)`. */
export function isStale(bits: Uint32Array, i: number): boolean {
  return bits[2 * i + 1] === STALE_HI && bits[2 * i] === STALE_LO;
}

/** Writes a staleness marker at `i`; `bits` is `bitsOf(values)`. */
export function setStale(bits: Uint32Array, i: number): void {
  bits[2 * i] = STALE_LO;
  bits[2 * i + 1] = STALE_HI;
}
