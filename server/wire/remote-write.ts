import type { Exemplar, MetricMetadata, MetricType } from '../model/index.ts';
import { labelsFromPairs } from '../model/index.ts';
import { BYTES, Cursor } from './cursor.ts';
import type { WriteRequestBatch } from './remote-write-batch.ts';
import { decodeHistogram } from './remote-write-histogram.ts';
import { SampleReader, tooMany } from './remote-write-samples.ts';

const TAG_LABELS = 0x0a;
const TAG_SAMPLES = 0x12;

/** Remote write's metric types by number. */
export const METADATA_TYPES: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
];

/**
 * Decodes a Prometheus remote write 1.0 request (decompressed) into `batch`, which is emptied first. Label bytes are
 * not looked at: their ranges are the keys of a series, and `parseSeriesLabels` reads those that are new.
 *
 * `bytes` must stay unchanged while the batch is used. After an error the batch is empty.
 * @throws BarographError `malformed` (400), or `too_large` (413) beyond the batch's limits.
 */
export function decodeWriteRequest(bytes: Uint8Array, batch: WriteRequestBatch): void {
  batch.clear();
  batch.bytes = bytes;
  const cursor = new Cursor(bytes, 'WriteRequest');
  const decoder = new SeriesDecoder(cursor, batch);
  try {
    // message WriteRequest {
    //   repeated TimeSeries timeseries = 1;
    //   reserved 2;
    //   repeated MetricMetadata metadata = 3;
    // }
    while (cursor.next()) {
      switch (cursor.field) {
        case 1: {
          const outer = cursor.enter('timeseries', batch.seriesCount);
          decoder.decode();
          cursor.leave(outer);
          break;
        }
        case 3: {
          const count = batch.metadata.length;
          if (count >= batch.limits.maxSeries) throw tooMany('metadata entries', batch.limits.maxSeries);
          const outer = cursor.enter('metadata', count);
          batch.metadata.push(decodeMetadata(cursor));
          cursor.leave(outer);
          break;
        }
        default:
          cursor.skip();
      }
    }
    decoder.finish();
  } catch (error) {
    batch.clear();
    throw error;
  }
}

/** Decodes `TimeSeries` messages into a batch; lives for one request. */
class SeriesDecoder {
  readonly #cursor: Cursor;
  readonly #batch: WriteRequestBatch;
  /** Label fields of series whose labels aren't one run; appended to `bytes` at the end. */
  readonly #scattered: Uint8Array[] = [];
  #scatteredBytes = 0;
  readonly #samples: SampleReader;

  constructor(cursor: Cursor, batch: WriteRequestBatch) {
    this.#cursor = cursor;
    this.#batch = batch;
    this.#samples = new SampleReader(cursor, batch, 1);
  }

  // message TimeSeries {
  //   repeated Label labels = 1;
  //   repeated Sample samples = 2;
  //   repeated Exemplar exemplars = 3;
  //   repeated Histogram histograms = 4;
  // }
  decode(): void {
    const cursor = this.#cursor;
    const batch = this.#batch;
    const reader = this.#samples;
    const bytes = cursor.bytes;
    const end = cursor.end;
    const series = batch.seriesCount;
    if (series >= batch.limits.maxSeries) throw tooMany('series', batch.limits.maxSeries);
    if (series >= batch.labelStart.length) batch.growSeries();

    // Every sender writes the labels first and in one run, which is jumped over here; a long or broken label is left
    // to the general loop below.
    const runStart = cursor.pos;
    let pos = runStart;
    while (pos + 1 < end && bytes[pos] === TAG_LABELS && bytes[pos + 1] < 0x80 && pos + 2 + bytes[pos + 1] <= end) {
      pos += 2 + bytes[pos + 1];
    }
    let runEnd = pos;
    let loose: Uint8Array[] | undefined;
    let exemplars = 0;
    let histograms = 0;
    let samples = 0;
    while (pos < end) {
      if (bytes[pos] === TAG_SAMPLES) {
        const next = reader.readFast(pos, end, series);
        if (next > 0) {
          pos = next;
          samples++;
          continue;
        }
      }
      cursor.pos = pos;
      cursor.next();
      switch (cursor.field) {
        case 1: {
          const outer = cursor.enter('labels');
          cursor.pos = cursor.end;
          cursor.leave(outer);
          // A long label that goes on with the run, or one that stands apart.
          if (pos === runEnd) runEnd = cursor.pos;
          else (loose ??= []).push(bytes.subarray(pos, cursor.pos));
          break;
        }
        case 2: {
          const outer = cursor.enter('samples', samples++);
          this.#samples.read(series);
          cursor.leave(outer);
          break;
        }
        case 3: {
          const outer = cursor.enter('exemplars', exemplars++);
          this.#samples.check();
          batch.exemplars.push({ series, exemplar: decodeExemplar(cursor) });
          cursor.leave(outer);
          break;
        }
        case 4: {
          const outer = cursor.enter('histograms', histograms++);
          this.#histogram(series);
          cursor.leave(outer);
          break;
        }
        default:
          cursor.skip();
      }
      pos = cursor.pos;
    }
    cursor.pos = end;
    this.#setLabels(series, runStart, runEnd, loose);
    batch.seriesCount = series + 1;
  }

  /** Puts the scattered labels behind the body, so that every range points into `batch.bytes`. */
  finish(): void {
    if (this.#scatteredBytes === 0) return;
    const batch = this.#batch;
    const body = batch.bytes;
    const joined = new Uint8Array(body.length + this.#scatteredBytes);
    joined.set(body);
    let at = body.length;
    for (const part of this.#scattered) {
      joined.set(part, at);
      at += part.length;
    }
    batch.bytes = joined;
  }

  #setLabels(series: number, start: number, end: number, loose: Uint8Array[] | undefined): void {
    const batch = this.#batch;
    if (loose === undefined) {
      batch.labelStart[series] = start;
      batch.labelEnd[series] = end;
      return;
    }
    const at = batch.bytes.length + this.#scatteredBytes;
    for (const part of [batch.bytes.subarray(start, end), ...loose]) {
      this.#scattered.push(part);
      this.#scatteredBytes += part.length;
    }
    batch.labelStart[series] = at;
    batch.labelEnd[series] = batch.bytes.length + this.#scatteredBytes;
  }

  #histogram(series: number): void {
    this.#samples.check();
    const decoded = decodeHistogram(this.#cursor);
    if (decoded.stale) this.#samples.push(series, decoded.timestampMs, 0x7ff00000, 2);
    else {
      const { timestampMs, histogram } = decoded;
      this.#batch.histograms.push({ series, timestampMs, startMs: 0, histogram });
    }
  }
}

// message Exemplar {
//   repeated Label labels = 1;
//   double value = 2;
//   int64 timestamp = 3;
// }
function decodeExemplar(cursor: Cursor): Exemplar {
  const pairs: [string, string][] = [];
  let value = 0;
  let timestampMs = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1: {
        const outer = cursor.enter('labels', pairs.length);
        pairs.push(decodeLabel(cursor));
        cursor.leave(outer);
        break;
      }
      case 2:
        value = cursor.double('value');
        break;
      case 3:
        timestampMs = cursor.int64Number('timestamp');
        break;
      default:
        cursor.skip();
    }
  }
  return { labels: labelsFromPairs(pairs), value, timestampMs };
}

// message Label {
//   string name = 1;
//   string value = 2;
// }
function decodeLabel(cursor: Cursor): [string, string] {
  let name = '';
  let value = '';
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        name = cursor.string('name');
        break;
      case 2:
        value = cursor.string('value');
        break;
      default:
        cursor.skip();
    }
  }
  return [name, value];
}

// message MetricMetadata {
//   MetricType type = 1;
//   string metric_family_name = 2;
//   string help = 4;
//   string unit = 5;
// }
function decodeMetadata(cursor: Cursor): MetricMetadata {
  let type: MetricType = 'unknown';
  let metric = '';
  let help = '';
  let unit = '';
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        // Types that later versions may add are unknown ones to us.
        type = METADATA_TYPES[cursor.uint32('type')] ?? 'unknown';
        break;
      case 2:
        metric = cursor.string('metric_family_name');
        break;
      case 4:
        help = cursor.string('help');
        break;
      case 5:
        unit = cursor.string('unit');
        break;
      default:
        cursor.skip();
    }
  }
  return { metric, type, help, unit };
}

/** Reads a run of label fields (see `WriteRequestBatch.labelBytes`) as pairs in the order that they were sent. */
export function decodeLabelRun(bytes: Uint8Array, root: string): { names: string[]; values: string[] } {
  const names: string[] = [];
  const values: string[] = [];
  const cursor = new Cursor(bytes, root);
  while (cursor.next()) {
    if (cursor.field !== 1 || cursor.wire !== BYTES) {
      cursor.skip();
      continue;
    }
    const outer = cursor.enter('labels', names.length);
    const [name, value] = decodeLabel(cursor);
    cursor.leave(outer);
    names.push(name);
    values.push(value);
  }
  return { names, values };
}
