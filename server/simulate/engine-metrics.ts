import { METRICS } from '../model/generated/conventions.ts';
import { BucketCounter } from './bucket-counter.ts';

// vLLM 0.30, vllm/v1/metrics/loggers.py: the lists that it calls time-to-first-token, inter-token and request buckets.
const TTFT = [
  0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560,
];
const PER_TOKEN = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 20, 40, 80];
const REQUEST = [0.3, 0.5, 0.8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680];
const ITERATION_TOKENS = [1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384];

/** The reasons for which vLLM says that a request ended. */
export const FINISH_REASONS = ['stop', 'length', 'abort', 'error'] as const;
export type FinishReason = (typeof FINISH_REASONS)[number];

/** The counters of an engine process since it started; a restart begins with new ones. */
export interface EngineMetrics {
  readonly timeToFirstToken: BucketCounter;
  readonly interTokenLatency: BucketCounter;
  readonly timePerOutputToken: BucketCounter;
  readonly endToEnd: BucketCounter;
  readonly queueTime: BucketCounter;
  readonly prefillTime: BucketCounter;
  readonly decodeTime: BucketCounter;
  readonly promptTokensOfRequest: BucketCounter;
  readonly generationTokensOfRequest: BucketCounter;
  readonly iterationTokens: BucketCounter;
  /** Gaps between tokens with the contract's buckets, by customer tier. */
  readonly gapsByTier: readonly BucketCounter[];
  promptTokens: number;
  cachedTokens: number;
  generationTokens: number;
  prefixQueries: number;
  prefixHits: number;
  preemptions: number;
  readonly finished: Record<FinishReason, number>;
}

/** Counters at zero. @param maxModelLength Tokens, the end of vLLM's 1-2-5 series of token buckets. */
export function createEngineMetrics(maxModelLength: number, tierCount: number): EngineMetrics {
  const tokens = oneTwoFive(maxModelLength);
  const gaps = METRICS.inference_inter_token_latency_seconds.buckets!;
  return {
    timeToFirstToken: new BucketCounter(TTFT),
    interTokenLatency: new BucketCounter(PER_TOKEN),
    timePerOutputToken: new BucketCounter(PER_TOKEN),
    endToEnd: new BucketCounter(REQUEST),
    queueTime: new BucketCounter(REQUEST),
    prefillTime: new BucketCounter(REQUEST),
    decodeTime: new BucketCounter(REQUEST),
    promptTokensOfRequest: new BucketCounter(tokens),
    generationTokensOfRequest: new BucketCounter(tokens),
    iterationTokens: new BucketCounter(ITERATION_TOKENS),
    gapsByTier: Array.from({ length: tierCount }, () => new BucketCounter(gaps)),
    promptTokens: 0,
    cachedTokens: 0,
    generationTokens: 0,
    prefixQueries: 0,
    prefixHits: 0,
    preemptions: 0,
    finished: { stop: 0, length: 0, abort: 0, error: 0 },
  };
}

/** 1, 2, 5, 10, 20, 50, … up to and including the last that isn't above `most`. */
function oneTwoFive(most: number): number[] {
  const bounds: number[] = [];
  for (let power = 1; ; power *= 10) {
    for (const digit of [1, 2, 5]) {
      if (digit * power > most) return bounds;
      bounds.push(digit * power);
    }
  }
}
