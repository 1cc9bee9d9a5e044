import { refusalOfCode } from '../codes.ts';
import type { Instrumentation } from '../instrumentation.ts';

type Fetch = (url: unknown, init?: { readonly headers?: unknown }) => Promise<{ readonly status: number }>;

/** The header in which the clients that Stainless generates number their attempts, from 0. */
const RETRY_COUNT = 'x-stainless-retry-count';

/**
 * Counts the attempts that a provider's client makes by itself. They are seen nowhere but at its `fetch`, which is
 * watched and otherwise left as it was; the request that they belong to is found by OpenTelemetry's context.
 */
export function observeAttempts(client: object, instrumentation: Instrumentation): void {
  const holder = client as { fetch?: unknown };
  const { fetch } = holder;
  if (typeof fetch !== 'function') return;
  const original = fetch as Fetch;
  // Why the last attempt failed, where no context says whose it was.
  let lastReason = 'unknown';
  const observed: Fetch = (url, init) => {
    const inference = instrumentation.activeInference();
    const failed = (reason: string): void => {
      lastReason = reason;
      inference?.attemptFailed(reason);
    };
    instrumentation.tally.guard(() => {
      if (!(retryCountOf(init?.headers) > 0)) return;
      if (inference) inference.retry();
      else instrumentation.retried(undefined, lastReason);
    });
    const answer = original(url, init);
    answer.then(
      ({ status }) => {
        if (status >= 400) failed(reasonOfStatus(status));
      },
      (error: unknown) => failed(reasonOfFailure(error)),
    );
    return answer;
  };
  holder.fetch = observed;
}

function retryCountOf(headers: unknown): number {
  if (typeof headers !== 'object' || headers === null) return 0;
  if (typeof (headers as Headers).get === 'function') return Number((headers as Headers).get(RETRY_COUNT) ?? 0);
  for (const [name, value] of Object.entries(headers))
    if (name.toLowerCase() === RETRY_COUNT) return Number(value) || 0;
  return 0;
}

function reasonOfStatus(status: number): string {
  if (status === 429) return 'rate_limited';
  if (status === 408 || status === 504) return 'timeout';
  if (status === 409) return 'conflict';
  if (status === 503 || status === 529) return 'overloaded';
  return status >= 500 ? 'server_error' : `http_${status}`;
}

function reasonOfFailure(error: unknown): string {
  const { name, code, cause } = (error ?? {}) as { name?: unknown; code?: unknown; cause?: { code?: unknown } };
  if (name === 'AbortError' || name === 'TimeoutError') return 'timeout';
  const systemCode = cause?.code ?? code;
  if (systemCode === 'ECONNRESET' || systemCode === 'UND_ERR_SOCKET') return 'connection_reset';
  if (systemCode === 'ECONNREFUSED') return 'connection_refused';
  return refusalOfCode(systemCode) === undefined ? String(systemCode).toLowerCase() : 'connection_error';
}
