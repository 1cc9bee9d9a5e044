import { type SampleColumns, sampleColumns } from './chunk-codec.ts';

/** Samples for which memory is kept from one query to the next: 64 MiB. */
const MAX_KEPT_SAMPLES = 4 * 1024 * 1024;
/** Less isn't allocated. */
const MIN_SAMPLES = 64 * 1024;

/**
 * Memory for the samples of one query after the other. Large arrays that are made for each query cost as much as half of
 * their decoding: they are filled with zeros, and they make the collector run.
 */
export class ColumnSpace {
  private columns = sampleColumns(0);
  private used = 0;

  /** Columns for `count` samples, whose contents are undefined; they stay as they are until `reuse`. */
  take(count: number): SampleColumns {
    const { times, values } = this.columns;
    if (this.used + count > times.length || values.length === 0) {
      // What was handed out is left to whoever has it.
      this.columns = sampleColumns(Math.max(count, MIN_SAMPLES, Math.min(2 * times.length, MAX_KEPT_SAMPLES)));
      this.used = 0;
    }
    const from = this.used;
    this.used += count;
    const end = this.used;
    return {
      times: this.columns.times.subarray(from, end),
      timeWords: this.columns.timeWords.subarray(2 * from, 2 * end),
      values: this.columns.values.subarray(from, end),
      valueWords: this.columns.valueWords.subarray(2 * from, 2 * end),
    };
  }

  /** Says that nobody needs what was handed out so far. */
  reuse(): void {
    this.used = 0;
    if (this.columns.times.length > MAX_KEPT_SAMPLES) this.columns = sampleColumns(0);
  }
}
