import { quantileOf, sortNanFirst } from './statistics.ts';

/** A larger share of new values than one in this many makes sorting anew cheaper than putting each in its place. */
const REBUILD_SHARE = 4;

/**
 * The values of a window in order while it slides: what leaves is taken out and what comes is put in place, so that a
 * step costs two searches and two moves of memory instead of sorting the window. NaN ranks below every number.
 */
export class SortedWindow {
  private readonly source: Float64Array;
  private readonly sorted: Float64Array;
  private from = 0;
  private to = 0;
  /** How many of the window's values are NaN; the numbers stand at the start of `sorted`. */
  private nans = 0;
  private numbers = 0;

  constructor(source: Float64Array) {
    this.source = source;
    this.sorted = new Float64Array(source.length);
  }

  /** Moves to the window of the samples from `from` up to but without `to`; neither goes back. */
  slide(from: number, to: number): void {
    const changed = from - this.from + (to - this.to);
    if (from >= this.to || changed * REBUILD_SHARE > to - from) this.rebuild(from, to);
    else {
      for (let i = this.from; i < from; i++) this.remove(this.source[i]);
      for (let i = this.to; i < to; i++) this.insert(this.source[i]);
    }
    this.from = from;
    this.to = to;
  }

  get size(): number {
    return this.nans + this.numbers;
  }

  get hasNan(): boolean {
    return this.nans > 0;
  }

  /** The φ-quantile; see `quantileOf`. */
  quantile(q: number): number {
    const { size } = this;
    if (size === 0 || Number.isNaN(q)) return Number.NaN;
    if (q < 0) return Number.NEGATIVE_INFINITY;
    if (q > 1) return Number.POSITIVE_INFINITY;
    const rank = q * (size - 1);
    const lower = Math.max(0, Math.floor(rank));
    const weight = rank - Math.floor(rank);
    return this.at(lower) * (1 - weight) + this.at(Math.min(size - 1, lower + 1)) * weight;
  }

  /** The median of the distances from the median; NaN where a value is. */
  medianDeviation(): number {
    if (this.hasNan) return Number.NaN;
    const median = this.quantile(0.5);
    const distances = this.sorted.slice(0, this.numbers);
    for (let i = 0; i < distances.length; i++) distances[i] = Math.abs(distances[i] - median);
    return quantileOf(0.5, distances);
  }

  private at(rank: number): number {
    return rank < this.nans ? Number.NaN : this.sorted[rank - this.nans];
  }

  private rebuild(from: number, to: number): void {
    const values = this.source.slice(from, to);
    this.nans = sortNanFirst(values);
    this.numbers = values.length - this.nans;
    this.sorted.set(values.subarray(this.nans));
  }

  private insert(value: number): void {
    if (Number.isNaN(value)) {
      this.nans++;
      return;
    }
    const place = this.placeOf(value);
    this.sorted.copyWithin(place + 1, place, this.numbers++);
    this.sorted[place] = value;
  }

  private remove(value: number): void {
    if (Number.isNaN(value)) {
      this.nans--;
      return;
    }
    const place = this.placeOf(value);
    this.sorted.copyWithin(place, place + 1, this.numbers--);
  }

  /** The first place whose number isn't below a value. */
  private placeOf(value: number): number {
    const { sorted } = this;
    let [low, high] = [0, this.numbers];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sorted[middle] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
