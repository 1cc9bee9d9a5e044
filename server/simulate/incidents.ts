import type { ExtraTraffic } from './arrivals.ts';
import { iterationCost } from './cost.ts';
import {
  allocatorRetryLine,
  type EngineLine,
  engineDeadLine,
  outOfMemoryLine,
  pciAddress,
  startLines,
  startRefusedLine,
  vllmLine,
  xidLine,
} from './engine-log.ts';
import type { EventQueue } from './event-queue.ts';
import { engineBytes, type Fleet, type Replica, type ServedModel } from './fleet.ts';
import type { PlannedIncident } from './scenario.ts';

/** What an incident may reach for. */
export interface IncidentWorld {
  readonly events: EventQueue;
  readonly fleet: Fleet;
  readonly startMs: number;
  addTraffic(extra: ExtraTraffic): void;
  writeLine(line: EngineLine): void;
}

/** Milliseconds that an engine needs from its process's start to its first request. */
const LOAD_MS = 48_000;
const DRAIN_LIMIT_MS = 30_000;
/** What a slow coolant pump does: the chip is this many times warmer for each watt, and its coolant is warmer too. */
const COOLING_LOSS = 4.5;
const INLET_RISE_CELSIUS = 14;

/** Plans an incident's events. */
export function planIncident(world: IncidentWorld, planned: PlannedIncident): void {
  world.events.at(planned.startMs, () => {
    switch (planned.incident.kind) {
      case 'thermal':
        return startThermal(world, planned);
      case 'kv_pressure':
        return startKvPressure(world, planned);
      case 'oom':
        return startOutOfMemory(world, planned);
      case 'deploy':
        return startDeploy(world, planned);
      case 'xid':
        return startXid(world, planned);
      default:
        return assertNever(planned.incident.kind);
    }
  });
}

function startThermal(world: IncidentWorld, planned: PlannedIncident): void {
  const { node } = targets(world, planned)[0];
  for (const gpu of node.gpus) {
    gpu.surroundings.coolingFactor *= COOLING_LOSS;
    gpu.surroundings.inletCelsius += INLET_RISE_CELSIUS;
  }
  world.events.at(planned.endMs, () => {
    for (const gpu of node.gpus) {
      gpu.surroundings.coolingFactor /= COOLING_LOSS;
      gpu.surroundings.inletCelsius -= INLET_RISE_CELSIUS;
    }
  });
}

function startKvPressure(world: IncidentWorld, planned: PlannedIncident): void {
  const { deployment, region } = planned.incident;
  world.addTraffic({
    region,
    deployment,
    requestsPerSecond: 0.85,
    promptClass: 'summarise',
    medianPromptTokens: 16_000,
    endMs: planned.endMs,
  });
}

/** From this share of the way to the failure on, the training job's allocator flushes its cache. */
const FLUSHES_FROM = 0.45;
/** Share of the GPU's time that the training job takes, before its flushes and at the end of them. */
const TRAINING_BUSY = 0.12;
const FLUSHING_BUSY = 0.62;

/**
 * A training job beside an engine takes memory until the engine can't allocate; the engine dies and can't come back.
 * Before that, the job's allocator flushes its cache again and again, and since freeing memory waits for the whole device,
 * the engine gets slower with every flush: the warning comes first, then latency, then the failure.
 */
function startOutOfMemory(world: IncidentWorld, planned: PlannedIncident): void {
  const replica = targets(world, planned)[0];
  const gpu = replica.gpus[0];
  const spareBytes = gpu.type.memoryBytes - gpu.type.reservedBytes - gpu.usedBytes;
  const lengthMs = planned.endMs - planned.startMs;
  const failMs = planned.startMs + lengthMs * 0.7;
  let takenBytes = 0;
  const take = (nowMs: number): void => {
    const share = Math.min(1, (nowMs - planned.startMs) / (failMs - planned.startMs));
    const wanted = spareBytes * 0.998 * share;
    gpu.usedBytes += wanted - takenBytes;
    takenBytes = wanted;
    const flushing = Math.max(0, share - FLUSHES_FROM) / (1 - FLUSHES_FROM);
    gpu.surroundings.otherBusy = TRAINING_BUSY + (FLUSHING_BUSY - TRAINING_BUSY) * flushing;
    if (flushing > 0 && share < 1) {
      const text = allocatorRetryLine(nowMs, Math.ceil((share - 0.4) * 12));
      world.writeLine({ timeMs: nowMs, source: 'lora-trainer', node: replica.node, severity: 'warning', text });
    }
    if (share < 1) world.events.at(Math.min(failMs, nowMs + 15_000), take);
    else fail(nowMs);
  };
  const fail = (nowMs: number): void => {
    write(world, replica, nowMs, 'error', outOfMemoryLine(replica, nowMs, takenBytes));
    killEngine(world, replica, nowMs);
    gpu.usedBytes = takenBytes;
    world.events.at(nowMs + 20_000, (at) =>
      write(world, replica, at, 'error', startRefusedLine(replica, at, takenBytes)),
    );
    world.events.at(planned.endMs, (at) => {
      gpu.usedBytes -= takenBytes;
      gpu.surroundings.otherBusy = 0;
      startEngine(world, replica, replica.model, at);
    });
  };
  take(planned.startMs);
}

/** Rolls a slower version out, one replica after the other, and back at the end. */
function startDeploy(world: IncidentWorld, planned: PlannedIncident): void {
  const replicas = targets(world, planned);
  const before = replicas[0].model;
  const version = before.version.replace(/v(\d+)$/, (_, number) => `v${Number(number) + 1}`);
  rollOut(world, replicas, { ...before, version, slowdown: before.slowdown * 1.5 }, world.events.nowMs);
  world.events.at(planned.endMs, (at) => rollOut(world, replicas, before, at));
}

function rollOut(world: IncidentWorld, replicas: readonly Replica[], model: ServedModel, nowMs: number): void {
  const [replica, ...rest] = replicas;
  if (!replica) return;
  if (replica.state === 'serving') replica.state = 'draining';
  const limitMs = nowMs + DRAIN_LIMIT_MS;
  const wait = (at: number): void => {
    const idle = replica.engine.running.length + replica.engine.waiting.length === 0;
    if (!idle && at < limitMs) {
      world.events.at(at + 500, wait);
      return;
    }
    stopEngine(replica, at);
    startEngine(world, replica, model, at, (servingMs) => rollOut(world, rest, model, servingMs));
  };
  world.events.at(nowMs + 500, wait);
}

/** The burst of Xid errors that an uncorrectable memory error causes: 48, 63, 94, then 154. */
function startXid(world: IncidentWorld, planned: PlannedIncident): void {
  const replica = targets(world, planned)[0];
  const gpu = replica.gpus[1] ?? replica.gpus[0];
  const { events } = world;
  const address = pciAddress(gpu.index);
  const kernel = (atMs: number, xid: number, text: string): void => {
    events.at(atMs, (now) => {
      gpu.lastXid = xid;
      const uptime = 431_000 + (now - world.startMs) / 1000;
      const line = xidLine(uptime, address, xid, text);
      world.writeLine({ timeMs: now, source: 'kernel', node: replica.node, severity: 'critical', text: line });
    });
  };
  const start = planned.startMs;
  kernel(
    start,
    48,
    "pid='<unknown>', name=<unknown>, An uncorrectable double bit error (DBE) has been detected on GPU in the framebuffer at physAddr 0x18f31d80 partition 16, subpartition 3.",
  );
  kernel(
    start + 23,
    63,
    "pid='<unknown>', name=<unknown>, Row Remapper: New row (0x0000000018f31d80) marked for remapping, reset gpu to activate.",
  );
  kernel(start + 25, 94, 'pid=24417, name=python3, Contained: SM (0x1). RST: No, D-RST: No');
  events.at(start + 400, (now) => {
    gpu.eccDoubleBitErrors++;
    gpu.remappedRows++;
    write(
      world,
      replica,
      now,
      'error',
      vllmLine(now, 'ERROR', 'core.py:871', 'torch.AcceleratorError: CUDA error: uncorrectable ECC error encountered'),
    );
    killEngine(world, replica, now);
  });
  kernel(start + 2100, 154, 'GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)');
  events.at(Math.max(start + 1000, planned.endMs - LOAD_MS), (now) => startEngine(world, replica, replica.model, now));
}

/** The engine's process dies with everything that it was working on. */
function killEngine(world: IncidentWorld, replica: Replica, nowMs: number): void {
  write(world, replica, nowMs, 'critical', engineDeadLine(nowMs));
  stopEngine(replica, nowMs);
}

function stopEngine(replica: Replica, nowMs: number): void {
  replica.state = 'down';
  replica.engine.crash(nowMs);
  for (const gpu of replica.gpus) gpu.usedBytes = Math.max(0, gpu.usedBytes - engineBytes(replica.deployment.spec));
}

/** Starts a new process of an engine that is down; it serves once the model is loaded. */
function startEngine(
  world: IncidentWorld,
  replica: Replica,
  model: ServedModel,
  nowMs: number,
  onServing?: (nowMs: number) => void,
): void {
  const { spec } = replica.deployment;
  replica.state = 'starting';
  replica.model = model;
  replica.processStartMs = nowMs;
  replica.process++;
  world.events.at(nowMs + LOAD_MS, (at) => {
    replica.engine.restart(iterationCost(spec.gpuType, model.size, spec.gpusPerReplica, model.slowdown));
    replica.state = 'serving';
    for (const gpu of replica.gpus) gpu.usedBytes += engineBytes(spec);
    for (const text of startLines(replica, at)) write(world, replica, at, 'info', text);
    onServing?.(at);
  });
}

function write(
  world: IncidentWorld,
  replica: Replica,
  timeMs: number,
  severity: EngineLine['severity'],
  text: string,
): void {
  world.writeLine({ timeMs, source: 'vllm', node: replica.node, replica, severity, text });
}

function targets(world: IncidentWorld, planned: PlannedIncident): readonly Replica[] {
  const { deployment, region } = planned.incident;
  const found = world.fleet.deployments.find((each) => each.name === deployment && each.region === region);
  if (!found) throw new Error(`BUG: the incident ${planned.incident.id} names a deployment that the fleet hasn't got`);
  return found.replicas;
}

function assertNever(kind: never): never {
  throw new Error(`BUG: unknown incident ${String(kind)}`);
}
