import { BarographError } from '../model/index.ts';
import { grown, grownLinks } from './point-queue.ts';

/** The slot holds a last value. */
export const SEEN = 1;
/** The slot is known by a hash and may be evicted. */
export const HASHED = 2;
/** The slot changed since the last `takeChanged`. */
const CHANGED = 4;
/** The slot was used since the clock's hand passed. */
const REFERENCED = 8;
/** The slot belongs to somebody. */
const USED = 16;

/**
 * The last values of aggregation inputs, in typed arrays of at most `maxInputs` slots. A slot is either remembered by
 * its caller or found by (output, 64-bit hash) in an open-addressing table. Where all slots are taken, a hashed one that
 * wasn't used for long makes room (the clock algorithm: one bit a slot, and a hand that clears it).
 */
export class InputTable {
  /** Per slot: the output that it feeds. */
  output = new Int32Array(1024);
  /** Per slot: the last value; valid where `flags` has SEEN. */
  last = new Float64Array(1024);
  /** Per slot: the last start time in milliseconds since the epoch, 0 where unknown. */
  start = new Float64Array(1024);
  /** Per slot: the time of the last value, in milliseconds since the epoch. */
  time = new Float64Array(1024);
  flags = new Uint8Array(1024);
  /** Per slot: neighbours in its output's list of living gauge inputs, −1 at an end. */
  previous = new Int32Array(1024).fill(-1);
  next = new Int32Array(1024).fill(-1);
  /** Slots in use. */
  size = 0;
  evicted = 0;
  private hi = new Uint32Array(1024);
  private lo = new Uint32Array(1024);
  private hashed = 0;
  /** Slots ever handed out; those below it are in use or in `free`. */
  private top = 0;
  private free: number[] = [];
  private hand = 0;
  /** Slot + 1 by hash, 0 for an empty cell; a power of two long and at most half full. */
  private cells = new Int32Array(2048);
  private changed: number[] = [];
  private readonly maxInputs: number;
  private readonly onEvict: (slot: number) => void;

  /** @param onEvict called before a slot is given to another input. */
  constructor(maxInputs: number, onEvict: (slot: number) => void) {
    this.maxInputs = maxInputs;
    this.onEvict = onEvict;
  }

  /**
   * A new slot that the caller remembers; it is never evicted.
   * @throws BarographError `aggregation_inputs_full` where every slot is remembered by somebody.
   */
  allocate(output: number): number {
    const slot = this.takeSlot();
    this.prepare(slot, output, USED);
    return slot;
  }

  /** The slot of a hash, or −1. */
  find(output: number, hi: number, lo: number): number {
    const mask = this.cells.length - 1;
    let cell = hashOf(output, hi, lo) & mask;
    for (let entry = this.cells[cell]; entry !== 0; entry = this.cells[cell]) {
      const slot = entry - 1;
      if (this.lo[slot] === lo >>> 0 && this.hi[slot] === hi >>> 0 && this.output[slot] === output) return slot;
      cell = (cell + 1) & mask;
    }
    return -1;
  }

  /** The slot of a hash, newly made where it isn't known. */
  findOrAllocate(output: number, hi: number, lo: number): number {
    const mask = this.cells.length - 1;
    let cell = hashOf(output, hi, lo) & mask;
    for (let entry = this.cells[cell]; entry !== 0; entry = this.cells[cell]) {
      const slot = entry - 1;
      if (this.lo[slot] === lo >>> 0 && this.hi[slot] === hi >>> 0 && this.output[slot] === output) {
        this.flags[slot] |= REFERENCED;
        return slot;
      }
      cell = (cell + 1) & mask;
    }
    const slot = this.takeSlot();
    // A new slot isn't marked as referenced: it earns that by a second sample, so a flood of inputs that are seen once
    // pushes out itself and not the inputs that return.
    this.prepare(slot, output, USED | HASHED);
    this.hi[slot] = hi;
    this.lo[slot] = lo;
    this.hashed++;
    if (this.hashed * 2 > this.cells.length) this.rehash(this.nextLength());
    else this.place(slot);
    return slot;
  }

  /** Gives a slot back. */
  release(slot: number): void {
    if ((this.flags[slot] & USED) === 0) return;
    if (this.flags[slot] & HASHED) this.unplace(slot);
    this.flags[slot] = 0;
    this.size--;
    this.free.push(slot);
  }

  /** Marks a hashed slot as changed, for `takeChanged`. */
  markChanged(slot: number): void {
    if ((this.flags[slot] & (HASHED | CHANGED)) !== HASHED) return;
    this.flags[slot] |= CHANGED;
    this.changed.push(slot);
  }

  /** Visits the hashed slots that changed since the last call. */
  takeChanged(visit: (slot: number, hi: number, lo: number) => void): void {
    const changed = this.changed;
    this.changed = [];
    for (const slot of changed) {
      // A slot that was evicted meanwhile lost the mark, and one that was given to another input twice stands here twice.
      if ((this.flags[slot] & CHANGED) === 0) continue;
      this.flags[slot] &= ~CHANGED;
      visit(slot, this.hi[slot], this.lo[slot]);
    }
  }

  /** Visits every hashed slot. */
  visitHashed(visit: (slot: number, hi: number, lo: number) => void): void {
    for (let slot = 0; slot < this.top; slot++)
      if (this.flags[slot] & HASHED) visit(slot, this.hi[slot], this.lo[slot]);
  }

  private prepare(slot: number, output: number, flags: number): void {
    this.output[slot] = output;
    this.flags[slot] = flags;
    this.start[slot] = 0;
    this.previous[slot] = -1;
    this.next[slot] = -1;
    this.size++;
  }

  private takeSlot(): number {
    const freed = this.free.pop();
    if (freed !== undefined) return freed;
    if (this.top < this.maxInputs) {
      if (this.top === this.output.length) this.grow();
      return this.top++;
    }
    if (this.hashed === 0) {
      throw new BarographError({
        code: 'aggregation_inputs_full',
        status: 429,
        where: 'aggregation inputs',
        got: `more than ${this.maxInputs} series`,
        accepted: `up to ${this.maxInputs}`,
        fix: 'raise maxInputs, or send fewer series',
      });
    }
    return this.evict();
  }

  private evict(): number {
    for (;;) {
      const slot = this.hand;
      this.hand = slot + 1 === this.top ? 0 : slot + 1;
      const flags = this.flags[slot];
      if ((flags & (USED | HASHED)) !== (USED | HASHED)) continue;
      if (flags & REFERENCED) {
        this.flags[slot] = flags & ~REFERENCED;
        continue;
      }
      this.onEvict(slot);
      this.unplace(slot);
      this.flags[slot] = 0;
      this.size--;
      this.evicted++;
      return slot;
    }
  }

  private place(slot: number): void {
    const mask = this.cells.length - 1;
    let cell = hashOf(this.output[slot], this.hi[slot], this.lo[slot]) & mask;
    while (this.cells[cell] !== 0) cell = (cell + 1) & mask;
    this.cells[cell] = slot + 1;
  }

  /** Takes a slot out of the table and closes the gap, so that no search ends early. */
  private unplace(slot: number): void {
    const mask = this.cells.length - 1;
    let gap = hashOf(this.output[slot], this.hi[slot], this.lo[slot]) & mask;
    while (this.cells[gap] !== slot + 1) gap = (gap + 1) & mask;
    for (let cell = (gap + 1) & mask; this.cells[cell] !== 0; cell = (cell + 1) & mask) {
      const moved = this.cells[cell] - 1;
      const home = hashOf(this.output[moved], this.hi[moved], this.lo[moved]) & mask;
      // It may move back only where its home isn't between the gap and itself.
      if (((cell - home) & mask) >= ((cell - gap) & mask)) {
        this.cells[gap] = moved + 1;
        gap = cell;
      }
    }
    this.cells[gap] = 0;
    this.hashed--;
  }

  /** A table that has outgrown its beginnings goes to its full length at once: to fill a large one anew takes time. */
  private nextLength(): number {
    const { length } = this.cells;
    if (length < 1 << 16) return length * 2;
    return Math.max(length * 2, 2 ** Math.ceil(Math.log2(2 * this.maxInputs)));
  }

  private rehash(length: number): void {
    this.cells = new Int32Array(length);
    for (let slot = 0; slot < this.top; slot++) if (this.flags[slot] & HASHED) this.place(slot);
  }

  private grow(): void {
    const size = Math.min(this.output.length * 2, Math.max(this.maxInputs, this.output.length + 1));
    this.output = grown(this.output, new Int32Array(size));
    this.last = grown(this.last, new Float64Array(size));
    this.start = grown(this.start, new Float64Array(size));
    this.time = grown(this.time, new Float64Array(size));
    this.flags = grown(this.flags, new Uint8Array(size));
    this.previous = grownLinks(this.previous, size);
    this.next = grownLinks(this.next, size);
    this.hi = grown(this.hi, new Uint32Array(size));
    this.lo = grown(this.lo, new Uint32Array(size));
  }
}

/** The caller's hash is spread already; the output's number is mixed in, because one series may feed several outputs. */
function hashOf(output: number, hi: number, lo: number): number {
  let hash = Math.imul(lo ^ Math.imul(output + 1, 0x9e3779b1), 0x85ebca6b) ^ hi;
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 13)) >>> 0;
}
