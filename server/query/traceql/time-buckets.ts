import type { Span } from '../../model/index.ts';
import type { MetricsOp } from './ast.ts';
import { limitError } from './errors.ts';
import { type Exemplar, ExemplarSampler } from './exemplars.ts';
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
  /** What a value is multiplied with in the answer: 1e-9 for durations, which are asked in nanoseconds and told in seconds. */
  readonly scale: number;
  /** Exemplars of one series at most. */
  readonly exemplars: number;
  /** What all series together keep. */
  readonly budget: Budget;
}

/** Numbers that a query's answer keeps while it is made; one is 8 bytes. */
const MAX_CELLS = 20_000_000;
/** Values that quantiles may keep; one is 8 bytes. */
const MAX_SAMPLES = 5_000_000;

/** Counts what a metrics query keeps, and ends the query where it is too much. */
export class Budget {
  private cells = 0;
  private samples = 0;

  /** Room for numbers of the answer. @throws BarographError `query_limit`. */
  takeCells(count: number): void {
    this.cells += count;
    if (this.cells <= MAX_CELLS) return;
    const fix = 'use a longer step, a shorter range, or group by fewer attributes';
    throw limitError('series times samples of a TraceQL query', `${this.cells}`, 'cells', MAX_CELLS, fix);
  }

  /** Room for a span's value. @throws BarographError `query_limit`. */
  takeSample(): void {
    if (++this.samples <= MAX_SAMPLES) return;
    const fix = 'use a shorter range or a narrower filter';
    throw limitError('spans of quantile_over_time', `${this.samples}`, 'samples', MAX_SAMPLES, fix);
  }
}

/** Collects the numbers of one series' spans by time. */
export class TimeBuckets {
  private readonly rules: BucketRules;
  private readonly counts: Float64Array;
  /** Minimum, maximum or sum of each bucket; empty where the function needs none. */
  private readonly folded: Float64Array;
  /** Every value of a bucket, for quantiles. */
  private readonly values: Map<number, number[]> = new Map();
  /** Counts by the power of two that a value isn't above, for histograms. */
  private readonly powers: Map<number, Float64Array> = new Map();
  private readonly exemplars: ExemplarSampler;

  constructor(rules: BucketRules) {
    const folds = FOLDING.has(rules.op);
    rules.budget.takeCells(folds ? 2 * rules.count : rules.count);
    this.rules = rules;
    this.counts = new Float64Array(rules.count);
    this.folded = new Float64Array(folds ? rules.count : 0).fill(Number.NaN);
    this.exemplars = new ExemplarSampler(rules.exemplars, rules.count);
  }

  /** Adds a span's number, not scaled, to a bucket. */
  add(bucket: number, value: number, span: Span): void {
    if (bucket < 0 || bucket >= this.rules.count) return;
    this.counts[bucket]++;
    this.exemplars.offer(bucket, value, span);
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
    const { op, params, seconds, scale } = this.rules;
    switch (op) {
      case 'rate':
        return [
          this.counted(
            labels,
            this.counts.map((count) => count / seconds),
          ),
        ];
      case 'count_over_time':
        return [this.counted(labels, this.counts)];
      case 'avg_over_time':
        return [
          this.measured(
            labels,
            this.folded.map((sum, k) => (sum / this.counts[k]) * scale),
          ),
        ];
      case 'quantile_over_time': {
        this.rules.budget.takeCells(this.rules.count * params.length);
        for (const values of this.values.values()) values.sort((a, b) => a - b);
        return params.map((phi) =>
          this.measured(
            [...labels, { name: 'p', value: phi, isFloat: true }],
            this.counts.map((_count, k) => quantileOfSorted(this.values.get(k) ?? [], phi) * scale),
          ),
        );
      }
      case 'histogram_over_time':
        return [...this.powers].map(([bound, values]) => ({
          labels: [...labels, { name: '__bucket', value: bound * scale, isFloat: true }],
          values,
          exemplars: this.exemplars
            .kept((value) => powerOf(value) === bound)
            .map((exemplar) => ({ ...exemplar, value: exemplar.value * scale })),
        }));
      default:
        return [
          this.measured(
            labels,
            this.folded.map((value) => value * scale),
          ),
        ];
    }
  }

  /** A series of counts: an exemplar has no value of its own, so it is drawn on the line. */
  private counted(labels: TraceSeries['labels'], values: Float64Array): TraceSeries {
    const exemplars = this.exemplars.kept().map((e): Exemplar => ({ ...e, value: values[e.sample] }));
    return { labels, values, exemplars };
  }

  /** A series of what spans measured, which their exemplars show. */
  private measured(labels: TraceSeries['labels'], values: Float64Array): TraceSeries {
    const { scale } = this.rules;
    return { labels, values, exemplars: this.exemplars.kept().map((e) => ({ ...e, value: e.value * scale })) };
  }

  private keep(bucket: number, value: number): void {
    this.rules.budget.takeSample();
    const values = this.values.get(bucket);
    if (values) values.push(value);
    else this.values.set(bucket, [value]);
  }

  private countPower(bucket: number, value: number): void {
    const bound = powerOf(value);
    let counts = this.powers.get(bound);
    if (counts === undefined) {
      this.rules.budget.takeCells(this.rules.count);
      counts = new Float64Array(this.rules.count);
      this.powers.set(bound, counts);
    }
    counts[bucket]++;
  }
}

const FOLDING: ReadonlySet<MetricsOp> = new Set(['min_over_time', 'max_over_time', 'sum_over_time', 'avg_over_time']);

/**
 * The power of two that a value isn't above, 0 for what isn't above 0. Tempo's buckets, which are powers of two of
 * nanoseconds for durations; it leaves values below 2 out, which are counted here.
 */
function powerOf(value: number): number {
  return value <= 0 ? 0 : 2 ** Math.ceil(Math.log2(value));
}

/** Linear interpolation between closest ranks; `NaN` of nothing. */
function quantileOfSorted(sorted: readonly number[], phi: number): number {
  if (sorted.length === 0) return Number.NaN;
  const rank = phi * (sorted.length - 1);
  const lower = Math.floor(rank);
  const upper = Math.min(sorted.length - 1, lower + 1);
  return sorted[lower] + (sorted[upper] - sorted[lower]) * (rank - lower);
}
