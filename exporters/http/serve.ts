import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { ExporterError } from '../error.ts';

const MOST_CONNECTIONS = 256;
const LEAST_ZIPPED_CHARACTERS = 1024;
const TEXT = 'text/plain; charset=utf-8';
const pack = promisify(gzip);

/** An answer of a route. */
export interface Answer {
  /** 200 without it. */
  readonly status?: number;
  /** Plain text without it. */
  readonly type?: string;
  readonly body: string;
}

/** What answers by path. */
export type Routes = Readonly<Record<string, (request: http.IncomingMessage) => Answer | Promise<Answer>>>;

/** An endpoint that listens. */
export interface Endpoint {
  /** Such as `http://127.0.0.1:9836`. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves routes, `/-/healthy` and a page that names them all. Answers are zipped for whoever takes that.
 *
 * @param name The program's name.
 * @throws ExporterError `listen` where the address can't be had.
 */
export async function serveRoutes(
  name: string,
  { host, port }: { readonly host: string; readonly port: number },
  routes: Routes,
): Promise<Endpoint> {
  const all: Routes = { ...routes, '/-/healthy': () => ({ body: 'ok\n' }) };
  const paths = Object.keys(all).join(', ');
  const server = http.createServer((request, response) => {
    route(request, all, name, paths)
      .catch((): Answer => ({ status: 500, body: 'internal error\n' }))
      .then((answer) => send(request, response, answer))
      .catch(() => response.destroy());
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.requestTimeout = 30_000;
  server.headersTimeout = 10_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: { code?: string }) =>
      reject(
        new ExporterError({
          code: 'listen',
          where: '--listen',
          got: `${host}:${port} (${cause.code})`,
          accepted: 'an address of this machine that nobody listens on',
          cause,
        }),
      ),
    );
    server.listen(port, host, () => resolve());
  });
  const { address, family, port: chosen } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${chosen}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

async function route(request: http.IncomingMessage, routes: Routes, name: string, paths: string): Promise<Answer> {
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, body: 'only GET and HEAD\n' };
  const path = (request.url ?? '/').split('?')[0];
  if (Object.hasOwn(routes, path)) return routes[path](request);
  if (path === '/') return { body: `${name}: ${paths}\n` };
  return { status: 404, body: `not found; there are ${paths}\n` };
}

async function send(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { status = 200, type = TEXT, body }: Answer,
): Promise<void> {
  const takesZipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
  const isZipped = takesZipped && body.length > LEAST_ZIPPED_CHARACTERS;
  const bytes = isZipped ? await pack(body, { level: 1 }) : Buffer.from(body);
  response.writeHead(status, {
    'content-type': type,
    'content-length': bytes.length,
    vary: 'Accept, Accept-Encoding',
    ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
  });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
