import type { PanelQuery, PaneRow } from './panel.ts';
import { ENGINE_LABELS, ENGINE_LINES, GPU_LABELS, NODE_LABELS } from './panel-parts.ts';

const GPU_SENDER = 'the GPU exporter of Barograph, or dcgm-exporter by remote write';
const TRACES = { title: 'Slowest requests', kind: 'traces', expr: '{ name = "gateway" }' } as const;

/** A DCGM counter of nanoseconds during which clocks were held down, as a share of the time, by node. */
function violation(counter: string, reason: string): PanelQuery {
  return {
    language: 'promql',
    expr: `max by (node) (rate(${counter}{$filters}[$__rate_interval])$serving) / 1e9`,
    legend: reason,
  };
}

/**
 * A bit of DCGM's mask of clock event reasons, 0 or 1, by node. It tells what the counters of nanoseconds can't: that
 * the hardware itself pulled the clocks down.
 */
function reasonBit(bit: number, reason: string): PanelQuery {
  return {
    language: 'promql',
    expr: `max by (node) (floor(DCGM_FI_DEV_CLOCKS_EVENT_REASONS{$filters} / ${bit}) % 2$serving)`,
    legend: reason,
  };
}

const GPU_GAUGES = ['gpu_sm_active_ratio', 'DCGM_FI_PROF_SM_ACTIVE', 'DCGM_FI_PROF_GR_ENGINE_ACTIVE'];
const GPU_BUSY = /* @__PURE__ */ busiestOf(GPU_GAUGES);

/**
 * The busiest GPU by the first of these gauges that it has, over the window of a rate: exporters tell of a single moment,
 * in which a GPU is either busy or not.
 */
function busiestOf(gauges: readonly string[]): string {
  const averages = gauges.map((gauge) => `avg_over_time(${gauge}{$filters}[$__rate_interval])`);
  return `max((${averages.join(' or ')})$serving)`;
}

/** What the machines do: memory, heat, clocks, saturation. */
export const INFRASTRUCTURE_ROW: PaneRow = {
  id: 'infrastructure',
  title: 'Infrastructure',
  panels: [
    {
      id: 'gpu-memory',
      title: 'GPU memory, fullest GPU',
      description: 'Memory in use on the fullest GPU of each type, under the dashed line of what its board has.',
      kind: 'lines',
      unit: 'bytes',
      min: 0,
      queries: [
        {
          language: 'promql',
          expr: 'max by (gpu_type) ((gpu_memory_used_bytes{$filters} or DCGM_FI_DEV_FB_USED{$filters} * 1048576)$serving)',
          legend: '{{gpu_type}}',
          colorBy: 'gpu_type',
        },
        {
          language: 'promql',
          expr: 'max by (gpu_type) ((gpu_memory_total_bytes{$filters} or DCGM_FI_DEV_FB_TOTAL{$filters} * 1048576 or (DCGM_FI_DEV_FB_USED{$filters} + DCGM_FI_DEV_FB_FREE{$filters}) * 1048576)$serving)',
          legend: '{{gpu_type}} total',
          colorBy: 'gpu_type',
          dashed: true,
        },
      ],
      labels: GPU_LABELS,
      links: [ENGINE_LINES, TRACES],
      source: { needs: ['gpu_memory_used_bytes', 'DCGM_FI_DEV_FB_USED'], sender: GPU_SENDER },
    },
    {
      id: 'gpu-temperature',
      title: 'GPU temperature',
      description: 'The hottest GPU of each node; clocks fall once a GPU reaches its slowdown temperature.',
      kind: 'lines',
      unit: 'celsius',
      queries: [
        {
          language: 'promql',
          expr: 'max by (node) ((gpu_temperature_celsius{$filters} or DCGM_FI_DEV_GPU_TEMP{$filters})$serving)',
          legend: '{{node}}',
          colorBy: 'node',
        },
      ],
      labels: GPU_LABELS,
      links: [ENGINE_LINES, TRACES],
      source: { needs: ['gpu_temperature_celsius', 'DCGM_FI_DEV_GPU_TEMP'], sender: GPU_SENDER },
    },
    {
      id: 'throttling',
      title: 'Throttling',
      description: 'When and why clocks of a node’s GPUs were held down; the stronger the colour, the longer.',
      kind: 'states',
      unit: 'ratio',
      min: 0,
      max: 1,
      rowBy: 'node',
      queries: [
        {
          language: 'promql',
          expr: 'max by (node, reason) (rate(gpu_throttle_seconds_total{$filters}[$__rate_interval])$serving)',
          legend: '{{reason}}',
        },
        violation('DCGM_FI_DEV_THERMAL_VIOLATION', 'thermal'),
        violation('DCGM_FI_DEV_POWER_VIOLATION', 'power'),
        violation('DCGM_FI_DEV_BOARD_LIMIT_VIOLATION', 'board_limit'),
        violation('DCGM_FI_DEV_RELIABILITY_VIOLATION', 'reliability'),
        reasonBit(8, 'hw_slowdown'),
        reasonBit(128, 'hw_power_brake'),
      ],
      labels: GPU_LABELS,
      links: [ENGINE_LINES, TRACES],
      source: {
        needs: ['gpu_throttle_seconds_total', 'DCGM_FI_DEV_THERMAL_VIOLATION', 'DCGM_FI_DEV_CLOCKS_EVENT_REASONS'],
        sender: GPU_SENDER,
      },
    },
    {
      id: 'saturation',
      title: 'Node saturation',
      description:
        'How full the fullest of each is: GPU (SM activity), CPU and memory of a node, key-value cache of an engine.',
      kind: 'lines',
      unit: 'ratio',
      min: 0,
      max: 1,
      thresholds: [{ value: 0.9, label: '90 %' }],
      queries: [
        {
          language: 'promql',
          expr: 'max(inference_kv_cache_usage_ratio{$filters} or vllm:kv_cache_usage_perc{$filters})',
          legend: 'KV cache',
          tone: 'cache',
          labels: ENGINE_LABELS,
        },
        {
          language: 'promql',
          expr: GPU_BUSY,
          legend: 'GPU',
          tone: 'gpu',
        },
        {
          language: 'promql',
          expr: 'max(1 - sum by (instance) (rate(node_cpu_seconds_total{mode="idle",$filters}[$__rate_interval])) / sum by (instance) (rate(node_cpu_seconds_total{$filters}[$__rate_interval])))',
          legend: 'CPU',
          tone: 'cpu',
          labels: NODE_LABELS,
        },
        {
          language: 'promql',
          expr: 'max(1 - node_memory_MemAvailable_bytes{$filters} / node_memory_MemTotal_bytes{$filters})',
          legend: 'memory',
          tone: 'memory',
          labels: NODE_LABELS,
        },
      ],
      labels: GPU_LABELS,
      links: [ENGINE_LINES, TRACES],
      source: {
        needs: ['vllm:kv_cache_usage_perc', 'DCGM_FI_PROF_SM_ACTIVE', 'node_cpu_seconds_total'],
        sender: 'vLLM, dcgm-exporter and node_exporter by remote write',
      },
    },
  ],
};
