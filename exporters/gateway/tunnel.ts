import type http from 'node:http';
import type { Duplex } from 'node:stream';
import { errorBody, failureOf, messageOf } from './error.ts';
import { endToEnd, withHeader } from './headers.ts';
import type { OwnMetrics } from './own-metrics.ts';
import { timeoutError, type Upstream } from './upstream.ts';

/** Passes a connection on that changes its protocol, WebSocket mostly: bytes both ways, unmeasured. */
export function openTunnel(
  upstream: Upstream,
  own: OwnMetrics,
  request: http.IncomingMessage,
  client: Duplex,
  head: Buffer,
): void {
  const headers = withHeader(endToEnd(request.rawHeaders, request.headers.connection), 'host', upstream.hostHeader);
  headers.push('Connection', 'Upgrade', 'Upgrade', request.headers.upgrade ?? '');
  const sent = upstream.request(request.method ?? 'GET', request.url ?? '/', headers);
  sent.setTimeout(upstream.settings.firstByteTimeoutMs, () => sent.destroy(timeoutError()));
  client.on('error', () => undefined);
  const leave = (): void => {
    sent.destroy();
  };
  client.once('close', leave);
  sent.on('upgrade', (answer, socket, first) => {
    own.tunnels++;
    sent.setTimeout(0);
    socket.setTimeout(0);
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    client.write(headOf(answer, answer.rawHeaders), 'latin1');
    if (first.length > 0) client.write(first);
    if (head.length > 0) socket.write(head);
    client.pipe(socket).pipe(client);
    client.once('close', () => socket.destroy());
    socket.once('close', () => client.destroy());
  });
  // The upstream doesn't change the protocol and says so as it says anything else.
  sent.on('response', (answer) => {
    const kept = endToEnd(answer.rawHeaders, answer.headers.connection);
    client.write(headOf(answer, [...kept, 'Connection', 'close']), 'latin1');
    answer.pipe(client);
  });
  sent.on('error', (error) => {
    const { code, status } = failureOf(error);
    own.failed(code);
    const body = errorBody('openai', code, messageOf(code));
    const reason = status === 504 ? 'Gateway Timeout' : 'Bad Gateway';
    if (client.writable)
      client.end(
        `HTTP/1.1 ${status} ${reason}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
          `X-Barograph-Gateway-Error: ${code}\r\nConnection: close\r\n\r\n${body.toString()}`,
      );
  });
  sent.end();
}

function headOf({ statusCode, statusMessage }: http.IncomingMessage, raw: readonly string[]): string {
  let text = `HTTP/1.1 ${statusCode} ${statusMessage}\r\n`;
  for (let i = 0; i < raw.length; i += 2) text += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return `${text}\r\n`;
}
