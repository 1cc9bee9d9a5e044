import { BarographError } from '../../model/index.ts';
import type { Position } from './ast.ts';
import { lineColumn } from './errors.ts';

/** Bounds of one evaluation. */
export interface EvaluationLimits {
  /** Samples (read and intermediate) that one query may hold at a time. A native histogram counts by its buckets. */
  readonly maxSamples: number;
  /** Wall-clock milliseconds. */
  readonly timeoutMs: number;
}

/** Prometheus's defaults: 50 million samples and two minutes. */
export const DEFAULT_EVALUATION_LIMITS: EvaluationLimits = { maxSamples: 50_000_000, timeoutMs: 120_000 };

/** Values looked at between two looks at the clock: some milliseconds of the slowest work on floats. */
const WORK_BETWEEN_CHECKS = 100_000;
/** What a call of `tick` counts as by itself, for labels, allocation and the like. */
const TICK_WORK = 500;

/** What the evaluation of one query shares: its text, limits and annotations. */
export class EvaluationContext {
  /** Whether a dropped metric name is only marked until the end, so that `label_replace` can still read it. */
  readonly delayedNameRemoval: boolean;
  readonly warnings = new Set<string>();
  readonly infos = new Set<string>();
  private readonly query: string;
  private readonly limits: EvaluationLimits;
  private readonly deadline: number;
  private readonly isCancelled: () => boolean;
  private readonly told = new Map<Position, Set<string>>();
  private samples = 0;
  private peak = 0;
  private work = 0;
  /** Where else the expression under evaluation stands in the text, as distances from its first place. */
  private shifts: readonly number[] = [0];

  constructor(parts: {
    query: string;
    limits: EvaluationLimits;
    delayedNameRemoval: boolean;
    isCancelled: () => boolean;
  }) {
    this.query = parts.query;
    this.limits = parts.limits;
    this.delayedNameRemoval = parts.delayedNameRemoval;
    this.isCancelled = parts.isCancelled;
    this.deadline = performance.now() + parts.limits.timeoutMs;
  }

  /**
   * Counts samples that the evaluation now holds, and notices a passed deadline or a cancelled request.
   * @throws BarographError `query_limit`, `timeout`, `cancelled`.
   */
  charge(samples: number): void {
    this.samples += samples;
    if (this.samples > this.peak) this.peak = this.samples;
    if (this.samples > this.limits.maxSamples) {
      throw new BarographError({
        code: 'query_limit',
        status: 422,
        where: 'query',
        got: `${this.samples} samples while evaluating`,
        accepted: `at most ${this.limits.maxSamples}`,
        fix: 'add matchers, aggregate earlier, use a longer step, or raise query.max_samples',
      });
    }
    this.tick(samples);
  }

  /** The most samples that were held at one time so far. */
  get peakSamples(): number {
    return this.peak;
  }

  /** Says that samples counted by `charge` are no longer held. */
  release(samples: number): void {
    this.samples -= samples;
  }

  /**
   * Stands in every loop that may be long, and notices a passed deadline or a cancelled request now and then.
   * @param work How much was or will be done until the next call, in values looked at; a call itself counts as some.
   */
  tick(work = 1): void {
    this.work += work + TICK_WORK;
    if (this.work < WORK_BETWEEN_CHECKS) return;
    this.work = 0;
    this.checkTime();
  }

  /** Whether the request was cancelled. */
  isStopped(): boolean {
    return this.isCancelled();
  }

  /** @throws BarographError `timeout`, `cancelled`. */
  checkTime(): void {
    if (this.isCancelled()) {
      throw new BarographError({ code: 'cancelled', status: 499, where: 'query', got: 'a cancelled request' });
    }
    if (performance.now() > this.deadline) {
      throw new BarographError({
        code: 'timeout',
        status: 503,
        where: 'query',
        got: `more than ${this.limits.timeoutMs} ms`,
        fix: 'narrow the query or raise query.timeout_ms',
      });
    }
  }

  warn(message: string, position: Position): void {
    this.annotate(this.warnings, `PromQL warning: ${message}`, position);
  }

  info(message: string, position: Position): void {
    this.annotate(this.infos, `PromQL info: ${message}`, position);
  }

  /** Runs `evaluate` for an expression that stands in several places, so that its annotations name each of them. */
  at<T>(shifts: readonly number[], evaluate: () => T): T {
    if (shifts.length === 1) return evaluate();
    const outer = this.shifts;
    this.shifts = outer.flatMap((base) => shifts.map((shift) => base + shift));
    try {
      return evaluate();
    } finally {
      this.shifts = outer;
    }
  }

  private annotate(notes: Set<string>, message: string, position: Position): void {
    // The same remark may be made for every value of thousands of series.
    let told = this.told.get(position);
    if (!told) this.told.set(position, (told = new Set()));
    if (told.has(message)) return;
    told.add(message);
    for (const shift of this.shifts) notes.add(`${message} (${lineColumn(this.query, position.start + shift)})`);
  }
}

/** Adds the metric's name to a message where it is known. */
export function forMetric(message: string, metric: string): string {
  return metric === '' ? message : `${message} for metric name ${JSON.stringify(metric)}`;
}
