import http from 'node:http';
import { BarographError } from '../model/index.ts';

/** What was sent of one signal, and what became of it. */
export interface DeliveryCounts {
  requests: number;
  /** Samples, data points, lines or spans. */
  items: number;
  acknowledged: number;
  /** Refused for good, by HTTP status or kind of failure. */
  refused: Record<string, number>;
  /** Attempts after the first. */
  retries: number;
  bytes: number;
}

export type Signal = 'samples' | 'points' | 'spans' | 'records' | 'lines';

/** How one delivery went. */
export interface DeliveryResult {
  /** `ok`, an HTTP status, or a kind of failure. */
  readonly status: string;
  readonly retries: number;
}

const MAX_ATTEMPTS = 12;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5000;
const REQUEST_TIMEOUT_MS = 60_000;

/**
 * Sends requests with a bound on how many are under way. Requests of one lane are never under way together, so what a
 * lane carries arrives in order; it waits for each acknowledgement. 429 and 503 are tried again after `Retry-After`.
 */
export class Outbox {
  readonly counts: Record<Signal, DeliveryCounts> = {
    samples: emptyCounts(),
    points: emptyCounts(),
    spans: emptyCounts(),
    records: emptyCounts(),
    lines: emptyCounts(),
  };
  readonly #agent: http.Agent;
  readonly #signal: AbortSignal | undefined;
  readonly #maxInFlight: number;
  readonly #dryRun: boolean;
  readonly #lanes = new Map<string, Promise<void>>();
  readonly #inFlight = new Set<Promise<void>>();
  #failure: unknown;

  /** @param options.dryRun Counts what would be sent and sends nothing. */
  constructor(options: { maxInFlight: number; dryRun: boolean; signal?: AbortSignal }) {
    this.#agent = new http.Agent({ keepAlive: true, maxSockets: options.maxInFlight });
    this.#maxInFlight = options.maxInFlight;
    this.#dryRun = options.dryRun;
    this.#signal = options.signal;
  }

  get dryRun(): boolean {
    return this.#dryRun;
  }

  /**
   * Hands in a delivery; resolves when it has been started, so that whoever makes them can't run ahead of the receiver.
   * @throws BarographError `target_unreachable`, of this or an earlier delivery.
   */
  async submit(signal: Signal, lane: string, items: number, deliver: () => Promise<DeliveryResult>): Promise<void> {
    if (items === 0) return;
    const counts = this.counts[signal];
    counts.requests++;
    counts.items += items;
    if (this.#dryRun) return;
    await this.#lanes.get(lane);
    while (this.#inFlight.size >= this.#maxInFlight) await Promise.race(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
    const running = deliver().then(
      (result) => {
        counts.retries += result.retries;
        if (result.status === 'ok') counts.acknowledged += items;
        else counts.refused[result.status] = (counts.refused[result.status] ?? 0) + items;
      },
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
    const settled = running.finally(() => this.#inFlight.delete(settled));
    this.#inFlight.add(settled);
    this.#lanes.set(lane, settled);
  }

  /** Posts a body as a delivery. */
  async post(
    signal: Signal,
    lane: string,
    items: number,
    request: { url: string; headers: Record<string, string>; body: Uint8Array },
  ): Promise<void> {
    this.counts[signal].bytes += request.body.byteLength;
    await this.submit(signal, lane, items, () => this.#postWithRetries(request));
  }

  /** Waits until everything is acknowledged or refused. @throws as `submit`. */
  async drain(): Promise<void> {
    await Promise.all(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
  }

  close(): void {
    this.#agent.destroy();
  }

  async #postWithRetries(request: {
    url: string;
    headers: Record<string, string>;
    body: Uint8Array;
  }): Promise<DeliveryResult> {
    let backoffMs = FIRST_BACKOFF_MS;
    for (let attempt = 0; ; attempt++) {
      if (this.#signal?.aborted) return { status: 'aborted', retries: attempt };
      let waitMs = backoffMs;
      try {
        const answer = await postOnce(this.#agent, request);
        if (answer.status < 300) return { status: 'ok', retries: attempt };
        const retryable = answer.status === 429 || answer.status === 503;
        if (!retryable || attempt + 1 >= MAX_ATTEMPTS) return { status: String(answer.status), retries: attempt };
        waitMs = answer.retryAfterMs ?? backoffMs;
      } catch (cause) {
        if (attempt + 1 >= MAX_ATTEMPTS) throw unreachable(request.url, cause);
      }
      await sleep(Math.min(waitMs, LONGEST_BACKOFF_MS), this.#signal);
      backoffMs *= 2;
    }
  }
}

/** Resolves after this time, or at once when the signal is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', done);
  });
}

function postOnce(
  agent: http.Agent,
  request: { url: string; headers: Record<string, string>; body: Uint8Array },
): Promise<{ status: number; retryAfterMs: number | undefined }> {
  return new Promise((resolve, reject) => {
    const headers = { ...request.headers, 'content-length': request.body.byteLength };
    const sent = http.request(
      request.url,
      { method: 'POST', agent, headers, timeout: REQUEST_TIMEOUT_MS },
      (response) => {
        // The text of an answer is nobody's business here, but it must be read for the connection to be used again.
        response.resume();
        response.on('error', reject);
        response.on('end', () => {
          const seconds = Number(response.headers['retry-after']);
          const retryAfterMs = Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined;
          resolve({ status: response.statusCode ?? 0, retryAfterMs });
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer in ${REQUEST_TIMEOUT_MS} ms`)));
    sent.on('error', reject);
    sent.end(request.body);
  });
}

function unreachable(url: string, cause: unknown): BarographError {
  const { origin } = new URL(url);
  const code = (cause as { code?: unknown }).code;
  return new BarographError({
    code: 'target_unreachable',
    status: 503,
    where: `simulate › ${origin}`,
    got: `no connection in ${MAX_ATTEMPTS} attempts${typeof code === 'string' ? ` (${code})` : ''}`,
    fix: 'start Barograph first (barograph serve), or say where it is with --target and --otlp-target',
    cause,
  });
}

function emptyCounts(): DeliveryCounts {
  return { requests: 0, items: 0, acknowledged: 0, refused: {}, retries: 0, bytes: 0 };
}
