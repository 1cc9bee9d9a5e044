/**
 * Numbers with units, as queries and log lines spell them. Readers of query literals return `undefined` where the text
 * isn't one; readers of values from lines return a `Conversion`, because the reason of a failure is shown to the user.
 */

/** A converted value, or the reason why there is none. The reason never quotes the value, which may be content. */
export type Conversion = { readonly value: number } | { readonly problem: string };

const GO_UNIT_NS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const LONG_UNIT_NS: Readonly<Record<string, number>> = { ...GO_UNIT_NS, d: 86_400e9, w: 604_800e9, y: 31_536_000e9 };
const LITERAL_DURATION = /^(?:\d+(?:\.\d*)?(?:ns|us|µs|μs|ms|[smhdwy]))+$/;
const DURATION_PART = /(\d+)(?:\.(\d*))?(ns|us|µs|μs|ms|[smhdwy])/g;

/** A duration of a query (`5m`, `1h30m`, `1.5s`, `1d`, `500us`) in nanoseconds. */
export function parseDurationNs(text: string): bigint | undefined {
  if (!LITERAL_DURATION.test(text)) return undefined;
  let total = 0n;
  for (const [, whole, fraction, unit] of text.matchAll(DURATION_PART)) {
    total += BigInt(whole) * BigInt(LONG_UNIT_NS[unit]);
    if (fraction) total += BigInt(Math.round(Number(`0.${fraction}`) * LONG_UNIT_NS[unit]));
  }
  return total;
}

const PRINT_UNITS = [
  ['h', 3_600_000_000_000n],
  ['m', 60_000_000_000n],
  ['s', 1_000_000_000n],
  ['ms', 1_000_000n],
  ['us', 1000n],
  ['ns', 1n],
] as const;

/** Nanoseconds as a duration that `parseDurationNs` reads back to the same number; a negative one has a leading `-`. */
export function printDurationNs(ns: bigint): string {
  if (ns === 0n) return '0s';
  let rest = ns < 0n ? -ns : ns;
  let text = ns < 0n ? '-' : '';
  for (const [unit, size] of PRINT_UNITS) {
    if (rest >= size) text += `${rest / size}${unit}`;
    rest %= size;
  }
  return text;
}

const GO_DURATION_PART = /^(\d*)(?:\.(\d*))?([^\d.]*)/;

/**
 * A duration in a log line, in nanoseconds, as Go's `time.ParseDuration` reads it: a sign, then numbers with a unit of
 * ns, us, µs, ms, s, m, h.
 */
export function convertDurationNs(text: string): Conversion {
  let rest = text.startsWith('-') || text.startsWith('+') ? text.slice(1) : text;
  if (rest === '0') return { value: 0 };
  if (rest === '') return { problem: 'invalid duration' };
  let total = 0;
  while (rest !== '') {
    const match = GO_DURATION_PART.exec(rest)!;
    const [part, whole, fraction, unit] = match;
    if (whole === '' && (fraction ?? '') === '') return { problem: 'invalid duration' };
    if (unit === '') return { problem: 'missing unit in duration' };
    const size = GO_UNIT_NS[unit];
    if (size === undefined) return { problem: 'unknown unit in duration' };
    total += Number(`${whole || '0'}.${fraction || '0'}`) * size;
    rest = rest.slice(part.length);
  }
  return { value: text.startsWith('-') ? -total : total };
}

const BYTE_UNITS: Readonly<Record<string, number>> = { '': 1, b: 1 };
const BYTE_SIZES: Readonly<Record<string, number>> = { ...BYTE_UNITS, ...byteSizes() };

function byteSizes(): Record<string, number> {
  const sizes: Record<string, number> = {};
  ['k', 'm', 'g', 't', 'p', 'e'].forEach((letter, i) => {
    sizes[letter] = sizes[`${letter}b`] = 1000 ** (i + 1);
    sizes[`${letter}i`] = sizes[`${letter}ib`] = 1024 ** (i + 1);
  });
  return sizes;
}

const BYTES_LITERAL = /^(\d+(?:\.\d*)?)([kKMGTPE]i?B|B)$/;

/** A number of bytes in a query (`20MB`, `1.5KiB`): units are case-sensitive, `k` or `K`, then `M` to `E`. */
export function parseBytes(text: string): number | undefined {
  const match = BYTES_LITERAL.exec(text);
  return match ? Math.trunc(Number(match[1]) * BYTE_SIZES[match[2].toLowerCase()]) : undefined;
}

/** A number of bytes in a log line: `1024`, `2,048`, `1.5KB`, `2 mib`; units in any case, decimal and binary. */
export function convertBytes(text: string): Conversion {
  const digits = /^[\d.,]*/.exec(text)![0];
  const number = digits.replaceAll(',', '');
  // The words are those of Go's number parser, which Loki shows; a number that isn't one is never quoted.
  if (number === '') return { problem: 'parsing "": invalid syntax' };
  if (!/^(\d+\.?\d*|\.\d+)$/.test(number)) return { problem: 'invalid number of bytes' };
  const size = BYTE_SIZES[text.slice(digits.length).trim().toLowerCase()];
  return size === undefined ? { problem: 'unhandled size name' } : { value: Math.trunc(Number(number) * size) };
}

const DECIMAL = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const HEX_FLOAT = /^([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?[pP]([+-]?\d+)$/;

/** A floating-point number as Go's `strconv.ParseFloat` reads it: decimal, `inf`, `nan`, or hexadecimal with `p`. */
export function convertFloat(text: string): Conversion {
  if (DECIMAL.test(text)) return { value: Number(text) };
  const lower = text.toLowerCase();
  if (lower === 'nan') return { value: Number.NaN };
  if (/^[+-]?inf(inity)?$/.test(lower)) return { value: lower.startsWith('-') ? -Infinity : Infinity };
  const hex = HEX_FLOAT.exec(text);
  if (hex && (hex[2] !== '' || (hex[3] ?? '') !== '')) {
    const fraction = hex[3] ?? '';
    const mantissa = Number.parseInt(`${hex[2]}${fraction}` || '0', 16);
    const value = mantissa * 2 ** (Number(hex[4]) - 4 * fraction.length);
    return { value: hex[1] === '-' ? -value : value };
  }
  return { problem: 'not a number' };
}

/** Prints a float so that a query reads it back: `+Inf` and friends have no literal, so callers pass finite numbers. */
export function printNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value).replace('e+', 'e');
}

const ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([\s\S])?)/g;

/** The text of a string literal with its quotes (`"…"` with Go's escapes, or raw in backquotes); `undefined` if malformed. */
export function unquote(literal: string): string | undefined {
  const body = literal.slice(1, -1);
  if (literal[0] === '`') return body.replaceAll('\r', '');
  if (!body.includes('\\')) return body;
  let bad = false;
  const text = body.replace(ESCAPE, (_all, hex, u4, u8, octal, letter) => {
    const code = hex ?? u4 ?? u8;
    if (code !== undefined) {
      const point = Number.parseInt(code, 16);
      if (point <= 0x10ffff) return String.fromCodePoint(point);
    } else if (octal !== undefined) {
      return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    } else if (letter !== undefined && letter in ESCAPES) return ESCAPES[letter];
    bad = true;
    return '';
  });
  return bad ? undefined : text;
}

/** A string as a literal in double quotes that `unquote` reads back. */
export function quote(text: string): string {
  return JSON.stringify(text).replaceAll('\\/', '/');
}
