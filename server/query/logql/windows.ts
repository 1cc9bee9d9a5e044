import type { RangeOp } from './ast.ts';
import type { Column, Grid } from './columns.ts';
import { limitError } from './errors.ts';
import type { LogqlLimits } from './limits.ts';

/**
 * The time line of a range function, cut at the ends of all its windows. Between two cuts every line belongs to the same
 * windows, so a line is looked up once, and what lies in a cell is combined once, however much the windows overlap.
 */
export interface Cells {
  /** Ends of the cells, inclusive, ascending; cell i is `(ends[i−1], ends[i]]`. */
  readonly ends: BigInt64Array;
  /** First and last step whose window holds cell i; empty (first > last) in gaps between windows. */
  readonly firstStep: Int32Array;
  readonly lastStep: Int32Array;
}

/** Cuts the time line for windows `(T − range, T]`, T being the grid's steps less the offset. */
export function cutCells(grid: Grid, rangeNs: bigint, offsetNs: bigint): Cells {
  const all: bigint[] = [];
  for (let k = 0; k < grid.count; k++) {
    const end = grid.startNs + BigInt(k) * grid.stepNs - offsetNs;
    all.push(end - rangeNs, end);
  }
  const ends = BigInt64Array.from([...new Set(all)]).sort();
  const firstStep = new Int32Array(ends.length);
  const lastStep = new Int32Array(ends.length);
  let [ended, begun] = [0, 0];
  const endOf = (k: number) => grid.startNs + BigInt(k) * grid.stepNs - offsetNs;
  for (let i = 0; i < ends.length; i++) {
    while (ended < grid.count && endOf(ended) < ends[i]) ended++;
    while (begun < grid.count && endOf(begun) - rangeNs < ends[i]) begun++;
    firstStep[i] = ended;
    lastStep[i] = begun - 1;
  }
  return { ends, firstStep, lastStep };
}

/** Collects the samples of one series, in time order, and turns them into a value for every step. */
export interface Accumulator {
  /** Adds a sample at `timeNs` in a cell; cells come in ascending order. */
  add(cell: number, value: number, timeNs: bigint): void;
  /** Writes the values of all steps. */
  finish(column: Column, cells: Cells): void;
}

/** What accumulators need to know of their query; `samples` counts what all of them keep. */
export interface AccumulatorContext {
  readonly op: RangeOp;
  /** Whether samples are numbers from `unwrap`, not lines. */
  readonly unwraps: boolean;
  readonly param: number;
  readonly rangeNs: bigint;
  readonly offsetNs: bigint;
  readonly grid: Grid;
  readonly cells: Cells;
  readonly limits: LogqlLimits;
  samples: number;
}

/** The accumulator of a function. */
export function createAccumulator(context: AccumulatorContext): Accumulator {
  const seconds = Number(context.rangeNs) / 1e9;
  switch (context.op) {
    case 'count_over_time':
    case 'bytes_over_time':
      return new DifferenceSums(context, 1);
    case 'bytes_rate':
      return new DifferenceSums(context, seconds);
    case 'rate':
      return context.unwraps ? new CellFold((sum) => sum / seconds, add) : new DifferenceSums(context, seconds);
    case 'sum_over_time':
      return new CellFold((sum) => sum, add);
    case 'avg_over_time':
      return new CellFold((sum, count) => sum / count, add);
    // A window of nothing but NaN is NaN; otherwise NaN doesn't count.
    case 'min_over_time':
      return new CellFold(
        (least) => least,
        (a, b) => (b < a || Number.isNaN(a) ? b : a),
      );
    case 'max_over_time':
      return new CellFold(
        (most) => most,
        (a, b) => (b > a || Number.isNaN(a) ? b : a),
      );
    case 'first_over_time':
      return new CellFold(
        (first) => first,
        (a) => a,
      );
    case 'last_over_time':
      return new CellFold(
        (last) => last,
        (_a, b) => b,
      );
    case 'stddev_over_time':
      return new CellVariance(Math.sqrt);
    case 'stdvar_over_time':
      return new CellVariance((variance) => variance);
    case 'quantile_over_time':
      return new Samples(context, (values) => quantile(values, context.param));
    case 'rate_counter':
      return new Samples(context, (values, times, endNs) => counterRate(values, times, endNs, context.rangeNs));
    case 'absent_over_time':
      return new DifferenceSums(context, 1);
  }
}

function add(a: number, b: number): number {
  return a + b;
}

/**
 * Sums of whole numbers (lines, bytes), exact up to 2^53: a sample adds to its first step and subtracts behind its last
 * one, a prefix sum does the rest. One sample costs the same for every overlap.
 */
class DifferenceSums implements Accumulator {
  private readonly sums: Float64Array;
  private readonly counts: Int32Array;
  private readonly cells: Cells;
  private readonly divisor: number;

  constructor(context: AccumulatorContext, divisor: number) {
    this.sums = new Float64Array(context.grid.count + 1);
    this.counts = new Int32Array(context.grid.count + 1);
    this.cells = context.cells;
    this.divisor = divisor;
  }

  add(cell: number, value: number): void {
    const first = this.cells.firstStep[cell];
    const behind = this.cells.lastStep[cell] + 1;
    this.sums[first] += value;
    this.sums[behind] -= value;
    this.counts[first]++;
    this.counts[behind]--;
  }

  finish(column: Column): void {
    let [sum, count] = [0, 0];
    for (let k = 0; k < column.values.length; k++) {
      sum += this.sums[k];
      count += this.counts[k];
      if (count === 0) continue;
      column.values[k] = sum / this.divisor;
      column.present[k] = 1;
    }
  }
}

/** Visits each step with the range of entries (sorted by cell) that lie in its window; steps without any are left out. */
function eachWindow(
  entries: readonly number[],
  cells: Cells,
  steps: number,
  visit: (step: number, from: number, to: number) => void,
): void {
  let [from, to] = [0, 0];
  for (let k = 0; k < steps; k++) {
    while (to < entries.length && cells.firstStep[entries[to]] <= k) to++;
    while (from < to && cells.lastStep[entries[from]] < k) from++;
    if (from < to) visit(k, from, to);
  }
}

/** Functions that combine a window's samples from left to right with an associative step. */
class CellFold implements Accumulator {
  private readonly entries: number[] = [];
  private readonly folded: number[] = [];
  private readonly counts: number[] = [];
  private readonly result: (folded: number, count: number) => number;
  private readonly combine: (a: number, b: number) => number;

  constructor(result: (folded: number, count: number) => number, combine: (a: number, b: number) => number) {
    this.result = result;
    this.combine = combine;
  }

  add(cell: number, value: number): void {
    const last = this.entries.length - 1;
    if (last >= 0 && this.entries[last] === cell) {
      this.folded[last] = this.combine(this.folded[last], value);
      this.counts[last]++;
      return;
    }
    this.entries.push(cell);
    this.folded.push(value);
    this.counts.push(1);
  }

  finish(column: Column, cells: Cells): void {
    eachWindow(this.entries, cells, column.values.length, (k, from, to) => {
      let value = this.folded[from];
      let count = this.counts[from];
      for (let i = from + 1; i < to; i++) {
        value = this.combine(value, this.folded[i]);
        count += this.counts[i];
      }
      column.values[k] = this.result(value, count);
      column.present[k] = 1;
    });
  }
}

/** Population variance by Welford's method within a cell and Chan's between cells: no cancellation of large squares. */
class CellVariance implements Accumulator {
  private readonly entries: number[] = [];
  private readonly counts: number[] = [];
  private readonly means: number[] = [];
  private readonly squares: number[] = [];
  private readonly result: (variance: number) => number;

  constructor(result: (variance: number) => number) {
    this.result = result;
  }

  add(cell: number, value: number): void {
    let last = this.entries.length - 1;
    if (last < 0 || this.entries[last] !== cell) {
      this.entries.push(cell);
      this.counts.push(0);
      this.means.push(0);
      this.squares.push(0);
      last++;
    }
    const delta = value - this.means[last];
    this.means[last] += delta / ++this.counts[last];
    this.squares[last] += delta * (value - this.means[last]);
  }

  finish(column: Column, cells: Cells): void {
    eachWindow(this.entries, cells, column.values.length, (k, from, to) => {
      let [count, mean, squares] = [this.counts[from], this.means[from], this.squares[from]];
      for (let i = from + 1; i < to; i++) {
        const total = count + this.counts[i];
        const delta = this.means[i] - mean;
        squares += this.squares[i] + (delta * delta * count * this.counts[i]) / total;
        mean += (delta * this.counts[i]) / total;
        count = total;
      }
      column.values[k] = this.result(squares / count);
      column.present[k] = 1;
    });
  }
}

/** Functions that need every sample of a window; all series of a query together keep at most `maxSamples`. */
class Samples implements Accumulator {
  private readonly entries: number[] = [];
  private readonly values: number[] = [];
  private readonly times: bigint[] = [];
  private readonly context: AccumulatorContext;
  private readonly result: (values: readonly number[], times: readonly bigint[], endNs: bigint) => number | undefined;

  constructor(
    context: AccumulatorContext,
    result: (values: readonly number[], times: readonly bigint[], endNs: bigint) => number | undefined,
  ) {
    this.context = context;
    this.result = result;
  }

  add(cell: number, value: number, timeNs: bigint): void {
    const { limits, op } = this.context;
    if (++this.context.samples > limits.maxSamples) {
      throw limitError(
        `samples of ${op}`,
        `more than ${limits.maxSamples}`,
        limits.maxSamples,
        'use a shorter time range or a narrower selector',
      );
    }
    this.entries.push(cell);
    this.values.push(value);
    this.times.push(timeNs);
  }

  finish(column: Column, cells: Cells): void {
    eachWindow(this.entries, cells, column.values.length, (k, from, to) => {
      const { grid, offsetNs } = this.context;
      const endNs = grid.startNs + BigInt(k) * grid.stepNs - offsetNs;
      const value = this.result(this.values.slice(from, to), this.times.slice(from, to), endNs);
      if (value === undefined) return;
      column.values[k] = value;
      column.present[k] = 1;
    });
  }
}

/** φ-quantile with linear interpolation between closest ranks, as Prometheus: φ < 0 is −Inf, φ > 1 is +Inf. */
export function quantile(values: readonly number[], phi: number): number {
  if (values.length === 0 || Number.isNaN(phi)) return Number.NaN;
  if (phi < 0) return Number.NEGATIVE_INFINITY;
  if (phi > 1) return Number.POSITIVE_INFINITY;
  const sorted = Float64Array.from(values).sort();
  const rank = phi * (sorted.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - lower;
  return sorted[lower] * (1 - weight) + sorted[upper] * weight;
}

/**
 * The per-second increase of a counter, extrapolated to the window's ends by Prometheus's rule (`extrapolatedRate`):
 * to the end where the nearest sample is within 1.1 mean distances of it, else by half a mean distance; never below zero.
 * Fewer than two samples have no rate.
 */
export function counterRate(
  values: readonly number[],
  times: readonly bigint[],
  endNs: bigint,
  rangeNs: bigint,
): number | undefined {
  const last = values.length - 1;
  if (last < 1) return undefined;
  let increase = values[last] - values[0];
  for (let i = 1; i <= last; i++) if (values[i] < values[i - 1]) increase += values[i - 1];
  const toStart = Number(times[0] - (endNs - rangeNs)) / 1e9;
  const toEnd = Number(endNs - times[last]) / 1e9;
  const sampled = Number(times[last] - times[0]) / 1e9;
  if (sampled === 0) return undefined;
  const between = sampled / last;
  let before = toStart >= between * 1.1 ? between / 2 : toStart;
  const after = toEnd >= between * 1.1 ? between / 2 : toEnd;
  if (increase > 0 && values[0] >= 0) before = Math.min(before, sampled * (values[0] / increase));
  return (increase * ((sampled + before + after) / sampled)) / (Number(rangeNs) / 1e9);
}
