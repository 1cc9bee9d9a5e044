/** Where the samples of a raw series go. */
export interface Route {
  /** The stored series that the raw one is, or joins. */
  readonly series: number;
  /** Slot of the aggregator that feeds the fleet level, or −1. */
  readonly fleetSlot: number;
}

/** The key of the clean series among the inputs of an output that others join. */
export const CLEAN_KEY = 0xffffffff;

/** Stands for the output of series that the policy leaves out. */
export const DROPPED = 0xfffffffd;

/** How long routes of another policy are kept, so that what series had counted is handed over, milliseconds. */
export const HANDOVER_MS = 900_000;

/** Bytes of keys that the cache may hold before it starts anew. */
const MAX_KEY_BYTES = 256 * 1024 * 1024;

/**
 * Remembers the route of each clean raw series by the bytes of its labels, so that labels are parsed and judged once.
 * Senders repeat their series in one order: the series that followed last time is compared first, and only where it
 * differs the bytes are hashed. Series with something to remove are never here, so a leak can't fill it.
 */
export class SeriesRoutes {
  private keys = Buffer.allocUnsafeSlow(1 << 20);
  private keysUsed = 0;
  private count = 0;
  private offsets = new Uint32Array(4096);
  private lengths = new Uint32Array(4096);
  private next = new Int32Array(4096).fill(-1);
  private hashes = new Uint32Array(4096);
  /** The stored series and the fleet slot of each route. */
  series = new Uint32Array(4096);
  fleetSlots = new Int32Array(4096);
  private table = new Int32Array(8192).fill(-1);
  private previous = -1;
  /** The hash of the last key that `find` had to hash; two independent 32-bit halves. */
  hashHigh = 0;
  hashLow = 0;

  /** Number of routes. */
  get size(): number {
    return this.count;
  }

  /** Forgets which series came last, at the start of a request. */
  restart(): void {
    this.previous = -1;
  }

  /** The route of the key `bytes[start, end)`, or −1; then `hashHigh` and `hashLow` are the key's hash. */
  find(bytes: Buffer, start: number, end: number): number {
    const length = end - start;
    const guess = this.previous >= 0 ? this.next[this.previous] : this.count > 0 ? 0 : -1;
    if (guess >= 0 && this.matches(guess, bytes, start, end, length)) {
      this.previous = guess;
      return guess;
    }
    this.hash(bytes, start, end);
    const mask = this.table.length - 1;
    for (let at = this.hashLow & mask; this.table[at] >= 0; at = (at + 1) & mask) {
      const route = this.table[at];
      if (this.hashes[route] === this.hashLow && this.matches(route, bytes, start, end, length)) {
        if (this.previous >= 0) this.next[this.previous] = route;
        this.previous = route;
        return route;
      }
    }
    return -1;
  }

  /** Adds the route of the key that `find` just missed. */
  add(bytes: Buffer, start: number, end: number, route: Route): number {
    const length = end - start;
    if (this.keysUsed + length > MAX_KEY_BYTES) this.clear();
    if (this.count === this.offsets.length) this.growRoutes();
    while (this.keysUsed + length > this.keys.length) {
      const larger = Buffer.allocUnsafeSlow(this.keys.length * 2);
      this.keys.copy(larger, 0, 0, this.keysUsed);
      this.keys = larger;
    }
    const id = this.count++;
    bytes.copy(this.keys, this.keysUsed, start, end);
    this.offsets[id] = this.keysUsed;
    this.lengths[id] = length;
    this.keysUsed += length;
    this.hashes[id] = this.hashLow;
    this.series[id] = route.series;
    this.fleetSlots[id] = route.fleetSlot;
    this.next[id] = -1;
    if (this.count * 2 > this.table.length) this.rehash(this.table.length * 2);
    else this.place(id);
    if (this.previous >= 0) this.next[this.previous] = id;
    this.previous = id;
    return id;
  }

  private matches(route: number, bytes: Buffer, start: number, end: number, length: number): boolean {
    if (this.lengths[route] !== length) return false;
    const at = this.offsets[route];
    return bytes.compare(this.keys, at, at + length, start, end) === 0;
  }

  /** Two FNV-like hashes in one pass, mixed at the end. */
  private hash(bytes: Buffer, start: number, end: number): void {
    let a = 0x811c9dc5;
    let b = 0x9e3779b9;
    for (let i = start; i < end; i++) {
      a = Math.imul(a ^ bytes[i], 0x01000193);
      b = Math.imul(b + bytes[i], 0x85ebca6b) ^ (b >>> 13);
    }
    a ^= a >>> 15;
    b ^= b >>> 16;
    this.hashLow = Math.imul(a, 0x2c1b3c6d) >>> 0;
    this.hashHigh = Math.imul(b ^ a, 0xc2b2ae35) >>> 0;
  }

  private place(id: number): void {
    const mask = this.table.length - 1;
    let at = this.hashes[id] & mask;
    while (this.table[at] >= 0) at = (at + 1) & mask;
    this.table[at] = id;
  }

  private rehash(size: number): void {
    this.table = new Int32Array(size).fill(-1);
    for (let id = 0; id < this.count; id++) this.place(id);
  }

  private growRoutes(): void {
    const capacity = this.offsets.length * 2;
    this.offsets = grown(this.offsets, new Uint32Array(capacity));
    this.lengths = grown(this.lengths, new Uint32Array(capacity));
    this.hashes = grown(this.hashes, new Uint32Array(capacity));
    this.series = grown(this.series, new Uint32Array(capacity));
    this.fleetSlots = grown(this.fleetSlots, new Int32Array(capacity));
    this.next = grown(this.next, new Int32Array(capacity).fill(-1));
  }

  /** Starts anew: the senders' series come back with their next request. */
  private clear(): void {
    this.count = 0;
    this.keysUsed = 0;
    this.previous = -1;
    this.table.fill(-1);
  }
}

function grown<T extends Uint32Array | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

/**
 * Remembers, in a table of fixed size, where raw series go that something was removed from. An entry may be overwritten
 * by another series at any time; the verdict is then made again.
 */
export class LeakyRoutes {
  private static readonly SLOTS = 1 << 18;
  private readonly high = new Uint32Array(LeakyRoutes.SLOTS);
  private readonly low = new Uint32Array(LeakyRoutes.SLOTS);
  /** Outputs plus one, so that 0 means an empty slot. */
  private readonly outputs = new Uint32Array(LeakyRoutes.SLOTS);
  private readonly fleetOutputs = new Int32Array(LeakyRoutes.SLOTS);

  /** The place of a hash's entry, or −1. */
  find(high: number, low: number): number {
    const at = low & (LeakyRoutes.SLOTS - 1);
    return this.outputs[at] > 0 && this.high[at] === high && this.low[at] === low ? at : -1;
  }

  /** Remembers the output (or `DROPPED`) and the fleet output (−1 for none) of a hash. */
  set(high: number, low: number, output: number, fleetOutput: number): void {
    const at = low & (LeakyRoutes.SLOTS - 1);
    this.high[at] = high;
    this.low[at] = low;
    this.outputs[at] = output + 1;
    this.fleetOutputs[at] = fleetOutput;
  }

  output(place: number): number {
    return this.outputs[place] - 1;
  }

  fleetOutput(place: number): number {
    return this.fleetOutputs[place];
  }
}

/** A 64-bit hash of a text as two 32-bit halves, with the same mixing as the hash of label bytes. */
export function hashText(text: string): { hi: number; lo: number } {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b + unit, 0x85ebca6b) ^ (b >>> 13);
  }
  a ^= a >>> 15;
  b ^= b >>> 16;
  return { lo: Math.imul(a, 0x2c1b3c6d) >>> 0, hi: Math.imul(b ^ a, 0xc2b2ae35) >>> 0 };
}
