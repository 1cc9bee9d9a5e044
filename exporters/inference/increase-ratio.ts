/** The least time over which a ratio of two increases is taken, milliseconds. */
const WINDOW_MS = 60_000;
const MAX_MOMENTS = 64;

interface Moment {
  readonly timeMs: number;
  readonly numerator: number;
  readonly denominator: number;
}

/** One counter's increase as a share of another's, over at least a minute of moments where there were as many. */
export class IncreaseRatio {
  #moments: Moment[] = [];

  /**
   * Takes the counters of a moment.
   * @param timeMs milliseconds since 1970
   * @returns the ratio; `undefined` where the denominator didn't increase, because 0 would say that nothing was found.
   */
  take(timeMs: number, numerator: number, denominator: number): number | undefined {
    const last = this.#moments.at(-1);
    // The engine was restarted, and what it counted before can't be compared.
    if (last && (numerator < last.numerator || denominator < last.denominator)) this.#moments = [];
    this.#moments.push({ timeMs, numerator, denominator });
    // The oldest one that is kept is the youngest that is a whole window away.
    while (
      this.#moments.length > 2 &&
      (timeMs - this.#moments[1].timeMs >= WINDOW_MS || this.#moments.length > MAX_MOMENTS)
    )
      this.#moments.shift();
    const [oldest] = this.#moments;
    const increase = denominator - oldest.denominator;
    return increase > 0 ? (numerator - oldest.numerator) / increase : undefined;
  }

  /** Begins anew, because there was a moment without one of the counters. */
  clear(): void {
    this.#moments = [];
  }
}
