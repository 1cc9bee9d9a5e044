import { BarographError } from '../model/index.ts';
import { type IterationCost, iterationMs } from './cost.ts';
import { createEngineMetrics, type EngineMetrics, type FinishReason } from './engine-metrics.ts';
import type { EventQueue } from './event-queue.ts';
import { BLOCK_TOKENS, KvCache } from './kv-cache.ts';
import type { Random } from './random.ts';
import { createSequence, type EngineRequest, type Sequence } from './sequence.ts';

/** How an engine is configured, in vLLM's words. */
export interface EngineConfig {
  readonly maxNumSeqs: number;
  /** Tokens of one iteration, prompts and decoding together. */
  readonly maxNumBatchedTokens: number;
  /** Tokens of prompt and answer together that it accepts. */
  readonly maxModelLength: number;
  readonly kvBlocks: number;
  /** Requests that may wait before it answers 429. */
  readonly maxWaiting: number;
  readonly tierCount: number;
}

/** What an engine tells whoever sent it requests. */
export interface EngineListener {
  firstToken(sequence: Sequence, nowMs: number): void;
  ended(sequence: Sequence, reason: FinishReason, nowMs: number): void;
}

/** What an engine did to its GPUs since it was last asked, all of them together. */
export interface Work {
  busyMs: number;
  /** Operations of the tensor cores. */
  flops: number;
  /** Bytes read from device memory. */
  bytes: number;
  promptTokens: number;
  generatedTokens: number;
}

/** Whether a request was taken, or why not. */
export type Admission = 'accepted' | 'not_serving' | 'queue_full' | 'too_long';

/**
 * A vLLM engine (V1) as a discrete-event model: continuous batching with a token budget for each iteration, chunked
 * prefill, a paged key-value cache with prefix reuse, and preemption by recomputation of the sequence that came last
 * when blocks run out. An iteration takes what `cost` says at the GPUs' clocks.
 */
export class Engine {
  readonly config: EngineConfig;
  readonly cache: KvCache;
  /** Begins anew with the process. */
  metrics: EngineMetrics;
  cost: IterationCost;
  /** Share of full SM clocks of the slowest GPU, above 0 to 1. */
  clock = 1;
  serving = true;
  readonly running: Sequence[] = [];
  readonly waiting: Sequence[] = [];
  readonly #events: EventQueue;
  readonly #random: Random;
  readonly #listener: EngineListener;
  readonly #work: Work = { busyMs: 0, flops: 0, bytes: 0, promptTokens: 0, generatedTokens: 0 };
  readonly #tierCounts: number[];
  readonly #finishIteration = (nowMs: number): void => {
    this.#applyIteration(nowMs);
    this.#begin(nowMs);
  };
  #iterating = false;
  /** Counts processes, so that an iteration of one that died is ignored. */
  #process = 0;

  constructor(
    config: EngineConfig,
    cost: IterationCost,
    parts: { events: EventQueue; random: Random; listener: EngineListener },
  ) {
    if (config.kvBlocks * BLOCK_TOKENS < config.maxModelLength) {
      // vLLM refuses to start then: one request could never end.
      throw new BarographError({
        code: 'simulation_config',
        status: 400,
        where: 'engine.kvBlocks',
        got: `${config.kvBlocks * BLOCK_TOKENS} tokens of key-value cache`,
        accepted: `at least maxModelLength, ${config.maxModelLength} tokens`,
        fix: 'give the engine more GPUs or a smaller model',
      });
    }
    this.config = config;
    this.cost = cost;
    this.cache = new KvCache(config.kvBlocks);
    this.metrics = createEngineMetrics(config.maxModelLength, config.tierCount);
    this.#events = parts.events;
    this.#random = parts.random;
    this.#listener = parts.listener;
    this.#tierCounts = new Array(config.tierCount).fill(0);
  }

  /** Hands in a request; the listener hears of it only when it was accepted. */
  submit(request: EngineRequest, nowMs: number): { admission: Admission; sequence?: Sequence } {
    if (!this.serving) return { admission: 'not_serving' };
    if (this.waiting.length >= this.config.maxWaiting) return { admission: 'queue_full' };
    if (request.promptTokens + Math.min(request.naturalTokens, request.maxTokens) > this.config.maxModelLength) {
      return { admission: 'too_long' };
    }
    const sequence = createSequence(request, nowMs);
    this.waiting.push(sequence);
    if (!this.#iterating) {
      // Planned rather than run: the caller's own action isn't over, and iterations would move time past it.
      this.#iterating = true;
      this.#plan(nowMs, (at) => this.#begin(at));
    }
    return { admission: 'accepted', sequence };
  }

  /** Gives up a sequence whose caller has gone; one that has ended is left alone. */
  abort(sequence: Sequence, nowMs: number): void {
    if (sequence.state === 'ended') return;
    this.#end(sequence, 'abort', nowMs);
  }

  /** The process dies: every request is lost, the cache is empty, and nothing is served until `restart`. */
  crash(nowMs: number): void {
    this.serving = false;
    this.#process++;
    this.#iterating = false;
    for (const sequence of [...this.running, ...this.waiting]) this.#end(sequence, 'error', nowMs);
  }

  /** A new process serves, with counters at zero; requests of the old one must have ended. */
  restart(cost: IterationCost): void {
    if (this.running.length + this.waiting.length > 0)
      throw new Error('BUG: an engine was restarted with requests in it');
    this.#process++;
    this.#iterating = false;
    this.cost = cost;
    this.metrics = createEngineMetrics(this.config.maxModelLength, this.config.tierCount);
    this.serving = true;
  }

  /** What was done since the last call; the counts begin anew. */
  takeWork(): Work {
    const work = { ...this.#work };
    this.#work.busyMs = 0;
    this.#work.flops = 0;
    this.#work.bytes = 0;
    this.#work.promptTokens = 0;
    this.#work.generatedTokens = 0;
    return work;
  }

  /** Starts an iteration and plans its end; one that ends before anything else happens is run at once. */
  #begin(nowMs: number): void {
    let endMs = this.#startIteration(nowMs);
    while (endMs >= 0) {
      if (!this.#events.tryAdvance(endMs)) {
        this.#plan(endMs, this.#finishIteration);
        return;
      }
      this.#applyIteration(endMs);
      endMs = this.#startIteration(endMs);
    }
  }

  /** Plans an action of this process; it is forgotten if the process dies before. */
  #plan(timeMs: number, action: (nowMs: number) => void): void {
    const process = this.#process;
    this.#events.at(timeMs, (at) => {
      if (process === this.#process) action(at);
    });
  }

  /**
   * Decides what the next iteration computes.
   * @returns When it ends, or −1 where there is nothing to do.
   */
  #startIteration(nowMs: number): number {
    let budget = this.config.maxNumBatchedTokens;
    let prefillTokens = 0;
    let prefillPairs = 0;
    let decodes = 0;
    let keyValueTokens = 0;
    let preempted = false;
    const take = (sequence: Sequence, tokens: number): void => {
      sequence.scheduledTokens = tokens;
      budget -= tokens;
      const before = sequence.computedTokens;
      if (tokens === 1 && sequence.generatedTokens > 0) {
        decodes++;
        keyValueTokens += before + 1;
      } else {
        prefillTokens += tokens;
        prefillPairs += tokens * (before + tokens / 2);
      }
    };
    for (let i = 0; i < this.running.length && budget > 0; i++) {
      const sequence = this.running[i];
      const tokens = Math.min(remainingTokens(sequence), budget);
      let fits = this.cache.grow(sequence, sequence.computedTokens + tokens);
      while (!fits && this.running.length > i + 1) {
        this.#preempt(this.running.pop()!);
        preempted = true;
        fits = this.cache.grow(sequence, sequence.computedTokens + tokens);
      }
      if (!fits) {
        this.running.pop();
        this.#preempt(sequence);
        preempted = true;
        break;
      }
      take(sequence, tokens);
    }
    while (!preempted && budget > 0 && this.waiting.length > 0 && this.running.length < this.config.maxNumSeqs) {
      const sequence = this.waiting[0];
      this.#reusePrefix(sequence, nowMs);
      const tokens = Math.min(remainingTokens(sequence), budget);
      if (!this.cache.grow(sequence, sequence.computedTokens + tokens)) {
        this.cache.release(sequence);
        sequence.computedTokens = 0;
        break;
      }
      this.waiting.shift();
      sequence.state = 'running';
      if (Number.isNaN(sequence.firstScheduledMs)) {
        sequence.firstScheduledMs = nowMs;
        this.metrics.prefixQueries += sequence.request.promptTokens;
        this.metrics.prefixHits += sequence.cachedTokens;
      }
      this.running.push(sequence);
      take(sequence, tokens);
    }
    if (prefillTokens + decodes === 0) {
      this.#iterating = false;
      return -1;
    }
    const jitter = 0.97 + 0.06 * this.#random.next();
    const ms = jitter * iterationMs(this.cost, prefillTokens, prefillPairs, decodes, keyValueTokens, this.clock);
    this.metrics.iterationTokens.observe(prefillTokens + decodes);
    this.#work.busyMs += ms;
    this.#work.flops += (prefillTokens + decodes) * this.cost.flopsPerToken + prefillPairs * this.cost.flopsPerPair;
    this.#work.bytes += this.cost.weightsBytes + keyValueTokens * this.cost.keyValueBytesPerToken;
    return nowMs + ms;
  }

  /** What an iteration leaves behind: tokens, first tokens, ends. */
  #applyIteration(nowMs: number): void {
    let commonGap = -1;
    let commonCount = 0;
    this.#tierCounts.fill(0);
    const batch = this.running.slice();
    for (const sequence of batch) {
      // Aborted while the iteration ran, or without a part in it.
      if (sequence.state !== 'running' || sequence.scheduledTokens === 0) continue;
      sequence.computedTokens += sequence.scheduledTokens;
      if (sequence.generatedTokens === 0) this.#work.promptTokens += sequence.scheduledTokens;
      sequence.scheduledTokens = 0;
      if (remainingTokens(sequence) > 0) continue;
      if (sequence.generatedTokens === 0) {
        const { prefixKey, prefixTokens } = sequence.request;
        this.cache.keepPrefix(sequence, prefixKey, prefixTokens, nowMs);
      }
      sequence.generatedTokens++;
      this.#work.generatedTokens++;
      this.metrics.generationTokens++;
      if (sequence.generatedTokens === 1) this.#firstToken(sequence, nowMs);
      else {
        const gap = nowMs - sequence.lastTokenMs;
        // Nearly all sequences of a batch got their last token together, so one look-up serves them all.
        if (commonGap < 0) commonGap = gap;
        if (gap === commonGap) {
          commonCount++;
          this.#tierCounts[sequence.request.tier]++;
        } else {
          this.metrics.interTokenLatency.observe(gap / 1000);
          this.metrics.gapsByTier[sequence.request.tier].observe(gap / 1000);
        }
      }
      sequence.lastTokenMs = nowMs;
      if (sequence.generatedTokens >= sequence.targetTokens) {
        this.#end(sequence, sequence.request.naturalTokens > sequence.request.maxTokens ? 'length' : 'stop', nowMs);
      }
    }
    if (commonCount > 0) {
      this.metrics.interTokenLatency.observe(commonGap / 1000, commonCount);
      for (let tier = 0; tier < this.#tierCounts.length; tier++) {
        const count = this.#tierCounts[tier];
        if (count > 0) this.metrics.gapsByTier[tier].observe(commonGap / 1000, count);
      }
    }
  }

  #firstToken(sequence: Sequence, nowMs: number): void {
    sequence.firstTokenMs = nowMs;
    this.metrics.timeToFirstToken.observe((nowMs - sequence.arrivalMs) / 1000);
    this.metrics.promptTokens += sequence.request.promptTokens;
    this.metrics.cachedTokens += sequence.cachedTokens;
    this.#listener.firstToken(sequence, nowMs);
  }

  #reusePrefix(sequence: Sequence, nowMs: number): void {
    const { prefixKey, promptTokens } = sequence.request;
    const cached = prefixKey === '' ? 0 : this.cache.cachedTokens(prefixKey);
    sequence.cachedTokens = 0;
    // The last prompt token is always computed, because its output is needed.
    if (cached === 0 || cached >= promptTokens) return;
    this.cache.usePrefix(sequence, prefixKey, nowMs);
    sequence.computedTokens = cached;
    sequence.cachedTokens = cached;
  }

  #preempt(sequence: Sequence): void {
    this.cache.release(sequence);
    sequence.state = 'waiting';
    sequence.computedTokens = 0;
    sequence.cachedTokens = 0;
    sequence.scheduledTokens = 0;
    sequence.preemptions++;
    this.metrics.preemptions++;
    this.waiting.unshift(sequence);
  }

  #end(sequence: Sequence, reason: FinishReason, nowMs: number): void {
    const queue = sequence.state === 'running' ? this.running : this.waiting;
    queue.splice(queue.indexOf(sequence), 1);
    sequence.state = 'ended';
    this.cache.release(sequence);
    this.metrics.finished[reason]++;
    if (reason === 'stop' || reason === 'length') this.#observeEnd(sequence, nowMs);
    this.#listener.ended(sequence, reason, nowMs);
  }

  #observeEnd(sequence: Sequence, nowMs: number): void {
    const metrics = this.metrics;
    const decodeMs = sequence.lastTokenMs - sequence.firstTokenMs;
    metrics.endToEnd.observe((nowMs - sequence.arrivalMs) / 1000);
    metrics.queueTime.observe((sequence.firstScheduledMs - sequence.arrivalMs) / 1000);
    metrics.prefillTime.observe((sequence.firstTokenMs - sequence.firstScheduledMs) / 1000);
    metrics.decodeTime.observe(decodeMs / 1000);
    metrics.promptTokensOfRequest.observe(sequence.request.promptTokens);
    metrics.generationTokensOfRequest.observe(sequence.generatedTokens);
    // vLLM says 0 for an answer of one token.
    metrics.timePerOutputToken.observe(
      sequence.generatedTokens > 1 ? decodeMs / 1000 / (sequence.generatedTokens - 1) : 0,
    );
  }
}

/** Tokens that must go through the model before the next one comes out; 1 while it decodes. */
function remainingTokens(sequence: Sequence): number {
  return sequence.request.promptTokens + sequence.generatedTokens - sequence.computedTokens;
}
