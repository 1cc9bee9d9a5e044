import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BarographError, msToNs, type Span } from '../model/index.ts';
import { type QueryPool, TAG_SCOPES, type TraceQuery, tagSearchQuery } from '../query/index.ts';
import { encodeTraceByIdResponse, encodeTraces, tracesToJson } from '../wire/index.ts';
import { bufferOf, goneSignal, sendAnswer, sendError } from './answer.ts';
import { badParameter, type Params, paramsOf } from './params.ts';

/** What Tempo's routes need from the program. */
export interface TempoApi {
  readonly queries: QueryPool;
  readonly version: string;
}

const HOUR_MS = 3_600_000;
/** What a search shows where nobody said, as Tempo does. */
const DEFAULT_TRACES = 20;
const DEFAULT_SPANS_PER_SPANSET = 3;

/** What a metrics answer shows where nobody said, as Tempo does. */
const DEFAULT_EXEMPLARS = 100;

type TraceRequest = FastifyRequest<{ Params: { id: string } }>;
type TagRequest = FastifyRequest<{ Params: { tag: string } }>;

/** Adds Tempo's HTTP API: traces by ID, searches, metrics, names and values of tags, and status. */
export function addTempoRoutes(app: FastifyInstance, api: TempoApi): void {
  app.get('/api/echo', (_request, reply) => reply.type('text/plain; charset=utf-8').send('echo'));
  app.get('/api/status/buildinfo', (_request, reply) =>
    reply.send({ version: api.version, revision: '', branch: '', buildDate: '', buildUser: '', goVersion: '' }),
  );
  const ask = (route: string, read: (p: Params) => TraceQuery) =>
    app.get(route, (request, reply) => sendAnswer(api.queries, request, reply, () => read(paramsOf(request))));
  ask('/api/search', search);
  ask('/api/metrics/query_range', (p) => metrics(p, false));
  ask('/api/metrics/query', (p) => metrics(p, true));
  ask('/api/v2/search/tags', (p) => tags(p, false));
  ask('/api/search/tags', (p) => tags(p, true));
  const askValues = (route: string, isFlat: boolean) =>
    app.get<{ Params: { tag: string } }>(route, (request: TagRequest, reply) =>
      sendAnswer(api.queries, request, reply, () => tagValues(paramsOf(request), request.params.tag, isFlat)),
    );
  askValues('/api/v2/search/tag/:tag/values', false);
  askValues('/api/search/tag/:tag/values', true);
  app.get<{ Params: { id: string } }>('/api/traces/:id', (request, reply) =>
    traceById(api, request, reply, {
      isFilterable: false,
      protobuf: encodeTraces,
      json: (spans) => JSON.stringify(batchesOf(spans)),
    }),
  );
  app.get<{ Params: { id: string } }>('/api/v2/traces/:id', (request, reply) =>
    traceById(api, request, reply, {
      isFilterable: true,
      protobuf: encodeTraceByIdResponse,
      json: (spans) => JSON.stringify({ trace: tracesToJson(spans), metrics: {}, status: 'COMPLETE' }),
    }),
  );
}

function search(p: Params): TraceQuery {
  const text = (name: string) => p.get(name) ?? '';
  const older = { tags: text('tags'), minDuration: text('minDuration'), maxDuration: text('maxDuration') };
  return {
    kind: 'traceql',
    query: p.get('q') || tagSearchQuery(older),
    limit: p.limit('limit') || DEFAULT_TRACES,
    spansPerSpanset: p.limit('spss') || DEFAULT_SPANS_PER_SPANSET,
    ...range(p),
  };
}

/** Reads a metrics query, in `q` or, as Prometheus has it, in `query`; over a range with a step, or over all of it. */
function metrics(p: Params, isInstant: boolean): TraceQuery {
  const query = p.get('q') || p.required('query');
  const stepMs = isInstant ? 0 : p.durationMs('step');
  if (!isInstant && stepMs !== undefined && stepMs <= 0) {
    throw badParameter('step', JSON.stringify(p.get('step')?.slice(0, 40)), 'a duration of at least 1ms, such as 15s');
  }
  return {
    kind: 'trace_metrics',
    query,
    stepNs: stepMs === undefined ? undefined : msToNs(stepMs),
    exemplars: isInstant ? 0 : p.get('exemplars') ? p.limit('exemplars') : DEFAULT_EXEMPLARS,
    ...metricsRange(p),
  };
}

/** The range of a metrics query: seconds, nanoseconds or RFC 3339; without one what `since` says, or the last hour. */
function metricsRange(p: Params): { startNs: bigint; endNs: bigint } {
  const endNs = p.timeNs('end', msToNs(Date.now()));
  const startNs = p.timeNs('start', endNs - msToNs(p.durationMs('since') ?? HOUR_MS));
  if (endNs <= startNs) throw badParameter('end', 'a time that is not after start', 'a time after start');
  return { startNs, endNs };
}

/** Reads the parameters of a search for names: `scope`, `q`, `limit` and the range. */
function tags(p: Params, isFlat: boolean): TraceQuery {
  const scope = p.get('scope') ?? 'none';
  const isEvery = scope === 'none' || scope === 'all' || scope === '';
  // Tempo's older answer has the intrinsics only where they are asked for.
  const every = isFlat ? TAG_SCOPES.filter((known) => known !== 'intrinsic') : TAG_SCOPES;
  const scopes = isEvery ? every : TAG_SCOPES.filter((known) => known === scope);
  if (scopes.length === 0) {
    throw badParameter('scope', JSON.stringify(scope.slice(0, 40)), `none, ${TAG_SCOPES.join(', ')}`);
  }
  return { kind: 'trace_tags', scopes, isFlat, query: p.get('q') ?? '', limit: p.limit('limit'), ...range(p) };
}

function tagValues(p: Params, tag: string, isFlat: boolean): TraceQuery {
  return { kind: 'trace_tag_values', tag, isFlat, query: p.get('q') ?? '', limit: p.limit('limit'), ...range(p) };
}

/** The range in nanoseconds; without one the last hour. A second that has begun belongs to it. */
function range(p: Params): { startNs: bigint; endNs: bigint } {
  const nowMs = Date.now();
  const endMs = p.time('end', nowMs);
  const startMs = p.time('start', endMs - HOUR_MS);
  if (endMs < startMs) throw badParameter('end', 'a time before start', 'a time at or after start');
  return { startNs: msToNs(startMs), endNs: msToNs(endMs + 1) };
}

interface TraceEncoders {
  /** Whether the route takes a filter of spans. */
  readonly isFilterable: boolean;
  readonly protobuf: (spans: readonly Span[]) => Uint8Array;
  readonly json: (spans: readonly Span[]) => string;
}

interface TraceFilter {
  readonly query: string;
  readonly keepAncestors: boolean;
}

const NO_FILTER: TraceFilter = { query: '', keepAncestors: true };

/** Reads `q` and `keep_hierarchy`. */
function traceFilter(p: Params): TraceFilter {
  const keep = p.get('keep_hierarchy') ?? 'true';
  if (!/^(?:true|false|1|0)$/.test(keep))
    throw badParameter('keep_hierarchy', JSON.stringify(keep.slice(0, 40)), 'true or false');
  return { query: p.get('q') ?? '', keepAncestors: keep === 'true' || keep === '1' };
}

async function traceById(
  api: TempoApi,
  request: TraceRequest,
  reply: FastifyReply,
  encoders: TraceEncoders,
): Promise<FastifyReply> {
  try {
    const traceId = parseTraceId(request.params.id);
    const filter = encoders.isFilterable ? traceFilter(paramsOf(request)) : NO_FILTER;
    const spans = await api.queries.run({ kind: 'trace', traceId, ...filter } as const, goneSignal(reply));
    if (spans.length === 0) {
      const got = `no span of ${traceId}${filter.query === '' ? '' : ' that passes the filter'}`;
      throw new BarographError({ code: 'trace_not_found', status: 404, where: 'trace', got });
    }
    if (/\bapplication\/protobuf\b/.test(request.headers.accept ?? '')) {
      return reply.type('application/protobuf').send(bufferOf(encoders.protobuf(spans)));
    }
    return reply.type('application/json').send(encoders.json(spans));
  } catch (error) {
    return sendError(request, reply, error);
  }
}

/** Tempo's older answer names the resource spans `batches`. */
function batchesOf(spans: readonly Span[]): unknown {
  return { batches: tracesToJson(spans).resourceSpans };
}

/** A trace's ID as 32 lower-case hex digits; shorter ones are padded, as Tempo does for 64-bit IDs. */
function parseTraceId(text: string): string {
  if (!/^[0-9a-fA-F]{1,32}$/.test(text)) {
    throw new BarographError({
      code: 'bad_parameter',
      status: 400,
      where: 'trace ID',
      got: JSON.stringify(text.slice(0, 40)),
      accepted: '1 to 32 hex digits',
    });
  }
  return text.toLowerCase().padStart(32, '0');
}
