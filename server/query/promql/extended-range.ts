import type { RangeFunction } from './range-functions.ts';
import type { WindowSamples } from './windows.ts';

/** A function over the samples `[first, last]` that an extended range looks at. */
type ExtendedFunction = (
  samples: WindowSamples,
  first: number,
  last: number,
  bounds: { readonly startMs: number; readonly endMs: number },
) => number;

/**
 * Functions over `v[r] anchored`: the range begins with the newest sample at or before its start (within the lookback),
 * or its first one where there is none, and ends with its last. Nothing is extrapolated. `undefined` where the function
 * has no such form. Source: Prometheus's documentation of extended range selectors.
 */
export function anchoredRange(name: string, lookbackMs: number): RangeFunction | undefined {
  switch (name) {
    case 'rate':
      return extended(lookbackMs, false, (samples, first, last, { startMs, endMs }) => {
        return (growth(samples, first, last, true) * 1000) / (endMs - startMs);
      });
    case 'increase':
      return extended(lookbackMs, false, (samples, first, last) => growth(samples, first, last, true));
    case 'delta':
      return extended(lookbackMs, false, (samples, first, last) => growth(samples, first, last, false));
    case 'changes':
      return extended(lookbackMs, false, ({ values }, first, last) =>
        count(values, first, last, (a, b) => a !== b && !(Number.isNaN(a) && Number.isNaN(b))),
      );
    case 'resets':
      return extended(lookbackMs, false, ({ values }, first, last) => count(values, first, last, (a, b) => b < a));
    default:
      return undefined;
  }
}

/**
 * Functions over `v[r] smoothed`: the values at both edges are interpolated between the samples around them (within the
 * lookback). `undefined` where the function has no such form.
 */
export function smoothedRange(name: string, lookbackMs: number): RangeFunction | undefined {
  if (name !== 'rate' && name !== 'increase' && name !== 'delta') return undefined;
  const isCounter = name !== 'delta';
  return extended(lookbackMs, true, (samples, first, last, { startMs, endMs }) => {
    const { timestamps, values } = samples;
    let left = values[first];
    if (timestamps[first] < startMs) left = interpolated(samples, first, startMs, isCounter, true);
    let right = values[last];
    if (last > first && timestamps[last] > endMs) right = interpolated(samples, last - 1, endMs, isCounter, false);
    let grown = right - left;
    if (isCounter) {
      let before = left;
      for (let i = first + 1; i < last; i++) {
        if (values[i] < before) grown += before;
        before = values[i];
      }
      if (right < before) grown += before;
    }
    return name === 'rate' ? (grown * 1000) / (endMs - startMs) : grown;
  });
}

/** The value at `ms` between sample i and the next; a counter that was reset in between counts from zero. */
export function interpolated(
  { timestamps, values }: WindowSamples,
  i: number,
  ms: number,
  isCounter: boolean,
  isLeftEdge: boolean,
): number {
  let [a, b] = [values[i], values[i + 1]];
  if (isCounter && b < a) {
    if (isLeftEdge) a = 0;
    else b += a;
  }
  return a + ((b - a) * (ms - timestamps[i])) / (timestamps[i + 1] - timestamps[i]);
}

function extended(lookbackMs: number, smoothed: boolean, f: ExtendedFunction): RangeFunction {
  return ({ samples, from, to, ends, rangeMs, labels }, out, { notes, tick }) => {
    const { timestamps, histograms } = samples;
    for (let step = 0; step < ends.length; step++) {
      const endMs = ends[step];
      const startMs = endMs - rangeMs;
      let first = from[step];
      let last = to[step] - 1;
      if (first > 0 && timestamps[first - 1] > startMs - lookbackMs) first--;
      const after = to[step];
      const isPast = last < 0 || timestamps[last] < endMs;
      if (smoothed && isPast && after < timestamps.length && timestamps[after] <= endMs + lookbackMs) last = after;
      if (last < first || timestamps[last] <= startMs) continue;
      tick(last - first);
      if (histograms?.slice(first, last + 1).some((h) => h !== undefined)) {
        notes.ignoredHistograms(labels);
        continue;
      }
      out.values[step] = f(samples, first, last, { startMs, endMs });
      out.has[step] = 1;
    }
  };
}

function growth({ values }: WindowSamples, first: number, last: number, isCounter: boolean): number {
  let grown = values[last] - values[first];
  if (isCounter) for (let i = first + 1; i <= last; i++) if (values[i] < values[i - 1]) grown += values[i - 1];
  return grown;
}

function count(values: Float64Array, first: number, last: number, isOne: (a: number, b: number) => boolean): number {
  let found = 0;
  for (let i = first + 1; i <= last; i++) if (isOne(values[i - 1], values[i])) found++;
  return found;
}
