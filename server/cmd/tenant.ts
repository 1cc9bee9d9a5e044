import os from 'node:os';
import path from 'node:path';
import { type BodyBudget, createHttpServer, createOtlpHttpServer, type TenantServers } from '../api/index.ts';
import { CANARY_NAME, Canary, type CanaryTargets } from '../canary/index.ts';
import { type Config, withoutSecrets } from '../config/index.ts';
import { createGovernor } from '../govern/index.ts';
import { LogIngest, MetricIngest, ScrapeIngest, TraceIngest } from '../ingest/index.ts';
import { startQueryPool } from '../query/index.ts';
import { declareScrapeMetrics, Scraper, scrapeSchema } from '../scrape/index.ts';
import { describeRetention, openStore, type RetentionSettings, type Store } from '../store/index.ts';
import type { Logger, LogTap, OwnMetrics } from '../telemetry/index.ts';
import { CensusFile } from './census-file.ts';
import { costTerms } from './cost-terms.ts';
import { declareGovernMetrics, ownMetrics } from './own-metrics.ts';
import { PolicyReloader } from './policy-reload.ts';
import type { ReadPolicy } from './policy-source.ts';
import { scrapeOnce } from './scrape-once.ts';
import { declareUpkeepMetrics } from './upkeep-metrics.ts';
import { VERSION } from './version.ts';

/** What all tenants of a process have in common. */
export interface House {
  readonly config: Config;
  readonly log: Logger;
  /** Every line that is logged. */
  readonly logged: LogTap;
  readonly startedMs: number;
  readonly bodies: BodyBudget;
  /** Where the process listens; nobody asks before it does. */
  readonly targets: () => Omit<CanaryTargets, 'tenant'>;
}

/** What is a tenant's own. */
export interface TenantParts {
  /** `undefined` where the process has no tenants, and all is one's. */
  readonly name: string | undefined;
  readonly directory: string;
  readonly retention: RetentionSettings;
  /** Whether the configured targets are scraped into it. */
  readonly scrapes: boolean;
  /** The policy as it was just read, and how it is read anew. @throws BarographError. */
  readonly policy: ReadPolicy;
  readonly readPolicy: () => ReadPolicy;
}

/** All rooms over one data directory. */
export interface Tenant extends TenantServers {
  readonly store: Store;
  readonly registry: OwnMetrics;
  /** Begins what goes on by itself, once the process listens. */
  start(): Promise<void>;
  /** Ends it, commits what waits, closes the files; the servers must not be asked any more. */
  close(): Promise<void>;
}

/** Opens the rooms of a tenant, or of everybody. */
export async function openTenant(house: House, parts: TenantParts): Promise<Tenant> {
  const { config, log, logged, startedMs } = house;
  const { directory, retention } = parts;
  const store = await openStore({
    directory,
    memoryMiB: config.store.memory_mib,
    threads: Math.min(config.store.threads, os.availableParallelism()),
    retention,
  });
  const changesOf = ({ changes, tenants }: ReadPolicy) => tenants.get(parts.name ?? '') ?? changes;
  const governor = createGovernor(changesOf(parts.policy), { nowMs: () => performance.now() });
  const census = new CensusFile(directory, governor.census, log);
  const read = () => {
    const policy = parts.readPolicy();
    return { changes: changesOf(policy), files: policy.files };
  };
  const reloader = new PolicyReloader({ governor, log, read, first: parts.policy });
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
  const scraping = parts.scrapes ? config.scrape : scrapeSchema.parse({});
  const scraper = new Scraper({ config: scraping, ingest: new ScrapeIngest(metrics), log, version: VERSION });
  declareScrapeMetrics(own.registry, scraper);
  declareGovernMetrics(own.registry, governor, reloader);
  declareUpkeepMetrics(own.registry, store.upkeep);
  const logs = new LogIngest(store, governor);
  const otlp = { store, ways: { metrics, logs, traces: new TraceIngest(store, governor) }, count: own.countRequest };
  const canary = new Canary({
    config: config.canary,
    store,
    directory,
    targets: () => ({ ...house.targets(), tenant: parts.name }),
    scrape: (address, signal) =>
      scrapeOnce({ ingest: new ScrapeIngest(metrics), log, version: VERSION }, CANARY_NAME, address, signal),
    watchLog: (onLine) => logged.watch(onLine),
    log,
  });
  canary.declareMetrics(own.registry);
  const { token, max_body_bytes: maxBodyBytes } = config.server;
  const options = { token, maxBodyBytes, bodies: house.bodies };
  const http = createHttpServer({
    prometheus: {
      queries,
      version: VERSION,
      startedMs,
      seriesCount: () => store.series.size,
      settings: withoutSecrets(config),
      scraping: scraper,
      storageRetention: describeRetention(retention),
    },
    receivers: { store, metrics, count: own.countRequest },
    otlp,
    loki: { store, logs, queries, version: VERSION, count: own.countRequest },
    tempo: { queries, version: VERSION },
    canary,
    governance: {
      governor,
      policyStatus: () => reloader.status,
      costTerms: () => costTerms(store, retention, config.cost),
    },
    metrics: own.registry,
    uiFolder: UI_FOLDER,
    ...options,
  });
  const otlpHttp = createOtlpHttpServer(otlp, options);
  return {
    http,
    otlpHttp,
    otlp,
    store,
    registry: own.registry,
    async start() {
      scraper.start();
      store.upkeep.retention.start((error) => log.error({ error }, 'retention failed; it is tried again'));
      census.start();
      await canary.start();
      reloader.start();
    },
    async close() {
      reloader.stop();
      await canary.close();
      await Promise.all([http.close(), otlpHttp.close(), scraper.close()]);
      await queries.close();
      census.close();
      await store.close();
    },
  };
}

/** The folder of the built page. */
export const UI_FOLDER = path.join(import.meta.dirname, '..', '..', 'ui', 'dist');
