import { BlockReader, type BlockSummary } from './block-file.ts';
import { decodeChunk, MAX_CHUNK_SAMPLES, sampleColumns } from './chunk-codec.ts';
import type { SampleBuffer } from './sample-buffer.ts';

/** The last sample of each series by time; of equal times the one that was noted last. */
export class LastSamples {
  private times = new Float64Array(4096).fill(Number.NEGATIVE_INFINITY);
  private values = new Float64Array(4096);

  /** Notes one sample. */
  note(series: number, timestampMs: number, value: number): void {
    if (series >= this.times.length) this.grow(series);
    if (timestampMs < this.times[series]) return;
    this.times[series] = timestampMs;
    this.values[series] = value;
  }

  /** Notes all samples of a buffer. */
  noteAll(samples: SampleBuffer): void {
    const { series, times, values, count } = samples;
    for (let row = 0; row < count; row++) this.note(series[row], times[row], values[row]);
  }

  /** Notes the last sample of each series in blocks, given in the order of their sequences, that is at or after `sinceMs`. */
  noteBlocks(blocks: readonly BlockSummary[], sinceMs: number): void {
    const columns = sampleColumns(MAX_CHUNK_SAMPLES);
    for (const { path, maxMs } of blocks) {
      if (maxMs < sinceMs) continue;
      const block = new BlockReader(path);
      const last: number[] = [];
      for (let chunk = 0; chunk < block.chunks; chunk++) {
        const isLast = block.series[chunk + 1] !== block.series[chunk];
        if (isLast && block.lastMs[chunk] >= sinceMs) last.push(chunk);
      }
      block.read(last, (chunk, words, at) => {
        const count = decodeChunk(words, at, columns, 0);
        this.note(block.series[chunk], columns.times[count - 1], columns.values[count - 1]);
      });
      block.close();
    }
  }

  /** Those at or after `sinceMs`. */
  *since(sinceMs: number): Generator<{ series: number; timestampMs: number; value: number }> {
    for (let series = 0; series < this.times.length; series++) {
      const timestampMs = this.times[series];
      if (timestampMs >= sinceMs) yield { series, timestampMs, value: this.values[series] };
    }
  }

  private grow(series: number): void {
    const capacity = Math.max(this.times.length * 2, series + 1);
    const times = new Float64Array(capacity).fill(Number.NEGATIVE_INFINITY);
    times.set(this.times);
    this.times = times;
    const values = new Float64Array(capacity);
    values.set(this.values);
    this.values = values;
  }
}
