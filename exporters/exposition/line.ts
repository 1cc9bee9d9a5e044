import { ExporterError } from '../error.ts';

// Bytes that the text format is made of.
export const LF = 0x0a;
export const HASH = 0x23;
const [TAB, CR, SPACE, QUOTE, COMMA, EQUALS, BACKSLASH, OPEN, CLOSE] = [9, 13, 32, 34, 44, 61, 92, 123, 125];

/** Longest line that is read, bytes. */
export const MAX_LINE_BYTES = 64 * 1024;
const MAX_LABELS = 64;
const MAX_LABEL_VALUE_CHARS = 1024;

/** A series as a line names it. */
export interface SeriesName {
  readonly name: string;
  /** Names and values by turns, in the order of the line. */
  readonly labels: ReadonlyMap<string, string>;
}

/**
 * Where the value of a sample's line begins: after the name, its labels and the blanks behind them.
 * @param start first byte of the line
 * @param end the line's end, exclusive
 * @returns the position of the value's first byte
 * @throws ExporterError `bad_exposition` where the line has no value.
 */
export function valueStart(bytes: Uint8Array, start: number, end: number, lineNumber: number): number {
  let pos = start;
  while (pos < end && bytes[pos] !== OPEN && bytes[pos] !== SPACE && bytes[pos] !== TAB) pos++;
  while (pos < end && isBlank(bytes[pos])) pos++;
  if (bytes[pos] === OPEN) {
    pos++;
    let isQuoted = false;
    for (; pos < end && (isQuoted || bytes[pos] !== CLOSE); pos++) {
      if (bytes[pos] === BACKSLASH && isQuoted) pos++;
      else if (bytes[pos] === QUOTE) isQuoted = !isQuoted;
    }
    if (pos >= end) throw badLine(lineNumber, 'labels without an end', 'a closing brace');
    pos++;
    while (pos < end && isBlank(bytes[pos])) pos++;
  }
  if (pos >= end) throw badLine(lineNumber, 'no value', 'name{label="value"} number');
  return pos;
}

/**
 * Reads a sample's number: what stands up to the next blank or the line's end. A timestamp and an exemplar behind it are
 * left alone.
 * @returns NaN where the sample says so itself.
 * @throws ExporterError `bad_exposition` where it is no number.
 */
export function readValue(bytes: Uint8Array, start: number, end: number, lineNumber: number): number {
  // Up to 15 digits and a power of ten up to 22 divide exactly, so that most values need no text (Clinger 1990).
  let pos = start;
  const isNegative = bytes[pos] === 0x2d;
  if (isNegative) pos++;
  let mantissa = 0;
  let digits = 0;
  let decimals = -1;
  for (; pos < end; pos++) {
    const byte = bytes[pos];
    if (byte >= 0x30 && byte <= 0x39) {
      mantissa = mantissa * 10 + (byte - 0x30);
      digits++;
      if (decimals >= 0) decimals++;
    } else if (byte === 0x2e && decimals < 0) decimals = 0;
    else break;
  }
  if (digits > 0 && digits <= 15 && (pos === end || isBlank(bytes[pos]))) {
    const value = decimals > 0 ? mantissa / POWERS_OF_TEN[decimals] : mantissa;
    return isNegative ? -value : value;
  }
  while (pos < end && !isBlank(bytes[pos])) pos++;
  return parseNumber(asciiOf(bytes, start, pos), lineNumber);
}

const POWERS_OF_TEN = Array.from({ length: 16 }, (_, i) => 10 ** i);

function parseNumber(text: string, lineNumber: number): number {
  switch (text.toLowerCase()) {
    case 'nan':
      return Number.NaN;
    case '+inf':
    case 'inf':
    case '+infinity':
    case 'infinity':
      return Number.POSITIVE_INFINITY;
    case '-inf':
    case '-infinity':
      return Number.NEGATIVE_INFINITY;
    default:
      if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text))
        throw badLine(lineNumber, 'a value that is no number', 'a decimal number, NaN, +Inf or -Inf');
      return Number(text);
  }
}

/**
 * Reads the name and the labels of a sample's line up to its value.
 * @throws ExporterError `bad_exposition`.
 */
export function readSeriesName(bytes: Uint8Array, start: number, end: number, lineNumber: number): SeriesName {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start)
    .toString('utf8')
    .trimEnd();
  const open = text.indexOf('{');
  const name = (open < 0 ? text : text.slice(0, open)).trimEnd();
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(name))
    throw badLine(lineNumber, 'no metric name', 'letters, digits, _ and :, not beginning with a digit');
  const labels = new Map<string, string>();
  if (open >= 0) readLabels(text, open + 1, labels, lineNumber);
  return { name, labels };
}

const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;

function readLabels(text: string, from: number, labels: Map<string, string>, lineNumber: number): void {
  let pos = skipBlanks(text, from);
  while (text.charCodeAt(pos) !== CLOSE) {
    LABEL_NAME.lastIndex = pos;
    const name = LABEL_NAME.exec(text)?.[0];
    if (name === undefined) throw badLine(lineNumber, 'no label name', 'letters, digits and _');
    pos = skipBlanks(text, pos + name.length);
    if (text.charCodeAt(pos) !== EQUALS) throw badLine(lineNumber, 'a label without =', 'label="value"');
    pos = skipBlanks(text, pos + 1);
    if (text.charCodeAt(pos) !== QUOTE) throw badLine(lineNumber, 'a label value without quotes', 'label="value"');
    let value = '';
    for (pos++; text.charCodeAt(pos) !== QUOTE; pos++) {
      if (pos >= text.length) throw badLine(lineNumber, 'a label value without an end', 'a closing quote');
      if (text.charCodeAt(pos) !== BACKSLASH) value += text[pos];
      else {
        const escaped = text[++pos];
        value += escaped === 'n' ? '\n' : escaped === '"' || escaped === '\\' ? escaped : `\\${escaped}`;
      }
    }
    if (labels.has(name)) throw badLine(lineNumber, 'a label that is there twice', 'each label once');
    if (labels.size >= MAX_LABELS) throw badLine(lineNumber, `more than ${MAX_LABELS} labels`, 'fewer');
    labels.set(name, value.length > MAX_LABEL_VALUE_CHARS ? value.slice(0, MAX_LABEL_VALUE_CHARS) : value);
    pos = skipBlanks(text, pos + 1);
    if (text.charCodeAt(pos) === COMMA) pos = skipBlanks(text, pos + 1);
    else if (text.charCodeAt(pos) !== CLOSE) throw badLine(lineNumber, 'labels without a comma', 'a="b",c="d"');
  }
}

/**
 * The upper bound of a histogram's bucket.
 * @throws ExporterError `bad_exposition` where it has none.
 */
export function boundOf({ labels }: SeriesName, lineNumber: number): number {
  const text = labels.get('le');
  if (text === '+Inf') return Number.POSITIVE_INFINITY;
  if (text === undefined || !/^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(text))
    throw badLine(lineNumber, 'a bucket without a bound', 'le="number" or le="+Inf"');
  return Number(text);
}

/** What a `# TYPE` line declares; `undefined` for any other comment. */
export function readTypeLine(
  bytes: Uint8Array,
  start: number,
  end: number,
): { name: string; type: string } | undefined {
  if (end - start > 512) return undefined;
  const match = /^#[ \t]+TYPE[ \t]+([a-zA-Z_:][a-zA-Z0-9_:]*)[ \t]+([a-z]+)\s*$/.exec(asciiOf(bytes, start, end));
  return match ? { name: match[1], type: match[2] } : undefined;
}

function skipBlanks(text: string, from: number): number {
  let pos = from;
  while (isBlank(text.charCodeAt(pos))) pos++;
  return pos;
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB || byte === CR;
}

function asciiOf(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/** An error at a line of a metrics answer; what stands in the line is never quoted. */
export function badLine(lineNumber: number, got: string, accepted: string): ExporterError {
  return new ExporterError({ code: 'bad_exposition', where: `metrics, line ${lineNumber}`, got, accepted });
}
