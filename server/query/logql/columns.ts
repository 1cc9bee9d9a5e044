import { type Labels, labelsKey } from '../../model/index.ts';
import { limitError } from './errors.ts';
import type { LogqlLimits } from './limits.ts';

/** The steps of a query: `count` of them, the first at `startNs`, the next `stepNs` later; an instant query has one. */
export interface Grid {
  readonly startNs: bigint;
  readonly stepNs: bigint;
  readonly count: number;
}

/** One series over every step of the grid. */
export interface Column {
  /** Sorted; values may be empty. */
  readonly labels: Labels;
  readonly values: Float64Array;
  /** 1 where the series has a value, 0 where it has none. */
  readonly present: Uint8Array;
}

/** What a metric expression evaluates to: a number at every step, or series. */
export type Columns =
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'series'; readonly columns: readonly Column[] };

/** Makes a series without values. */
export function emptyColumn(labels: Labels, steps: number): Column {
  return { labels, values: new Float64Array(steps), present: new Uint8Array(steps) };
}

/** The series of a result under construction, found by their labels and counted against the limits. */
export class ColumnSet {
  readonly columns: Column[] = [];
  private readonly byLabels = new Map<string, Column>();
  private readonly steps: number;
  private readonly limits: LogqlLimits;

  constructor(steps: number, limits: LogqlLimits) {
    this.steps = steps;
    this.limits = limits;
  }

  /** The series with these labels, made if it is new. @throws BarographError `query_limit`. */
  at(labels: Labels): Column {
    const key = labelsKey(labels);
    let column = this.byLabels.get(key);
    if (column === undefined) {
      checkSeries(this.columns.length + 1, this.steps, this.limits);
      column = emptyColumn(labels, this.steps);
      this.byLabels.set(key, column);
      this.columns.push(column);
    }
    return column;
  }
}

/** Refuses a result that is too large. @throws BarographError `query_limit`. */
export function checkSeries(series: number, steps: number, limits: LogqlLimits): void {
  if (series > limits.maxSeries) {
    throw limitError(
      'series of a LogQL query',
      `more than ${limits.maxSeries}`,
      limits.maxSeries,
      'aggregate by fewer labels, or drop those that differ from line to line',
    );
  }
  if (series * steps > limits.maxPoints) {
    throw limitError(
      'points of a LogQL query (series × steps)',
      String(series * steps),
      limits.maxPoints,
      'use a longer step, a shorter time range or fewer series',
    );
  }
}
