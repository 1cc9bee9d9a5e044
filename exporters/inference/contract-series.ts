import { formatNumber, type Label, seriesText } from '../exposition/index.ts';
import type { MetricName } from '../generated/conventions.ts';

/** A counter or gauge of the contract. */
export interface ScalarSeries {
  readonly kind: 'scalar';
  readonly metric: MetricName;
  readonly labels: readonly Label[];
  /** The series as the text format writes it, with a blank behind it. */
  readonly text: string;
  readonly slot: number;
}

/** A histogram of the contract. */
export interface HistogramSeries {
  readonly kind: 'histogram';
  readonly metric: MetricName;
  readonly labels: readonly Label[];
  /** By rising bound; the last bound is infinite. Values are cumulative. */
  readonly buckets: { readonly bound: number; readonly text: string; readonly slot: number }[];
  sum: { readonly text: string; readonly slot: number } | undefined;
  count: { readonly text: string; readonly slot: number } | undefined;
}

/** The contract's series that one target has given so far, as they are written; their numbers are held by slots. */
export class ContractSeries {
  readonly #scalars = new Map<MetricName, ScalarSeries[]>();
  readonly #histograms = new Map<MetricName, Map<string, HistogramSeries>>();

  scalars(metric: MetricName): readonly ScalarSeries[] {
    return this.#scalars.get(metric) ?? [];
  }

  histograms(metric: MetricName): Iterable<HistogramSeries> {
    return this.#histograms.get(metric)?.values() ?? [];
  }

  /** A new counter or gauge. */
  addScalar(metric: MetricName, labels: readonly Label[], slot: number): void {
    const list = this.#scalars.get(metric) ?? [];
    list.push({ kind: 'scalar', metric, labels, text: seriesText(metric, labels), slot });
    this.#scalars.set(metric, list);
  }

  /**
   * A new part of a histogram.
   * @param labelKey the labels as one text
   * @param bound of a bucket; its parts are kept by rising bound
   */
  addPart(
    metric: MetricName,
    labels: readonly Label[],
    labelKey: string,
    role: 'bucket' | 'sum' | 'count',
    bound: number | undefined,
    slot: number,
  ): void {
    const byLabels = this.#histograms.get(metric) ?? new Map<string, HistogramSeries>();
    this.#histograms.set(metric, byLabels);
    const histogram: HistogramSeries = byLabels.get(labelKey) ?? {
      kind: 'histogram',
      metric,
      labels,
      buckets: [],
      sum: undefined,
      count: undefined,
    };
    byLabels.set(labelKey, histogram);
    if (role !== 'bucket' || bound === undefined) {
      histogram[role === 'sum' ? 'sum' : 'count'] = { text: seriesText(`${metric}_${role}`, labels), slot };
      return;
    }
    const text = seriesText(`${metric}_bucket`, [...labels, ['le', formatNumber(bound)]]);
    const at = histogram.buckets.findIndex((bucket) => bucket.bound > bound);
    histogram.buckets.splice(at < 0 ? histogram.buckets.length : at, 0, { bound, text, slot });
  }
}
