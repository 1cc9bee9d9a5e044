import { expandQuery, type Filters, type Panel } from '../../server/dashboards/index.ts';
import { countLogs } from '../api/loki.ts';
import { queryRange, type RangeAnswer } from '../api/prometheus.ts';
import { isAbort, RequestError, type RequestQueue } from '../api/requests.ts';
import { continueFrame, type Frame, frameFromAnswers } from '../data/frame.ts';
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

/**
 * Fetches one panel's data. While a live window moves on, only the newest moments are asked for and the rest is kept;
 * any other change asks anew. Requests that a newer one overtakes are aborted.
 */
export class PanelFeed {
  readonly #queue: RequestQueue;
  readonly #panel: Panel;
  #state: FeedState = { kind: 'loading' };
  #asked: FeedRequest | undefined;
  #kept: { identity: string; frame: Frame; warnings: readonly string[] } | undefined;
  #abort: AbortController | undefined;
  readonly #listeners = new Set<() => void>();

  constructor(queue: RequestQueue, panel: Panel) {
    this.#queue = queue;
    this.#panel = panel;
  }

  readonly get = (): FeedState => this.#state;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Asks for what is needed; a request equal to the last does nothing. */
  request(request: FeedRequest): void {
    if (this.#asked && sameRequest(this.#asked, request)) return;
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
    const startS = startOfNew(request, kept?.frame);
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
    this.#set({ kind: 'ready', frame, warnings, refreshing: false });
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
