import { CHUNK_ROWS } from '../columns.ts';

/** Samples that wait for a commit, in the order in which they came. */
export class SampleBuffer {
  /** Samples pushed so far; the arrays may be longer. */
  count = 0;
  series = new Uint32Array(0);
  /** Milliseconds since the epoch, whole. */
  times = new Float64Array(0);
  values = new Float64Array(0);
  /** The memory of `values` as words, two a value, so that a NaN's payload survives. */
  valueWords = new Uint32Array(0);

  /** One sample. The value must not be a NaN whose bits matter; see `pushBits`. */
  push(series: number, timestampMs: number, value: number): void {
    const row = this.next();
    this.series[row] = series;
    this.times[row] = timestampMs;
    this.values[row] = value;
  }

  /** One sample whose value is given as the two halves of its bits. */
  pushBits(series: number, timestampMs: number, low: number, high: number): void {
    const row = this.next();
    this.series[row] = series;
    this.times[row] = timestampMs;
    this.valueWords[2 * row] = low;
    this.valueWords[2 * row + 1] = high;
  }

  /** Forgets the samples and keeps the memory. */
  reset(): void {
    this.count = 0;
  }

  private next(): number {
    if (this.count === this.series.length) this.grow();
    return this.count++;
  }

  private grow(): void {
    const capacity = Math.max(CHUNK_ROWS, this.series.length * 2);
    const series = new Uint32Array(capacity);
    series.set(this.series);
    this.series = series;
    const times = new Float64Array(capacity);
    times.set(this.times);
    this.times = times;
    const words = new Uint32Array(capacity * 2);
    words.set(this.valueWords);
    this.valueWords = words;
    this.values = new Float64Array(words.buffer);
  }
}
