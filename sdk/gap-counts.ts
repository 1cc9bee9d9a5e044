import { METRICS } from './generated/conventions.ts';

/** Upper bounds of the buckets in seconds, without +Inf. */
export const GAP_BOUNDS: readonly number[] = METRICS.inference_inter_token_latency_seconds.buckets!;
const BOUNDS = Float64Array.from(GAP_BOUNDS);

/**
 * Gaps between tokens as a histogram that costs a token no allocation: a pass over thirteen bounds and three additions.
 * OpenTelemetry's own `record` prints and hashes the attributes for every value, which a token can't afford.
 */
export class GapCounts {
  /** By bucket, the last one beyond all bounds. */
  readonly counts = new Float64Array(BOUNDS.length + 1);
  /** Seconds. */
  sum = Number.NaN;
  count = 0;

  constructor() {
    // NaN first, so that the engine stores the field as a double and writes it in place ever after.
    this.sum = 0;
  }

  /** Adds `times` gaps of this many seconds each. */
  add(seconds: number, times: number): void {
    let bucket = 0;
    while (bucket < BOUNDS.length && seconds > BOUNDS[bucket]) bucket++;
    this.counts[bucket] += times;
    this.sum += seconds * times;
    this.count += times;
  }

  /** Adds what another has counted. */
  merge(other: GapCounts): void {
    for (let bucket = 0; bucket < this.counts.length; bucket++) this.counts[bucket] += other.counts[bucket];
    this.sum += other.sum;
    this.count += other.count;
  }
}
