import type { Labels } from '../../model/index.ts';
import { emptySeries, type VectorSeries } from './values.ts';
import type { WindowSamples } from './windows.ts';

type FastFunction = (labels: Labels, samples: WindowSamples, ends: Float64Array, rangeMs: number) => VectorSeries;

/**
 * `rate`, `increase` and `delta` over floats at O(1) a step: the increase of a window is a difference of two samples plus
 * the resets between them, and those come from prefix sums. `undefined` for other functions. The window function of the
 * same name in `range-functions.ts` is the twin that tests compare with.
 */
export function fastCounterFunction(name: string): FastFunction | undefined {
  if (name === 'rate')
    return (labels, samples, ends, rangeMs) => extrapolatedColumn(labels, samples, ends, rangeMs, true, true);
  if (name === 'increase')
    return (labels, samples, ends, rangeMs) => extrapolatedColumn(labels, samples, ends, rangeMs, true, false);
  if (name === 'delta')
    return (labels, samples, ends, rangeMs) => extrapolatedColumn(labels, samples, ends, rangeMs, false, false);
  return undefined;
}

function extrapolatedColumn(
  labels: Labels,
  { timestamps, values }: WindowSamples,
  ends: Float64Array,
  rangeMs: number,
  isCounter: boolean,
  isRate: boolean,
): VectorSeries {
  const result = emptySeries(labels, ends.length);
  const resets = isCounter ? resetPrefix(values) : undefined;
  let [from, to] = [0, 0];
  for (let step = 0; step < ends.length; step++) {
    const endMs = ends[step];
    const startMs = endMs - rangeMs;
    while (to < timestamps.length && timestamps[to] <= endMs) to++;
    while (from < to && timestamps[from] <= startMs) from++;
    if (to - from < 2) continue;
    const first = values[from];
    let increase = values[to - 1] - first;
    if (resets) increase += resets[to - 1] - resets[from];
    const firstMs = timestamps[from];
    const lastMs = timestamps[to - 1];
    const sampled = (lastMs - firstMs) / 1000;
    const average = sampled / (to - from - 1);
    const threshold = average * 1.1;
    let toStart = (firstMs - startMs) / 1000;
    let toEnd = (endMs - lastMs) / 1000;
    if (toStart >= threshold) toStart = average / 2;
    if (isCounter && increase > 0 && first >= 0) {
      const toZero = sampled * (first / increase);
      if (toZero < toStart) toStart = toZero;
    }
    if (toEnd >= threshold) toEnd = average / 2;
    const stretched = increase * ((sampled + toStart + toEnd) / sampled);
    result.has[step] = 1;
    result.values[step] = isRate ? stretched / (rangeMs / 1000) : stretched;
  }
  return result;
}

/** At i, the sum of the values just before each reset up to i; `undefined` where the series never went down. */
function resetPrefix(values: Float64Array): Float64Array | undefined {
  let prefix: Float64Array | undefined;
  for (let i = 1; i < values.length; i++) {
    const drop = values[i] < values[i - 1] ? values[i - 1] : 0;
    if (drop !== 0 && !prefix) prefix = new Float64Array(values.length);
    if (prefix) prefix[i] = prefix[i - 1] + drop;
  }
  return prefix;
}
