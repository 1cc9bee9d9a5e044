import { type Measure, scaled } from '../reading.ts';
import { NVML } from './codes.ts';
import { gpmMetricsGet, gpmSupport, readGpmMetrics, u64 } from './layout.ts';
import type { NvmlLibrary } from './library.ts';

/** What GPM asks for of one GPU or instance. */
export interface GpmSubject {
  /** One a GPU or instance. */
  readonly key: string;
  readonly device: bigint;
  /** The MIG instance, or `undefined` for the whole GPU. */
  readonly instance?: number;
  /** Whether a link is up: of links that aren't there GPM says 0. */
  readonly hasNvlink: boolean;
}

interface Samples {
  last: bigint;
  spare: bigint;
  /** When `last` was taken, by the monotonic clock in ms; `undefined` before the first one. */
  lastAtMs?: number;
}

interface GpmMetric {
  readonly id: number;
  readonly metric: string;
  readonly kind: 'gauge' | 'rate';
  readonly factor: number;
  readonly direction?: string;
}

// `nvmlGpmMetricId_t`. Shares are in percent where DCGM has ratios; transfer is in MiB/s. PCIe and NVLink are asked for
// here because nvmlDeviceGetPcieThroughput looks at 20 ms only, which is no basis for a total.
const METRICS: readonly GpmMetric[] = [
  { id: 2, metric: 'gpu_sm_active_ratio', kind: 'gauge', factor: 0.01 },
  { id: 3, metric: 'gpu_sm_occupancy_ratio', kind: 'gauge', factor: 0.01 },
  { id: 5, metric: 'gpu_tensor_active_ratio', kind: 'gauge', factor: 0.01 },
  { id: 10, metric: 'gpu_dram_active_ratio', kind: 'gauge', factor: 0.01 },
  { id: 20, metric: 'gpu_pcie_bytes_total', kind: 'rate', factor: 1048576, direction: 'tx' },
  { id: 21, metric: 'gpu_pcie_bytes_total', kind: 'rate', factor: 1048576, direction: 'rx' },
  { id: 60, metric: 'gpu_nvlink_bytes_total', kind: 'rate', factor: 1048576, direction: 'rx' },
  { id: 61, metric: 'gpu_nvlink_bytes_total', kind: 'rate', factor: 1048576, direction: 'tx' },
];
/** Of an instance only these are asked for: links belong to the whole GPU. */
const INSTANCE_METRICS = METRICS.filter(({ kind }) => kind === 'gauge');
const METRICS_WITHOUT_NVLINK = METRICS.filter(({ metric }) => metric !== 'gpu_nvlink_bytes_total');

/**
 * The hardware's own averages between two moments (GPM, Hopper and newer). A GPU has two samples that change places, so
 * a reading spans exactly the time since the one before, and nothing between is missed.
 */
export class GpmSampler {
  private readonly library: NvmlLibrary;
  private readonly samples = new Map<string, Samples>();
  private readonly now: () => number;
  private readonly supported = new Map<string, boolean>();
  private reads = 0;

  /** @param now The monotonic clock, in ms. */
  constructor(library: NvmlLibrary, now: () => number = () => performance.now()) {
    this.library = library;
    this.now = now;
  }

  /** Whether there was time for two samples, so that what is missing now stays missing. */
  isSettled(): boolean {
    return this.reads > 1;
  }

  /** The averages since the reading before of the same subject; none at the first one, and none of what fails. */
  read({ key, device, instance, hasNvlink }: GpmSubject): Measure[] {
    if (instance === undefined) this.reads++;
    if (!this.isSupported(key, device)) return [];
    const samples = this.samples.get(key) ?? this.allocate(key);
    if (!samples || this.sample(device, instance, samples.spare) !== NVML.success) return [];
    const nowMs = this.now();
    const { last, spare, lastAtMs } = samples;
    this.samples.set(key, { last: spare, spare: last, lastAtMs: nowMs });
    if (lastAtMs === undefined) return [];
    const whole = hasNvlink ? METRICS : METRICS_WITHOUT_NVLINK;
    const asked = instance === undefined ? whole : INSTANCE_METRICS;
    const request = gpmMetricsGet(
      last,
      spare,
      asked.map(({ id }) => id),
    );
    if (this.library.call('nvmlGpmMetricsGet', request) !== NVML.success) return [];
    return readGpmMetrics(request, asked.length).flatMap((value, i) =>
      value === undefined || !(value >= 0) ? [] : toMeasure(asked[i], value, nowMs - lastAtMs),
    );
  }

  private isSupported(key: string, device: bigint): boolean {
    let isSupported = this.supported.get(key);
    if (isSupported === undefined) {
      const support = gpmSupport();
      const code = this.library.call('nvmlGpmQueryDeviceSupport', device, support);
      isSupported = code === NVML.success && support.readUInt32LE(4) === 1;
      this.supported.set(key, isSupported);
    }
    return isSupported;
  }

  private sample(device: bigint, instance: number | undefined, sample: bigint): number {
    return instance === undefined
      ? this.library.call('nvmlGpmSampleGet', device, sample)
      : this.library.call('nvmlGpmMigSampleGet', device, instance, sample);
  }

  private allocate(key: string): Samples | undefined {
    const [first, second] = [u64(), u64()];
    for (const sample of [first, second])
      if (this.library.call('nvmlGpmSampleAlloc', sample) !== NVML.success) return undefined;
    const samples: Samples = { last: first.readBigUInt64LE(), spare: second.readBigUInt64LE() };
    this.samples.set(key, samples);
    return samples;
  }
}

function toMeasure({ metric, kind, factor, direction }: GpmMetric, value: number, overMs: number): Measure {
  const own = { metric, value: scaled(value, factor) };
  return kind === 'gauge'
    ? { kind, ...own }
    : { kind, ...own, labels: direction === undefined ? undefined : { direction }, overMs };
}
