import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { Collector } from './collector.ts';
import { ExporterError } from './error.ts';
import { CONTENT_TYPES, chooseFormat, formatFamilies } from './expose.ts';

/** An endpoint that listens. */
export interface Endpoint {
  /** Such as `http://127.0.0.1:9835`. */
  readonly url: string;
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 64;

/**
 * Serves `/metrics` from what the collector knows, so an answer takes no longer than writing it, whatever sources do;
 * `/-/healthy`, `/-/ready` and `/status`, which says in JSON how sources do and what is missing.
 *
 * @throws ExporterError `usage` where the address can't be listened on.
 */
export function serveMetrics(collector: Collector, host: string, port: number): Promise<Endpoint> {
  const server = http.createServer((request, response) => answer(collector, request, response));
  server.maxConnections = MOST_CONNECTIONS;
  server.requestTimeout = 10_000;
  server.headersTimeout = 10_000;
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(
        new ExporterError({
          code: 'usage',
          where: '--listen',
          got: `${host}:${port} (${(cause as { code?: string }).code})`,
          accepted: 'an address of this machine that nobody listens on',
          cause,
        }),
      ),
    );
    server.listen(port, host, () => {
      const { address, family, port: chosen } = server.address() as AddressInfo;
      resolve({
        url: `http://${family === 'IPv6' ? `[${address}]` : address}:${chosen}`,
        close: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeAllConnections();
          }),
      });
    });
  });
}

function answer(collector: Collector, request: http.IncomingMessage, response: http.ServerResponse): void {
  const route = (request.url ?? '/').split('?')[0];
  const send = (status: number, type: string, text: string): void => {
    const isZipped = text.length > 1024 && /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    const body = isZipped ? gzipSync(text, { level: 1 }) : Buffer.from(text);
    response.writeHead(status, {
      'content-type': type,
      'content-length': body.length,
      vary: 'Accept, Accept-Encoding',
      ...(isZipped ? { 'content-encoding': 'gzip' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    send(405, 'text/plain', 'only GET and HEAD\n');
    return;
  }
  switch (route) {
    case '/metrics': {
      const format = chooseFormat(request.headers.accept);
      send(200, CONTENT_TYPES[format], formatFamilies(collector.families(), format));
      return;
    }
    case '/-/healthy':
      send(200, 'text/plain', 'ok\n');
      return;
    case '/-/ready': {
      const isReady = collector.isReady();
      send(isReady ? 200 : 503, 'text/plain', isReady ? 'ok\n' : 'no source answers; see /status\n');
      return;
    }
    case '/status':
      send(200, 'application/json', `${JSON.stringify(collector.report(), undefined, 2)}\n`);
      return;
    case '/':
      send(200, 'text/plain', 'barograph-gpu-exporter: /metrics, /status, /-/healthy, /-/ready\n');
      return;
    default:
      send(404, 'text/plain', 'not found; there are /metrics, /status, /-/healthy and /-/ready\n');
  }
}
