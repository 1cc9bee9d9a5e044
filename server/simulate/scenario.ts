import { BarographError } from '../model/index.ts';

/** What goes wrong, or changes. */
export type IncidentKind = 'thermal' | 'kv_pressure' | 'oom' | 'deploy' | 'xid';

/** A change that an incident must cause, for whoever checks what an explanation found. */
export interface Effect {
  /** The metric, or `log:` and a class of log lines. */
  readonly signal: string;
  readonly direction: 'rises' | 'falls' | 'appears';
  /** Seconds from the incident's start until it shows, roughly. */
  readonly lagSeconds: number;
}

/** One incident of a scenario. */
export interface Incident {
  readonly id: string;
  readonly kind: IncidentKind;
  /** Where in the scenario's window it starts, 0 to 1. */
  readonly startShare: number;
  /** Seconds; at most 40 % of the window. */
  readonly durationSeconds: number;
  /** What it happens to. */
  readonly deployment: string;
  readonly region: string;
  /** The first thing that goes wrong, in words. */
  readonly cause: string;
  /** In the order in which they show. */
  readonly effects: readonly Effect[];
}

/** Incidents with their ground truth. */
export interface Scenario {
  readonly name: string;
  readonly summary: string;
  readonly incidents: readonly Incident[];
}

const THERMAL: Incident = {
  id: 'thermal',
  kind: 'thermal',
  startShare: 0.3,
  durationSeconds: 720,
  deployment: 'chat-large',
  region: 'eu-west',
  cause: 'The coolant pump of one node slows down: its GPUs get hot and lower their clocks.',
  effects: [
    { signal: 'gpu_temperature_celsius', direction: 'rises', lagSeconds: 20 },
    { signal: 'gpu_throttle_seconds_total', direction: 'rises', lagSeconds: 60 },
    { signal: 'gpu_clock_hertz', direction: 'falls', lagSeconds: 60 },
    { signal: 'inference_inter_token_latency_seconds', direction: 'rises', lagSeconds: 75 },
    { signal: 'inference_total_latency_seconds', direction: 'rises', lagSeconds: 90 },
  ],
};
const KV_PRESSURE: Incident = {
  id: 'kv_pressure',
  kind: 'kv_pressure',
  startShare: 0.72,
  durationSeconds: 330,
  deployment: 'chat-fast',
  region: 'us-east',
  cause: 'A batch job sends very long prompts: the key-value cache fills, sequences are preempted, others wait.',
  effects: [
    { signal: 'inference_token_count', direction: 'rises', lagSeconds: 15 },
    { signal: 'inference_kv_cache_usage_ratio', direction: 'rises', lagSeconds: 30 },
    { signal: 'log:mem.kv_usage_high', direction: 'appears', lagSeconds: 60 },
    { signal: 'inference_requests_waiting', direction: 'rises', lagSeconds: 60 },
    { signal: 'inference_preemptions_total', direction: 'rises', lagSeconds: 75 },
    { signal: 'inference_ttft_seconds', direction: 'rises', lagSeconds: 75 },
  ],
};
const OOM: Incident = {
  id: 'oom',
  kind: 'oom',
  startShare: 0.52,
  durationSeconds: 420,
  deployment: 'chat-fast',
  region: 'eu-west',
  cause: 'A training job on the same GPU takes more and more memory, until an allocation of the engine fails.',
  effects: [
    { signal: 'gpu_memory_used_bytes', direction: 'rises', lagSeconds: 30 },
    { signal: 'log:mem.alloc_retry', direction: 'appears', lagSeconds: 135 },
    { signal: 'inference_inter_token_latency_seconds', direction: 'rises', lagSeconds: 165 },
    { signal: 'inference_total_latency_seconds', direction: 'rises', lagSeconds: 180 },
    { signal: 'log:mem.torch_oom', direction: 'appears', lagSeconds: 300 },
    { signal: 'log:engine.dead', direction: 'appears', lagSeconds: 301 },
    { signal: 'inference_requests_total{outcome="error"}', direction: 'rises', lagSeconds: 302 },
    { signal: 'log:mem.startup_refused', direction: 'appears', lagSeconds: 320 },
  ],
};
const DEPLOY: Incident = {
  id: 'deploy',
  kind: 'deploy',
  startShare: 0.35,
  durationSeconds: 1200,
  deployment: 'chat-fast',
  region: 'eu-west',
  cause: 'A new model version decodes slower; it is rolled out replica by replica and rolled back at the end.',
  effects: [
    { signal: 'inference_requests_running', direction: 'falls', lagSeconds: 30 },
    { signal: 'inference_time_per_output_token_seconds', direction: 'rises', lagSeconds: 120 },
    { signal: 'inference_total_latency_seconds', direction: 'rises', lagSeconds: 130 },
  ],
};
const XID: Incident = {
  id: 'xid',
  kind: 'xid',
  startShare: 0.5,
  durationSeconds: 180,
  deployment: 'chat-large',
  region: 'us-east',
  cause: 'An uncorrectable memory error on one GPU: the driver remaps a row and kills the engine.',
  effects: [
    { signal: 'log:gpu.ecc_dbe', direction: 'appears', lagSeconds: 0 },
    { signal: 'gpu_xid_errors_total', direction: 'rises', lagSeconds: 15 },
    { signal: 'log:engine.dead', direction: 'appears', lagSeconds: 1 },
    { signal: 'inference_requests_total{outcome="error"}', direction: 'rises', lagSeconds: 2 },
  ],
};

/** Every scenario by name. */
export const SCENARIOS: Readonly<Record<string, Scenario>> = {
  demo: {
    name: 'demo',
    summary: 'A node overheats, a training job takes an engine’s memory, long prompts fill a key-value cache.',
    incidents: [THERMAL, OOM, KV_PRESSURE],
  },
  calm: { name: 'calm', summary: 'Nothing goes wrong beyond the ordinary.', incidents: [] },
  thermal: { name: 'thermal', summary: THERMAL.cause, incidents: [THERMAL] },
  kv_pressure: { name: 'kv_pressure', summary: KV_PRESSURE.cause, incidents: [KV_PRESSURE] },
  oom: { name: 'oom', summary: OOM.cause, incidents: [OOM] },
  deploy: { name: 'deploy', summary: DEPLOY.cause, incidents: [DEPLOY] },
  xid: { name: 'xid', summary: XID.cause, incidents: [XID] },
};

/** The scenario of this name. @throws BarographError `unknown_scenario`. */
export function findScenario(name: string): Scenario {
  if (Object.hasOwn(SCENARIOS, name)) return SCENARIOS[name];
  throw new BarographError({
    code: 'unknown_scenario',
    status: 400,
    where: 'scenario',
    got: JSON.stringify(name.slice(0, 40)),
    accepted: Object.keys(SCENARIOS).join(', '),
  });
}

/** An incident with its place in time, milliseconds since the epoch. */
export interface PlannedIncident {
  readonly incident: Incident;
  readonly startMs: number;
  readonly endMs: number;
}

/** Puts a scenario's incidents into a window of time; in a short one they are shorter. */
export function planIncidents(scenario: Scenario, windowStartMs: number, windowMs: number): PlannedIncident[] {
  return scenario.incidents.map((incident) => {
    const startMs = windowStartMs + incident.startShare * windowMs;
    return { incident, startMs, endMs: startMs + Math.min(incident.durationSeconds * 1000, windowMs * 0.4) };
  });
}
