import type { MetricsOp } from './ast.ts';
import { limitError } from './errors.ts';
import type { TraceSeries } from './metrics.ts';

/** What the series of one query share. */
export interface BucketRules {
  readonly op: MetricsOp;
  /** φ of `quantile_over_time`. */
  readonly params: readonly number[];
  /** Buckets, one a sample. */
  readonly count: number;
  /** Length of a bucket. */
  readonly seconds: number;
  /** Values that all series together keep, for quantiles. */
  readonly samples: { kept: number };
}

/** Values that quantiles may keep; one is 8 bytes. */
const MAX_SAMPLES = 5_000_000;

/** Collects the numbers of one series' spans by time. */
export class TimeBuckets {
  private readonly rules: BucketRules;
  private readonly counts: Float64Array;
  private readonly folded: Float64Array;
  /** Every value of a bucket, for quantiles. */
  private readonly values: Map<number, number[]> = new Map();
  /** Counts by the power of two that a value isn't above, for histograms. */
  private readonly powers: Map<number, Float64Array> = new Map();

  constructor(rules: BucketRules) {
    this.rules = rules;
    this.counts = new Float64Array(rules.count);
    this.folded = new Float64Array(rules.count).fill(Number.NaN);
  }

  /** Adds a span's number to a bucket. */
  add(bucket: number, value: number): void {
    if (bucket < 0 || bucket >= this.rules.count) return;
    this.counts[bucket]++;
    const before = this.folded[bucket];
    switch (this.rules.op) {
      case 'min_over_time':
        this.folded[bucket] = before < value ? before : value;
        return;
      case 'max_over_time':
        this.folded[bucket] = before > value ? before : value;
        return;
      case 'sum_over_time':
      case 'avg_over_time':
        this.folded[bucket] = Number.isNaN(before) ? value : before + value;
        return;
      case 'quantile_over_time':
        return this.keep(bucket, value);
      case 'histogram_over_time':
        return this.countPower(bucket, value);
      default:
    }
  }

  /** The series that the buckets make: one, or one for every quantile or power of two. */
  finish(labels: TraceSeries['labels']): TraceSeries[] {
    const { op, params, seconds } = this.rules;
    switch (op) {
      case 'rate':
        return [{ labels, values: this.counts.map((count) => count / seconds) }];
      case 'count_over_time':
        return [{ labels, values: this.counts }];
      case 'avg_over_time':
        return [{ labels, values: this.folded.map((sum, k) => sum / this.counts[k]) }];
      case 'quantile_over_time': {
        for (const values of this.values.values()) values.sort((a, b) => a - b);
        return params.map((phi) => ({
          labels: [...labels, { name: 'p', value: phi }],
          values: this.counts.map((_count, k) => quantileOfSorted(this.values.get(k) ?? [], phi)),
        }));
      }
      case 'histogram_over_time':
        return [...this.powers].map(([bound, values]) => ({
          labels: [...labels, { name: '__bucket', value: bound }],
          values,
        }));
      default:
        return [{ labels, values: this.folded }];
    }
  }

  private keep(bucket: number, value: number): void {
    if (++this.rules.samples.kept > MAX_SAMPLES) {
      throw limitError(
        'spans of quantile_over_time',
        `more than ${MAX_SAMPLES}`,
        MAX_SAMPLES,
        'use a shorter range or a narrower filter',
      );
    }
    const values = this.values.get(bucket);
    if (values) values.push(value);
    else this.values.set(bucket, [value]);
  }

  private countPower(bucket: number, value: number): void {
    const bound = value <= 0 ? 0 : 2 ** Math.ceil(Math.log2(value));
    let counts = this.powers.get(bound);
    if (counts === undefined) {
      counts = new Float64Array(this.rules.count);
      this.powers.set(bound, counts);
    }
    counts[bucket]++;
  }
}

/** Linear interpolation between closest ranks; `NaN` of nothing. */
function quantileOfSorted(sorted: readonly number[], phi: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = phi * (sorted.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(sorted.length - 1, lower + 1);
  return sorted[lower] + (sorted[upper] - sorted[lower]) * (rank - lower);
}
