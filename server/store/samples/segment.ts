import type { SampleColumns } from './chunk-codec.ts';
import type { SampleBuffer } from './sample-buffer.ts';

/*
 * A segment holds the samples of the last while in memory that all threads share: one thread writes, the others read
 * what is there without a lock. It only ever grows; once full it is sealed into a block file, and let go as a whole.
 *
 * A series' samples are in runs of 8, then 32, then 128 slots, so that a series with one sample costs little and one
 * with many is read in long strides. A slot is a time (milliseconds after the run's base) and a value. A run's number
 * of samples is stored last and atomically, so a reader never sees a slot that isn't written whole.
 */

/** Slots of the runs of a series, the last size again and again. */
const RUN_SLOTS = [8, 32, 128];
/** The shortest run decides how many runs fit into the slots. */
const SLOTS_PER_RUN = RUN_SLOTS[0];
/** Milliseconds after a run's base that a slot can hold: 49 days. */
const MAX_OFFSET_MS = 2 ** 32 - 1;

/** The shared memory of a segment; what another thread needs to read it. */
export interface SegmentMemory {
  /** Segments are numbered in the order in which they were opened; blocks share the numbers. */
  readonly sequence: number;
  /** Int32: how many runs are published. */
  readonly used: SharedArrayBuffer;
  /** Float64: the earliest and the latest time, milliseconds. */
  readonly range: SharedArrayBuffer;
  /** Uint32 a run: its series; its first slot; Int32 a run: its number of samples. */
  readonly runSeries: SharedArrayBuffer;
  readonly runStart: SharedArrayBuffer;
  readonly runCount: SharedArrayBuffer;
  /** Float64 a run: its base, milliseconds. */
  readonly runBase: SharedArrayBuffer;
  /** Uint32 a run: the largest offset in it. */
  readonly runMax: SharedArrayBuffer;
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
    runSeries: new SharedArrayBuffer(runs * 4),
    runStart: new SharedArrayBuffer(runs * 4),
    runCount: new SharedArrayBuffer(runs * 4),
    runBase: new SharedArrayBuffer(runs * 8),
    runMax: new SharedArrayBuffer(runs * 4),
    offsets: new SharedArrayBuffer(slots * 4),
    values: new SharedArrayBuffer(slots * 8),
  };
}

/** A segment's memory as typed arrays, the same in every thread. */
abstract class SegmentArrays {
  protected readonly used: Int32Array;
  /** The earliest and the latest time, milliseconds; they move apart while it is written. */
  readonly range: Float64Array;
  protected readonly runSeries: Uint32Array;
  protected readonly runStart: Uint32Array;
  protected readonly runCount: Int32Array;
  protected readonly runBase: Float64Array;
  protected readonly runMax: Uint32Array;
  protected readonly offsets: Uint32Array;
  protected readonly valueWords: Uint32Array;

  constructor(memory: SegmentMemory) {
    this.used = new Int32Array(memory.used);
    this.range = new Float64Array(memory.range);
    this.runSeries = new Uint32Array(memory.runSeries);
    this.runStart = new Uint32Array(memory.runStart);
    this.runCount = new Int32Array(memory.runCount);
    this.runBase = new Float64Array(memory.runBase);
    this.runMax = new Uint32Array(memory.runMax);
    this.offsets = new Uint32Array(memory.offsets);
    this.valueWords = new Uint32Array(memory.values);
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
    const { offsets, runStart, runBase, runMax } = this;
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
      const slot = runStart[run] + this.placed[run]++;
      const offset = time - runBase[run];
      offsets[slot] = offset;
      if (offset > runMax[run]) runMax[run] = offset;
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
      Atomics.store(this.runCount, run, this.placed[run]);
    }
    this.touchedCount = 0;
    // Readers look at the number of runs first, so whatever they find by it is written.
    Atomics.store(this.used, 0, this.runs);
  }

  /** Takes back what was placed and not published. */
  takeBack(): void {
    for (let i = 0; i < this.touchedCount; i++) this.placed[this.touched[i]] = this.runCount[this.touched[i]];
    this.touchedCount = 0;
  }

  private fits(run: number, id: number, time: number): boolean {
    const offset = time - this.runBase[run];
    return offset >= 0 && offset <= MAX_OFFSET_MS && this.placed[run] < RUN_SLOTS[this.openClass[id]];
  }

  /** Opens the next run of a series, or returns −1 where none fits. */
  private open(id: number, time: number): number {
    const hadRun = this.openRun[id] > 0;
    // A run that ends because of its time, not its length, says nothing about how many will come.
    const isFull = hadRun && this.placed[this.openRun[id] - 1] === RUN_SLOTS[this.openClass[id]];
    const size = isFull ? Math.min(this.openClass[id] + 1, RUN_SLOTS.length - 1) : hadRun ? this.openClass[id] : 0;
    if (this.runs === this.runSeries.length || this.slots + RUN_SLOTS[size] > this.offsets.length) return -1;
    const run = this.runs++;
    if (run === this.placed.length) {
      const larger = new Uint8Array(this.placed.length * 2);
      larger.set(this.placed);
      this.placed = larger;
    }
    this.runSeries[run] = id;
    this.runStart[run] = this.slots;
    this.runBase[run] = time;
    this.slots += RUN_SLOTS[size];
    this.openRun[id] = run + 1;
    this.openClass[id] = size;
    return run;
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
  /** By series: its first and last run plus one; by run: the next one of its series plus one. */
  private firstRun = new Uint32Array(4096);
  private lastRun = new Uint32Array(4096);
  private nextRun = new Uint32Array(4096);
  private known = 0;

  constructor(memory: SegmentMemory) {
    super(memory);
    this.sequence = memory.sequence;
  }

  /** Takes note of the runs that were opened since the last call. */
  refresh(): void {
    const runs = Atomics.load(this.used, 0);
    if (runs > this.nextRun.length) this.nextRun = grown(this.nextRun, runs);
    for (let run = this.known; run < runs; run++) {
      const id = this.runSeries[run];
      if (id >= this.firstRun.length) {
        this.firstRun = grown(this.firstRun, id + 1);
        this.lastRun = grown(this.lastRun, id + 1);
      }
      const last = this.lastRun[id];
      if (last === 0) this.firstRun[id] = run + 1;
      else this.nextRun[last - 1] = run + 1;
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
    return this.firstRun.length;
  }

  /** How many samples a series has in the runs that may hold some of `[startMs, endMs]`. */
  count(id: number, startMs: number, endMs: number): number {
    if (id >= this.firstRun.length) return 0;
    let count = 0;
    for (let run = this.firstRun[id]; run > 0; run = this.nextRun[run - 1]) {
      if (this.isWanted(run - 1, startMs, endMs)) count += Atomics.load(this.runCount, run - 1);
    }
    return count;
  }

  /**
   * Copies the samples of those runs in the order in which they came, and returns how many.
   * @param max what there is room for: the writer may have added some since `count`.
   */
  copy(id: number, startMs: number, endMs: number, out: SampleColumns, at: number, max: number): number {
    if (id >= this.firstRun.length) return 0;
    let copied = 0;
    for (let run = this.firstRun[id]; run > 0 && copied < max; run = this.nextRun[run - 1]) {
      if (!this.isWanted(run - 1, startMs, endMs)) continue;
      copied += this.copyRun(run - 1, startMs, endMs, out, at + copied, max - copied);
    }
    return copied;
  }

  private copyRun(
    run: number,
    startMs: number,
    endMs: number,
    { times, valueWords }: SampleColumns,
    at: number,
    max: number,
  ): number {
    const { offsets } = this;
    const start = this.runStart[run];
    const base = this.runBase[run];
    const count = Math.min(Atomics.load(this.runCount, run), max);
    if (base >= startMs && base + this.runMax[run] <= endMs) {
      for (let i = 0; i < count; i++) times[at + i] = base + offsets[start + i];
      valueWords.set(this.valueWords.subarray(2 * start, 2 * (start + count)), 2 * at);
      return count;
    }
    // An instant query wants few of the samples of a run.
    let copied = 0;
    for (let slot = start; slot < start + count; slot++) {
      const time = base + offsets[slot];
      if (time < startMs || time > endMs) continue;
      times[at + copied] = time;
      valueWords[2 * (at + copied)] = this.valueWords[2 * slot];
      valueWords[2 * (at + copied) + 1] = this.valueWords[2 * slot + 1];
      copied++;
    }
    return copied;
  }

  private isWanted(run: number, startMs: number, endMs: number): boolean {
    const base = this.runBase[run];
    return base <= endMs && base + this.runMax[run] >= startMs;
  }
}

function grown(old: Uint32Array, needed: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(old.length * 2, needed));
  larger.set(old);
  return larger;
}
