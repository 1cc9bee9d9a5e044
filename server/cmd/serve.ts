import type { FastifyInstance } from 'fastify';
import {
  BodyBudget,
  listenForTenants,
  MAX_HEADER_BYTES,
  startOtlpGrpc,
  type TenantListener,
  tenantName,
} from '../api/index.ts';
import type { Config } from '../config/index.ts';
import { BarographError } from '../model/index.ts';
import { createLogger, LogTap } from '../telemetry/index.ts';
import type { ReadPolicy } from './policy-source.ts';
import { type House, openTenant } from './tenant.ts';
import { Tenants } from './tenants.ts';

/** How many bodies of the largest size may be in flight at once. */
const BODIES_IN_FLIGHT = 4;

/** A running program. */
export interface Running {
  /** `http://host:port` of the API. */
  readonly url: string;
  /** `http://host:port` of OTLP over HTTP. */
  readonly otlpHttpUrl: string;
  /** `host:port` of OTLP over gRPC. */
  readonly otlpGrpcAddress: string;
  /** Stops accepting, commits what waits, closes the files. */
  close(): Promise<void>;
}

/**
 * Starts everything that a configuration asks for; resolves once it listens.
 * @param readPolicy reads the policy from its files, now and whenever they change; without it the configuration's holds
 */
export async function serve(config: Config, readPolicy?: () => ReadPolicy): Promise<Running> {
  const logged = new LogTap();
  const log = createLogger(config.log_level, logged);
  const startedMs = Date.now();
  const { changes, tenants } = config.govern;
  const read = readPolicy ?? ((): ReadPolicy => ({ changes, tenants, files: [] }));
  const { host, token, max_body_bytes: maxBodyBytes } = config.server;
  const targets = { url: '', otlpHttpUrl: '', otlpGrpcAddress: '', token };
  const bodies = new BodyBudget(BODIES_IN_FLIGHT * maxBodyBytes);
  const house: House = { config, log, logged, startedMs, bodies, targets: () => targets };
  const rooms = config.tenants.enabled ? await openForTenants(house, read) : await openForAll(house, read);
  /** What listens, to be closed again if something after it can't. */
  const open: { close(): Promise<void> }[] = [];
  const keep = <T extends { close(): Promise<void> }>(one: T): T => {
    open.push(one);
    return one;
  };
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= Promise.all(open.map((one) => one.close())).then(() => rooms.close());
    return closing;
  };
  try {
    const { url } = keep(await rooms.listen('http', config.server.port, 'server.port'));
    const { url: otlpHttpUrl } = keep(
      await rooms.listen('otlpHttp', config.server.otlp_http_port, 'server.otlp_http_port'),
    );
    const grpcOptions = { host, port: config.server.otlp_grpc_port, token };
    const grpc = keep(await startOtlpGrpc(rooms.receiverOf, grpcOptions));
    const otlpGrpcAddress = `${host.includes(':') ? `[${host}]` : host}:${grpc.port}`;
    Object.assign(targets, { url, otlpHttpUrl, otlpGrpcAddress });
    await rooms.start();
    const startMs = Date.now() - startedMs;
    const { data } = config;
    log.info({ url, otlpHttpUrl, otlpGrpcAddress, data, series: rooms.seriesCount(), startMs }, 'listening');
    return { url, otlpHttpUrl, otlpGrpcAddress, close: () => close().then(() => log.info('stopped')) };
  } catch (error) {
    // Without this the store's threads would keep a process alive that serves nobody.
    await close();
    throw error;
  }
}

/** What listens and answers, with tenants or without. */
interface Rooms {
  listen(serves: 'http' | 'otlpHttp', port: number, key: string): Promise<TenantListener>;
  readonly receiverOf: Parameters<typeof startOtlpGrpc>[0];
  readonly seriesCount: () => number;
  start(): Promise<void>;
  close(): Promise<void>;
}

/** One store for everybody; a tenant header means nothing. */
async function openForAll(house: House, readPolicy: () => ReadPolicy): Promise<Rooms> {
  const { config } = house;
  const { data: directory, retention } = config;
  // What is wrong with the policy is said before anything is opened.
  const policy = readPolicy();
  const all = await openTenant(house, { name: undefined, directory, retention, scrapes: true, policy, readPolicy });
  return {
    listen: (serves, port, key) => listen(all[serves], config.server.host, port, key),
    receiverOf: () => all.otlp,
    seriesCount: () => all.store.series.size,
    start: () => all.start(),
    close: () => all.close(),
  };
}

/** A store for each tenant. */
async function openForTenants(house: House, readPolicy: () => ReadPolicy): Promise<Rooms> {
  const { host, token } = house.config.server;
  readPolicy();
  const tenants = await Tenants.open(house, readPolicy);
  return {
    async listen(serves, port, key) {
      const options = { host, port, token, serves, maxHeaderBytes: MAX_HEADER_BYTES };
      return listenForTenants(tenants, options).catch((cause: unknown) =>
        Promise.reject(listenError(cause, host, port, key)),
      );
    },
    receiverOf: async (header) => (await tenants.find(tenantName(header), true)).otlp,
    seriesCount: () => tenants.seriesCount,
    start: () => tenants.start(),
    close: () => tenants.close(),
  };
}

async function listen(app: FastifyInstance, host: string, port: number, key: string): Promise<TenantListener> {
  try {
    return { url: await app.listen({ host, port }), close: () => app.close() };
  } catch (cause) {
    throw listenError(cause, host, port, key);
  }
}

function listenError(cause: unknown, host: string, port: number, key: string): BarographError {
  return new BarographError({
    code: 'listen',
    status: 500,
    where: `configuration › ${key}`,
    got: `${host}:${port}, which can't be listened on (${(cause as { code?: string }).code ?? 'unknown'})`,
    fix: 'stop the program that has the port, or choose another port',
    cause,
  });
}
