import { type Labels, labelsFromRecord, METRIC_NAME, type MetricMetadata, type MetricType } from '../model/index.ts';
import type { BucketCounter } from './bucket-counter.ts';

/** Labels that one sample has beyond its target's. */
export type ExtraLabels = Readonly<Record<string, string>>;

const NONE: ExtraLabels = {};

/**
 * What a scrape target exposes: its series, made once, and how to read each one's value. A value that can't be read is
 * NaN and left out of the scrape.
 */
export class Exposition {
  readonly series: Labels[] = [];
  readonly metadata: MetricMetadata[] = [];
  readonly #target: ExtraLabels;
  readonly #readers: ((values: Float64Array) => void)[] = [];
  #values = new Float64Array(0);

  /** @param target Labels of every series: `job`, `instance` and what relabelling added. */
  constructor(target: ExtraLabels) {
    this.#target = target;
  }

  gauge(name: string, help: string, read: () => number, extra: ExtraLabels = NONE): void {
    this.#value('gauge', name, help, read, extra);
  }

  /** @param name With its suffix `_total`, if the exporter gives it one. */
  counter(name: string, help: string, read: () => number, extra: ExtraLabels = NONE): void {
    this.#value('counter', name, help, read, extra);
  }

  /** A classic histogram: `_bucket` for each bound and +Inf, `_sum`, `_count`. */
  histogram(name: string, help: string, read: () => BucketCounter, extra: ExtraLabels = NONE): void {
    this.#describe('histogram', name, help);
    const first = this.series.length;
    const { bounds } = read();
    for (const bound of bounds) this.#add(`${name}_bucket`, { ...extra, le: formatBound(bound) });
    this.#add(`${name}_bucket`, { ...extra, le: '+Inf' });
    this.#add(`${name}_sum`, extra);
    this.#add(`${name}_count`, extra);
    this.#readers.push((values) => {
      const counter = read();
      let total = 0;
      for (let i = 0; i <= bounds.length; i++) {
        total += counter.counts[i];
        values[first + i] = total;
      }
      values[first + bounds.length + 1] = counter.sum;
      values[first + bounds.length + 2] = counter.count;
    });
  }

  /** The values now, one for each series; valid until the next call. */
  read(): Float64Array {
    if (this.#values.length !== this.series.length) this.#values = new Float64Array(this.series.length);
    for (const read of this.#readers) read(this.#values);
    return this.#values;
  }

  #value(type: MetricType, name: string, help: string, read: () => number, extra: ExtraLabels): void {
    this.#describe(type, name, help);
    const index = this.#add(name, extra);
    this.#readers.push((values) => {
      values[index] = read();
    });
  }

  #describe(type: MetricType, metric: string, help: string): void {
    if (this.metadata.at(-1)?.metric !== metric) this.metadata.push({ metric, type, help, unit: '' });
  }

  #add(name: string, extra: ExtraLabels): number {
    this.series.push(labelsFromRecord({ ...this.#target, ...extra, [METRIC_NAME]: name }));
    return this.series.length - 1;
  }
}

/** A bound as prometheus_client writes it: whole numbers keep a decimal. */
function formatBound(bound: number): string {
  return Number.isInteger(bound) ? `${bound}.0` : String(bound);
}
