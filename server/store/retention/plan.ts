import { type Floors, perSignal, SIGNALS, type Signal } from '../signals.ts';
import type { RetentionSettings } from './settings.ts';

/** A part of a signal that only goes as a whole, such as its samples in one block. */
export interface Piece {
  /** The last millisecond in it. */
  readonly maxMs: number;
  readonly bytes: number;
}

/** How much there is of a signal. */
export interface SignalSize {
  readonly bytes: number;
  /** The first millisecond; `undefined` where there is nothing. */
  readonly oldestMs: number | undefined;
  /** Its parts by their last millisecond, where it has such; else it counts as spread evenly over its time. */
  readonly pieces?: readonly Piece[];
}

/** What is there, to be planned for. */
export interface Sizes {
  readonly signals: Readonly<Record<Signal, SignalSize>>;
  /** Bytes that belong to no signal: journals, the write-ahead log, names of series. */
  readonly otherBytes: number;
}

/** So much of every signal is kept whatever its size, milliseconds: what is going on now can always be looked at. */
const ALWAYS_KEPT_MS = 3_600_000;
/** A signal without pieces loses this part of its time in one step. */
const STEPS = 32;
/** Lost last, and only once nothing else is left to lose. */
const LAST: readonly Signal[] = ['fleet', 'fleet_histograms'];

/** What is left of one signal while a plan is made. */
class Remaining {
  readonly signal: Signal;
  floorMs: number;
  bytes: number;
  private readonly pieces: Piece[] | undefined;
  private readonly endMs: number;

  constructor(signal: Signal, { bytes, oldestMs, pieces }: SignalSize, floorMs: number, nowMs: number) {
    this.signal = signal;
    this.floorMs = floorMs;
    this.endMs = nowMs - ALWAYS_KEPT_MS;
    this.pieces = pieces?.filter(({ maxMs }) => maxMs >= floorMs).sort((a, b) => a.maxMs - b.maxMs);
    if (this.pieces) {
      this.bytes = this.pieces.reduce((sum, piece) => sum + piece.bytes, 0);
    } else {
      const start = oldestMs ?? nowMs;
      // What the floor leaves, of what is spread evenly from the oldest to now.
      const left = start >= floorMs ? 1 : Math.max(0, nowMs - floorMs) / Math.max(1, nowMs - start);
      this.bytes = oldestMs === undefined ? 0 : bytes * left;
      this.floorMs = Math.max(floorMs, start);
      this.startMs = this.floorMs;
      this.perMs = this.bytes / Math.max(1, nowMs - this.floorMs);
    }
  }

  private readonly startMs: number = 0;
  private readonly perMs: number = 0;

  /** Gives up its oldest part; says whether there was one. */
  shed(): boolean {
    if (this.pieces) {
      const [oldest] = this.pieces;
      if (!oldest || oldest.maxMs >= this.endMs) return false;
      this.pieces.shift();
      this.bytes -= oldest.bytes;
      this.floorMs = oldest.maxMs + 1;
      return true;
    }
    if (this.bytes <= 0 || this.floorMs >= this.endMs) return false;
    const step = Math.max(1000, (this.endMs - this.startMs) / STEPS);
    const next = Math.min(this.endMs, Math.ceil(this.floorMs + step));
    this.bytes -= (next - this.floorMs) * this.perMs;
    this.floorMs = next;
    return true;
  }
}

/**
 * The floors by age and by size. By age each signal has its own. By size a signal that is over its limit loses its oldest
 * part; where all together are over theirs, the one that takes most bytes does, again and again, and the fleet level only
 * when the others have nothing left to lose. The last hour is always kept.
 * @param before the floors of the run before: what was once given up for its size doesn't come back.
 */
export function planFloors(settings: RetentionSettings, sizes: Sizes, before: Floors, nowMs: number): Floors {
  const all = SIGNALS.map((signal) => {
    const floorMs = Math.max(before[signal], nowMs - settings.rules[signal].ageMs);
    return { signal, floorMs, left: new Remaining(signal, sizes.signals[signal], floorMs, nowMs) };
  });
  const shed = new Set<Remaining>();
  const shedOf = (left: Remaining): boolean => {
    const did = left.shed();
    if (did) shed.add(left);
    return did;
  };
  for (const { signal, left } of all) while (left.bytes > settings.rules[signal].maxBytes && shedOf(left));
  const total = () => all.reduce((sum, { left }) => sum + left.bytes, sizes.otherBytes);
  while (total() > settings.maxBytes) {
    const bySize = all.map(({ left }) => left).sort((a, b) => b.bytes - a.bytes);
    const inOrder = [
      ...bySize.filter(({ signal }) => !LAST.includes(signal)),
      ...bySize.filter(({ signal }) => LAST.includes(signal)),
    ];
    if (!inOrder.some(shedOf)) break;
  }
  const floors = new Map(all.map(({ signal, floorMs, left }) => [signal, shed.has(left) ? left.floorMs : floorMs]));
  return perSignal((signal) => floors.get(signal) ?? Number.NEGATIVE_INFINITY);
}
