/*
 * Most values that people measure are whole or have a few decimals. Their digits come from integer arithmetic here,
 * several times faster than by the general algorithm, and are the same: a decimal of at most 15 digits that reads back
 * as a double is that double's shortest one, since no two such decimals share a double.
 */

/** Powers of ten that are tried, by the number of decimals. */
const POWERS = Float64Array.from({ length: 7 }, (_, places) => 10 ** places);
/** Below it an integer has at most 15 digits. */
const MAX_SCALED = 1e15;
/** The longest that `writeShortDecimal` writes: sign, 15 digits, `0.` and zeros before them. */
export const SHORT_DECIMAL_BYTES = 24;

/**
 * Decimals with which a number of at most 15 digits is written exactly: 0, 2, 4 or 6, the last of which may be zeros;
 * −1 where it has more digits, is so large, or no number.
 */
export function decimalPlaces(value: number): number {
  const size = Math.abs(value);
  if (!(size < MAX_SCALED)) return -1;
  if (Math.trunc(size) === size) return size === 0 && Object.is(value, -0) ? -1 : 0;
  for (let places = 2; places <= 6; places += 2) {
    const power = POWERS[places];
    const scaled = Math.round(size * power);
    // A quotient of two exact integers is rounded just as a decimal is when it is read.
    if (scaled < MAX_SCALED && scaled / power === size) return places;
  }
  return -1;
}

/** Two ASCII digits of each number below 100, the first in the low byte. */
const PAIRS = Uint16Array.from({ length: 100 }, (_, n) => 48 + Math.floor(n / 10) + ((48 + (n % 10)) << 8));

/**
 * Writes a number without trailing zeros.
 * @param places what `decimalPlaces` said of it, not −1.
 * @returns where the next byte goes.
 */
export function writeShortDecimal(bytes: Uint8Array, start: number, value: number, places: number): number {
  let at = start;
  if (value < 0) bytes[at++] = MINUS;
  const size = Math.abs(value);
  if (places === 0) return writeWhole(bytes, at, size);
  const whole = Math.trunc(size);
  at = writeWhole(bytes, at, whole);
  // Below a million, and exact: the product was rounded to the integer that it stands for.
  let rest = Math.round(size * POWERS[places]) - whole * POWERS[places];
  bytes[at++] = POINT;
  const end = at + places;
  for (let pair = end - 2; pair >= at; pair -= 2) {
    const higher = (rest / 100) | 0;
    const two = PAIRS[rest - higher * 100];
    bytes[pair] = two & 255;
    bytes[pair + 1] = two >> 8;
    rest = higher;
  }
  let last = end - 1;
  while (bytes[last] === ZERO) last--;
  return last + 1;
}

/** Writes a whole number of at most 15 digits. */
function writeWhole(bytes: Uint8Array, start: number, whole: number): number {
  if (whole >= 1e9) {
    const higher = Math.floor(whole / 1e8);
    const at = writeWhole(bytes, start, higher);
    writePairs(bytes, at + 8, whole - higher * 1e8, 4);
    return at + 8;
  }
  let small = whole | 0;
  const length = digitsOf(small);
  const end = start + length;
  if ((length & 1) === 1) {
    const higher = (small / 10) | 0;
    bytes[end - 1] = ZERO + small - higher * 10;
    small = higher;
    writePairs(bytes, end - 1, small, length >> 1);
  } else writePairs(bytes, end, small, length >> 1);
  return end;
}

/** Writes the last digits of a whole number below 10⁹, two by two, before `end`. */
function writePairs(bytes: Uint8Array, end: number, whole: number, pairs: number): void {
  let small = whole | 0;
  for (let i = 0, at = end - 2; i < pairs; i++, at -= 2) {
    const higher = (small / 100) | 0;
    const two = PAIRS[small - higher * 100];
    bytes[at] = two & 255;
    bytes[at + 1] = two >> 8;
    small = higher;
  }
}

function digitsOf(small: number): number {
  if (small < 1e4) return small < 100 ? (small < 10 ? 1 : 2) : small < 1000 ? 3 : 4;
  if (small < 1e6) return small < 1e5 ? 5 : 6;
  return small < 1e8 ? (small < 1e7 ? 7 : 8) : 9;
}

const MINUS = 45;
const POINT = 46;
const ZERO = 48;
