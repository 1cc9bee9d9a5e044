/** An entry of a heavy hitter's list. */
export interface Hitter {
  readonly value: string;
  /** At least as often as this it was counted, less `error`. */
  readonly count: number;
  /** By how much the count may be too high; 0 while there are no more values than places. */
  readonly error: number;
}

/**
 * The values that come most often, in a fixed number of places (the Space-Saving algorithm): a value that finds no place
 * takes that of the rarest one, with its count as the possible error. Every value that makes up more than one in
 * `places` is in the list.
 */
export class HeavyHitters {
  private readonly counts = new Map<string, { count: number; error: number }>();
  private readonly places: number;

  constructor(places: number) {
    this.places = places;
  }

  /** Counts a value. @param times how often; default once. */
  add(value: string, times = 1): void {
    const known = this.counts.get(value);
    if (known) {
      known.count += times;
      return;
    }
    if (this.counts.size < this.places) {
      this.counts.set(value, { count: times, error: 0 });
      return;
    }
    let rarest = '';
    let least = Number.POSITIVE_INFINITY;
    for (const [other, { count }] of this.counts) {
      if (count < least) [rarest, least] = [other, count];
    }
    this.counts.delete(rarest);
    this.counts.set(value, { count: least + times, error: least });
  }

  /** The most frequent first. */
  top(limit: number): Hitter[] {
    return Array.from(this.counts, ([value, { count, error }]) => ({ value, count, error }))
      .sort((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))
      .slice(0, limit);
  }
}
