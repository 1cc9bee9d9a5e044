// A gateway in the process of a test, before an upstream that answers byte by byte as it is told, and a client that sees
// every byte.
import http from 'node:http';
import net from 'node:net';
import { readCommand, type Settings } from './options.ts';
import { type RunningGateway, startGateway } from './run.ts';

/** Settings by command line, on free ports. */
export function settingsOf(upstream: string, args: readonly string[] = []): Settings {
  const ports = ['--listen', '127.0.0.1:0', '--metrics-listen', '127.0.0.1:0'];
  const command = readCommand(['--upstream', upstream, ...ports, ...args]);
  if (command.kind !== 'serve') throw new Error('BUG: not a command to serve');
  return command.settings;
}

export async function gatewayBefore(upstream: string, args: readonly string[] = []): Promise<RunningGateway> {
  return startGateway(settingsOf(upstream, args), '0.0.0');
}

/** A server that answers with a function; its requests' raw heads and bodies are kept. */
export interface TestUpstream {
  readonly url: string;
  readonly server: http.Server;
  close(): Promise<void>;
}

export async function startUpstream(
  answer: (request: http.IncomingMessage, response: http.ServerResponse) => void,
  port = 0,
): Promise<TestUpstream> {
  const server = http.createServer({ maxHeaderSize: 65_536 }, answer);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  const url = `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  return {
    url,
    server,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** A server of bare bytes: each connection gets what the function gives for the bytes it sent. */
export async function startBare(onConnection: (socket: net.Socket) => void): Promise<{ url: string; close(): void }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    onConnection(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  return {
    url: `http://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Sends bare bytes and gives back all that comes until the connection ends. */
export function exchangeBytes(url: string, bytes: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = net.connect(Number(port), hostname, () => socket.write(bytes, 'latin1'));
    socket.on('data', (data) => parts.push(data));
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(Buffer.concat(parts).toString('latin1')));
  });
}

/** Asks as a client of a model does. @returns the answer's bytes, head and the error that broke it. */
export function post(
  url: string,
  body: object | Buffer,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: http.IncomingHttpHeaders; body: Buffer; isWhole: boolean }> {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const request = http.request(url, {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', 'content-length': bytes.length, ...headers },
    });
    request.on('error', reject);
    request.on('response', (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', () => undefined);
      answer.on('close', () =>
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          body: Buffer.concat(parts),
          isWhole: answer.complete,
        }),
      );
    });
    request.end(bytes);
  });
}

/** The gateway's metrics whose line begins so, as values by series. */
export async function readMetrics(gateway: RunningGateway, prefix: string): Promise<Record<string, number>> {
  const text = await (await fetch(`${gateway.metricsUrl}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(prefix));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

/** Waits until a condition holds; its last failure is thrown after ten seconds. */
export async function eventually(check: () => void | Promise<void>): Promise<void> {
  const until = Date.now() + 10_000;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > until) throw error;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
