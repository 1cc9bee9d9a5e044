import { packBits, packedWords, unpackBits } from './bit-packing.ts';

/** The most values that a column holds. */
export const MAX_COLUMN_VALUES = 1024;

/*
 * A column of integers as 32-bit words:
 *   word 0: bit 0 whether differences are packed, bits 1–5 shift, bits 6–11 width, bits 12–31 number of exceptions
 *   words 1–2: the first value x₀, a double; words 3–4: `low`, a double
 *   the packed values, width bits each; where width > 32 the low 32 bits of all, then the bits above of all
 *   three words an exception: its index (bit 31: the integers go on from it), then the double that stands there
 *
 * With y = (x − x₀) / 2^shift a packed value is y − low, or the difference to the y before minus low. Patching a few
 * values keeps the width of the others small ("patched frame of reference", Zukowski et al., ICDE 2006).
 */
const HEADER_WORDS = 5;
const EXCEPTION_WORDS = 3;
const EXCEPTION_BITS = 32 * EXCEPTION_WORDS;
const GOES_ON = 0x80000000;
const MAX_WIDTH = 52;

/** Words that a column of `count` values takes at most. */
export function maxIntegerColumnWords(count: number): number {
  return HEADER_WORDS + 2 * packedWords(count, 32) + count * EXCEPTION_WORDS;
}

/** The columns of one thread are coded one after the other, so their scratch memory is shared. */
const shifted = new Float64Array(MAX_COLUMN_VALUES);
const differences = new Float64Array(MAX_COLUMN_VALUES);
const lowWords = new Uint32Array(MAX_COLUMN_VALUES);
const highWords = new Uint32Array(MAX_COLUMN_VALUES);
const exceptionAt = new Uint16Array(MAX_COLUMN_VALUES);
const double = new Float64Array(1);
const doubleWords = new Uint32Array(double.buffer);

/** How to pack numbers: everything in `[low, low + 2^width)` is packed, the rest are exceptions. */
interface Packing {
  low: number;
  width: number;
  bits: number;
}

/**
 * Writes a column and returns the index after it.
 * @param integers whole numbers below 2^52 in magnitude; at an index that isn't `usable` anything.
 * @param usable 1 where the integer stands for the value; `undefined` where all do.
 * @param raw the values whose bits are kept where an integer can't stand for them, in words (two each).
 * @param words zeros from `at`, `maxIntegerColumnWords(count)` of them.
 */
export function encodeIntegers(
  integers: Float64Array,
  usable: Uint8Array | undefined,
  raw: Uint32Array,
  count: number,
  words: Uint32Array,
  at: number,
): number {
  let anchor = 0;
  while (usable && anchor < count && usable[anchor] === 0) anchor++;
  const first = anchor < count ? integers[anchor] : 0;
  const shift = commonShift(integers, usable, count, first);
  const { plain, asDifferences } = spread(integers, usable, count, first, 2 ** shift);
  const isDifferences = asDifferences.bits < plain.bits;
  const { low, width } = isDifferences ? asDifferences : plain;
  const exceptions = isDifferences
    ? placeDifferences(usable, count, low, width)
    : placePlain(usable, count, low, width);
  words[at] = (isDifferences ? 1 : 0) | (shift << 1) | (width << 6) | (exceptions << 12);
  putDouble(words, at + 1, first);
  putDouble(words, at + 3, low);
  let next = packBits(lowWords, count, Math.min(width, 32), words, at + HEADER_WORDS);
  if (width > 32) next = packBits(highWords, count, width - 32, words, next);
  for (let e = 0; e < exceptions; e++) {
    const i = exceptionAt[e];
    words[next++] = usable?.[i] !== 0 ? i | GOES_ON : i;
    words[next++] = raw[2 * i];
    words[next++] = raw[2 * i + 1];
  }
  return next;
}

function commonShift(integers: Float64Array, usable: Uint8Array | undefined, count: number, first: number): number {
  let bits = 0;
  // Of a difference beyond 32 bits `|` sees the low ones, which is where the common zeros are.
  for (let i = 0; i < count; i++) if (usable?.[i] !== 0) bits |= integers[i] - first;
  return bits === 0 ? 0 : 31 - Math.clz32(bits & -bits);
}

/** Fills the scratch columns and chooses how each of them would be packed. */
function spread(
  integers: Float64Array,
  usable: Uint8Array | undefined,
  count: number,
  first: number,
  scale: number,
): { plain: Packing; asDifferences: Packing } {
  let [low, high, lowStep, highStep] = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  let before = 0;
  for (let i = 0; i < count; i++) {
    // What isn't usable repeats its neighbour, so that it widens nothing.
    const value = usable?.[i] === 0 ? before : (integers[i] - first) / scale;
    shifted[i] = value;
    if (value < low) low = value;
    else if (value > high) high = value;
    if (i > 0) {
      const step = value - before;
      differences[i] = step;
      if (step < lowStep) lowStep = step;
      if (step > highStep) highStep = step;
    }
    before = value;
  }
  if (count === 1) [lowStep, highStep] = [0, 0];
  // The first value has no difference; whatever `low` is, it packs to 0.
  differences[0] = count > 1 ? differences[1] : 0;
  const asDifferences = packing(differences, count, lowStep, highStep);
  // Nothing is narrower than steps that are all equal.
  const plain = asDifferences.bits === 0 ? { ...asDifferences, bits: 1 } : packing(shifted, count, low, high);
  if (lowStep >= 0) return { plain, asDifferences };
  // A counter falls where it begins anew; those few differences shouldn't widen all others.
  const rising = choosePacking(differences, count, 0, 1);
  return { plain, asDifferences: rising.bits < asDifferences.bits ? rising : asDifferences };
}

/** Values of a sample in which it is looked whether exceptions pay. */
const SAMPLE_STRIDE = 8;
/** Below this width exceptions can't save much. */
const NARROW = 4;

/** How to pack values of `[low, high]`: all of them alike, unless a sample says that a few should be exceptions. */
function packing(values: Float64Array, count: number, low: number, high: number): Packing {
  const width = bitLength(high - low);
  const all = { low, width, bits: count * width };
  if (width <= NARROW) return all;
  const stride = count >= 16 * SAMPLE_STRIDE ? SAMPLE_STRIDE : 1;
  const sampled = choosePacking(values, count, low, stride);
  if (sampled.bits >= 0.9 * all.bits && width <= MAX_WIDTH) return all;
  return stride === 1 ? sampled : choosePacking(values, count, low, 1);
}

const widths = new Uint32Array(64);

/** The width that takes the fewest bits, given the lowest packed value, as every `stride`th value says. */
function choosePacking(values: Float64Array, count: number, low: number, stride: number): Packing {
  widths.fill(0);
  for (let i = 0; i < count; i += stride) {
    const value = values[i] - low;
    widths[value < 0 ? 63 : bitLength(value)]++;
  }
  let [best, bestBits, exceptions] = [MAX_WIDTH, Number.POSITIVE_INFINITY, 0];
  for (let width = 63; width > MAX_WIDTH; width--) exceptions += widths[width];
  for (let width = MAX_WIDTH; width >= 0; width--) {
    const bits = count * width + exceptions * stride * EXCEPTION_BITS;
    if (bits < bestBits) [best, bestBits] = [width, bits];
    exceptions += widths[width];
  }
  return { low, width: best, bits: bestBits };
}

/** Bits of a whole number of at least 0. */
function bitLength(value: number): number {
  if (value < 4294967296) return 32 - Math.clz32(value);
  const high = Math.floor(value / 4294967296);
  return high < 4294967296 ? 64 - Math.clz32(high) : 63;
}

function placePlain(usable: Uint8Array | undefined, count: number, low: number, width: number): number {
  const end = 2 ** width;
  let exceptions = 0;
  for (let i = 0; i < count; i++) {
    const value = shifted[i] - low;
    const fits = value >= 0 && value < end;
    if (!fits || (usable && usable[i] === 0)) exceptionAt[exceptions++] = i;
    putPacked(i, fits ? value : 0);
  }
  return exceptions;
}

function placeDifferences(usable: Uint8Array | undefined, count: number, low: number, width: number): number {
  const end = 2 ** width;
  let exceptions = 0;
  // The value before the first one, such that the first difference is `low` and packs to 0.
  let running = -low;
  for (let i = 0; i < count; i++) {
    const isUsable = usable?.[i] !== 0;
    const value = shifted[i] - running - low;
    if (isUsable && value >= 0 && value < end) {
      putPacked(i, value);
      running = shifted[i];
    } else {
      exceptionAt[exceptions++] = i;
      putPacked(i, 0);
      running = isUsable ? shifted[i] : running + low;
    }
  }
  return exceptions;
}

function putPacked(i: number, value: number): void {
  const low = value >>> 0;
  lowWords[i] = low;
  highWords[i] = (value - low) / 4294967296;
}

function putDouble(words: Uint32Array, at: number, value: number): void {
  double[0] = value;
  words[at] = doubleWords[0];
  words[at + 1] = doubleWords[1];
}

function getDouble(words: Uint32Array, at: number): number {
  doubleWords[0] = words[at];
  doubleWords[1] = words[at + 1];
  return double[0];
}

/** Reads values that all are offsets from `base`, as nearly all columns of gauges are. */
function decodePlain(
  words: Uint32Array,
  at: number,
  count: number,
  width: number,
  base: number,
  scale: number,
  divisor: number,
  out: Float64Array,
  outAt: number,
): void {
  if (width === 0) {
    out.fill(base / divisor, outAt, outAt + count);
    return;
  }
  const mask = width === 32 ? -1 : (1 << width) - 1;
  let bit = 0;
  for (let i = 0; i < count; i++, bit += width) {
    const word = at + (bit >>> 5);
    const offset = bit & 31;
    let packed = words[word] >>> offset;
    if (offset + width > 32) packed |= words[word + 1] << (32 - offset);
    out[outAt + i] = (base + ((packed & mask) >>> 0) * scale) / divisor;
  }
}

/** Reads values that all are steps from the one before, as times and nearly all columns of counters are. */
function decodeSteps(
  words: Uint32Array,
  at: number,
  count: number,
  width: number,
  { first, low, scale }: { first: number; low: number; scale: number },
  divisor: number,
  out: Float64Array,
  outAt: number,
): void {
  if (width === 0) {
    const step = low * scale;
    if (divisor === 1) for (let i = 0; i < count; i++) out[outAt + i] = first + step * i;
    else for (let i = 0; i < count; i++) out[outAt + i] = (first + step * i) / divisor;
    return;
  }
  const mask = width === 32 ? -1 : (1 << width) - 1;
  let running = -low;
  let bit = 0;
  for (let i = 0; i < count; i++, bit += width) {
    const word = at + (bit >>> 5);
    const offset = bit & 31;
    let packed = words[word] >>> offset;
    if (offset + width > 32) packed |= words[word + 1] << (32 - offset);
    running += low + ((packed & mask) >>> 0);
    out[outAt + i] = first + running * scale;
  }
  // A division costs more than all the rest, and counters mostly are whole numbers.
  if (divisor !== 1) for (let i = 0; i < count; i++) out[outAt + i] /= divisor;
}

/**
 * Reads a column that `encodeIntegers` wrote.
 * @param divisor what each integer is divided by; 10^e for decimals that were multiplied by it.
 * @param out the values, from `outAt`; `outWords` is the same memory as words, so that bits of exceptions are kept.
 * @returns the index after the column.
 */
export function decodeIntegers(
  words: Uint32Array,
  at: number,
  count: number,
  divisor: number,
  out: Float64Array,
  outWords: Uint32Array,
  outAt: number,
): number {
  const head = words[at];
  const scale = 2 ** ((head >>> 1) & 31);
  const width = (head >>> 6) & 63;
  const exceptions = head >>> 12;
  const first = getDouble(words, at + 1);
  const low = getDouble(words, at + 3);
  if (exceptions === 0 && width <= 32) {
    const start = at + HEADER_WORDS;
    if ((head & 1) === 0) decodePlain(words, start, count, width, first + low * scale, scale, divisor, out, outAt);
    else decodeSteps(words, start, count, width, { first, low, scale }, divisor, out, outAt);
    return start + packedWords(count, width);
  }
  let next = unpackBits(words, at + HEADER_WORDS, count, Math.min(width, 32), lowWords);
  if (width > 32) next = unpackBits(words, next, count, width - 32, highWords);
  const isWide = width > 32;
  if ((head & 1) === 0) {
    for (let i = 0; i < count; i++) {
      const packed = isWide ? lowWords[i] + highWords[i] * 4294967296 : lowWords[i];
      out[outAt + i] = (first + (low + packed) * scale) / divisor;
    }
    for (let e = 0; e < exceptions; e++, next += EXCEPTION_WORDS) {
      const i = 2 * (outAt + (words[next] & ~GOES_ON));
      outWords[i] = words[next + 1];
      outWords[i + 1] = words[next + 2];
    }
    return next;
  }
  let running = -low;
  let i = 0;
  for (let e = 0; e <= exceptions; e++) {
    const end = e < exceptions ? words[next] & ~GOES_ON : count;
    if (isWide) {
      for (; i < end; i++) {
        running += low + lowWords[i] + highWords[i] * 4294967296;
        out[outAt + i] = (first + running * scale) / divisor;
      }
    } else if (scale === 1 && divisor === 1) {
      for (; i < end; i++) {
        running += low + lowWords[i];
        out[outAt + i] = first + running;
      }
    } else {
      for (; i < end; i++) {
        running += low + lowWords[i];
        out[outAt + i] = (first + running * scale) / divisor;
      }
    }
    if (e === exceptions) break;
    const o = 2 * (outAt + i);
    outWords[o] = words[next + 1];
    outWords[o + 1] = words[next + 2];
    running = words[next] & GOES_ON ? (Math.round(out[outAt + i] * divisor) - first) / scale : running + low;
    i++;
    next += EXCEPTION_WORDS;
  }
  return next;
}
