import { GPU_CONTRACT_METRICS, NVIDIA_ONLY } from '../metrics.ts';
import type { DeviceReading, MissingMetric } from '../reading.ts';

/** What the contract wants and no AMD GPU has. What only NVIDIA has isn't missing. */
export function amdMissing(devices: readonly DeviceReading[], fix: string): MissingMetric[] {
  const given = new Set(devices.flatMap(({ measures }) => measures.map(({ metric }) => metric as string)));
  return GPU_CONTRACT_METRICS.filter((metric) => !given.has(metric) && !NVIDIA_ONLY.has(metric)).map((metric) => ({
    metric,
    why: 'no field of it has a value',
    fix,
  }));
}
