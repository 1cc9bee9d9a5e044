import { HttpGetter } from '../http/index.ts';
import type { FoundEngine, ScrapeOptions } from './scraper.ts';
import { TargetScraper } from './scraper.ts';
import type { Target } from './target.ts';

/** Most targets of one exporter. */
export const MAX_TARGETS = 2000;
/** Requests that are under way at once. */
const CONCURRENCY = 64;

/** What the fleet tells whoever runs it; each is said once. */
export interface FleetEvents {
  readonly up: (target: Target, engine: FoundEngine) => void;
  readonly down: (target: Target, code: string, message: string) => void;
  /** A metric of an engine that nobody knows. `likelyOld` is a metric that the engine should give and doesn't. */
  readonly unmapped: (engine: FoundEngine, metric: string, likelyOld: string | undefined) => void;
  readonly vanished: (target: Target, source: string, becomes: string, likelyNew: string | undefined) => void;
  readonly refused: (targets: number) => void;
}

/** How scrapes ended, by result: `ok` or the code of the error. */
export type ScrapeResults = ReadonlyMap<string, number>;

/** Names that are remembered as said, at most. */
const MAX_SAID = 10_000;

/** All targets, asked together. */
export class Fleet {
  readonly #options: ScrapeOptions;
  readonly #events: FleetEvents;
  readonly #getter = new HttpGetter();
  readonly #scrapers = new Map<string, TargetScraper>();
  readonly #results = new Map<string, number>();
  readonly #said = new Set<string>();
  readonly #states = new Map<string, string>();
  readonly #stop = new AbortController();

  constructor(options: ScrapeOptions, events: FleetEvents) {
    this.#options = options;
    this.#events = events;
  }

  /** Those that are asked, by key. */
  get scrapers(): readonly TargetScraper[] {
    return [...this.#scrapers.values()];
  }

  get results(): ScrapeResults {
    return this.#results;
  }

  /** Replaces the targets. Those that stay keep what is known of them, unless their labels changed. */
  setTargets(targets: readonly Target[]): void {
    const wanted = new Map<string, Target>();
    const identities = new Set<string>();
    for (const target of targets) {
      if (wanted.has(target.key)) continue;
      wanted.set(target.key, toldApart(target, identities));
    }
    if (wanted.size > MAX_TARGETS) this.#events.refused(wanted.size);
    const kept = [...wanted].slice(0, MAX_TARGETS);
    for (const [key, scraper] of this.#scrapers) {
      const target = wanted.get(key);
      if (!target || JSON.stringify(target) !== JSON.stringify(scraper.target)) {
        this.#scrapers.delete(key);
        this.#states.delete(key);
      }
    }
    for (const [key, target] of kept) {
      if (!this.#scrapers.has(key)) this.#scrapers.set(key, new TargetScraper(target, this.#getter, this.#options));
    }
  }

  /**
   * Asks all targets that weren't asked in the last `minAgeMs`, and waits for them no longer than `waitMs`; what is late
   * is there for the next time.
   */
  async refresh(minAgeMs: number, waitMs: number): Promise<void> {
    const waiting = this.scrapers[Symbol.iterator]();
    const worker = async (): Promise<void> => {
      for (const scraper of waiting) {
        if (await scraper.refresh(minAgeMs, this.#stop.signal)) this.#note(scraper);
      }
    };
    const all = Promise.all(Array.from({ length: CONCURRENCY }, worker));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, waitMs);
    });
    await Promise.race([all, late]);
    clearTimeout(timer);
  }

  /** Ends what is under way. */
  close(): void {
    this.#stop.abort();
    this.#getter.close();
  }

  #note(scraper: TargetScraper): void {
    const { state, target } = scraper;
    if (state.kind === 'new' || this.#scrapers.get(target.key) !== scraper) return;
    const result = state.kind === 'up' ? 'ok' : state.code;
    this.#results.set(result, (this.#results.get(result) ?? 0) + 1);
    const before = this.#states.get(target.key);
    const now = state.kind === 'up' ? `up ${scraper.engine}` : `down ${state.code}`;
    this.#states.set(target.key, now);
    if (now !== before) {
      if (state.kind === 'down') this.#events.down(target, state.code, state.message);
      else if (scraper.engine !== undefined) this.#events.up(target, scraper.engine);
    }
    const { report, engine } = scraper;
    if (!report || engine === undefined) return;
    for (const metric of report.unmapped) {
      this.#once(`unmapped ${engine} ${metric}`, () => {
        this.#events.unmapped(engine, metric, scraper.likelyOld(metric));
      });
    }
    for (const { source, mapping, likelyNew } of scraper.vanished()) {
      this.#once(`vanished ${target.key} ${source}`, () =>
        this.#events.vanished(target, source, mapping.target, likelyNew),
      );
    }
  }

  #once(key: string, say: () => void): void {
    if (this.#said.has(key) || this.#said.size >= MAX_SAID) return;
    this.#said.add(key);
    say();
  }
}

/** A target that is labelled like another gets its address into `replica`: a series must not be there twice. */
function toldApart(target: Target, identities: Set<string>): Target {
  const { replica = '' } = { ...target.fallback, ...target.labels };
  const identity = JSON.stringify(Object.entries({ ...target.fallback, ...target.labels }).sort());
  if (!identities.has(identity)) {
    identities.add(identity);
    return target;
  }
  return { ...target, labels: { ...target.labels, replica: `${replica}/${target.key.replace(/^https?:\/\//, '')}` } };
}
