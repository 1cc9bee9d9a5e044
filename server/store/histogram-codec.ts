import type { CounterResetHint, NativeHistogram } from '../model/index.ts';

/*
 * A native histogram as bytes, little endian:
 *   u8 version (1) · u8 hint · i8 schema or 0x80 for custom bounds · u8 0
 *   u32 positives · u32 negatives · u32 custom values
 *   f64 zero threshold · f64 zero count · f64 count · f64 sum
 *   f64 × positives counts · f64 × negatives counts · f64 × custom values
 *   i32 × positives indices · i32 × negatives indices
 */
const VERSION = 1;
const HEADER_BYTES = 16 + 32;
const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'no_reset', 'gauge'];

/** Encodes a histogram; the bits of NaN sums and counts (staleness) are kept. */
export function encodeHistogram(h: NativeHistogram): Uint8Array {
  const positives = h.positiveIndices.length;
  const negatives = h.negativeIndices.length;
  const customs = h.customValues?.length ?? 0;
  const bytes = new Uint8Array(HEADER_BYTES + (positives + negatives) * 12 + customs * 8);
  const view = new DataView(bytes.buffer);
  bytes[0] = VERSION;
  bytes[1] = HINTS.indexOf(h.counterResetHint);
  view.setInt8(2, h.customValues ? -128 : h.schema);
  view.setUint32(4, positives, true);
  view.setUint32(8, negatives, true);
  view.setUint32(12, customs, true);
  const doubles = new Float64Array(bytes.buffer, 16, 4 + positives + negatives + customs);
  doubles[0] = h.zeroThreshold;
  doubles[1] = h.zeroCount;
  doubles[2] = h.count;
  doubles[3] = h.sum;
  doubles.set(h.positiveCounts, 4);
  doubles.set(h.negativeCounts, 4 + positives);
  if (h.customValues) doubles.set(h.customValues, 4 + positives + negatives);
  const integers = new Int32Array(bytes.buffer, 16 + doubles.byteLength, positives + negatives);
  integers.set(h.positiveIndices, 0);
  integers.set(h.negativeIndices, positives);
  return bytes;
}

/** Decodes what `encodeHistogram` made. The result doesn't refer to `bytes`. */
export function decodeHistogram(bytes: Uint8Array): NativeHistogram {
  if (bytes[0] !== VERSION) throw new Error(`BUG: histogram encoding version ${bytes[0]}, expected ${VERSION}`);
  // Not `slice`: on a Buffer that would share the memory of a pool.
  const copy = new Uint8Array(bytes);
  const view = new DataView(copy.buffer);
  const positives = view.getUint32(4, true);
  const negatives = view.getUint32(8, true);
  const customs = view.getUint32(12, true);
  const doubles = new Float64Array(copy.buffer, 16, 4 + positives + negatives + customs);
  const integers = new Int32Array(copy.buffer, 16 + doubles.byteLength, positives + negatives);
  const schema = view.getInt8(2);
  return {
    schema: schema === -128 ? -53 : schema,
    zeroThreshold: doubles[0],
    zeroCount: doubles[1],
    count: doubles[2],
    sum: doubles[3],
    positiveIndices: integers.subarray(0, positives),
    positiveCounts: doubles.subarray(4, 4 + positives),
    negativeIndices: integers.subarray(positives),
    negativeCounts: doubles.subarray(4 + positives, 4 + positives + negatives),
    customValues: schema === -128 ? doubles.subarray(4 + positives + negatives) : undefined,
    counterResetHint: HINTS[copy[1]],
  };
}
