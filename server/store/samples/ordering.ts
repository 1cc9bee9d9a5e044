import type { SampleColumns } from './chunk-codec.ts';

/**
 * Brings the samples `[from, from + count)` into ascending order of time, of equal times the last one, and returns how
 * many are left; they start at `from`. Mostly they are in order already, and then nothing moves.
 */
export function orderSamples(columns: SampleColumns, from: number, count: number): number {
  const { times, valueWords } = columns;
  let inOrder = 1;
  while (inOrder < count && times[from + inOrder] > times[from + inOrder - 1]) inOrder++;
  if (inOrder >= count) return count;
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  // Rows of equal times keep their order, so that the last one written stays the last.
  order.sort((a, b) => times[from + a] - times[from + b] || a - b);
  const oldTimes = times.slice(from, from + count);
  const oldWords = valueWords.slice(2 * from, 2 * (from + count));
  let kept = 0;
  for (let i = 0; i < count; i++) {
    const row = order[i];
    if (i + 1 < count && oldTimes[order[i + 1]] === oldTimes[row]) continue;
    times[from + kept] = oldTimes[row];
    valueWords[2 * (from + kept)] = oldWords[2 * row];
    valueWords[2 * (from + kept) + 1] = oldWords[2 * row + 1];
    kept++;
  }
  return kept;
}

/** The first index in `[from, to)` whose time is at or after `timeMs`, or `to`. */
export function firstAtOrAfter(times: Float64Array, from: number, to: number, timeMs: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle] < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
