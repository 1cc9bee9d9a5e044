import type { NativeHistogram } from '../model/index.ts';
import { HistogramAggregator } from './aggregate-histogram.ts';
import { InputTable, SEEN } from './input-table.ts';
import { LivingInputs } from './living-inputs.ts';
import { grown, PointQueue } from './point-queue.ts';
import { type AggregationRule, AVG, COUNTER, LAST, MAX, ruleCode, SUM } from './rule.ts';

/** Bounds of an aggregator. */
export interface AggregatorLimits {
  /** Inputs with a remembered last value, of all outputs together. */
  maxInputs: number;
  /** Inputs whose last value is a native histogram. */
  maxHistogramInputs: number;
}

/** Default bounds: about 40 MiB of last values, and up to some kilobytes a histogram. */
export const DEFAULT_AGGREGATOR_LIMITS: AggregatorLimits = { maxInputs: 500_000, maxHistogramInputs: 50_000 };

/** What an aggregator counts; all but `inputs` and `outputs` only go up. */
export interface AggregatorStats {
  readonly inputs: number;
  readonly outputs: number;
  /** Inputs forgotten for want of room. One that returns is counted as a new series, whole. */
  readonly evicted: number;
  /** Times that a counter began anew. */
  readonly resets: number;
  /** Samples older than the last one of their input, which were left out. */
  readonly outOfOrder: number;
  /** Infinite or negative values and increases, which were left out. */
  readonly unusable: number;
  /** Histograms whose buckets can't be joined with those of their output, which were left out. */
  readonly incompatible: number;
}

/** An input of a gauge counts until it was silent for this long, as a series does in an instant query. */
const GAUGE_STALE_MS = 300_000;
const MAX_POINTS = 1 << 20;

/**
 * Adds up series that became equal, so that removing a label keeps totals exact: the increases of an output over any
 * time equal the increases of its inputs. Not safe for concurrent use; time comes in with the samples.
 *
 * Counters: an input adds its increase since its last sample; its whole value where the value fell, the start time
 * changed, or the input wasn't known. Gauges: the rule over the inputs that had a value within five minutes; a NaN ends
 * an input. An output's samples wait for `drain`.
 */
export class Aggregator {
  private readonly inputs: InputTable;
  private readonly living: LivingInputs;
  private readonly histograms: HistogramAggregator;
  private readonly points = new PointQueue(MAX_POINTS);
  private waiting: number[] = [];
  private readonly indexBySeries = new Map<number, number>();
  private count = 0;
  private seriesIds = new Float64Array(64);
  private rules = new Uint8Array(64);
  /** As of the last drained point: of counters the total, of gauges the sum, maximum or last value. */
  private drainedValue = new Float64Array(64);
  private drainedAlive = new Int32Array(64);
  private emittedMs = new Float64Array(64);
  private resets = 0;
  private outOfOrder = 0;
  private unusable = 0;

  constructor(limits: Partial<AggregatorLimits> = {}) {
    const { maxInputs, maxHistogramInputs } = { ...DEFAULT_AGGREGATOR_LIMITS, ...limits };
    this.inputs = new InputTable(maxInputs, (slot) => this.forget(slot));
    this.living = new LivingInputs(this.inputs);
    this.histograms = new HistogramAggregator(maxHistogramInputs);
  }

  get stats(): AggregatorStats {
    return {
      inputs: this.inputs.size,
      outputs: this.count,
      evicted: this.inputs.evicted + this.histograms.evicted,
      resets: this.resets + this.histograms.resets,
      outOfOrder: this.outOfOrder + this.histograms.outOfOrder,
      unusable: this.unusable + this.histograms.unusable,
      incompatible: this.histograms.incompatible,
    };
  }

  /**
   * The index of the output that writes to a series; the same for the same series, whose first rule stays.
   * @param restored the series' last stored sample: a counter goes on from it, and nothing is emitted before it.
   */
  output(seriesId: number, rule: AggregationRule, restored?: { value: number; timestampMs: number }): number {
    const known = this.indexBySeries.get(seriesId);
    if (known !== undefined) return known;
    const output = this.count++;
    if (output === this.seriesIds.length) this.growOutputs();
    this.points.reserveOutputs(this.count);
    this.living.reserveOutputs(this.count);
    this.indexBySeries.set(seriesId, output);
    this.seriesIds[output] = seriesId;
    this.rules[output] = ruleCode(rule);
    this.emittedMs[output] = restored?.timestampMs ?? Number.NEGATIVE_INFINITY;
    if (rule === 'counter' && restored && Number.isFinite(restored.value)) this.drainedValue[output] = restored.value;
    return output;
  }

  /** The output that writes to a series, or −1. A kept series with one must be fed to it instead of being written. */
  outputOf(seriesId: number): number {
    return this.indexBySeries.get(seriesId) ?? -1;
  }

  /**
   * A slot for an input that the caller remembers, such as a kept series that feeds the fleet level. Never evicted.
   * @throws BarographError `aggregation_inputs_full`.
   */
  input(output: number): number {
    return this.inputs.allocate(output);
  }

  /**
   * The slot of an input that is known only by the 64-bit hash of its raw labels, as two 32-bit words. The slot is the
   * input's until the next call of this method, which may evict it; look it up for each sample.
   */
  inputByHash(output: number, hi: number, lo: number): number {
    return this.inputs.findOrAllocate(output, hi, lo);
  }

  /** Gives back a slot of `input`; a gauge input ends without a sample. */
  release(slot: number): void {
    this.forget(slot);
    this.inputs.release(slot);
  }

  /**
   * Takes in one sample.
   * @param startMs when the counter began at 0, in milliseconds since the epoch, or 0 where nobody said.
   */
  add(slot: number, timestampMs: number, value: number, startMs: number): void {
    const inputs = this.inputs;
    const output = inputs.output[slot];
    if (this.rules[output] !== COUNTER) {
      this.addGauge(slot, output, timestampMs, value);
      return;
    }
    if (!(value >= 0 && value < Number.POSITIVE_INFINITY)) {
      // Staleness markers end nothing here: a counter that is silent doesn't increase.
      if (!Number.isNaN(value)) this.unusable++;
      return;
    }
    let increase = value;
    if (inputs.flags[slot] & SEEN) {
      const last = inputs.last[slot];
      const time = inputs.time[slot];
      if (timestampMs < time || (timestampMs === time && value < last)) {
        this.outOfOrder++;
        return;
      }
      const start = inputs.start[slot];
      if (value < last || (startMs !== start && startMs > 0 && start > 0)) this.resets++;
      else increase = value - last;
    }
    inputs.flags[slot] |= SEEN;
    inputs.last[slot] = value;
    inputs.time[slot] = timestampMs;
    if (startMs > 0) inputs.start[slot] = startMs;
    inputs.markChanged(slot);
    // The point comes first, because making one may replace the arrays.
    const point = this.pointAt(output, timestampMs);
    this.points.amount[point] += increase;
  }

  /** Takes in an increase that the sender computed itself. Only for outputs with the rule `counter`. */
  addDelta(output: number, timestampMs: number, delta: number): void {
    if (!(delta >= 0 && delta < Number.POSITIVE_INFINITY)) {
      if (!Number.isNaN(delta)) this.unusable++;
      return;
    }
    const point = this.pointAt(output, timestampMs);
    this.points.amount[point] += delta;
  }

  /** Takes in one native histogram: increases for the rule `counter`, else the sum of the inputs' last ones. */
  addHistogram(slot: number, timestampMs: number, histogram: NativeHistogram, startMs: number): void {
    const output = this.inputs.output[slot];
    const asCounter = this.rules[output] === COUNTER && histogram.counterResetHint !== 'gauge';
    this.histograms.add(slot, output, timestampMs, histogram, startMs, asCounter);
    this.inputs.markChanged(slot);
  }

  /** Takes in a native histogram that holds only what came since the one before. */
  addHistogramDelta(output: number, timestampMs: number, histogram: NativeHistogram): void {
    this.histograms.addDelta(output, timestampMs, histogram);
  }

  /**
   * Emits what waits: per output ascending in time, one sample a timestamp. A change that came too late for an emitted
   * timestamp is emitted at the latest emitted one of its output, so the last sample of a timestamp is the right one.
   * A value of NaN is a staleness marker: no input of the gauge is alive.
   */
  drain(
    emit: (seriesId: number, timestampMs: number, value: number) => void,
    emitHistogram: (seriesId: number, timestampMs: number, histogram: NativeHistogram) => void,
  ): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const output of waiting) this.drainOutput(output, emit);
    this.points.reset();
    this.histograms.drain((output, timestampMs, histogram) => {
      const at = Math.max(timestampMs, this.emittedMs[output]);
      this.emittedMs[output] = at;
      emitHistogram(this.seriesIds[output], at, histogram);
    });
  }

  /**
   * Visits the inputs by hash that changed since the last call, for persistence; those with a histogram go to the second
   * function. Inputs that were evicted meanwhile are left out.
   */
  drainInputs(
    emit: (
      outputSeriesId: number,
      hi: number,
      lo: number,
      lastValue: number,
      startMs: number,
      timestampMs: number,
    ) => void,
    emitHistogram?: (
      outputSeriesId: number,
      hi: number,
      lo: number,
      last: NativeHistogram,
      startMs: number,
      timestampMs: number,
    ) => void,
  ): void {
    const inputs = this.inputs;
    inputs.takeChanged((slot, hi, lo) => {
      const seriesId = this.seriesIds[inputs.output[slot]];
      if (inputs.flags[slot] & SEEN) emit(seriesId, hi, lo, inputs.last[slot], inputs.start[slot], inputs.time[slot]);
      const known = this.histograms.lastOf(slot);
      if (known) emitHistogram?.(seriesId, hi, lo, known.histogram, known.startMs, known.timestampMs);
    });
  }

  /** The reverse of `drainInputs`, after a restart and before the first sample. */
  restoreInput(output: number, hi: number, lo: number, lastValue: number, startMs: number, timestampMs: number): void {
    this.restoreSlotLast(this.inputByHash(output, hi, lo), lastValue, timestampMs, startMs);
  }

  /** Gives a counter's slot its last value without counting it; gauges come back with their next sample. */
  restoreSlotLast(slot: number, value: number, timestampMs: number, startMs = 0): void {
    const inputs = this.inputs;
    if (this.rules[inputs.output[slot]] !== COUNTER || !(value >= 0)) return;
    inputs.flags[slot] |= SEEN;
    inputs.last[slot] = value;
    inputs.time[slot] = timestampMs;
    inputs.start[slot] = startMs;
  }

  /** Gives a slot its last histogram without counting it. */
  restoreSlotHistogram(slot: number, histogram: NativeHistogram, timestampMs: number, startMs = 0): void {
    this.histograms.restoreInput(slot, histogram, timestampMs, startMs);
  }

  /** Gives an output the histogram that it goes on from. */
  restoreOutputHistogram(output: number, histogram: NativeHistogram, timestampMs: number): void {
    this.histograms.restoreOutput(output, histogram);
    this.emittedMs[output] = Math.max(this.emittedMs[output], timestampMs);
  }

  private addGauge(slot: number, output: number, timestampMs: number, value: number): void {
    const inputs = this.inputs;
    const seen = (inputs.flags[slot] & SEEN) !== 0;
    if (seen && timestampMs < inputs.time[slot]) {
      this.outOfOrder++;
      return;
    }
    const isLatest = this.beginPoint(output, timestampMs);
    // The beginning may have ended this very input, where it was silent for too long.
    const living = (inputs.flags[slot] & SEEN) !== 0;
    if (!Number.isFinite(value)) {
      // A value that can't be read is absent, never 0, so it ends its input as a staleness marker does.
      if (!Number.isNaN(value)) this.unusable++;
      if (living) this.endInput(slot, output, timestampMs, isLatest);
      return;
    }
    const old = living ? inputs.last[slot] : 0;
    this.living.see(slot, output, !living);
    inputs.flags[slot] |= SEEN;
    inputs.last[slot] = value;
    inputs.time[slot] = timestampMs;
    inputs.markChanged(slot);
    const point = this.pointAt(output, timestampMs);
    if (!living) this.points.alive[point]++;
    this.applyChange(output, point, timestampMs, isLatest, old, value, living);
  }

  /** Brings a gauge's current value and its point up to date with one input's change. */
  private applyChange(
    output: number,
    point: number,
    timestampMs: number,
    isLatest: boolean,
    old: number,
    value: number,
    lived: boolean,
  ): void {
    const { living, points } = this;
    switch (this.rules[output]) {
      case SUM:
      case AVG:
        living.addChange(output, value - old);
        points.amount[point] += value - old;
        return;
      case MAX:
        living.raise(output, value, old, lived);
        // An earlier point knows only what was reported for its own time.
        if (isLatest) points.amount[point] = living.current[output];
        else if (value > points.amount[point]) points.amount[point] = value;
        return;
      case LAST:
        if (living.show(output, value, timestampMs)) points.amount[points.tail[output]] = value;
        // A time that was emitted already has a newer value.
        if (timestampMs > this.emittedMs[output]) points.amount[point] = value;
        return;
    }
  }

  /** Opens the point of a gauge at a time: settles the one before it and ends silent inputs. Says if it is the latest. */
  private beginPoint(output: number, timestampMs: number): boolean {
    const tail = this.points.tail[output];
    if (tail >= 0 && timestampMs <= this.points.time[tail]) return timestampMs === this.points.time[tail];
    this.settle(output, tail);
    const { living, inputs } = this;
    for (let slot = living.oldest[output]; slot >= 0; slot = living.oldest[output]) {
      if (inputs.time[slot] >= timestampMs - GAUGE_STALE_MS) break;
      this.endInput(slot, output, timestampMs, true);
    }
    return true;
  }

  /** A maximum whose highest input fell or left is looked for afresh, once a point. */
  private settle(output: number, tail: number): void {
    if (this.rules[output] !== MAX || !this.living.settleMax(output)) return;
    if (tail >= 0) this.points.amount[tail] = this.living.current[output];
  }

  private endInput(slot: number, output: number, timestampMs: number, isLatest: boolean): void {
    this.takeOut(slot, output);
    const point = this.pointAt(output, timestampMs);
    this.points.alive[point] -= 1;
    const rule = this.rules[output];
    if (rule === SUM || rule === AVG) this.points.amount[point] -= this.inputs.last[slot];
    else if (isLatest) this.points.amount[point] = this.living.current[output];
  }

  /** Removes an input from its gauge without a sample; the next one shows it. */
  private forget(slot: number): void {
    const inputs = this.inputs;
    const output = inputs.output[slot];
    this.histograms.forget(slot, output);
    if ((inputs.flags[slot] & SEEN) === 0 || this.rules[output] === COUNTER) return;
    this.takeOut(slot, output);
    const tail = this.points.tail[output];
    if (tail >= 0) this.points.alive[tail] -= 1;
    else this.drainedAlive[output] -= 1;
    if (this.rules[output] === SUM || this.rules[output] === AVG) {
      if (tail >= 0) this.points.amount[tail] -= inputs.last[slot];
      else this.drainedValue[output] -= inputs.last[slot];
    }
  }

  private takeOut(slot: number, output: number): void {
    this.inputs.flags[slot] &= ~SEEN;
    this.living.leave(slot, output, this.rules[output]);
  }

  private pointAt(output: number, timestampMs: number): number {
    const points = this.points;
    if (points.tail[output] < 0) this.waiting.push(output);
    const used = points.used;
    const point = points.at(output, timestampMs);
    if (points.used !== used && (this.rules[output] === MAX || this.rules[output] === LAST)) {
      // These points hold values rather than changes, so a new one starts with the value before it.
      const before = points.insertedAfter;
      points.amount[point] = before >= 0 ? points.amount[before] : this.drainedValue[output];
    }
    return point;
  }

  private drainOutput(output: number, emit: (seriesId: number, timestampMs: number, value: number) => void): void {
    const points = this.points;
    const rule = this.rules[output];
    this.settle(output, points.tail[output]);
    let value = this.drainedValue[output];
    let alive = this.drainedAlive[output];
    for (let point = points.head[output]; point >= 0; point = points.next[point]) {
      alive += points.alive[point];
      value = rule === MAX || rule === LAST ? points.amount[point] : value + points.amount[point];
      const next = points.next[point];
      const at = Math.max(points.time[point], this.emittedMs[output]);
      // Points at or before the last emitted time become one sample.
      if (next >= 0 && points.time[next] <= at) continue;
      this.emittedMs[output] = at;
      emit(this.seriesIds[output], at, rule === COUNTER ? value : gaugeValue(rule, value, alive));
    }
    points.clear(output);
    if (rule === SUM || rule === AVG) this.living.addUpAfresh(output);
    this.drainedValue[output] = rule === COUNTER ? value : this.living.current[output];
    this.drainedAlive[output] = this.living.alive[output];
  }

  private growOutputs(): void {
    const size = this.seriesIds.length * 2;
    this.seriesIds = grown(this.seriesIds, new Float64Array(size));
    this.rules = grown(this.rules, new Uint8Array(size));
    this.drainedValue = grown(this.drainedValue, new Float64Array(size));
    this.drainedAlive = grown(this.drainedAlive, new Int32Array(size));
    this.emittedMs = grown(this.emittedMs, new Float64Array(size));
  }
}

function gaugeValue(rule: number, value: number, alive: number): number {
  if (alive <= 0) return Number.NaN;
  return rule === AVG ? value / alive : value;
}
