import type { Cursor } from './cursor.ts';
import { decodeLabelRun } from './remote-write.ts';
import { decodeSpan, emptyRawHistogram, type RawHistogram } from './remote-write-histogram.ts';

/** What a `Metric` message has beside its labels. */
export interface Metric {
  kind: 'number' | 'summary' | 'histogram' | 'none';
  value: number;
  /** The field that the value came in. */
  field: number;
  timestampMs: number;
  startMs: number;
  /** Quantiles or upper bounds, and values or counts. */
  bounds: number[];
  values: number[];
  count: number;
  sum: number;
  histogram: RawHistogram | undefined;
  native: boolean;
  /** Of a number; of buckets, by their index; of a native histogram. */
  exemplar: TimedExemplar | undefined;
  bucketExemplars: (TimedExemplar | undefined)[];
  exemplars: TimedExemplar[];
}

/** An exemplar that may have no time. */
export interface TimedExemplar {
  readonly pairs: [string, string][];
  readonly value: number;
  /** NaN where there is none. */
  readonly timestampMs: number;
}

/** A metric of which nothing was read yet. */
export function emptyMetric(): Metric {
  return {
    kind: 'none',
    value: 0,
    field: 0,
    timestampMs: 0,
    startMs: 0,
    bounds: [],
    values: [],
    count: 0,
    sum: 0,
    histogram: undefined,
    native: false,
    exemplar: undefined,
    bucketExemplars: [],
    exemplars: [],
  };
}

// message Gauge { double value = 1; }
// message Counter { double value = 1; Exemplar exemplar = 2; Timestamp created_timestamp = 3; }
// message Untyped { double value = 1; }
/** Reads a gauge, counter or untyped value. */
export function readNumberField(cursor: Cursor, metric: Metric): void {
  metric.kind = 'number';
  metric.field = cursor.field;
  const outer = cursor.enter('value');
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        metric.value = cursor.double('value');
        break;
      case 2:
        metric.exemplar = readExemplar(cursor, 'exemplar');
        break;
      case 3:
        metric.startMs = readTimestamp(cursor, 'created_timestamp');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
}

// message Summary {
//   uint64 sample_count = 1;
//   double sample_sum = 2;
//   repeated Quantile quantile = 3;
//   Timestamp created_timestamp = 4;
// }
/** Reads a summary. */
export function readSummary(cursor: Cursor, metric: Metric): void {
  metric.kind = 'summary';
  metric.field = cursor.field;
  const outer = cursor.enter('summary');
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        metric.count = cursor.uint64Number('sample_count');
        break;
      case 2:
        metric.sum = cursor.double('sample_sum');
        break;
      case 3:
        readQuantile(cursor, metric);
        break;
      case 4:
        metric.startMs = readTimestamp(cursor, 'created_timestamp');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
}

// message Quantile {
//   double quantile = 1;
//   double value = 2;
// }
function readQuantile(cursor: Cursor, metric: Metric): void {
  const outer = cursor.enter('quantile', metric.bounds.length);
  let [quantile, value] = [0, 0];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        quantile = cursor.double('quantile');
        break;
      case 2:
        value = cursor.double('value');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  metric.bounds.push(quantile);
  metric.values.push(value);
}

// message Histogram {
//   uint64 sample_count = 1;  double sample_count_float = 4;  double sample_sum = 2;
//   repeated Bucket bucket = 3;
//   sint32 schema = 5;  double zero_threshold = 6;  uint64 zero_count = 7;  double zero_count_float = 8;
//   repeated BucketSpan negative_span = 9;  repeated sint64 negative_delta = 10;  repeated double negative_count = 11;
//   repeated BucketSpan positive_span = 12;  repeated sint64 positive_delta = 13;  repeated double positive_count = 14;
//   Timestamp created_timestamp = 15;
//   repeated Exemplar exemplars = 16;
// }
/** Reads a histogram in both of its forms. */
export function readHistogramField(cursor: Cursor, metric: Metric): void {
  metric.kind = 'histogram';
  metric.field = cursor.field;
  const outer = cursor.enter('histogram');
  const raw = emptyRawHistogram();
  let [countFloat, zeroFloat] = [0, 0];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        metric.count = cursor.uint64Number('sample_count');
        break;
      case 2:
        metric.sum = cursor.double('sample_sum');
        raw.sumHi = cursor.hi;
        raw.sumLo = cursor.lo;
        break;
      case 3:
        readBucket(cursor, metric);
        break;
      case 4:
        countFloat = cursor.double('sample_count_float');
        break;
      case 8:
        zeroFloat = cursor.double('zero_count_float');
        break;
      case 15:
        metric.startMs = readTimestamp(cursor, 'created_timestamp');
        break;
      case 16:
        metric.exemplars.push(readExemplar(cursor, 'exemplars'));
        break;
      default:
        readNativeField(cursor, raw);
    }
  }
  const { positive, negative } = raw;
  metric.native =
    positive.spans.lengths.length > 0 ||
    negative.spans.lengths.length > 0 ||
    raw.zeroThreshold > 0 ||
    raw.zeroCount > 0 ||
    zeroFloat > 0;
  // Floats override integers where they are there; then only float buckets count.
  if (countFloat > 0 || zeroFloat > 0) {
    raw.float = true;
    raw.zeroCount = zeroFloat;
    positive.deltas.length = 0;
    negative.deltas.length = 0;
  } else {
    positive.counts.length = 0;
    negative.counts.length = 0;
  }
  if (countFloat > 0) metric.count = countFloat;
  metric.histogram = raw;
  cursor.leave(outer);
}

function readNativeField(cursor: Cursor, raw: RawHistogram): void {
  switch (cursor.field) {
    case 5:
      raw.schema = cursor.sint32('schema');
      return;
    case 6:
      raw.zeroThreshold = cursor.double('zero_threshold');
      return;
    case 7:
      raw.zeroCount = cursor.uint64Number('zero_count');
      return;
    case 9:
      decodeSpan(cursor, 'negative_span', raw.negative.spans);
      return;
    case 10:
      cursor.sint64s('negative_delta', raw.negative.deltas);
      return;
    case 11:
      cursor.doubles('negative_count', raw.negative.counts);
      return;
    case 12:
      decodeSpan(cursor, 'positive_span', raw.positive.spans);
      return;
    case 13:
      cursor.sint64s('positive_delta', raw.positive.deltas);
      return;
    case 14:
      cursor.doubles('positive_count', raw.positive.counts);
      return;
    default:
      cursor.skip();
  }
}

// message Bucket {
//   uint64 cumulative_count = 1;
//   double upper_bound = 2;
//   Exemplar exemplar = 3;
//   double cumulative_count_float = 4;
// }
function readBucket(cursor: Cursor, metric: Metric): void {
  const index = metric.bounds.length;
  const outer = cursor.enter('bucket', index);
  let [count, float, bound] = [0, 0, 0];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        count = cursor.uint64Number('cumulative_count');
        break;
      case 2:
        bound = cursor.double('upper_bound');
        break;
      case 3:
        metric.bucketExemplars[index] = readExemplar(cursor, 'exemplar');
        break;
      case 4:
        float = cursor.double('cumulative_count_float');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  metric.bounds.push(bound);
  metric.values.push(float > 0 ? float : count);
}

// message Exemplar {
//   repeated LabelPair label = 1;
//   double value = 2;
//   Timestamp timestamp = 3;
// }
function readExemplar(cursor: Cursor, name: string): TimedExemplar {
  const outer = cursor.enter(name);
  const pairs: [string, string][] = [];
  let [value, timestampMs] = [0, Number.NaN];
  while (cursor.pos < cursor.end) {
    const at = cursor.pos;
    cursor.next();
    switch (cursor.field) {
      case 1: {
        cursor.blob('label');
        const { names, values } = decodeLabelRun(cursor.bytes.subarray(at, cursor.pos), 'Exemplar');
        for (let i = 0; i < names.length; i++) pairs.push([names[i], values[i]]);
        break;
      }
      case 2:
        value = cursor.double('value');
        break;
      case 3:
        timestampMs = readTimestamp(cursor, 'timestamp');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { pairs, value, timestampMs };
}

// message google.protobuf.Timestamp {
//   int64 seconds = 1;
//   int32 nanos = 2;
// }
function readTimestamp(cursor: Cursor, name: string): number {
  const outer = cursor.enter(name);
  let [seconds, nanos] = [0, 0];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        seconds = cursor.int64Number('seconds');
        break;
      case 2:
        nanos = cursor.int32('nanos');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return seconds * 1000 + Math.trunc(nanos / 1_000_000);
}
