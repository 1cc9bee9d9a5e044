import { randomInt } from 'node:crypto';
import type { ScrapeRoute } from '../ingest/index.ts';
import type { Exemplar } from '../model/index.ts';

/** A series that a target exposes, as it is stored. */
export interface ScrapedSeries {
  route: ScrapeRoute;
  /** Number of the last scrape that had it. */
  seen: number;
  /** Whether it gets a staleness marker when it ends: it was in the last scrape, without a time of its own. */
  isLive: boolean;
  /** The exemplar that was taken last, which targets repeat until they have another. */
  exemplar: Exemplar | undefined;
}

/** What an entry costs beside its key, bytes; for the bound on the memory of all targets. */
export const ENTRY_BYTES = 200;
const FIRST_ENTRIES = 16;

/**
 * What is known of one target's series by the bytes with which it writes them, so that labels are parsed, relabelled and
 * judged once. Entries stand in the order of the last scrape: the next scrape mostly has the same order, and then finding
 * a series is one comparison with the entry behind the one that was found last.
 */
export class SeriesCache {
  #keys = Buffer.alloc(0);
  #keysUsed = 0;
  #starts = new Uint32Array(FIRST_ENTRIES);
  #lengths = new Uint32Array(FIRST_ENTRIES);
  #hashes = new Uint32Array(FIRST_ENTRIES);
  #types = new Uint8Array(FIRST_ENTRIES);
  /** Slots of the hash table: an entry plus one, 0 where empty. */
  #table = new Uint32Array(FIRST_ENTRIES * 2);
  /** The series of each entry; `undefined` where the rules drop it. */
  #entries: (ScrapedSeries | undefined)[] = [];
  #previous = -1;
  #isInOrder = true;
  #lastHash = 0;
  /** Each series once, by the hash of its labels: two ways to write one series must not be two series. */
  readonly #series = new Map<number, ScrapedSeries>();

  /** Entries, dropped ones included. */
  get size(): number {
    return this.#entries.length;
  }

  /** Series that are stored. */
  get seriesCount(): number {
    return this.#series.size;
  }

  /** About how much memory it takes, bytes. */
  get bytes(): number {
    return this.#keysUsed + this.#entries.length * ENTRY_BYTES;
  }

  /** Every series that is stored. */
  series(): IterableIterator<ScrapedSeries> {
    return this.#series.values();
  }

  /** Goes to the beginning, before a scrape is looked up in its order. */
  restart(): void {
    this.#previous = -1;
  }

  /** The entry of the key `bytes[start, end)` of a metric of this type, or −1. */
  find(bytes: Buffer, start: number, end: number, type: number): number {
    const guess = this.#previous + 1;
    if (guess < this.#entries.length && this.#matches(guess, bytes, start, end, type)) {
      this.#previous = guess;
      return guess;
    }
    this.#isInOrder = false;
    this.#lastHash = hashBytes(bytes, start, end);
    const mask = this.#table.length - 1;
    for (let at = this.#lastHash & mask; this.#table[at] > 0; at = (at + 1) & mask) {
      const entry = this.#table[at] - 1;
      if (this.#hashes[entry] === this.#lastHash && this.#matches(entry, bytes, start, end, type)) {
        this.#previous = entry;
        return entry;
      }
    }
    return -1;
  }

  /** The series of an entry, or `undefined` where the rules drop it. */
  seriesOf(entry: number): ScrapedSeries | undefined {
    return this.#entries[entry];
  }

  /** Adds the key that `find` just missed. */
  add(bytes: Buffer, start: number, end: number, type: number, series: ScrapedSeries | undefined): number {
    const length = end - start;
    const entry = this.#entries.length;
    if (entry === this.#starts.length) this.#resize(entry * 2);
    if (this.#keysUsed + length > this.#keys.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.#keys.length * 2, this.#keysUsed + length, 1024));
      this.#keys.copy(larger, 0, 0, this.#keysUsed);
      this.#keys = larger;
    }
    bytes.copy(this.#keys, this.#keysUsed, start, end);
    this.#starts[entry] = this.#keysUsed;
    this.#lengths[entry] = length;
    this.#keysUsed += length;
    this.#hashes[entry] = this.#lastHash;
    this.#types[entry] = type;
    this.#entries.push(series);
    this.#place(entry);
    this.#isInOrder = false;
    return entry;
  }

  /** The series with these labels, which `route` knows by their hash, and its route before; made where there is none. */
  join(
    route: ScrapeRoute,
    seen: number,
  ): { readonly series: ScrapedSeries; readonly isNew: boolean; readonly before?: ScrapeRoute } {
    const key = hashKey(route);
    const known = this.#series.get(key);
    if (known && known.route.hashHigh === route.hashHigh && known.route.hashLow === route.hashLow) {
      // Its type may be another one now, and with it the way in which it is added up.
      const before = known.route;
      known.route = route;
      return { series: known, isNew: false, before };
    }
    const series: ScrapedSeries = { route, seen: seen - 1, isLive: false, exemplar: undefined };
    this.#series.set(key, series);
    return { series, isNew: true };
  }

  /** Forgets how series are written, so that the next scrape finds each anew; the series themselves go on. */
  forgetEntries(): void {
    this.#keysUsed = 0;
    this.#entries = [];
    this.#resize(FIRST_ENTRIES, true);
    this.#previous = -1;
    this.#isInOrder = false;
  }

  /**
   * Ends a scrape: keeps the entries that it had, in its order, and the series that it saw.
   * @param entries the entry of each line, which may be there twice
   * @param count lines
   * @param seen the scrape's number
   */
  keepOnly(entries: Int32Array, count: number, seen: number): void {
    if (this.#isInOrder && count === this.#entries.length) return;
    const [keys, starts, lengths, hashes, types] = [this.#keys, this.#starts, this.#lengths, this.#hashes, this.#types];
    const old = this.#entries;
    const isPlaced = new Uint8Array(old.length);
    const order: number[] = [];
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const entry = entries[i];
      if (isPlaced[entry] === 1) continue;
      isPlaced[entry] = 1;
      order.push(entry);
      bytes += lengths[entry];
    }
    this.#keys = Buffer.allocUnsafeSlow(bytes);
    this.#keysUsed = 0;
    this.#entries = [];
    this.#resize(Math.max(FIRST_ENTRIES, order.length), true);
    for (const entry of order) {
      this.#lastHash = hashes[entry];
      this.add(keys, starts[entry], starts[entry] + lengths[entry], types[entry], old[entry]);
    }
    for (const [key, series] of this.#series) if (series.seen !== seen) this.#series.delete(key);
    this.#isInOrder = true;
  }

  #matches(entry: number, bytes: Buffer, start: number, end: number, type: number): boolean {
    if (this.#lengths[entry] !== end - start || this.#types[entry] !== type) return false;
    const at = this.#starts[entry];
    return bytes.compare(this.#keys, at, at + end - start, start, end) === 0;
  }

  #place(entry: number): void {
    const mask = this.#table.length - 1;
    let at = this.#hashes[entry] & mask;
    while (this.#table[at] > 0) at = (at + 1) & mask;
    this.#table[at] = entry + 1;
  }

  #resize(entries: number, isEmpty = false): void {
    const from = isEmpty ? 0 : this.#entries.length;
    const copied = <T extends Uint32Array | Uint8Array>(old: T, larger: T): T => {
      if (!isEmpty) larger.set(old);
      return larger;
    };
    this.#starts = copied(this.#starts, new Uint32Array(entries));
    this.#lengths = copied(this.#lengths, new Uint32Array(entries));
    this.#hashes = copied(this.#hashes, new Uint32Array(entries));
    this.#types = copied(this.#types, new Uint8Array(entries));
    this.#table = new Uint32Array(2 ** Math.ceil(Math.log2(entries * 2)));
    for (let entry = 0; entry < from; entry++) this.#place(entry);
  }
}

/** 53 bits of the hash of labels, which a number holds exactly. */
function hashKey({ hashHigh, hashLow }: ScrapeRoute): number {
  return (hashHigh & 0x1fffff) * 2 ** 32 + hashLow;
}

/** Differs from process to process, so that no target can choose keys that collide. */
const SEED = randomInt(2 ** 32);

/** A hash of bytes for a table in memory. */
function hashBytes(bytes: Buffer, start: number, end: number): number {
  let hash = SEED;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}
