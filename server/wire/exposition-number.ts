/** Powers of ten that doubles hold exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);
/** Up to here every integer, and its quotient by a power of ten, is rounded once at most. */
const MAX_DIGITS = 15;
const DECIMAL = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?$/;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** The result of `readNumber`; a field instead of a return value, so that doubles aren't boxed. */
export interface NumberResult {
  value: number;
}

/**
 * Reads `bytes[start, end)` as a number into `into`; false where it isn't one. What is accepted is what Go's ParseFloat
 * accepts without hexadecimal and underscores: decimals, `NaN`, `Inf`, `+Infinity`, …; a number too large is none.
 */
export function readNumber(bytes: Buffer, start: number, end: number, into: NumberResult): boolean {
  let p = start;
  const negative = bytes[p] === 0x2d;
  if (negative || bytes[p] === 0x2b) p++;
  const from = p;
  let mantissa = 0;
  let point = -1;
  for (; p < end; p++) {
    const digit = bytes[p] - 0x30;
    if (digit >= 0 && digit <= 9) mantissa = mantissa * 10 + digit;
    else if (bytes[p] === 0x2e && point < 0) point = p;
    else break;
  }
  const digits = end - from - (point < 0 ? 0 : 1);
  if (p !== end || digits === 0 || digits > MAX_DIGITS) return readAny(bytes, start, end, into);
  const value = point < 0 ? mantissa : mantissa / POWERS[end - point - 1];
  into.value = negative ? -value : value;
  return true;
}

function readAny(bytes: Buffer, start: number, end: number, into: NumberResult): boolean {
  const text = bytes.toString('latin1', start, end);
  if (DECIMAL.test(text)) {
    into.value = Number(text);
    return Number.isFinite(into.value);
  }
  if (INFINITE.test(text)) {
    into.value = text[0] === '-' ? -Infinity : Infinity;
    return true;
  }
  if (text.length !== 3 || text.toLowerCase() !== 'nan') return false;
  into.value = Number.NaN;
  return true;
}

/**
 * A number as OpenMetrics writes the values of `le` and `quantile`: whole numbers with `.0`, exponents as Go prints them
 * (`1e+06`). Source: prometheus/prometheus model/textparse.
 */
export function openMetricsNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const text = goNumber(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/**
 * A number as Prometheus writes values: the shortest text that reads back as the same double, with an exponent below
 * 1e-4 and from 1e6 on (Go's `strconv.FormatFloat(v, 'g', -1, 64)`).
 */
export function goNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e6) return String(value);
  const [mantissa, exponent] = value.toExponential().split('e');
  return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, '0')}`;
}
