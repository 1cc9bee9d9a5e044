import { BarographError, type Labels, METRIC_NAME, type MetricType } from '../model/index.ts';
import { BACKSLASH, CLOSE, COMMA, EQUALS, OPEN, QUOTE, SPACE } from './exposition-bytes.ts';
import { type NumberResult, openMetricsNumber, readNumber } from './exposition-number.ts';
import { sortFlatLabels } from './sorted-labels.ts';

/**
 * Reads the bytes of an exposition's line up to the value (`name{label="value",…}` or `{"name",…}`), which a parser has
 * accepted, as sorted labels. Empty values are absent labels. `le` of histograms and `quantile` of summaries are written
 * as OpenMetrics writes numbers, so that they are equal in every format.
 * @throws BarographError `bad_labels` (400): an empty name or one that is there twice.
 */
export function parseTextLabels(bytes: Uint8Array, type: MetricType): Labels {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const labels = readPlain(buffer) ?? readGeneral(buffer);
  const special = type === 'histogram' || type === 'gaugehistogram' ? 'le' : type === 'summary' ? 'quantile' : '';
  let named = false;
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === '') throw badLabels('an empty name', 'a name');
    if (labels[i] === METRIC_NAME) named = labels[i + 1] !== '';
    else if (labels[i] === special) labels[i + 1] = normalNumber(labels[i + 1]);
  }
  if (!named) throw badLabels('no metric name', 'a metric name');
  const count = labels.length;
  const sorted = sortFlatLabels(labels);
  // Empty values and names that are there twice both make it shorter; only the former may.
  if (sorted.length < count) checkDistinct(readPlain(buffer) ?? readGeneral(buffer));
  return sorted;
}

/**
 * Reads what nearly all lines are, names without quotes and ASCII values without escapes, by one call into the runtime
 * and slices of its result; `undefined` for anything else. Measured in `bench/wire.ts`.
 */
function readPlain(buffer: Buffer): string[] | undefined {
  for (let i = 0; i < buffer.length; i++) if (buffer[i] >= 0x80 || buffer[i] === BACKSLASH) return undefined;
  const text = buffer.toString('latin1');
  const open = text.indexOf('{');
  if (open <= 0) return open < 0 ? [METRIC_NAME, text] : undefined;
  if (buffer[open - 1] <= SPACE) return undefined;
  const labels = [METRIC_NAME, text.slice(0, open)];
  let pos = open + 1;
  while (buffer[pos] !== CLOSE) {
    const equals = text.indexOf('=', pos);
    if (buffer[pos] === QUOTE || buffer[pos] <= SPACE || buffer[equals + 1] !== QUOTE) return undefined;
    const end = text.indexOf('"', equals + 2);
    if (buffer[equals - 1] <= SPACE) return undefined;
    labels.push(text.slice(pos, equals), text.slice(equals + 2, end));
    pos = end + 1;
    if (buffer[pos] === COMMA) pos++;
    else if (buffer[pos] !== CLOSE) return undefined;
  }
  return labels;
}

function readGeneral(buffer: Buffer): string[] {
  const open = buffer.indexOf(OPEN);
  const pairs: [string, string][] = [];
  if (open !== 0) pairs.push([METRIC_NAME, buffer.toString('latin1', 0, open < 0 ? buffer.length : open).trimEnd()]);
  if (open >= 0) readPairs(buffer, open + 1, pairs);
  return pairs.flat();
}

function checkDistinct(labels: readonly string[]): void {
  const names = new Set<string>();
  for (let i = 0; i < labels.length; i += 2) {
    if (names.has(labels[i])) throw badLabels('a name that is there twice', 'each name once');
    names.add(labels[i]);
  }
}

/** Reads the pairs behind an opening brace; a quoted text without a value is the metric's name. */
export function readPairs(bytes: Buffer, from: number, pairs: [string, string][]): void {
  let pos = from;
  for (;;) {
    while (bytes[pos] === COMMA || bytes[pos] === 0x20 || bytes[pos] === 0x09) pos++;
    if (pos >= bytes.length || bytes[pos] === 0x7d) return;
    let name: string;
    if (bytes[pos] === QUOTE) {
      const end = quotedEnd(bytes, pos);
      name = unescapeQuoted(bytes, pos + 1, end - 1);
      pos = end;
    } else {
      const start = pos;
      while (bytes[pos] !== EQUALS && bytes[pos] !== 0x20 && bytes[pos] !== 0x09) pos++;
      name = bytes.toString('latin1', start, pos);
    }
    while (bytes[pos] === 0x20 || bytes[pos] === 0x09) pos++;
    if (bytes[pos] !== EQUALS) {
      pairs.push([METRIC_NAME, name]);
      continue;
    }
    pos++;
    while (bytes[pos] === 0x20 || bytes[pos] === 0x09) pos++;
    const end = quotedEnd(bytes, pos);
    pairs.push([name, unescapeQuoted(bytes, pos + 1, end - 1)]);
    pos = end;
  }
}

/** The position behind the closing quote of the text that opens at `pos`. */
function quotedEnd(bytes: Buffer, pos: number): number {
  let p = pos + 1;
  while (bytes[p] !== QUOTE) {
    if (p >= bytes.length) throw new Error('BUG: an exposition line without a closing quote was accepted');
    p += bytes[p] === 0x5c ? 2 : 1;
  }
  return p + 1;
}

/** The text between quotes; `\\`, `\"` and `\n` are escapes, any other backslash stands for itself. */
export function unescapeQuoted(bytes: Buffer, start: number, end: number): string {
  const text = bytes.toString('utf8', start, end);
  if (!text.includes('\\')) return text;
  return text.replace(/\\(["\\n])/g, (_, char) => (char === 'n' ? '\n' : char));
}

function normalNumber(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  const result: NumberResult = { value: 0 };
  return readNumber(bytes, 0, bytes.length, result) ? openMetricsNumber(result.value) : text;
}

function badLabels(got: string, accepted: string): BarographError {
  return new BarographError({ code: 'bad_labels', status: 400, where: 'labels of a scraped series', got, accepted });
}
