import { DCGM_FIELDS, THROTTLE_REASONS } from '../generated/conventions.ts';
import type { Measure, MeasureLabels, SourceName } from './reading.ts';

/** A counter as it is exposed. */
export interface CounterSeries {
  readonly metric: string;
  readonly labels: MeasureLabels;
  /** The total, which never falls while the exporter runs. */
  readonly value: number;
  /** Since when it counts, in Unix ms. */
  readonly sinceMs: number;
}

interface Series {
  readonly metric: string;
  readonly labels: MeasureLabels;
  readonly sinceMs: number;
  value: number;
}

interface Raw {
  source: SourceName;
  value: number;
}

/** Labels that tell a source's parts of one counter apart and aren't exposed: bytes both ways are one total. */
const INTERNAL_LABELS = new Set(['direction']);
const MOST_SERIES_PER_DEVICE = 512;

const COUNTER_REASONS: ReadonlyMap<string, string> = new Map(
  DCGM_FIELDS.filter(({ target }) => target === 'gpu_throttle_seconds_total').map(({ field, labels }) => [
    field,
    labels.reason,
  ]),
);

/**
 * Makes counters of one GPU of what sources say: totals that may start again, rates and masks that hold for a while,
 * and errors of which only the last is known.
 *
 * A rate or a mask of a moment is taken to change half way between two readings (the trapezoid rule), so that the error is
 * of the order of the interval however often something holds. A gap longer than `mostGapMs` counts for nothing: what
 * happened meanwhile isn't known. A rate that is the mean over a time counts for that time, exactly.
 */
export class DeviceCounters {
  private readonly mostGapMs: number;
  private readonly series = new Map<string, Series>();
  private readonly raws = new Map<string, Raw>();
  private readonly rates = new Map<string, { perSecond: number; atMs: number; source: SourceName }>();
  private mask: { value: bigint; atMs: number; source: SourceName } | undefined;
  private dropped = 0;

  constructor(mostGapMs: number) {
    this.mostGapMs = mostGapMs;
  }

  /** How many observations found no room; the bound is far above what a GPU has. */
  droppedCount(): number {
    return this.dropped;
  }

  /**
   * Takes in what one source read of this GPU, of the metrics that it counts for.
   *
   * @param nowMs The monotonic clock.
   * @param unixMs The wall clock, for the start times of series that begin now.
   */
  observe(source: SourceName, measures: readonly Measure[], nowMs: number, unixMs: number): void {
    const exact = exactReasons(measures);
    const isCounted = new Set(measures.filter(({ kind }) => kind === 'counter').map(({ metric }) => metric as string));
    for (const measure of measures) {
      switch (measure.kind) {
        case 'gauge':
          break;
        case 'counter':
          this.observeCounter(source, measure, unixMs);
          break;
        case 'rate':
          // Where a source has the total itself, its rate of the same thing would count twice.
          if (!isCounted.has(measure.metric)) this.observeRate(source, measure, nowMs, unixMs);
          break;
        case 'reasons':
          this.observeMask(source, measure.mask, exact, nowMs, unixMs);
          break;
        case 'last_xid':
          this.observeLastXid(source, measure.xid, unixMs);
          break;
        case 'xid_window':
          this.observeWindow(source, measure.xid, measure.count, unixMs);
          break;
        case 'xid_events':
          if (measure.count > 0) this.add(measure.metric, { xid: String(measure.xid) }, measure.count, unixMs);
          break;
      }
    }
  }

  /** All counters, in no order. */
  all(): readonly CounterSeries[] {
    return [...this.series.values()];
  }

  private observeCounter(
    source: SourceName,
    { metric, labels = {}, value }: { metric: string; labels?: MeasureLabels; value: number },
    unixMs: number,
  ): void {
    const key = keyOf(metric, labels);
    const raw = this.raws.get(key);
    // The first value stands as it is, so that a restart of the exporter is no reset of a counter of the hardware.
    let increase = value;
    if (raw) {
      // Another source counts from another start: only what it counts from now on is an increase. The same one falls
      // back where the driver was loaded again.
      if (raw.source !== source) increase = 0;
      else increase = value >= raw.value ? value - raw.value : value;
    }
    if (this.add(metric, labels, increase, unixMs)) this.raws.set(key, { source, value });
  }

  private observeRate(
    source: SourceName,
    { metric, labels = {}, value, overMs }: Extract<Measure, { kind: 'rate' }>,
    nowMs: number,
    unixMs: number,
  ): void {
    if (overMs !== undefined) {
      this.add(metric, labels, value * (overMs / 1000), unixMs);
      return;
    }
    const key = keyOf(metric, labels);
    const last = this.rates.get(key);
    const gapMs = last && last.source === source ? nowMs - last.atMs : 0;
    const isJoined = last !== undefined && gapMs > 0 && gapMs <= this.mostGapMs;
    const increase = isJoined ? ((last.perSecond + value) / 2) * (gapMs / 1000) : 0;
    if (this.add(metric, labels, increase, unixMs)) this.rates.set(key, { perSecond: value, atMs: nowMs, source });
  }

  private observeMask(
    source: SourceName,
    value: bigint,
    exact: ReadonlySet<string>,
    nowMs: number,
    unixMs: number,
  ): void {
    const last = this.mask?.source === source ? this.mask : undefined;
    const gapMs = last ? nowMs - last.atMs : 0;
    const seconds = gapMs > 0 && gapMs <= this.mostGapMs ? gapMs / 1000 : 0;
    this.mask = { value, atMs: nowMs, source };
    for (const { bit, reason, benign, counter } of THROTTLE_REASONS) {
      const isExact = exact.has(reason) || (counter !== undefined && exact.has(COUNTER_REASONS.get(counter) ?? ''));
      if (benign || isExact) continue;
      const held = (holds(last?.value, bit) + holds(value, bit)) / 2;
      this.add('gpu_throttle_seconds_total', { reason }, held * seconds, unixMs);
    }
    // Drivers add reasons; one that isn't known yet is told from none.
    const known = THROTTLE_REASONS.reduce((all, { bit }) => all | BigInt(bit), 0n);
    const unknown = (held: bigint | undefined): number => (held !== undefined && (held & ~known) !== 0n ? 1 : 0);
    const unknownHeld = (unknown(last?.value) + unknown(value)) / 2;
    if (unknownHeld > 0) this.add('gpu_throttle_seconds_total', { reason: 'other' }, unknownHeld * seconds, unixMs);
  }

  private observeLastXid(source: SourceName, xid: number, unixMs: number): void {
    const raw = this.raws.get('last_xid');
    const isNew = xid !== 0 && (raw === undefined || (raw.source === source && raw.value !== xid));
    if (isNew) this.add('gpu_xid_errors_total', { xid: String(xid) }, 1, unixMs);
    this.raws.set('last_xid', { source, value: xid });
  }

  /** A sliding window's count grows by new errors and shrinks by old ones; its growth is the least that there were. */
  private observeWindow(source: SourceName, xid: number, count: number, unixMs: number): void {
    const key = `window ${xid}`;
    const raw = this.raws.get(key);
    const before = raw?.source === source ? raw.value : 0;
    const isAdded = this.add('gpu_xid_errors_total', { xid: String(xid) }, Math.max(0, count - before), unixMs);
    if (isAdded) this.raws.set(key, { source, value: count });
  }

  private add(metric: string, labels: MeasureLabels, increase: number, unixMs: number): boolean {
    const shown = Object.fromEntries(Object.entries(labels).filter(([name]) => !INTERNAL_LABELS.has(name)));
    const key = keyOf(metric, shown);
    let series = this.series.get(key);
    if (!series) {
      if (this.series.size >= MOST_SERIES_PER_DEVICE) {
        this.dropped++;
        return false;
      }
      series = { metric, labels: shown, sinceMs: unixMs, value: 0 };
      this.series.set(key, series);
    }
    series.value += increase;
    return true;
  }
}

function exactReasons(measures: readonly Measure[]): Set<string> {
  const reasons = new Set<string>();
  for (const measure of measures)
    if (measure.kind === 'counter' && measure.metric === 'gpu_throttle_seconds_total' && measure.labels)
      reasons.add(measure.labels.reason);
  return reasons;
}

function holds(mask: bigint | undefined, bit: number): number {
  return mask !== undefined && (mask & BigInt(bit)) !== 0n ? 1 : 0;
}

function keyOf(metric: string, labels: MeasureLabels): string {
  return `${metric}${JSON.stringify(Object.entries(labels).sort())}`;
}
