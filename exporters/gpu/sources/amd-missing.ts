import { GPU_CONTRACT_METRICS } from '../metrics.ts';
import type { DeviceReading, MissingMetric } from '../reading.ts';

const NVIDIA_ONLY: Readonly<Record<string, string>> = {
  gpu_xid_errors_total: 'Xid is a thing of NVIDIA; AMD has AFIDs in its own exporter',
  gpu_nvlink_bytes_total: 'NVLink is a thing of NVIDIA',
  gpu_memory_reserved_bytes: 'AMD reports no reserved memory',
};

/** What the contract wants and no AMD GPU has. What only NVIDIA has isn't missing. */
export function amdMissing(devices: readonly DeviceReading[], fix: string): MissingMetric[] {
  const given = new Set(devices.flatMap(({ measures }) => measures.map(({ metric }) => metric as string)));
  return GPU_CONTRACT_METRICS.filter((metric) => !given.has(metric) && !Object.hasOwn(NVIDIA_ONLY, metric)).map(
    (metric) => ({ metric, why: 'no field of it has a value', fix }),
  );
}
