import { ExporterError } from '../error.ts';
import type { Engine } from '../generated/conventions.ts';
import { type Got, type HttpGetter, shownUrl } from '../http/index.ts';
import { ENGINE_TABLES, type Mapping, recogniseEngine } from './engine-table.ts';
import { likelyName } from './likely-name.ts';
import { type OllamaModel, readOllama } from './ollama.ts';
import type { Target } from './target.ts';
import { type FamilyReport, TargetSeries } from './target-series.ts';

/** How targets are asked. */
export interface ScrapeOptions {
  /** For one target, recognising it included; milliseconds. */
  readonly timeoutMs: number;
  /** Most bytes of one answer, unpacked. */
  readonly maxBodyBytes: number;
  readonly insecureSkipVerify: boolean;
  readonly ca?: string;
  /** The token that targets are asked with; read anew for each scrape, because tokens are rotated. */
  readonly bearerToken?: () => Promise<string | undefined>;
}

/** What was found behind a target's address. */
export type FoundEngine = Engine | 'ollama';

/** How the last scrape of a target went. */
export type TargetState =
  | { readonly kind: 'new' }
  | { readonly kind: 'up' }
  | { readonly kind: 'down'; readonly code: string; readonly message: string };

/** A metric that an engine no longer gives. */
export interface Vanished {
  readonly source: string;
  readonly mapping: Mapping;
  /** A name that nobody knows and that is much like it. */
  readonly likelyNew?: string;
}

/** Scrapes in a row without a metric until it counts as gone; a restart may bring it back with the first request. */
const VANISHED_AFTER_SCRAPES = 3;
const MODEL_RETRY_MS = 60_000;
const MAX_JSON_BYTES = 4 * 1024 * 1024;
const OLLAMA_PORT = '11434';

/** One target: recognises its engine, asks it, and holds what its last answer gave. */
export class TargetScraper {
  readonly target: Target;
  readonly #getter: HttpGetter;
  readonly #options: ScrapeOptions;
  #state: TargetState = { kind: 'new' };
  #engine: FoundEngine | undefined;
  #metricsUrl: URL | undefined;
  #series: TargetSeries | undefined;
  #models: readonly OllamaModel[] = [];
  #model: string | undefined;
  #modelAskedMs = Number.NEGATIVE_INFINITY;
  #durationMs = 0;
  #seenMappings = new Map<number, { source: string; misses: number }>();
  #running: Promise<void> | undefined;
  #startedMs = Number.NEGATIVE_INFINITY;

  constructor(target: Target, getter: HttpGetter, options: ScrapeOptions) {
    this.target = target;
    this.#getter = getter;
    this.#options = options;
  }

  get state(): TargetState {
    return this.#state;
  }

  /** The engine, once it was recognised; it stays while the target is down. */
  get engine(): FoundEngine | undefined {
    return this.#engine;
  }

  /** Where its metrics were found. */
  get metricsUrl(): URL | undefined {
    return this.#metricsUrl;
  }

  /** The series of the contract; only while the target is up. */
  get series(): TargetSeries | undefined {
    return this.#state.kind === 'up' ? this.#series : undefined;
  }

  /** The models of an Ollama server; only while it is up. */
  get models(): readonly OllamaModel[] {
    return this.#state.kind === 'up' ? this.#models : [];
  }

  /** How long the last scrape took, milliseconds. */
  get durationMs(): number {
    return this.#durationMs;
  }

  /** What the last answer had and hadn't; `undefined` while it is down, and for Ollama. */
  get report(): FamilyReport | undefined {
    return this.series?.report();
  }

  /**
   * Asks the target, unless it was asked less than `minAgeMs` ago or is being asked; settles when the answer was read.
   * Never throws: a failure is the target's state.
   * @returns whether it was this call that asked.
   */
  async refresh(minAgeMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.#running) {
      await this.#running;
      return false;
    }
    if (performance.now() - this.#startedMs < minAgeMs) return false;
    this.#startedMs = performance.now();
    this.#running = this.#scrape(signal).finally(() => {
      this.#durationMs = performance.now() - this.#startedMs;
      this.#running = undefined;
    });
    await this.#running;
    return true;
  }

  /** Metrics that were there before and are gone for several scrapes. */
  vanished(): Vanished[] {
    const { report } = this;
    if (!report || this.#engine === undefined || this.#engine === 'ollama') return [];
    const { mappings } = ENGINE_TABLES[this.#engine];
    // What another of its metrics gives as well isn't gone.
    const given = new Set(report.mapped.map(({ mapping }) => measureOf(mapping)));
    const gone = [...this.#seenMappings].filter(
      ([index, { misses }]) => misses >= VANISHED_AFTER_SCRAPES && !given.has(measureOf(mappings[index])),
    );
    return gone.map(([index, { source }]) => ({
      source,
      mapping: mappings[index],
      likelyNew: likelyName(source, report.unmapped),
    }));
  }

  /** A metric that the engine should give, doesn't, and that is much like this name, which nobody knows. */
  likelyOld(unmapped: string): string | undefined {
    const gone = this.report?.missing.filter(({ metric }) => metric.needs === undefined && metric.unless === undefined);
    return likelyName(unmapped, gone?.map(({ metric }) => metric.source) ?? []);
  }

  async #scrape(signal: AbortSignal | undefined): Promise<void> {
    try {
      if (this.#engine === 'ollama') await this.#readOllama(signal);
      else if (this.#engine !== undefined && this.#metricsUrl) await this.#readMetrics(this.#metricsUrl, signal);
      else await this.#recognise(signal);
      this.#state = { kind: 'up' };
    } catch (error) {
      const isOurs = error instanceof ExporterError;
      const code = isOurs ? error.code : 'internal';
      this.#state = { kind: 'down', code, message: isOurs ? error.message : String((error as Error).name) };
      this.#series?.drop();
      // Something else may answer there next time, or the engine may have moved its metrics.
      if (['http_status', 'not_metrics', 'bad_answer'].includes(code)) this.#metricsUrl = undefined;
      this.#modelAskedMs = Number.NEGATIVE_INFINITY;
    }
    this.#countMisses();
  }

  async #readMetrics(url: URL, signal: AbortSignal | undefined): Promise<void> {
    const timeMs = Date.now();
    const got = await this.#get(url, signal);
    await this.#take(got, url, timeMs, signal);
  }

  /** Tries the paths at which engines give their metrics until something is there that one of them gives. */
  async #recognise(signal: AbortSignal | undefined): Promise<void> {
    let failure: ExporterError | undefined;
    for (const url of candidateUrls(this.target)) {
      try {
        const timeMs = Date.now();
        const got = await this.#get(url, signal);
        await this.#take(got, url, timeMs, signal);
        return;
      } catch (error) {
        if (!(error instanceof ExporterError) || !['http_status', 'not_metrics', 'unrecognised'].includes(error.code))
          throw error;
        // What some metrics say for certain is worth more than what other paths haven't.
        if (failure?.code !== 'unrecognised') failure = error;
      }
    }
    if (!this.target.hasPath && failure?.code !== 'unrecognised') {
      try {
        await this.#readOllama(signal);
        return;
      } catch (error) {
        if (!(error instanceof ExporterError)) throw error;
      }
    }
    throw failure ?? new ExporterError({ code: 'unrecognised', where: shownUrl(this.target.url), got: 'no metrics' });
  }

  async #take(got: Got, url: URL, timeMs: number, signal: AbortSignal | undefined): Promise<void> {
    if (!looksLikeMetrics(got)) {
      const accepted = "Prometheus's text format";
      throw new ExporterError({
        code: 'not_metrics',
        where: shownUrl(url),
        got: got.type || 'no media type',
        accepted,
      });
    }
    const engine = this.#stillKnown(got.body) ?? recogniseEngine(familiesOf(got.body));
    if (engine === undefined) {
      throw new ExporterError({
        code: 'unrecognised',
        where: shownUrl(url),
        got: 'metrics of no known engine',
        accepted: Object.values(ENGINE_TABLES)
          .map(({ spec }) => spec.title)
          .join(', '),
        fix: 'metrics of other programs are scraped by the server itself',
      });
    }
    await this.#askModel(engine, signal);
    if (!this.#series || engine !== this.#engine) this.#series = this.#newSeries(engine);
    this.#engine = engine;
    this.#metricsUrl = url;
    this.#series.read(got.body, timeMs);
  }

  /** The engine that was recognised before, as long as it was up the last time: what answers changes with a restart. */
  #stillKnown(body: Buffer): Engine | undefined {
    if (this.#state.kind !== 'up' || this.#engine === undefined || this.#engine === 'ollama') return undefined;
    const { prefixes, recognise } = ENGINE_TABLES[this.#engine].spec;
    return [...prefixes, ...recognise].some((name) => body.includes(name)) ? this.#engine : undefined;
  }

  #newSeries(engine: Engine): TargetSeries {
    this.#seenMappings.clear();
    const { labels, fallback } = this.target;
    const model: Record<string, string> = this.#model === undefined ? {} : { model_version: this.#model };
    return new TargetSeries(ENGINE_TABLES[engine], {
      engine,
      labels,
      fallback: { deployment: engine, ...fallback, ...model },
    });
  }

  /** Asks an engine whose series don't name their model for it: after each start, because another one may be loaded. */
  async #askModel(engine: Engine, signal: AbortSignal | undefined): Promise<void> {
    const { model } = ENGINE_TABLES[engine].spec;
    const isDue = this.#model === undefined || this.#modelAskedMs === Number.NEGATIVE_INFINITY;
    if (!model || !isDue || performance.now() - this.#modelAskedMs < MODEL_RETRY_MS) return;
    this.#modelAskedMs = performance.now();
    const name = await this.#json(model.path, signal).then(
      (answer) => textAt(answer, model.at),
      () => undefined,
    );
    if (name === undefined || name === this.#model) return;
    this.#model = name;
    this.#series = undefined;
  }

  async #readOllama(signal: AbortSignal | undefined): Promise<void> {
    const [tags, ps] = await Promise.all([this.#json('/api/tags', signal), this.#json('/api/ps', signal)]);
    this.#models = readOllama(tags, ps);
    this.#engine = 'ollama';
    this.#metricsUrl = new URL('/api/ps', this.target.url);
    this.#series = undefined;
  }

  async #json(path: string, signal: AbortSignal | undefined): Promise<unknown> {
    const url = new URL(path, this.target.url);
    const got = await this.#get(url, signal, MAX_JSON_BYTES);
    try {
      return JSON.parse(got.body.toString('utf8'));
    } catch {
      throw new ExporterError({ code: 'bad_answer', where: shownUrl(url), got: 'something that is no JSON' });
    }
  }

  async #get(url: URL, signal: AbortSignal | undefined, maxBytes = this.#options.maxBodyBytes): Promise<Got> {
    const token = await this.#options.bearerToken?.();
    const leftMs = this.#options.timeoutMs - (performance.now() - this.#startedMs);
    const got = await this.#getter.get(url, {
      headers: {
        accept: 'text/plain;version=0.0.4,application/json;q=0.5,*/*;q=0.1',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      timeoutMs: Math.max(1, Math.round(leftMs)),
      maxBytes,
      ca: this.#options.ca,
      insecureSkipVerify: this.#options.insecureSkipVerify,
      signal,
    });
    if (got.status === 200) return got;
    const isRefused = got.status === 401 || got.status === 403;
    throw new ExporterError({
      code: 'http_status',
      where: shownUrl(url),
      got: `HTTP ${got.status}`,
      accepted: '200',
      fix: isRefused ? 'it wants a token: --bearer-token-file' : undefined,
    });
  }

  #countMisses(): void {
    const { report } = this;
    if (!report) return;
    for (const { source, mapping } of report.mapped) this.#seenMappings.set(mapping.index, { source, misses: 0 });
    for (const { index } of report.missing) {
      const seen = this.#seenMappings.get(index);
      if (seen) seen.misses++;
    }
  }
}

/** What of the contract a mapping gives. */
function measureOf({ target, metric }: Mapping): string {
  return `${target} ${JSON.stringify(metric.labels)}`;
}

function* candidateUrls(target: Target): Generator<URL> {
  if (target.hasPath) {
    yield target.url;
    return;
  }
  const port = Number(target.url.port);
  // Ollama answers every other path with 404, so that asking it first saves nothing but its log.
  if (target.url.port === OLLAMA_PORT) return;
  const specs = Object.values(ENGINE_TABLES).map(({ spec }) => spec);
  const likely = specs.filter(({ ports }) => ports.includes(port)).flatMap(({ paths }) => paths);
  const paths = new Set(['/metrics', ...likely, ...specs.flatMap((spec) => spec.paths)]);
  for (const path of paths) yield new URL(path, target.url);
}

function looksLikeMetrics({ type, body }: Got): boolean {
  if (type.includes('json') || type.includes('html')) return false;
  return /^\s*(?:#|[a-zA-Z_:])/.test(body.toString('latin1', 0, 64)) || body.length === 0;
}

const MAX_FAMILIES = 20_000;

/** The names that declarations and lines begin with, for recognising what this is. */
function familiesOf(body: Buffer): Set<string> {
  const names = new Set<string>();
  for (const [, declared, name] of body
    .toString('latin1')
    .matchAll(/^(?:# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*)|([a-zA-Z_:][a-zA-Z0-9_:]*))/gm)) {
    names.add(declared ?? name);
    if (names.size >= MAX_FAMILIES) break;
  }
  return names;
}

function textAt(value: unknown, path: readonly string[]): string | undefined {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return typeof found === 'string' && found !== '' ? found.slice(0, 512) : undefined;
}
