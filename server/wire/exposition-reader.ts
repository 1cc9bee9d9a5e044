import { isUtf8 } from 'node:buffer';
import type { BarographError, MetricMetadata, MetricType } from '../model/index.ts';
import {
  BACKSLASH,
  BLANK,
  BYTE_CLASS,
  CLOSE,
  COMMA,
  describeByte,
  EQUALS,
  LABEL_PART,
  LABEL_START,
  NAME_PART,
  NAME_START,
  NEWLINE,
  QUOTE,
  SPACE,
  TAB,
} from './exposition-bytes.ts';
import { unescapeQuoted } from './exposition-labels.ts';
import { readNumber } from './exposition-number.ts';
import { malformed } from './malformed.ts';
import { METADATA_TYPES } from './remote-write.ts';
import { tooMany } from './remote-write-samples.ts';
import type { ScrapeBatch } from './scrape-batch.ts';

/** What the endings of a family's series are, by type; '' is the family's name itself. */
const SUFFIXES: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ['', '_total', '_created'],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count', '_created', ''],
  gaugehistogram: ['_bucket', '_gsum', '_gcount', '_sum', '_count', ''],
  summary: ['', '_sum', '_count', '_created'],
  info: ['', '_info'],
  stateset: [''],
  unknown: [''],
};

/** How scrapes are read. */
export interface ScrapeOptions {
  /** When the target was asked, milliseconds since the epoch: the time of samples that have none of their own. */
  readonly scrapeMs: number;
  /** Whether times in the exposition count; default true. Where false every sample gets `scrapeMs`. */
  readonly honorTimestamps?: boolean;
  /**
   * Whether OpenMetrics' `_created` lines become series of their own; default false: they become the start times of the
   * samples that stand before them in their group.
   */
  readonly keepCreatedSeries?: boolean;
  /** Whether a histogram that a protobuf scrape gives in both forms is kept in both; default false: the native one only. */
  readonly keepClassicHistograms?: boolean;
}

interface Family {
  metric: string;
  /** Name and length in the body, for a look at the names of series. */
  start: number;
  end: number;
  type: MetricType;
  help: string;
  unit: string;
}

/**
 * What the two text parsers share: the position in the body, the rules of names and labels, the families, and the way
 * into the batch. Lives for one scrape. Positions in errors are lines and columns from 1, columns in bytes.
 */
export class ExpositionReader {
  readonly bytes: Buffer;
  readonly end: number;
  pos = 0;
  /** The number that `number` read last. */
  value = 0;
  readonly batch: ScrapeBatch;
  readonly options: ScrapeOptions;
  readonly #honor: boolean;
  readonly #families = new Map<string, Family>();
  /** The family that was described last; its type is that of the series that follow, where their names fit. */
  #family: Family | undefined;
  #familyType = 0;
  #room = 0;

  constructor(bytes: Uint8Array, batch: ScrapeBatch, options: ScrapeOptions) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.byteLength;
    this.batch = batch;
    this.options = options;
    this.#honor = options.honorTimestamps ?? true;
  }

  /** Steps over a metric name without quotes. */
  name(after: string): void {
    const { bytes } = this;
    let p = this.pos;
    if ((BYTE_CLASS[bytes[p]] & NAME_START) === 0) throw this.fail(`a metric name ${after}`);
    do p++;
    while ((BYTE_CLASS[bytes[p]] & NAME_PART) !== 0 && p < this.end);
    this.pos = p;
  }

  /**
   * Steps over labels up to the closing brace; the opening one was stepped over. In the text format blanks may stand
   * between them and commas may be left out, as in Prometheus's parser; OpenMetrics (`strict`) has neither.
   * @param hasName whether the metric's name stood before the brace; else it must be among the labels, in quotes.
   */
  labels(strict: boolean, hasName: boolean): void {
    const { bytes } = this;
    let named = hasName;
    for (;;) {
      if (!strict) this.blanks();
      if (bytes[this.pos] === CLOSE) break;
      const isQuoted = bytes[this.pos] === QUOTE;
      if (isQuoted) this.quoted(strict, 'a name');
      else this.#labelName();
      if (!strict) this.blanks();
      const next = bytes[this.pos];
      if (isQuoted && (next === COMMA || next === CLOSE)) {
        if (named) throw this.fail('"=": the metric has its name already');
        named = true;
      } else {
        if (next !== EQUALS) throw this.fail('"="');
        this.pos++;
        if (!strict) this.blanks();
        this.quoted(strict, 'a value in quotes');
        if (!strict) this.blanks();
      }
      if (bytes[this.pos] === COMMA) this.pos++;
      else if (strict && bytes[this.pos] !== CLOSE) throw this.fail('"," or "}"');
    }
    this.pos++;
    if (!named) throw this.fail('a metric name in the braces');
  }

  #labelName(): void {
    const { bytes } = this;
    let p = this.pos;
    if ((BYTE_CLASS[bytes[p]] & LABEL_START) === 0) throw this.fail('a label name or "}"');
    do p++;
    while ((BYTE_CLASS[bytes[p]] & LABEL_PART) !== 0 && p < this.end);
    this.pos = p;
  }

  /** Steps over a text in quotes. */
  quoted(strict: boolean, what: string): void {
    const { bytes, end } = this;
    const start = this.pos;
    if (bytes[start] !== QUOTE) throw this.fail(what);
    let p = start + 1;
    let high = 0;
    for (; p < end; p++) {
      const byte = bytes[p];
      if (byte === QUOTE || (byte === NEWLINE && strict)) break;
      high |= byte;
      if (byte === BACKSLASH) {
        if (bytes[p + 1] === NEWLINE) break;
        high |= bytes[++p];
      }
    }
    if (p >= end || bytes[p] !== QUOTE) {
      this.pos = Math.min(p, end);
      throw this.fail('a closing quote');
    }
    if (high >= 0x80 && !isUtf8(bytes.subarray(start, p))) throw this.fail('UTF-8 text', 'bytes that are not UTF-8');
    this.pos = p + 1;
  }

  blanks(): void {
    while ((BYTE_CLASS[this.bytes[this.pos]] & BLANK) !== 0 && this.pos < this.end) this.pos++;
  }

  /** Reads the number that ends before a blank or the line's end into `value`. */
  number(what: string): void {
    const { bytes, end } = this;
    const start = this.pos;
    let p = start;
    while (p < end && bytes[p] !== SPACE && bytes[p] !== NEWLINE && bytes[p] !== TAB) p++;
    if (p === start) throw this.fail(what);
    if (!readNumber(bytes, start, p, this)) throw this.fail(what, 'no number');
    this.pos = p;
  }

  /** The start of a sample of the series whose key is `bytes[start, keyEnd)`, named by `bytes[nameStart, nameEnd)`. */
  addSample(start: number, keyEnd: number, nameStart: number, nameEnd: number, timestampMs: number): void {
    const { batch } = this;
    const i = batch.seriesCount;
    if (i >= this.#room) this.#makeRoom();
    batch.labelStart[i] = start;
    batch.labelEnd[i] = keyEnd;
    batch.seriesType[i] = this.#isOfFamily(nameStart, nameEnd) ? this.#familyType : 0;
    const hasTime = this.#honor && !Number.isNaN(timestampMs);
    batch.seriesHasTime[i] = hasTime ? 1 : 0;
    batch.sampleSeries[i] = i;
    batch.sampleTimestampMs[i] = hasTime ? timestampMs : this.options.scrapeMs;
    batch.sampleValue[i] = this.value;
    batch.seriesCount = i + 1;
    batch.sampleCount = i + 1;
  }

  #makeRoom(): void {
    const { batch } = this;
    const i = batch.seriesCount;
    if (i >= batch.limits.maxSeries) throw tooMany('series', batch.limits.maxSeries);
    if (i >= batch.limits.maxSamples) throw tooMany('samples', batch.limits.maxSamples);
    while (i >= batch.labelStart.length) batch.growSeries();
    while (i >= batch.sampleSeries.length) batch.growSamples();
    const { limits } = batch;
    const fits = Math.min(batch.labelStart.length, batch.sampleSeries.length);
    this.#room = Math.min(fits, limits.maxSeries, limits.maxSamples);
  }

  /** Begins or goes on with the family whose name is at the position, quoted or not; steps over the name. */
  familyName(keyword: string): Family {
    const { bytes } = this;
    let start = this.pos;
    let end: number;
    let metric: string;
    if (bytes[start] === QUOTE) {
      this.quoted(false, 'a name');
      end = this.pos - 1;
      start++;
      metric = unescapeQuoted(bytes, start, end);
    } else {
      this.name(`after # ${keyword}`);
      end = this.pos;
      metric = bytes.toString('latin1', start, end);
    }
    let family = this.#families.get(metric);
    if (family === undefined) {
      const { maxSeries } = this.batch.limits;
      if (this.#families.size >= maxSeries) throw tooMany('metric families', maxSeries);
      family = { metric, start, end, type: 'unknown', help: '', unit: '' };
      this.#families.set(metric, family);
    }
    this.#family = family;
    this.#familyType = METADATA_TYPES.indexOf(family.type);
    return family;
  }

  /** Says what the family that `familyName` returned is. */
  setType(family: Family, type: MetricType): void {
    family.type = type;
    this.#familyType = METADATA_TYPES.indexOf(type);
  }

  /** Hands the families to the batch, when everything was read. */
  finish(): void {
    const metadata: MetricMetadata[] = [];
    for (const { metric, type, help, unit } of this.#families.values()) metadata.push({ metric, type, help, unit });
    this.batch.metadata = metadata;
  }

  /** Whether a series' name is that of the family that was described last, with an ending of its type. */
  #isOfFamily(nameStart: number, nameEnd: number): boolean {
    const family = this.#family;
    if (family === undefined) return false;
    const { bytes } = this;
    const length = family.end - family.start;
    const rest = nameEnd - nameStart - length;
    if (rest < 0) return false;
    for (let i = length - 1; i >= 0; i--) if (bytes[nameStart + i] !== bytes[family.start + i]) return false;
    if (rest === 0) return true;
    for (const suffix of SUFFIXES[family.type]) {
      if (suffix.length !== rest) continue;
      let i = 0;
      while (i < rest && bytes[nameStart + length + i] === suffix.charCodeAt(i)) i++;
      if (i === rest) return true;
    }
    return false;
  }

  /** The end of the current line, exclusive of its newline. */
  lineEnd(): number {
    const at = this.bytes.indexOf(NEWLINE, this.pos);
    return at < 0 ? this.end : at;
  }

  /** Whether the bytes at the position are those of a keyword. */
  isAt(keyword: string): boolean {
    for (let i = 0; i < keyword.length; i++) if (this.bytes[this.pos + i] !== keyword.charCodeAt(i)) return false;
    return this.pos + keyword.length <= this.end;
  }

  /** The error at the position; what stands there is named where `got` doesn't say it. */
  fail(accepted: string, got = describeByte(this.pos < this.end ? this.bytes[this.pos] : undefined)): BarographError {
    let line = 1;
    let lineStart = 0;
    const stop = Math.min(this.pos, this.end);
    for (;;) {
      const at = this.bytes.indexOf(NEWLINE, lineStart);
      if (at < 0 || at >= stop) break;
      line++;
      lineStart = at + 1;
    }
    return malformed(`exposition, line ${line} column ${stop - lineStart + 1}`, got, accepted);
  }
}
