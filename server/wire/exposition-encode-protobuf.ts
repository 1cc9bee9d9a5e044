import {
  type Exemplar,
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  type MetricType,
  type NativeHistogram,
  withoutLabels,
} from '../model/index.ts';
import type { ExposedFamily, ExposedSeries } from './exposition-encode.ts';
import { CLIENT_TYPES } from './exposition-protobuf.ts';
import { type EscapingScheme, escapeName } from './name-escaping.ts';
import { isIntegerHistogram, writeBuckets } from './remote-write-encode.ts';
import { Writer } from './writer.ts';

const TYPE_NUMBERS: Readonly<Record<MetricType, number>> = {
  counter: CLIENT_TYPES.indexOf('counter'),
  gauge: CLIENT_TYPES.indexOf('gauge'),
  summary: CLIENT_TYPES.indexOf('summary'),
  histogram: CLIENT_TYPES.indexOf('histogram'),
  gaugehistogram: CLIENT_TYPES.indexOf('gaugehistogram'),
  info: CLIENT_TYPES.indexOf('gauge'),
  stateset: CLIENT_TYPES.indexOf('gauge'),
  unknown: CLIENT_TYPES.indexOf('unknown'),
};

/** One `Metric` message: a single value, or the parts of a histogram or summary that have the same labels. */
interface ExposedMetric {
  readonly labels: Labels;
  readonly first: ExposedSeries;
  histogram: NativeHistogram | undefined;
  value: number;
  count: number;
  sum: number;
  readonly bounds: { readonly bound: number; readonly value: number; readonly exemplar: Exemplar | undefined }[];
  exemplar: Exemplar | undefined;
}

/** Encodes families as length-delimited `io.prometheus.client.MetricFamily` messages. */
export function encodeMetricFamilies(families: Iterable<ExposedFamily>, escaping: EscapingScheme): Uint8Array {
  const out = new Writer(65_536);
  const message = new Writer(65_536);
  for (const family of families) {
    for (const [type, series] of splitByForm(family)) {
      message.clear();
      writeFamily(message, { ...family, type, series }, escaping);
      out.varint(message.size);
      out.raw(message.finish());
    }
  }
  return out.finish();
}

/**
 * Native histograms among the series of a family that isn't of that type (an untyped one of a federation) need a family
 * of their own.
 */
function splitByForm(family: ExposedFamily): [MetricType, readonly ExposedSeries[]][] {
  const { type, series } = family;
  const isHistogram = type === 'histogram' || type === 'gaugehistogram';
  if (isHistogram || !series.some((s) => s.histogram !== undefined)) return [[type, series]];
  const plain = series.filter((s) => s.histogram === undefined);
  const native = series.filter((s) => s.histogram !== undefined);
  const isGauge = native.every((s) => s.histogram?.counterResetHint === 'gauge');
  const split: [MetricType, readonly ExposedSeries[]] = [isGauge ? 'gaugehistogram' : 'histogram', native];
  return plain.length === 0 ? [split] : [[type, plain], split];
}

function writeFamily(writer: Writer, family: ExposedFamily, escaping: EscapingScheme): void {
  const name = escapeName(family.name, escaping);
  writer.string(1, name);
  if (family.help !== undefined && family.help !== '') writer.string(2, family.help);
  writer.uint(3, TYPE_NUMBERS[family.type]);
  for (const metric of groupMetrics(family)) {
    const start = writer.begin(4);
    for (let i = 0; i < metric.labels.length; i += 2) {
      writeLabel(writer, escapeName(metric.labels[i], escaping), metric.labels[i + 1]);
    }
    writeValue(writer, family.type, metric);
    if (metric.first.timestampMs !== undefined) writer.int(6, metric.first.timestampMs);
    writer.end(start);
  }
  const unit = family.unit ?? '';
  const counted = family.type === 'counter' ? name.replace(/_total$/, '') : name;
  if (unit !== '' && counted.endsWith(`_${unit}`)) writer.string(5, unit);
}

/** The parts of histograms and summaries by their labels without `le` or `quantile`, in the order of their first parts. */
function groupMetrics(family: ExposedFamily): Iterable<ExposedMetric> {
  const { type, name } = family;
  const isHistogram = type === 'histogram' || type === 'gaugehistogram';
  if (!isHistogram && type !== 'summary') return family.series.map((s) => toMetric(s, withoutLabels(s.labels, NAME)));
  const boundName = isHistogram ? 'le' : 'quantile';
  const dropped = new Set([METRIC_NAME, boundName]);
  const groups = new Map<string, ExposedMetric>();
  for (const series of family.series) {
    const labels = withoutLabels(series.labels, dropped);
    const key = `${labelsKey(labels)}\u00ff\u00fd${series.timestampMs ?? ''}`;
    let metric = groups.get(key);
    if (metric === undefined) {
      metric = toMetric(series, labels);
      groups.set(key, metric);
    }
    addPart(metric, series, labelValue(series.labels, METRIC_NAME).slice(name.length), boundName);
  }
  for (const metric of groups.values()) metric.bounds.sort((a, b) => a.bound - b.bound);
  return groups.values();
}

const NAME: ReadonlySet<string> = new Set([METRIC_NAME]);

function toMetric(series: ExposedSeries, labels: Labels): ExposedMetric {
  const { histogram, value, exemplar } = series;
  return { labels, first: series, histogram, value, count: 0, sum: 0, bounds: [], exemplar };
}

function addPart(metric: ExposedMetric, series: ExposedSeries, ending: string, boundName: string): void {
  if (series.histogram !== undefined) metric.histogram = series.histogram;
  else if (ending === '_count' || ending === '_gcount') metric.count = series.value;
  else if (ending === '_sum' || ending === '_gsum') metric.sum = series.value;
  else {
    const bound = parseBound(labelValue(series.labels, boundName));
    metric.bounds.push({ bound, value: series.value, exemplar: series.exemplar });
  }
}

function parseBound(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}

function writeValue(writer: Writer, type: MetricType, metric: ExposedMetric): void {
  const { first } = metric;
  switch (type) {
    case 'counter': {
      const start = writer.begin(3);
      writer.double(1, metric.value);
      if (metric.exemplar !== undefined) writeExemplar(writer, 2, metric.exemplar);
      writeStart(writer, 3, first.startMs);
      writer.end(start);
      return;
    }
    case 'summary': {
      const start = writer.begin(4);
      writer.uint(1, metric.count);
      writer.double(2, metric.sum);
      for (const { bound, value } of metric.bounds) {
        const quantile = writer.begin(3);
        writer.double(1, bound);
        writer.double(2, value);
        writer.end(quantile);
      }
      writeStart(writer, 4, first.startMs);
      writer.end(start);
      return;
    }
    case 'histogram':
    case 'gaugehistogram':
      writeHistogram(writer, metric);
      return;
    case 'gauge':
    case 'info':
    case 'stateset':
    case 'unknown': {
      const start = writer.begin(type === 'unknown' ? 5 : 2);
      writer.double(1, metric.value);
      writer.end(start);
      return;
    }
  }
}

function writeHistogram(writer: Writer, metric: ExposedMetric): void {
  const { histogram } = metric;
  const start = writer.begin(7);
  const count = histogram?.count ?? metric.count;
  const whole = (histogram === undefined || isIntegerHistogram(histogram)) && Number.isSafeInteger(count) && count >= 0;
  if (whole) writer.uint(1, count);
  else writer.double(4, count);
  writer.double(2, histogram?.sum ?? metric.sum);
  for (const { bound, value, exemplar } of metric.bounds) {
    const bucket = writer.begin(3);
    if (Number.isSafeInteger(value) && value >= 0) writer.uint(1, value);
    else writer.double(4, value);
    writer.double(2, bound);
    if (exemplar !== undefined) writeExemplar(writer, 3, exemplar);
    writer.end(bucket);
  }
  if (histogram !== undefined) {
    writeNative(writer, histogram, whole);
    if (metric.exemplar !== undefined) writeExemplar(writer, 16, metric.exemplar);
  }
  writeStart(writer, 15, metric.first.startMs);
  writer.end(start);
}

function writeNative(writer: Writer, histogram: NativeHistogram, whole: boolean): void {
  writer.sint(5, histogram.schema);
  writer.double(6, histogram.zeroThreshold);
  if (whole) writer.uint(7, histogram.zeroCount);
  else writer.double(8, histogram.zeroCount);
  writeBuckets(writer, 9, histogram.negativeIndices, histogram.negativeCounts, whole);
  writeBuckets(writer, 12, histogram.positiveIndices, histogram.positiveCounts, whole);
  // A span of nothing tells a native histogram without observations from a classic one.
  if (histogram.positiveIndices.length + histogram.negativeIndices.length === 0) writer.end(writer.begin(12));
}

function writeExemplar(writer: Writer, field: number, exemplar: Exemplar): void {
  const start = writer.begin(field);
  for (let i = 0; i < exemplar.labels.length; i += 2) writeLabel(writer, exemplar.labels[i], exemplar.labels[i + 1]);
  writer.double(2, exemplar.value);
  writeTimestamp(writer, 3, exemplar.timestampMs);
  writer.end(start);
}

function writeLabel(writer: Writer, name: string, value: string): void {
  const start = writer.begin(1);
  writer.string(1, name);
  writer.string(2, value);
  writer.end(start);
}

function writeStart(writer: Writer, field: number, startMs: number | undefined): void {
  if (startMs !== undefined && startMs !== 0) writeTimestamp(writer, field, startMs);
}

function writeTimestamp(writer: Writer, field: number, ms: number): void {
  const start = writer.begin(field);
  const seconds = Math.floor(ms / 1000);
  writer.int(1, seconds);
  writer.int(2, (ms - seconds * 1000) * 1_000_000);
  writer.end(start);
}
