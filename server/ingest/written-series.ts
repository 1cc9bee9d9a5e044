import type { NativeHistogram } from '../model/index.ts';
import type { LastSample } from '../store/index.ts';
import { CLEAN_KEY } from './series-routes.ts';

/** Series of which the last histogram is remembered, at most. */
const MAX_HISTOGRAMS = 50_000;

/** The last histogram that was written of a series. */
export interface LastHistogram {
  readonly timestampMs: number;
  readonly histogram: NativeHistogram;
}

/**
 * What ingestion knows of each stored series, by its number: whether it is written as it comes or added up, how it feeds
 * the fleet level, and its last sample, from which an output goes on that others join later.
 */
export class WrittenSeries {
  /** The output of the aggregator that it is, plus one; 0 where it is written as it comes. */
  private outputs = new Uint32Array(4096);
  /** Its slot at the fleet level, plus one; 0 where it has none. */
  private fleetSlots = new Uint32Array(4096);
  private values = new Float64Array(4096);
  /** NaN where nothing was written. */
  private times = new Float64Array(4096).fill(Number.NaN);
  /** The hash by which its owner, the raw series that it is, is known; 0 and 0 for none. */
  private ownersHigh = new Uint32Array(4096);
  private ownersLow = new Uint32Array(4096);
  /** The longest unwritten first. */
  private readonly histograms = new Map<number, LastHistogram>();

  /** The output that a series is, or −1. */
  output(id: number): number {
    return id < this.outputs.length ? this.outputs[id] - 1 : -1;
  }

  setOutput(id: number, output: number): void {
    this.reserve(id);
    this.outputs[id] = output + 1;
  }

  hasOwner(id: number): boolean {
    return id < this.ownersHigh.length && (this.ownersHigh[id] !== 0 || this.ownersLow[id] !== 0);
  }

  isOwner(id: number, hi: number, lo: number): boolean {
    return this.hasOwner(id) && this.ownersHigh[id] === hi && this.ownersLow[id] === lo;
  }

  /** Says which raw series a stored one is. */
  setOwner(id: number, hi: number, lo: number): void {
    this.reserve(id);
    this.ownersHigh[id] = hi;
    this.ownersLow[id] = lo;
  }

  /** The hash by which an output knows the series as one of its inputs. */
  ownerHigh(id: number): number {
    return this.hasOwner(id) ? this.ownersHigh[id] : CLEAN_KEY;
  }

  ownerLow(id: number): number {
    return this.hasOwner(id) ? this.ownersLow[id] : CLEAN_KEY;
  }

  /** The slot by which a series feeds the fleet level, or −1. */
  fleetSlot(id: number): number {
    return id < this.fleetSlots.length ? this.fleetSlots[id] - 1 : -1;
  }

  setFleetSlot(id: number, slot: number): void {
    this.reserve(id);
    this.fleetSlots[id] = slot + 1;
  }

  /** Remembers the sample that was written last, and returns the time of the one before it, NaN for none. */
  noteSample(id: number, timestampMs: number, value: number): number {
    if (id >= this.times.length) this.reserve(id);
    const before = this.times[id];
    this.values[id] = value;
    this.times[id] = timestampMs;
    return before;
  }

  /** The last sample of a series, or `undefined`. */
  lastSample(id: number): LastSample | undefined {
    if (id >= this.times.length || Number.isNaN(this.times[id])) return undefined;
    return { series: id, timestampMs: this.times[id], value: this.values[id] };
  }

  /** Remembers the histogram that was written last. */
  noteHistogram(id: number, timestampMs: number, histogram: NativeHistogram): void {
    this.histograms.delete(id);
    this.histograms.set(id, { timestampMs, histogram });
    if (this.histograms.size <= MAX_HISTOGRAMS) return;
    const oldest = this.histograms.keys().next();
    if (!oldest.done) this.histograms.delete(oldest.value);
  }

  /** The last histogram of a series, or `undefined`. */
  lastHistogram(id: number): LastHistogram | undefined {
    return this.histograms.get(id);
  }

  private reserve(id: number): void {
    const known = this.outputs.length;
    if (id < known) return;
    const capacity = Math.max(known * 2, id + 1);
    this.outputs = copied(this.outputs, new Uint32Array(capacity));
    this.fleetSlots = copied(this.fleetSlots, new Uint32Array(capacity));
    this.ownersHigh = copied(this.ownersHigh, new Uint32Array(capacity));
    this.ownersLow = copied(this.ownersLow, new Uint32Array(capacity));
    this.values = copied(this.values, new Float64Array(capacity));
    this.times = copied(this.times, new Float64Array(capacity).fill(Number.NaN));
  }
}

function copied<T extends Uint32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
