// GPUs: what they do, from whatever source there is, under the contract's names.
// In: dcgm-exporter, NVML, nvidia-smi, AMD's exporter and amd-smi; the kubelet and /proc for who uses a GPU. Out: metrics
// as Prometheus text, OpenMetrics or OTLP, and the counters file that dcgm-exporter wants.
// Never: changes a GPU's settings, reports a value that can't be read as 0, or lets an answer wait for a source.
export { Collector, type CollectorOptions, type ScheduledSource } from './collector.ts';
export { formatDcgmCounters } from './dcgm-counters.ts';
export { ExporterError } from './error.ts';
export { formatFamilies, type TextFormat } from './expose.ts';
export { type OtlpTarget, sendOtlp, toOtlp } from './otlp.ts';
export { SOURCE_NAMES, type SourceName } from './reading.ts';
export { type ScheduleOptions, scheduleSources } from './schedule.ts';
export { type Endpoint, serveMetrics } from './serve.ts';
export type { Family, Sample } from './snapshot.ts';
export { KERNEL_LOG } from './sources/kernel-log.ts';
export { POD_RESOURCES_SOCKET } from './workload/pod-resources.ts';
