import type { Labels, NativeHistogram } from '../../model/index.ts';
import type { VectorSeries } from './values.ts';

/** The values of one series at every step while they are written; see `VectorSeries`. */
export interface Column {
  readonly values: Float64Array;
  /** All 0 when the column is given out. */
  readonly has: Uint8Array;
  /** Made when the first histogram is written. */
  histograms: (NativeHistogram | undefined)[] | undefined;
}

/** Takes the series of a vector one after the other. What it gets may be overwritten afterwards. */
export type SeriesSink = (labels: Labels, dropName: boolean, column: Column) => void;

/** Where the columns that a producer writes come from. A column that wasn't kept is given out again. */
export interface ColumnSource {
  next(): Column;
}

/** One column for every series: for consumers that add up and keep nothing. */
export class ScratchColumn implements ColumnSource {
  private readonly column: Column;

  constructor(steps: number) {
    this.column = { values: new Float64Array(steps), has: new Uint8Array(steps), histograms: undefined };
  }

  next(): Column {
    this.column.has.fill(0);
    this.column.histograms = undefined;
    return this.column;
  }
}

/** Values in one block at least: a typed array costs more than what a few values need. */
const BLOCK_VALUES = 8192;

/** Columns that are parts of larger blocks of memory, and the series that were made of them. */
export class KeptColumns implements ColumnSource {
  readonly series: VectorSeries[] = [];
  private readonly steps: number;
  private readonly perBlock: number;
  private values = new Float64Array(0);
  private has = new Uint8Array(0);
  private used = 0;
  private left = 0;

  /** @param expected How many series there will be at most. */
  constructor(steps: number, expected: number) {
    this.steps = steps;
    this.perBlock = Math.max(1, Math.min(expected, Math.floor(BLOCK_VALUES / Math.max(1, steps))));
  }

  next(): Column {
    const { steps } = this;
    if (this.left === 0) {
      this.values = new Float64Array(steps * this.perBlock);
      this.has = new Uint8Array(steps * this.perBlock);
      this.used = 0;
      this.left = this.perBlock;
    }
    const [from, to] = [this.used, this.used + steps];
    return { values: this.values.subarray(from, to), has: this.has.subarray(from, to), histograms: undefined };
  }

  /** Keeps the column that `next` gave last as a series. */
  readonly sink: SeriesSink = (labels, dropName, { values, has, histograms }) => {
    this.series.push({ labels, values, has, histograms, dropName });
    this.used += this.steps;
    this.left--;
  };
}
