import type { Span } from '../../model/index.ts';

/** A span that shows what a series is made of. */
export interface Exemplar {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  readonly spanName: string;
  readonly serviceName: string;
  readonly startNs: bigint;
  /** Index of the sample that counts the span. */
  readonly sample: number;
  /** What the span measured, in the unit of the series; on a series of counts the sample's value. */
  readonly value: number;
}

/** Exemplars of one stretch of time. */
const PER_SLOT = 2;

/** Keeps a few spans of a series, spread over its time: the first two that come of each stretch. */
export class ExemplarSampler {
  private readonly slots: Uint8Array;
  private readonly samples: number;
  private readonly exemplars: Exemplar[] = [];

  /** @param limit Exemplars at most; 0 keeps none. @param samples Samples of the series. */
  constructor(limit: number, samples: number) {
    this.slots = new Uint8Array(Math.min(samples, Math.ceil(limit / PER_SLOT)));
    this.samples = samples;
  }

  /** Takes the span where its stretch of time has room. `sample` is from 0 to below `samples`. */
  offer(sample: number, value: number, span: Span): void {
    if (this.slots.length === 0) return;
    const slot = Math.floor((sample * this.slots.length) / this.samples);
    if (this.slots[slot] >= PER_SLOT) return;
    this.slots[slot]++;
    const { traceId, spanId, name: spanName, serviceName, startNs } = span;
    this.exemplars.push({ traceId, spanId, spanName, serviceName, startNs, sample, value });
  }

  /** What was kept, or the part of it whose values pass. */
  kept(passes: (value: number) => boolean = () => true): Exemplar[] {
    return this.exemplars.filter(({ value }) => passes(value));
  }
}
