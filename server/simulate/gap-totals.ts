import { METRICS } from '../model/generated/conventions.ts';
import { BucketCounter } from './bucket-counter.ts';
import type { EngineMetrics } from './engine-metrics.ts';
import type { Deployment, Replica } from './fleet.ts';

/** What was taken over from an engine's process so far. */
interface Taken {
  readonly metrics: EngineMetrics;
  /** The model version that the process served. */
  readonly version: string;
  readonly counts: Float64Array[];
  readonly sums: number[];
}

/**
 * The gaps between tokens that a gateway has seen, by model version and tier, since it started. A gateway sees every chunk go by; the
 * simulation counts them in the engines, whose counters begin anew with each process, so increases are added up.
 */
export class GapTotals {
  /** A counter for each tier, by model version. */
  readonly byVersion = new Map<string, readonly BucketCounter[]>();
  readonly #tierCount: number;
  readonly #deployment: Deployment;
  readonly #taken = new Map<Replica, Taken>();

  constructor(deployment: Deployment, tierCount: number) {
    this.#tierCount = tierCount;
    this.#deployment = deployment;
  }

  /** Takes over what has happened since the last call. */
  update(): void {
    for (const replica of this.#deployment.replicas) {
      let taken = this.#taken.get(replica);
      // A process that has ended keeps its last counts, so nothing of them is lost.
      if (taken && taken.metrics !== replica.engine.metrics) {
        this.#add(taken);
        taken = undefined;
      }
      if (!taken) {
        const { metrics } = replica.engine;
        const { gapsByTier } = metrics;
        taken = {
          metrics,
          version: replica.model.version,
          counts: gapsByTier.map((gaps) => new Float64Array(gaps.counts.length)),
          sums: gapsByTier.map(() => 0),
        };
        this.#taken.set(replica, taken);
      }
      this.#add(taken);
    }
  }

  #add(taken: Taken): void {
    const totals = this.#totalsOf(taken.version);
    for (let tier = 0; tier < this.#tierCount; tier++) {
      const from = taken.metrics.gapsByTier[tier];
      const into = totals[tier];
      const counts = taken.counts[tier];
      for (let i = 0; i < counts.length; i++) {
        const increase = from.counts[i] - counts[i];
        into.counts[i] += increase;
        into.count += increase;
        counts[i] = from.counts[i];
      }
      into.sum += from.sum - taken.sums[tier];
      taken.sums[tier] = from.sum;
    }
  }

  #totalsOf(version: string): readonly BucketCounter[] {
    let totals = this.byVersion.get(version);
    if (!totals) {
      const bounds = METRICS.inference_inter_token_latency_seconds.buckets!;
      totals = Array.from({ length: this.#tierCount }, () => new BucketCounter(bounds));
      this.byVersion.set(version, totals);
    }
    return totals;
  }
}
