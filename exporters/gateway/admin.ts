import http from 'node:http';
import { type Address, listen } from './gateway.ts';

/** Serves /metrics and /-/healthy, apart from the port that is passed on: an upstream may have paths of these names. */
export async function startAdmin(
  address: Address,
  metricsText: () => Promise<string>,
): Promise<{ readonly url: string; readonly server: http.Server }> {
  const server = http.createServer((request, response) => {
    const send = (status: number, text: string, type = 'text/plain; charset=utf-8'): void => {
      response.writeHead(status, { 'content-type': type }).end(request.method === 'HEAD' ? undefined : text);
    };
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(405, 'only GET and HEAD\n');
    switch (request.url?.split('?')[0]) {
      case '/metrics':
        metricsText().then(
          (text) => send(200, text, 'text/plain; version=0.0.4; charset=utf-8'),
          () => send(500, 'internal error\n'),
        );
        return;
      case '/-/healthy':
        return send(200, 'ok\n');
      case '/':
        return send(200, 'Barograph gateway: /metrics, /-/healthy\n');
      default:
        return send(404, 'not found; there are /metrics and /-/healthy\n');
    }
  });
  server.maxConnections = 64;
  return { url: await listen(server, address, '--metrics-listen'), server };
}
