import type { Instrumentation } from '../instrumentation.ts';
import type { Labels } from '../labels.ts';

/** How a provider's client is observed. Everything may be left out. */
export interface ObserveOptions {
  /** Labels of every request of this client. */
  readonly labels?: Labels;
  /** The kind of prompts, as a short code. */
  readonly prompt_class?: string;
  /** OpenTelemetry's name of the provider; the default follows from the client's address. */
  readonly provider?: string;
  /**
   * OpenAI only: asks for usage at the end of streams (default false). Without it, or the caller's own
   * `stream_options.include_usage`, OpenAI's streams say nothing of tokens. The chunk that holds it is kept from the
   * caller, who didn't ask for it. Not every server accepts the option.
   */
  readonly requestUsage?: boolean;
  readonly instrumentation?: Instrumentation;
}

const OBSERVED = Symbol.for('barograph.sdk.observed');

/** Marks a client as observed; false where it was already. */
export function markObserved(client: object): boolean {
  if (OBSERVED in client) return false;
  Object.defineProperty(client, OBSERVED, { value: true });
  return true;
}

/** Observes the copies that a client makes of itself with other options (`withOptions`) as well. */
export function observeCopies<Client extends object>(client: Client, observe: (copy: Client) => Client): void {
  const copier = client as { withOptions?: (...options: unknown[]) => Client };
  const withOptions = copier.withOptions?.bind(client);
  if (withOptions) copier.withOptions = (...options) => observe(withOptions(...options));
}

/** A text that isn't empty; undefined for anything else. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Whether a client's answer is yet to come. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** Whether an answer is a stream that is yet to be read. */
export function isStream(value: unknown): value is AsyncIterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** Host and port of a base URL; nothing where it is none. */
export function serverOf(baseUrl: unknown): { serverAddress?: string; serverPort?: number } {
  if (typeof baseUrl !== 'string' || !URL.canParse(baseUrl)) return {};
  const { hostname, port, protocol } = new URL(baseUrl);
  return { serverAddress: hostname, serverPort: Number(port) || (protocol === 'http:' ? 80 : 443) };
}

/** Whether a piece of output has anything in it; this is all that is ever looked at of it. */
export function isNonEmpty(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0;
}
