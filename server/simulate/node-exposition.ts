import { pciAddress } from './engine-log.ts';
import { Exposition } from './exposition.ts';
import type { Node } from './fleet.ts';
import type { Gpu } from './gpu.ts';

const MIB = 1_048_576;
const DRIVER_VERSION = '595.58.03';

/** What dcgm-exporter says about a node's GPUs, with the fields that its own counters file leaves off. */
export function exposeDcgm(node: Node): Exposition {
  const out = new Exposition({ job: 'dcgm-exporter', instance: `${node.name}:9400`, region: node.region });
  for (const gpu of node.gpus) exposeGpu(out, node, gpu);
  return out;
}

function exposeGpu(out: Exposition, node: Node, gpu: Gpu): void {
  const replica = node.replicas.find((each) => each.gpus.includes(gpu));
  const labels: Record<string, string> = {
    gpu: String(gpu.index),
    UUID: gpu.uuid,
    pci_bus_id: `0000${pciAddress(gpu.index)}.0`,
    device: `nvidia${gpu.index}`,
    modelName: gpu.type.name,
    Hostname: node.name,
    DCGM_FI_DRIVER_VERSION: DRIVER_VERSION,
  };
  if (replica) Object.assign(labels, { pod: replica.name, namespace: 'inference', container: 'vllm' });
  const { type } = gpu;
  const gauge = (name: string, help: string, read: () => number): void =>
    out.gauge(`DCGM_FI_${name}`, help, read, labels);
  const counter = (name: string, help: string, read: () => number): void =>
    out.counter(`DCGM_FI_${name}`, help, read, labels);
  gauge('DEV_SM_CLOCK', 'SM clock frequency (in MHz).', () => Math.round((type.smClockMaxHertz * gpu.clock) / 1e6));
  gauge('DEV_MEM_CLOCK', 'Memory clock frequency (in MHz).', () => type.memoryClockHertz / 1e6);
  gauge('DEV_GPU_TEMP', 'GPU temperature (in C).', () => Math.round(gpu.temperatureCelsius));
  gauge('DEV_MEMORY_TEMP', 'Memory temperature (in C).', () => Math.round(gpu.temperatureCelsius + 6));
  gauge('DEV_POWER_USAGE', 'Power draw (in W).', () => Math.round(gpu.powerWatts * 1000) / 1000);
  gauge(
    'DEV_ENFORCED_POWER_LIMIT',
    'Effective power limit that the driver enforces (in W).',
    () => gpu.surroundings.powerLimitWatts,
  );
  counter('DEV_TOTAL_ENERGY_CONSUMPTION', 'Total energy consumption since boot (in mJ).', () =>
    Math.round(gpu.energyJoules * 1000),
  );
  gauge('DEV_GPU_UTIL', 'GPU utilization (in %).', () => Math.round(gpu.busyRatio * 100));
  gauge('DEV_MEM_COPY_UTIL', 'Memory utilization (in %).', () => Math.round(gpu.dramActiveRatio * 100));
  gauge('DEV_XID_ERRORS', 'Value of the last XID error encountered.', () => gpu.lastXid);
  counter('DEV_POWER_VIOLATION', 'Throttling duration due to power constraints (in ns).', () =>
    Math.round(gpu.powerViolationNs),
  );
  counter('DEV_THERMAL_VIOLATION', 'Throttling duration due to thermal constraints (in ns).', () =>
    Math.round(gpu.thermalViolationNs),
  );
  gauge('DEV_CLOCKS_EVENT_REASONS', 'Current clock event reasons (bitmask).', () => gpu.reasons);
  gauge('DEV_FB_TOTAL', 'Framebuffer memory total (in MiB).', () => Math.round(type.memoryBytes / MIB));
  gauge('DEV_FB_FREE', 'Framebuffer memory free (in MiB).', () =>
    Math.max(0, Math.round((type.memoryBytes - type.reservedBytes - gpu.usedBytes) / MIB)),
  );
  gauge('DEV_FB_USED', 'Framebuffer memory used (in MiB).', () => Math.round(gpu.usedBytes / MIB));
  gauge('DEV_FB_RESERVED', 'Framebuffer memory reserved (in MiB).', () => Math.round(type.reservedBytes / MIB));
  counter('DEV_ECC_DBE_VOL_TOTAL', 'Total number of double-bit volatile ECC errors.', () => gpu.eccDoubleBitErrors);
  counter(
    'DEV_UNCORRECTABLE_REMAPPED_ROWS',
    'Number of remapped rows for uncorrectable errors',
    () => gpu.remappedRows,
  );
  if (node.gpus.length > 1 && (replica?.gpus.length ?? 1) > 1) {
    counter('DEV_NVLINK_BANDWIDTH_TOTAL', 'Total number of NVLink bandwidth counters for all lanes.', () =>
      Math.round(gpu.nvlinkBytes),
    );
  }
  gauge('PROF_GR_ENGINE_ACTIVE', 'Ratio of time the graphics engine is active.', () => gpu.busyRatio);
  gauge('PROF_SM_ACTIVE', 'The ratio of cycles an SM has at least 1 warp assigned.', () => gpu.smActiveRatio);
  gauge('PROF_SM_OCCUPANCY', 'The ratio of number of warps resident on an SM.', () => gpu.smOccupancyRatio);
  gauge('PROF_PIPE_TENSOR_ACTIVE', 'Ratio of cycles the tensor (HMMA) pipe is active.', () => gpu.tensorActiveRatio);
  gauge(
    'PROF_DRAM_ACTIVE',
    'Ratio of cycles the device memory interface is active sending or receiving data.',
    () => gpu.dramActiveRatio,
  );
  gauge('PROF_PCIE_TX_BYTES', 'The rate of data transmitted over the PCIe bus (in bytes per second).', () =>
    Math.round(gpu.pcieTransmitBytesPerSecond),
  );
  gauge('PROF_PCIE_RX_BYTES', 'The rate of data received over the PCIe bus (in bytes per second).', () =>
    Math.round(gpu.pcieReceiveBytesPerSecond),
  );
}

/** What node_exporter says about a node, its processors summed up by a recording rule. */
export function exposeNode(node: Node): Exposition {
  const out = new Exposition({ job: 'node', instance: `${node.name}:9100`, node: node.name, region: node.region });
  const memoryBytes = node.cores * 8 * 1024 * MIB;
  const cpuHelp = 'Seconds the CPUs spent in each mode.';
  out.gauge('node_load1', '1m load average.', () => Math.round(node.load1 * 100) / 100);
  out.counter('node_cpu_seconds_total', cpuHelp, () => node.cpuIdleSeconds, { mode: 'idle' });
  out.counter('node_cpu_seconds_total', cpuHelp, () => node.cpuUserSeconds, { mode: 'user' });
  out.counter(
    'node_pressure_cpu_waiting_seconds_total',
    'Total time in seconds that processes have waited for CPU time',
    () => node.cpuPressureSeconds,
  );
  out.gauge('node_memory_MemTotal_bytes', 'Memory information field MemTotal_bytes.', () => memoryBytes);
  out.gauge('node_memory_MemAvailable_bytes', 'Memory information field MemAvailable_bytes.', () =>
    Math.round(memoryBytes * (0.78 - 0.3 * (node.busyCores / node.cores))),
  );
  return out;
}
