import type { NativeHistogram } from '../../model/index.ts';
import { changes, resets } from './changes.ts';
import { anchoredRange, smoothedRange } from './extended-range.ts';
import { overFloats } from './over-floats.ts';
import { averageColumn, extremeColumn, sumColumn } from './over-time.ts';
import type { RangeNotes } from './range-notes.ts';
import { delta, increase, instantDelta, rate } from './rate.ts';
import { smooth } from './regression.ts';
import { derivativeColumn, predictionColumn, varianceColumn } from './sliding-moments.ts';
import { SortedWindow } from './sorted-window.ts';
import type { Windows } from './windows.ts';

/** Where a range function writes: the columns of its result. `histograms` is made when the first one is written. */
export interface RangeOutput {
  readonly values: Float64Array;
  readonly has: Uint8Array;
  histograms: (NativeHistogram | undefined)[] | undefined;
}

/** What a range function knows beside the windows. */
export interface RangeScope {
  /** Scalar arguments by step, in the order of the call. */
  readonly args: readonly Float64Array[];
  /** The time of a step, milliseconds. */
  readonly timeOf: (step: number) => number;
  readonly notes: RangeNotes;
  /** To be called in loops over windows whose samples are walked through: how many that is. */
  readonly tick: (work: number) => void;
}

/** A range function over every window of one series. */
export type RangeFunction = (windows: Windows, out: RangeOutput, scope: RangeScope) => void;

/** Applies a function to the floats of each window in order. */
function overSorted(f: (window: SortedWindow, args: readonly number[]) => number): RangeFunction {
  const ofMixed = overFloats(({ samples, from, to }, args) => {
    const window = new SortedWindow(samples.values.subarray(from, to));
    window.slide(0, to - from);
    return f(window, args);
  });
  return (windows, out, scope) => {
    const { samples, from, to } = windows;
    if (samples.histograms) return ofMixed(windows, out, scope);
    const { args, tick } = scope;
    const at: number[] = new Array(args.length);
    const window = new SortedWindow(samples.values);
    for (let step = 0; step < from.length; step++) {
      if (from[step] === to[step]) continue;
      tick(to[step] - from[step]);
      window.slide(from[step], to[step]);
      for (let i = 0; i < at.length; i++) at[i] = args[i][step];
      out.values[step] = f(window, at);
      out.has[step] = 1;
    }
  };
}

/** A function that needs no look at the values: it gives the value of sample `pick` of each window that isn't empty. */
function overSamples(f: (windows: Windows, from: number, to: number) => number): RangeFunction {
  return (windows, out) => {
    const { from, to } = windows;
    for (let step = 0; step < from.length; step++) {
      if (from[step] === to[step]) continue;
      out.values[step] = f(windows, from[step], to[step]);
      out.has[step] = 1;
    }
  };
}

/** The first or last sample of each window, float or histogram. */
function edgeSample(last: boolean): RangeFunction {
  return ({ samples, from, to }, out) => {
    for (let step = 0; step < from.length; step++) {
      if (from[step] === to[step]) continue;
      const i = last ? to[step] - 1 : from[step];
      out.has[step] = 1;
      const histogram = samples.histograms?.[i];
      if (histogram) (out.histograms ??= new Array(from.length))[step] = histogram;
      else out.values[step] = samples.values[i];
    }
  };
}

const seconds = ({ samples }: Windows, i: number): number => samples.timestamps[i] / 1000;

/** Range functions by name. */
export const RANGE_FUNCTIONS: ReadonlyMap<string, RangeFunction> = new Map<string, RangeFunction>([
  ['rate', rate],
  ['increase', increase],
  ['delta', delta],
  ['irate', instantDelta(true)],
  ['idelta', instantDelta(false)],
  ['deriv', derivativeColumn],
  ['predict_linear', predictionColumn],
  ['double_exponential_smoothing', overFloats(smooth)],
  ['sum_over_time', sumColumn],
  ['avg_over_time', averageColumn],
  ['min_over_time', extremeColumn(-1, false)],
  ['max_over_time', extremeColumn(1, false)],
  ['ts_of_min_over_time', extremeColumn(-1, true)],
  ['ts_of_max_over_time', extremeColumn(1, true)],
  ['count_over_time', overSamples((_, from, to) => to - from)],
  ['present_over_time', overSamples(() => 1)],
  ['last_over_time', edgeSample(true)],
  ['first_over_time', edgeSample(false)],
  ['ts_of_last_over_time', overSamples((windows, _, to) => seconds(windows, to - 1))],
  ['ts_of_first_over_time', overSamples((windows, from) => seconds(windows, from))],
  ['stdvar_over_time', varianceColumn(false)],
  ['stddev_over_time', varianceColumn(true)],
  ['quantile_over_time', overSorted((window, [q]) => window.quantile(q))],
  ['mad_over_time', overSorted((window) => window.medianDeviation())],
  ['changes', changes],
  ['resets', resets],
]);

/** How the extended ranges (`anchored`, `smoothed`) compute the functions that have them. */
export const EXTENDED_RANGES = { anchored: anchoredRange, smoothed: smoothedRange } as const;
