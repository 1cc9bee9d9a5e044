import type { DeviceReading, SourceName } from './reading.ts';

/** Why a value isn't believed. */
export type SilentReason = 'zero_under_load' | 'frozen';

/** A value of a source that can't be true, and is left out. */
export interface SilentMetric {
  readonly uuid: string;
  readonly source: SourceName;
  readonly metric: string;
  readonly reason: SilentReason;
}

/** What is known of a GPU from all sources together. */
export interface Load {
  /** Share of time with a kernel running, the highest that any source says; absent where none does. */
  readonly utilization?: number;
  /** Power as a share of its limit. */
  readonly power?: number;
  readonly smActive?: number;
}

interface Watched {
  value: number;
  sinceMs: number;
  polls: number;
  /** Since when the value stood still while the GPU was under load. */
  underLoadSinceMs: number | undefined;
  reason: SilentReason | undefined;
}

const NEVER_ZERO_UNDER_LOAD = new Set([
  'gpu_sm_active_ratio',
  'gpu_sm_occupancy_ratio',
  'gpu_utilization_ratio',
  'gpu_power_watts',
  'gpu_energy_joules_total',
  'gpu_memory_used_bytes',
]);
const NEVER_STILL_UNDER_LOAD = new Set([
  'gpu_power_watts',
  'gpu_energy_joules_total',
  'gpu_sm_active_ratio',
  'gpu_sm_occupancy_ratio',
  'gpu_tensor_active_ratio',
  'gpu_dram_active_ratio',
]);
const FEWEST_POLLS = 4;
const BUSY_UTILIZATION = 0.1;
const BUSY_POWER = 0.5;
const BUSY_SM = 0.05;
const MOST_WATCHED = 4096;

/**
 * Finds exporters that fell silent without saying so: activity of exactly 0 while the GPU evidently works (dcgm-exporter
 * does that after weeks), and numbers with a fraction that don't move at all. Missing data looks healthy, so what isn't
 * believed is left out and named.
 *
 * What tells that a GPU works is never the value that is judged: power of half the limit, or another measure of activity.
 */
export class SilenceWatch {
  private readonly afterMs: number;
  private readonly watched = new Map<string, Watched>();

  /** @param afterMs How long a value must stand before it isn't believed; longer than the slowest source's interval. */
  constructor(afterMs: number) {
    this.afterMs = afterMs;
  }

  /** Takes in what a source read of a GPU, and forgets what it reads no more. */
  observe(source: SourceName, device: DeviceReading, load: Load, nowMs: number): void {
    for (const measure of device.measures) {
      if (measure.kind !== 'gauge' && measure.kind !== 'counter') continue;
      const { metric, value } = measure;
      if (!NEVER_ZERO_UNDER_LOAD.has(metric) && !NEVER_STILL_UNDER_LOAD.has(metric)) continue;
      const key = keyOf(source, device.uuid, metric);
      const busy = isBusy(load, metric);
      const known = this.watched.get(key);
      if (!known || known.value !== value) {
        if (!known && this.watched.size >= MOST_WATCHED) continue;
        const underLoadSinceMs = busy ? nowMs : undefined;
        this.watched.set(key, { value, sinceMs: nowMs, polls: 1, underLoadSinceMs, reason: undefined });
        continue;
      }
      known.polls++;
      known.underLoadSinceMs = busy ? (known.underLoadSinceMs ?? nowMs) : undefined;
      known.reason = this.judge(metric, known, nowMs) ?? (busy ? undefined : known.reason);
    }
  }

  /** What isn't believed now. */
  silent(): SilentMetric[] {
    const found: SilentMetric[] = [];
    for (const [key, { reason }] of this.watched) {
      if (reason === undefined) continue;
      const [source, uuid, metric] = key.split('\n');
      found.push({ source: source as SourceName, uuid, metric, reason });
    }
    return found;
  }

  /** Whether a source's value of a metric isn't believed. */
  isSilent(source: SourceName, uuid: string, metric: string): boolean {
    return this.watched.get(keyOf(source, uuid, metric))?.reason !== undefined;
  }

  /** Forgets a GPU of a source. */
  forget(source: SourceName, uuid: string): void {
    for (const key of this.watched.keys()) if (key.startsWith(`${source}\n${uuid}\n`)) this.watched.delete(key);
  }

  private judge(metric: string, watched: Watched, nowMs: number): SilentReason | undefined {
    const { value, underLoadSinceMs, polls } = watched;
    if (polls < FEWEST_POLLS || underLoadSinceMs === undefined || nowMs - underLoadSinceMs < this.afterMs)
      return undefined;
    if (value === 0) return NEVER_ZERO_UNDER_LOAD.has(metric) ? 'zero_under_load' : undefined;
    // Whole numbers may well be the same for minutes; a measurement with a fraction never is.
    const isMeasured = metric === 'gpu_energy_joules_total' || !Number.isInteger(value);
    return isMeasured && NEVER_STILL_UNDER_LOAD.has(metric) ? 'frozen' : undefined;
  }
}

function isBusy({ utilization = 0, power = 0, smActive = 0 }: Load, judged: string): boolean {
  if (judged !== 'gpu_utilization_ratio' && utilization >= BUSY_UTILIZATION) return true;
  if (judged !== 'gpu_power_watts' && power >= BUSY_POWER) return true;
  return judged !== 'gpu_sm_active_ratio' && judged !== 'gpu_sm_occupancy_ratio' && smActive >= BUSY_SM;
}

function keyOf(source: SourceName, uuid: string, metric: string): string {
  return `${source}\n${uuid}\n${metric}`;
}
