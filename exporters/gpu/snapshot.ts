import type { Family, Sample } from '../exposition/index.ts';
import type { DeviceView } from './fleet.ts';
import { DECLARATIONS } from './metrics.ts';
import type { SilentMetric } from './silence.ts';
import type { Workload } from './workload/join.ts';

/** How a source does. */
export interface SourceStatus {
  readonly source: string;
  readonly isUp: boolean;
  readonly pollSeconds?: number;
  /** Failed polls by reason. */
  readonly failures: ReadonlyMap<string, number>;
  readonly sinceMs: number;
}

/** Everything that is exposed at a moment. */
export interface SnapshotInput {
  readonly devices: readonly DeviceView[];
  readonly workloads: readonly Workload[];
  readonly silent: readonly SilentMetric[];
  /** Metrics of the contract that no source gives. */
  readonly missing: readonly string[];
  readonly sources: readonly SourceStatus[];
  readonly drivers: readonly (readonly [source: string, version: string])[];
  readonly dropped: number;
  readonly otlp?: { readonly sent: number; readonly failed: number };
  readonly node: string;
  /** Labels that every GPU's series carries, such as `region`. */
  readonly labels: Readonly<Record<string, string>>;
  readonly version: string;
  readonly startedUnixMs: number;
}

/** What sources call things ends up in labels; nothing sensible is longer. */
const MOST_LABEL_CHARACTERS = 256;

/** Brings everything into families, in the order of the declarations; families without series are left out. */
export function toFamilies(input: SnapshotInput): Family[] {
  const families = new Map<string, Sample[]>();
  const add = (metric: string, labels: Record<string, string | undefined>, value: number, sinceMs?: number): void => {
    const kept: Record<string, string> = {};
    for (const [name, text] of Object.entries(labels))
      if (text !== undefined && text !== '') kept[name] = text.slice(0, MOST_LABEL_CHARACTERS);
    const samples = families.get(metric) ?? [];
    samples.push({ labels: kept, value, sinceMs });
    families.set(metric, samples);
  };
  const { devices, node, labels } = input;
  const bases = new Map(devices.map((device) => [keyOf(device), baseLabels(device, node, labels)]));
  for (const device of devices) addDevice(add, device, bases.get(keyOf(device)) ?? {});
  for (const workload of input.workloads) addWorkload(add, workload, bases.get(workload.uuid) ?? {});
  for (const { uuid, metric, reason } of input.silent) {
    const base = bases.get(uuid);
    if (base) add('gpu_silent', { ...base, kind: metric, reason }, 1);
  }
  addOwn(add, input);
  return [...DECLARATIONS.values()].flatMap((declaration) => {
    const samples = families.get(declaration.name);
    return samples ? [{ ...declaration, samples: unique(samples) }] : [];
  });
}

type Add = (metric: string, labels: Record<string, string | undefined>, value: number, sinceMs?: number) => void;

function keyOf({ uuid, mig }: DeviceView): string {
  return mig === undefined ? uuid : `${uuid}/${mig.instance}`;
}

function baseLabels(
  device: DeviceView,
  node: string,
  labels: Readonly<Record<string, string>>,
): Record<string, string | undefined> {
  const { gpu, uuid, name, mig } = device;
  return { ...labels, gpu, uuid, node, gpu_type: name, device: mig && `mig${mig.instance}`, kind: mig?.profile };
}

function addDevice(add: Add, device: DeviceView, base: Record<string, string | undefined>): void {
  if (device.mig === undefined) {
    add('gpu_up', base, device.down === undefined ? 1 : 0);
    if (device.down !== undefined) add('gpu_down', { ...base, reason: device.down }, 1);
  }
  for (const { metric, labels, value } of device.gauges) add(metric, { ...base, ...labels }, value);
  for (const { metric, labels, value, sinceMs } of device.counters) {
    // An instance's profile stands under `kind`, which on errors says more.
    add(metric, { ...base, ...labels }, value, sinceMs);
  }
}

function addWorkload(add: Add, workload: Workload, base: Record<string, string | undefined>): void {
  const { instance, namespace, pod, container, deployment, model, memoryBytes } = workload;
  const labels = {
    ...base,
    device: instance === undefined ? undefined : `mig${instance}`,
    namespace,
    replica: pod,
    container,
    deployment,
    model_version: model,
  };
  add('gpu_workload_info', labels, 1);
  if (memoryBytes !== undefined) add('gpu_workload_memory_used_bytes', labels, memoryBytes);
}

function addOwn(add: Add, input: SnapshotInput): void {
  const { sources, drivers, missing, version, node, startedUnixMs } = input;
  add('barograph_gpu_exporter_info', { version, node }, 1);
  for (const [source, driver] of drivers)
    add('barograph_gpu_exporter_driver_info', { source, node, driver_version: driver }, 1);
  for (const { source, isUp, pollSeconds, failures, sinceMs } of sources) {
    add('barograph_gpu_exporter_source_up', { source, node }, isUp ? 1 : 0);
    if (pollSeconds !== undefined) add('barograph_gpu_exporter_source_poll_seconds', { source, node }, pollSeconds);
    for (const [reason, count] of failures)
      add('barograph_gpu_exporter_source_failures_total', { source, node, reason }, count, sinceMs);
  }
  for (const metric of input.devices.length > 0 ? missing : [])
    add('barograph_gpu_exporter_metric_missing', { metric, node }, 1);
  add('barograph_gpu_exporter_dropped_total', { node }, input.dropped, startedUnixMs);
  if (!input.otlp) return;
  const { sent, failed } = input.otlp;
  for (const [outcome, count] of [
    ['ok', sent],
    ['error', failed],
  ] as const)
    add('barograph_gpu_exporter_otlp_requests_total', { outcome, node }, count, startedUnixMs);
}

/** Two series of the same labels would make a scraper refuse everything; the first one counts. */
function unique(samples: readonly Sample[]): Sample[] {
  const seen = new Set<string>();
  return samples.filter(({ labels }) => {
    const key = JSON.stringify(Object.entries(labels).sort());
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
