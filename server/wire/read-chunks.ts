import {
  bitsOf,
  CUSTOM_BUCKETS_SCHEMA,
  isHistogramReset,
  type NativeHistogram,
  type SeriesSamples,
} from '../model/index.ts';
import { BitWriter, XorState } from './bit-writer.ts';

/** The most samples of one chunk, as Prometheus cuts them. */
export const MAX_CHUNK_SAMPLES = 120;

/** How a chunk is encoded, as the numbers of `prompb.Chunk.Encoding`. */
export type ChunkEncoding = 1 | 3;
const XOR: ChunkEncoding = 1;
const FLOAT_HISTOGRAM: ChunkEncoding = 3;

/** What a histogram chunk's header says of its relation to the chunk before, in the two highest bits of its third byte. */
const COUNTER_RESET = 0x80;
const NOT_COUNTER_RESET = 0x40;
const GAUGE = 0xc0;

/** A part of a series in Prometheus's storage format. */
export interface EncodedChunk {
  /** Milliseconds since the epoch of its first and last samples, both inclusive. */
  readonly minMs: number;
  readonly maxMs: number;
  readonly encoding: ChunkEncoding;
  readonly data: Uint8Array;
}

/**
 * Encodes a series as chunks of up to 120 samples in the order of time: XOR chunks of floats (the bits of staleness
 * markers kept), float histogram chunks of native histograms. A histogram chunk holds one bucket layout and no counter
 * reset, which begins a chunk of its own and is said in its header.
 */
export function* encodeChunks(samples: SeriesSamples): Iterable<EncodedChunk> {
  const { timestamps, histograms } = samples;
  const writer = new BitWriter();
  let before: NativeHistogram | undefined;
  for (let from = 0; from < timestamps.length; ) {
    const isHistogram = histograms?.[from] !== undefined;
    let to = from + 1;
    const limit = Math.min(timestamps.length, from + MAX_CHUNK_SAMPLES);
    if (!isHistogram) {
      while (to < limit && histograms?.[to] === undefined) to++;
      encodeXor(writer, samples, from, to);
    } else {
      const all = histograms as readonly NativeHistogram[];
      while (to < limit && all[to] !== undefined && goesOn(all[to - 1], all[to])) to++;
      encodeHistograms(writer, timestamps, all, from, to, resetHeader(before, all[from]));
      before = all[to - 1];
    }
    yield {
      minMs: timestamps[from],
      maxMs: timestamps[to - 1],
      encoding: isHistogram ? FLOAT_HISTOGRAM : XOR,
      data: writer.finish(),
    };
    from = to;
  }
}

/** Samples `[from, to)` of floats. Source of the layout: prometheus/prometheus tsdb/chunkenc xor. */
function encodeXor(out: BitWriter, { timestamps, values }: SeriesSamples, from: number, to: number): void {
  const bits = bitsOf(values);
  const value = new XorState();
  out.clear();
  out.bits(to - from, 16);
  let delta = 0;
  for (let i = from; i < to; i++) {
    const hi = bits[2 * i + 1];
    const lo = bits[2 * i];
    if (i === from) {
      const t = BigInt(timestamps[i]);
      out.uvarint(t >= 0n ? t * 2n : -t * 2n - 1n);
      value.first(out, hi, lo);
      continue;
    }
    const step = timestamps[i] - timestamps[i - 1];
    if (i === from + 1) out.uvarint(BigInt(step));
    else writeDeltaOfDelta(out, step - delta);
    delta = step;
    value.next(out, hi, lo);
  }
}

function writeDeltaOfDelta(out: BitWriter, value: number): void {
  if (value === 0) out.bits(0, 1);
  else if (value >= -8191 && value <= 8192) {
    out.bits(0b10, 2);
    out.bits(value, 14);
  } else if (value >= -65535 && value <= 65536) {
    out.bits(0b110, 3);
    out.bits(value, 17);
  } else if (value >= -524287 && value <= 524288) {
    out.bits(0b1110, 4);
    out.bits(value, 20);
  } else {
    out.bits(0b1111, 4);
    out.int64(value);
  }
}

/** Whether two histograms that follow each other can be in one chunk. */
function goesOn(a: NativeHistogram, b: NativeHistogram): boolean {
  if (a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold) return false;
  if ((a.counterResetHint === 'gauge') !== (b.counterResetHint === 'gauge')) return false;
  if (a.customValues !== undefined || b.customValues !== undefined) {
    if (a.customValues?.length !== b.customValues?.length) return false;
    if (!a.customValues?.every((bound, i) => bound === b.customValues?.[i])) return false;
  }
  return a.counterResetHint === 'gauge' || !isHistogramReset(a, b);
}

function resetHeader(before: NativeHistogram | undefined, now: NativeHistogram): number {
  if (now.counterResetHint === 'gauge') return GAUGE;
  if (now.counterResetHint === 'reset') return COUNTER_RESET;
  if (before === undefined || before.counterResetHint === 'gauge') return 0;
  return isHistogramReset(before, now) ? COUNTER_RESET : NOT_COUNTER_RESET;
}

/** Histograms `[from, to)`. Source of the layout: prometheus/prometheus tsdb/chunkenc float_histogram, histogram_meta. */
function encodeHistograms(
  out: BitWriter,
  timestamps: Float64Array,
  histograms: readonly NativeHistogram[],
  from: number,
  to: number,
  header: number,
): void {
  const all = histograms.slice(from, to);
  const positive = unionOf(all.map((h) => h.positiveIndices));
  const negative = unionOf(all.map((h) => h.negativeIndices));
  const first = all[0];
  out.clear();
  out.bits(to - from, 16);
  out.bits(header, 8);
  writeLayout(out, first, positive, negative);
  const states = Array.from({ length: 3 + positive.length + negative.length }, () => new XorState());
  const values = new Float64Array(states.length);
  const bits = bitsOf(values);
  let delta = 0;
  for (let i = 0; i < all.length; i++) {
    const h = all[i];
    values[0] = h.count;
    values[1] = h.zeroCount;
    values[2] = h.sum;
    spread(values, 3, positive, h.positiveIndices, h.positiveCounts);
    spread(values, 3 + positive.length, negative, h.negativeIndices, h.negativeCounts);
    if (i === 0) {
      out.varbitInt(timestamps[from]);
      for (let k = 0; k < states.length; k++) states[k].first(out, bits[2 * k + 1], bits[2 * k]);
      continue;
    }
    const step = timestamps[from + i] - timestamps[from + i - 1];
    out.varbitInt(step - delta);
    delta = step;
    for (let k = 0; k < states.length; k++) states[k].next(out, bits[2 * k + 1], bits[2 * k]);
  }
}

function writeLayout(out: BitWriter, h: NativeHistogram, positive: Int32Array, negative: Int32Array): void {
  writeZeroThreshold(out, h.zeroThreshold);
  out.varbitInt(h.schema);
  writeSpans(out, positive);
  writeSpans(out, negative);
  if (h.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  const bounds = h.customValues ?? new Float64Array(0);
  out.varbitUint(bounds.length);
  for (const bound of bounds) writeBound(out, bound);
}

/** Usual thresholds, powers of two, take one byte: their exponent. */
function writeZeroThreshold(out: BitWriter, threshold: number): void {
  if (threshold === 0) {
    out.bits(0, 8);
    return;
  }
  const exponent = Math.log2(threshold) + 1;
  if (Number.isInteger(exponent) && 2 ** (exponent - 1) === threshold && exponent >= -242 && exponent <= 11) {
    out.bits(exponent + 243, 8);
    return;
  }
  out.bits(255, 8);
  writeDouble(out, threshold);
}

/** Bounds of whole thousandths take few bits, others all of them. */
function writeBound(out: BitWriter, bound: number): void {
  const thousandths = bound * 1000;
  const whole = Math.round(thousandths);
  if (thousandths < 0 || thousandths > 33_554_430 || whole / 1000 !== bound) {
    out.bits(0, 1);
    writeDouble(out, bound);
    return;
  }
  out.varbitUint(whole + 1);
}

function writeDouble(out: BitWriter, value: number): void {
  const bits = bitsOf(Float64Array.of(value));
  out.bits64(bits[1], bits[0], 64);
}

/** Runs of consecutive buckets: how many, then each with its length and its gap to the one before. */
function writeSpans(out: BitWriter, indices: Int32Array): void {
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const index of indices) {
    const last = spans.at(-1);
    if (last !== undefined && index === next) last.length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  out.varbitUint(spans.length);
  for (const { offset, length } of spans) {
    out.varbitUint(length);
    out.varbitInt(offset);
  }
}

/** The buckets that any of the histograms has, ascending. */
function unionOf(lists: readonly Int32Array[]): Int32Array {
  let union = lists[0];
  for (const list of lists) {
    if (list.length === union.length && list.every((index, i) => index === union[i])) continue;
    union = Int32Array.from(new Set([...union, ...list])).sort();
  }
  return union;
}

/** Writes counts to the places of their buckets, 0 to the others. */
function spread(to: Float64Array, at: number, union: Int32Array, indices: Int32Array, counts: Float64Array): void {
  let next = 0;
  for (let i = 0; i < union.length; i++) {
    const has = next < indices.length && indices[next] === union[i];
    to[at + i] = has ? counts[next++] : 0;
  }
}
