import { type Exemplar, labelsFromPairs, METRIC_NAME, type MetricType } from '../model/index.ts';
import {
  emptyMetric,
  type Metric,
  readHistogramField,
  readNumberField,
  readSummary,
  type TimedExemplar,
} from './client-metric.ts';
import { Cursor } from './cursor.ts';
import { openMetricsNumber } from './exposition-number.ts';
import type { ScrapeOptions } from './exposition-reader.ts';
import { tooLarge } from './malformed.ts';
import { METADATA_TYPES } from './remote-write.ts';
import { checkStrictly, emptyRawHistogram } from './remote-write-histogram.ts';
import { tooMany } from './remote-write-samples.ts';
import type { ScrapeBatch } from './scrape-batch.ts';
import { Writer } from './writer.ts';

/** The client model's metric types by number. */
export const CLIENT_TYPES: readonly MetricType[] = [
  'counter',
  'gauge',
  'summary',
  'unknown',
  'histogram',
  'gaugehistogram',
];

/** The most bytes that the labels of one scrape may have: a bucket is a few bytes on the wire and a whole label set here. */
const MAX_LABEL_BYTES = 256 * 1024 * 1024;
const MAX_REMEMBERED_BOUNDS = 10_000;

/**
 * Parses length-delimited `io.prometheus.client.MetricFamily` messages into an empty batch. Classic histograms and
 * summaries become their series, native histograms are kept as they are; what is both becomes native unless
 * `keepClassicHistograms`. Keys are label fields as remote write sends them, the name first.
 * @throws BarographError `malformed` (400) with field and byte.
 */
export function parseMetricFamilies(bytes: Uint8Array, batch: ScrapeBatch, options: ScrapeOptions): void {
  const cursor = new Cursor(bytes, 'MetricFamily');
  const decoder = new FamilyDecoder(cursor, batch, options);
  batch.keyKind = 'fields';
  while (cursor.pos < bytes.length) {
    cursor.end = bytes.length;
    cursor.varint64();
    const left = bytes.length - cursor.pos;
    if (cursor.hi !== 0 || cursor.lo > left) {
      throw cursor.fail('the length of a message that goes on', `at most the ${left} bytes that are left`);
    }
    cursor.end = cursor.pos + cursor.lo;
    decoder.decode();
  }
  decoder.finish();
}

/** Which field holds the value of a family's type. */
const FIELD_OF_TYPE: Readonly<Record<string, number>> = {
  counter: 3,
  gauge: 2,
  summary: 4,
  unknown: 5,
  histogram: 7,
  gaugehistogram: 7,
};

/** Decodes families into a batch; lives for one scrape. */
class FamilyDecoder {
  readonly #cursor: Cursor;
  readonly #batch: ScrapeBatch;
  readonly #options: ScrapeOptions;
  readonly #keys: Writer;
  /** Label fields of bounds that were met, by bound. */
  readonly #boundFields = { le: new Map<number, Uint8Array>(), quantile: new Map<number, Uint8Array>() };
  #type: MetricType = 'unknown';
  #name = '';
  /** Label fields of the family's names, by ending. */
  #nameFields = new Map<string, Uint8Array>();

  constructor(cursor: Cursor, batch: ScrapeBatch, options: ScrapeOptions) {
    this.#cursor = cursor;
    this.#batch = batch;
    this.#options = options;
    this.#keys = new Writer(cursor.bytes.length * 2);
  }

  // message MetricFamily {
  //   string name = 1;
  //   string help = 2;
  //   MetricType type = 3;
  //   repeated Metric metric = 4;
  //   string unit = 5;
  // }
  decode(): void {
    const cursor = this.#cursor;
    const start = cursor.pos;
    let [help, unit, type] = ['', '', 0];
    this.#name = '';
    while (cursor.next()) {
      switch (cursor.field) {
        case 1:
          this.#name = cursor.string('name');
          break;
        case 2:
          help = cursor.string('help');
          break;
        case 3:
          type = cursor.uint32('type');
          break;
        case 5:
          unit = cursor.string('unit');
          break;
        default:
          cursor.skip();
      }
    }
    if (this.#name === '') throw cursor.failIn('name', 'no name', 'a metric name', start);
    if (CLIENT_TYPES[type] === undefined) throw cursor.failIn('type', `type ${type}`, '0 to 5', start);
    this.#checkUnit(unit, type, start);
    this.#type = CLIENT_TYPES[type];
    this.#nameFields = new Map();
    const { metadata, limits } = this.#batch;
    if (metadata.length >= limits.maxSeries) throw tooMany('metric families', limits.maxSeries);
    metadata.push({ metric: this.#name, type: this.#type, help, unit });
    // The metrics are read when everything about their family is known, which may stand behind them.
    cursor.pos = start;
    let index = 0;
    while (cursor.next()) {
      if (cursor.field !== 4) {
        cursor.skip();
        continue;
      }
      const outer = cursor.enter('metric', index++);
      this.#metric();
      cursor.leave(outer);
    }
  }

  finish(): void {
    this.#batch.bytes = this.#keys.finish();
  }

  #checkUnit(unit: string, type: number, at: number): void {
    const name = CLIENT_TYPES[type] === 'counter' ? this.#name.replace(/_total$/, '') : this.#name;
    if (unit !== '' && !name.endsWith(`_${unit}`)) {
      throw this.#cursor.failIn('unit', 'another unit', 'one that the name of the metric ends with', at);
    }
  }

  // message Metric {
  //   repeated LabelPair label = 1;
  //   Gauge gauge = 2;  Counter counter = 3;  Summary summary = 4;  Untyped untyped = 5;
  //   int64 timestamp_ms = 6;
  //   Histogram histogram = 7;
  // }
  #metric(): void {
    const cursor = this.#cursor;
    const labels: Uint8Array[] = [];
    const metric = emptyMetric();
    while (cursor.pos < cursor.end) {
      const at = cursor.pos;
      cursor.next();
      switch (cursor.field) {
        case 1: {
          const outer = cursor.enter('label', labels.length);
          cursor.pos = cursor.end;
          cursor.leave(outer);
          labels.push(cursor.bytes.subarray(at, cursor.pos));
          break;
        }
        case 2:
        case 3:
        case 5:
          readNumberField(cursor, metric);
          break;
        case 4:
          readSummary(cursor, metric);
          break;
        case 6:
          metric.timestampMs = cursor.int64Number('timestamp_ms');
          break;
        case 7:
          readHistogramField(cursor, metric);
          break;
        default:
          cursor.skip();
      }
    }
    // A message of default values may be left out whole, so only a value of another type is an error.
    const wanted = FIELD_OF_TYPE[this.#type];
    if (metric.kind !== 'none' && metric.field !== wanted) {
      throw cursor.fail(`a value in field ${metric.field}`, `field ${wanted} of type ${this.#type}`);
    }
    switch (wanted) {
      case 4:
        this.#addSummary(labels, metric);
        return;
      case 7:
        this.#addHistogram(labels, metric);
        return;
      default: {
        const series = this.#addSample('', labels, undefined, metric.value, metric);
        if (metric.exemplar !== undefined) this.#addExemplar(series, metric.exemplar);
      }
    }
  }

  #addSummary(labels: Uint8Array[], metric: Metric): void {
    this.#addSample('_count', labels, undefined, metric.count, metric);
    this.#addSample('_sum', labels, undefined, metric.sum, metric);
    for (let i = 0; i < metric.bounds.length; i++) {
      this.#addSample('', labels, this.#bound('quantile', metric.bounds[i]), metric.values[i], metric);
    }
  }

  #addHistogram(labels: Uint8Array[], metric: Metric): void {
    if (metric.native) {
      const series = this.#addSeries('', labels, undefined, metric);
      this.#addNative(series, metric);
      const timed = metric.exemplars.length > 0 ? metric.exemplars : metric.bucketExemplars;
      for (const exemplar of timed) {
        // Those of native histograms must have a time, as Prometheus demands.
        if (exemplar !== undefined && !Number.isNaN(exemplar.timestampMs)) this.#addExemplar(series, exemplar);
      }
      if (this.#options.keepClassicHistograms !== true || metric.bounds.length === 0) return;
    }
    this.#addSample('_count', labels, undefined, metric.count, metric);
    this.#addSample('_sum', labels, undefined, metric.sum, metric);
    for (let i = 0; i < metric.bounds.length; i++) {
      const series = this.#addSample('_bucket', labels, this.#bound('le', metric.bounds[i]), metric.values[i], metric);
      const exemplar = metric.bucketExemplars[i];
      if (exemplar !== undefined) this.#addExemplar(series, exemplar);
    }
    if (metric.bounds.at(-1) !== Infinity) {
      this.#addSample('_bucket', labels, this.#bound('le', Infinity), metric.count, metric);
    }
  }

  #addNative(series: number, metric: Metric): void {
    const raw = metric.histogram ?? emptyRawHistogram();
    raw.count = metric.count;
    raw.sum = metric.sum;
    if (this.#type === 'gaugehistogram') raw.hint = 3;
    const decoded = checkStrictly(this.#cursor, raw);
    const timestampMs = this.#timeOf(metric);
    if (decoded.stale) this.#pushValue(series, timestampMs, 0, 0x7ff00000, 2);
    else this.#batch.histograms.push({ series, timestampMs, startMs: metric.startMs, histogram: decoded.histogram });
  }

  #addSample(
    ending: string,
    labels: Uint8Array[],
    bound: Uint8Array | undefined,
    value: number,
    metric: Metric,
  ): number {
    const series = this.#addSeries(ending, labels, bound, metric);
    const batch = this.#batch;
    const i = batch.sampleCount;
    this.#pushValue(series, this.#timeOf(metric), metric.startMs, 0, 0);
    batch.sampleValue[i] = value;
    return series;
  }

  #pushValue(series: number, timestampMs: number, startMs: number, hi: number, lo: number): void {
    const batch = this.#batch;
    const i = batch.sampleCount;
    if (i >= batch.limits.maxSamples) throw tooMany('samples', batch.limits.maxSamples);
    if (i >= batch.sampleSeries.length) batch.growSamples();
    batch.sampleSeries[i] = series;
    batch.sampleTimestampMs[i] = timestampMs;
    batch.sampleBits[2 * i] = lo;
    batch.sampleBits[2 * i + 1] = hi;
    batch.sampleCount = i + 1;
    if (startMs !== 0) {
      batch.sampleStartMs[i] = startMs;
      batch.hasStarts = true;
    }
  }

  #addSeries(ending: string, labels: Uint8Array[], bound: Uint8Array | undefined, metric: Metric): number {
    const batch = this.#batch;
    const keys = this.#keys;
    const series = batch.seriesCount;
    if (series >= batch.limits.maxSeries) throw tooMany('series', batch.limits.maxSeries);
    if (series >= batch.labelStart.length) batch.growSeries();
    batch.labelStart[series] = keys.size;
    keys.raw(this.#nameField(ending));
    for (const label of labels) keys.raw(label);
    if (bound !== undefined) keys.raw(bound);
    batch.labelEnd[series] = keys.size;
    if (keys.size > MAX_LABEL_BYTES) {
      throw tooLarge(
        'MetricFamily',
        'labels that are longer together',
        `${MAX_LABEL_BYTES} bytes`,
        'scrape less at once',
      );
    }
    batch.seriesType[series] = METADATA_TYPES.indexOf(this.#type);
    batch.seriesHasTime[series] = this.#hasTime(metric) ? 1 : 0;
    batch.seriesCount = series + 1;
    return series;
  }

  #addExemplar(series: number, { pairs, value, timestampMs }: TimedExemplar): void {
    const { exemplars, limits } = this.#batch;
    if (exemplars.length >= limits.maxSamples) throw tooMany('exemplars', limits.maxSamples);
    const time = Number.isNaN(timestampMs) ? this.#options.scrapeMs : timestampMs;
    const exemplar: Exemplar = { labels: labelsFromPairs(pairs), value, timestampMs: time };
    exemplars.push({ series, exemplar });
  }

  /** 0 stands for "no time", as in Prometheus. */
  #hasTime(metric: Metric): boolean {
    return metric.timestampMs !== 0 && (this.#options.honorTimestamps ?? true);
  }

  #timeOf(metric: Metric): number {
    return this.#hasTime(metric) ? metric.timestampMs : this.#options.scrapeMs;
  }

  #nameField(ending: string): Uint8Array {
    let field = this.#nameFields.get(ending);
    if (field === undefined) {
      field = labelField(METRIC_NAME, this.#name + ending);
      this.#nameFields.set(ending, field);
    }
    return field;
  }

  #bound(name: 'le' | 'quantile', value: number): Uint8Array {
    const fields = this.#boundFields[name];
    const known = fields.get(value);
    if (known !== undefined) return known;
    const field = labelField(name, openMetricsNumber(value));
    // Bounds repeat from series to series; what doesn't isn't remembered for ever.
    if (fields.size < MAX_REMEMBERED_BOUNDS) fields.set(value, field);
    return field;
  }
}

function labelField(name: string, value: string): Uint8Array {
  const writer = new Writer(64);
  const start = writer.begin(1);
  writer.string(1, name);
  writer.string(2, value);
  writer.end(start);
  return writer.finish();
}
