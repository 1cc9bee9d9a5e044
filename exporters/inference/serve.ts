import http from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type CountAt, CountingPlace } from './count-at.ts';
import { ExporterError } from './error.ts';
import type { Fleet } from './fleet.ts';
import { type OtlpSource, otlpBodies } from './otlp.ts';
import { ownMetrics } from './own-metrics.ts';
import { CONTENT_TYPES, chooseFormat, type Exposed, type ExpositionFormat, renderMetrics } from './render.ts';

/** Targets are asked no more often than that, however many ask the exporter; milliseconds. */
const MIN_AGE_MS = 1000;
const DEFAULT_WAIT_MS = 8000;
/** Of the time that a scraper waits, what is left for writing and the way back. */
const RESERVE_MS = 500;
const pack = promisify(gzip);

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
  async otlp(source: OtlpSource, waitMs: number): Promise<string[]> {
    await this.#fleet.refresh(MIN_AGE_MS, waitMs);
    return otlpBodies(this.#exposed(), this.#place, source, Date.now());
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

/**
 * Serves `/metrics`, `/targets` (JSON), `/-/healthy`, and a page that says so.
 * @throws ExporterError `listen` where the address can't be had.
 */
export async function startServer(
  { host, port }: { readonly host: string; readonly port: number },
  metrics: FleetMetrics,
  fleet: Fleet,
): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    answer(request, metrics, fleet).then(
      ({ status, type, body, encoding }) =>
        response
          .writeHead(status, { 'content-type': type, ...(encoding ? { 'content-encoding': encoding } : {}) })
          .end(request.method === 'HEAD' ? undefined : body),
      () => response.writeHead(500, { 'content-type': 'text/plain' }).end('internal error\n'),
    );
  });
  server.requestTimeout = 30_000;
  server.maxConnections = 256;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: { code?: string }) =>
      reject(
        new ExporterError({
          code: 'listen',
          where: `${host}:${port}`,
          got: error.code,
          fix: 'choose another one by --listen',
        }),
      ),
    );
    server.listen(port, host, () => resolve());
  });
  return server;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string | Buffer;
  readonly encoding?: 'gzip';
}

async function answer(request: http.IncomingMessage, metrics: FleetMetrics, fleet: Fleet): Promise<Answer> {
  const text = (status: number, body: string): Answer => ({ status, type: 'text/plain; charset=utf-8', body });
  if (request.method !== 'GET' && request.method !== 'HEAD') return text(405, 'only GET and HEAD\n');
  const { pathname } = new URL(request.url ?? '/', 'http://exporter');
  switch (pathname) {
    case '/metrics': {
      const format = chooseFormat(request.headers.accept);
      const body = await metrics.render(format, waitOf(request.headers['x-prometheus-scrape-timeout-seconds']));
      const type = CONTENT_TYPES[format];
      if (!/\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '')) return { status: 200, type, body };
      return { status: 200, type, body: await pack(body, { level: 1 }), encoding: 'gzip' };
    }
    case '/targets':
      return { status: 200, type: 'application/json', body: `${JSON.stringify(describeTargets(fleet), null, 2)}\n` };
    case '/-/healthy':
      return text(200, 'ok\n');
    case '/':
      return text(200, 'Barograph inference exporter: /metrics, /targets, /-/healthy\n');
    default:
      return text(404, 'not found; there are /metrics, /targets and /-/healthy\n');
  }
}

/** How long targets are waited for, by what the scraper says of its own patience; milliseconds. */
export function waitOf(header: string | string[] | undefined): number {
  const seconds = Number(header);
  if (!(seconds > 0)) return DEFAULT_WAIT_MS;
  return Math.max(100, Math.min(60_000, seconds * 1000 - RESERVE_MS));
}
