import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BarographError } from '../model/index.ts';
import type { QueryPool, QueryRequest } from '../query/index.ts';
import { bufferOf, goneSignal } from './answer.ts';
import { badParameter, type Params, paramsOf } from './params.ts';

/** Points of one series that a range query may ask for, as in Prometheus. */
const MAX_POINTS = 11_000;
const FOREVER = { startMs: Number.MIN_SAFE_INTEGER, endMs: Number.MAX_SAFE_INTEGER };

/** What the routes need from the program. */
export interface PrometheusApi {
  readonly queries: QueryPool;
  readonly version: string;
  readonly startedMs: number;
  /** Number of series that are stored. */
  readonly seriesCount: () => number;
}

/** Adds Prometheus's HTTP API: queries and metadata by GET and form POST, status by GET. */
export function addPrometheusRoutes(app: FastifyInstance, api: PrometheusApi): void {
  const both = (path: string, handler: (params: Params) => QueryRequest): void => {
    app.route({
      method: ['GET', 'POST'],
      url: path,
      handler: (request, reply) => answer(api, request, reply, () => handler(paramsOf(request))),
    });
  };
  both('/api/v1/query', instantQuery);
  both('/api/v1/query_range', rangeQuery);
  both('/api/v1/query_exemplars', (p) => ({
    kind: 'exemplars',
    query: p.required('query'),
    startMs: p.time('start', FOREVER.startMs),
    endMs: p.time('end', FOREVER.endMs),
  }));
  both('/api/v1/series', (p) => {
    const match = p.all('match[]');
    if (match.length === 0) throw badParameter('match[]', 'nothing', 'at least one selector');
    return { kind: 'series', match, ...range(p), limit: p.limit('limit') };
  });
  both('/api/v1/labels', (p) => ({ kind: 'labels', match: p.all('match[]'), ...range(p), limit: p.limit('limit') }));
  app.get<{ Params: { name: string } }>('/api/v1/label/:name/values', (request, reply) =>
    answer(api, request, reply, () => {
      const p = paramsOf(request);
      const label = unescapeName(request.params.name);
      return { kind: 'label_values', label, match: p.all('match[]'), ...range(p), limit: p.limit('limit') };
    }),
  );
  app.get('/api/v1/metadata', (request, reply) =>
    answer(api, request, reply, () => {
      const p = paramsOf(request);
      return { kind: 'metadata', metric: p.get('metric'), limit: p.limit('limit') };
    }),
  );
  addStatusRoutes(app, api);
}

function addStatusRoutes(app: FastifyInstance, api: PrometheusApi): void {
  const fixed = (path: string, data: () => unknown): void => {
    app.get(path, (_request, reply) => reply.type('application/json').send({ status: 'success', data: data() }));
  };
  fixed('/api/v1/status/buildinfo', () => ({
    version: api.version,
    revision: '',
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: '',
    application: 'Barograph',
    features: {},
  }));
  fixed('/api/v1/status/runtimeinfo', () => ({
    startTime: new Date(api.startedMs).toISOString(),
    CWD: '',
    timeSeriesCount: api.seriesCount(),
  }));
  fixed('/api/v1/rules', () => ({ groups: [] }));
  fixed('/api/v1/alerts', () => ({ alerts: [] }));
  fixed('/api/v1/targets', () => ({ activeTargets: [], droppedTargets: [] }));
  app.get('/-/healthy', (_request, reply) => reply.send('Barograph is healthy.\n'));
  app.get('/-/ready', (_request, reply) => reply.send('Barograph is ready.\n'));
}

function instantQuery(p: Params): QueryRequest {
  const at = p.time('time', Date.now());
  return promql(p, at, at, 0);
}

function rangeQuery(p: Params): QueryRequest {
  p.required('query');
  const startMs = p.time('start', Number.NaN);
  const endMs = p.time('end', Number.NaN);
  if (Number.isNaN(startMs)) throw badParameter('start', 'nothing', 'Unix seconds or RFC 3339');
  if (Number.isNaN(endMs)) throw badParameter('end', 'nothing', 'Unix seconds or RFC 3339');
  if (endMs < startMs) throw badParameter('end', 'a time before start', 'a time at or after start');
  const stepMs = p.durationMs('step');
  if (stepMs === undefined || stepMs <= 0) {
    throw badParameter('step', p.get('step') ?? 'nothing', 'a positive duration; try a positive integer');
  }
  if ((endMs - startMs) / stepMs > MAX_POINTS) {
    throw new BarographError({
      code: 'bad_parameter',
      status: 400,
      where: 'parameter step',
      got: `exceeded maximum resolution of ${MAX_POINTS} points per timeseries`,
      fix: 'use a longer step (?step=XX) or a shorter range',
    });
  }
  return promql(p, startMs, endMs, stepMs);
}

function promql(p: Params, startMs: number, endMs: number, stepMs: number): QueryRequest {
  return {
    kind: 'promql',
    query: p.required('query'),
    startMs,
    endMs,
    stepMs,
    lookbackMs: p.durationMs('lookback_delta'),
    timeoutMs: p.durationMs('timeout'),
  };
}

function range(p: Params): { startMs: number; endMs: number } {
  return { startMs: p.time('start', FOREVER.startMs), endMs: p.time('end', FOREVER.endMs) };
}

/** `U__a_2e_b` is `a.b`: how clients write UTF-8 names into a path. */
function unescapeName(name: string): string {
  if (!name.startsWith('U__')) return name;
  return name
    .slice(3)
    .replace(/__|_([0-9a-fA-F]+)_/g, (all, hex) =>
      all === '__' ? '_' : String.fromCodePoint(Number.parseInt(hex, 16)),
    );
}

const ERROR_TYPES: Readonly<Record<number, string>> = {
  400: 'bad_data',
  422: 'execution',
  429: 'unavailable',
  499: 'canceled',
  503: 'timeout',
};

async function answer(
  api: PrometheusApi,
  request: FastifyRequest,
  reply: FastifyReply,
  read: () => QueryRequest,
): Promise<FastifyReply> {
  try {
    const body = (await api.queries.run(read(), goneSignal(reply))) as string | Uint8Array;
    return reply.type('application/json').send(typeof body === 'string' ? body : bufferOf(body));
  } catch (error) {
    const known = error instanceof BarographError ? error : undefined;
    const status = known?.status ?? 500;
    const errorType = ERROR_TYPES[status] ?? 'internal';
    const message = known?.message ?? 'an unexpected error; the log has it';
    if (!known) request.log.error(error);
    return reply.code(status).type('application/json').send({ status: 'error', errorType, error: message });
  }
}
