import type { SampleColumns } from './chunk-codec.ts';
import type { SampleBuffer } from './sample-buffer.ts';

/*
 * A segment holds the samples of the last while in memory that all threads share: one thread writes, the others read
 * what is there without a lock. It only ever grows; once full it is sealed into a block file, and let go as a whole.
 *
 * A series' samples are in runs of 8, then 32, then 128 slots, so that a series with one sample costs little and one
 * with many is read in long strides. A slot is a time (milliseconds after the run's base) and a value. A run's number
 * of samples is stored last and atomically, so a reader never sees a slot that isn't written whole.
 *
 * What is known of a run lies in one record, and each record names the run before it of its series: a query of the last
 * minutes looks at a series' newest run and seldom at another, and misses the processor's caches once a run.
 */

/** Slots of the runs of a series, the last size again and again. */
const RUN_SLOTS = [8, 32, 128];
/** The shortest run decides how many runs fit into the slots. */
const SLOTS_PER_RUN = RUN_SLOTS[0];
/** Milliseconds after a run's base that a slot can hold: 49 days. */
const MAX_OFFSET_MS = 2 ** 32 - 1;
/** Below this many samples a loop copies faster than a call does. */
const SHORT_COPY = 48;

/** 32-bit words of a run's record, two to the power of `RECORD_SHIFT`, and what stands in each. */
const RECORD_SHIFT = 3;
const RECORD_WORDS = 1 << RECORD_SHIFT;
/** Words 0 and 1, a float64: milliseconds that the slots count from. */
const SERIES = 2;
const START_SLOT = 3;
/** Published samples; stored and loaded atomically. */
const COUNT = 4;
/** The largest offset, published or not. */
const MAX_OFFSET = 5;
/** The run before of the same series plus one, 0 where it is the first. */
const PREVIOUS = 6;
const FLAGS = 7;

/** Some sample in the run isn't later than the one before it. */
const IS_UNORDERED = 1;
/** The runs before it are in order, and so is this one's base after them. */
const FOLLOWS = 2;

/** The shared memory of a segment; what another thread needs to read it. */
export interface SegmentMemory {
  /** Segments are numbered in the order in which they were opened; blocks share the numbers. */
  readonly sequence: number;
  /** Int32: how many runs are published. */
  readonly used: SharedArrayBuffer;
  /** Float64: the earliest and the latest time, milliseconds. */
  readonly range: SharedArrayBuffer;
  /** Eight 32-bit words a run: its record. */
  readonly records: SharedArrayBuffer;
  /** Uint32 a slot: milliseconds after the base. */
  readonly offsets: SharedArrayBuffer;
  /** Float64 a slot. */
  readonly values: SharedArrayBuffer;
}

/** Reserves the memory of a segment; the system gives it page by page as it is written. */
export function createSegmentMemory(sequence: number, slots: number): SegmentMemory {
  const runs = Math.ceil(slots / SLOTS_PER_RUN);
  const range = new SharedArrayBuffer(16);
  new Float64Array(range).set([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
  return {
    sequence,
    used: new SharedArrayBuffer(4),
    range,
    records: new SharedArrayBuffer(runs * RECORD_WORDS * 4),
    offsets: new SharedArrayBuffer(slots * 4),
    values: new SharedArrayBuffer(slots * 8),
  };
}

/** A segment's memory as typed arrays, the same in every thread. */
abstract class SegmentArrays {
  protected readonly used: Int32Array;
  /** The earliest and the latest time, milliseconds; they move apart while it is written. */
  readonly range: Float64Array;
  /** The records, as words and as the bases in them. */
  protected readonly records: Uint32Array;
  protected readonly bases: Float64Array;
  protected readonly offsets: Uint32Array;
  protected readonly valueWords: Uint32Array;

  constructor(memory: SegmentMemory) {
    this.used = new Int32Array(memory.used);
    this.range = new Float64Array(memory.range);
    this.records = new Uint32Array(memory.records);
    this.bases = new Float64Array(memory.records);
    this.offsets = new Uint32Array(memory.offsets);
    this.valueWords = new Uint32Array(memory.values);
  }

  /** How many runs there is room for. */
  protected get runLimit(): number {
    return this.records.length >>> RECORD_SHIFT;
  }
}

/**
 * The one writer of a segment. Samples are placed first, which no reader sees, and published once they are durable.
 */
export class SegmentWriter extends SegmentArrays {
  readonly memory: SegmentMemory;
  /** By series: its open run plus one, 0 where it has none here; and the size class of that run. */
  private openRun = new Uint32Array(4096);
  private openClass = new Uint8Array(4096);
  /** By run: samples placed, published or not. */
  private placed = new Uint8Array(4096);
  /** Runs with samples that aren't published; one may occur several times. */
  private touched = new Uint32Array(4096);
  private touchedCount = 0;
  private runs = 0;
  private slots = 0;
  private min = Number.POSITIVE_INFINITY;
  private max = Number.NEGATIVE_INFINITY;

  constructor(memory: SegmentMemory) {
    super(memory);
    this.memory = memory;
  }

  /** Whether nothing was ever placed. */
  get isEmpty(): boolean {
    return this.runs === 0;
  }

  /** Slots that are taken, of all that there are. */
  get fill(): number {
    return this.slots / this.offsets.length;
  }

  /** Places the buffer's rows from `from` on, as many as fit; returns the row after the last one. */
  place(buffer: SampleBuffer, from: number): number {
    const { series, times, valueWords, count } = buffer;
    const { offsets, records, bases } = this;
    let [min, max] = [this.min, this.max];
    let row = from;
    for (; row < count; row++) {
      const id = series[row];
      const time = times[row];
      if (id >= this.openRun.length) this.growSeries(id);
      let run = this.openRun[id] - 1;
      if (run < 0 || !this.fits(run, id, time)) {
        run = this.open(id, time);
        if (run < 0) break;
      }
      const record = run << RECORD_SHIFT;
      const placed = this.placed[run]++;
      const slot = records[record + START_SLOT] + placed;
      const offset = time - bases[record >>> 1];
      offsets[slot] = offset;
      if (offset > records[record + MAX_OFFSET]) records[record + MAX_OFFSET] = offset;
      else if (placed > 0) records[record + FLAGS] |= IS_UNORDERED;
      this.valueWords[2 * slot] = valueWords[2 * row];
      this.valueWords[2 * slot + 1] = valueWords[2 * row + 1];
      if (this.touchedCount === this.touched.length) this.touched = grown(this.touched, 0);
      this.touched[this.touchedCount++] = run;
      if (time < min) min = time;
      if (time > max) max = time;
    }
    this.min = min;
    this.max = max;
    return row;
  }

  /** Shows readers what was placed. */
  publish(): void {
    this.range[0] = this.min;
    this.range[1] = this.max;
    for (let i = 0; i < this.touchedCount; i++) {
      const run = this.touched[i];
      Atomics.store(this.records, (run << RECORD_SHIFT) + COUNT, this.placed[run]);
    }
    this.touchedCount = 0;
    // Readers look at the number of runs first, so whatever they find by it is written.
    Atomics.store(this.used, 0, this.runs);
  }

  /** Takes back what was placed and not published. */
  takeBack(): void {
    for (let i = 0; i < this.touchedCount; i++) {
      const run = this.touched[i];
      this.placed[run] = this.records[(run << RECORD_SHIFT) + COUNT];
    }
    this.touchedCount = 0;
  }

  private fits(run: number, id: number, time: number): boolean {
    const offset = time - this.bases[run << (RECORD_SHIFT - 1)];
    return offset >= 0 && offset <= MAX_OFFSET_MS && this.placed[run] < RUN_SLOTS[this.openClass[id]];
  }

  /** Opens the next run of a series, or returns −1 where none fits. */
  private open(id: number, time: number): number {
    const hadRun = this.openRun[id] > 0;
    // A run that ends because of its time, not its length, says nothing about how many will come.
    const isFull = hadRun && this.placed[this.openRun[id] - 1] === RUN_SLOTS[this.openClass[id]];
    const size = isFull ? Math.min(this.openClass[id] + 1, RUN_SLOTS.length - 1) : hadRun ? this.openClass[id] : 0;
    if (this.runs === this.runLimit || this.slots + RUN_SLOTS[size] > this.offsets.length) return -1;
    const run = this.runs++;
    if (run === this.placed.length) {
      const larger = new Uint8Array(this.placed.length * 2);
      larger.set(this.placed);
      this.placed = larger;
    }
    const record = run << RECORD_SHIFT;
    this.records[record + SERIES] = id;
    this.records[record + START_SLOT] = this.slots;
    this.records[record + PREVIOUS] = this.openRun[id];
    this.records[record + FLAGS] = this.follows(this.openRun[id] - 1, time) ? FOLLOWS : 0;
    this.bases[record >>> 1] = time;
    this.slots += RUN_SLOTS[size];
    this.openRun[id] = run + 1;
    this.openClass[id] = size;
    return run;
  }

  /** Whether a run that begins at `time` comes after all of its series so far, `before` being the last of them. */
  private follows(before: number, time: number): boolean {
    if (before < 0) return true;
    const record = before << RECORD_SHIFT;
    if (this.records[record + FLAGS] !== FOLLOWS) return false;
    return time > this.bases[record >>> 1] + this.records[record + MAX_OFFSET];
  }

  private growSeries(id: number): void {
    this.openRun = grown(this.openRun, id + 1);
    const classes = new Uint8Array(this.openRun.length);
    classes.set(this.openClass);
    this.openClass = classes;
  }
}

/** Reads a segment from any thread. What it finds is what was written when `refresh` was called, or later. */
export class SegmentReader extends SegmentArrays {
  readonly sequence: number;
  /** By series: its newest run plus one. */
  private lastRun = new Uint32Array(4096);
  private known = 0;
  /** The records of the runs that a series' samples are wanted of, the newest first. */
  private wanted = new Uint32Array(64);

  constructor(memory: SegmentMemory) {
    super(memory);
    this.sequence = memory.sequence;
  }

  /** Takes note of the runs that were opened since the last call. */
  refresh(): void {
    const runs = Atomics.load(this.used, 0);
    for (let run = this.known; run < runs; run++) {
      const id = this.records[(run << RECORD_SHIFT) + SERIES];
      if (id >= this.lastRun.length) this.lastRun = grown(this.lastRun, id + 1);
      this.lastRun[id] = run + 1;
    }
    this.known = runs;
  }

  /** Runs of samples of one series that were opened when `refresh` was called. */
  get runs(): number {
    return this.known;
  }

  /** Numbers of series with samples here lie below it. */
  get seriesEnd(): number {
    return this.lastRun.length;
  }

  /** How many samples a series has in the runs that may hold some of `[startMs, endMs]`. */
  count(id: number, startMs: number, endMs: number): number {
    const wanted = this.find(id, startMs, endMs);
    let count = 0;
    for (let i = 0; i < wanted; i++) count += Atomics.load(this.records, this.wanted[i] + COUNT);
    return count;
  }

  /**
   * Copies the samples of those runs in the order in which they came, and returns how many.
   * @param max what there is room for: the writer may have added some since `count`.
   */
  copy(id: number, startMs: number, endMs: number, out: SampleColumns, at: number, max: number): number {
    let copied = 0;
    for (let i = this.find(id, startMs, endMs) - 1; i >= 0 && copied < max; i--) {
      copied += this.copyRun(this.wanted[i], startMs, endMs, out, at + copied, max - copied);
    }
    return copied;
  }

  /** Whether all samples of a series, those of a copy made before included, came in the order of their times. */
  isOrdered(id: number): boolean {
    const last = id < this.lastRun.length ? this.lastRun[id] : 0;
    return last === 0 || this.records[((last - 1) << RECORD_SHIFT) + FLAGS] === FOLLOWS;
  }

  /** Writes the records of the runs that may hold samples of the range to `wanted`; returns how many. */
  private find(id: number, startMs: number, endMs: number): number {
    if (id >= this.lastRun.length) return 0;
    const { records, bases } = this;
    let found = 0;
    for (let run = this.lastRun[id]; run > 0; ) {
      const record = (run - 1) << RECORD_SHIFT;
      const base = bases[record >>> 1];
      if (base + records[record + MAX_OFFSET] < startMs) {
        // What came before is earlier still.
        if ((records[record + FLAGS] & FOLLOWS) !== 0) break;
      } else if (base <= endMs) {
        if (found === this.wanted.length) this.wanted = grown(this.wanted, 0);
        this.wanted[found++] = record;
      }
      run = records[record + PREVIOUS];
    }
    return found;
  }

  private copyRun(
    record: number,
    startMs: number,
    endMs: number,
    { times, valueWords }: SampleColumns,
    at: number,
    max: number,
  ): number {
    const { offsets, records } = this;
    const base = this.bases[record >>> 1];
    let start = records[record + START_SLOT];
    let count = Math.min(Atomics.load(records, record + COUNT), max);
    if (base < startMs || base + records[record + MAX_OFFSET] > endMs) {
      // The flags are read after the number, so they hold for all of these samples.
      if ((records[record + FLAGS] & IS_UNORDERED) !== 0)
        return this.pick(record, count, startMs, endMs, at, times, valueWords);
      const first = firstSlotAtOrAfter(offsets, start, start + count, startMs - base);
      count = firstSlotAtOrAfter(offsets, first, start + count, endMs - base + 1) - first;
      start = first;
    }
    for (let i = 0; i < count; i++) times[at + i] = base + offsets[start + i];
    if (count >= SHORT_COPY) valueWords.set(this.valueWords.subarray(2 * start, 2 * (start + count)), 2 * at);
    else {
      const shift = 2 * (at - start);
      for (let word = 2 * start; word < 2 * (start + count); word++) valueWords[word + shift] = this.valueWords[word];
    }
    return count;
  }

  /** Copies the samples of a run in no order that lie in the range. */
  private pick(
    record: number,
    count: number,
    startMs: number,
    endMs: number,
    at: number,
    times: Float64Array,
    valueWords: Uint32Array,
  ): number {
    const base = this.bases[record >>> 1];
    const start = this.records[record + START_SLOT];
    let copied = 0;
    for (let slot = start; slot < start + count; slot++) {
      const time = base + this.offsets[slot];
      if (time < startMs || time > endMs) continue;
      times[at + copied] = time;
      valueWords[2 * (at + copied)] = this.valueWords[2 * slot];
      valueWords[2 * (at + copied) + 1] = this.valueWords[2 * slot + 1];
      copied++;
    }
    return copied;
  }
}

/** The first slot in `[from, to)` whose offset is at or after `offset`, or `to`; the offsets ascend. */
function firstSlotAtOrAfter(offsets: Uint32Array, from: number, to: number, offset: number): number {
  let [low, high] = [from, to];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (offsets[middle] < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

function grown(old: Uint32Array, needed: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(old.length * 2, needed));
  larger.set(old);
  return larger;
}
