import type { Outcome } from '../model/generated/conventions.ts';
import type { Deployment, Replica } from './fleet.ts';

/** The kinds of prompts that the simulated service gets. */
export const PROMPT_CLASSES = ['chat', 'rag', 'code', 'summarise', 'extract'] as const;
export type PromptClass = (typeof PROMPT_CLASSES)[number];

/** A span of simulated time, milliseconds since the epoch. */
export interface Interval {
  readonly startMs: number;
  readonly endMs: number;
}

/** Why an attempt at an engine was made again. */
export type RetryReason = 'engine_unavailable' | 'queue_full' | 'connection_reset';

/** One try at an engine. */
export interface Attempt {
  readonly replica: Replica;
  readonly startMs: number;
  endMs: number;
  /** Set where it failed and another was made. */
  retryReason?: RetryReason;
}

/** A request of a user on its way through the gateway, and in the end all that is known of it. */
export interface GatewayRequest {
  readonly id: number;
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** 16 hexadecimal digits, of the gateway's span. */
  readonly spanId: string;
  /** As the gateway names it to its caller; one value a request. */
  readonly requestId: string;
  readonly arrivalMs: number;
  readonly region: string;
  readonly tier: string;
  readonly tierIndex: number;
  readonly promptClass: PromptClass;
  readonly deployment: Deployment;
  /** The version that answered, or that would have. */
  modelVersion: string;
  readonly promptTokens: number;
  readonly naturalTokens: number;
  readonly maxTokens: number;
  readonly prefixKey: string;
  readonly prefixTokens: number;
  readonly streamed: boolean;
  authenticate?: Interval;
  vectorSearch?: Interval;
  promptBuild?: Interval;
  inference?: Interval;
  outputFiltering?: Interval;
  readonly attempts: Attempt[];
  /** Inside the engine that answered; NaN until known. Milliseconds since the epoch. */
  engineArrivalMs: number;
  firstScheduledMs: number;
  firstTokenMs: number;
  lastTokenMs: number;
  outputTokens: number;
  cachedTokens: number;
  preemptions: number;
  endMs: number;
  outcome?: Outcome;
  /** As the engine or a guardrail says. */
  finishReason?: 'stop' | 'length' | 'content_filter' | 'error';
  /** Why it failed, as a short code. */
  errorType?: string;
  /** The guardrail policy that decided against it. */
  policy?: string;
}
