import { equalHistograms, isHistogramReset } from '../../model/index.ts';
import type { RangeFunction } from './range-functions.ts';
import type { WindowSamples } from './windows.ts';

/** `changes(v[r])`: how often the value changed. */
export const changes: RangeFunction = countTransitions((samples, i) => {
  const { values, histograms } = samples;
  const [before, now] = [histograms?.[i - 1], histograms?.[i]];
  if (before && now) return !equalHistograms(before, now);
  if (before || now) return true;
  return values[i] !== values[i - 1] && !(Number.isNaN(values[i]) && Number.isNaN(values[i - 1]));
});

/** `resets(v[r])`: how often a counter went down; a change between floats and histograms is one too. */
export const resets: RangeFunction = countTransitions((samples, i) => {
  const { values, histograms } = samples;
  const [before, now] = [histograms?.[i - 1], histograms?.[i]];
  if (before && now) return isHistogramReset(before, now);
  if (before || now) return true;
  return values[i] < values[i - 1];
});

/** Counts transitions between neighbours once, so that a window is a difference of two counts. */
function countTransitions(isOne: (samples: WindowSamples, i: number) => boolean): RangeFunction {
  return ({ samples, from, to }, out) => {
    const before = new Uint32Array(samples.timestamps.length);
    for (let i = 1; i < before.length; i++) before[i] = before[i - 1] + Number(isOne(samples, i));
    for (let step = 0; step < from.length; step++) {
      if (from[step] === to[step]) continue;
      out.values[step] = before[to[step] - 1] - before[from[step]];
      out.has[step] = 1;
    }
  };
}
