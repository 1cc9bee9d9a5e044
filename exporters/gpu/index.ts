// GPUs: what they do, from whatever source there is, under the contract's names.
// In: dcgm-exporter, NVML, nvidia-smi, AMD's exporter and amd-smi; the kubelet and /proc for who uses a GPU. Out: metrics
// as Prometheus text, OpenMetrics or OTLP, and the counters file that dcgm-exporter wants.
// Never: changes a GPU's settings, reports a value that can't be read as 0, or lets an answer wait for a source.
export { Collector, type CollectorOptions, type ScheduledSource } from './collector.ts';
export { formatDcgmCounters } from './dcgm-counters.ts';
export { gpuOtlpRequests } from './otlp-metrics.ts';
export { SOURCE_NAMES, type SourceName } from './reading.ts';
export { gpuRoutes } from './routes.ts';
export { type ScheduleOptions, scheduleSources } from './schedule.ts';
export { KERNEL_LOG } from './sources/kernel-log.ts';
export { POD_RESOURCES_SOCKET } from './workload/pod-resources.ts';
