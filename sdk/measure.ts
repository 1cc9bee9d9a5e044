import type { Inference } from './inference.ts';
import type { Usage } from './usage.ts';

/** What a request's stream says about the speed of its tokens. Parts that can't be said are left out. */
export interface StreamFigures {
  /** Seconds from the request's arrival to its first token, and to the first that the user sees. */
  readonly firstTokenSeconds?: number;
  readonly firstVisibleSeconds?: number;
  /** Seconds from the first to the last token, divided by the tokens less one. */
  readonly secondsPerToken?: number;
  readonly tokensPerSecond?: number;
  /** Whether the gaps of the request are gaps between tokens, and not between pieces of several tokens. */
  readonly gapsAreTokens: boolean;
}

/** Output tokens of a request: the provider's count, else what `token` was told of; and which of the two. */
export function outputTokensOf(inference: Inference): { tokens: number; estimated: boolean } | undefined {
  const reported = inference.usage?.outputTokens;
  if (reported !== undefined) return { tokens: reported, estimated: false };
  // Pieces are never counted as tokens, so a stream of which some came as pieces has no estimate.
  if (inference.countedTokens > 0 && inference.chunks === 0)
    return { tokens: inference.countedTokens, estimated: true };
  return undefined;
}

/** The figures of a stream once its request has ended. */
export function figuresOf(inference: Inference): StreamFigures {
  const { startMs, firstMs, firstVisibleMs, lastMs, gaps } = inference;
  const figures: { -readonly [Name in keyof StreamFigures]: StreamFigures[Name] } = { gapsAreTokens: false };
  if (Number.isNaN(firstMs) || inference.request.streamed === false) return figures;
  figures.firstTokenSeconds = Math.max(0, firstMs - startMs) / 1000;
  if (!Number.isNaN(firstVisibleMs)) figures.firstVisibleSeconds = Math.max(0, firstVisibleMs - startMs) / 1000;
  const output = outputTokensOf(inference);
  if (!output) return figures;
  const { tokens, fromMs } = streamedTokens(inference, inference.usage, output.tokens);
  const seconds = (lastMs - fromMs) / 1000;
  if (tokens >= 2 && seconds > 0) {
    figures.tokensPerSecond = tokens / seconds;
    // Tokens of several answers alternate, so neither their gaps nor their mean is what a reader of one answer sees.
    if (!inference.isParallel) figures.secondsPerToken = seconds / (tokens - 1);
  }
  figures.gapsAreTokens = gaps !== undefined && !inference.isParallel && piecesAreTokens(inference, tokens);
  return figures;
}

/**
 * The tokens that came through the stream and when the first of them did. Reasoning that was kept back took its time
 * before the first visible token, and to divide the time after it by all tokens would call the model too fast.
 */
function streamedTokens(
  inference: Inference,
  usage: Usage | undefined,
  output: number,
): { tokens: number; fromMs: number } {
  const reasoning = usage?.reasoningTokens ?? 0;
  if (reasoning === 0 || inference.streamedReasoning) return { tokens: output, fromMs: inference.firstMs };
  const fromMs = Number.isNaN(inference.firstVisibleMs) ? inference.firstMs : inference.firstVisibleMs;
  return { tokens: Math.max(0, output - reasoning), fromMs };
}

/** Pieces are tokens where their number is known or is the provider's own count; the end of a sequence may count as one. */
function piecesAreTokens(inference: Inference, tokens: number): boolean {
  const { chunks, countedTokens } = inference;
  if (chunks === 0) return true;
  const pieces = chunks + countedTokens;
  return pieces === tokens || pieces === tokens - 1;
}
