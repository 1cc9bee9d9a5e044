/** Where readings come from. */
export type SourceName = 'dcgm' | 'dcgmi' | 'nvml' | 'nvidia-smi' | 'amd-exporter' | 'amd-smi';

/** All sources, the one that knows most first: of two that give a metric the earlier one counts. */
export const SOURCE_NAMES: readonly SourceName[] = ['dcgm', 'dcgmi', 'nvml', 'nvidia-smi', 'amd-exporter', 'amd-smi'];

/**
 * One thing that a source says of a GPU, in the metric's own unit. What can't be read is left out.
 *
 * `gauge`: a value of this moment. `counter`: a total since the source's own start, which may fall back to 0.
 * `rate`: per second, at this moment or as the mean over `overMs`; its time integral becomes a counter. `reasons`: the mask of clock event reasons
 * that hold now. `last_xid`: the number of the last Xid error, where 0 stands for none. `xid_window`: how often an Xid
 * came within a sliding window. `xid_events`: how often an Xid came since the last reading; 0 of Xid 0 says that the
 * source would have told of any.
 */
export type Measure =
  | { readonly kind: 'gauge'; readonly metric: string; readonly labels?: MeasureLabels; readonly value: number }
  | { readonly kind: 'counter'; readonly metric: string; readonly labels?: MeasureLabels; readonly value: number }
  | {
      readonly kind: 'rate';
      readonly metric: string;
      readonly labels?: MeasureLabels;
      readonly value: number;
      /** The time up to now that the value is the mean of, in ms; absent where it is that of a moment. */
      readonly overMs?: number;
    }
  | { readonly kind: 'reasons'; readonly metric: 'gpu_throttle_seconds_total'; readonly mask: bigint }
  | { readonly kind: 'last_xid'; readonly metric: 'gpu_xid_errors_total'; readonly xid: number }
  | {
      readonly kind: 'xid_window' | 'xid_events';
      readonly metric: 'gpu_xid_errors_total';
      readonly xid: number;
      readonly count: number;
    };

/** Labels beyond those of the GPU, such as `reason` or `kind`. */
export type MeasureLabels = Readonly<Record<string, string>>;

/** A process that uses a GPU. */
export interface GpuProcess {
  readonly pid: number;
  /** Absent where the driver doesn't say, as in containers and under MIG. */
  readonly memoryBytes?: number;
  /** The MIG instance that it runs on. */
  readonly instance?: string;
}

/** A container that a GPU is assigned to, as Kubernetes or an exporter beside it says. */
export interface PodUse {
  readonly namespace?: string;
  readonly pod: string;
  readonly container?: string;
  readonly instance?: string;
}

/** A part of a GPU in MIG mode. */
export interface MigInstance {
  /** The GPU instance's number. */
  readonly instance: string;
  /** Such as `1g.10gb`; absent where the source doesn't say. */
  readonly profile?: string;
  /** `MIG-…`, absent where the source doesn't say. */
  readonly uuid?: string;
}

/** Whether a GPU answers: `lost` has fallen off the bus, `reset_required` answers no more until it is reset. */
export type DeviceState = 'ok' | 'lost' | 'reset_required';

/** What a source says of one GPU, or of one MIG instance of it. */
export interface DeviceReading {
  /** The GPU's identity, which every source spells alike; for an instance that of the GPU it is a part of. */
  readonly uuid: string;
  /** The GPU's index on its node. */
  readonly gpu?: string;
  /** Lower case with a domain of eight digits, such as `00000000:3b:00.0`. */
  readonly pciBusId?: string;
  /** The product's name. */
  readonly name?: string;
  readonly mig?: MigInstance;
  readonly state: DeviceState;
  readonly measures: readonly Measure[];
  readonly processes?: readonly GpuProcess[];
  readonly pods?: readonly PodUse[];
}

/** A metric that a source could give and doesn't, and what to do so that it does. */
export interface MissingMetric {
  readonly metric: string;
  readonly why: string;
  readonly fix: string;
}

/** What one poll of a source found. */
export interface SourceReport {
  readonly devices: readonly DeviceReading[];
  readonly missing: readonly MissingMetric[];
  readonly driverVersion?: string;
}

/** Something that can be asked about GPUs. */
export interface Source {
  readonly name: SourceName;
  /**
   * Reads all GPUs once.
   *
   * @throws ExporterError that says why nothing could be read and what to change.
   */
  poll(signal: AbortSignal): Promise<SourceReport>;
  /** Ends what the source keeps open; it isn't polled afterwards. */
  close(): void;
}

/**
 * A number that a source wrote, with or without a unit after it, or `undefined` for what stands for no value: `N/A`,
 * sentinels, infinities. Nothing that is read here can be negative, so what is says that something is wrong.
 */
export function toNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const match = /^\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?:\S+)?\s*$/i.exec(text);
  const value = match ? plausible(Number(match[1])) : undefined;
  return value !== undefined && value >= 0 ? value : undefined;
}

/** A finite number that is none of the sentinels (2^63 − 14 and above) by which DCGM says "blank" or "not supported". */
export function plausible(value: number): number | undefined {
  return Number.isFinite(value) && Math.abs(value) < 1e18 ? value : undefined;
}

/** A value in another unit. Dividing by 100 gives 0.415 of 41.5 where multiplying by 0.01 doesn't. */
export function scaled(value: number, factor: number): number {
  const divisor = Math.round(1 / factor);
  return factor < 1 && Math.abs(divisor * factor - 1) < 1e-12 ? value / divisor : value * factor;
}

/** What a GPU is called of which only the PCI address is known, because it was lost before it could be asked. */
export function unknownUuid(pciBusId: string): string {
  return `PCI-${pciBusId}`;
}

/** Brings a PCI address to one spelling: `0000:3B:00.0` and `00000000:3b:00.0` become the latter. */
export function normalizePciBusId(text: string): string {
  const match = /^(?:([0-9a-f]{4,8}):)?([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/i.exec(text.trim());
  if (!match) return text.trim().toLowerCase();
  return `${(match[1] ?? '').padStart(8, '0')}:${match[2]}:${match[3]}.${match[4]}`.toLowerCase();
}
