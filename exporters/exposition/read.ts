import { ExporterError } from '../error.ts';
import { HASH, LF, MAX_LINE_BYTES, readSeriesName, readValue, valueStart } from './line.ts';

/** A sample of a text, without its timestamp and exemplar. */
export interface TextSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** Whether the value is written as a whole number; dcgm-exporter writes `1` and `1.000000` by the field's type. */
  readonly isWhole: boolean;
}

/** What was read of a text. */
export interface TextSamples {
  readonly samples: readonly TextSample[];
  /** Lines that are neither a sample nor a comment. */
  readonly badLines: number;
  /** Whether there were more lines, or more bad ones, than are read. */
  readonly truncated: boolean;
}

const MOST_LINES = 200_000;
const MOST_BAD_LINES = 10_000;

/**
 * Reads samples of Prometheus's text format or of OpenMetrics once. A line that can't be read is counted and left out,
 * because one bad line of an exporter is no reason to lose sight of everything. Of a name that isn't wanted only the line's
 * beginning is looked at. What is read again and again goes through SeriesMemory instead.
 *
 * @param wants Whether samples of a name are wanted.
 */
export function readSamples(text: string, wants: (name: string) => boolean): TextSamples {
  const bytes = Buffer.from(text);
  const samples: TextSample[] = [];
  let [badLines, lineNumber] = [0, 0];
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(LF, start);
    const end = found < 0 ? bytes.length : found;
    if (++lineNumber > MOST_LINES || badLines > MOST_BAD_LINES) return { samples, badLines, truncated: true };
    const from = skipBlanks(bytes, start, end);
    start = end + 1;
    if (from === end || bytes[from] === HASH) continue;
    const nameEnd = endOfName(bytes, from, end);
    if (nameEnd === from) badLines++;
    else if (wants(bytes.toString('latin1', from, nameEnd))) {
      const sample = readSample(bytes, from, end, lineNumber);
      if (sample) samples.push(sample);
      else badLines++;
    }
  }
  return { samples, badLines, truncated: false };
}

function readSample(bytes: Buffer, start: number, end: number, lineNumber: number): TextSample | undefined {
  if (end - start > MAX_LINE_BYTES) return undefined;
  try {
    const valueAt = valueStart(bytes, start, end, lineNumber);
    const { name, labels } = readSeriesName(bytes, start, valueAt, lineNumber);
    const value = readValue(bytes, valueAt, end, lineNumber);
    return { name, labels: Object.fromEntries(labels), value, isWhole: isWholeNumber(bytes, valueAt, end) };
  } catch (error) {
    if (error instanceof ExporterError) return undefined;
    throw error;
  }
}

function isWholeNumber(bytes: Uint8Array, start: number, end: number): boolean {
  let at = bytes[start] === 0x2d || bytes[start] === 0x2b ? start + 1 : start;
  const digits = at;
  while (at < end && bytes[at] >= 0x30 && bytes[at] <= 0x39) at++;
  return at > digits && (at === end || isBlank(bytes[at]));
}

function endOfName(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && bytes[at] !== 0x7b && !isBlank(bytes[at])) at++;
  return at;
}

function skipBlanks(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && isBlank(bytes[at])) at++;
  return at;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0d;
}
