import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../model/index.ts';
import type { Cursor } from './cursor.ts';

/** A decoded histogram sample; a staleness marker carries no histogram. */
export type DecodedHistogram =
  | { readonly stale: false; readonly timestampMs: number; readonly histogram: NativeHistogram }
  | { readonly stale: true; readonly timestampMs: number };

/** Remote write's reset hints by number. */
export const RESET_HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'no_reset', 'gauge'];

/** Runs of buckets as they are sent: gap to the previous run, number of buckets. */
interface Spans {
  readonly offsets: number[];
  readonly lengths: number[];
}

// message Histogram {
//   oneof count { uint64 count_int = 1; double count_float = 2; }
//   double sum = 3;
//   sint32 schema = 4;
//   double zero_threshold = 5;
//   oneof zero_count { uint64 zero_count_int = 6; double zero_count_float = 7; }
//   repeated BucketSpan negative_spans = 8;
//   repeated sint64 negative_deltas = 9;
//   repeated double negative_counts = 10;
//   repeated BucketSpan positive_spans = 11;
//   repeated sint64 positive_deltas = 12;
//   repeated double positive_counts = 13;
//   ResetHint reset_hint = 14;
//   int64 timestamp = 15;
//   repeated double custom_values = 16;
// }
/**
 * Decodes a native histogram with integer or float counts. Counts beyond 2^53 become the nearest number.
 * @throws BarographError `malformed` where the schema is unknown or spans and counts don't fit each other.
 */
export function decodeHistogram(cursor: Cursor): DecodedHistogram {
  let count = 0;
  let zeroCount = 0;
  let sumHi = 0;
  let sumLo = 0;
  let sum = 0;
  let schema = 0;
  let zeroThreshold = 0;
  let hint = 0;
  let timestampMs = 0;
  const negativeSpans: Spans = { offsets: [], lengths: [] };
  const positiveSpans: Spans = { offsets: [], lengths: [] };
  const negativeDeltas: number[] = [];
  const negativeCounts: number[] = [];
  const positiveDeltas: number[] = [];
  const positiveCounts: number[] = [];
  const customValues: number[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        count = cursor.uint64Number('count_int');
        break;
      case 2:
        count = cursor.double('count_float');
        break;
      case 3:
        sum = cursor.double('sum');
        sumHi = cursor.hi;
        sumLo = cursor.lo;
        break;
      case 4:
        schema = cursor.sint32('schema');
        break;
      case 5:
        zeroThreshold = cursor.double('zero_threshold');
        break;
      case 6:
        zeroCount = cursor.uint64Number('zero_count_int');
        break;
      case 7:
        zeroCount = cursor.double('zero_count_float');
        break;
      case 8:
        decodeSpan(cursor, 'negative_spans', negativeSpans);
        break;
      case 9:
        cursor.sint64s('negative_deltas', negativeDeltas);
        break;
      case 10:
        cursor.doubles('negative_counts', negativeCounts);
        break;
      case 11:
        decodeSpan(cursor, 'positive_spans', positiveSpans);
        break;
      case 12:
        cursor.sint64s('positive_deltas', positiveDeltas);
        break;
      case 13:
        cursor.doubles('positive_counts', positiveCounts);
        break;
      case 14:
        hint = cursor.uint32('reset_hint');
        break;
      case 15:
        timestampMs = cursor.int64Number('timestamp');
        break;
      case 16:
        cursor.doubles('custom_values', customValues);
        break;
      default:
        cursor.skip();
    }
  }
  if (sumHi === 0x7ff00000 && sumLo === 2) return { stale: true, timestampMs };
  if (schema !== CUSTOM_BUCKETS_SCHEMA && (schema < -4 || schema > 8)) {
    throw cursor.failIn('schema', String(schema), `−4 to 8, or ${CUSTOM_BUCKETS_SCHEMA}`);
  }
  const positive = bucketsOf(cursor, 'positive', positiveSpans, positiveDeltas, positiveCounts);
  const negative = bucketsOf(cursor, 'negative', negativeSpans, negativeDeltas, negativeCounts);
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    if (negative.indices.length > 0)
      throw cursor.failIn('negative_spans', 'negative buckets', 'none with custom bounds');
    checkCustomBounds(cursor, customValues, positive.indices);
  }
  return {
    stale: false,
    timestampMs,
    histogram: {
      schema,
      zeroThreshold,
      zeroCount,
      count,
      sum,
      positiveIndices: positive.indices,
      positiveCounts: positive.counts,
      negativeIndices: negative.indices,
      negativeCounts: negative.counts,
      customValues: schema === CUSTOM_BUCKETS_SCHEMA ? Float64Array.from(customValues) : undefined,
      counterResetHint: RESET_HINTS[hint] ?? 'unknown',
    },
  };
}

// message BucketSpan {
//   sint32 offset = 1;
//   uint32 length = 2;
// }
function decodeSpan(cursor: Cursor, name: string, spans: Spans): void {
  const outer = cursor.enter(name, spans.offsets.length);
  let offset = 0;
  let length = 0;
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        offset = cursor.sint32('offset');
        break;
      case 2:
        length = cursor.uint32('length');
        break;
      default:
        cursor.skip();
    }
  }
  if (offset < 0 && spans.offsets.length > 0)
    throw cursor.failIn('offset', String(offset), '0 or more after the first span');
  cursor.leave(outer);
  spans.offsets.push(offset);
  spans.lengths.push(length);
}

/**
 * The buckets that spans and deltas (or counts) describe, empty ones left out. Spans only claim how many buckets there
 * are, so the claim is compared with the counts that came before anything is built from it.
 */
function bucketsOf(
  cursor: Cursor,
  side: string,
  spans: Spans,
  deltas: readonly number[],
  floats: readonly number[],
): { indices: Int32Array; counts: Float64Array } {
  if (deltas.length > 0 && floats.length > 0) {
    throw cursor.failIn(`${side}_counts`, 'deltas and counts', 'one of the two');
  }
  const values = floats.length > 0 ? floats : deltas;
  let claimed = 0;
  for (const length of spans.lengths) claimed += length;
  if (claimed !== values.length) {
    throw cursor.failIn(`${side}_spans`, `spans of ${claimed} buckets`, `the ${values.length} that have counts`);
  }
  const indices = new Int32Array(values.length);
  const counts = new Float64Array(values.length);
  let filled = 0;
  let at = 0;
  let index = 0;
  let running = 0;
  for (let s = 0; s < spans.offsets.length; s++) {
    index += spans.offsets[s];
    for (let i = 0; i < spans.lengths[s]; i++, index++) {
      running = floats.length > 0 ? values[at] : running + values[at];
      at++;
      if (running < 0) throw cursor.failIn(`${side}_deltas`, 'a negative count', 'counts of 0 or more');
      if (index > 0x7fffffff || index < -0x80000000)
        throw cursor.failIn(`${side}_spans`, `bucket ${index}`, '32-bit indexes');
      if (running === 0) continue;
      indices[filled] = index;
      counts[filled++] = running;
    }
  }
  return { indices: indices.slice(0, filled), counts: counts.slice(0, filled) };
}

function checkCustomBounds(cursor: Cursor, bounds: readonly number[], indices: Int32Array): void {
  for (let i = 0; i < bounds.length; i++) {
    if (!Number.isFinite(bounds[i]) || (i > 0 && bounds[i] <= bounds[i - 1])) {
      throw cursor.failIn('custom_values', `bound ${i} out of order or not finite`, 'finite bounds that ascend');
    }
  }
  const last = indices[indices.length - 1];
  if (indices.length > 0 && (indices[0] < 0 || last > bounds.length)) {
    throw cursor.failIn('positive_spans', `bucket ${indices[0] < 0 ? indices[0] : last}`, `0 to ${bounds.length}`);
  }
}
