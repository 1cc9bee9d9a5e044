import type { AttributeValue } from '../model/index.ts';
import type { Cursor } from './cursor.ts';
import { decodeKeyValue, validId } from './otlp-common.ts';
import type {
  OtlpBuckets,
  OtlpExemplar,
  OtlpExponentialPoint,
  OtlpHistogramPoint,
  OtlpNumberPoint,
  OtlpSummaryPoint,
} from './otlp-metrics-shape.ts';

/** `DataPointFlags.NO_RECORDED_VALUE_MASK`. */
export const NO_RECORDED_VALUE = 1;

const NO_BUCKETS: OtlpBuckets = Object.freeze({ offset: 0, counts: [] });

// message NumberDataPoint {
//   repeated KeyValue attributes = 7;
//   fixed64 start_time_unix_nano = 2;
//   fixed64 time_unix_nano = 3;
//   oneof value { double as_double = 4; sfixed64 as_int = 6; }
//   repeated Exemplar exemplars = 5;
//   uint32 flags = 8;
// }
/** Decodes the rest of the current message. */
export function decodeNumberPoint(cursor: Cursor): OtlpNumberPoint {
  const attributes: { [key: string]: AttributeValue } = {};
  const exemplars: OtlpExemplar[] = [];
  let keys = 0;
  let startMs = 0;
  let timeMs = 0;
  let value: number | undefined;
  let flags = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        startMs = cursor.fixed64Ms('start_time_unix_nano');
        break;
      case 3:
        timeMs = cursor.fixed64Ms('time_unix_nano');
        break;
      case 4:
        value = cursor.double('as_double');
        // Prometheus's staleness marker, which some collectors pass on as a plain NaN.
        if (cursor.hi === 0x7ff00000 && cursor.lo === 2) flags |= NO_RECORDED_VALUE;
        break;
      case 5:
        exemplars.push(decodeExemplar(cursor, exemplars.length));
        break;
      case 6:
        value = cursor.sfixed64Number('as_int');
        break;
      case 7:
        decodeKeyValue(cursor, 'attributes', keys++, attributes);
        break;
      case 8:
        flags |= cursor.uint32('flags');
        break;
      default:
        cursor.skip();
    }
  }
  return { attributes, startMs, timeMs, value, noRecordedValue: (flags & NO_RECORDED_VALUE) !== 0, exemplars };
}

// message HistogramDataPoint {
//   repeated KeyValue attributes = 9;
//   fixed64 start_time_unix_nano = 2;
//   fixed64 time_unix_nano = 3;
//   fixed64 count = 4;
//   optional double sum = 5;
//   repeated fixed64 bucket_counts = 6;
//   repeated double explicit_bounds = 7;
//   repeated Exemplar exemplars = 8;
//   uint32 flags = 10;
//   optional double min = 11;
//   optional double max = 12;
// }
/** Decodes the rest of the current message; `min` and `max` have no place in Prometheus and are skipped. */
export function decodeHistogramPoint(cursor: Cursor): OtlpHistogramPoint {
  const attributes: { [key: string]: AttributeValue } = {};
  const exemplars: OtlpExemplar[] = [];
  const bucketCounts: number[] = [];
  const explicitBounds: number[] = [];
  let keys = 0;
  let startMs = 0;
  let timeMs = 0;
  let count = 0;
  let sum: number | undefined;
  let flags = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        startMs = cursor.fixed64Ms('start_time_unix_nano');
        break;
      case 3:
        timeMs = cursor.fixed64Ms('time_unix_nano');
        break;
      case 4:
        count = cursor.fixed64Number('count');
        break;
      case 5:
        sum = cursor.double('sum');
        break;
      case 6:
        cursor.fixed64s('bucket_counts', bucketCounts);
        break;
      case 7:
        cursor.doubles('explicit_bounds', explicitBounds);
        break;
      case 8:
        exemplars.push(decodeExemplar(cursor, exemplars.length));
        break;
      case 9:
        decodeKeyValue(cursor, 'attributes', keys++, attributes);
        break;
      case 10:
        flags = cursor.uint32('flags');
        break;
      default:
        cursor.skip();
    }
  }
  const noRecordedValue = (flags & NO_RECORDED_VALUE) !== 0;
  return { attributes, startMs, timeMs, count, sum, bucketCounts, explicitBounds, noRecordedValue, exemplars };
}

// message ExponentialHistogramDataPoint {
//   repeated KeyValue attributes = 1;
//   fixed64 start_time_unix_nano = 2;
//   fixed64 time_unix_nano = 3;
//   fixed64 count = 4;
//   optional double sum = 5;
//   sint32 scale = 6;
//   fixed64 zero_count = 7;
//   Buckets positive = 8;
//   Buckets negative = 9;
//   uint32 flags = 10;
//   repeated Exemplar exemplars = 11;
//   optional double min = 12;
//   optional double max = 13;
//   double zero_threshold = 14;
// }
/** Decodes the rest of the current message; `min` and `max` have no place in Prometheus and are skipped. */
export function decodeExponentialPoint(cursor: Cursor): OtlpExponentialPoint {
  const attributes: { [key: string]: AttributeValue } = {};
  const exemplars: OtlpExemplar[] = [];
  let keys = 0;
  let startMs = 0;
  let timeMs = 0;
  let count = 0;
  let sum: number | undefined;
  let scale = 0;
  let zeroCount = 0;
  let zeroThreshold = 0;
  let positive = NO_BUCKETS;
  let negative = NO_BUCKETS;
  let flags = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        decodeKeyValue(cursor, 'attributes', keys++, attributes);
        break;
      case 2:
        startMs = cursor.fixed64Ms('start_time_unix_nano');
        break;
      case 3:
        timeMs = cursor.fixed64Ms('time_unix_nano');
        break;
      case 4:
        count = cursor.fixed64Number('count');
        break;
      case 5:
        sum = cursor.double('sum');
        break;
      case 6:
        scale = cursor.sint32('scale');
        break;
      case 7:
        zeroCount = cursor.fixed64Number('zero_count');
        break;
      case 8:
        positive = decodeBuckets(cursor, 'positive');
        break;
      case 9:
        negative = decodeBuckets(cursor, 'negative');
        break;
      case 10:
        flags = cursor.uint32('flags');
        break;
      case 11:
        exemplars.push(decodeExemplar(cursor, exemplars.length));
        break;
      case 14:
        zeroThreshold = cursor.double('zero_threshold');
        break;
      default:
        cursor.skip();
    }
  }
  return {
    attributes,
    startMs,
    timeMs,
    count,
    sum,
    scale,
    zeroCount,
    zeroThreshold,
    positive,
    negative,
    noRecordedValue: (flags & NO_RECORDED_VALUE) !== 0,
    exemplars,
  };
}

// message Buckets {
//   sint32 offset = 1;
//   repeated uint64 bucket_counts = 2;
// }
function decodeBuckets(cursor: Cursor, name: string): OtlpBuckets {
  const outer = cursor.enter(name);
  let offset = 0;
  const counts: number[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        offset = cursor.sint32('offset');
        break;
      case 2:
        cursor.uint64s('bucket_counts', counts);
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { offset, counts };
}

// message SummaryDataPoint {
//   repeated KeyValue attributes = 7;
//   fixed64 start_time_unix_nano = 2;
//   fixed64 time_unix_nano = 3;
//   fixed64 count = 4;
//   double sum = 5;
//   repeated ValueAtQuantile quantile_values = 6;
//   uint32 flags = 8;
// }
/** Decodes the rest of the current message. */
export function decodeSummaryPoint(cursor: Cursor): OtlpSummaryPoint {
  const attributes: { [key: string]: AttributeValue } = {};
  const quantiles: { quantile: number; value: number }[] = [];
  let keys = 0;
  let startMs = 0;
  let timeMs = 0;
  let count = 0;
  let sum = 0;
  let flags = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        startMs = cursor.fixed64Ms('start_time_unix_nano');
        break;
      case 3:
        timeMs = cursor.fixed64Ms('time_unix_nano');
        break;
      case 4:
        count = cursor.fixed64Number('count');
        break;
      case 5:
        sum = cursor.double('sum');
        break;
      case 6:
        quantiles.push(decodeQuantile(cursor, quantiles.length));
        break;
      case 7:
        decodeKeyValue(cursor, 'attributes', keys++, attributes);
        break;
      case 8:
        flags = cursor.uint32('flags');
        break;
      default:
        cursor.skip();
    }
  }
  return { attributes, startMs, timeMs, count, sum, quantiles, noRecordedValue: (flags & NO_RECORDED_VALUE) !== 0 };
}

// message ValueAtQuantile {
//   double quantile = 1;
//   double value = 2;
// }
function decodeQuantile(cursor: Cursor, index: number): { quantile: number; value: number } {
  const outer = cursor.enter('quantile_values', index);
  let quantile = 0;
  let value = 0;
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
  return { quantile, value };
}

// message Exemplar {
//   repeated KeyValue filtered_attributes = 7;
//   fixed64 time_unix_nano = 2;
//   oneof value { double as_double = 3; sfixed64 as_int = 6; }
//   bytes span_id = 4;
//   bytes trace_id = 5;
// }
/** Decodes the message in the current field. */
function decodeExemplar(cursor: Cursor, index: number): OtlpExemplar {
  const outer = cursor.enter('exemplars', index);
  const attributes: { [key: string]: AttributeValue } = {};
  let count = 0;
  let timeMs = 0;
  let value: number | undefined;
  let traceId = '';
  let spanId = '';
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        timeMs = cursor.fixed64Ms('time_unix_nano');
        break;
      case 3:
        value = cursor.double('as_double');
        break;
      case 4:
        spanId = cursor.hex('span_id');
        break;
      case 5:
        traceId = cursor.hex('trace_id');
        break;
      case 6:
        value = cursor.sfixed64Number('as_int');
        break;
      case 7:
        decodeKeyValue(cursor, 'filtered_attributes', count++, attributes);
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { timeMs, value, traceId: validId(traceId, 32), spanId: validId(spanId, 16), attributes };
}
