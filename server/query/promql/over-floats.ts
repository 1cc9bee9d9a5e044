import type { RangeFunction } from './range-functions.ts';
import { countHistograms, floatWindow, type Window } from './windows.ts';

/** A function of the floats of one window, which is not empty. `undefined` for no value. */
type WindowFunction = (window: Window, args: readonly number[], stepMs: number) => number | undefined;

/** Applies a function to the floats of each window; histograms are left out, with a remark where there are both. */
export function overFloats(f: WindowFunction): RangeFunction {
  return (windows, out, { args, timeOf, notes, tick }) => {
    const { from, to, ends, rangeMs, samples } = windows;
    const at: number[] = new Array(args.length);
    for (let step = 0; step < ends.length; step++) {
      if (from[step] === to[step]) continue;
      let window: Window = {
        samples,
        from: from[step],
        to: to[step],
        startMs: ends[step] - rangeMs,
        endMs: ends[step],
      };
      if (samples.histograms && countHistograms(window) > 0) {
        window = floatWindow(window);
        if (window.to === 0) continue;
        notes.ignoredHistograms(windows.labels);
      }
      for (let i = 0; i < at.length; i++) at[i] = args[i][step];
      tick(window.to - window.from);
      const value = f(window, at, timeOf(step));
      if (value === undefined) continue;
      out.values[step] = value;
      out.has[step] = 1;
    }
  };
}
