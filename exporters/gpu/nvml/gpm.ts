import { type Measure, scaled } from '../reading.ts';
import { NVML } from './codes.ts';
import { gpmMetricsGet, gpmSupport, readGpmMetrics, u64 } from './layout.ts';
import type { NvmlLibrary } from './library.ts';

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
const IDS = METRICS.map(({ id }) => id);
/** Of an instance only these are asked for: links belong to the whole GPU. */
const INSTANCE_METRICS = METRICS.filter(({ kind }) => kind === 'gauge').length;

/**
 * The hardware's own averages between two moments (GPM, Hopper and newer). A GPU has two samples that change places, so
 * a reading spans exactly the time since the one before, and nothing between is missed.
 */
export class GpmSampler {
  private readonly library: NvmlLibrary;
  private readonly samples = new Map<string, { last: bigint; spare: bigint; hasLast: boolean }>();
  private readonly supported = new Map<string, boolean>();
  private reads = 0;

  constructor(library: NvmlLibrary) {
    this.library = library;
  }

  /** Whether there was time for two samples, so that what is missing now stays missing. */
  isSettled(): boolean {
    return this.reads > 1;
  }

  /**
   * @param key One a GPU or instance.
   * @param instance The MIG instance, or `undefined` for the whole GPU.
   */
  read(key: string, device: bigint, instance: number | undefined): Measure[] {
    if (instance === undefined) this.reads++;
    if (!this.isSupported(key, device)) return [];
    const pair = this.samples.get(key) ?? this.allocate(key);
    if (!pair || this.sample(device, instance, pair.spare) !== NVML.success) return [];
    const count = instance === undefined ? IDS.length : INSTANCE_METRICS;
    const request = gpmMetricsGet(pair.last, pair.spare, IDS.slice(0, count));
    const isRead = pair.hasLast && this.library.call('nvmlGpmMetricsGet', request) === NVML.success;
    this.samples.set(key, { last: pair.spare, spare: pair.last, hasLast: true });
    if (!isRead) return [];
    return readGpmMetrics(request, count).flatMap((value, i): Measure[] => {
      if (value === undefined || !(value >= 0)) return [];
      const { metric, kind, factor, direction } = METRICS[i];
      return [
        { kind, metric, labels: direction === undefined ? undefined : { direction }, value: scaled(value, factor) },
      ];
    });
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

  private allocate(key: string): { last: bigint; spare: bigint; hasLast: boolean } | undefined {
    const [first, second] = [u64(), u64()];
    for (const sample of [first, second])
      if (this.library.call('nvmlGpmSampleAlloc', sample) !== NVML.success) return undefined;
    const pair = { last: first.readBigUInt64LE(), spare: second.readBigUInt64LE(), hasLast: false };
    this.samples.set(key, pair);
    return pair;
  }
}
