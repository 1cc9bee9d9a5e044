import {
  bitsOf,
  CUSTOM_BUCKETS_SCHEMA,
  type Exemplar,
  type Labels,
  type MetricMetadata,
  type NativeHistogram,
} from '../model/index.ts';
import { METADATA_TYPES } from './remote-write.ts';
import { RESET_HINTS } from './remote-write-histogram.ts';
import { Writer } from './writer.ts';

/** What a write request is made of: series, and columns of samples that name their series by index. */
export interface WriteRequestColumns {
  /** Label sets; a series without samples is written without any. */
  readonly series: readonly Labels[];
  /** How many entries of the three columns count; default all. */
  readonly sampleCount?: number;
  /** Index into `series`, in any order; samples of one series keep their order. */
  readonly sampleSeries: Uint32Array;
  /** Milliseconds since the epoch, integers. */
  readonly sampleTimestampMs: Float64Array;
  /** Written bit by bit, so that staleness markers survive. */
  readonly sampleValue: Float64Array;
  readonly histograms?: readonly { series: number; timestampMs: number; histogram: NativeHistogram }[];
  readonly exemplars?: readonly { series: number; exemplar: Exemplar }[];
  readonly metadata?: readonly MetricMetadata[];
}

/**
 * Encodes a remote write 1.0 request; compress it with `snappyCompress` before it is sent. Histograms whose counts are
 * all whole numbers are written as integer histograms, the others as float histograms.
 */
export function encodeWriteRequest(columns: WriteRequestColumns): Uint8Array {
  const count = columns.sampleCount ?? columns.sampleSeries.length;
  const writer = new Writer(64 + columns.series.length * 160 + count * 18);
  const bits = bitsOf(columns.sampleValue);
  const samples = groupBySeries(columns.series.length, count, (i) => columns.sampleSeries[i]);
  const exemplars = columns.exemplars ?? [];
  const exemplarsBySeries = groupBySeries(columns.series.length, exemplars.length, (i) => exemplars[i].series);
  const histograms = columns.histograms ?? [];
  const histogramsBySeries = groupBySeries(columns.series.length, histograms.length, (i) => histograms[i].series);

  for (let s = 0; s < columns.series.length; s++) {
    const series = writer.begin(1);
    writeLabels(writer, columns.series[s]);
    for (let k = samples.starts[s]; k < samples.starts[s + 1]; k++) {
      const i = samples.order[k];
      const sample = writer.begin(2);
      writer.fixed64Halves(1, bits[2 * i + 1], bits[2 * i]);
      writer.int(2, columns.sampleTimestampMs[i]);
      writer.end(sample);
    }
    for (let k = exemplarsBySeries.starts[s]; k < exemplarsBySeries.starts[s + 1]; k++) {
      writeExemplar(writer, exemplars[exemplarsBySeries.order[k]].exemplar);
    }
    for (let k = histogramsBySeries.starts[s]; k < histogramsBySeries.starts[s + 1]; k++) {
      const { histogram, timestampMs } = histograms[histogramsBySeries.order[k]];
      writeHistogram(writer, histogram, timestampMs);
    }
    writer.end(series);
  }
  for (const metadata of columns.metadata ?? []) writeMetadata(writer, metadata);
  return writer.finish();
}

/** Indexes 0…count−1 ordered by series, stable; `starts[s]` to `starts[s + 1]` are those of series `s`. */
export function groupBySeries(
  seriesCount: number,
  count: number,
  seriesOf: (i: number) => number,
): { starts: Uint32Array; order: Uint32Array } {
  const starts = new Uint32Array(seriesCount + 1);
  for (let i = 0; i < count; i++) {
    const series = seriesOf(i);
    if (series >= seriesCount) throw new Error(`BUG: sample of series ${series} among ${seriesCount}`);
    starts[series + 1]++;
  }
  for (let s = 0; s < seriesCount; s++) starts[s + 1] += starts[s];
  const next = starts.slice();
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[next[seriesOf(i)]++] = i;
  return { starts, order };
}

/** Writes a label set as field 1 of the current message. */
export function writeLabels(writer: Writer, labels: Labels): void {
  for (let i = 0; i < labels.length; i += 2) {
    const label = writer.begin(1);
    writer.string(1, labels[i]);
    writer.string(2, labels[i + 1]);
    writer.end(label);
  }
}

function writeExemplar(writer: Writer, exemplar: Exemplar): void {
  const start = writer.begin(3);
  writeLabels(writer, exemplar.labels);
  writer.double(2, exemplar.value);
  writer.int(3, exemplar.timestampMs);
  writer.end(start);
}

function writeMetadata(writer: Writer, metadata: MetricMetadata): void {
  const start = writer.begin(3);
  writer.uint(1, METADATA_TYPES.indexOf(metadata.type));
  writer.string(2, metadata.metric);
  writer.string(4, metadata.help);
  writer.string(5, metadata.unit);
  writer.end(start);
}

function writeHistogram(writer: Writer, histogram: NativeHistogram, timestampMs: number): void {
  const start = writer.begin(4);
  writeHistogramFields(writer, histogram, timestampMs);
  writer.end(start);
}

/** Writes the fields of a histogram message, which are the same in remote write 1.0, 2.0 and remote read. */
export function writeHistogramFields(writer: Writer, histogram: NativeHistogram, timestampMs: number): void {
  const integers = isIntegerHistogram(histogram);
  if (integers) writer.uint(1, histogram.count);
  else writer.double(2, histogram.count);
  writer.double(3, histogram.sum);
  writer.sint(4, histogram.schema);
  writer.double(5, histogram.zeroThreshold);
  if (integers) writer.uint(6, histogram.zeroCount);
  else writer.double(7, histogram.zeroCount);
  writeBuckets(writer, 8, histogram.negativeIndices, histogram.negativeCounts, integers);
  writeBuckets(writer, 11, histogram.positiveIndices, histogram.positiveCounts, integers);
  writer.uint(14, RESET_HINTS.indexOf(histogram.counterResetHint));
  writer.int(15, timestampMs);
  if (histogram.schema === CUSTOM_BUCKETS_SCHEMA && histogram.customValues) {
    writeDoubles(writer, 16, histogram.customValues);
  }
}

/** Field `field` holds the spans, `field + 1` the deltas, `field + 2` the float counts. */
export function writeBuckets(
  writer: Writer,
  field: number,
  indices: Int32Array,
  counts: Float64Array,
  integers: boolean,
): void {
  let next = 0;
  for (let i = 0; i < indices.length; ) {
    let length = 1;
    while (i + length < indices.length && indices[i + length] === indices[i] + length) length++;
    const span = writer.begin(field);
    writer.sint(1, indices[i] - next);
    writer.uint(2, length);
    writer.end(span);
    next = indices[i] + length;
    i += length;
  }
  if (counts.length === 0) return;
  if (!integers) {
    writeDoubles(writer, field + 2, counts);
    return;
  }
  const packed = writer.begin(field + 1);
  let previous = 0;
  for (const count of counts) {
    writer.rawSint(count - previous);
    previous = count;
  }
  writer.end(packed);
}

export function writeDoubles(writer: Writer, field: number, values: Float64Array): void {
  const packed = writer.begin(field);
  for (const value of values) writer.rawDouble(value);
  writer.end(packed);
}

/** Whether every count is a whole number below 2^52, so that its difference to any other survives zigzag. */
export function isIntegerHistogram(histogram: NativeHistogram): boolean {
  return (
    isCount(histogram.count) &&
    isCount(histogram.zeroCount) &&
    histogram.positiveCounts.every(isCount) &&
    histogram.negativeCounts.every(isCount)
  );
}

function isCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 52;
}
