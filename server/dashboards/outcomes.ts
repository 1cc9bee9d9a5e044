/** The labels by which the pane is filtered: the allowed ones of the contract. */
export type AllowedLabel = 'model_version' | 'deployment' | 'customer_tier' | 'gpu_type' | 'region';

/**
 * Outcomes that are errors of the service. The others are not:
 * - `ok`;
 * - `refused`, a guardrail or a rate limit did what it is for;
 * - `truncated`, the answer reached the length that the caller asked for;
 * - `cancelled`, the user left.
 * An answer that breaks off in the middle of its stream is `error`, whatever its HTTP status.
 */
export const ERROR_OUTCOMES = ['error', 'timeout', 'empty'] as const;
