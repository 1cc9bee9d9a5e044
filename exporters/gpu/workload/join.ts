import type { DeviceView } from '../fleet.ts';
import { type GpuProcess, normalizePciBusId, type PodUse } from '../reading.ts';
import type { PodDevices } from './pod-resources.ts';
import type { ProcessIdentity } from './proc.ts';

/** What runs on a GPU: the time in which such a thing is true is the time in which its series exists. */
export interface Workload {
  readonly uuid: string;
  /** The MIG instance. */
  readonly instance?: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly container?: string;
  /** `unknown` where nothing says it: an empty label would be filled in with the scrape job's name on its way. */
  readonly deployment: string;
  readonly model?: string;
  /** GPU memory of its processes; absent where no driver says it. */
  readonly memoryBytes?: number;
}

/** What a join starts from. */
export interface JoinInput {
  readonly devices: readonly DeviceView[];
  readonly identities: ReadonlyMap<number, ProcessIdentity>;
  readonly podDevices: readonly PodDevices[];
  /** The deployment to say where nothing else says it. */
  readonly deployment?: string;
}

interface Draft {
  readonly device: DeviceView;
  readonly instance?: string;
  readonly pod?: PodUse;
  readonly unit?: string;
  models: Set<string>;
  memoryBytes?: number;
}

/**
 * Joins GPUs to what runs on them. Which pod a GPU was given to is known from Kubernetes or from dcgm-exporter; which
 * process uses it from the driver, which says more (memory, the model in a command line) and also covers what runs
 * outside Kubernetes. Processes find their pod by its name, or by being on a GPU that has one pod only.
 */
export function joinWorkloads({ devices, identities, podDevices, deployment }: JoinInput): Workload[] {
  const wholes = devices.filter(({ mig }) => mig === undefined);
  const instances = devices.filter(({ mig }) => mig !== undefined);
  return wholes.flatMap((device) => {
    if (device.down !== undefined) return [];
    const own = instances.filter(({ uuid }) => uuid === device.uuid);
    const drafts = new Map<string, Draft>();
    for (const pod of podsOf(device, own, podDevices)) {
      const key = `${pod.instance}|${pod.namespace}|${pod.pod}|${pod.container}`;
      if (!drafts.has(key)) drafts.set(key, { device, instance: pod.instance, pod, models: new Set() });
    }
    for (const process of device.processes) addProcess(drafts, device, process, identities.get(process.pid));
    return [...drafts.values()].map((draft) => toWorkload(draft, deployment));
  });
}

/** The containers of a GPU and of its instances, by all who know them; Kubernetes' own word goes first. */
function podsOf(device: DeviceView, instances: readonly DeviceView[], podDevices: readonly PodDevices[]): PodUse[] {
  const pods: PodUse[] = [];
  for (const { namespace, pod, container, deviceIds } of podDevices)
    for (const id of deviceIds) {
      // A GPU that several pods share by time has an identity each, such as GPU-…::3.
      const plain = id.replace(/::\d+$/, '');
      const mig = instances.find((instance) => instance.mig?.uuid === plain);
      const isWhole = plain === device.uuid || normalizePciBusId(plain) === device.pciBusId;
      if (mig || isWhole) pods.push({ namespace, pod, container, instance: mig?.mig?.instance });
    }
  if (pods.length > 0) return pods;
  return [...device.pods, ...instances.flatMap((instance) => instance.pods)];
}

function addProcess(
  drafts: Map<string, Draft>,
  device: DeviceView,
  process: GpuProcess,
  identity: ProcessIdentity | undefined,
): void {
  const candidates = [...drafts.values()].filter(
    ({ pod, instance }) => pod !== undefined && (process.instance === undefined || instance === process.instance),
  );
  const named = candidates.filter(({ pod }) => identity?.pod !== undefined && pod?.pod === identity.pod);
  let draft = named[0] ?? (identity?.isInPod !== false && candidates.length === 1 ? candidates[0] : undefined);
  if (!draft) {
    // Outside of pods nothing but the model tells servers apart: memory of one must not go under the other's name.
    const model = identity?.pod === undefined ? identity?.model : undefined;
    const key = `process|${process.instance}|${identity?.pod}|${identity?.unit}|${model}`;
    draft = drafts.get(key) ?? {
      device,
      instance: process.instance,
      pod: identity?.pod === undefined ? undefined : { pod: identity.pod },
      unit: identity?.unit,
      models: new Set(),
    };
    drafts.set(key, draft);
  }
  if (identity?.model !== undefined) draft.models.add(identity.model);
  if (process.memoryBytes !== undefined) draft.memoryBytes = (draft.memoryBytes ?? 0) + process.memoryBytes;
}

function toWorkload(
  { device, instance, pod, unit, models, memoryBytes }: Draft,
  fallback: string | undefined,
): Workload {
  return {
    uuid: device.uuid,
    instance,
    namespace: pod?.namespace,
    pod: pod?.pod,
    container: pod?.container,
    deployment: (pod ? deploymentOf(pod.pod) : unit) ?? fallback ?? 'unknown',
    // Two servers in one container can't be told apart here, and half an answer is a wrong one.
    model: models.size === 1 ? [...models][0] : undefined,
    memoryBytes,
  };
}

/**
 * The deployment that a pod's name tells: without the hash of a ReplicaSet and the suffix of a pod, or without the number
 * of a StatefulSet's pod. Kubernetes makes both suffixes of an alphabet without vowels, which keeps words from being
 * taken for one.
 */
export function deploymentOf(pod: string): string {
  const replicaSet = /^(.+)-[bcdfghjklmnpqrstvwxz2456789]{6,10}-[bcdfghjklmnpqrstvwxz2456789]{5}$/.exec(pod);
  if (replicaSet) return replicaSet[1];
  const single = /^(.+?)-(?:\d{1,5}|[bcdfghjklmnpqrstvwxz2456789]{5})$/.exec(pod);
  return single ? single[1] : pod;
}
