import { isUtf8 } from 'node:buffer';
import type { MetricType } from '../model/index.ts';
import { BLANK, BYTE_CLASS, HASH, NEWLINE, OPEN } from './exposition-bytes.ts';
import { ExpositionReader, type ScrapeOptions } from './exposition-reader.ts';
import type { ScrapeBatch } from './scrape-batch.ts';

const TYPES: Readonly<Record<string, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'unknown',
};

/**
 * Parses Prometheus's text format 0.0.4 and 1.0.0 into an empty batch, as strictly as Prometheus does. The two differ in
 * what a server may send (1.0.0 has names in quotes), not in what is read.
 * @throws BarographError `malformed` (400) with line and column.
 */
export function parseText(bytes: Uint8Array, batch: ScrapeBatch, options: ScrapeOptions): void {
  const reader = new ExpositionReader(bytes, batch, options);
  const body = reader.bytes;
  batch.keyKind = 'text';
  batch.bytes = body;
  while (reader.pos < reader.end) {
    const first = body[reader.pos];
    if ((BYTE_CLASS[first] & BLANK) !== 0) reader.blanks();
    else if (first === NEWLINE) reader.pos++;
    else if (first === HASH) parseComment(reader);
    else parseSample(reader);
  }
  reader.finish();
}

function parseSample(reader: ExpositionReader): void {
  const { bytes } = reader;
  const start = reader.pos;
  let nameEnd = start;
  const hasName = bytes[start] !== OPEN;
  if (hasName) {
    reader.name('or a comment');
    nameEnd = reader.pos;
    // Blanks between name and braces are allowed, and part of the key then.
    if ((BYTE_CLASS[bytes[nameEnd]] & BLANK) !== 0) reader.blanks();
  }
  let keyEnd = nameEnd;
  if (bytes[reader.pos] === OPEN) {
    reader.pos++;
    reader.labels(false, hasName);
    keyEnd = reader.pos;
  }
  reader.blanks();
  reader.number('a value');
  const { value } = reader;
  reader.blanks();
  let timestampMs = Number.NaN;
  if (reader.pos < reader.end && bytes[reader.pos] !== NEWLINE) timestampMs = parseTimestamp(reader);
  if (reader.pos < reader.end) reader.pos++;
  reader.value = value;
  const nameStart = hasName ? start : start + 2;
  reader.addSample(start, keyEnd, nameStart, hasName ? nameEnd : quotedNameEnd(reader, nameStart), timestampMs);
}

/** Milliseconds as an integer, and the end of the line behind them. */
function parseTimestamp(reader: ExpositionReader): number {
  const { bytes } = reader;
  const start = reader.pos;
  let p = bytes[start] === 0x2d ? start + 1 : start;
  while (bytes[p] >= 0x30 && bytes[p] <= 0x39 && p < reader.end) p++;
  const timestampMs = Number(bytes.toString('latin1', start, p));
  if (p === start || !Number.isSafeInteger(timestampMs)) throw reader.fail('a timestamp in whole milliseconds');
  reader.pos = p;
  reader.blanks();
  if (reader.pos < reader.end && bytes[reader.pos] !== NEWLINE) throw reader.fail('the end of the line');
  return timestampMs;
}

/** The end of the name `{"name"…}` where the name is what the brace opens with, else its start: then it has no family. */
export function quotedNameEnd(reader: ExpositionReader, nameStart: number): number {
  const { bytes } = reader;
  if (bytes[nameStart - 1] !== 0x22) return nameStart;
  const end = bytes.indexOf(0x22, nameStart);
  const next = bytes[end + 1];
  return next === 0x2c || next === 0x7d ? end : nameStart;
}

/** `# HELP`, `# TYPE`, or a comment that says nothing. */
function parseComment(reader: ExpositionReader): void {
  const { bytes } = reader;
  reader.pos++;
  const hasBlank = (BYTE_CLASS[bytes[reader.pos]] & BLANK) !== 0;
  reader.blanks();
  const keyword = hasBlank ? (reader.isAt('HELP') ? 'HELP' : reader.isAt('TYPE') ? 'TYPE' : '') : '';
  if (keyword === '' || (BYTE_CLASS[bytes[reader.pos + 4]] & BLANK) === 0) {
    reader.pos = Math.min(reader.lineEnd() + 1, reader.end);
    return;
  }
  reader.pos += 4;
  reader.blanks();
  const family = reader.familyName(keyword);
  const lineEnd = reader.lineEnd();
  if (reader.pos < lineEnd && (BYTE_CLASS[bytes[reader.pos]] & BLANK) === 0)
    throw reader.fail('a blank behind the name');
  const start = Math.min(reader.pos + 1, lineEnd);
  if (keyword === 'TYPE') {
    const type = bytes.toString('latin1', start, lineEnd);
    reader.pos = start;
    if (!Object.hasOwn(TYPES, type)) throw reader.fail(Object.keys(TYPES).join(', '), 'another type');
    reader.setType(family, TYPES[type]);
  } else {
    if (!isUtf8(bytes.subarray(start, lineEnd))) throw reader.fail('UTF-8 text', 'bytes that are not UTF-8');
    const help = bytes.toString('utf8', start, lineEnd);
    family.help = help.includes('\\') ? help.replace(/\\([\\n])/g, (_, c) => (c === 'n' ? '\n' : c)) : help;
  }
  reader.pos = Math.min(lineEnd + 1, reader.end);
}
