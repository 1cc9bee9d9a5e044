import { type Labels, labelsKey, METRIC_NAME, type NativeHistogram, withoutLabels } from '../../model/index.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';

/**
 * A series of a result as columns over the query's steps. `has[i]` says whether step i has a value; where
 * `histograms[i]` is set, that is the value and `values[i]` is meaningless. Columns are never written to once they were
 * given to somebody else: series share them.
 */
export interface VectorSeries {
  readonly labels: Labels;
  readonly values: Float64Array;
  readonly has: Uint8Array;
  readonly histograms: (NativeHistogram | undefined)[] | undefined;
  /** The metric's name is dropped when the query ends (delayed name removal). */
  readonly dropName: boolean;
}

/** What an expression is, over every step at once. */
export type Value =
  | { readonly kind: 'scalar'; readonly values: Float64Array }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'vector'; readonly series: VectorSeries[]; readonly sorted?: boolean };

export const NAME_ONLY: ReadonlySet<string> = new Set([METRIC_NAME]);

/** A new series without values. */
export function emptySeries(labels: Labels, steps: number, dropName = false): VectorSeries {
  return { labels, values: new Float64Array(steps), has: new Uint8Array(steps), histograms: undefined, dropName };
}

/** A new series without values that can take histograms. */
export function emptyHistogramSeries(labels: Labels, steps: number, dropName = false): HistogramSeries {
  return { ...emptySeries(labels, steps, dropName), histograms: new Array(steps) };
}

/** A series whose values may be histograms. */
export type HistogramSeries = VectorSeries & { histograms: (NativeHistogram | undefined)[] };

/** Whether a series has a value at any step. */
export function isEmptySeries(series: VectorSeries): boolean {
  return series.has.indexOf(1) < 0;
}

/** The series of a vector. */
export function vectorOf(value: Value | undefined): VectorSeries[] {
  if (value?.kind !== 'vector') throw executionError('BUG: a vector argument is not a vector');
  return value.series;
}

/** The values of a scalar by step. */
export function scalarOf(value: Value | undefined): Float64Array {
  if (value?.kind !== 'scalar') throw executionError('BUG: a scalar argument is not a scalar');
  return value.values;
}

/** The text of a string. */
export function textOf(value: Value | undefined): string {
  if (value?.kind !== 'string') throw executionError('BUG: a string argument is not a string');
  return value.value;
}

/** Labels and flag of a series whose metric name an operation drops: marked while removal is delayed, else removed. */
export function dropped(
  series: { readonly labels: Labels },
  context: EvaluationContext,
): { labels: Labels; dropName: boolean } {
  if (context.delayedNameRemoval) return { labels: series.labels, dropName: true };
  return { labels: withoutLabels(series.labels, NAME_ONLY), dropName: false };
}

/** Joins series whose labels became equal by a dropped name; while removal is delayed there are none yet. */
export function joinDropped(series: VectorSeries[], context: EvaluationContext): VectorSeries[] {
  return context.delayedNameRemoval ? series : mergeEqual(series);
}

/** Removes the names that were marked and joins the series that become equal. */
export function removeMarkedNames(series: VectorSeries[]): VectorSeries[] {
  if (!series.some((one) => one.dropName)) return series;
  return mergeEqual(
    series.map((one) =>
      one.dropName ? { ...one, labels: withoutLabels(one.labels, NAME_ONLY), dropName: false } : one,
    ),
  );
}

/**
 * Joins series of equal labels.
 * @throws BarographError `promql_execution` where two have a value at one step.
 */
export function mergeEqual(input: VectorSeries[]): VectorSeries[] {
  const byLabels = new Map<string, VectorSeries>();
  for (const series of input) {
    const key = labelsKey(series.labels);
    const known = byLabels.get(key);
    byLabels.set(key, known ? merged(known, series) : series);
  }
  return byLabels.size === input.length ? input : [...byLabels.values()];
}

function merged(a: VectorSeries, b: VectorSeries): VectorSeries {
  const steps = a.has.length;
  const out: VectorSeries = {
    labels: a.labels,
    values: a.values.slice(),
    has: a.has.slice(),
    histograms: a.histograms || b.histograms ? (a.histograms?.slice() ?? new Array(steps)) : undefined,
    dropName: a.dropName || b.dropName,
  };
  for (let i = 0; i < steps; i++) {
    if (!b.has[i]) continue;
    if (a.has[i]) throw executionError('vector cannot contain metrics with the same labelset');
    out.has[i] = 1;
    out.values[i] = b.values[i];
    if (out.histograms) out.histograms[i] = b.histograms?.[i];
  }
  return out;
}
