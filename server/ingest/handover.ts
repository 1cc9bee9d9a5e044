import type { Aggregator } from '../govern/index.ts';
import { setStale } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import type { LastHistogram, WrittenSeries } from './written-series.ts';

/** Where a raw series goes under one policy. */
export interface SeriesWay {
  /** Of a series that is stored as it is: its number; else −1. */
  readonly id: number;
  /** Its slot at the fleet level, or −1. */
  readonly fleetSlot: number;
  /** Of a series that is added up: the outputs; −1 for none. */
  readonly output: number;
  readonly fleetOutput: number;
  /** The hash of the raw labels, by which outputs know it. */
  readonly hi: number;
  readonly lo: number;
}

/** The way of a series that is stored as it is. */
export function cleanWay(id: number, fleetSlot: number, hi: number, lo: number): SeriesWay {
  return { id, fleetSlot, output: -1, fleetOutput: -1, hi, lo };
}

/** The way of a series that is added up. */
export function joinedWay(output: number, fleetOutput: number, hi: number, lo: number): SeriesWay {
  return { id: -1, fleetSlot: -1, output, fleetOutput, hi, lo };
}

interface Last {
  readonly value: number;
  readonly startMs: number;
  readonly timestampMs: number;
}

const STALE = new Uint32Array(2);
setStale(STALE, 0);

/**
 * Goes on with a raw series where another policy sends it: what it had counted up to then isn't counted again, neither in
 * the series that it joins nor at the fleet level, and the series that it was ends, so that no sum has it twice.
 */
export class Handover {
  private readonly store: Store;
  private readonly aggregator: Aggregator;
  private readonly written: WrittenSeries;

  constructor(store: Store, aggregator: Aggregator, written: WrittenSeries) {
    this.store = store;
    this.aggregator = aggregator;
    this.written = written;
  }

  /** Called once for each raw series, before its first sample under the new policy. */
  go(from: SeriesWay, to: SeriesWay): void {
    if (from.id === to.id && from.output === to.output && from.fleetOutput === to.fleetOutput) return;
    const histogram = from.id >= 0 ? this.written.lastHistogram(from.id) : undefined;
    const isMoved = from.id >= 0 ? from.id !== to.id : from.output !== to.output;
    const last = isMoved ? this.leave(from, histogram) : undefined;
    if (isMoved && to.output >= 0) this.enter(to.output, to, last, histogram);
    const fleetLast = this.leaveFleet(from, to) ?? last;
    if (to.fleetSlot >= 0 && fleetLast) {
      const { value, timestampMs, startMs } = fleetLast;
      this.aggregator.restoreSlotLast(to.fleetSlot, value, timestampMs, startMs);
    }
    if (to.fleetOutput >= 0 && to.fleetOutput !== from.fleetOutput) {
      this.enter(to.fleetOutput, to, fleetLast, histogram);
    }
  }

  /** Lets an output know what the series had counted. */
  private enter(
    output: number,
    { hi, lo }: SeriesWay,
    last: Last | undefined,
    histogram: LastHistogram | undefined,
  ): void {
    const { aggregator } = this;
    if (last) aggregator.restoreInput(output, hi, lo, last.value, last.startMs, last.timestampMs);
    if (!histogram) return;
    const slot = aggregator.inputByHash(output, hi, lo);
    aggregator.restoreSlotHistogram(slot, histogram.histogram, histogram.timestampMs);
  }

  /** Ends what the series was, and says its last value. */
  private leave(from: SeriesWay, histogram: LastHistogram | undefined): Last | undefined {
    const { aggregator, written } = this;
    if (from.id < 0) return from.output < 0 ? undefined : aggregator.endInput(from.output, from.hi, from.lo);
    const output = written.output(from.id);
    const [hi, lo] = [written.ownerHigh(from.id), written.ownerLow(from.id)];
    written.setOwner(from.id, 0, 0);
    if (output >= 0) return aggregator.endInput(output, hi, lo);
    const last = this.lastOf(from.id);
    const lastMs = Math.max(last?.timestampMs ?? 0, histogram?.timestampMs ?? 0);
    if (lastMs > 0) this.store.writer.buffer.pushSampleBits(from.id, lastMs + 1, STALE[0], STALE[1]);
    return last;
  }

  /** What the fleet level had counted of the series, where it counts on under another key; there it ends. */
  private leaveFleet(from: SeriesWay, to: SeriesWay): Last | undefined {
    if (from.id >= 0) return this.lastOf(from.id);
    if (from.fleetOutput < 0 || from.fleetOutput === to.fleetOutput) return undefined;
    return this.aggregator.endInput(from.fleetOutput, from.hi, from.lo);
  }

  private lastOf(id: number): Last | undefined {
    const last = this.written.lastSample(id);
    // A staleness marker is no value to go on from.
    return last && !Number.isNaN(last.value) ? { ...last, startMs: 0 } : undefined;
  }
}
