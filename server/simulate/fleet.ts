import { iterationCost, keyValueBlocks } from './cost.ts';
import { Engine, type EngineConfig, type EngineListener } from './engine.ts';
import type { EventQueue } from './event-queue.ts';
import { Gpu } from './gpu.ts';
import { type GpuType, H100, L40S, type ModelSize, SIZE_14B, SIZE_70B } from './hardware.ts';
import { BLOCK_TOKENS } from './kv-cache.ts';
import { Random } from './random.ts';

/** A model as it is served: its name, its size and what it costs. */
export interface ServedModel {
  /** The name that the engine answers to, with its version. */
  readonly version: string;
  readonly size: ModelSize;
  /** How many times slower than its size demands it runs, ≥ 1. */
  readonly slowdown: number;
  /** US dollars for a million tokens. */
  readonly inputPrice: number;
  readonly outputPrice: number;
}

/** A group of replicas that serve one model in one region. */
export interface DeploymentSpec {
  readonly name: string;
  readonly region: string;
  readonly model: ServedModel;
  readonly gpuType: GpuType;
  readonly gpusPerReplica: number;
  readonly replicas: number;
  /** Replicas of a node share its power, cooling and fate. */
  readonly replicasPerNode: number;
  readonly engine: Omit<EngineConfig, 'kvBlocks' | 'tierCount'>;
  /** Share of device memory that the engine may take, above 0 to 1. */
  readonly memoryUtilization: number;
}

/** A customer tier and what its customers ask for. */
export interface TierSpec {
  readonly name: string;
  /** Share of requests, relative to the others. */
  readonly weight: number;
  /** Probability that a request asks for each of the fleet's models, relative, in the order of `modelNames`. */
  readonly modelWeights: readonly number[];
}

/** The whole fleet as data. */
export interface FleetSpec {
  readonly regions: readonly { readonly name: string; readonly weight: number }[];
  readonly tiers: readonly TierSpec[];
  /** Deployment names that requests choose from. */
  readonly modelNames: readonly string[];
  readonly deployments: readonly DeploymentSpec[];
  /** Requests a second of the whole fleet, on average over a day. */
  readonly requestsPerSecond: number;
}

export interface Node {
  readonly name: string;
  readonly region: string;
  readonly gpus: Gpu[];
  readonly replicas: Replica[];
  /** Cores that its processes keep busy. */
  busyCores: number;
  readonly cores: number;
  /** Since the start, by mode, in seconds. */
  cpuUserSeconds: number;
  cpuIdleSeconds: number;
  cpuPressureSeconds: number;
  load1: number;
}

export type ReplicaState = 'starting' | 'serving' | 'draining' | 'down';

export interface Replica {
  /** The pod's name. */
  readonly name: string;
  readonly deployment: Deployment;
  readonly node: Node;
  readonly gpus: readonly Gpu[];
  readonly engine: Engine;
  state: ReplicaState;
  model: ServedModel;
  /** When its process started, milliseconds since the epoch. */
  processStartMs: number;
  /** How many processes it has had. */
  process: number;
}

export interface Deployment {
  readonly spec: DeploymentSpec;
  readonly name: string;
  readonly region: string;
  readonly replicas: Replica[];
}

export interface Fleet {
  readonly spec: FleetSpec;
  readonly nodes: readonly Node[];
  readonly deployments: readonly Deployment[];
  readonly replicas: readonly Replica[];
}

const LARGE: ServedModel = {
  version: 'llama-3.3-70b-v1',
  size: SIZE_70B,
  slowdown: 1,
  inputPrice: 0.9,
  outputPrice: 0.9,
};
const FAST: ServedModel = {
  version: 'qwen3-14b-v1',
  size: SIZE_14B,
  slowdown: 1,
  inputPrice: 0.1,
  outputPrice: 0.3,
};

/** The demo's fleet: two models in two regions, 6 replicas on 12 GPUs, about 3 requests a second. */
export const DEMO_FLEET: FleetSpec = {
  regions: [
    { name: 'eu-west', weight: 0.55 },
    { name: 'us-east', weight: 0.45 },
  ],
  tiers: [
    { name: 'free', weight: 0.5, modelWeights: [0, 1] },
    { name: 'pro', weight: 0.38, modelWeights: [0.55, 0.45] },
    { name: 'enterprise', weight: 0.12, modelWeights: [1, 0] },
  ],
  modelNames: ['chat-large', 'chat-fast'],
  deployments: ['eu-west', 'us-east'].flatMap((region): DeploymentSpec[] => [
    {
      name: 'chat-large',
      region,
      model: LARGE,
      gpuType: H100,
      gpusPerReplica: 4,
      replicas: 1,
      replicasPerNode: 1,
      engine: { maxNumSeqs: 256, maxNumBatchedTokens: 8192, maxModelLength: 32_768, maxWaiting: 512 },
      memoryUtilization: 0.92,
    },
    {
      name: 'chat-fast',
      region,
      model: FAST,
      gpuType: L40S,
      gpusPerReplica: 1,
      replicas: 2,
      replicasPerNode: 2,
      engine: { maxNumSeqs: 128, maxNumBatchedTokens: 2048, maxModelLength: 32_768, maxWaiting: 256 },
      memoryUtilization: 0.9,
    },
  ]),
  requestsPerSecond: 3,
};

/** Builds the fleet with every replica serving. */
export function buildFleet(
  spec: FleetSpec,
  parts: { seed: number; startMs: number; events: EventQueue; listener: EngineListener },
): Fleet {
  const nodes: Node[] = [];
  const deployments = spec.deployments.map((deploymentSpec) => {
    const deployment: Deployment = {
      spec: deploymentSpec,
      name: deploymentSpec.name,
      region: deploymentSpec.region,
      replicas: [],
    };
    let node: Node | undefined;
    for (let i = 0; i < deploymentSpec.replicas; i++) {
      if (i % deploymentSpec.replicasPerNode === 0) {
        node = buildNode(deploymentSpec, Math.floor(i / deploymentSpec.replicasPerNode), parts.seed);
        nodes.push(node);
      }
      deployment.replicas.push(buildReplica(spec, deployment, node!, i, parts));
    }
    return deployment;
  });
  return { spec, nodes, deployments, replicas: deployments.flatMap((deployment) => deployment.replicas) };
}

/** Bytes that an engine of this deployment takes on each GPU: it reserves its whole share when it starts. */
export function engineBytes(spec: DeploymentSpec): number {
  return spec.gpuType.memoryBytes * spec.memoryUtilization;
}

function buildNode(spec: DeploymentSpec, index: number, seed: number): Node {
  const name = `gpu-${spec.region}-${spec.name}-${index}`;
  const random = new Random(seed, `node ${name}`);
  const count = spec.gpusPerReplica * spec.replicasPerNode;
  const gpus = Array.from({ length: count }, (_, gpu) => {
    const hex = random.hex(32);
    const uuid = `GPU-${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
    return new Gpu(spec.gpuType, uuid, gpu, 27 + random.between(-1.5, 1.5) + gpu * 0.4);
  });
  return {
    name,
    region: spec.region,
    gpus,
    replicas: [],
    busyCores: 0,
    cores: spec.gpuType === H100 ? 96 : 32,
    cpuUserSeconds: random.between(1e5, 1e6),
    cpuIdleSeconds: random.between(1e6, 1e7),
    cpuPressureSeconds: random.between(100, 900),
    load1: 1,
  };
}

function buildReplica(
  fleet: FleetSpec,
  deployment: Deployment,
  node: Node,
  index: number,
  parts: { seed: number; startMs: number; events: EventQueue; listener: EngineListener },
): Replica {
  const { spec } = deployment;
  const name = `${spec.name}-${spec.region}-${index}`;
  const cost = iterationCost(spec.gpuType, spec.model.size, spec.gpusPerReplica, spec.model.slowdown);
  const kvBlocks = keyValueBlocks(spec.gpuType, cost, spec.gpusPerReplica, spec.memoryUtilization, BLOCK_TOKENS);
  const config = { ...spec.engine, kvBlocks, tierCount: fleet.tiers.length };
  const engine = new Engine(config, cost, {
    events: parts.events,
    random: new Random(parts.seed, `engine ${name}`),
    listener: parts.listener,
  });
  const first = (index % spec.replicasPerNode) * spec.gpusPerReplica;
  const gpus = node.gpus.slice(first, first + spec.gpusPerReplica);
  for (const gpu of gpus) gpu.usedBytes = engineBytes(spec);
  const replica: Replica = {
    name,
    deployment,
    node,
    gpus,
    engine,
    state: 'serving',
    model: spec.model,
    processStartMs: parts.startMs,
    process: 1,
  };
  node.replicas.push(replica);
  return replica;
}
