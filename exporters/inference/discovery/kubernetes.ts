import fs from 'node:fs/promises';
import { ExporterError } from '../../error.ts';
import { ENGINE_METRICS, type Engine } from '../../generated/conventions.ts';
import { HttpGetter, shownUrl } from '../../http/index.ts';
import { makeTarget, TARGET_LABELS, type Target } from '../target.ts';
import type { Discovery } from './discovery.ts';

/** How the API of a cluster is asked. */
export interface KubernetesOptions {
  readonly apiUrl: URL;
  /** Read anew each time, because tokens of service accounts are rotated. */
  readonly tokenFile: string;
  readonly caFile?: string;
  /** All that the token may see where it is empty. */
  readonly namespaces: readonly string[];
  readonly labelSelector?: string;
}

const PAGE_PODS = 500;
const MAX_PODS = 50_000;
const MAX_PAGE_BYTES = 64 * 1024 * 1024;
const TIMEOUT_MS = 20_000;
const OWN = 'barograph.io/';
const PROMETHEUS = 'prometheus.io/';

/** What of a pod is looked at. */
export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly kind: string; readonly name: string }[];
    readonly deletionTimestamp?: string;
  };
  readonly spec: {
    readonly nodeName?: string;
    readonly containers: readonly {
      readonly image?: string;
      readonly ports?: readonly { readonly containerPort: number; readonly name?: string }[];
    }[];
  };
  readonly status?: { readonly phase?: string; readonly podIP?: string };
}

/** Targets from the pods of a cluster: those that are annotated, and those that run a known engine. */
export function kubernetesDiscovery(options: KubernetesOptions): Discovery {
  const getter = new HttpGetter();
  const find = async (): Promise<Target[]> => {
    const [token, ca] = await Promise.all([
      fs.readFile(options.tokenFile, 'utf8'),
      options.caFile === undefined ? undefined : fs.readFile(options.caFile, 'utf8'),
    ]).catch((error: { code?: string; path?: string }) => {
      throw new ExporterError({
        code: 'no_service_account',
        where: error.path ?? options.tokenFile,
        got: error.code,
        fix: 'run in a pod with a service account, or give --kubernetes-api and --kubernetes-token-file',
      });
    });
    const ask = { headers: { authorization: `Bearer ${token.trim()}`, accept: 'application/json' }, ca };
    const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
    const targets: Target[] = [];
    for (const namespace of namespaces) {
      for await (const pod of podsOf(getter, options, namespace, ask)) {
        const target = podTarget(pod);
        if (target) targets.push(target);
      }
    }
    return targets;
  };
  return { kind: 'kubernetes', find };
}

async function* podsOf(
  getter: HttpGetter,
  { apiUrl, labelSelector }: KubernetesOptions,
  namespace: string | undefined,
  ask: { readonly headers: Readonly<Record<string, string>>; readonly ca?: string },
): AsyncGenerator<Pod> {
  const path = namespace === undefined ? '/api/v1/pods' : `/api/v1/namespaces/${encodeURIComponent(namespace)}/pods`;
  let next: string | undefined;
  let pods = 0;
  do {
    const url = new URL(path, apiUrl);
    url.searchParams.set('limit', String(PAGE_PODS));
    url.searchParams.set('fieldSelector', 'status.phase=Running');
    if (labelSelector !== undefined) url.searchParams.set('labelSelector', labelSelector);
    if (next !== undefined) url.searchParams.set('continue', next);
    const got = await getter.get(url, { ...ask, timeoutMs: TIMEOUT_MS, maxBytes: MAX_PAGE_BYTES });
    if (got.status !== 200) {
      throw new ExporterError({
        code: 'http_status',
        where: shownUrl(url),
        got: `HTTP ${got.status}`,
        accepted: '200',
        fix: got.status === 403 ? 'let the service account list pods (a Role or ClusterRole: pods, list)' : undefined,
      });
    }
    const page = JSON.parse(got.body.toString('utf8')) as { items?: Pod[]; metadata?: { continue?: string } };
    for (const pod of page.items ?? []) {
      if (++pods > MAX_PODS)
        throw new ExporterError({
          code: 'too_large',
          where: shownUrl(url),
          got: `more than ${MAX_PODS} pods`,
          fix: 'narrow it by --kubernetes-namespace or --kubernetes-selector',
        });
      yield pod;
    }
    next = page.metadata?.continue || undefined;
  } while (next !== undefined);
}

/**
 * The target that a pod is; `undefined` for one that isn't ready for it, runs no known engine and isn't annotated, or is
 * annotated with `barograph.io/scrape: "false"`.
 */
export function podTarget({ metadata, spec, status }: Pod): Target | undefined {
  const annotations = metadata.annotations ?? {};
  const own = (name: string) => annotations[OWN + name];
  if (status?.podIP === undefined || metadata.deletionTimestamp !== undefined) return undefined;
  if (own('scrape') === 'false') return undefined;
  const known = knownContainer(metadata.labels ?? {}, spec.containers);
  if (own('scrape') !== 'true' && known === undefined) return undefined;
  const either = (name: string) => own(name) ?? annotations[PROMETHEUS + name];
  const port = Number(either('port') ?? portOf(known, spec.containers));
  if (!Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  const host = status.podIP.includes(':') ? `[${status.podIP}]` : status.podIP;
  // The usual path is in many annotations that were never thought about, and it is tried first anyhow.
  const path = own('path') ?? (annotations[`${PROMETHEUS}path`] === '/metrics' ? '' : annotations[`${PROMETHEUS}path`]);
  const address = `${either('scheme') === 'https' ? 'https' : 'http'}://${host}:${port}${path ?? ''}`;
  const labels = Object.entries(annotations)
    .filter(([name]) => name.startsWith(`${OWN}label-`))
    .map(([name, value]) => [name.slice(OWN.length + 'label-'.length).replaceAll('-', '_'), value])
    .filter(([name]) => TARGET_LABELS.includes(name));
  return makeTarget(address, Object.fromEntries(labels), `pod ${metadata.namespace}/${metadata.name}`, {
    deployment: ownerOf(metadata),
    replica: metadata.name,
    namespace: metadata.namespace,
    node: spec.nodeName ?? '',
  });
}

interface KnownContainer {
  readonly engine: Engine;
  readonly ports: readonly { readonly containerPort: number; readonly name?: string }[];
}

/** Names of engines in the labels that llm-d and KServe give pods. */
const ENGINE_TYPES: Readonly<Record<string, Engine>> = {
  vllm: 'vllm',
  sglang: 'sglang',
  'trtllm-serve': 'tensorrt_llm',
  'triton-tensorrt-llm': 'triton',
};

function knownContainer(
  labels: Readonly<Record<string, string>>,
  containers: Pod['spec']['containers'],
): KnownContainer | undefined {
  const type = labels['llm-d.ai/engine-type'] ?? labels['inference.networking.k8s.io/engine-type'];
  const labelled = type === undefined ? undefined : ENGINE_TYPES[type];
  for (const { image = '', ports = [] } of containers) {
    const engine = engineOfImage(image);
    if (engine !== undefined) return { engine: labelled ?? engine, ports };
  }
  return labelled === undefined ? undefined : { engine: labelled, ports: containers[0]?.ports ?? [] };
}

/** The engine that a container's image runs by its name; tag and digest say nothing. */
export function engineOfImage(image: string): Engine | undefined {
  const name = image
    .toLowerCase()
    .replace(/@.*$/, '')
    .replace(/:[^/]*$/, '');
  for (const [engine, { images }] of Object.entries(ENGINE_METRICS)) {
    // Whole words only: epp isn't in pepper.
    const fits = (hint: string) =>
      new RegExp(`(?:^|[^a-z0-9])${hint.replace(/[.]/g, '\\.')}(?:$|[^a-z0-9]|(?<=/))`).test(name);
    if (images.some(fits)) return engine as Engine;
  }
  return undefined;
}

function portOf(known: KnownContainer | undefined, containers: Pod['spec']['containers']): number | undefined {
  const ports = known?.ports ?? containers.flatMap((container) => container.ports ?? []);
  const usual = known === undefined ? [] : ENGINE_METRICS[known.engine].ports;
  const named = ports.find(({ name = '' }) => /metrics/.test(name));
  const port = named ?? ports.find(({ containerPort }) => usual.includes(containerPort)) ?? ports[0];
  return port?.containerPort ?? usual[0];
}

/** What a pod was deployed as: the Deployment behind its ReplicaSet, or what else owns it, or itself. */
function ownerOf({ name, labels, ownerReferences }: Pod['metadata']): string {
  const owner = ownerReferences?.[0];
  if (!owner) return name;
  const hash = labels?.['pod-template-hash'];
  const isHashed = owner.kind === 'ReplicaSet' && hash !== undefined && owner.name.endsWith(`-${hash}`);
  return isHashed ? owner.name.slice(0, -hash.length - 1) : owner.name;
}
