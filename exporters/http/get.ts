import http from 'node:http';
import https from 'node:https';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip } from 'node:zlib';
import { connectionWord, ExporterError } from '../error.ts';

const MAX_REDIRECTS = 3;

/** What a request needs. */
export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** For everything: connecting, redirects, the whole body; milliseconds. The signal alone without it. */
  readonly timeoutMs?: number;
  /** Most bytes of the body, unpacked. */
  readonly maxBytes: number;
  /** Certificates of authorities, PEM; the runtime's own list without it. */
  readonly ca?: string;
  readonly insecureSkipVerify?: boolean;
  readonly signal?: AbortSignal;
}

/** An answer that was read to its end. */
export interface Got {
  readonly status: number;
  /** The media type in lower case without its parameters. */
  readonly type: string;
  readonly body: Buffer;
}

const AGENTS = { keepAlive: true, keepAliveMsecs: 30_000, maxFreeSockets: 4 } as const;

/** Asks servers by HTTP and keeps connections open between requests. */
export class HttpGetter {
  readonly #http = new http.Agent(AGENTS);
  readonly #https = new https.Agent(AGENTS);

  /**
   * Reads an answer, whatever its status. Redirects are followed as long as they stay on the host, so that a token never
   * goes elsewhere.
   * @throws ExporterError `timeout`, `unreachable`, `too_large`, `bad_redirect`.
   */
  async get(url: URL, options: GetOptions): Promise<Got> {
    const timeout = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
    const signal = AbortSignal.any([timeout, options.signal].filter((one) => one !== undefined));
    let at = url;
    try {
      for (let redirects = 0; ; redirects++) {
        const answer = await this.#ask(at, options, signal);
        if (answer.location === undefined) return answer.got;
        const next = new URL(answer.location, at);
        if (redirects >= MAX_REDIRECTS || next.host !== at.host || next.protocol !== at.protocol) {
          const accepted = `at most ${MAX_REDIRECTS} redirects on the same host`;
          throw new ExporterError({ code: 'bad_redirect', where: shownUrl(url), got: 'another redirect', accepted });
        }
        at = next;
      }
    } catch (error) {
      if (error instanceof ExporterError) throw error;
      const where = shownUrl(url);
      if (signal.aborted) {
        const got =
          options.timeoutMs === undefined ? 'no answer in time' : `no whole answer in ${options.timeoutMs} ms`;
        throw new ExporterError({ code: 'timeout', where, got, cause: error });
      }
      throw new ExporterError({ code: 'unreachable', where, got: connectionWord(error), cause: error });
    }
  }

  /** Closes the connections that wait for the next request. */
  close(): void {
    this.#http.destroy();
    this.#https.destroy();
  }

  #ask(url: URL, options: GetOptions, signal: AbortSignal): Promise<{ got: Got; location?: string }> {
    return new Promise((resolve, reject) => {
      const isTls = url.protocol === 'https:';
      const request = (isTls ? https : http).request(
        url,
        {
          agent: isTls ? this.#https : this.#http,
          headers: { 'user-agent': 'barograph-exporter', 'accept-encoding': 'gzip', ...options.headers },
          signal,
          ...(options.ca === undefined ? {} : { ca: options.ca }),
          ...(options.insecureSkipVerify ? { rejectUnauthorized: false } : {}),
        },
        (response) => {
          const status = response.statusCode ?? 0;
          const { location } = response.headers;
          if (status >= 300 && status < 400 && location !== undefined) {
            response.resume();
            resolve({ got: { status, type: '', body: Buffer.alloc(0) }, location });
            return;
          }
          const type = (response.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
          readBody(response, options.maxBytes, url).then((body) => resolve({ got: { status, type, body } }), reject);
        },
      );
      request.on('error', reject);
      request.end();
    });
  }
}

async function readBody(response: http.IncomingMessage, maxBytes: number, url: URL): Promise<Buffer> {
  const unpacked = unpack(response);
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of unpacked as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        const got = `more than ${maxBytes} bytes`;
        throw new ExporterError({
          code: 'too_large',
          where: shownUrl(url),
          got,
          accepted: `at most ${maxBytes} bytes`,
        });
      }
      chunks.push(chunk);
    }
  } finally {
    if (!response.complete) response.destroy();
  }
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, bytes);
}

function unpack(response: http.IncomingMessage): http.IncomingMessage | Transform {
  const encoding = response.headers['content-encoding'];
  if (encoding !== 'gzip' && encoding !== 'br') return response;
  const inflate = encoding === 'gzip' ? createGunzip() : createBrotliDecompress();
  response.on('error', (error) => inflate.destroy(error));
  return response.pipe(inflate);
}

/** A URL as messages may show it: without a password and without its query. */
export function shownUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

const MOST_TEXT_BYTES = 16 * 1024 * 1024;

/**
 * Asks an exporter for a text of at most 16 MiB; 16 GPUs with every field of DCGM make 0.3 MiB.
 *
 * @param where How errors name the place.
 * @throws ExporterError `http_status` (another one than 200) and what `HttpGetter.get` throws.
 */
export async function getText(getter: HttpGetter, where: string, url: URL, signal: AbortSignal): Promise<string> {
  const { status, body } = await getter
    .get(url, { headers: { accept: 'text/plain;version=0.0.4' }, maxBytes: MOST_TEXT_BYTES, signal })
    .catch((error: unknown) => {
      throw error instanceof ExporterError ? error.at(where) : error;
    });
  if (status !== 200)
    throw new ExporterError({ code: 'http_status', where: `${where} › ${shownUrl(url)}`, got: `HTTP ${status}` });
  return body.toString('utf8');
}
