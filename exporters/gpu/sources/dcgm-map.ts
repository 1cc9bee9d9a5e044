import type { TextSample } from '../../exposition/index.ts';
import { DCGM_FIELDS, type DcgmField } from '../../generated/conventions.ts';
import { type Measure, type PodUse, plausible, scaled } from '../reading.ts';

/** A field beyond those of the conventions: what it becomes, and by which factor. */
interface BesideField {
  readonly fields: readonly string[];
  readonly kind: 'gauge' | 'counter';
  readonly metric: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly factor: number;
}

// Old names first, then those of DCGM 4.6.0. NVLINK_BANDWIDTH_TOTAL isn't here although it is on by default: NVIDIA
// documents no unit for it, and what has no unit can't become bytes.
const BESIDE: readonly BesideField[] = [
  beside('gauge', 'gpu_memory_temperature_celsius', 1, 'MEMORY_TEMP', 'MEMORY_TEMP_CELSIUS'),
  beside('gauge', 'gpu_memory_clock_hertz', 1e6, 'MEM_CLOCK'),
  beside('gauge', 'gpu_memory_busy_ratio', 0.01, 'MEM_COPY_UTIL'),
  beside('counter', 'gpu_pcie_replays_total', 1, 'PCIE_REPLAY_COUNTER', 'PCIE_REPLAY_TOTAL'),
  of('corrected', 'gpu_row_remaps_total', 'CORRECTABLE_REMAPPED_ROWS', 'ROW_REMAP_CORRECTABLE_TOTAL'),
  of('uncorrected', 'gpu_row_remaps_total', 'UNCORRECTABLE_REMAPPED_ROWS', 'ROW_REMAP_UNCORRECTABLE_TOTAL'),
  beside('gauge', 'gpu_row_remap_pending', 1, 'ROW_REMAP_PENDING'),
  beside('gauge', 'gpu_row_remap_failed', 1, 'ROW_REMAP_FAILURE', 'ROW_REMAP_FAILED'),
  of('corrected', 'gpu_pages_retired_total', 'RETIRED_SBE', 'PAGE_RETIRED_SBE_TOTAL'),
  of('uncorrected', 'gpu_pages_retired_total', 'RETIRED_DBE', 'PAGE_RETIRED_DBE_TOTAL'),
  of('crc_flit', 'gpu_nvlink_errors_total', 'NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL', 'NVLINK_CRC_FLIT_ERROR_TOTAL'),
  of('crc_data', 'gpu_nvlink_errors_total', 'NVLINK_CRC_DATA_ERROR_COUNT_TOTAL', 'NVLINK_CRC_DATA_ERROR_TOTAL'),
  of('replay', 'gpu_nvlink_errors_total', 'NVLINK_REPLAY_ERROR_COUNT_TOTAL', 'NVLINK_REPLAY_ERROR_TOTAL'),
  of('recovery', 'gpu_nvlink_errors_total', 'NVLINK_RECOVERY_ERROR_COUNT_TOTAL', 'NVLINK_RECOVERY_ERROR_TOTAL'),
];

function beside(kind: 'gauge' | 'counter', metric: string, factor: number, ...names: string[]): BesideField {
  return { fields: names.map((name) => `DCGM_FI_DEV_${name}`), kind, metric, factor };
}

function of(kind: string, metric: string, ...names: string[]): BesideField {
  return { ...beside('counter', metric, 1, ...names), labels: { kind } };
}

const CONTRACT_FIELDS: ReadonlyMap<string, DcgmField> = new Map(
  DCGM_FIELDS.flatMap((field) => {
    const names = field.renamed === undefined ? [field.field] : [field.field, field.renamed];
    // The mask had another name before DCGM 3.3.
    if (field.conversion === 'bitmask') names.push('DCGM_FI_DEV_CLOCK_THROTTLE_REASONS');
    return names.map((name) => [name, field] as const);
  }),
);
const BESIDE_FIELDS: ReadonlyMap<string, BesideField> = new Map(
  BESIDE.flatMap((field) => field.fields.map((name) => [name, field] as const)),
);

/** How often each Xid came within a window that slides; the exporter's own metric, which counts where the field doesn't. */
const XID_COUNT = 'DCGM_EXP_XID_ERRORS_COUNT';
const FRAME_BUFFER = ['DCGM_FI_DEV_FB_USED', 'DCGM_FI_DEV_FB_FREE', 'DCGM_FI_DEV_FB_RESERVED'] as const;
const ENGINE_ACTIVE = ['DCGM_FI_PROF_GR_ENGINE_ACTIVE', 'DCGM_FI_PROF_GR_ENGINE_UTIL_RATIO'] as const;

/** What one sample of dcgm-exporter says, or `undefined` where it says nothing that is used or stands for no value. */
export function measureOf(sample: TextSample): Measure | undefined {
  const value = plausible(sample.value);
  if (value === undefined || value < 0) return undefined;
  const field = CONTRACT_FIELDS.get(sample.name);
  if (field) return contractMeasure(field, value, sample);
  const besides = BESIDE_FIELDS.get(sample.name);
  if (besides) {
    const { kind, metric, factor } = besides;
    // A series a link: they differ by it, and their sum is the GPU's.
    const labels = sample.labels.nvlink ? { ...besides.labels, nvlink: sample.labels.nvlink } : besides.labels;
    return { kind, metric, labels, value: scaled(value, factor) };
  }
  if (sample.name !== XID_COUNT) return undefined;
  const xid = Number(sample.labels.xid);
  return Number.isInteger(xid) && xid > 0
    ? { kind: 'xid_window', metric: 'gpu_xid_errors_total', xid, count: value }
    : undefined;
}

function contractMeasure(field: DcgmField, value: number, sample: TextSample): Measure | undefined {
  const { target, labels, csvType } = field;
  // DCGM 4.6 calls the percentage a ratio (id 203); 4.7 has a field of that name which is one, and a double (id 1613).
  const isRatio = sample.name === 'DCGM_FI_DEV_GPU_UTIL_RATIO' && !sample.isWhole;
  const factor = isRatio ? 1 : field.factor;
  switch (field.conversion) {
    case 'scale':
      return { kind: csvType, metric: target, labels, value: scaled(value, factor) };
    case 'integrate':
      return { kind: 'rate', metric: target, labels: { direction: field.field }, value: value * factor };
    case 'last_event':
      return { kind: 'last_xid', metric: 'gpu_xid_errors_total', xid: value };
    case 'bitmask':
      return Number.isSafeInteger(value)
        ? { kind: 'reasons', metric: 'gpu_throttle_seconds_total', mask: BigInt(value) }
        : undefined;
  }
}

/**
 * What follows from several fields of one GPU: the memory's size, which no default file has a field for, from its three
 * parts, and utilization from the activity of the engines where the driver gives none (MIG).
 */
export function derivedMeasures(values: ReadonlyMap<string, number>, known: ReadonlySet<string>): Measure[] {
  const derived: Measure[] = [];
  const parts = FRAME_BUFFER.map((field) => plausible(values.get(field) ?? Number.NaN));
  if (!known.has('gpu_memory_total_bytes') && parts.every((part) => part !== undefined)) {
    const mebibytes = parts.reduce((sum, part) => sum + part, 0);
    if (mebibytes > 0) derived.push({ kind: 'gauge', metric: 'gpu_memory_total_bytes', value: mebibytes * 1048576 });
  }
  const active = plausible(values.get(ENGINE_ACTIVE[0]) ?? values.get(ENGINE_ACTIVE[1]) ?? Number.NaN);
  if (!known.has('gpu_utilization_ratio') && active !== undefined)
    derived.push({ kind: 'gauge', metric: 'gpu_utilization_ratio', value: active });
  return derived;
}

/** Whether a field becomes something. */
export function isKnownDcgmField(field: string): boolean {
  const isPart = [...FRAME_BUFFER, ...ENGINE_ACTIVE].some((name) => name === field);
  return isPart || field === XID_COUNT || CONTRACT_FIELDS.has(field) || BESIDE_FIELDS.has(field);
}

/** Whether a name of dcgm-exporter is looked at. */
export function isDcgmName(name: string): boolean {
  return name.startsWith('DCGM_');
}

/** The container that dcgm-exporter says uses the GPU, by new and old label names and those of a scrape in between. */
export function podOf(labels: TextSample['labels']): PodUse | undefined {
  const pod = labels.exported_pod || labels.pod || labels.pod_name;
  if (!pod) return undefined;
  return {
    pod,
    namespace: labels.exported_namespace || labels.namespace || labels.pod_namespace || undefined,
    container: labels.exported_container || labels.container || labels.container_name || undefined,
    instance: labels.GPU_I_ID || undefined,
  };
}
