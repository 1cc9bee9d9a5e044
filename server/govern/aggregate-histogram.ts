import { CUSTOM_BUCKETS_SCHEMA, type NativeHistogram } from '../model/index.ts';
import { addHistograms, addInPlace, boundBuckets, histogramChange, histogramIncrease } from './histogram-sum.ts';

/** The last histogram of an input. */
interface KnownHistogram {
  readonly histogram: NativeHistogram;
  /** Milliseconds since the epoch, 0 where unknown. */
  readonly startMs: number;
  readonly timestampMs: number;
  /** Whether only its increases count; else its output holds the histogram itself. */
  readonly asCounter: boolean;
}

/** A change of an output that waits for the next drain. */
interface HistogramPoint {
  readonly timestampMs: number;
  change: NativeHistogram;
  /** Whether `change` was made here, so that its counts may be added to in place. */
  isOwn: boolean;
}

/** Points of one output at most; past it a change joins the nearest one. */
const MAX_POINTS_PER_OUTPUT = 512;

/** The part of the aggregator that adds up native histograms. Last histograms are kept for the inputs seen last. */
export class HistogramAggregator {
  evicted = 0;
  resets = 0;
  outOfOrder = 0;
  unusable = 0;
  incompatible = 0;
  /** By slot, the longest unseen first. */
  private readonly known = new Map<number, KnownHistogram>();
  /** By output, as of the last drained point. */
  private readonly totals = new Map<number, NativeHistogram>();
  private readonly waiting = new Map<number, HistogramPoint[]>();
  private readonly maxInputs: number;
  private readonly timeOf: (output: number, timestampMs: number) => number;

  /** @param timeOf the time of an output's point that a change at a time belongs to, milliseconds since the epoch. */
  constructor(maxInputs: number, timeOf: (output: number, timestampMs: number) => number) {
    this.maxInputs = maxInputs;
    this.timeOf = timeOf;
  }

  /** Takes in one histogram; `asCounter` says that only increases count. */
  add(
    slot: number,
    output: number,
    timestampMs: number,
    received: NativeHistogram,
    startMs: number,
    asCounter: boolean,
  ): void {
    if (isStaleMarker(received)) {
      if (!asCounter) this.forget(slot, output, timestampMs);
      return;
    }
    if (!isUsable(received)) {
      this.unusable++;
      return;
    }
    const histogram = boundBuckets(received);
    const last = this.known.get(slot);
    if (last && timestampMs < last.timestampMs) {
      this.outOfOrder++;
      return;
    }
    let change: NativeHistogram | undefined = histogram;
    if (last && asCounter) {
      const began = startMs !== last.startMs && startMs > 0 && last.startMs > 0;
      const increase = began ? undefined : histogramIncrease(histogram, last.histogram);
      if (increase) change = increase;
      else if (timestampMs === last.timestampMs) {
        this.outOfOrder++;
        return;
      } else this.resets++;
    } else if (last) change = histogramChange(histogram, last.histogram) ?? histogram;
    this.remember(slot, { histogram, startMs: startMs > 0 ? startMs : (last?.startMs ?? 0), timestampMs, asCounter });
    this.apply(output, timestampMs, change);
  }

  /** Takes in what came since the histogram before. */
  addDelta(output: number, timestampMs: number, histogram: NativeHistogram): void {
    if (isStaleMarker(histogram)) return;
    if (isUsable(histogram)) this.apply(output, timestampMs, boundBuckets(histogram));
    else this.unusable++;
  }

  /** Emits one total a point that is due, ascending in time per output; the others stay. */
  drain(
    emit: (output: number, timestampMs: number, histogram: NativeHistogram) => void,
    isDue: (output: number, pointMs: number) => boolean,
  ): void {
    for (const [output, points] of this.waiting) {
      let total = this.totals.get(output);
      let due = 0;
      for (const point of points) {
        if (!isDue(output, point.timestampMs)) break;
        due++;
        const sum = total ? addHistograms(total, point.change) : point.change;
        if (!sum) {
          this.incompatible++;
          continue;
        }
        total = boundBuckets({ ...sum, counterResetHint: 'unknown' });
        emit(output, point.timestampMs, total);
      }
      if (total) this.totals.set(output, total);
      if (due === points.length) this.waiting.delete(output);
      else if (due > 0) points.splice(0, due);
    }
  }

  lastOf(slot: number): KnownHistogram | undefined {
    return this.known.get(slot);
  }

  /** Forgets a slot's last histogram, and takes it out of its output unless that counts increases. */
  forget(slot: number, output: number, timestampMs?: number): void {
    const last = this.known.get(slot);
    if (!last) return;
    this.known.delete(slot);
    if (!last.asCounter) this.apply(output, timestampMs ?? last.timestampMs, negated(last.histogram));
  }

  restoreInput(slot: number, histogram: NativeHistogram, timestampMs: number, startMs: number): void {
    this.remember(slot, { histogram: boundBuckets(histogram), startMs, timestampMs, asCounter: true });
  }

  restoreOutput(output: number, histogram: NativeHistogram): void {
    if (!this.totals.has(output)) this.totals.set(output, boundBuckets(histogram));
  }

  private remember(slot: number, known: KnownHistogram): void {
    this.known.delete(slot);
    this.known.set(slot, known);
    if (this.known.size <= this.maxInputs) return;
    const oldest = this.known.keys().next();
    if (!oldest.done) this.known.delete(oldest.value);
    this.evicted++;
  }

  private apply(output: number, receivedMs: number, change: NativeHistogram): void {
    const timestampMs = this.timeOf(output, receivedMs);
    let points = this.waiting.get(output);
    if (!points) {
      points = [];
      this.waiting.set(output, points);
    }
    let at = points.length;
    while (at > 0 && points[at - 1].timestampMs >= timestampMs) at--;
    if (at < points.length && (points[at].timestampMs === timestampMs || points.length >= MAX_POINTS_PER_OUTPUT)) {
      this.join(points[at], change);
    } else if (points.length >= MAX_POINTS_PER_OUTPUT) this.join(points[points.length - 1], change);
    else points.splice(at, 0, { timestampMs, change, isOwn: false });
  }

  private join(point: HistogramPoint, change: NativeHistogram): void {
    const inPlace = point.isOwn ? addInPlace(point.change, change) : undefined;
    const sum = inPlace ?? addHistograms(point.change, change);
    if (sum) {
      point.change = sum;
      point.isOwn = true;
    } else this.incompatible++;
  }
}

/** Prometheus ends a histogram's series with a sum that is the staleness marker and nothing else in it. */
function isStaleMarker(histogram: NativeHistogram): boolean {
  return Number.isNaN(histogram.sum) && histogram.count === 0;
}

function isUsable(histogram: NativeHistogram): boolean {
  const { schema, sum, count, zeroThreshold } = histogram;
  const known = schema === CUSTOM_BUCKETS_SCHEMA || (Number.isInteger(schema) && schema >= -4 && schema <= 8);
  return known && Number.isFinite(sum) && Number.isFinite(count) && count >= 0 && Number.isFinite(zeroThreshold);
}

function negated(histogram: NativeHistogram): NativeHistogram {
  return {
    ...histogram,
    zeroCount: -histogram.zeroCount,
    count: -histogram.count,
    sum: -histogram.sum,
    positiveCounts: histogram.positiveCounts.map((count) => -count),
    negativeCounts: histogram.negativeCounts.map((count) => -count),
  };
}
