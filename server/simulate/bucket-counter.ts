/**
 * A classic histogram as a Prometheus client library keeps it: counts by upper bound, sum and count since it was made.
 * Its cost is a binary search, so it stands in the engine's inner loop.
 */
export class BucketCounter {
  /** Upper bounds without +Inf, rising. */
  readonly bounds: readonly number[];
  /** Observations by bucket, not cumulative; the last is above every bound. */
  readonly counts: Float64Array;
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  /** @param times How often the value was seen, a whole number. */
  observe(value: number, times = 1): void {
    let low = 0;
    let high = this.bounds.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (value <= this.bounds[middle]) high = middle;
      else low = middle + 1;
    }
    this.counts[low] += times;
    this.sum += value * times;
    this.count += times;
  }
}
