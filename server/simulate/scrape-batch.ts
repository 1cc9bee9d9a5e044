import { bitsOf, type Labels, type MetricMetadata, setStale } from '../model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../wire/index.ts';
import type { Exposition } from './exposition.ts';

/** Collects scrapes until they are worth a remote write. The columns are reused from one request to the next. */
export class ScrapeBatch {
  #series: Labels[] = [];
  #metadata: MetricMetadata[] = [];
  /** Where an exposition's series begin in this request. */
  #bases = new Map<Exposition, number>();
  #described = new Set<string>();
  #sampleSeries = new Uint32Array(1 << 14);
  #sampleTimestampMs = new Float64Array(1 << 14);
  #sampleValue = new Float64Array(1 << 14);
  #count = 0;

  get sampleCount(): number {
    return this.#count;
  }

  /** Adds what a target exposes now. */
  add(exposition: Exposition, timestampMs: number): void {
    const values = exposition.read();
    const base = this.#place(exposition);
    this.#reserve(values.length);
    for (let i = 0; i < values.length; i++) {
      if (Number.isNaN(values[i])) continue;
      this.#sampleSeries[this.#count] = base + i;
      this.#sampleTimestampMs[this.#count] = timestampMs;
      this.#sampleValue[this.#count++] = values[i];
    }
  }

  /** Marks every series of a target that is gone as ended, as Prometheus does. */
  end(exposition: Exposition, timestampMs: number): void {
    const base = this.#place(exposition);
    this.#reserve(exposition.series.length);
    const bits = bitsOf(this.#sampleValue);
    for (let i = 0; i < exposition.series.length; i++) {
      this.#sampleSeries[this.#count] = base + i;
      this.#sampleTimestampMs[this.#count] = timestampMs;
      setStale(bits, this.#count++);
    }
  }

  /** The compressed request with everything added since the last call, and how many samples it holds. */
  take(): { body: Uint8Array; samples: number } {
    const samples = this.#count;
    const body = snappyCompress(
      encodeWriteRequest({
        series: this.#series,
        sampleCount: samples,
        sampleSeries: this.#sampleSeries,
        sampleTimestampMs: this.#sampleTimestampMs,
        sampleValue: this.#sampleValue,
        metadata: this.#metadata,
      }),
    );
    this.#series = [];
    this.#metadata = [];
    this.#bases = new Map();
    this.#count = 0;
    return { body, samples };
  }

  #place(exposition: Exposition): number {
    const known = this.#bases.get(exposition);
    if (known !== undefined) return known;
    const base = this.#series.length;
    this.#bases.set(exposition, base);
    for (const labels of exposition.series) this.#series.push(labels);
    for (const metadata of exposition.metadata) {
      if (this.#described.has(metadata.metric)) continue;
      this.#described.add(metadata.metric);
      this.#metadata.push(metadata);
    }
    return base;
  }

  #reserve(more: number): void {
    const needed = this.#count + more;
    if (needed <= this.#sampleSeries.length) return;
    const length = Math.max(needed, this.#sampleSeries.length * 2);
    const series = new Uint32Array(length);
    const timestamps = new Float64Array(length);
    const values = new Float64Array(length);
    series.set(this.#sampleSeries);
    timestamps.set(this.#sampleTimestampMs);
    // Bits are copied, so that staleness markers survive.
    bitsOf(values).set(bitsOf(this.#sampleValue));
    this.#sampleSeries = series;
    this.#sampleTimestampMs = timestamps;
    this.#sampleValue = values;
  }
}
