import { TOKEN_BUCKETS, type TokenBucketValue } from './generated/conventions.ts';

/**
 * The size class of a prompt, for the label token_bucket. Undefined where the count isn't one (absent, negative, NaN), so
 * that the label is left out: a prompt of unknown size must not count among the small ones.
 */
export function tokenBucketOf(promptTokens: number | undefined | null): TokenBucketValue | undefined {
  if (promptTokens === undefined || promptTokens === null || !(promptTokens >= 0)) return undefined;
  return TOKEN_BUCKETS.find((bucket) => promptTokens <= bucket.upper)?.value;
}
