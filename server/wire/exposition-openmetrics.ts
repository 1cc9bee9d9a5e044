import { isUtf8 } from 'node:buffer';
import { labelsFromPairs, type MetricType } from '../model/index.ts';
import { HASH, NEWLINE, OPEN, SPACE } from './exposition-bytes.ts';
import { readPairs, unescapeQuoted } from './exposition-labels.ts';
import { ExpositionReader, type ScrapeOptions } from './exposition-reader.ts';
import { quotedNameEnd } from './exposition-text.ts';
import { METADATA_TYPES } from './remote-write.ts';
import { tooMany } from './remote-write-samples.ts';
import type { ScrapeBatch } from './scrape-batch.ts';

const CREATED = Buffer.from('_created');

/**
 * Parses OpenMetrics text 0.0.1 and 1.0.0 into an empty batch, as strictly as Prometheus does: single spaces, no blank
 * lines, no comments, units that end the name, `# EOF` at the end and nothing behind it.
 * @throws BarographError `malformed` (400) with line and column.
 */
export function parseOpenMetrics(bytes: Uint8Array, batch: ScrapeBatch, options: ScrapeOptions): void {
  const reader = new ExpositionReader(bytes, batch, options);
  const body = reader.bytes;
  batch.keyKind = 'text';
  batch.bytes = body;
  const created = options.keepCreatedSeries === true ? undefined : new CreatedTimes(reader);
  for (;;) {
    if (reader.pos >= reader.end) throw reader.fail('# EOF at the end');
    if (body[reader.pos] !== HASH) parseSample(reader, created);
    else if (parseDescription(reader)) break;
  }
  if (reader.pos < reader.end) throw reader.fail('nothing behind # EOF');
  reader.finish();
}

/** `# HELP`, `# TYPE`, `# UNIT` or `# EOF`, of which the last is true. */
function parseDescription(reader: ExpositionReader): boolean {
  const { bytes } = reader;
  if (reader.isAt('# EOF')) {
    reader.pos += 5;
    if (bytes[reader.pos] === NEWLINE) reader.pos++;
    return true;
  }
  const keyword = reader.isAt('# HELP ') ? 'HELP' : reader.isAt('# TYPE ') ? 'TYPE' : 'UNIT';
  if (keyword === 'UNIT' && !reader.isAt('# UNIT ')) throw reader.fail('# HELP, # TYPE, # UNIT or # EOF', 'a comment');
  reader.pos += 7;
  const family = reader.familyName(keyword);
  if (bytes[reader.pos] !== SPACE) throw reader.fail('a space and a text behind the name');
  const start = ++reader.pos;
  const end = reader.lineEnd();
  if (end === reader.end) {
    reader.pos = end;
    throw reader.fail('the end of the line');
  }
  switch (keyword) {
    case 'TYPE': {
      const type = bytes.toString('latin1', start, end) as MetricType;
      if (!METADATA_TYPES.includes(type)) throw reader.fail(METADATA_TYPES.join(', '), 'another type');
      reader.setType(family, type);
      break;
    }
    case 'HELP':
      if (!isUtf8(bytes.subarray(start, end))) throw reader.fail('UTF-8 text', 'bytes that are not UTF-8');
      family.help = unescapeQuoted(bytes, start, end);
      break;
    case 'UNIT': {
      const unit = bytes.toString('utf8', start, end);
      if (unit !== '' && !family.metric.endsWith(`_${unit}`)) {
        throw reader.fail('a unit that the name of the metric ends with', 'another unit');
      }
      family.unit = unit;
      break;
    }
  }
  reader.pos = end + 1;
  return false;
}

function parseSample(reader: ExpositionReader, created: CreatedTimes | undefined): void {
  const { bytes } = reader;
  const start = reader.pos;
  const hasName = bytes[start] !== OPEN;
  let nameEnd = start;
  if (hasName) {
    reader.name('or # EOF');
    nameEnd = reader.pos;
  }
  if (bytes[reader.pos] === OPEN) {
    reader.pos++;
    reader.labels(true, hasName);
  }
  const keyEnd = reader.pos;
  const nameStart = hasName ? start : start + 2;
  if (!hasName) nameEnd = quotedNameEnd(reader, nameStart);
  space(reader, 'a space and a value');
  reader.number('a value');
  const { value } = reader;
  let timestampMs = Number.NaN;
  if (bytes[reader.pos] === SPACE && bytes[reader.pos + 1] !== HASH) timestampMs = parseSeconds(reader);
  const series = reader.batch.seriesCount;
  if (created?.take(start, keyEnd, nameEnd, value) !== true) {
    reader.value = value;
    reader.addSample(start, keyEnd, nameStart, nameEnd, timestampMs);
    if (bytes[reader.pos] === SPACE) parseExemplar(reader, series);
  }
  if (reader.pos >= reader.end || bytes[reader.pos] !== NEWLINE) throw reader.fail('the end of the line');
  reader.pos++;
}

/** A space and seconds since the epoch, as whole milliseconds. */
function parseSeconds(reader: ExpositionReader): number {
  space(reader, 'a timestamp in seconds');
  const { pos } = reader;
  reader.number('a timestamp in seconds');
  if (!Number.isFinite(reader.value)) {
    reader.pos = pos;
    throw reader.fail('a finite timestamp in seconds', 'none');
  }
  return toMs(reader.value);
}

/**
 * Seconds as whole milliseconds; what is finer is cut off. Prometheus multiplies and cuts, which makes 541299549.67 s the
 * millisecond before; here the error of the multiplication is made good first.
 */
function toMs(seconds: number): number {
  const ms = seconds * 1000;
  const nearest = Math.round(ms);
  return Math.abs(ms - nearest) <= Math.abs(ms) * 2 * Number.EPSILON ? nearest : Math.trunc(ms);
}

/** ` # {labels} value [timestamp]` */
function parseExemplar(reader: ExpositionReader, series: number): void {
  const { bytes, batch } = reader;
  if (!reader.isAt(' # {')) throw reader.fail('an exemplar or the end of the line');
  reader.pos += 4;
  const start = reader.pos;
  reader.labels(true, true);
  const pairs: [string, string][] = [];
  readPairs(bytes.subarray(0, reader.pos), start, pairs);
  space(reader, 'a space and a value');
  reader.number('a value');
  const { value } = reader;
  let timestampMs = batch.sampleTimestampMs[series];
  if (bytes[reader.pos] === SPACE) timestampMs = parseSeconds(reader);
  if (batch.exemplars.length >= batch.limits.maxSamples) throw tooMany('exemplars', batch.limits.maxSamples);
  batch.exemplars.push({ series, exemplar: { labels: labelsFromPairs(pairs), value, timestampMs } });
}

function space(reader: ExpositionReader, accepted: string): void {
  if (reader.bytes[reader.pos] !== SPACE) throw reader.fail(accepted);
  reader.pos++;
}

/**
 * Makes start times of `_created` lines. Such a line belongs to the samples directly before it that have the same labels,
 * `le` and `quantile` aside: a family's samples of one label set stand together.
 */
class CreatedTimes {
  readonly #reader: ExpositionReader;

  constructor(reader: ExpositionReader) {
    this.#reader = reader;
  }

  /** Takes the line if it says a start time; false where it is a sample of its own. */
  take(start: number, keyEnd: number, nameEnd: number, seconds: number): boolean {
    const { bytes, batch } = this.#reader;
    const baseEnd = nameEnd - CREATED.length;
    if (bytes[start] === OPEN || baseEnd <= start) return false;
    if (bytes.compare(CREATED, 0, CREATED.length, baseEnd, nameEnd) !== 0) return false;
    let found = false;
    for (let i = batch.seriesCount - 1; i >= 0; i--) {
      const type = batch.typeOf(i);
      if (type !== 'counter' && type !== 'histogram' && type !== 'summary') break;
      if (!this.#isPart(i, start, baseEnd) || !this.#hasLabels(i, nameEnd, keyEnd)) break;
      found = true;
      // A sample that has its start time ends the walk, so that no input makes it walk far twice. A time that can't be
      // one is left out; the line is no series either way.
      if (batch.sampleStartMs[i] !== 0 || !(seconds > 0 && seconds < Infinity)) break;
      batch.sampleStartMs[i] = toMs(seconds);
      batch.hasStarts = true;
    }
    return found;
  }

  /** Whether series `i` is named as the family, or that and an ending. */
  #isPart(i: number, base: number, baseEnd: number): boolean {
    const { bytes, batch } = this.#reader;
    const from = batch.labelStart[i];
    const length = baseEnd - base;
    if (batch.labelEnd[i] - from < length) return false;
    if (bytes.compare(bytes, base, baseEnd, from, from + length) !== 0) return false;
    const rest = bytes.toString('latin1', from + length, Math.min(from + length + 8, batch.labelEnd[i]));
    return rest === '' || /^(?:\{|_total(?:\{|$)|_bucket|_sum(?:\{|$)|_count(?:\{|$))/.test(rest);
  }

  /** Whether series `i` has the labels between the two positions, `le` or `quantile` aside. */
  #hasLabels(i: number, from: number, to: number): boolean {
    const { bytes, batch } = this.#reader;
    const end = batch.labelEnd[i];
    let p = batch.labelStart[i];
    while (p < end && bytes[p] !== OPEN) p++;
    const own = labelText(bytes.toString('latin1', p, end));
    return (
      own === labelText(bytes.toString('latin1', from, to)) ||
      withoutBound(own) === labelText(bytes.toString('latin1', from, to))
    );
  }
}

/** What stands between the braces, without a trailing comma. */
function labelText(text: string): string {
  return text.replace(/^\{/, '').replace(/,?\}$/, '');
}

/** The label text without its `le` or `quantile`, which is first or behind a comma outside of quotes. */
function withoutBound(text: string): string {
  let quoted = false;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === '"') quoted = !quoted;
    else if (!quoted && (i === 0 || text[i - 1] === ',')) {
      const match = /^(?:le|quantile)="[^"\\]*",?/.exec(text.slice(i, i + 80));
      if (match !== null) return (text.slice(0, i) + text.slice(i + match[0].length)).replace(/,$/, '');
    }
  }
  return text;
}
