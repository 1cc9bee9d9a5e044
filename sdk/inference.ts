import type { Context, Span } from '@opentelemetry/api';
import { errorTypeOf, statusOf } from './codes.ts';
import { GapCounts } from './gap-counts.ts';
import type { InferenceEnd, InferenceRequest, TokenKind } from './inference-types.ts';
import type { LabelSet } from './label-sets.ts';
import { laterUsage, type Usage, usageOf } from './usage.ts';

/** What an inference needs of the instrumentation that made it. */
export interface InferenceHost {
  /** Milliseconds, never going back. */
  nowMs(): number;
  /** Called once, when the request has ended. */
  finished(inference: Inference, end: InferenceEnd): void;
  /** An attempt after the first began. */
  retried(inference: Inference | undefined, reason: string): void;
}

/**
 * One request to a model, from its arrival to the last byte. Calls after its end change nothing, nothing throws, and
 * nothing is held for it elsewhere: a request that is forgotten is garbage.
 *
 * Of a stream either `token` is called, where it is known how many tokens a piece has, or `chunk`, where it isn't.
 */
export class Inference {
  readonly request: InferenceRequest;
  /** The context in which the request's own work runs, with its span. */
  readonly context: Context;
  readonly span: Span;
  /** The labels that it began with. */
  readonly labels: LabelSet | undefined;
  readonly startMs: number;
  /** The first token of any kind and the first that the user sees; NaN while there is none. Milliseconds. */
  firstMs = Number.NaN;
  firstVisibleMs = Number.NaN;
  lastMs = Number.NaN;
  endMs = Number.NaN;
  /** The kind of the first token. */
  firstKind: TokenKind = 'visible';
  /** The kind of the last one. */
  lastKind: TokenKind = 'visible';
  /** Tokens that `token` was told of. */
  countedTokens = 0;
  /** Pieces with an unknown number of tokens. */
  chunks = 0;
  /** Whether reasoning came as tokens, so that output tokens are spread over the whole stream. */
  streamedReasoning = false;
  /** Whether several answers came at once, interleaved. */
  isParallel = false;
  attempts = 1;
  /** Gaps between the pieces of this request; absent until there was one. */
  gaps: GapCounts | undefined;
  usage: Usage | undefined;
  readonly #host: InferenceHost;
  #lastFailure = 'unknown';

  constructor(host: InferenceHost, request: InferenceRequest, span: Span, context: Context, labels?: LabelSet) {
    this.#host = host;
    this.request = request;
    this.span = span;
    this.context = context;
    this.labels = labels;
    this.startMs = request.arrivedMs ?? host.nowMs();
  }

  get hasEnded(): boolean {
    return !Number.isNaN(this.endMs);
  }

  /**
   * The first token of output arrived: one token. `token` and `chunk` see the first one by themselves, so this is for
   * code that tells of the first token apart from the others; later calls change nothing. A piece that only names the
   * role, or that is empty, is no token.
   */
  firstToken(kind: TokenKind = 'visible'): void {
    if (Number.isNaN(this.firstMs)) this.token(1, kind);
  }

  /**
   * So many tokens arrived at once. Tokens that came together share the time since the last ones evenly, so that number
   * and sum of the gaps are right. Costs no allocation.
   */
  token(count = 1, kind: TokenKind = 'visible'): void {
    if (!(count >= 1) || !Number.isNaN(this.endMs)) return;
    this.countedTokens += count;
    this.#arrive(count, kind);
  }

  /** A piece of the answer arrived, of an unknown number of tokens, one at least. Costs no allocation. */
  chunk(kind: TokenKind = 'visible'): void {
    if (!Number.isNaN(this.endMs)) return;
    this.chunks++;
    this.#arrive(1, kind);
  }

  /**
   * A stream's running count of output tokens, where a provider gives one with every piece: the difference to the last
   * one is the number of tokens in this piece. Calls `token`.
   */
  tokensSoFar(total: number, kind: TokenKind = 'visible'): void {
    this.token(total - this.countedTokens, kind);
  }

  /** A report of usage; several are cumulative, so the last one counts. */
  report(usage: Usage | undefined): void {
    this.usage = laterUsage(this.usage, usage ? usageOf(usage) : undefined);
  }

  /** An attempt failed; if another follows, this is why. @param reason A short code. */
  attemptFailed(reason: string): void {
    this.#lastFailure = reason;
  }

  /** An attempt after the first begins. @param reason A short code; default is that of the attempt that failed. */
  retry(reason: string = this.#lastFailure): void {
    if (this.hasEnded) return;
    this.attempts++;
    this.#host.retried(this, reason);
  }

  /** The request ended. Only the first call counts. */
  end(end: InferenceEnd = {}): void {
    if (this.hasEnded) return;
    this.endMs = this.#host.nowMs();
    this.#host.finished(this, end ?? {});
  }

  /** The request ended with a failure; `end` with the error's type and status. */
  fail(error: unknown, end: InferenceEnd = {}): void {
    const errorType = end?.errorType ?? errorTypeOf(error) ?? 'error';
    this.end({ ...end, errorType, httpStatus: end?.httpStatus ?? statusOf(error) });
  }

  #arrive(count: number, kind: TokenKind): void {
    const now = this.#host.nowMs();
    if (Number.isNaN(this.firstMs)) {
      this.firstMs = now;
      this.firstKind = kind;
      // Of tokens that came with the first one only the others have a gap, and it is none.
      if (count > 1) this.#gapsOfRequest().add(0, count - 1);
    } else this.#gapsOfRequest().add((now - this.lastMs) / 1000 / count, count);
    this.lastMs = now;
    this.lastKind = kind;
    if (kind === 'reasoning') this.streamedReasoning = true;
    else if (Number.isNaN(this.firstVisibleMs)) this.firstVisibleMs = now;
  }

  #gapsOfRequest(): GapCounts {
    this.gaps ??= new GapCounts();
    return this.gaps;
  }
}
