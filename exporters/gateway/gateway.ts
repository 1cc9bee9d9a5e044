import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { GatewayError } from './error.ts';
import { Exchange, type ExchangeHost } from './exchange.ts';
import { openTunnel } from './tunnel.ts';
import { MAX_HEAD_BYTES } from './upstream.ts';

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Idle connections of clients are kept longer than most clients keep them, so that it isn't the gateway that closes. */
const KEEP_ALIVE_MS = 75_000;
const HEAD_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 600_000;

/** A reverse proxy that listens. */
export class Gateway {
  readonly #server: http.Server;
  readonly #host: ExchangeHost;
  readonly #tunnels = new Set<Socket>();

  constructor(host: ExchangeHost, maxConnections: number) {
    this.#host = host;
    const { own } = host.limits;
    this.#server = http.createServer({
      maxHeaderSize: MAX_HEAD_BYTES,
      keepAliveTimeout: KEEP_ALIVE_MS,
      headersTimeout: HEAD_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      noDelay: true,
      // Offers such as h2c needn't be taken: the request goes on as the plain one that it also is.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    });
    this.#server.maxConnections = maxConnections;
    this.#server.on('drop', () => own.refusedConnections++);
    const begin = (expectsContinue: boolean) => (request: http.IncomingMessage, response: http.ServerResponse) =>
      new Exchange(host, request, response, expectsContinue).start();
    this.#server.on('request', begin(false));
    this.#server.on('checkExpectation', begin(false));
    this.#server.on('checkContinue', begin(true));
    this.#server.on('upgrade', (request, socket: Socket, head) => {
      this.#tunnels.add(socket);
      socket.once('close', () => this.#tunnels.delete(socket));
      openTunnel(host.upstream, own, request, socket, head);
    });
  }

  /** @throws GatewayError `listen` where the address can't be had. */
  async listen(address: Address): Promise<string> {
    return listen(this.#server, address, '--listen');
  }

  /** Takes no more requests, waits for those that are on their way for `drainMs` at most, and ends. */
  async close(drainMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    for (const socket of this.#tunnels) socket.destroy();
    const timer = setTimeout(() => this.#server.closeAllConnections(), drainMs);
    await closed;
    clearTimeout(timer);
    this.#host.upstream.close();
  }
}

/** Listens. @returns the server's URL. @throws GatewayError `listen`. */
export async function listen(server: http.Server, { host, port }: Address, option: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: { code?: string }) =>
      reject(
        new GatewayError({
          code: 'listen',
          where: `${host}:${port}`,
          got: error.code,
          fix: `choose another one by ${option}`,
        }),
      ),
    );
    server.listen(port, host, () => resolve());
  });
  const { address, port: taken } = server.address() as AddressInfo;
  return `http://${address.includes(':') ? `[${address}]` : address}:${taken}`;
}
