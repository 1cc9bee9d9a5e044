import { ExporterError } from '../error.ts';

/** Most series of the contract that one target may give. */
export const MAX_SERIES = 50_000;

/** How the parts of a slot become one number. */
export type SlotMode = 'sum' | 'max' | 'avg' | 'last';

/**
 * The numbers of one target's series, by slot: what the cells of a scrape add up to, whether they were in it, and since
 * when a counter counts. Lists instead of objects, because a scrape goes over all of them.
 */
export class Slots {
  readonly #ids = new Map<string, number>();
  readonly #mode: SlotMode[] = [];
  readonly #value: number[] = [];
  readonly #scrapeOf: number[] = [];
  readonly #parts: number[] = [];
  readonly #startMs: number[] = [];
  readonly #last: number[] = [];
  /** Slots of which something is subtracted: what was last said, and what was then added. */
  readonly #held = new Map<number, { value: number; added: number }>();
  readonly #added = new Map<number, number>();
  #scrape = 0;
  #timeMs = 0;
  #previousMs = 0;

  /** A scrape begins. @param scrape Its number, larger than the one before. @param timeMs When, milliseconds since 1970. */
  begin(scrape: number, timeMs: number): void {
    this.#scrape = scrape;
    this.#previousMs = this.#timeMs;
    this.#timeMs = timeMs;
    this.#added.clear();
  }

  /** Whatever the last scrape gave isn't there any more. */
  drop(scrape: number): void {
    this.#scrape = scrape;
  }

  /**
   * The slot of a key, which is made where there is none yet.
   * @throws ExporterError `too_many_series`.
   */
  take(key: string, mode: SlotMode): number {
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    if (this.#ids.size >= MAX_SERIES) {
      throw new ExporterError({
        code: 'too_many_series',
        where: `series of one target`,
        got: `more than ${MAX_SERIES}`,
        accepted: `at most ${MAX_SERIES}`,
        fix: 'look for a label of the engine that takes a new value with each request',
      });
    }
    const slot = this.#mode.length;
    this.#ids.set(key, slot);
    this.#mode.push(mode);
    this.#value.push(0);
    this.#scrapeOf.push(0);
    this.#parts.push(0);
    this.#startMs.push(this.#timeMs);
    this.#last.push(Number.NEGATIVE_INFINITY);
    return slot;
  }

  /** The slot of a key, where it was made already. */
  find(key: string): number | undefined {
    return this.#ids.get(key);
  }

  isThere(slot: number): boolean {
    return slot >= 0 && this.#scrapeOf[slot] === this.#scrape;
  }

  value(slot: number): number {
    return this.#value[slot];
  }

  /** How many cells a slot's number was made of. */
  parts(slot: number): number {
    return this.#parts[slot];
  }

  startMs(slot: number): number {
    return this.#startMs[slot];
  }

  set(slot: number, value: number): void {
    this.#scrapeOf[slot] = this.#scrape;
    this.#value[slot] = value;
  }

  /** Takes in a cell's number. @param factor What it is multiplied by; a negative one subtracts. */
  add(slot: number, number: number, factor: number): void {
    const value = number * factor;
    if (factor < 0) this.#added.set(slot, (this.#added.get(slot) ?? 0) - value);
    if (this.#scrapeOf[slot] !== this.#scrape) {
      this.#scrapeOf[slot] = this.#scrape;
      this.#value[slot] = value;
      this.#parts[slot] = 1;
      return;
    }
    this.#parts[slot]++;
    switch (this.#mode[slot]) {
      case 'sum':
        this.#value[slot] += value;
        break;
      case 'max':
        if (value > this.#value[slot]) this.#value[slot] = value;
        break;
      case 'avg':
        this.#value[slot] += (value - this.#value[slot]) / this.#parts[slot];
        break;
      case 'last':
        this.#value[slot] = value;
        break;
    }
  }

  /** All cells were taken in: what is subtracted is held, and the starts of counters that went back are noted. */
  settle(): void {
    this.#holdSubtracted();
    for (let slot = 0; slot < this.#mode.length; slot++) {
      if (this.#scrapeOf[slot] !== this.#scrape) continue;
      // A counter that went back began anew at some time after it was last seen.
      if (this.#value[slot] < this.#last[slot]) this.#startMs[slot] = this.#previousMs;
      this.#last[slot] = this.#value[slot];
    }
  }

  /**
   * What is subtracted may be counted a moment before what it is subtracted from. A counter must not go back for that,
   * so it stands still until the other has followed; only where the other went back itself was the engine restarted.
   */
  #holdSubtracted(): void {
    for (const [slot, subtracted] of this.#added) {
      const added = this.#value[slot] + subtracted;
      const held = this.#held.get(slot);
      let value = Math.max(0, this.#value[slot]);
      if (held && added >= held.added && value < held.value) value = held.value;
      this.#value[slot] = value;
      this.#held.set(slot, { value, added });
    }
  }
}
