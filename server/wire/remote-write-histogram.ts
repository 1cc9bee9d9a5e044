import { type CounterResetHint, CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../model/index.ts';
import type { Cursor } from './cursor.ts';

/** A decoded histogram sample; a staleness marker carries no histogram. `startMs` is 0 where it is unknown. */
export type DecodedHistogram =
  | {
      readonly stale: false;
      readonly timestampMs: number;
      readonly startMs: number;
      readonly histogram: NativeHistogram;
    }
  | { readonly stale: true; readonly timestampMs: number; readonly startMs: number };

/** Remote write's reset hints by number. */
export const RESET_HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'no_reset', 'gauge'];

/** Runs of buckets as they are sent: gap to the previous run, number of buckets. */
interface Spans {
  readonly offsets: number[];
  readonly lengths: number[];
}

/** A histogram as it is on the wire: of remote write, or with other field numbers of a scrape. */
export interface RawHistogram {
  count: number;
  /** Whether the counts were sent as floats; only integers can be held to their sum. */
  float: boolean;
  zeroCount: number;
  sum: number;
  /** Bits of the sum, which tell a staleness marker from other NaNs. */
  sumHi: number;
  sumLo: number;
  schema: number;
  zeroThreshold: number;
  hint: number;
  timestampMs: number;
  startMs: number;
  readonly negative: RawBuckets;
  readonly positive: RawBuckets;
  readonly customValues: number[];
}

/** One side of a histogram as it is on the wire. */
export interface RawBuckets {
  readonly spans: Spans;
  readonly deltas: number[];
  readonly counts: number[];
}

/**
 * Decodes a native histogram with integer or float counts. Counts beyond 2^53 become the nearest number.
 * @throws BarographError `malformed` where the schema is unknown or spans and counts don't fit each other.
 */
export function decodeHistogram(cursor: Cursor): DecodedHistogram {
  return checkHistogram(cursor, readHistogram(cursor));
}

/**
 * Decodes a native histogram as remote write 2.0 and scrapes demand it: an integer histogram's count is also the sum of
 * its buckets (at least the sum where NaNs were observed, which are in no bucket), as Prometheus validates it.
 * @throws BarographError `malformed`, as from `decodeHistogram`.
 */
export function checkStrictly(cursor: Cursor, raw: RawHistogram): DecodedHistogram {
  const decoded = checkHistogram(cursor, raw);
  if (decoded.stale) return decoded;
  const { histogram } = decoded;
  if (histogram.count < 0 || histogram.zeroCount < 0) {
    throw cursor.failIn('count', 'a negative count', 'counts of 0 or more');
  }
  if (raw.float) return decoded;
  let sum = histogram.zeroCount;
  for (const count of histogram.positiveCounts) sum += count;
  for (const count of histogram.negativeCounts) sum += count;
  const fits = Number.isNaN(histogram.sum) ? sum <= histogram.count : sum === histogram.count;
  // Beyond 2^53 counts were rounded, and their sum says nothing.
  if (!fits && sum < Number.MAX_SAFE_INTEGER && histogram.count < Number.MAX_SAFE_INTEGER) {
    throw cursor.failIn('count', `${histogram.count} observations`, `the ${sum} that are in buckets`);
  }
  return decoded;
}

/**
 * Makes a histogram of what was read. Errors leave the cursor where it is, so that a caller can go on behind a histogram
 * that is well formed and says nonsense.
 * @throws BarographError `malformed`.
 */
export function checkHistogram(cursor: Cursor, raw: RawHistogram): DecodedHistogram {
  const { schema, timestampMs, startMs } = raw;
  if (raw.sumHi === 0x7ff00000 && raw.sumLo === 2) return { stale: true, timestampMs, startMs };
  if (schema !== CUSTOM_BUCKETS_SCHEMA && (schema < -4 || schema > 8)) {
    throw cursor.failIn('schema', String(schema), `−4 to 8, or ${CUSTOM_BUCKETS_SCHEMA}`);
  }
  const positive = bucketsOf(cursor, 'positive', raw.positive);
  const negative = bucketsOf(cursor, 'negative', raw.negative);
  if (schema === CUSTOM_BUCKETS_SCHEMA) {
    if (negative.indices.length > 0) {
      throw cursor.failIn('negative_spans', 'negative buckets', 'none with custom bounds');
    }
    checkCustomBounds(cursor, raw.customValues, positive.indices);
  }
  return {
    stale: false,
    timestampMs,
    startMs,
    histogram: {
      schema,
      zeroThreshold: raw.zeroThreshold,
      zeroCount: raw.zeroCount,
      count: raw.count,
      sum: raw.sum,
      positiveIndices: positive.indices,
      positiveCounts: positive.counts,
      negativeIndices: negative.indices,
      negativeCounts: negative.counts,
      customValues: schema === CUSTOM_BUCKETS_SCHEMA ? Float64Array.from(raw.customValues) : undefined,
      counterResetHint: RESET_HINTS[raw.hint] ?? 'unknown',
    },
  };
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
//   int64 start_timestamp = 17;  (remote write 2.0)
// }
/** Reads a histogram message without judging it; what isn't protobuf throws `malformed`. */
export function readHistogram(cursor: Cursor): RawHistogram {
  const raw = emptyRawHistogram();
  while (cursor.next()) readField(cursor, raw);
  return raw;
}

/** A histogram of which nothing was read yet. */
export function emptyRawHistogram(): RawHistogram {
  return {
    count: 0,
    float: false,
    zeroCount: 0,
    sum: 0,
    sumHi: 0,
    sumLo: 0,
    schema: 0,
    zeroThreshold: 0,
    hint: 0,
    timestampMs: 0,
    startMs: 0,
    negative: { spans: { offsets: [], lengths: [] }, deltas: [], counts: [] },
    positive: { spans: { offsets: [], lengths: [] }, deltas: [], counts: [] },
    customValues: [],
  };
}

function readField(cursor: Cursor, raw: RawHistogram): void {
  switch (cursor.field) {
    case 1:
      raw.count = cursor.uint64Number('count_int');
      return;
    case 2:
      raw.count = cursor.double('count_float');
      raw.float = true;
      return;
    case 3:
      raw.sum = cursor.double('sum');
      raw.sumHi = cursor.hi;
      raw.sumLo = cursor.lo;
      return;
    case 4:
      raw.schema = cursor.sint32('schema');
      return;
    case 5:
      raw.zeroThreshold = cursor.double('zero_threshold');
      return;
    case 6:
      raw.zeroCount = cursor.uint64Number('zero_count_int');
      return;
    case 7:
      raw.zeroCount = cursor.double('zero_count_float');
      return;
    case 8:
      decodeSpan(cursor, 'negative_spans', raw.negative.spans);
      return;
    case 9:
      cursor.sint64s('negative_deltas', raw.negative.deltas);
      return;
    case 10:
      cursor.doubles('negative_counts', raw.negative.counts);
      return;
    case 11:
      decodeSpan(cursor, 'positive_spans', raw.positive.spans);
      return;
    case 12:
      cursor.sint64s('positive_deltas', raw.positive.deltas);
      return;
    case 13:
      cursor.doubles('positive_counts', raw.positive.counts);
      return;
    case 14:
      raw.hint = cursor.uint32('reset_hint');
      return;
    case 15:
      raw.timestampMs = cursor.int64Number('timestamp');
      return;
    case 16:
      cursor.doubles('custom_values', raw.customValues);
      return;
    case 17:
      raw.startMs = cursor.int64Number('start_timestamp');
      return;
    default:
      cursor.skip();
  }
}

// message BucketSpan {
//   sint32 offset = 1;
//   uint32 length = 2;
// }
/** Reads one run of buckets; protobuf scrapes have the same message. */
export function decodeSpan(cursor: Cursor, name: string, spans: Spans): void {
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
  cursor.leave(outer);
  spans.offsets.push(offset);
  spans.lengths.push(length);
}

/**
 * The buckets that spans and deltas (or counts) describe, empty ones left out. Spans only claim how many buckets there
 * are, so the claim is compared with the counts that came before anything is built from it.
 */
function bucketsOf(cursor: Cursor, side: string, raw: RawBuckets): { indices: Int32Array; counts: Float64Array } {
  const { spans, deltas, counts: floats } = raw;
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
    if (s > 0 && spans.offsets[s] < 0) {
      throw cursor.failIn(`${side}_spans`, `an offset of ${spans.offsets[s]}`, '0 or more after the first span');
    }
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
