import type { NativeHistogram } from '../model/index.ts';
import { HistogramAggregator } from './aggregate-histogram.ts';
import { InputTable, SEEN } from './input-table.ts';
import { LivingInputs } from './living-inputs.ts';
import { OutputTable } from './output-table.ts';
import { type AggregationRule, AVG, COUNTER, LAST, MAX, SUM } from './rule.ts';

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
  /** Changes that came after the sample of their time was final, one an output and timestamp; they correct the last one. */
  readonly late: number;
  /** Samples older than the last one of their input, which were left out. */
  readonly outOfOrder: number;
  /** Infinite or negative values and increases, which were left out. */
  readonly unusable: number;
  /** Histograms whose buckets can't be joined with those of their output, which were left out. */
  readonly incompatible: number;
}

/** An input of a gauge counts until it was silent for this long, as a series does in an instant query. */
const GAUGE_STALE_MS = 300_000;

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
  private readonly outputs: OutputTable;
  private readonly indexBySeries = new Map<number, number>();
  private resets = 0;
  private outOfOrder = 0;
  private unusable = 0;

  constructor(limits: Partial<AggregatorLimits> = {}) {
    const { maxInputs, maxHistogramInputs } = { ...DEFAULT_AGGREGATOR_LIMITS, ...limits };
    this.inputs = new InputTable(maxInputs, (slot) => this.forget(slot));
    this.living = new LivingInputs(this.inputs);
    this.outputs = new OutputTable(this.living);
    this.histograms = new HistogramAggregator(maxHistogramInputs, (output, ms) => this.outputs.timeOf(output, ms));
  }

  get stats(): AggregatorStats {
    return {
      inputs: this.inputs.size,
      outputs: this.outputs.count,
      evicted: this.inputs.evicted + this.histograms.evicted,
      resets: this.resets + this.histograms.resets,
      late: this.outputs.late,
      outOfOrder: this.outOfOrder + this.histograms.outOfOrder,
      unusable: this.unusable + this.histograms.unusable,
      incompatible: this.histograms.incompatible,
    };
  }

  /**
   * The index of the output that writes to a series; the same for the same series, whose first rule and resolution stay.
   * @param restored the series' last stored sample: a counter goes on from it, and nothing is emitted before it.
   * @param resolutionMs 0 for a sample a timestamp; else one at the end of each aligned interval of so many milliseconds
   *   in which something changed. The sample at a time t says what held up to t, t included: the difference of two samples
   *   is what the inputs increased between their times, and a gauge is joined of what its inputs said last by then.
   */
  output(
    seriesId: number,
    rule: AggregationRule,
    restored?: { value: number; timestampMs: number },
    resolutionMs = 0,
  ): number {
    const known = this.indexBySeries.get(seriesId);
    if (known !== undefined) return known;
    const output = this.outputs.add(seriesId, rule, resolutionMs, restored);
    this.indexBySeries.set(seriesId, output);
    return output;
  }

  /** The number of the series that an output writes to. */
  seriesOf(output: number): number {
    return this.outputs.seriesIds[output];
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
   * Ends an input that is known by its hash: it is another one's from now on.
   * @returns Its last value, or `undefined` where there is none.
   */
  endInput(
    output: number,
    hi: number,
    lo: number,
  ): { value: number; startMs: number; timestampMs: number } | undefined {
    const slot = this.inputs.find(output, hi, lo);
    if (slot < 0) return undefined;
    const last = this.lastOfSlot(slot);
    this.release(slot);
    return last;
  }

  /** The last value of an input that is known by its hash, or `undefined`. */
  lastOfInput(
    output: number,
    hi: number,
    lo: number,
  ): { value: number; startMs: number; timestampMs: number } | undefined {
    const slot = this.inputs.find(output, hi, lo);
    return slot < 0 ? undefined : this.lastOfSlot(slot);
  }

  private lastOfSlot(slot: number): { value: number; startMs: number; timestampMs: number } | undefined {
    const { last, start, time, flags } = this.inputs;
    if ((flags[slot] & SEEN) === 0) return undefined;
    return { value: last[slot], startMs: start[slot], timestampMs: time[slot] };
  }

  /**
   * Takes in one sample.
   * @param startMs when the counter began at 0, in milliseconds since the epoch, or 0 where nobody said.
   */
  add(slot: number, timestampMs: number, value: number, startMs: number): void {
    const inputs = this.inputs;
    const output = inputs.output[slot];
    if (this.outputs.rules[output] !== COUNTER) {
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
    this.outputs.addAmount(output, timestampMs, increase);
  }

  /** Takes in an increase that the sender computed itself. Only for outputs with the rule `counter`. */
  addDelta(output: number, timestampMs: number, delta: number): void {
    if (!(delta >= 0 && delta < Number.POSITIVE_INFINITY)) {
      if (!Number.isNaN(delta)) this.unusable++;
      return;
    }
    this.outputs.addAmount(output, timestampMs, delta);
  }

  /** Takes in one native histogram: increases for the rule `counter`, else the sum of the inputs' last ones. */
  addHistogram(slot: number, timestampMs: number, histogram: NativeHistogram, startMs: number): void {
    const output = this.inputs.output[slot];
    const asCounter = this.outputs.rules[output] === COUNTER && histogram.counterResetHint !== 'gauge';
    this.histograms.add(slot, output, timestampMs, histogram, startMs, asCounter);
    this.inputs.markChanged(slot);
  }

  /** Takes in a native histogram that holds only what came since the one before. */
  addHistogramDelta(output: number, timestampMs: number, histogram: NativeHistogram): void {
    this.histograms.addDelta(output, timestampMs, histogram);
  }

  /**
   * Emits what waits: per output ascending in time, one sample a timestamp. A change that came too late for an emitted
   * timestamp is emitted at the latest emitted one of its output, so the last sample of a timestamp is the right one;
   * `late` counts them. A value of NaN is a staleness marker: no input of the gauge is alive.
   *
   * Of outputs with a resolution the sample of an interval stands at its end. Without `closedMs` a drain emits the running
   * interval as well, a little ahead of the clock, and the next drains write the same timestamp again until it is over:
   * each commit then holds all that it acknowledges, and a query, which asks for times up to now, sees intervals that are
   * over. With it fewer samples are written, and a process that is killed loses the increases of one interval.
   *
   * @param closedMs the time up to which intervals are over, milliseconds since the epoch, usually the clock's: what
   *   belongs to later ones stays, and what came late waits for the end of the running one.
   */
  drain(
    emit: (seriesId: number, timestampMs: number, value: number) => void,
    emitHistogram: (seriesId: number, timestampMs: number, histogram: NativeHistogram) => void,
    closedMs = Number.POSITIVE_INFINITY,
  ): void {
    const { outputs } = this;
    const untilMs = outputs.beginDrain(closedMs);
    outputs.drain(emit, untilMs);
    this.histograms.drain(
      (output, timestampMs, histogram) => {
        const at = Math.max(timestampMs, outputs.emittedMs[output]);
        if (outputs.isLate(output, timestampMs)) outputs.late++;
        outputs.emittedMs[output] = at;
        emitHistogram(outputs.seriesIds[output], at, histogram);
      },
      (output, pointMs) => outputs.isDue(output, pointMs, untilMs),
    );
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
      const seriesId = this.outputs.seriesIds[inputs.output[slot]];
      // A gauge's inputs come back with their next samples.
      if (inputs.flags[slot] & SEEN && this.outputs.rules[inputs.output[slot]] === COUNTER)
        emit(seriesId, hi, lo, inputs.last[slot], inputs.start[slot], inputs.time[slot]);
      const known = this.histograms.lastOf(slot);
      if (known) emitHistogram?.(seriesId, hi, lo, known.histogram, known.startMs, known.timestampMs);
    });
  }

  /** Visits every counter's input by hash, for persistence. */
  visitInputs(
    visit: (
      outputSeriesId: number,
      hi: number,
      lo: number,
      lastValue: number,
      startMs: number,
      timestampMs: number,
    ) => void,
  ): void {
    const { inputs, outputs } = this;
    inputs.visitHashed((slot, hi, lo) => {
      const output = inputs.output[slot];
      if ((inputs.flags[slot] & SEEN) === 0 || outputs.rules[output] !== COUNTER) return;
      visit(outputs.seriesIds[output], hi, lo, inputs.last[slot], inputs.start[slot], inputs.time[slot]);
    });
  }

  /** The reverse of `drainInputs`, after a restart and before the first sample. */
  restoreInput(output: number, hi: number, lo: number, lastValue: number, startMs: number, timestampMs: number): void {
    this.restoreSlotLast(this.inputByHash(output, hi, lo), lastValue, timestampMs, startMs);
  }

  /** Gives a counter's slot its last value without counting it; gauges come back with their next sample. */
  restoreSlotLast(slot: number, value: number, timestampMs: number, startMs = 0): void {
    const inputs = this.inputs;
    if (this.outputs.rules[inputs.output[slot]] !== COUNTER || !(value >= 0)) return;
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
    const { emittedMs } = this.outputs;
    emittedMs[output] = Math.max(emittedMs[output], timestampMs);
  }

  private addGauge(slot: number, output: number, timestampMs: number, value: number): void {
    const { inputs, outputs } = this;
    const seen = (inputs.flags[slot] & SEEN) !== 0;
    if (seen && timestampMs < inputs.time[slot]) {
      this.outOfOrder++;
      return;
    }
    const pointMs = outputs.timeOf(output, timestampMs);
    const isLatest = this.beginPoint(output, pointMs);
    // The beginning may have ended this very input, where it was silent for too long.
    const lived = (inputs.flags[slot] & SEEN) !== 0;
    if (!Number.isFinite(value)) {
      // A value that can't be read is absent, never 0, so it ends its input as a staleness marker does.
      if (!Number.isNaN(value)) this.unusable++;
      if (lived) this.endSilent(slot, output, pointMs, isLatest);
      return;
    }
    const old = lived ? inputs.last[slot] : 0;
    this.living.see(slot, output, !lived);
    inputs.flags[slot] |= SEEN;
    inputs.last[slot] = value;
    inputs.time[slot] = timestampMs;
    const point = outputs.pointAt(output, pointMs);
    const points = outputs.queueOf(output);
    if (!lived) points.alive[point]++;
    switch (outputs.rules[output]) {
      case SUM:
      case AVG:
        this.living.addChange(output, value - old);
        points.amount[point] += value - old;
        return;
      case MAX:
        this.living.raise(output, value, old, lived);
        // An earlier point knows only what was reported for its own time.
        if (isLatest) points.amount[point] = this.living.current[output];
        else if (value > points.amount[point]) points.amount[point] = value;
        return;
      case LAST:
        if (this.living.show(output, value, timestampMs)) points.amount[points.tail[output]] = value;
        // What is older than the last value counts for an earlier time only, unless that was emitted already.
        else if (isLatest || pointMs <= outputs.emittedMs[output]) return;
        points.amount[point] = value;
        return;
    }
  }

  /** Opens the point of a gauge at a time: settles the one before it and ends silent inputs. Says if it is the latest. */
  private beginPoint(output: number, pointMs: number): boolean {
    const { living, inputs, outputs } = this;
    const points = outputs.queueOf(output);
    const tail = points.tail[output];
    if (tail >= 0 && pointMs <= points.time[tail]) return pointMs === points.time[tail];
    outputs.settle(output);
    for (let slot = living.oldest[output]; slot >= 0; slot = living.oldest[output]) {
      if (inputs.time[slot] >= pointMs - GAUGE_STALE_MS) break;
      this.endSilent(slot, output, pointMs, true);
    }
    return true;
  }

  private endSilent(slot: number, output: number, pointMs: number, isLatest: boolean): void {
    this.takeOut(slot, output);
    const { outputs } = this;
    const point = outputs.pointAt(output, pointMs);
    const points = outputs.queueOf(output);
    points.alive[point] -= 1;
    const rule = outputs.rules[output];
    if (rule === SUM || rule === AVG) points.amount[point] -= this.inputs.last[slot];
    else if (isLatest) points.amount[point] = this.living.current[output];
  }

  /** Removes an input from its gauge without a sample; the next one shows it. */
  private forget(slot: number): void {
    const { inputs, outputs } = this;
    const output = inputs.output[slot];
    this.histograms.forget(slot, output);
    if ((inputs.flags[slot] & SEEN) === 0 || outputs.rules[output] === COUNTER) return;
    this.takeOut(slot, output);
    const points = outputs.queueOf(output);
    const tail = points.tail[output];
    if (tail >= 0) points.alive[tail] -= 1;
    else outputs.drainedAlive[output] -= 1;
    if (outputs.rules[output] === SUM || outputs.rules[output] === AVG) {
      if (tail >= 0) points.amount[tail] -= inputs.last[slot];
      else outputs.drainedValue[output] -= inputs.last[slot];
    }
  }

  private takeOut(slot: number, output: number): void {
    this.inputs.flags[slot] &= ~SEEN;
    this.living.leave(slot, output, this.outputs.rules[output]);
  }
}
