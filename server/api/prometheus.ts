import type { FastifyInstance, FastifyRequest } from 'fastify';
import { BarographError } from '../model/index.ts';
import type { QueryPool } from '../query/index.ts';
import { unescapeName } from '../wire/index.ts';
import { addFederation } from './federate.ts';
import { Gate } from './gate.ts';
import type { Params } from './params.ts';
import { addQueryRoute, type BodyRequest, type QueryRoute } from './prometheus-answer.ts';
import {
  badData,
  invalidParameter,
  optionalDuration,
  optionalLimit,
  optionalRange,
  optionalTime,
  parseInteger,
  parsePromDuration,
  requiredTime,
} from './prometheus-params.ts';
import { searchRoutes } from './prometheus-search.ts';
import { addStatusRoutes, type StatusApi } from './prometheus-status.ts';
import { addRemoteRead } from './remote-read.ts';

/** Points of one series that a range query may ask for, as in Prometheus. */
const MAX_POINTS = 11_000;
/** Entries of each list of `status/tsdb`, as in Prometheus. */
const DEFAULT_TSDB_LIMIT = 10;
const MAX_TSDB_LIMIT = 10_000;

/** Federations and remote reads at once, each of which may hold some hundred MB, and how many may wait for them. */
const BULK_PLACES = 4;
const BULK_WAITING = 100;

const BOTH = ['GET', 'POST'] as const;
const GET = ['GET'] as const;

/** What the routes need from the program. */
export interface PrometheusApi extends StatusApi {
  readonly queries: QueryPool;
}

/**
 * Adds Prometheus's HTTP API: queries, labels and searches by GET and form POST, metadata and status by GET, federation
 * and remote read. Answers, errors and their words are Prometheus's.
 */
export function addPrometheusRoutes(app: FastifyInstance, api: PrometheusApi): void {
  for (const route of [...ROUTES, ...searchRoutes()]) addQueryRoute(app, api.queries, route);
  addStatusRoutes(app, api);
  const gate = new Gate(BULK_PLACES, BULK_WAITING);
  addFederation(app, api.queries, gate);
  addRemoteRead(app, api.queries, gate);
  app.options('/api/v1/*', (_request, reply) => reply.code(204).header('vary', 'Origin').send());
}

const ROUTES: readonly QueryRoute[] = [
  { methods: BOTH, url: '/api/v1/query', parameter: 'query', read: instantQuery },
  { methods: BOTH, url: '/api/v1/query_range', parameter: 'query', read: rangeQuery },
  { methods: BOTH, url: '/api/v1/query_exemplars', read: exemplars },
  {
    methods: BOTH,
    url: '/api/v1/format_query',
    parameter: 'query',
    read: (p) => ({ kind: 'format_query', query: expression(p) }),
  },
  {
    methods: BOTH,
    url: '/api/v1/parse_query',
    parameter: 'query',
    read: (p) => ({ kind: 'parse_query', query: expression(p) }),
  },
  { methods: BOTH, url: '/api/v1/series', parameter: 'match[]', read: series },
  {
    methods: BOTH,
    url: '/api/v1/labels',
    read: (p) => ({ kind: 'labels', limit: optionalLimit(p), ...optionalRange(p), match: p.all('match[]') }),
  },
  { methods: GET, url: '/api/v1/label/:name/values', read: labelValues },
  { methods: GET, url: '/api/v1/metadata', read: metadata },
  { methods: GET, url: '/api/v1/status/tsdb', read: cardinality },
];

function instantQuery(p: Params): BodyRequest {
  const limit = optionalLimit(p);
  const at = optionalTime(p, 'time', Date.now());
  return promql(p, at, at, 0, limit);
}

function rangeQuery(p: Params): BodyRequest {
  const startMs = requiredTime(p, 'start');
  const endMs = requiredTime(p, 'end');
  if (endMs < startMs) throw invalidParameter('end', 'end timestamp must not be before start time');
  const step = parsePromDuration(p.get('step') ?? '');
  if (typeof step === 'string') throw invalidParameter('step', step);
  const stepMs = Math.round(step);
  if (stepMs <= 0) {
    const words = 'zero or negative query resolution step widths are not accepted. Try a positive integer';
    throw invalidParameter('step', words);
  }
  if (Math.floor((endMs - startMs) / stepMs) > MAX_POINTS) {
    const most = MAX_POINTS.toLocaleString('en-US');
    throw badData(
      `exceeded maximum resolution of ${most} points per timeseries. Try decreasing the query resolution (?step=XX)`,
    );
  }
  return promql(p, startMs, endMs, stepMs, optionalLimit(p));
}

function promql(p: Params, startMs: number, endMs: number, stepMs: number, limit: number): BodyRequest {
  const timeoutMs = optionalDuration(p, 'timeout');
  if (timeoutMs !== undefined && timeoutMs <= 0) {
    throw new BarographError({ code: 'timeout', status: 503, where: 'query timed out in query execution' });
  }
  const lookbackMs = lookback(p);
  const query = expression(p);
  const stats = p.get('stats') ?? '';
  const hasStepStats = stats === 'all';
  const statsSinceMs = stats !== '' ? performance.timeOrigin + performance.now() : undefined;
  return { kind: 'promql', query, startMs, endMs, stepMs, lookbackMs, timeoutMs, limit, statsSinceMs, hasStepStats };
}

/** Milliseconds; `undefined` for the default, which 0 and negative ones mean as well. */
function lookback(p: Params): number | undefined {
  const text = p.get('lookback_delta') ?? '';
  if (text === '') return undefined;
  const ms = parsePromDuration(text);
  if (typeof ms === 'string') throw badData(`error parsing lookback delta duration: ${ms}`);
  return ms > 0 ? Math.max(1, Math.round(ms)) : undefined;
}

/** The query, which must be there. A parser that got nothing couldn't say where. */
function expression(p: Params): string {
  const query = p.get('query') ?? '';
  if (query.trim() === '') throw invalidParameter('query', NO_EXPRESSION);
  return query;
}

const NO_EXPRESSION = 'unknown position: parse error: no expression found in input';

function exemplars(p: Params): BodyRequest {
  const { startMs, endMs } = optionalRange(p);
  if (endMs < startMs) throw badData('end timestamp must not be before start timestamp');
  const query = p.get('query') ?? '';
  if (query.trim() === '') throw badData(NO_EXPRESSION);
  return { kind: 'exemplars', query, startMs, endMs };
}

function series(p: Params): BodyRequest {
  const match = p.all('match[]');
  if (match.length === 0) throw badData('no match[] parameter provided');
  return { kind: 'series', limit: optionalLimit(p), ...optionalRange(p), match };
}

function labelValues(p: Params, request: FastifyRequest): BodyRequest {
  // Names that hold more than letters, digits and underscores may come in an encoding that fits into a path.
  const label = unescapeName((request.params as { readonly name: string }).name);
  if (label === '') throw badData('invalid label name: ""');
  return { kind: 'label_values', label, limit: optionalLimit(p), ...optionalRange(p), match: p.all('match[]') };
}

function metadata(p: Params): BodyRequest {
  const limit = metadataLimit(p, 'limit');
  // One entry is kept of each metric, so a limit for each metric is only checked.
  metadataLimit(p, 'limit_per_metric');
  const metric = p.get('metric') ?? '';
  return { kind: 'metadata', metric: metric === '' ? undefined : metric, limit };
}

/** `undefined` for no limit, which negative numbers mean as well; 0 is none at all, as in Prometheus. */
function metadataLimit(p: Params, name: string): number | undefined {
  const text = p.get(name) ?? '';
  if (text === '') return undefined;
  const limit = parseInteger(text);
  if (limit === undefined) throw badData(`${name} must be a number`);
  return limit < 0 ? undefined : limit;
}

function cardinality(p: Params): BodyRequest {
  const text = p.get('limit') ?? '';
  const limit = text === '' ? DEFAULT_TSDB_LIMIT : (parseInteger(text) ?? 0);
  if (limit < 1) throw badData('limit must be a positive number');
  if (limit > MAX_TSDB_LIMIT) throw badData(`limit must not exceed ${MAX_TSDB_LIMIT}`);
  return { kind: 'cardinality', limit };
}
