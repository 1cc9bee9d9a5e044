import { type Labels, labelsKey, type MetricMetadata, printDurationMs } from '../model/index.ts';
import type { ScrapeJob } from './config.ts';
import type { Discovery } from './discovery.ts';
import { failure } from './failure.ts';
import { hideSecrets, shownLabels } from './hide-secrets.ts';
import type { HttpClient } from './http-client.ts';
import { type DiscoveredAddress, makeTarget, type Target } from './target.ts';
import { type LoopParts, TargetLoop } from './target-loop.ts';

/** A target that is scraped, in the shape of Prometheus's `GET /api/v1/targets`. No secrets in it. */
export interface ActiveTarget {
  readonly discoveredLabels: Record<string, string>;
  readonly labels: Record<string, string>;
  readonly scrapePool: string;
  readonly scrapeUrl: string;
  readonly globalUrl: string;
  readonly lastError: string;
  /** RFC 3339; year 1 where there was no scrape yet. */
  readonly lastScrape: string;
  /** Seconds. */
  readonly lastScrapeDuration: number;
  readonly health: 'up' | 'down' | 'unknown';
  readonly scrapeInterval: string;
  readonly scrapeTimeout: string;
}

/** A target that the rules dropped, in the same shape. */
export interface DroppedTarget {
  readonly discoveredLabels: Record<string, string>;
  readonly scrapePool: string;
}

/** What a target says of its metrics. */
export interface TargetMetadata {
  /** The target's labels, for matchers. */
  readonly labels: Labels;
  /** The same as they may be shown: no secrets in them. */
  readonly shown: Readonly<Record<string, string>>;
  /** Of the last scrape that was taken, in its order. */
  readonly metadata: readonly MetricMetadata[];
}

/** What a pool tells of its targets. */
export interface PoolCounts {
  readonly up: number;
  readonly down: number;
  readonly unknown: number;
  readonly dropped: number;
  /** Discovered addresses of which no target could be made. */
  readonly invalid: number;
}

/** How long changes of several discoveries are gathered, milliseconds. */
const GATHER_MS = 20;

/** The targets of one job: what discovery found goes through the rules, and each target that is left has a loop. */
export class JobPool {
  readonly job: ScrapeJob;
  readonly #client: HttpClient;
  readonly #parts: LoopParts;
  readonly #discoveries: readonly Discovery[];
  readonly #found: (readonly DiscoveredAddress[])[];
  readonly #loops = new Map<string, TargetLoop>();
  /** Loops that are being ended. */
  readonly #ending = new Set<Promise<void>>();
  #dropped: DroppedTarget[] = [];
  #droppedCount = 0;
  #invalidCount = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(job: ScrapeJob, discoveries: readonly Discovery[], client: HttpClient, parts: LoopParts) {
    this.job = job;
    this.#discoveries = discoveries;
    this.#found = discoveries.map(() => []);
    this.#client = client;
    this.#parts = parts;
  }

  start(): void {
    this.#discoveries.forEach((discovery, i) => {
      discovery.start((addresses) => {
        this.#found[i] = addresses;
        this.#timer ??= setTimeout(() => this.#sync(), GATHER_MS);
      });
    });
  }

  /** Ends everything; the series of the targets go on after a restart. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    for (const discovery of this.#discoveries) discovery.close();
    await Promise.all([...this.#loops.values()].map((loop) => loop.stop()));
    await Promise.all(this.#ending);
    this.#client.close();
  }

  get counts(): PoolCounts {
    const health = { up: 0, down: 0, unknown: 0 };
    for (const loop of this.#loops.values()) health[loop.status.health]++;
    return { ...health, dropped: this.#droppedCount, invalid: this.#invalidCount };
  }

  /** Targets that are scraped. */
  get size(): number {
    return this.#loops.size;
  }

  /** Bytes that the memories of the targets take, about. */
  get memoryBytes(): number {
    let bytes = 0;
    for (const loop of this.#loops.values()) bytes += loop.memory.bytes;
    return bytes;
  }

  get seriesCount(): number {
    let count = 0;
    for (const loop of this.#loops.values()) count += loop.memory.cache.seriesCount;
    return count;
  }

  activeTargets(): ActiveTarget[] {
    return [...this.#loops.values()].map(({ target, status }) => {
      const scrapeUrl = hideSecrets(target.address);
      const discoveredLabels = shownLabels(target.discoveredLabels);
      return {
        discoveredLabels,
        labels: shownLabels(target.labels),
        scrapePool: this.job.name,
        scrapeUrl,
        globalUrl: scrapeUrl,
        lastError: status.lastError,
        lastScrape: status.lastScrapeMs === 0 ? '0001-01-01T00:00:00Z' : new Date(status.lastScrapeMs).toISOString(),
        lastScrapeDuration: status.lastDurationMs / 1000,
        health: status.health,
        scrapeInterval: printDurationMs(target.intervalMs),
        scrapeTimeout: printDurationMs(target.timeoutMs),
      };
    });
  }

  /** What the targets say of their metrics. */
  *metadata(): Iterable<TargetMetadata> {
    for (const { target, memory } of this.#loops.values()) {
      yield { labels: target.labels, shown: shownLabels(target.labels), metadata: memory.metadata };
    }
  }

  /** As many as the job keeps; `counts.dropped` counts them all. */
  droppedTargets(): readonly DroppedTarget[] {
    return this.#dropped;
  }

  /** Makes the loops those of the targets that discovery found. */
  #sync(): void {
    this.#timer = undefined;
    const targets = this.#targets();
    const heirs = new Map<string, TargetLoop>();
    const fresh: TargetLoop[] = [];
    for (const [key, target] of targets) {
      if (this.#loops.has(key)) continue;
      const loop = new TargetLoop(target, this.job, this.#client, this.#parts);
      this.#loops.set(key, loop);
      fresh.push(loop);
      heirs.set(labelsKey(target.labels), loop);
    }
    const { targetLimit } = this.job;
    const isOver = targetLimit > 0 && targets.size > targetLimit;
    const reason = `target_limit exceeded: ${targets.size} targets, the limit is ${targetLimit}`;
    const waiting = new Set<TargetLoop>();
    for (const [key, loop] of this.#loops) {
      if (targets.has(key)) {
        loop.force(isOver ? failure('target_limit', reason) : undefined);
        continue;
      }
      this.#loops.delete(key);
      const heir = heirs.get(labelsKey(loop.target.labels));
      if (heir && !waiting.has(heir)) {
        // Same labels under another address or path: its series are those of the new target, and end only if that has
        // them no longer.
        waiting.add(heir);
        this.#end(loop.stop().then(() => heir.start(loop.memory)));
      } else this.#end(loop.vanish());
    }
    for (const loop of fresh) if (!waiting.has(loop)) loop.start();
  }

  #end(ending: Promise<void>): void {
    const tracked = ending.finally(() => this.#ending.delete(tracked));
    this.#ending.add(tracked);
  }

  #targets(): Map<string, Target> {
    const targets = new Map<string, Target>();
    this.#dropped = [];
    [this.#droppedCount, this.#invalidCount] = [0, 0];
    const reasons = new Set<string>();
    for (const found of this.#found) {
      for (const address of found) {
        const verdict = makeTarget(this.job, address);
        switch (verdict.kind) {
          case 'target':
            targets.set(verdict.target.key, verdict.target);
            break;
          case 'dropped':
            this.#droppedCount++;
            if (this.#dropped.length < this.job.keptDroppedTargets) {
              const discoveredLabels = shownLabels(verdict.discoveredLabels);
              this.#dropped.push({ discoveredLabels, scrapePool: this.job.name });
            }
            break;
          case 'invalid':
            this.#invalidCount++;
            reasons.add(verdict.reason);
        }
      }
    }
    if (this.#invalidCount > 0) {
      const about = { job: this.job.name, count: this.#invalidCount, reasons: [...reasons] };
      this.#parts.log.warn(about, 'discovered addresses are no targets');
    }
    return targets;
  }
}
