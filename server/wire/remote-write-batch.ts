import type { Exemplar, MetricMetadata, NativeHistogram } from '../model/index.ts';

/** A native histogram of one series at one time. */
export interface BatchHistogram {
  /** Index of its series in the batch. */
  readonly series: number;
  readonly timestampMs: number;
  /** Milliseconds since the epoch from which it counts; 0 where nobody said. */
  readonly startMs: number;
  readonly histogram: NativeHistogram;
}

/** An exemplar of one series. */
export interface BatchExemplar {
  /** Index of its series in the batch. */
  readonly series: number;
  readonly exemplar: Exemplar;
}

/** How much one request may hold. */
export interface BatchLimits {
  /** Default 1,000,000. */
  readonly maxSeries: number;
  /** Default 4,000,000; histograms and exemplars count as samples. */
  readonly maxSamples: number;
}

export const DEFAULT_BATCH_LIMITS: BatchLimits = { maxSeries: 1_000_000, maxSamples: 4_000_000 };

const INITIAL_SERIES = 1024;
const INITIAL_SAMPLES = 1024;
/** Larger room than this isn't kept for the next request. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

/**
 * One decoded write request as columns. A batch is reused: its arrays only grow (to the limits), and everything in it is
 * valid until the next request is decoded into it. Entries at and beyond the counts are left from earlier requests.
 *
 * `bytes` belongs to the caller of the decoder, who must not change it while the batch is used.
 */
export class WriteRequestBatch {
  readonly limits: BatchLimits;
  /** What label ranges point into: the decompressed body, or a longer copy where a sender scattered a series' labels. */
  bytes: Uint8Array = new Uint8Array(0);

  /** Room of the decoders that put label fields together themselves; kept from one request to the next. */
  labelSpace: Buffer = Buffer.alloc(0);

  seriesCount = 0;
  /** First byte of each series' label fields in `bytes`. The range is a run of `0x0a length Label`. */
  labelStart = new Uint32Array(INITIAL_SERIES);
  /** End of the range, exclusive; equal to the start where a series has no labels. */
  labelEnd = new Uint32Array(INITIAL_SERIES);

  /** Float samples, staleness markers included. */
  sampleCount = 0;
  /** Series of each sample, ascending. */
  sampleSeries = new Uint32Array(INITIAL_SAMPLES);
  /** Milliseconds since the epoch. */
  sampleTimestampMs = new Float64Array(INITIAL_SAMPLES);
  /** Values with the bits that were sent, so that staleness markers survive; see model/stale.ts. */
  sampleValue = new Float64Array(INITIAL_SAMPLES);
  /** The same memory as `sampleValue` as 32-bit words: low at 2i, high at 2i + 1. */
  sampleBits = new Uint32Array(this.sampleValue.buffer);

  /**
   * Milliseconds since the epoch from which each sample counts; 0 where nobody said. Only remote write 2.0 and scrapes
   * say it; `hasStarts` is false where every entry is 0.
   */
  sampleStartMs = new Float64Array(INITIAL_SAMPLES);
  hasStarts = false;

  /** Native histograms. One that is a staleness marker comes as a sample instead. */
  histograms: BatchHistogram[] = [];
  exemplars: BatchExemplar[] = [];
  metadata: MetricMetadata[] = [];

  constructor(limits: Partial<BatchLimits> = {}) {
    this.limits = { ...DEFAULT_BATCH_LIMITS, ...limits };
  }

  /** The label fields of a series as a view into `bytes`; the input of `parseSeriesLabels`. */
  labelBytes(series: number): Uint8Array {
    return this.bytes.subarray(this.labelStart[series], this.labelEnd[series]);
  }

  /** Empties the batch; the arrays are kept, references into a request are dropped. */
  clear(): void {
    this.bytes = new Uint8Array(0);
    if (this.labelSpace.length > MAX_KEPT_BYTES) this.labelSpace = Buffer.alloc(0);
    if (this.hasStarts) this.sampleStartMs.fill(0, 0, this.sampleCount);
    this.hasStarts = false;
    this.seriesCount = 0;
    this.sampleCount = 0;
    if (this.histograms.length > 0) this.histograms = [];
    if (this.exemplars.length > 0) this.exemplars = [];
    if (this.metadata.length > 0) this.metadata = [];
  }

  /** Makes room for one more series. */
  growSeries(): void {
    const size = this.labelStart.length * 2;
    this.labelStart = grow(this.labelStart, new Uint32Array(size));
    this.labelEnd = grow(this.labelEnd, new Uint32Array(size));
  }

  /** Makes room for one more sample. */
  growSamples(): void {
    const size = this.sampleSeries.length * 2;
    this.sampleSeries = grow(this.sampleSeries, new Uint32Array(size));
    this.sampleTimestampMs = grow(this.sampleTimestampMs, new Float64Array(size));
    this.sampleStartMs = grow(this.sampleStartMs, new Float64Array(size));
    const bits = grow(this.sampleBits, new Uint32Array(size * 2));
    // The values are copied as words: copying doubles may change the bits of a NaN.
    this.sampleBits = bits;
    this.sampleValue = new Float64Array(bits.buffer);
  }
}

/** Copies an array to the front of a longer one. */
export function grow<T extends Uint8Array<ArrayBuffer> | Uint32Array<ArrayBuffer> | Float64Array<ArrayBuffer>>(
  from: T,
  to: T,
): T {
  to.set(from);
  return to;
}
