import http from 'node:http';
import https from 'node:https';
import type { RawHeaders } from './headers.ts';

/** Largest head of a request or an answer; bytes. Node's own limit of 16 KiB is less than some providers send. */
export const MAX_HEAD_BYTES = 64 * 1024;
/** Connections that are kept for later requests; more are closed when they fall idle. */
const MAX_IDLE_CONNECTIONS = 512;

/** How the upstream is reached. */
export interface UpstreamSettings {
  /** Scheme, host, port, and a path that is put before each request's. */
  readonly url: URL;
  /** PEM certificates beside or instead of the system's. */
  readonly ca?: string;
  readonly insecureSkipVerify: boolean;
  readonly connectTimeoutMs: number;
  /** Until the head of the answer. */
  readonly firstByteTimeoutMs: number;
  /** Between two pieces of an answer, and of a client that doesn't read. */
  readonly idleTimeoutMs: number;
  /** Whether a request is sent again whose pooled connection turned out to be closed. */
  readonly resends: boolean;
}

/** The upstream with its pool of connections. */
export class Upstream {
  readonly settings: UpstreamSettings;
  readonly host: string;
  readonly port: number;
  readonly #agent: http.Agent;
  readonly #isTls: boolean;
  readonly #basePath: string;

  constructor(settings: UpstreamSettings) {
    this.settings = settings;
    const { url, ca, insecureSkipVerify } = settings;
    this.#isTls = url.protocol === 'https:';
    this.host = url.hostname.replace(/^\[|\]$/g, '');
    this.port = Number(url.port) || (this.#isTls ? 443 : 80);
    this.#basePath = url.pathname.replace(/\/$/, '');
    // The last connection first, so that the others fall idle and are closed.
    const pool = { keepAlive: true, scheduling: 'lifo', maxFreeSockets: MAX_IDLE_CONNECTIONS } as const;
    this.#agent = this.#isTls
      ? new https.Agent({ ...pool, ca, rejectUnauthorized: !insecureSkipVerify })
      : new http.Agent(pool);
  }

  /** The value of `Host` for requests to it. */
  get hostHeader(): string {
    return this.settings.url.host;
  }

  /** Begins a request. @param headers complete, but for those of the connection */
  request(method: string, target: string, headers: RawHeaders): http.ClientRequest {
    const { request } = this.#isTls ? https : http;
    const sent = request({
      agent: this.#agent,
      host: this.host,
      port: this.port,
      method,
      path: this.#pathOf(target),
      headers: headers as string[],
      setHost: false,
      maxHeaderSize: MAX_HEAD_BYTES,
    });
    this.#watchConnecting(sent);
    return sent;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** A target in absolute form names a host, which is the upstream whatever it says. */
  #pathOf(target: string): string {
    if (target === '*' || target.startsWith('/')) return this.#basePath + target;
    const path = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*([/?].*)?$/i.exec(target)?.[1] ?? '/';
    return this.#basePath + (path.startsWith('/') ? path : `/${path}`);
  }

  #watchConnecting(request: http.ClientRequest): void {
    request.on('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => request.destroy(timeoutError()), this.settings.connectTimeoutMs);
      const clear = (): void => clearTimeout(timer);
      socket.once(this.#isTls ? 'secureConnect' : 'connect', clear);
      socket.once('close', clear);
    });
  }
}

/** What ends a request that waited too long. */
export function timeoutError(): Error {
  return Object.assign(new Error('the upstream took too long'), { code: 'ETIMEDOUT' });
}
