import type { Outcome } from '../model/generated/conventions.ts';
import type { Arrival } from './arrivals.ts';
import type { FinishReason } from './engine-metrics.ts';
import type { EventQueue } from './event-queue.ts';
import type { Deployment, Fleet, Replica } from './fleet.ts';
import type { Random } from './random.ts';
import type { GatewayRequest, RetryReason } from './request.ts';
import type { Sequence } from './sequence.ts';

/** How the gateway behaves; times in milliseconds. */
export interface GatewayConfig {
  readonly maxAttempts: number;
  /** From arrival to the last byte. */
  readonly timeoutMs: number;
  readonly backoffMs: number;
  /** One way between the gateway and an engine of its region, and of another. */
  readonly nearMs: number;
  readonly farMs: number;
  /** Shares of requests. */
  readonly inputRefusals: number;
  readonly outputRefusals: number;
  readonly empty: number;
  readonly unstreamed: number;
  readonly abandoned: number;
  readonly resets: number;
  readonly brokenStreams: number;
  /** How long users wait for a first token: median, and spread of the logarithm. */
  readonly patienceMs: readonly [median: number, sigma: number];
}

export const DEFAULT_GATEWAY: GatewayConfig = {
  maxAttempts: 3,
  timeoutMs: 60_000,
  backoffMs: 80,
  nearMs: 1.2,
  farMs: 41,
  inputRefusals: 0.005,
  outputRefusals: 0.003,
  empty: 0.0012,
  unstreamed: 0.1,
  abandoned: 0.006,
  resets: 0.002,
  brokenStreams: 0.002,
  patienceMs: [24_000, 0.5],
};

const POLICIES = ['pii', 'jailbreak', 'toxicity', 'self_harm'] as const;

/** A request that hasn't ended, with what only the gateway needs. */
interface OpenRequest {
  readonly request: GatewayRequest;
  readonly inputPolicy: string | undefined;
  readonly outputPolicy: string | undefined;
  readonly isEmpty: boolean;
  readonly isReset: boolean;
  sequence: Sequence | undefined;
}

/** What the gateway tells the outside. */
export interface GatewayListener {
  /** A request has ended, whatever its outcome; the object is handed over. */
  finished(request: GatewayRequest): void;
  /** An engine answered an HTTP request. */
  answered(replica: Replica, status: string, nowMs: number): void;
}

/**
 * The gateway in front of the engines, the same in each region: authenticates, looks documents up for retrieval prompts,
 * builds the prompt, asks an engine (the one with the least to do; again elsewhere when that fails before a token came),
 * filters the answer. Users leave when they wait too long.
 */
export class Gateway {
  /** Requests that have arrived and not ended. */
  readonly open = new Map<number, OpenRequest>();
  arrived = 0;
  readonly #config: GatewayConfig;
  readonly #events: EventQueue;
  readonly #random: Random;
  readonly #ids: Random;
  readonly #listener: GatewayListener;
  #fleet!: Fleet;

  constructor(parts: {
    config: GatewayConfig;
    events: EventQueue;
    random: Random;
    ids: Random;
    listener: GatewayListener;
  }) {
    this.#config = parts.config;
    this.#events = parts.events;
    this.#random = parts.random;
    this.#ids = parts.ids;
    this.#listener = parts.listener;
  }

  /** The fleet's engines report to the gateway, so it is built after it. */
  connect(fleet: Fleet): void {
    this.#fleet = fleet;
  }

  arrive(arrival: Arrival, nowMs: number): void {
    const random = this.#random;
    const open = this.#admit(arrival, nowMs);
    const { request } = open;
    this.open.set(request.id, open);
    this.#events.at(nowMs + this.#config.timeoutMs, (at) => this.#giveUp(request.id, 'timeout', 'timeout', at));
    this.#events.at(nowMs + random.logNormal(...this.#config.patienceMs), (at) => {
      if (Number.isNaN(request.firstTokenMs)) this.#giveUp(request.id, 'cancelled', 'client_disconnected', at);
    });

    let endMs = nowMs + random.logNormal(3, 0.4);
    request.authenticate = { startMs: nowMs, endMs };
    if (request.promptClass === 'rag') {
      request.vectorSearch = { startMs: endMs, endMs: endMs + random.logNormal(28, 0.5) };
      endMs = request.vectorSearch.endMs;
    }
    request.promptBuild = { startMs: endMs, endMs: endMs + 1.2 + request.promptTokens * 0.0006 };
    this.#events.at(request.promptBuild.endMs, (at) => {
      if (!this.open.has(request.id)) return;
      if (open.inputPolicy === undefined) this.#attempt(open, at);
      else this.#refuse(open, open.inputPolicy, at);
    });
  }

  /** An engine's first token is on its way to the gateway. */
  firstToken(sequence: Sequence, nowMs: number): void {
    const open = this.#openOf(sequence);
    if (!open) return;
    const { request } = open;
    const atMs = nowMs + this.#networkMs(request, request.attempts.at(-1)!.replica);
    this.#events.at(atMs, (at) => {
      if (!this.open.has(request.id) || open.sequence !== sequence) return;
      request.firstTokenMs = at;
      if (this.#random.chance(this.#config.abandoned)) {
        const stays = this.#random.exponential(2500);
        this.#events.at(at + stays, (later) => this.#giveUp(request.id, 'cancelled', 'client_disconnected', later));
      } else if (this.#random.chance(this.#config.brokenStreams)) {
        const lasts = this.#random.exponential(1200);
        this.#events.at(at + lasts, (later) => this.#giveUp(request.id, 'error', 'stream_broken', later));
      }
    });
  }

  /** An engine is done with a sequence. */
  ended(sequence: Sequence, reason: FinishReason, nowMs: number): void {
    const open = this.#openOf(sequence);
    // An abort was the gateway's own doing.
    if (!open || reason === 'abort') return;
    const { request } = open;
    const attempt = request.attempts.at(-1)!;
    const atMs = nowMs + this.#networkMs(request, attempt.replica);
    this.#recordEngine(request, sequence);
    open.sequence = undefined;
    if (reason !== 'error') this.#listener.answered(attempt.replica, '200 OK', nowMs);
    this.#events.at(atMs, (at) => {
      if (!this.open.has(request.id)) return;
      if (reason !== 'error') this.#filter(open, reason, at);
      else if (sequence.generatedTokens === 0) this.#retry(open, 'connection_reset', at);
      else this.#fail(open, 'error', 'stream_broken', at);
    });
  }

  #admit(arrival: Arrival, nowMs: number): OpenRequest {
    const random = this.#random;
    const config = this.#config;
    const tierIndex = this.#tierOf(arrival);
    const deployment = this.#deploymentOf(arrival, tierIndex);
    const isEmpty = random.chance(config.empty);
    const longest = deployment.spec.engine.maxModelLength;
    const promptTokens = Math.min(arrival.promptTokens, longest - 1);
    const request: GatewayRequest = {
      id: this.arrived++,
      traceId: this.#ids.hex(32),
      spanId: this.#ids.hex(16),
      requestId: `req_${this.#ids.hex(24)}`,
      arrivalMs: nowMs,
      region: arrival.region,
      tier: this.#fleet.spec.tiers[tierIndex].name,
      tierIndex,
      promptClass: arrival.promptClass,
      deployment,
      modelVersion: deployment.replicas[0].model.version,
      promptTokens,
      naturalTokens: isEmpty ? 1 : arrival.naturalTokens,
      maxTokens: Math.min(arrival.maxTokens, longest - promptTokens),
      prefixKey: arrival.template,
      prefixTokens: arrival.templateTokens,
      streamed: !random.chance(config.unstreamed),
      attempts: [],
      engineArrivalMs: Number.NaN,
      firstScheduledMs: Number.NaN,
      firstTokenMs: Number.NaN,
      lastTokenMs: Number.NaN,
      outputTokens: 0,
      cachedTokens: 0,
      preemptions: 0,
      endMs: Number.NaN,
    };
    const policy = POLICIES[random.int(POLICIES.length)];
    const fate = random.next();
    return {
      request,
      inputPolicy: fate < config.inputRefusals ? policy : undefined,
      outputPolicy: fate > 1 - config.outputRefusals ? policy : undefined,
      isEmpty,
      isReset: random.chance(config.resets),
      sequence: undefined,
    };
  }

  #tierOf(arrival: Arrival): number {
    const { tiers, modelNames } = this.#fleet.spec;
    const model = arrival.deployment === undefined ? -1 : modelNames.indexOf(arrival.deployment);
    return this.#random.weighted(tiers.map((tier) => tier.weight * (model < 0 ? 1 : tier.modelWeights[model])));
  }

  #deploymentOf(arrival: Arrival, tierIndex: number): Deployment {
    const { tiers, modelNames } = this.#fleet.spec;
    const name = arrival.deployment ?? modelNames[this.#random.weighted(tiers[tierIndex].modelWeights)];
    return this.#fleet.deployments.find((each) => each.name === name && each.region === arrival.region)!;
  }

  /** The serving replica with the least to do: of the request's region, else of another. */
  #route(request: GatewayRequest, avoid: Replica | undefined): Replica | undefined {
    let best: Replica | undefined;
    let bestLoad = Number.POSITIVE_INFINITY;
    for (const replica of this.#fleet.replicas) {
      if (replica.deployment.name !== request.deployment.name || replica.state !== 'serving') continue;
      const { engine } = replica;
      const far = replica.deployment.region === request.region ? 0 : 1e6;
      const load = far + engine.running.length + 2 * engine.waiting.length + (replica === avoid ? 1e5 : 0);
      if (load < bestLoad) {
        best = replica;
        bestLoad = load;
      }
    }
    return best;
  }

  #attempt(open: OpenRequest, nowMs: number): void {
    const { request } = open;
    request.inference ??= { startMs: nowMs, endMs: nowMs };
    const replica = this.#route(request, request.attempts.at(-1)?.replica);
    if (!replica) {
      this.#fail(open, 'error', 'no_replica', nowMs);
      return;
    }
    request.attempts.push({ replica, startMs: nowMs, endMs: nowMs });
    this.#events.at(nowMs + this.#networkMs(request, replica), (at) => {
      if (this.open.has(request.id)) this.#submit(open, replica, at);
    });
  }

  #submit(open: OpenRequest, replica: Replica, nowMs: number): void {
    const { request } = open;
    if (open.isReset && request.attempts.length === 1) {
      this.#retry(open, 'connection_reset', nowMs);
      return;
    }
    const { admission, sequence } = replica.engine.submit({ ...request, tier: request.tierIndex }, nowMs);
    switch (admission) {
      case 'accepted':
        request.engineArrivalMs = nowMs;
        request.modelVersion = replica.model.version;
        open.sequence = sequence;
        return;
      case 'not_serving':
        this.#retry(open, 'engine_unavailable', nowMs);
        return;
      case 'queue_full':
        this.#listener.answered(replica, '429 Too Many Requests', nowMs);
        this.#retry(open, 'queue_full', nowMs);
        return;
      case 'too_long':
        this.#listener.answered(replica, '400 Bad Request', nowMs);
        this.#fail(open, 'error', 'context_length_exceeded', nowMs);
        return;
    }
  }

  #retry(open: OpenRequest, reason: RetryReason, nowMs: number): void {
    const { request } = open;
    const attempt = request.attempts.at(-1)!;
    attempt.endMs = nowMs;
    open.sequence = undefined;
    if (request.attempts.length >= this.#config.maxAttempts) {
      this.#fail(open, 'error', reason, nowMs);
      return;
    }
    attempt.retryReason = reason;
    const backoff = this.#config.backoffMs * 2 ** (request.attempts.length - 1) * this.#random.between(0.5, 1.5);
    this.#events.at(nowMs + backoff, (at) => {
      if (this.open.has(request.id)) this.#attempt(open, at);
    });
  }

  #filter(open: OpenRequest, reason: FinishReason, nowMs: number): void {
    const { request } = open;
    request.lastTokenMs = nowMs;
    this.#closeInference(request, nowMs);
    const endMs = nowMs + this.#random.logNormal(6, 0.35) + request.outputTokens * 0.012;
    request.outputFiltering = { startMs: nowMs, endMs };
    this.#events.at(endMs, (at) => {
      if (!this.open.has(request.id)) return;
      if (open.outputPolicy !== undefined) {
        this.#refuse(open, open.outputPolicy, at);
        return;
      }
      request.finishReason = reason === 'length' ? 'length' : 'stop';
      const outcome: Outcome = open.isEmpty ? 'empty' : reason === 'length' ? 'truncated' : 'ok';
      if (open.isEmpty) request.errorType = 'empty_response';
      this.#close(request, outcome, at);
    });
  }

  #refuse(open: OpenRequest, policy: string, nowMs: number): void {
    open.request.policy = policy;
    open.request.finishReason = 'content_filter';
    this.#close(open.request, 'refused', nowMs);
  }

  #fail(open: OpenRequest, outcome: Outcome, errorType: string, nowMs: number): void {
    const { request } = open;
    request.errorType = errorType;
    request.finishReason = 'error';
    this.#closeInference(request, nowMs);
    this.#close(request, outcome, nowMs);
  }

  /** The user or the clock ends a request, wherever it is. */
  #giveUp(id: number, outcome: Outcome, errorType: string, nowMs: number): void {
    const open = this.open.get(id);
    if (!open) return;
    const { request, sequence } = open;
    if (sequence) {
      this.#recordEngine(request, sequence);
      // Its stream stops here, whatever the engine had in store.
      open.sequence = undefined;
      this.open.delete(id);
      request.attempts.at(-1)!.replica.engine.abort(sequence, nowMs);
    }
    this.#fail(open, outcome, errorType, nowMs);
  }

  #recordEngine(request: GatewayRequest, sequence: Sequence): void {
    request.firstScheduledMs = sequence.firstScheduledMs;
    request.outputTokens = sequence.generatedTokens;
    request.cachedTokens = sequence.cachedTokens;
    request.preemptions = sequence.preemptions;
  }

  #closeInference(request: GatewayRequest, nowMs: number): void {
    // It was closed when the answer went to the output filter.
    if (request.outputFiltering) return;
    const attempt = request.attempts.at(-1);
    if (attempt) attempt.endMs = nowMs;
    if (request.inference) request.inference = { startMs: request.inference.startMs, endMs: nowMs };
  }

  #close(request: GatewayRequest, outcome: Outcome, nowMs: number): void {
    request.outcome = outcome;
    request.endMs = nowMs;
    this.open.delete(request.id);
    this.#listener.finished(request);
  }

  /** One way, milliseconds. */
  #networkMs(request: GatewayRequest, replica: Replica): number {
    return replica.deployment.region === request.region ? this.#config.nearMs : this.#config.farMs;
  }

  #openOf(sequence: Sequence): OpenRequest | undefined {
    const open = this.open.get(sequence.request.id);
    return open?.sequence === sequence ? open : undefined;
  }
}
