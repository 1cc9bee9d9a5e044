import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { BarographError } from '../model/index.ts';
import type { OtlpReceiver } from './otlp.ts';

/** The header that names a tenant, as Mimir, Loki and Tempo have it; over gRPC it is metadata of the same name. */
export const TENANT_HEADER = 'x-scope-orgid';

/** What a tenant's requests are answered by. The servers are ready and don't listen. */
export interface TenantServers {
  readonly http: FastifyInstance;
  readonly otlpHttp: FastifyInstance;
  readonly otlp: OtlpReceiver;
}

/** The tenants of this process. */
export interface TenantDirectory {
  /** Names of the tenants that there are, sorted. */
  readonly names: readonly string[];
  /** What answers requests that are nobody's in particular: the page, readiness, the program's own metrics. */
  readonly shared: FastifyInstance;
  /**
   * What answers a tenant's requests.
   * @param creates Whether a tenant that isn't there yet begins with this request.
   * @throws BarographError `unknown_tenant`, `too_many_tenants`.
   */
  find(name: string, creates: boolean): Promise<TenantServers>;
}

/** A listening server that gives each request to its tenant. */
export interface TenantListener {
  /** `http://host:port`. */
  readonly url: string;
  close(): Promise<void>;
}

const MAX_NAME_BYTES = 150;
/** The characters that Mimir, Loki and Tempo accept, without `|`, which joins several tenants there. */
const NAME = /^[A-Za-z0-9!\-_.*'()]+$/;

/**
 * The name in a tenant header.
 * @throws BarographError `no_tenant` (401), `bad_tenant` (400).
 */
export function tenantName(header: string | undefined): string {
  if (header === undefined || header === '') {
    throw new BarographError({
      code: 'no_tenant',
      status: 401,
      where: 'X-Scope-OrgID',
      got: 'no org id',
      accepted: 'the name of one tenant',
      fix: 'send the header X-Scope-OrgID (Grafana: a custom HTTP header of the data source), or set tenants.enabled to false',
    });
  }
  if (NAME.test(header) && header.length <= MAX_NAME_BYTES && header !== '.' && header !== '..') return header;
  throw new BarographError({
    code: 'bad_tenant',
    status: 400,
    where: 'X-Scope-OrgID',
    got: header.includes('|') ? 'several tenants, joined by |' : 'a name that no tenant can have',
    accepted: `one name of at most ${MAX_NAME_BYTES} characters: letters, digits and ! - _ . * ' ( )`,
  });
}

/** Requests that write; the first of them may begin a tenant. */
const WRITES = /^(?:\/api\/v1\/write|\/loki\/api\/v1\/push|(?:\/otlp|\/api\/v1\/otlp)?\/v1\/(?:metrics|logs|traces))$/;
/** Requests that are no tenant's. */
const SHARED =
  /^(?:\/|\/index\.html|\/assets\/.*|\/favicon[^/]*|\/metrics|\/ready|\/-\/(?:ready|healthy)|\/version|\/api\/barograph\/v1\/(?:pane|tenants))$/;

/** What a tenants' server keeps to. */
export interface TenantListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** A bearer token that every request must carry, or `undefined`. */
  readonly token: string | undefined;
  /** Which of a tenant's servers it stands before. */
  readonly serves: 'http' | 'otlpHttp';
  readonly maxHeaderBytes: number;
}

/** Milliseconds that a connection stays open without a request: above the minute after which proxies close theirs. */
const KEEP_ALIVE_MS = 72_000;

/** Starts a server that hands each request to the server of the tenant that it names. */
export async function listenForTenants(
  directory: TenantDirectory,
  { host, port, token, serves, maxHeaderBytes }: TenantListenOptions,
): Promise<TenantListener> {
  const expected = token === undefined ? undefined : `Bearer ${token}`;
  async function route(request: IncomingMessage, reply: ServerResponse): Promise<void> {
    const [path] = (request.url ?? '/').split('?', 1);
    if (serves === 'http' && SHARED.test(path)) {
      directory.shared.routing(request, reply);
      return;
    }
    // Nobody may make or look for tenants who may not ask at all.
    if (expected !== undefined && request.headers.authorization !== expected) {
      reply.writeHead(401, { 'content-type': 'text/plain; charset=utf-8' });
      reply.end('Authorization: accepted is Bearer with the configured server.token\n');
      return;
    }
    const header = request.headers[TENANT_HEADER];
    const name = tenantName(Array.isArray(header) ? header.join('|') : header);
    const tenant = await directory.find(name, request.method === 'POST' && WRITES.test(path));
    tenant[serves].routing(request, reply);
  }
  const server = http.createServer({ maxHeaderSize: maxHeaderBytes }, (request, reply) => {
    route(request, reply).catch((error: unknown) => refuse(request, reply, error));
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const { port: bound } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Says why a request reached no tenant, in the words of Prometheus's envelope, which carries a text for others as well. */
function refuse(request: IncomingMessage, reply: ServerResponse, error: unknown): void {
  const known = error instanceof BarographError ? error : undefined;
  const status = known?.status ?? 500;
  const message = known?.message ?? 'an unexpected error; nothing of the request was acknowledged';
  request.resume();
  if (reply.headersSent) {
    reply.destroy();
    return;
  }
  const headers: http.OutgoingHttpHeaders = { 'content-type': 'application/json; charset=utf-8' };
  if (status === 429 || status === 503) headers['retry-after'] = '30';
  reply.writeHead(status, headers);
  reply.end(JSON.stringify({ status: 'error', errorType: known?.code ?? 'internal', error: message, message }));
}
