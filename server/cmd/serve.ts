import os from 'node:os';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { BodyBudget, createHttpServer, createOtlpHttpServer, startOtlpGrpc } from '../api/index.ts';
import { CANARY_NAME, Canary } from '../canary/index.ts';
import { type Config, withoutSecrets } from '../config/index.ts';
import { createGovernor } from '../govern/index.ts';
import { LogIngest, MetricIngest, ScrapeIngest, TraceIngest } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import { startQueryPool } from '../query/index.ts';
import { declareScrapeMetrics, Scraper } from '../scrape/index.ts';
import { describeRetention, openStore } from '../store/index.ts';
import { createLogger, LogTap } from '../telemetry/index.ts';
import { CensusFile } from './census-file.ts';
import { declareGovernMetrics, ownMetrics } from './own-metrics.ts';
import { PolicyReloader } from './policy-reload.ts';
import type { ReadPolicy } from './policy-source.ts';
import { scrapeOnce } from './scrape-once.ts';
import { declareUpkeepMetrics } from './upkeep-metrics.ts';
import { VERSION } from './version.ts';

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
  // What is wrong with it is said before anything is opened.
  const policy = readPolicy?.() ?? { changes: config.govern.changes, files: [] };
  const store = await openStore({
    directory: config.data,
    memoryMiB: config.store.memory_mib,
    threads: Math.min(config.store.threads, os.availableParallelism()),
    retention: config.retention,
  });
  const governor = createGovernor(policy.changes, { nowMs: () => performance.now() });
  const census = new CensusFile(config.data, governor.census, log);
  const reloader = new PolicyReloader({ governor, log, read: readPolicy ?? (() => policy), first: policy });
  const pool = {
    threads: config.query.threads,
    maxPending: config.query.max_pending,
    timeoutMs: config.query.timeout_ms,
    limits: { maxSamples: config.query.max_samples, maxSeries: config.query.max_series },
    folded: () => [...governor.census.folded],
  };
  // The query threads load their code while this one takes up what it knew of series.
  const [queries, metrics] = await Promise.all([
    startQueryPool(store, pool),
    MetricIngest.open(store, governor, startedMs),
  ]);
  const own = ownMetrics({ store, governor, metrics, queries });
  const scraper = new Scraper({ config: config.scrape, ingest: new ScrapeIngest(metrics), log, version: VERSION });
  declareScrapeMetrics(own.registry, scraper);
  declareGovernMetrics(own.registry, governor, reloader);
  declareUpkeepMetrics(own.registry, store.upkeep);
  const logs = new LogIngest(store, governor);
  const otlp = { store, ways: { metrics, logs, traces: new TraceIngest(store, governor) }, count: own.countRequest };
  const { host, token, max_body_bytes: maxBodyBytes } = config.server;
  const targets = { url: '', otlpHttpUrl: '', otlpGrpcAddress: '', token };
  const canary = new Canary({
    config: config.canary,
    store,
    directory: config.data,
    targets,
    scrape: (address, signal) =>
      scrapeOnce({ ingest: new ScrapeIngest(metrics), log, version: VERSION }, CANARY_NAME, address, signal),
    watchLog: (onLine) => logged.watch(onLine),
    log,
  });
  canary.declareMetrics(own.registry);
  const bodies = new BodyBudget(BODIES_IN_FLIGHT * maxBodyBytes);
  const app = createHttpServer({
    prometheus: {
      queries,
      version: VERSION,
      startedMs,
      seriesCount: () => store.series.size,
      settings: withoutSecrets(config),
      scraping: scraper,
      storageRetention: describeRetention(config.retention),
    },
    receivers: { store, metrics, count: own.countRequest },
    otlp,
    loki: { store, logs, queries, version: VERSION, count: own.countRequest },
    tempo: { queries, version: VERSION },
    canary,
    governance: { governor, policyStatus: () => reloader.status },
    metrics: own.registry,
    uiFolder: path.join(import.meta.dirname, '..', '..', 'ui', 'dist'),
    token,
    maxBodyBytes,
    bodies,
  });
  const otlpHttp = createOtlpHttpServer(otlp, { token, maxBodyBytes, bodies });
  const url = await listen(app, host, config.server.port, 'server.port');
  const otlpHttpUrl = await listen(otlpHttp, host, config.server.otlp_http_port, 'server.otlp_http_port');
  const grpc = await startOtlpGrpc(otlp, { host, port: config.server.otlp_grpc_port, token });
  const otlpGrpcAddress = `${host.includes(':') ? `[${host}]` : host}:${grpc.port}`;
  Object.assign(targets, { url, otlpHttpUrl, otlpGrpcAddress });
  scraper.start();
  store.upkeep.retention.start((error) => log.error({ error }, 'retention failed; it is tried again'));
  census.start();
  await canary.start();
  reloader.start();
  log.info(
    {
      url,
      otlpHttpUrl,
      otlpGrpcAddress,
      data: config.data,
      series: store.series.size,
      startMs: Date.now() - startedMs,
    },
    'listening',
  );
  let closing: Promise<void> | undefined;
  return {
    url,
    otlpHttpUrl,
    otlpGrpcAddress,
    close() {
      closing ??= (async () => {
        reloader.stop();
        await canary.close();
        await Promise.all([app.close(), otlpHttp.close(), grpc.close(), scraper.close()]);
        await queries.close();
        census.close();
        await store.close();
        log.info('stopped');
      })();
      return closing;
    },
  };
}

async function listen(app: FastifyInstance, host: string, port: number, key: string): Promise<string> {
  try {
    return await app.listen({ host, port });
  } catch (cause) {
    throw new BarographError({
      code: 'listen',
      status: 500,
      where: `configuration › ${key}`,
      got: `${host}:${port}, which can't be listened on (${(cause as { code?: string }).code ?? 'unknown'})`,
      fix: 'stop the program that has the port, or choose another port',
      cause,
    });
  }
}
