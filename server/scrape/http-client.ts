import http from 'node:http';
import https from 'node:https';
import type { BodyRoom } from './body-room.ts';
import type { HttpConfig } from './config-parts.ts';
import { Credentials } from './credentials.ts';
import { failure, type ScrapeFailure } from './failure.ts';

/** A request for one body. */
export interface HttpAsk {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds for everything: connecting, redirects, the last byte of the body. */
  readonly timeoutMs: number;
  /** Bytes of the body as it arrives, at most. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
}

/** An answer with the status 200. */
export interface HttpAnswer {
  readonly kind: 'answer';
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  /** The body in the pieces in which it arrived, maybe compressed. */
  readonly chunks: readonly Buffer[];
  /** Of all pieces together. */
  readonly bytes: number;
  /** Gives the room back that the body takes. */
  readonly release: () => void;
}

/** As many as browsers and Go follow. */
const MAX_REDIRECTS = 10;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
/** What ends a connection that the other side has given up while it was idle. */
const LOST_CONNECTION = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);
/** Connections that nobody used for so long are closed, milliseconds: their target is gone, or rarely asked. */
const IDLE_MS = 900_000;
const KEPT = { keepAlive: true, timeout: IDLE_MS } as const;
/** How long connections with old certificates may still be used, milliseconds. */
const OLD_AGENT_MS = 600_000;

/** Asks the servers of one job by GET: connections are kept, secrets go to the address that was configured only. */
export class HttpClient {
  readonly #config: HttpConfig;
  readonly #credentials: Credentials;
  readonly #room: BodyRoom;
  readonly #plain = new http.Agent(KEPT);
  #secure: { readonly key: string; readonly agent: https.Agent } | undefined;

  /** @param directory what paths of secrets and certificates are relative to */
  constructor(config: HttpConfig, directory: string, room: BodyRoom) {
    this.#config = config;
    this.#credentials = new Credentials(config, directory);
    this.#room = room;
  }

  /** Ends idle connections. */
  close(): void {
    this.#plain.destroy();
    this.#secure?.agent.destroy();
  }

  /** Asks once; a failure is an answer too, never an exception. */
  async get(ask: HttpAsk): Promise<HttpAnswer | ScrapeFailure> {
    const endMs = performance.now() + ask.timeoutMs;
    let secrets: Record<string, string | string[]>;
    let agent: https.Agent;
    try {
      secrets = await this.#credentials.headers();
      agent = await this.#secureAgent();
    } catch (error) {
      return failure('credentials', `a file of the job's credentials or certificates can't be used (${codeOf(error)})`);
    }
    let { url } = ask;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const headers = url.origin === ask.url.origin ? { ...ask.headers, ...secrets } : ask.headers;
      const step = { ask, url, headers, agent: url.protocol === 'https:' ? agent : this.#plain, endMs };
      let outcome = await this.#request(step);
      if (outcome.kind === 'lost') outcome = await this.#request({ ...step, isRetry: true });
      switch (outcome.kind) {
        case 'lost':
          return failure('connection', 'the target closed the connection');
        case 'redirect':
          url = outcome.url;
          break;
        default:
          return outcome;
      }
    }
    return failure('redirect', `more than ${MAX_REDIRECTS} redirects`);
  }

  async #secureAgent(): Promise<https.Agent> {
    const { key, options } = await this.#credentials.tls();
    if (this.#secure?.key !== key) {
      // Destroying an agent ends the requests that use it, so the old one is left alone until they must be over.
      const old = this.#secure?.agent;
      if (old) setTimeout(() => old.destroy(), OLD_AGENT_MS).unref();
      this.#secure = { key, agent: new https.Agent({ ...options, ...KEPT }) };
    }
    return this.#secure.agent;
  }

  #request(step: Step): Promise<Outcome> {
    return new Promise((resolve) => {
      const { ask, url, headers, agent } = step;
      const exchange = new Exchange(step, this.#room, this.#config.follow_redirects, resolve);
      const { request: open } = url.protocol === 'https:' ? https : http;
      try {
        exchange.start(open(url, { method: 'GET', agent, headers: { ...headers } }), ask.signal);
      } catch {
        // Node refuses header values with control characters, and says them in its message.
        exchange.end(failure('credentials', "a header of the job can't be sent: it has characters that HTTP forbids"));
      }
    });
  }
}

interface Step {
  readonly ask: HttpAsk;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly agent: http.Agent;
  /** On the clock of `performance.now()`. */
  readonly endMs: number;
  readonly isRetry?: boolean;
}

type Outcome =
  | HttpAnswer
  | ScrapeFailure
  | { readonly kind: 'redirect'; readonly url: URL }
  /** A kept connection was gone before anything was answered; asking again is safe. */
  | { readonly kind: 'lost' };

/** One request and its answer; resolves once, whatever comes first. */
class Exchange {
  readonly #step: Step;
  readonly #room: BodyRoom;
  readonly #followRedirects: boolean;
  #resolve: ((outcome: Outcome) => void) | undefined;
  #request: http.ClientRequest | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasAnswer = false;
  #stopListening: () => void = () => {};
  #release: () => void = () => {};

  constructor(step: Step, room: BodyRoom, followRedirects: boolean, resolve: (outcome: Outcome) => void) {
    this.#step = step;
    this.#room = room;
    this.#followRedirects = followRedirects;
    this.#resolve = resolve;
  }

  start(request: http.ClientRequest, signal: AbortSignal | undefined): void {
    this.#request = request;
    const leftMs = Math.max(0, this.#step.endMs - performance.now());
    this.#timer = setTimeout(() => this.end(timedOut(this.#step.ask.timeoutMs)), leftMs);
    const onAbort = (): void => this.end(failure('connection', 'the target is no longer scraped'));
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#stopListening = () => signal?.removeEventListener('abort', onAbort);
    if (signal?.aborted) onAbort();
    request.on('response', (response) => this.#answered(response));
    request.on('error', (error) => this.#failed(error));
    request.end();
  }

  /** Ends the exchange with an outcome; what comes later is ignored. */
  end(outcome: Outcome): void {
    const resolve = this.#resolve;
    if (resolve === undefined) return;
    this.#resolve = undefined;
    clearTimeout(this.#timer);
    this.#stopListening();
    if (outcome.kind !== 'answer') {
      this.#release();
      this.#request?.destroy();
    }
    resolve(outcome);
  }

  #failed(error: Error): void {
    const code = codeOf(error);
    const wasKept = this.#request?.reusedSocket === true && !this.#hasAnswer && this.#step.isRetry !== true;
    if (wasKept && LOST_CONNECTION.has(code)) this.end({ kind: 'lost' });
    else this.end(failure('connection', connectionText(code, error)));
  }

  #answered(response: http.IncomingMessage): void {
    this.#hasAnswer = true;
    response.on('error', (error) => this.#failed(error));
    const status = response.statusCode ?? 0;
    const { location } = response.headers;
    if (this.#followRedirects && REDIRECTS.has(status) && location !== undefined) {
      const next = URL.parse(location, this.#step.url.href);
      const isWeb = next?.protocol === 'http:' || next?.protocol === 'https:';
      this.end(next && isWeb ? { kind: 'redirect', url: next } : failure('redirect', 'a redirect to no HTTP address'));
      return;
    }
    if (status !== 200) {
      const text = http.STATUS_CODES[status];
      this.end(failure('status', `server returned HTTP status ${status}${text === undefined ? '' : ` ${text}`}`));
      return;
    }
    this.#read(response);
  }

  #read(response: http.IncomingMessage): void {
    const { maxBytes } = this.#step.ask;
    const tooLarge = failure('body_size', `body size limit exceeded: more than ${maxBytes} bytes`);
    if (Number(response.headers['content-length'] ?? 0) > maxBytes) {
      this.end(tooLarge);
      return;
    }
    const claim = this.#room.claim(() => this.end(failure('memory', 'bodies of scrapes take all the memory they may')));
    this.#release = claim.release;
    const chunks: Buffer[] = [];
    let bytes = 0;
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        this.end(tooLarge);
        return;
      }
      chunks.push(chunk);
      claim.add(chunk.length);
    });
    response.on('end', () => {
      this.end({
        kind: 'answer',
        contentType: response.headers['content-type'],
        contentEncoding: response.headers['content-encoding'],
        chunks,
        bytes,
        release: claim.release,
      });
    });
  }
}

function timedOut(timeoutMs: number): ScrapeFailure {
  return failure('timeout', `context deadline exceeded: no whole answer within ${timeoutMs} ms`);
}

/** The code of an error of the system; of several addresses' errors the first one's. */
function codeOf(error: unknown): string {
  const { code, errors } = error as { code?: unknown; errors?: readonly { code?: unknown }[] };
  const found = code ?? errors?.[0]?.code;
  return typeof found === 'string' ? found : 'unknown error';
}

const CONNECTION_TEXTS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by the target',
  EHOSTUNREACH: 'no route to the host',
  ENETUNREACH: 'network is unreachable',
  ENOTFOUND: 'no such host',
  EAI_AGAIN: 'the name server does not answer',
  EPIPE: 'connection closed by the target',
};

function connectionText(code: string, error: Error): string {
  const known = CONNECTION_TEXTS[code];
  if (known !== undefined) return known;
  // Messages about TLS say what was wrong with a certificate; those of the HTTP parser what it didn't expect.
  const isTls = /CERT|TLS|SSL|SELF_SIGNED|ALTNAME|UNABLE_TO/.test(code);
  return isTls
    ? `TLS: ${error.message.slice(0, 200)} (${code})`
    : code.startsWith('HPE_')
      ? `not HTTP (${code})`
      : code;
}
