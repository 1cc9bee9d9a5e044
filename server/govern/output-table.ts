import type { LivingInputs } from './living-inputs.ts';
import { grown, PointQueue } from './point-queue.ts';
import { type AggregationRule, AVG, COUNTER, LAST, MAX, ruleCode, SUM } from './rule.ts';

/** Points that wait, of all outputs of a queue together; past it time loses detail, never an amount. */
const MAX_POINTS = 1 << 20;

/**
 * The outputs of aggregation: what each came to as of its last emitted sample, and its changes since then, which wait for
 * a drain. Where an output has a resolution, its points stand at the ends of aligned intervals: a change at a time t
 * belongs to the first multiple of the resolution that isn't before t, and so a sample there says what held up to then.
 */
export class OutputTable {
  /** Per output: the series that it writes to. */
  seriesIds = new Float64Array(64);
  /** Per output: its rule's number. */
  rules = new Uint8Array(64);
  /** Per output: as of the last drained point, of counters the total, of gauges the sum, maximum or last value. */
  drainedValue = new Float64Array(64);
  drainedAlive = new Int32Array(64);
  /** Per output: the time of its last sample, milliseconds since the epoch. */
  emittedMs = new Float64Array(64);
  /** How many outputs there are. */
  count = 0;
  /** Points that came after the sample of their time was final. */
  late = 0;
  /** Per output: the length of its intervals in milliseconds, 0 where every time is its own. */
  private resolutionMs = new Float64Array(64);
  /** Points of outputs without a resolution; a drain empties it. */
  private readonly fine = new PointQueue(MAX_POINTS);
  private fineWaiting: number[] = [];
  /** Points of outputs with one; what is in an interval that isn't over stays. */
  private readonly coarse = new PointQueue(MAX_POINTS);
  private coarseWaiting: number[] = [];
  /** The shortest resolution of any output. */
  private shortestMs = Number.POSITIVE_INFINITY;
  /** When coarse points have their next turn, milliseconds since the epoch. */
  private nextTurnMs = Number.NEGATIVE_INFINITY;
  /** Up to where intervals were closed. */
  private closedMs = Number.NEGATIVE_INFINITY;
  private readonly living: LivingInputs;

  constructor(living: LivingInputs) {
    this.living = living;
  }

  /**
   * A new output's index.
   * @param resolutionMs the length of its intervals, 0 for none.
   * @param restored its last stored sample.
   */
  add(
    seriesId: number,
    rule: AggregationRule,
    resolutionMs: number,
    restored: { value: number; timestampMs: number } | undefined,
  ): number {
    const output = this.count++;
    if (output === this.seriesIds.length) this.grow();
    (resolutionMs > 0 ? this.coarse : this.fine).reserveOutputs(this.count);
    this.living.reserveOutputs(this.count);
    this.seriesIds[output] = seriesId;
    this.rules[output] = ruleCode(rule);
    this.resolutionMs[output] = resolutionMs;
    if (resolutionMs > 0) this.shortestMs = Math.min(this.shortestMs, resolutionMs);
    this.emittedMs[output] = restored?.timestampMs ?? Number.NEGATIVE_INFINITY;
    if (rule === 'counter' && restored && Number.isFinite(restored.value)) this.drainedValue[output] = restored.value;
    return output;
  }

  /** The time of the point that a change belongs to, milliseconds since the epoch. */
  timeOf(output: number, timestampMs: number): number {
    const resolution = this.resolutionMs[output];
    return resolution === 0 ? timestampMs : Math.ceil(timestampMs / resolution) * resolution;
  }

  /** The queue that holds an output's points. */
  queueOf(output: number): PointQueue {
    return this.resolutionMs[output] === 0 ? this.fine : this.coarse;
  }

  /** The point of an output at a time that `timeOf` gave. Making one may replace the queue's arrays. */
  pointAt(output: number, pointMs: number): number {
    const isFine = this.resolutionMs[output] === 0;
    const points = isFine ? this.fine : this.coarse;
    if (points.tail[output] < 0) (isFine ? this.fineWaiting : this.coarseWaiting).push(output);
    const used = points.used;
    const point = points.at(output, pointMs);
    const rule = this.rules[output];
    if (points.used !== used && (rule === MAX || rule === LAST)) {
      // These points hold values rather than changes, so a new one starts with the value before it.
      const before = points.insertedAfter;
      points.amount[point] = before >= 0 ? points.amount[before] : this.drainedValue[output];
    }
    return point;
  }

  /** Adds to what waits for a counter at a time of its input, milliseconds since the epoch. */
  addAmount(output: number, timestampMs: number, amount: number): void {
    const resolution = this.resolutionMs[output];
    // Every sample passes here, so it looks at each array once.
    const isFine = resolution === 0;
    const points = isFine ? this.fine : this.coarse;
    if (points.tail[output] < 0) (isFine ? this.fineWaiting : this.coarseWaiting).push(output);
    // The point comes first, because making one may replace the arrays.
    const point = points.at(output, isFine ? timestampMs : Math.ceil(timestampMs / resolution) * resolution);
    points.amount[point] += amount;
  }

  /** Brings the latest point of a maximum up to date, where its highest input fell or left. */
  settle(output: number): void {
    if (this.rules[output] !== MAX || !this.living.settleMax(output)) return;
    const points = this.queueOf(output);
    const tail = points.tail[output];
    if (tail >= 0) points.amount[tail] = this.living.current[output];
  }

  /**
   * Up to which time intervals are emitted by the drain that begins: `closedMs` once an interval, −∞ between, so that a
   * hundred changes that came late make one correction.
   */
  beginDrain(closedMs: number): number {
    if (closedMs < this.nextTurnMs && this.coarse.used < MAX_POINTS / 2) return Number.NEGATIVE_INFINITY;
    if (Number.isFinite(closedMs)) this.nextTurnMs = (Math.floor(closedMs / this.shortestMs) + 1) * this.shortestMs;
    return closedMs;
  }

  /** Whether a point of an output is emitted by a drain up to `untilMs`, which `beginDrain` gave. */
  isDue(output: number, pointMs: number, untilMs: number): boolean {
    return this.resolutionMs[output] === 0 || pointMs <= untilMs;
  }

  /**
   * Whether a point is emitted at a later time than its own, or corrects the sample of an interval that was over. To add
   * to a sample of a running interval, or to one that has other inputs at the same time, is not late.
   */
  isLate(output: number, pointMs: number): boolean {
    const emittedMs = this.emittedMs[output];
    return pointMs < emittedMs || (pointMs === emittedMs && this.resolutionMs[output] > 0 && pointMs <= this.closedMs);
  }

  /** Emits what is due, per output ascending in time; see `Aggregator.drain`. */
  drain(emit: (seriesId: number, timestampMs: number, value: number) => void, untilMs: number): void {
    const waiting = this.fineWaiting;
    this.fineWaiting = [];
    for (const output of waiting) this.drainOutput(output, this.fine, Number.POSITIVE_INFINITY, emit);
    this.fine.reset();
    if (untilMs > Number.NEGATIVE_INFINITY) this.drainCoarse(emit, untilMs);
  }

  private drainCoarse(emit: (seriesId: number, timestampMs: number, value: number) => void, untilMs: number): void {
    const waiting = this.coarseWaiting;
    this.coarseWaiting = [];
    // Output, time, amount and change of the living of every point that stays.
    const rest: number[] = [];
    for (const output of waiting) this.drainOutput(output, this.coarse, untilMs, emit, rest);
    this.coarse.reset();
    for (let i = 0; i < rest.length; i += 4) this.keep(rest[i], rest[i + 1], rest[i + 2], rest[i + 3], untilMs);
    if (Number.isFinite(untilMs)) this.closedMs = untilMs;
  }

  /** Puts a point back whose interval isn't over. One from far ahead, of a clock that is wrong, joins the next interval. */
  private keep(output: number, time: number, amount: number, alive: number, untilMs: number): void {
    const ahead = this.timeOf(output, untilMs) + this.resolutionMs[output];
    const point = this.pointAt(output, Math.min(time, ahead));
    const rule = this.rules[output];
    if (rule === MAX || rule === LAST) this.coarse.amount[point] = amount;
    else this.coarse.amount[point] += amount;
    this.coarse.alive[point] += alive;
  }

  private drainOutput(
    output: number,
    points: PointQueue,
    untilMs: number,
    emit: (seriesId: number, timestampMs: number, value: number) => void,
    rest?: number[],
  ): void {
    const rule = this.rules[output];
    const { living } = this;
    this.settle(output);
    let value = this.drainedValue[output];
    let alive = this.drainedAlive[output];
    let point = points.head[output];
    for (; point >= 0 && points.time[point] <= untilMs; point = points.next[point]) {
      alive += points.alive[point];
      value = rule === MAX || rule === LAST ? points.amount[point] : value + points.amount[point];
      const next = points.next[point];
      const at = Math.max(points.time[point], this.emittedMs[output]);
      if (this.isLate(output, points.time[point])) this.late++;
      // Points at or before the last emitted time become one sample.
      if (next >= 0 && points.time[next] <= at) continue;
      this.emittedMs[output] = at;
      emit(this.seriesIds[output], at, rule === COUNTER ? value : gaugeValue(rule, value, alive));
    }
    const isEmpty = point < 0;
    for (; point >= 0; point = points.next[point])
      rest?.push(output, points.time[point], points.amount[point], points.alive[point]);
    points.clear(output);
    if (isEmpty && (rule === SUM || rule === AVG)) living.addUpAfresh(output);
    const isCurrent = isEmpty && rule !== COUNTER;
    this.drainedValue[output] = isCurrent ? living.current[output] : value;
    this.drainedAlive[output] = isCurrent ? living.alive[output] : alive;
  }

  private grow(): void {
    const size = this.seriesIds.length * 2;
    this.seriesIds = grown(this.seriesIds, new Float64Array(size));
    this.rules = grown(this.rules, new Uint8Array(size));
    this.resolutionMs = grown(this.resolutionMs, new Float64Array(size));
    this.drainedValue = grown(this.drainedValue, new Float64Array(size));
    this.drainedAlive = grown(this.drainedAlive, new Int32Array(size));
    this.emittedMs = grown(this.emittedMs, new Float64Array(size));
  }
}

function gaugeValue(rule: number, value: number, alive: number): number {
  if (alive <= 0) return Number.NaN;
  return rule === AVG ? value / alive : value;
}
