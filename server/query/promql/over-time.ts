import { compactHistogram, type NativeHistogram, preciseMean, preciseSum, sumHistograms } from '../../model/index.ts';
import type { RangeFunction, RangeOutput } from './range-functions.ts';
import type { RangeNotes } from './range-notes.ts';
import { averageLength, countHistograms, floatWindow, SLIDING_FROM, type Windows } from './windows.ts';

/** What adding a histogram costs, in floats. */
const HISTOGRAM_WORK = 100;

/** `sum_over_time(v[r])` for floats and histograms. */
export const sumColumn: RangeFunction = (windows, out, { notes, tick }) => {
  if (windows.samples.histograms) mixedColumn(windows, out, notes, tick, false);
  else if (averageLength(windows) < SLIDING_FROM) directColumn(windows, out, preciseSum);
  else slidingSum(windows, out, false);
};

/** `avg_over_time(v[r])` for floats and histograms. */
export const averageColumn: RangeFunction = (windows, out, { notes, tick }) => {
  if (windows.samples.histograms) mixedColumn(windows, out, notes, tick, true);
  else if (averageLength(windows) < SLIDING_FROM) directColumn(windows, out, preciseMean);
  else slidingSum(windows, out, true);
};

function directColumn(
  { samples, from, to }: Windows,
  out: RangeOutput,
  f: (values: Float64Array, from: number, to: number) => number,
): void {
  for (let step = 0; step < from.length; step++) {
    if (from[step] === to[step]) continue;
    out.values[step] = f(samples.values, from[step], to[step]);
    out.has[step] = 1;
  }
}

/**
 * Sums at O(1) a step without subtracting, so that nothing outside of a window costs precision inside it: a window is
 * split at `middle`; sums of the front part up to the middle are kept for every start, and the back part grows. When
 * the start passes the middle, the whole window becomes the new front. Each sample is added at most twice.
 */
function slidingSum({ samples, from, to }: Windows, out: RangeOutput, average: boolean): void {
  const { values } = samples;
  const base = from[0];
  const front = new Float64Array(values.length - base + 1);
  const frontLost = new Float64Array(values.length - base + 1);
  let middle = base;
  let end = base;
  let [back, backLost] = [0, 0];
  for (let step = 0; step < from.length; step++) {
    const [start, past] = [from[step], to[step]];
    if (start >= middle) {
      middle = past;
      end = past;
      [back, backLost] = [0, 0];
      let [total, lost] = [0, 0];
      for (let i = past - 1; i >= start; i--) {
        const value = values[i];
        const next = total + value;
        if (next === Infinity || next === -Infinity) lost = 0;
        else lost += Math.abs(total) >= Math.abs(value) ? total - next + value : value - next + total;
        total = next;
        front[i - base] = total;
        frontLost[i - base] = lost;
      }
    }
    for (; end < past; end++) {
      const value = values[end];
      const next = back + value;
      if (next === Infinity || next === -Infinity) backLost = 0;
      else backLost += Math.abs(back) >= Math.abs(value) ? back - next + value : value - next + back;
      back = next;
    }
    if (start === past) continue;
    out.has[step] = 1;
    const head = start < middle ? front[start - base] : 0;
    const headLost = start < middle ? frontLost[start - base] : 0;
    const total = head + back;
    if (total === Infinity || total === -Infinity) {
      // The order of addition matters where a sum overflows; a mean may be finite even so.
      out.values[step] = average ? preciseMean(values, start, past) : preciseSum(values, start, past);
      continue;
    }
    const lost = Math.abs(head) >= Math.abs(back) ? head - total + back : back - total + head;
    const rest = headLost + backLost + lost;
    out.values[step] = average ? total / (past - start) + rest / (past - start) : total + rest;
  }
}

/** Windows that may hold histograms: only floats, or only histograms, give a value. */
function mixedColumn(
  windows: Windows,
  out: RangeOutput,
  notes: RangeNotes,
  tick: (work: number) => void,
  average: boolean,
): void {
  const { samples, from, to, ends, rangeMs, labels } = windows;
  for (let step = 0; step < ends.length; step++) {
    if (from[step] === to[step]) continue;
    tick(HISTOGRAM_WORK * (to[step] - from[step]));
    const window = { samples, from: from[step], to: to[step], startMs: ends[step] - rangeMs, endMs: ends[step] };
    const found = countHistograms(window);
    if (found === 0) {
      out.values[step] = (average ? preciseMean : preciseSum)(samples.values, window.from, window.to);
    } else if (found < window.to - window.from) {
      notes.mixedTypes(labels);
      continue;
    } else {
      const list = samples.histograms?.slice(window.from, window.to) as NativeHistogram[];
      const sum = sumHistograms(list, average ? 1 / found : 1);
      if (!sum) {
        notes.mixedSchemas(labels);
        continue;
      }
      if (sum.reconciled) notes.reconciled('aggregation');
      if (sum.collision) notes.collision();
      (out.histograms ??= new Array(ends.length))[step] = compactHistogram(sum.value);
    }
    out.has[step] = 1;
  }
}

/**
 * `min_over_time`, `max_over_time` and the times of those values (the last of equals). NaN counts only where nothing
 * else is in the window. The candidates of a window are a queue in which values fall (for a maximum), so that a step
 * costs O(1) on average.
 */
export function extremeColumn(sign: 1 | -1, time: boolean): RangeFunction {
  return (windows, out, { notes, tick }) => {
    if (windows.samples.histograms) return extremeOfMixed(windows, out, notes, tick, sign, time);
    const { samples, from, to } = windows;
    const { values, timestamps } = samples;
    const queue = new Int32Array(values.length);
    let [head, tail] = [0, 0];
    let end = from[0] ?? 0;
    for (let step = 0; step < from.length; step++) {
      const [start, past] = [from[step], to[step]];
      if (end < start) end = start;
      for (; end < past; end++) {
        const value = values[end] * sign;
        if (Number.isNaN(value)) continue;
        while (tail > head && values[queue[tail - 1]] * sign <= value) tail--;
        queue[tail++] = end;
      }
      while (head < tail && queue[head] < start) head++;
      if (start === past) continue;
      out.has[step] = 1;
      const best = head < tail ? queue[head] : past - 1;
      out.values[step] = time ? timestamps[best] / 1000 : values[best];
    }
  };
}

function extremeOfMixed(
  windows: Windows,
  out: RangeOutput,
  notes: RangeNotes,
  tick: (work: number) => void,
  sign: 1 | -1,
  time: boolean,
): void {
  const { samples, from, to, ends, rangeMs } = windows;
  for (let step = 0; step < ends.length; step++) {
    if (from[step] === to[step]) continue;
    const window = { samples, from: from[step], to: to[step], startMs: ends[step] - rangeMs, endMs: ends[step] };
    tick(to[step] - from[step]);
    const floats = floatWindow(window);
    if (floats.to === 0) continue;
    if (floats.to < to[step] - from[step]) notes.ignoredHistograms(windows.labels);
    const { values, timestamps } = floats.samples;
    let best = 0;
    for (let i = 1; i < floats.to; i++) {
      if (values[i] * sign >= values[best] * sign || Number.isNaN(values[best])) best = i;
    }
    out.has[step] = 1;
    out.values[step] = time ? timestamps[best] / 1000 : values[best];
  }
}
