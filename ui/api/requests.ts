/** Why an answer didn't come. `message` is what the server said, or what the browser found. */
export class RequestError extends Error {
  /** HTTP status, or 0 where no answer came. */
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.name = 'RequestError';
    this.status = status;
  }
}

/** Whether a promise was rejected because nobody wants its value any more. */
export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}

interface Flight {
  readonly abort: AbortController;
  readonly answer: Promise<unknown>;
  waiters: number;
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Sends GET requests for JSON: equal ones that are under way at the same time are one request, no more than `maxInFlight`
 * are open at once and the rest wait in order. A request is aborted when the last one who waits for it gives up.
 */
export class RequestQueue {
  readonly #flights = new Map<string, Flight>();
  readonly #waiting: (() => void)[] = [];
  readonly #maxInFlight: number;
  readonly #fetch: Fetch;
  #open = 0;
  #tenant: string | undefined;
  #lostMs: number | undefined;
  readonly #listeners = new Set<() => void>();

  /** `maxInFlight` is 6 unless told: what browsers open to one origin over HTTP/1.1. */
  constructor(maxInFlight = 6, fetchFunction: Fetch = (url, init) => fetch(url, init)) {
    this.#maxInFlight = maxInFlight;
    this.#fetch = fetchFunction;
  }

  /** Asks for this tenant's data from now on. */
  askAs(name: string): void {
    this.#tenant = name;
  }

  /** The parsed JSON of an answer. Rejects with `RequestError`, or an `AbortError` once `signal` is aborted. */
  get(url: string, signal?: AbortSignal): Promise<unknown> {
    if (signal?.aborted) return Promise.reject(abortError());
    let flight = this.#flights.get(url);
    if (!flight) {
      const abort = new AbortController();
      flight = { abort, answer: this.#send(url, abort.signal), waiters: 0 };
      this.#flights.set(url, flight);
      const landed = () => {
        if (this.#flights.get(url) === flight) this.#flights.delete(url);
      };
      flight.answer.then(landed, landed);
    }
    return this.#wait(url, flight, signal);
  }

  /** Since when no request has been answered, in milliseconds since the epoch; `undefined` while the server answers. */
  readonly lostMs = (): number | undefined => this.#lostMs;

  /** Tells whenever the server is lost or found again. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  #setLost(lost: boolean): void {
    if (lost === (this.#lostMs !== undefined)) return;
    this.#lostMs = lost ? Date.now() : undefined;
    for (const listener of this.#listeners) listener();
  }

  #wait(url: string, flight: Flight, signal: AbortSignal | undefined): Promise<unknown> {
    flight.waiters++;
    if (!signal) return flight.answer;
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        flight.waiters--;
        if (flight.waiters === 0) {
          this.#flights.delete(url);
          flight.abort.abort();
        }
        reject(abortError());
      };
      signal.addEventListener('abort', giveUp, { once: true });
      flight.answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', giveUp));
    });
  }

  async #send(url: string, signal: AbortSignal): Promise<unknown> {
    if (this.#open >= this.#maxInFlight) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#open++;
    try {
      if (signal.aborted) throw abortError();
      const headers: Record<string, string> = { Accept: 'application/json' };
      if (this.#tenant !== undefined) headers['X-Scope-OrgID'] = this.#tenant;
      const response = await this.#fetch(url, { headers, signal });
      this.#setLost(false);
      return await readJson(response);
    } catch (error) {
      if (error instanceof RequestError || isAbort(error)) throw error;
      this.#setLost(true);
      throw new RequestError('No answer: the server can’t be reached.', 0);
    } finally {
      this.#open--;
      this.#waiting.shift()?.();
    }
  }
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text();
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    body = undefined;
  }
  if (response.ok && body !== undefined) return body;
  if (response.ok) throw new RequestError('The answer isn’t JSON.', response.status);
  throw new RequestError(errorText(body, text) || `HTTP ${response.status}`, response.status);
}

/** Prometheus says `error`, Loki and Tempo `message` or plain text. */
function errorText(body: unknown, text: string): string {
  if (typeof body === 'object' && body !== null) {
    const { error, message } = body as { error?: unknown; message?: unknown };
    if (typeof error === 'string') return error;
    if (typeof message === 'string') return message;
  }
  return text.startsWith('<') ? '' : text.slice(0, 300);
}

function abortError(): DOMException {
  return new DOMException('nobody waits for it any more', 'AbortError');
}
