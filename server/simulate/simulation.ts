import { type Arrival, type ArrivalsOptions, addTraffic, startArrivals } from './arrivals.ts';
import { accessLine, type EngineLine, statsLine } from './engine-log.ts';
import { EventQueue } from './event-queue.ts';
import { buildFleet, DEMO_FLEET, type Fleet, type FleetSpec, type Node, type Replica } from './fleet.ts';
import { DEFAULT_GATEWAY, Gateway, type GatewayConfig } from './gateway.ts';
import type { GpuLoad } from './gpu.ts';
import { planIncident } from './incidents.ts';
import { Random } from './random.ts';
import type { GatewayRequest } from './request.ts';
import { type PlannedIncident, planIncidents, type Scenario } from './scenario.ts';
import type { RequestTrace } from './trace-file.ts';

/** What a simulation is made of. */
export interface SimulationOptions {
  /** The same seed, start and options give the same run. */
  readonly seed: number;
  /** Simulated time at which it begins, milliseconds since the epoch. */
  readonly startMs: number;
  readonly fleet?: FleetSpec;
  readonly gateway?: GatewayConfig;
  /** Times the usual traffic, or a trace's speed; > 0, default 1. */
  readonly rate?: number;
  readonly trace?: RequestTrace;
  readonly scenario?: Scenario;
  /** The time that the scenario's incidents are spread over, from the start; default an hour. */
  readonly windowMs?: number;
  /** Whether the scenario begins again with each window; default false. */
  readonly repeat?: boolean;
  /** Hears of every request once it has ended. */
  readonly onRequest?: (request: GatewayRequest) => void;
  /** Hears of every line of engines, kernels and other processes. */
  readonly onLine?: (line: EngineLine) => void;
}

const HOUR_MS = 3_600_000;
const TICK_MS = 1000;
const STATS_EVERY_TICKS = 10;

/** The fleet in motion: arrivals, gateway, engines and GPUs on one clock. No I/O; `runUntil` moves it on. */
export class Simulation {
  readonly fleet: Fleet;
  readonly gateway: Gateway;
  /** Incidents of the first window, for whoever checks against the ground truth. */
  readonly incidents: readonly PlannedIncident[];
  readonly #events: EventQueue;
  readonly #options: SimulationOptions;
  readonly #ports: Random;
  /** Tokens since the last stats line, by replica. */
  readonly #tokens = new Map<Replica, { prompt: number; generated: number }>();
  #ticks = 0;
  #fingerprint = 0x811c9dc5;
  #finished = 0;

  constructor(options: SimulationOptions) {
    const { seed, startMs } = options;
    this.#options = options;
    this.#events = new EventQueue(startMs);
    this.#ports = new Random(seed, 'client ports');
    this.gateway = new Gateway({
      config: options.gateway ?? DEFAULT_GATEWAY,
      events: this.#events,
      random: new Random(seed, 'gateway'),
      ids: new Random(seed, `ids ${startMs}`),
      listener: {
        finished: (request) => this.#finish(request),
        answered: (replica, status, nowMs) => this.#answer(replica, status, nowMs),
      },
    });
    this.fleet = buildFleet(options.fleet ?? DEMO_FLEET, {
      seed,
      startMs,
      events: this.#events,
      listener: this.gateway,
    });
    this.gateway.connect(this.fleet);
    const arrivals: ArrivalsOptions = {
      fleet: this.fleet.spec,
      random: new Random(seed, 'arrivals'),
      events: this.#events,
      rate: options.rate ?? 1,
      trace: options.trace,
      onArrival: (arrival: Arrival, nowMs: number) => this.gateway.arrive(arrival, nowMs),
    };
    startArrivals(arrivals);
    this.incidents = this.#planWindow(startMs, arrivals);
    this.#events.at(startMs + TICK_MS, (at) => this.#tick(at));
  }

  /** Simulated time, milliseconds since the epoch. */
  get nowMs(): number {
    return this.#events.nowMs;
  }

  /** Requests that have ended. */
  get finished(): number {
    return this.#finished;
  }

  /** A number that differs as soon as any request went differently, or ended in another order. */
  get fingerprint(): number {
    return this.#fingerprint >>> 0;
  }

  /** Moves the fleet on to this moment. */
  runUntil(timeMs: number): void {
    this.#events.runUntil(timeMs);
  }

  #planWindow(windowStartMs: number, arrivals: ArrivalsOptions): readonly PlannedIncident[] {
    const { scenario, windowMs = HOUR_MS, repeat } = this.#options;
    if (!scenario) return [];
    const world = {
      events: this.#events,
      fleet: this.fleet,
      startMs: this.#options.startMs,
      addTraffic: (extra: Parameters<typeof addTraffic>[1]) => addTraffic(arrivals, extra),
      writeLine: (line: EngineLine) => this.#options.onLine?.(line),
    };
    const planned = planIncidents(scenario, windowStartMs, windowMs);
    for (const incident of planned) planIncident(world, incident);
    if (repeat) this.#events.at(windowStartMs + windowMs, (at) => void this.#planWindow(at, arrivals));
    return planned;
  }

  #finish(request: GatewayRequest): void {
    this.#finished++;
    const ttft = Number.isNaN(request.firstTokenMs) ? 0 : request.firstTokenMs - request.arrivalMs;
    // Microseconds since the start: a double keeps them exactly for centuries.
    const endUs = Math.round((request.endMs - this.#options.startMs) * 1000);
    for (const word of [
      request.id,
      request.outcome!.length,
      endUs % 2 ** 31,
      Math.round(ttft * 1000),
      request.outputTokens,
    ]) {
      this.#fingerprint = Math.imul(this.#fingerprint ^ word, 0x01000193);
    }
    this.#options.onRequest?.(request);
  }

  #answer(replica: Replica, status: string, timeMs: number): void {
    this.#options.onLine?.({
      timeMs,
      source: 'vllm',
      node: replica.node,
      replica,
      severity: 'info',
      text: accessLine(32_768 + this.#ports.int(28_000), status),
    });
  }

  /** Once a second: what engines did becomes load, load becomes heat, heat becomes clocks. */
  #tick(nowMs: number): void {
    this.#ticks++;
    for (const node of this.fleet.nodes) {
      let busyCores = 0.4;
      for (const replica of node.replicas) busyCores += this.#tickReplica(replica, nowMs);
      tickNode(node, busyCores, TICK_MS / 1000);
    }
    this.#events.at(nowMs + TICK_MS, (at) => this.#tick(at));
  }

  /** @returns Cores that it kept busy. */
  #tickReplica(replica: Replica, nowMs: number): number {
    const { engine, gpus } = replica;
    const work = engine.takeWork();
    const load: GpuLoad = {
      busy: Math.min(1, work.busyMs / TICK_MS),
      tensor: Math.min(1, work.flops / (engine.cost.peakFlops * (TICK_MS / 1000))),
      dram: Math.min(1, work.bytes / (engine.cost.peakBytesPerSecond * (TICK_MS / 1000))),
      batch: Math.min(1, engine.running.length / engine.config.maxNumSeqs),
    };
    let clock = 1;
    for (const gpu of gpus) {
      gpu.tick(load, TICK_MS / 1000);
      clock = Math.min(clock, gpu.speed);
      // Tensor parallelism exchanges each token's activations twice a layer; the host only sends and gets tokens.
      const tokens = work.promptTokens + work.generatedTokens;
      const { size } = replica.model;
      if (gpus.length > 1) gpu.nvlinkBytes += tokens * size.layers * size.hiddenSize * 2 * 2 * 2;
      gpu.pcieReceiveBytesPerSecond = 2e5 + tokens * 400;
      gpu.pcieTransmitBytesPerSecond = 1e5 + tokens * 260;
    }
    engine.clock = clock;
    const tokens = this.#tokens.get(replica) ?? { prompt: 0, generated: 0 };
    tokens.prompt += work.promptTokens;
    tokens.generated += work.generatedTokens;
    this.#tokens.set(replica, tokens);
    if (this.#ticks % STATS_EVERY_TICKS === 0) {
      if (tokens.prompt + tokens.generated + engine.running.length + engine.waiting.length > 0) {
        const seconds = (STATS_EVERY_TICKS * TICK_MS) / 1000;
        const text = statsLine(replica, nowMs, tokens.prompt / seconds, tokens.generated / seconds);
        this.#options.onLine?.({ timeMs: nowMs, source: 'vllm', node: replica.node, replica, severity: 'info', text });
      }
      tokens.prompt = 0;
      tokens.generated = 0;
    }
    if (replica.state === 'starting') return 5;
    return replica.state === 'down' ? 0 : 0.3 + 1.1 * load.busy + 0.0004 * (work.promptTokens + work.generatedTokens);
  }
}

function tickNode(node: Node, busyCores: number, seconds: number): void {
  node.busyCores = Math.min(node.cores, busyCores);
  node.cpuUserSeconds += node.busyCores * seconds;
  node.cpuIdleSeconds += (node.cores - node.busyCores) * seconds;
  // Threads wait for a core the more the fuller the machine is; a queue's mean length grows that way.
  const utilization = Math.min(0.98, node.busyCores / node.cores);
  node.cpuPressureSeconds += seconds * Math.min(1, (utilization * utilization) / (1 - utilization));
  node.load1 += (node.busyCores - node.load1) * (1 - Math.exp(-seconds / 60));
}
