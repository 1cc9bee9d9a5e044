import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { LogIngest } from '../ingest/index.ts';
import { BarographError, msToNs } from '../model/index.ts';
import type { LogQuery, QueryPool, QueryRequest } from '../query/index.ts';
import type { Store } from '../store/index.ts';
import { decodeLokiPush, decodeLokiPushJson, inflateInBackground, parseContentEncoding } from '../wire/index.ts';
import { sendAnswer, sendError } from './answer.ts';
import { badParameter, type Params, paramsOf } from './params.ts';

/** What Loki's routes need from the program. */
export interface LokiApi {
  readonly store: Store;
  readonly logs: LogIngest;
  readonly queries: QueryPool;
  readonly version: string;
  /** Counts a request by receiver and HTTP status. */
  readonly count: (receiver: string, status: number) => void;
}

const HOUR_NS = 3_600_000_000_000n;
/** Steps of a range query where nobody said, and the shortest such step, as Loki has them. */
const DEFAULT_STEPS = 250n;
const SECOND_NS = 1_000_000_000n;
/** How far back labels and series look where nobody said, as Loki does. */
const METADATA_RANGE_NS = 6n * HOUR_NS;

/** Adds Loki's push receiver, its queries (GET and form POST) and its status routes. */
export function addLokiRoutes(app: FastifyInstance, api: LokiApi): void {
  app.post('/loki/api/v1/push', (request, reply) => push(api, request, reply));
  const both = (path: string, read: (params: Params, request: FastifyRequest) => QueryRequest): void => {
    app.route({
      method: ['GET', 'POST'],
      url: `/loki/api/v1/${path}`,
      handler: (request, reply) => sendAnswer(api.queries, request, reply, () => read(paramsOf(request), request)),
    });
  };
  both('query', instantQuery);
  both('query_range', rangeQuery);
  for (const path of ['labels', 'label']) {
    both(path, (p) => ({ kind: 'log_labels', match: selectorOf(p), ...range(p, METADATA_RANGE_NS) }));
  }
  both('label/:name/values', (p, request) => ({
    kind: 'log_label_values',
    label: (request.params as { name: string }).name,
    match: selectorOf(p),
    ...range(p, METADATA_RANGE_NS),
  }));
  both('series', (p) => ({
    kind: 'log_series',
    match: [...p.all('match[]'), ...p.all('match')],
    ...range(p, METADATA_RANGE_NS),
  }));
  both('index/stats', (p) => ({ kind: 'log_stats', query: p.required('query'), ...range(p, HOUR_NS) }));
  app.get('/loki/api/v1/status/buildinfo', (_request, reply) =>
    reply.send({ version: api.version, revision: '', branch: '', buildDate: '', buildUser: '', goVersion: '' }),
  );
}

/** Loki push in JSON, or in protobuf with snappy. The answer comes once the lines are durable. */
async function push(api: LokiApi, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  try {
    const type = (request.headers['content-type'] ?? '').split(';')[0].trim().toLowerCase();
    const isJson = type === 'application/json';
    if (!isJson && type !== 'application/x-protobuf') {
      throw new BarographError({
        code: 'unsupported_media_type',
        status: 415,
        where: 'Content-Type',
        got: JSON.stringify(type.slice(0, 80)),
        accepted: 'application/json or application/x-protobuf',
      });
    }
    const encoding = request.headers['content-encoding'] ?? (isJson ? undefined : 'snappy');
    const body = (request.body as Buffer | null | undefined) ?? Buffer.alloc(0);
    const inflated = await inflateInBackground(body, parseContentEncoding(encoding));
    const entries = isJson ? decodeLokiPushJson(inflated) : decodeLokiPush(inflated);
    const { accepted, rejected, reason } = api.logs.take(entries, 'loki_push', nowNs());
    await api.store.writer.commit();
    // As in Loki, the lines that were fit are stored and the answer tells about the others.
    if (rejected > 0) {
      throw new BarographError({
        code: 'lines_refused',
        status: 400,
        where: 'push',
        got: `${rejected} of ${accepted + rejected} lines refused: ${reason}`,
      });
    }
    api.count('loki_push', 204);
    return reply.code(204).send();
  } catch (error) {
    api.count('loki_push', error instanceof BarographError ? error.status : 500);
    return sendError(request, reply, error);
  }
}

function instantQuery(p: Params, request: FastifyRequest): LogQuery {
  const timeNs = p.timeNs('time', nowNs());
  return { ...logql(p, request), startNs: timeNs, endNs: timeNs, stepNs: 0n };
}

function rangeQuery(p: Params, request: FastifyRequest): LogQuery {
  const { startNs, endNs } = range(p, HOUR_NS);
  const whole = ((endNs - startNs) / DEFAULT_STEPS / SECOND_NS) * SECOND_NS;
  const stepMs = p.durationMs('step');
  if (stepMs !== undefined && stepMs <= 0) throw badParameter('step', String(p.get('step')), 'a positive duration');
  const stepNs = stepMs === undefined ? (whole > SECOND_NS ? whole : SECOND_NS) : msToNs(stepMs);
  return { ...logql(p, request), startNs, endNs, stepNs };
}

/** What instant and range queries have in common. */
function logql(p: Params, request: FastifyRequest) {
  const direction = (p.get('direction') ?? 'backward').toLowerCase();
  if (direction !== 'forward' && direction !== 'backward') {
    throw badParameter('direction', JSON.stringify(direction.slice(0, 40)), 'forward or backward');
  }
  if (p.durationMs('interval') ?? 0)
    throw badParameter('interval', 'an interval', 'none: lines are not thinned out here');
  const flags = String(request.headers['x-loki-response-encoding-flags'] ?? '').split(',');
  return {
    kind: 'logql',
    query: p.required('query'),
    limit: p.get('limit') === undefined ? undefined : p.limit('limit'),
    direction,
    categorizeLabels: flags.some((flag) => flag.trim() === 'categorize-labels'),
  } as const;
}

function nowNs(): bigint {
  return BigInt(Date.now()) * 1_000_000n;
}

function selectorOf(p: Params): string[] {
  const query = p.get('query');
  return query === undefined || query === '' ? [] : [query];
}

/** The range in nanoseconds; where it isn't given it ends now and has `defaultNs` (or the duration `since`). */
function range(p: Params, defaultNs: bigint): { startNs: bigint; endNs: bigint } {
  const endNs = p.timeNs('end', nowNs());
  const sinceMs = p.durationMs('since');
  const length = sinceMs === undefined ? defaultNs : BigInt(Math.round(sinceMs)) * 1_000_000n;
  const startNs = p.timeNs('start', endNs - length);
  if (endNs < startNs) throw badParameter('end', 'a time before start', 'a time at or after start');
  return { startNs, endNs };
}
