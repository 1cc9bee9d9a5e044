import type { BlockHolding } from './kv-cache.ts';

/** What the gateway asks an engine for. */
export interface EngineRequest {
  readonly id: number;
  /** Prompt tokens, at least 1. */
  readonly promptTokens: number;
  /** Tokens after which the model ends by itself, at least 1. */
  readonly naturalTokens: number;
  /** The most tokens that the caller wants, at least 1. */
  readonly maxTokens: number;
  /** Names the prefix that the prompt shares with others; `''` for none. */
  readonly prefixKey: string;
  /** Tokens of that prefix, fewer than `promptTokens`. */
  readonly prefixTokens: number;
  /** Index of the customer's tier. */
  readonly tier: number;
}

/** A request inside an engine. Times are milliseconds since the epoch, NaN until they happen. */
export interface Sequence extends BlockHolding {
  readonly request: EngineRequest;
  /** Tokens that it will have produced at its end. */
  readonly targetTokens: number;
  readonly arrivalMs: number;
  state: 'waiting' | 'running' | 'ended';
  /** Tokens whose keys and values are computed. */
  computedTokens: number;
  /** Prompt tokens that were found in the cache when it was last scheduled. */
  cachedTokens: number;
  generatedTokens: number;
  /** Tokens that the iteration under way computes for it. */
  scheduledTokens: number;
  firstScheduledMs: number;
  firstTokenMs: number;
  lastTokenMs: number;
  preemptions: number;
}

/** A sequence that has just arrived. */
export function createSequence(request: EngineRequest, nowMs: number): Sequence {
  return {
    request,
    targetTokens: Math.min(request.naturalTokens, request.maxTokens),
    arrivalMs: nowMs,
    state: 'waiting',
    privateBlocks: 0,
    prefixKey: '',
    sharedBlocks: 0,
    computedTokens: 0,
    cachedTokens: 0,
    generatedTokens: 0,
    scheduledTokens: 0,
    firstScheduledMs: Number.NaN,
    firstTokenMs: Number.NaN,
    lastTokenMs: Number.NaN,
    preemptions: 0,
  };
}
