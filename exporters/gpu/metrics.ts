import type { Family } from '../exposition/index.ts';
import { METRICS, type MetricName } from '../generated/conventions.ts';

/** How a metric is declared where it is exposed. */
export type MetricDeclaration = Omit<Family, 'samples'>;

/**
 * What the exporter gives beside the contract's metrics. Their labels come from the contract's taxonomy, so nothing of
 * them is removed at ingestion. A MIG instance has metrics of its own: on the contract's metrics it would be counted
 * twice, once by itself and once as a part of its GPU. Only ratios have the unit 1, which translators from OTLP would
 * append to other names.
 */
const BESIDE: readonly MetricDeclaration[] = [
  gauge('gpu_up', '{gpu}', '1 where a GPU answers, 0 where one that was there is gone, lost or needs a reset.'),
  gauge('gpu_down', '{gpu}', '1 where gpu_up is 0, with the reason.'),
  gauge(
    'gpu_silent',
    '{metric}',
    '1 where a value can not be true and is left out: kind is the metric, reason says why.',
  ),
  gauge(
    'gpu_workload_info',
    '{workload}',
    '1 while a workload runs on a GPU; joins uuid to deployment and model_version.',
  ),
  gauge('gpu_workload_memory_used_bytes', 'By', 'GPU memory that the processes of a workload use.'),
  gauge('gpu_memory_temperature_celsius', 'Cel', 'Temperature of the GPU memory.'),
  gauge('gpu_memory_clock_hertz', 'Hz', 'Clock of the GPU memory.'),
  gauge('gpu_memory_busy_ratio', '1', 'Share of time in which memory was read or written, from 0 to 1.'),
  counter('gpu_row_remaps_total', '{row}', 'Memory rows that were remapped, by kind of error.'),
  gauge('gpu_row_remap_pending', '{gpu}', '1 where a row waits for a reset to be remapped.'),
  gauge('gpu_row_remap_failed', '{gpu}', '1 where a row could not be remapped; the GPU wants replacement.'),
  counter('gpu_pages_retired_total', '{page}', 'Memory pages that were retired, by kind of error.'),
  counter('gpu_nvlink_errors_total', '{error}', 'Errors of all NVLinks together, by kind.'),
  counter('gpu_pcie_replays_total', '{replay}', 'PCIe packets that were sent again.'),
  gauge(
    'gpu_mig_memory_used_bytes',
    'By',
    'Memory in use of a MIG instance; device is the instance, kind its profile.',
  ),
  gauge('gpu_mig_memory_total_bytes', 'By', 'Memory of a MIG instance.'),
  gauge('gpu_mig_utilization_ratio', '1', 'Share of time in which any kernel ran on a MIG instance.'),
  gauge('gpu_mig_sm_active_ratio', '1', 'Share of cycles in which an SM of the MIG instance had a warp.'),
  gauge('gpu_mig_sm_occupancy_ratio', '1', 'Resident warps of a MIG instance as a share of the most possible.'),
  gauge('gpu_mig_tensor_active_ratio', '1', 'Share of cycles in which tensor cores of a MIG instance were busy.'),
  gauge('gpu_mig_dram_active_ratio', '1', 'Share of cycles in which the memory of a MIG instance was busy.'),
  counter('gpu_mig_ecc_errors_total', '{error}', 'Memory errors of a MIG instance, by kind.'),
  gauge('barograph_gpu_exporter_info', '{exporter}', 'The version of the exporter.'),
  gauge('barograph_gpu_exporter_driver_info', '{driver}', 'The version of the driver, by the source that says it.'),
  gauge('barograph_gpu_exporter_source_up', '{source}', '1 where the last poll of a source succeeded.'),
  gauge('barograph_gpu_exporter_source_poll_seconds', 's', 'How long the last poll of a source took.'),
  counter('barograph_gpu_exporter_source_failures_total', '{poll}', 'Polls of a source that failed, by reason.'),
  gauge('barograph_gpu_exporter_metric_missing', '{metric}', '1 for a metric of the contract that no source gives.'),
  counter(
    'barograph_gpu_exporter_dropped_total',
    '{object}',
    'GPUs and series that were left out because a bound was reached.',
  ),
  counter('barograph_gpu_exporter_otlp_requests_total', '{request}', 'Requests that sent metrics by OTLP, by outcome.'),
];

function gauge(name: string, unit: string, help: string): MetricDeclaration {
  return { name, type: 'gauge', unit, help };
}

function counter(name: string, unit: string, help: string): MetricDeclaration {
  return { name, type: 'counter', unit, help };
}

/** The contract's metrics of GPUs. */
export const GPU_CONTRACT_METRICS: readonly MetricName[] = (Object.keys(METRICS) as MetricName[]).filter((name) =>
  name.startsWith('gpu_'),
);

/** Metrics of the contract that are things of NVIDIA: of an AMD GPU they aren't missing. */
export const NVIDIA_ONLY: ReadonlySet<string> = new Set([
  'gpu_xid_errors_total',
  'gpu_nvlink_bytes_total',
  'gpu_memory_reserved_bytes',
]);

/** Every metric that the exporter may expose, by name. */
export const DECLARATIONS: ReadonlyMap<string, MetricDeclaration> = new Map(
  [
    ...GPU_CONTRACT_METRICS.map((name): MetricDeclaration => {
      const { type, unit, help } = METRICS[name];
      return { name, type: type === 'counter' ? 'counter' : 'gauge', unit, help };
    }),
    ...BESIDE,
  ].map((declaration) => [declaration.name, declaration]),
);

const MIG_NAMES: Readonly<Record<string, string>> = {
  gpu_memory_used_bytes: 'gpu_mig_memory_used_bytes',
  gpu_memory_total_bytes: 'gpu_mig_memory_total_bytes',
  gpu_utilization_ratio: 'gpu_mig_utilization_ratio',
  gpu_sm_active_ratio: 'gpu_mig_sm_active_ratio',
  gpu_sm_occupancy_ratio: 'gpu_mig_sm_occupancy_ratio',
  gpu_tensor_active_ratio: 'gpu_mig_tensor_active_ratio',
  gpu_dram_active_ratio: 'gpu_mig_dram_active_ratio',
  gpu_ecc_errors_total: 'gpu_mig_ecc_errors_total',
};

/**
 * What a metric of a GPU is called for a MIG instance; `undefined` where an instance has none of its own. An instance
 * has no power, temperature or clock: exporters that write the GPU's there would have it added up seven times.
 */
export function migMetric(metric: string): string | undefined {
  return Object.hasOwn(MIG_NAMES, metric) ? MIG_NAMES[metric] : undefined;
}

/** What a GPU has as a whole in MIG mode too, whoever repeats it on its instances. */
export const BOARD_METRICS: ReadonlySet<string> = new Set([
  'gpu_power_watts',
  'gpu_power_limit_watts',
  'gpu_energy_joules_total',
  'gpu_temperature_celsius',
  'gpu_memory_temperature_celsius',
  'gpu_clock_hertz',
  'gpu_memory_clock_hertz',
  'gpu_throttle_seconds_total',
  'gpu_xid_errors_total',
  'gpu_row_remaps_total',
  'gpu_row_remap_pending',
  'gpu_row_remap_failed',
  'gpu_pages_retired_total',
  'gpu_pcie_replays_total',
]);
