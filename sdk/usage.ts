import { tokenCountOf } from './codes.ts';

/** Tokens of a request as its provider counted them. What isn't known is left out. */
export interface Usage {
  /** Tokens of the prompt, those from a cache included. */
  readonly inputTokens?: number;
  /** Tokens of the answer, those of reasoning included. */
  readonly outputTokens?: number;
  /** The part of inputTokens that was read from a cache. */
  readonly cachedTokens?: number;
  /** The part of inputTokens that was written to a cache. */
  readonly cacheWriteTokens?: number;
  /** The part of outputTokens that was reasoning. */
  readonly reasoningTokens?: number;
}

/** Usage whose counts may be absent in any of the ways in which providers leave them out. */
export type LooseUsage = { readonly [Name in keyof Usage]?: unknown };

/** Keeps the counts that are counts; undefined where none is. */
export function usageOf(loose: LooseUsage): Usage | undefined {
  const usage: { -readonly [Name in keyof Usage]: Usage[Name] } = {};
  let isKnown = false;
  for (const name of ['inputTokens', 'outputTokens', 'cachedTokens', 'cacheWriteTokens', 'reasoningTokens'] as const) {
    const count = tokenCountOf(loose[name]);
    if (count === undefined) continue;
    usage[name] = count;
    isKnown = true;
  }
  return isKnown ? usage : undefined;
}

/**
 * Joins two reports of one request's usage. Reports are cumulative wherever a provider sends several, so a later one
 * replaces an earlier one count by count, and nothing is ever added up.
 */
export function laterUsage(earlier: Usage | undefined, later: Usage | undefined): Usage | undefined {
  return earlier && later ? { ...earlier, ...later } : (later ?? earlier);
}
