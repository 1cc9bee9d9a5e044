import os from 'node:os';
import type { ScrapeIngest } from '../ingest/index.ts';
import type { Logger } from '../telemetry/index.ts';
import { ScrapeBatch } from '../wire/index.ts';
import { BodyRoom } from './body-room.ts';
import { BodySpace } from './body-space.ts';
import type { ScrapeConfig, ScrapeJob } from './config.ts';
import type { Discovery, DiscoveryKind, DiscoveryLog } from './discovery.ts';
import { FAILURE_REASONS, type FailureReason } from './failure.ts';
import { FileDiscovery } from './file-discovery.ts';
import { HttpClient } from './http-client.ts';
import { HttpDiscovery } from './http-discovery.ts';
import { type ActiveTarget, type DroppedTarget, JobPool, type PoolCounts, type TargetMetadata } from './job-pool.ts';
import { BatchTaker, type TargetMemory } from './take-batch.ts';
import { addressesOf } from './target.ts';
import type { LoopParts, ScrapeStats } from './target-loop.ts';
import { Turns } from './turns.ts';

/** What scraping needs from the program. */
export interface ScraperParts {
  readonly config: ScrapeConfig;
  readonly ingest: ScrapeIngest;
  readonly log: Logger;
  /** Of the program, for `User-Agent`. */
  readonly version: string;
  readonly limits?: Partial<ScraperLimits>;
}

/** How much memory scraping may take, over all targets; see `DEFAULT_SCRAPER_LIMITS`. */
export interface ScraperLimits {
  /** Bodies that are being read. */
  readonly bodyBytes: number;
  /** What is remembered of targets' series; a target with no more than its even share always finds room. */
  readonly seriesBytes: number;
}

export const DEFAULT_SCRAPER_LIMITS: ScraperLimits = {
  bodyBytes: 256 * 1024 * 1024,
  seriesBytes: 512 * 1024 * 1024,
};

/** The targets of all jobs, in the shape of the data of Prometheus's `GET /api/v1/targets`. */
export interface TargetsSnapshot {
  readonly activeTargets: ActiveTarget[];
  readonly droppedTargets: DroppedTarget[];
  /** By job; also of those that aren't listed. */
  readonly droppedTargetCounts: Record<string, number>;
}

/** Bodies that are decompressed and decoded at once. */
const BODIES_AT_ONCE = 2;

/** Scrapes the targets of a configuration until it is closed. */
export class Scraper {
  readonly stats: ScrapeStats = emptyStats();
  /** Failures of discovery by its kind. */
  readonly discoveryFailures: Record<DiscoveryKind, number> = { static: 0, file: 0, http: 0 };
  readonly #pools: readonly JobPool[];
  readonly #limits: ScraperLimits;
  readonly #room: BodyRoom;

  constructor({ config, ingest, log, version, limits }: ScraperParts) {
    this.#limits = { ...DEFAULT_SCRAPER_LIMITS, ...limits };
    this.#room = new BodyRoom(this.#limits.bodyBytes);
    const parts: LoopParts = {
      ingest,
      taker: new BatchTaker(ingest, (memory, bytes) => this.#hasRoom(memory, bytes)),
      batch: new ScrapeBatch(),
      space: new BodySpace(),
      turns: new Turns(BODIES_AT_ONCE),
      stats: this.stats,
      log,
      userAgent: `Barograph/${version}`,
      seed: os.hostname(),
    };
    const discoveryLog: DiscoveryLog = {
      failed: (kind, why) => {
        this.discoveryFailures[kind]++;
        log.warn({ mechanism: kind, error: why }, 'discovery could not read a source');
      },
    };
    this.#pools = config.jobs.map((job) => {
      const discoveries = discoveriesOf(job, config.directory, {
        room: this.#room,
        log: discoveryLog,
        userAgent: parts.userAgent,
      });
      return new JobPool(job, discoveries, new HttpClient(job.http, config.directory, this.#room), parts);
    });
  }

  start(): void {
    for (const pool of this.#pools) pool.start();
  }

  /** Stops scraping; what was taken is committed. Series get no staleness markers, since their targets are still there. */
  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.close()));
  }

  /** Names of the jobs. */
  jobs(): string[] {
    return this.#pools.map(({ job }) => job.name);
  }

  /** How the targets are right now. */
  targets(): TargetsSnapshot {
    return {
      activeTargets: this.#pools.flatMap((pool) => pool.activeTargets()),
      droppedTargets: this.#pools.flatMap((pool) => pool.droppedTargets()),
      droppedTargetCounts: Object.fromEntries(this.#pools.map((pool) => [pool.job.name, pool.counts.dropped])),
    };
  }

  /** What each target that is scraped says of its metrics, job by job. */
  *metadata(): Iterable<TargetMetadata> {
    for (const pool of this.#pools) yield* pool.metadata();
  }

  /** Numbers of targets by job. */
  counts(): [job: string, counts: PoolCounts][] {
    return this.#pools.map((pool) => [pool.job.name, pool.counts]);
  }

  /** Series that are remembered of targets. */
  get seriesCount(): number {
    return this.#pools.reduce((sum, pool) => sum + pool.seriesCount, 0);
  }

  /** Bytes that are taken: by bodies, and by what is remembered of series. */
  get memoryBytes(): { bodies: number; series: number } {
    return { bodies: this.#room.bytes, series: this.#seriesBytes() };
  }

  #seriesBytes(): number {
    return this.#pools.reduce((sum, pool) => sum + pool.memoryBytes, 0);
  }

  #hasRoom(memory: TargetMemory, addedBytes: number): boolean {
    const { seriesBytes } = this.#limits;
    const targets = this.#pools.reduce((sum, pool) => sum + pool.size, 0);
    if (memory.bytes + addedBytes <= seriesBytes / Math.max(1, targets)) return true;
    return this.#seriesBytes() + addedBytes <= seriesBytes;
  }
}

function discoveriesOf(
  job: ScrapeJob,
  directory: string,
  parts: { room: BodyRoom; log: DiscoveryLog; userAgent: string },
): Discovery[] {
  const fixed: Discovery = {
    kind: 'static',
    start: (onAddresses) => onAddresses(job.staticGroups.flatMap((group) => addressesOf(group, {}))),
    close: () => {},
  };
  return [
    ...(job.staticGroups.length > 0 ? [fixed] : []),
    ...job.fileDiscoveries.map((config) => new FileDiscovery(config, directory, parts.log)),
    ...job.httpDiscoveries.map((config) => new HttpDiscovery(config, directory, parts)),
  ];
}

function emptyStats(): ScrapeStats {
  const scrapes = Object.fromEntries(['ok', ...FAILURE_REASONS].map((reason) => [reason, 0]));
  return {
    scrapes: scrapes as Record<'ok' | FailureReason, number>,
    samples: { taken: 0, dropped: 0, duplicate: 0, refused: 0 },
    bytes: 0,
    seriesAdded: 0,
    seriesEnded: 0,
    skipped: 0,
    failedCommits: 0,
  };
}
