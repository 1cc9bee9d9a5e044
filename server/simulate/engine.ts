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
  readonly #batch: Batch = { budget: 0, prefillTokens: 0, prefillPairs: 0, decodes: 0, keyValueTokens: 0 };
  #iterating = false;
  /** Ends the iteration under way; another function for each process, so that an iteration of a dead one ends nothing. */
  #endIteration: (nowMs: number) => void = () => {};
  #startIterating: (nowMs: number) => void = () => {};

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
    this.#renewProcess();
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
      this.#events.at(nowMs, this.#startIterating);
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
    this.#renewProcess();
    for (const sequence of [...this.running, ...this.waiting]) this.#end(sequence, 'error', nowMs);
  }

  /** A new process serves, with counters at zero; requests of the old one must have ended. */
  restart(cost: IterationCost): void {
    if (this.running.length + this.waiting.length > 0)
      throw new Error('BUG: an engine was restarted with requests in it');
    this.#renewProcess();
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
        this.#events.at(endMs, this.#endIteration);
        return;
      }
      this.#applyIteration(endMs);
      endMs = this.#startIteration(endMs);
    }
  }

  /** Makes whatever was planned for the process so far do nothing. */
  #renewProcess(): void {
    const start = (nowMs: number): void => {
      if (this.#startIterating === start) this.#begin(nowMs);
    };
    const end = (nowMs: number): void => {
      if (this.#endIteration !== end) return;
      this.#applyIteration(nowMs);
      this.#begin(nowMs);
    };
    this.#startIterating = start;
    this.#endIteration = end;
    this.#iterating = false;
  }

  /**
   * Decides what the next iteration computes.
   * @returns When it ends, or −1 where there is nothing to do.
   */
  #startIteration(nowMs: number): number {
    const batch = this.#batch;
    batch.budget = this.config.maxNumBatchedTokens;
    batch.prefillTokens = 0;
    batch.prefillPairs = 0;
    batch.decodes = 0;
    batch.keyValueTokens = 0;
    if (this.#continueRunning(batch)) this.#admitWaiting(batch, nowMs);
    const tokens = batch.prefillTokens + batch.decodes;
    if (tokens === 0) {
      this.#iterating = false;
      return -1;
    }
    const jitter = 0.97 + 0.06 * this.#random.next();
    const { cost } = this;
    const { prefillTokens, prefillPairs, decodes, keyValueTokens } = batch;
    const ms = jitter * iterationMs(cost, prefillTokens, prefillPairs, decodes, keyValueTokens, this.clock);
    this.metrics.iterationTokens.observe(tokens);
    this.#work.busyMs += ms;
    this.#work.flops += tokens * cost.flopsPerToken + prefillPairs * cost.flopsPerPair;
    this.#work.bytes += cost.weightsBytes + keyValueTokens * cost.keyValueBytesPerToken;
    return nowMs + ms;
  }

  /**
   * Gives each running sequence its next token, or the next chunk of its prompt; where blocks run out, the sequences
   * that came last lose theirs.
   * @returns Whether nobody was preempted, so that others may come in.
   */
  #continueRunning(batch: Batch): boolean {
    const { running, cache } = this;
    let preempted = false;
    for (let i = 0; i < running.length && batch.budget > 0; i++) {
      const sequence = running[i];
      const tokens = Math.min(remainingTokens(sequence), batch.budget);
      let fits = cache.grow(sequence, sequence.computedTokens + tokens);
      while (!fits) {
        preempted = true;
        const last = running.pop()!;
        this.#preempt(last);
        if (last === sequence) return false;
        fits = cache.grow(sequence, sequence.computedTokens + tokens);
      }
      schedule(batch, sequence, tokens);
    }
    return !preempted;
  }

  #admitWaiting(batch: Batch, nowMs: number): void {
    while (batch.budget > 0 && this.waiting.length > 0 && this.running.length < this.config.maxNumSeqs) {
      const sequence = this.waiting[0];
      this.#reusePrefix(sequence, nowMs);
      const tokens = Math.min(remainingTokens(sequence), batch.budget);
      if (!this.cache.grow(sequence, sequence.computedTokens + tokens)) {
        this.cache.release(sequence);
        sequence.computedTokens = 0;
        return;
      }
      this.waiting.shift();
      sequence.state = 'running';
      if (Number.isNaN(sequence.firstScheduledMs)) {
        sequence.firstScheduledMs = nowMs;
        this.metrics.prefixQueries += sequence.request.promptTokens;
        this.metrics.prefixHits += sequence.cachedTokens;
      }
      this.running.push(sequence);
      schedule(batch, sequence, tokens);
    }
  }

  /** What an iteration leaves behind: tokens, first tokens, ends. */
  #applyIteration(nowMs: number): void {
    let commonGap = -1;
    let commonCount = 0;
    this.#tierCounts.fill(0);
    const { running } = this;
    for (let i = 0; i < running.length; i++) {
      const sequence = running[i];
      // Without a part in it, because the budget was used up.
      if (sequence.scheduledTokens === 0) continue;
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
        // The next one has moved into its place. Nobody else leaves meanwhile: whoever hears of an end only plans events.
        i--;
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

/** What an iteration computes, while it is put together. */
interface Batch {
  /** Tokens that still fit. */
  budget: number;
  prefillTokens: number;
  /** Sum over prompt tokens of the tokens before each. */
  prefillPairs: number;
  decodes: number;
  keyValueTokens: number;
}

function schedule(batch: Batch, sequence: Sequence, tokens: number): void {
  sequence.scheduledTokens = tokens;
  batch.budget -= tokens;
  const before = sequence.computedTokens;
  if (tokens === 1 && sequence.generatedTokens > 0) {
    batch.decodes++;
    batch.keyValueTokens += before + 1;
  } else {
    batch.prefillTokens += tokens;
    batch.prefillPairs += tokens * (before + tokens / 2);
  }
}

/** Tokens that must go through the model before the next one comes out; 1 while it decodes. */
function remainingTokens(sequence: Sequence): number {
  return sequence.request.promptTokens + sequence.generatedTokens - sequence.computedTokens;
}
