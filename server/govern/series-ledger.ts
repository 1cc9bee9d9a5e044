import { type Labels, labelsKey } from '../model/index.ts';
import type { Census } from './census/census.ts';
import type { GovernLimits } from './policy.ts';

/** The series that exist already, wherever they are kept. */
export interface KnownSeries {
  readonly size: number;
  has(labels: Labels): boolean;
}

const MINUTE_MS = 60_000;

/** Knows how many series are stored of each metric, and whether another one may be. */
export class SeriesLedger {
  /** Stored series by metric; a metric is here from its first judgement on. */
  private readonly metrics = new Map<string, number>();
  private known: KnownSeries = new SeenSeries();
  private readonly census: Census;
  private readonly nowMs: () => number;
  private minuteStartMs = Number.NEGATIVE_INFINITY;
  private newInMinute = 0;

  /** @param nowMs milliseconds of a clock that never goes back */
  constructor(census: Census, nowMs: () => number) {
    this.census = census;
    this.nowMs = nowMs;
  }

  /** Distinct metric names. */
  get metricCount(): number {
    return this.metrics.size;
  }

  hasMetric(base: string): boolean {
    return this.metrics.has(base);
  }

  /** From now on these are the series that exist, and `remember` says which are new; without it those admitted. */
  knowSeries(known: KnownSeries): void {
    this.known = known;
  }

  /** Counts a stored series: each at the start, and one that is new once it has its number. */
  remember(labels: Labels, base: string): void {
    this.metrics.set(base, (this.metrics.get(base) ?? 0) + 1);
    this.census.addStored(labels, base);
  }

  /**
   * Whether a series may be stored; one that is already may.
   * @param seriesPerMetric 0 for no limit
   * @returns Why it may not be, or `undefined`.
   */
  admit(
    labels: Labels,
    base: string,
    limits: GovernLimits,
    seriesPerMetric: number,
  ): { readonly code: string; readonly message: string } | undefined {
    const { known } = this;
    const ofMetric = this.metrics.get(base) ?? 0;
    const { series, newSeriesPerMinute } = limits;
    if (ofMetric === 0) this.metrics.set(base, 0);
    const isFull = (series > 0 && known.size >= series) || (seriesPerMetric > 0 && ofMetric >= seriesPerMetric);
    // Whoever keeps the series says which are new, so it matters here only where no new one may be.
    if (!(known instanceof SeenSeries) && !isFull && newSeriesPerMinute === 0) return undefined;
    if (known.has(labels)) return undefined;
    if (series > 0 && this.known.size >= series)
      return { code: 'too_many_series', message: `more than ${series} stored series (limits.series)` };
    if (seriesPerMetric > 0 && ofMetric >= seriesPerMetric) {
      const message = `more than ${seriesPerMetric} stored series of one metric (limits.series_per_metric)`;
      return { code: 'too_many_series_of_metric', message };
    }
    if (newSeriesPerMinute > 0 && !this.takeNew(newSeriesPerMinute)) {
      const message = `more than ${newSeriesPerMinute} new series in a minute (limits.new_series_per_minute)`;
      return { code: 'too_many_new_series', message };
    }
    if (known instanceof SeenSeries) {
      known.add(labels);
      this.remember(labels, base);
    }
    return undefined;
  }

  private takeNew(limit: number): boolean {
    const now = this.nowMs();
    if (now - this.minuteStartMs >= MINUTE_MS) {
      this.minuteStartMs = now;
      this.newInMinute = 0;
    }
    if (this.newInMinute >= limit) return false;
    this.newInMinute++;
    return true;
  }
}

/** The series that were admitted since the start, for a governor whose caller keeps none. */
class SeenSeries implements KnownSeries {
  private readonly keys = new Set<string>();

  get size(): number {
    return this.keys.size;
  }

  has(labels: Labels): boolean {
    return this.keys.has(labelsKey(labels));
  }

  add(labels: Labels): void {
    this.keys.add(labelsKey(labels));
  }
}
