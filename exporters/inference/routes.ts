import { CONTENT_TYPES, chooseFormat, type ExpositionFormat } from '../exposition/index.ts';
import type { Routes } from '../http/index.ts';
import { type CountAt, CountingPlace } from './count-at.ts';
import type { Fleet } from './fleet.ts';
import { inferenceOtlpRequests, type ServiceIdentity } from './otlp-metrics.ts';
import { ownMetrics } from './own-metrics.ts';
import { type Exposed, renderMetrics } from './render.ts';

/** Targets are asked no more often than that, however many ask the exporter; milliseconds. */
const MIN_AGE_MS = 1000;
const DEFAULT_WAIT_MS = 8000;
/** Of the time that a scraper waits, what is left for writing and the way back. */
const RESERVE_MS = 500;

/** The fleet as series of the contract. */
export class FleetMetrics {
  readonly #fleet: Fleet;
  readonly #place: CountingPlace;
  readonly #version: string;

  constructor(fleet: Fleet, countAt: CountAt, version: string) {
    this.#fleet = fleet;
    this.#place = new CountingPlace(countAt);
    this.#version = version;
  }

  /** Asks the targets, for `waitMs` at most, and writes what they gave. */
  async render(format: ExpositionFormat, waitMs: number): Promise<string> {
    await this.#fleet.refresh(MIN_AGE_MS, waitMs);
    return renderMetrics(this.#exposed(), ownMetrics(this.#fleet, this.#version), this.#place, format);
  }

  /** The same as bodies of OTLP requests. */
  async otlp(source: ServiceIdentity, waitMs: number): Promise<string[]> {
    await this.#fleet.refresh(MIN_AGE_MS, waitMs);
    return inferenceOtlpRequests(this.#exposed(), this.#place, source, Date.now());
  }

  #exposed(): Exposed[] {
    return this.#fleet.scrapers.flatMap(({ series, engine }) => {
      this.#place.saw(engine);
      return series && engine !== undefined ? [{ series, engine }] : [];
    });
  }
}

/** The targets for people and scripts: what is where, and what was found there. */
export function describeTargets(fleet: Fleet): object[] {
  return fleet.scrapers.map(({ target, engine, metricsUrl, state, report, durationMs }) => ({
    target: target.key,
    engine: engine ?? null,
    metrics: metricsUrl?.href ?? null,
    state: state.kind,
    ...(state.kind === 'down' ? { reason: state.code, message: state.message } : {}),
    scrapeSeconds: durationMs / 1000,
    labels: { ...target.fallback, ...target.labels },
    mapped: report?.mapped.length ?? 0,
    unmapped: report?.unmapped ?? [],
  }));
}

/** What the exporter answers: `/metrics`, and `/targets` in JSON. */
export function fleetRoutes(metrics: FleetMetrics, fleet: Fleet): Routes {
  return {
    '/metrics': async ({ headers }) => {
      const format = chooseFormat(headers.accept);
      const body = await metrics.render(format, waitOf(headers['x-prometheus-scrape-timeout-seconds']));
      return { type: CONTENT_TYPES[format], body };
    },
    '/targets': () => ({
      type: 'application/json',
      body: `${JSON.stringify(describeTargets(fleet), null, 2)}\n`,
    }),
  };
}

/** How long targets are waited for, by what the scraper says of its own patience; milliseconds. */
export function waitOf(header: string | string[] | undefined): number {
  const seconds = Number(header);
  if (!(seconds > 0)) return DEFAULT_WAIT_MS;
  return Math.max(100, Math.min(60_000, seconds * 1000 - RESERVE_MS));
}
