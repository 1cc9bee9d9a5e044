import { expandQuery, type Filters, type Panel } from '../../server/dashboards/index.ts';
import { countLogs } from '../api/loki.ts';
import { queryRange, type RangeAnswer } from '../api/prometheus.ts';
import { isAbort, RequestError, type RequestQueue } from '../api/requests.ts';
import { continueFrame, type Frame, frameFromAnswers, knownUntil } from '../data/frame.ts';
import type { TimeWindow } from '../view/range.ts';

/** What a panel is asked to show. */
export interface FeedRequest {
  /** On the grid of steps. */
  readonly window: TimeWindow;
  readonly stepSeconds: number;
  readonly sampleIntervalSeconds: number;
  readonly filters: Filters;
}

/** What a panel knows. A frame may be older than the request: `refreshing` says that a newer one is on its way. */
export type FeedState =
  | { readonly kind: 'loading' }
  | {
      readonly kind: 'ready';
      readonly frame: Frame;
      readonly warnings: readonly string[];
      readonly refreshing: boolean;
    }
  /** The frame is the last one of the same queries, if there was one: older than what was asked for, and not of others. */
  | { readonly kind: 'failed'; readonly message: string; readonly frame: Frame | undefined };

/** Late samples change the newest moments, so this many seconds are asked for again on every tick. */
const REASK_SECONDS = 120;
/** How often everything is asked for again, for what came later still, in milliseconds. */
const WHOLE_EVERY_MS = 300_000;
/** Least distance between two requests for one window, while the past is being filled in, in milliseconds. */
const FILLING_EVERY_MS = 4000;
/** A live window whose data ends earlier than this before its own end has data that is still to come, in seconds. */
const LAG_SECONDS = 60;

/**
 * Fetches one panel's data. While a live window moves on, only the newest moments are asked for and the rest is kept;
 * any other change asks anew, and so does a window whose past is still being filled in by whoever sends late. Requests
 * that a newer one overtakes are aborted.
 */
export class PanelFeed {
  readonly #queue: RequestQueue;
  readonly #panel: Panel;
  #state: FeedState = { kind: 'loading' };
  #asked: FeedRequest | undefined;
  #kept: { identity: string; frame: Frame; warnings: readonly string[] } | undefined;
  #abort: AbortController | undefined;
  readonly #nowMs: () => number;
  #loadedMs = Number.NEGATIVE_INFINITY;
  #wholeMs = Number.NEGATIVE_INFINITY;
  /** Until then everything is asked for, because what is known of the window may have gaps. */
  #gapsUntilMs = Number.NEGATIVE_INFINITY;
  #knownUntil = Number.NaN;
  #filling = false;
  readonly #listeners = new Set<() => void>();

  /** @param nowMs The clock, in milliseconds since the epoch. */
  constructor(queue: RequestQueue, panel: Panel, nowMs: () => number = Date.now) {
    this.#queue = queue;
    this.#panel = panel;
    this.#nowMs = nowMs;
  }

  readonly get = (): FeedState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Asks for what is needed; a request equal to the last does nothing, unless the window is being filled in. */
  request(request: FeedRequest): void {
    if (this.#asked && sameRequest(this.#asked, request) && !this.#isDue()) return;
    this.#asked = request;
    void this.#load(request);
  }

  /** Asks again after a failure. */
  readonly retry = (): void => {
    if (!this.#asked) return;
    if (this.#state.kind === 'failed' && !this.#state.frame) this.#set({ kind: 'loading' });
    void this.#load(this.#asked);
  };

  /** Aborts what is under way; a later `request` starts anew. */
  stop(): void {
    this.#abort?.abort();
    this.#asked = undefined;
  }

  async #load(request: FeedRequest): Promise<void> {
    this.#abort?.abort();
    const abort = new AbortController();
    this.#abort = abort;
    const queries = this.#panel.queries.map((query) => ({ ...query, expr: this.#expand(query, request) }));
    const identity = JSON.stringify([queries.map((q) => q.expr), request.stepSeconds]);
    const kept = this.#kept?.identity === identity ? this.#kept : undefined;
    const nowMs = this.#nowMs();
    const whole = nowMs < this.#gapsUntilMs || nowMs - this.#wholeMs >= WHOLE_EVERY_MS;
    const startS = whole ? request.window.fromSeconds : startOfNew(request, kept?.frame);
    if (startS === request.window.fromSeconds) this.#wholeMs = nowMs;
    const endS = request.window.toSeconds;
    this.#announce();
    try {
      const window = { startS, endS, stepS: request.stepSeconds };
      const answers = await Promise.all(
        queries.map(({ language, expr }) =>
          language === 'promql'
            ? queryRange(this.#queue, expr, window, abort.signal)
            : countLogs(this.#queue, expr, window, abort.signal),
        ),
      );
      this.#accept(identity, answers, window, request, startS > request.window.fromSeconds ? kept?.frame : undefined);
    } catch (error) {
      if (isAbort(error)) return;
      const message = error instanceof RequestError ? error.message : `BUG: ${String(error)}`;
      this.#set({ kind: 'failed', message, frame: kept?.frame });
    }
  }

  #expand(query: Panel['queries'][number], request: FeedRequest): string {
    return expandQuery(query.expr, query.language, {
      filters: request.filters,
      labels: query.labels ?? this.#panel.labels,
      stepSeconds: request.stepSeconds,
      sampleIntervalSeconds: request.sampleIntervalSeconds,
    });
  }

  /** What is in sight stays there while a newer frame is fetched: nothing flickers, and a stale frame is marked as such. */
  #announce(): void {
    if (this.#state.kind === 'ready') this.#set({ ...this.#state, refreshing: true });
  }

  #accept(
    identity: string,
    answers: readonly RangeAnswer[],
    window: { startS: number; endS: number; stepS: number },
    request: FeedRequest,
    kept: Frame | undefined,
  ): void {
    const fresh = frameFromAnswers(
      answers.map((answer) => answer.series),
      window.startS,
      window.endS,
      window.stepS,
    );
    const frame = kept ? continueFrame(kept, fresh, request.window.fromSeconds, window.endS) : fresh;
    const said = answers.flatMap((answer) => answer.warnings);
    // What was said of the kept part still holds while any of it is shown.
    const warnings = [...new Set(kept ? [...said, ...(this.#kept?.warnings ?? [])] : said)];
    this.#kept = { identity, frame, warnings };
    this.#noteGaps(frame, request);
    this.#set({ kind: 'ready', frame, warnings, refreshing: false });
  }

  /** Whether a window that is being filled in may be asked for again. */
  #isDue(): boolean {
    const ready = this.#state.kind === 'ready' && !this.#state.refreshing;
    return ready && this.#filling && this.#nowMs() - this.#loadedMs >= FILLING_EVERY_MS;
  }

  /** Sees whether data of the past is still to come: a live window whose data ends early, and ends later each time. */
  #noteGaps(frame: Frame, request: FeedRequest): void {
    const nowMs = this.#nowMs();
    const { stepSeconds } = request;
    const { toSeconds } = request.window;
    const lag = Math.max(LAG_SECONDS, 3 * stepSeconds);
    const isLive = nowMs / 1000 - toSeconds < lag;
    const known = knownUntil(frame);
    const lags = isLive && known < toSeconds - lag;
    if (lags) this.#gapsUntilMs = nowMs + 2 * lag * 1000;
    // Lanes of rare events have gaps by nature, and reading lines costs more than reading samples.
    const grows = known === Number.NEGATIVE_INFINITY || !(known <= this.#knownUntil);
    this.#filling = lags && grows && this.#panel.kind !== 'events';
    this.#knownUntil = known;
    this.#loadedMs = nowMs;
  }

  #set(state: FeedState): void {
    this.#state = state;
    for (const listener of this.#listeners) listener();
  }
}

/** Where a request must start: the window's start, or a little before the end of a kept frame that covers the rest. */
function startOfNew(request: FeedRequest, kept: Frame | undefined): number {
  const { fromSeconds, toSeconds } = request.window;
  if (!kept) return fromSeconds;
  const keptEnd = kept.startSeconds + (kept.length - 1) * kept.stepSeconds;
  const covers = kept.startSeconds <= fromSeconds && keptEnd >= fromSeconds && keptEnd <= toSeconds;
  if (!covers) return fromSeconds;
  const again = Math.ceil(REASK_SECONDS / kept.stepSeconds) * kept.stepSeconds;
  return Math.max(fromSeconds, keptEnd - again);
}

function sameRequest(a: FeedRequest, b: FeedRequest): boolean {
  return (
    a.stepSeconds === b.stepSeconds &&
    a.window.fromSeconds === b.window.fromSeconds &&
    a.window.toSeconds === b.window.toSeconds &&
    JSON.stringify(a.filters) === JSON.stringify(b.filters)
  );
}
