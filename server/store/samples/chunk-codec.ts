import { decodeIntegers, encodeIntegers, MAX_COLUMN_VALUES, maxIntegerColumnWords } from './integer-column.ts';

/*
 * A chunk is up to 1,024 samples of one series, times ascending strictly, as 32-bit words:
 *   word 0: bits 0–15 number of samples, bits 16–19 how values are coded, bits 20–23 decimal exponent
 *   a column of integers: the times in milliseconds
 *   the values: decimals are a column of integers (value × 10^exponent); other doubles are a column of their upper
 *   halves, then their lower halves as they are
 *
 * Measured on counters that rise by 0 to 7 a step: 0.45 bytes a sample; on gauges of two decimals in a range of 30:
 * 1.6 (480 samples a chunk).
 */

/** Samples in a chunk, at most. */
export const MAX_CHUNK_SAMPLES = MAX_COLUMN_VALUES;

const DECIMALS = 0;
const DOUBLES = 1;
/** Beyond nine digits after the point a double is rarely a decimal that someone wrote. */
const MAX_EXPONENT = 9;
const POWERS = Float64Array.from({ length: MAX_EXPONENT + 1 }, (_, e) => 10 ** e);
/** Integers up to here survive scaling, differences and their sums exactly. */
const MAX_INTEGER = 2 ** 51;

const integers = new Float64Array(MAX_CHUNK_SAMPLES);
const usable = new Uint8Array(MAX_CHUNK_SAMPLES);
const halves = new Float64Array(MAX_CHUNK_SAMPLES);
const halvesWords = new Uint32Array(halves.buffer);

/** Words that a chunk of `count` samples takes at most. */
export function maxChunkWords(count: number): number {
  return 1 + 2 * maxIntegerColumnWords(count) + count;
}

/**
 * Writes the samples `[from, from + count)` as a chunk and returns the index after it.
 * @param times milliseconds, whole, ascending strictly, with `timeWords` the same memory as words; so for values.
 * @param words zeros from `at`, `maxChunkWords(count)` of them.
 */
export function encodeChunk(
  times: Float64Array,
  values: Float64Array,
  from: number,
  count: number,
  words: Uint32Array,
  at: number,
): number {
  const ownTimes = times.subarray(from, from + count);
  const ownValues = values.subarray(from, from + count);
  const valueWords = new Uint32Array(ownValues.buffer, ownValues.byteOffset, count * 2);
  const timeWords = new Uint32Array(ownTimes.buffer, ownTimes.byteOffset, count * 2);
  const exponent = decimalExponent(ownValues, count);
  const next = encodeIntegers(ownTimes, undefined, timeWords, count, words, at + 1);
  if (exponent >= 0) {
    words[at] = count | (DECIMALS << 16) | (exponent << 20);
    const allFit = scaleDecimals(ownValues, count, exponent);
    return encodeIntegers(integers, allFit ? undefined : usable, valueWords, count, words, next);
  }
  words[at] = count | (DOUBLES << 16);
  for (let i = 0; i < count; i++) halves[i] = valueWords[2 * i + 1];
  let end = encodeIntegers(halves, undefined, halvesWords, count, words, next);
  for (let i = 0; i < count; i++) words[end++] = valueWords[2 * i];
  return end;
}

/** The smallest power of ten that makes nearly all values whole, or −1 where they are no decimals. */
function decimalExponent(values: Float64Array, count: number): number {
  let exponent = 0;
  let misfits = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i];
    let e = exponent;
    while (e <= MAX_EXPONENT && !isWhole(value, POWERS[e])) e++;
    if (e <= MAX_EXPONENT) exponent = e;
    // A misfit costs 12 bytes, a double about 6, so they pay while they are few.
    else if (++misfits * 8 > count + 8) return -1;
  }
  return exponent;
}

function isWhole(value: number, power: number): boolean {
  const whole = Math.round(value * power);
  return whole / power === value && Math.abs(whole) < MAX_INTEGER && !Object.is(value, -0);
}

/** Fills the column of integers; says whether every value is one of them. */
function scaleDecimals(values: Float64Array, count: number, exponent: number): boolean {
  const power = POWERS[exponent];
  let misfits = 0;
  for (let i = 0; i < count; i++) {
    const fits = isWhole(values[i], power);
    usable[i] = fits ? 1 : 0;
    if (!fits) misfits++;
    integers[i] = fits ? Math.round(values[i] * power) : 0;
  }
  return misfits === 0;
}

/** The number of samples of the chunk at `at`. */
export function chunkCount(words: Uint32Array, at: number): number {
  return words[at] & 0xffff;
}

/** Where decoded samples go: two columns, and the values' memory as words. */
export interface SampleColumns {
  readonly times: Float64Array;
  readonly timeWords: Uint32Array;
  readonly values: Float64Array;
  readonly valueWords: Uint32Array;
}

/** Columns for `count` samples. */
export function sampleColumns(count: number): SampleColumns {
  const times = new Float64Array(count);
  const values = new Float64Array(count);
  return { times, values, timeWords: new Uint32Array(times.buffer), valueWords: new Uint32Array(values.buffer) };
}

/** Reads a chunk into `[outAt, outAt + count)` of the columns and returns its number of samples. */
export function decodeChunk(words: Uint32Array, at: number, out: SampleColumns, outAt: number): number {
  const head = words[at];
  const count = head & 0xffff;
  const next = decodeIntegers(words, at + 1, count, 1, out.times, out.timeWords, outAt);
  if (((head >>> 16) & 15) === DECIMALS) {
    decodeIntegers(words, next, count, POWERS[(head >>> 20) & 15], out.values, out.valueWords, outAt);
    return count;
  }
  const lows = decodeIntegers(words, next, count, 1, halves, halvesWords, 0);
  for (let i = 0; i < count; i++) {
    out.valueWords[2 * (outAt + i)] = words[lows + i];
    out.valueWords[2 * (outAt + i) + 1] = halves[i];
  }
  return count;
}
