/** How many 32-bit words `count` values of `width` bits take. */
export function packedWords(count: number, width: number): number {
  return Math.ceil((count * width) / 32);
}

/**
 * Packs the low `width` bits of values one after the other, the first in the lowest bits.
 * @param words where to, from `at`; must hold zeros there.
 * @param width 0 to 32.
 * @returns the index after the last word.
 */
export function packBits(values: Uint32Array, count: number, width: number, words: Uint32Array, at: number): number {
  if (width === 32) words.set(values.subarray(0, count), at);
  else if (width > 0) {
    let bit = 0;
    for (let i = 0; i < count; i++, bit += width) {
      const word = at + (bit >>> 5);
      const offset = bit & 31;
      words[word] |= values[i] << offset;
      // A shift by 32 would be a shift by 0, so the second word is touched only where bits are left for it.
      if (offset + width > 32) words[word + 1] |= values[i] >>> (32 - offset);
    }
  }
  return at + packedWords(count, width);
}

/**
 * The reverse of `packBits`.
 * @returns the index after the last packed word.
 */
export function unpackBits(words: Uint32Array, at: number, count: number, width: number, out: Uint32Array): number {
  if (width === 32) out.set(words.subarray(at, at + count));
  else if (width === 0) out.fill(0, 0, count);
  else {
    const mask = 2 ** width - 1;
    let bit = 0;
    for (let i = 0; i < count; i++, bit += width) {
      const word = at + (bit >>> 5);
      const offset = bit & 31;
      let value = words[word] >>> offset;
      if (offset + width > 32) value |= words[word + 1] << (32 - offset);
      out[i] = value & mask;
    }
  }
  return at + packedWords(count, width);
}
