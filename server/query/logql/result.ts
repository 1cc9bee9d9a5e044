import type { Labels } from '../../model/index.ts';

/** A line of a log query's answer. */
export interface LogRow {
  /** Index labels that are left. */
  readonly stream: Labels;
  /** Structured metadata that is left. */
  readonly metadata: Labels;
  /** Labels that the pipeline made, `__error__` and `__error_details__` included. */
  readonly parsed: Labels;
  readonly timestampNs: bigint;
  readonly line: string;
}

/** A series of a metric query's answer: as many timestamps as values, ascending. */
export interface ResultSeries {
  readonly labels: Labels;
  /** Seconds since the epoch, with a fraction. */
  readonly seconds: readonly number[];
  readonly values: readonly number[];
}

/** What a query touched and how long it took. */
export interface LogqlStats {
  /** Lines that ran through a pipeline. */
  readonly lines: number;
  /** Their length in characters. */
  readonly characters: number;
  /** Entries of the answer: lines, or points. */
  readonly entries: number;
  readonly seconds: number;
}

/** A query's answer. */
export type LogResult =
  | { readonly kind: 'streams'; readonly rows: readonly LogRow[]; readonly stats: LogqlStats }
  | { readonly kind: 'matrix' | 'vector'; readonly series: readonly ResultSeries[]; readonly stats: LogqlStats }
  | { readonly kind: 'scalar'; readonly seconds: number; readonly value: number; readonly stats: LogqlStats };
