import type { Attributes } from '@opentelemetry/api';
import { METRICS, type MetricName } from './generated/conventions.ts';

/** Something that values are recorded in; which series it is was settled when it was made. */
export interface BoundHistogram {
  record(value: number, context: unknown): void;
}

/** A histogram of one series that the SDK keeps itself. */
export type OwnHistogram = ClassicHistogram | ExponentialHistogram;

/**
 * A histogram by the contract's own buckets. OpenTelemetry's `record` sorts, prints and hashes the attributes for every
 * value, about 2 µs; here a value costs a pass over its bounds.
 */
export class ClassicHistogram implements BoundHistogram {
  readonly kind = 'classic';
  readonly name: MetricName;
  readonly attributes: Attributes;
  /** Upper bounds, inclusive, without +Inf. */
  readonly bounds: readonly number[];
  /** By bucket, the last one beyond all bounds. */
  readonly counts: Float64Array;
  count = 0;
  sum = 0;

  constructor(name: MetricName, attributes: Attributes) {
    this.name = name;
    this.attributes = attributes;
    this.bounds = METRICS[name].buckets!;
    this.counts = new Float64Array(this.bounds.length + 1);
  }

  record(value: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > this.bounds[bucket]) bucket++;
    this.counts[bucket]++;
    this.count++;
    this.sum += value;
  }
}

/** Buckets for each doubling are 2^SCALE, which keeps values to 4.4 %. */
const SCALE = 3;
const PER_DOUBLING = 2 ** SCALE;
/** Exponents of the lowest and highest buckets: 6e-8 to 1e9 bounds seconds, scores and tokens. */
const LOWEST = -24 * PER_DOUBLING;
const HIGHEST = 30 * PER_DOUBLING - 1;

/** A native histogram, for metrics that the contract asks no classic buckets for. */
export class ExponentialHistogram implements BoundHistogram {
  readonly kind = 'exponential';
  readonly name: MetricName;
  readonly attributes: Attributes;
  readonly scale = SCALE;
  zeroCount = 0;
  count = 0;
  sum = 0;
  /** The index of the first of `counts`: bucket i holds values from 2^(i/8), exclusive, to 2^((i+1)/8), inclusive. */
  offset = 0;
  counts: number[] = [];

  constructor(name: MetricName, attributes: Attributes) {
    this.name = name;
    this.attributes = attributes;
  }

  record(value: number): void {
    this.count++;
    this.sum += value;
    if (value <= 0) {
      this.zeroCount++;
      return;
    }
    const index = Math.min(HIGHEST, Math.max(LOWEST, Math.ceil(Math.log2(value) * PER_DOUBLING) - 1));
    if (this.counts.length === 0) this.offset = index;
    while (index < this.offset) {
      this.counts.unshift(0);
      this.offset--;
    }
    const at = index - this.offset;
    while (this.counts.length <= at) this.counts.push(0);
    this.counts[at]++;
  }
}

/** A histogram in the form that the contract has for its metric. */
export function createOwnHistogram(name: MetricName, attributes: Attributes): OwnHistogram {
  return METRICS[name].classic ? new ClassicHistogram(name, attributes) : new ExponentialHistogram(name, attributes);
}
