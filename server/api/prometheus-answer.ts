import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { BarographError } from '../model/index.ts';
import type { QueryAnswer, QueryPool, QueryRequest } from '../query/index.ts';
import { bufferOf, goneSignal } from './answer.ts';
import { type Params, paramsOf } from './params.ts';

/** A request whose answer is the body itself. */
export type BodyRequest = Exclude<QueryRequest, { readonly kind: 'trace' | 'samples' | 'last_samples' }>;

/** One of Prometheus's routes that the query threads answer. */
export interface QueryRoute {
  readonly methods: readonly ('GET' | 'POST')[];
  readonly url: string;
  /** What is asked of the query threads. @throws BarographError of the parameters. */
  readonly read: (params: Params, request: FastifyRequest) => BodyRequest;
  /** The parameter that a syntax error is said to be of; Prometheus names none on some routes. */
  readonly parameter?: string;
  /** Default JSON. */
  readonly contentType?: string;
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
type Method = (typeof METHODS)[number];
type Handler = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;

/** Adds a route and answers every other method with 405, as Prometheus does. */
export function addRoute(app: FastifyInstance, methods: readonly Method[], url: string, handler: Handler): void {
  app.route({
    method: [...methods],
    url,
    handler,
    // Errors before the handler, such as a body over the limit, are in Prometheus's form too.
    errorHandler: (error, request, reply) => sendPrometheusError(request, reply, error),
  });
  refuseOtherMethods(app, methods, url);
}

/** Answers every method of a route but those with 405, as Prometheus does. */
export function refuseOtherMethods(app: FastifyInstance, methods: readonly Method[], url: string): void {
  app.route({
    method: METHODS.filter((method) => !methods.includes(method)),
    url,
    handler: (_request, reply) =>
      reply
        .code(405)
        .header('allow', [...methods, 'OPTIONS'].join(', '))
        .type('text/plain; charset=utf-8')
        .send('Method Not Allowed\n'),
  });
}

/** Adds a route that the query threads answer. */
export function addQueryRoute(app: FastifyInstance, queries: QueryPool, route: QueryRoute): void {
  const type = route.contentType ?? 'application/json';
  addRoute(app, route.methods, route.url, async (request, reply) => {
    try {
      const asked: QueryRequest = route.read(paramsOf(request), request);
      const body = (await queries.run(asked, goneSignal(reply))) as QueryAnswer<BodyRequest>;
      return reply.type(type).send(typeof body === 'string' ? Buffer.from(body) : bufferOf(body));
    } catch (error) {
      return sendPrometheusError(request, reply, error, route.parameter);
    }
  });
}

/** Adds a route that tells something about the program. */
export function addDataRoute(app: FastifyInstance, url: string, data: (params: Params) => unknown): void {
  addRoute(app, ['GET'], url, (request, reply) => {
    try {
      return sendJson(reply, { status: 'success', data: data(paramsOf(request)) });
    } catch (error) {
      return sendPrometheusError(request, reply, error);
    }
  });
}

/** Sends an error in Prometheus's envelope; one that nobody expected goes to the log and isn't shown. */
export function sendPrometheusError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  parameter?: string,
): FastifyReply {
  const { status, errorType, message } = describe(error, parameter);
  if (errorType === 'internal') request.log.error(error);
  if (status === 429 || errorType === 'unavailable') reply.header('retry-after', '5');
  return sendJson(reply.code(status), { status: 'error', errorType, error: message });
}

/** As bytes, since the web server adds a charset to the type of everything else, which Prometheus's answers don't have. */
function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.type('application/json').send(Buffer.from(JSON.stringify(body)));
}

interface Described {
  readonly status: number;
  readonly errorType: string;
  readonly message: string;
}

function describe(error: unknown, parameter: string | undefined): Described {
  if (!(error instanceof BarographError)) {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    // The web server's own refusals say nothing of the program's inside.
    if (status < 500) return { status, errorType: 'bad_data', message: (error as Error).message };
    return { status: 500, errorType: 'internal', message: 'an unexpected error; the log has it' };
  }
  const { code, status } = error;
  const isSyntax = code === 'promql_parse' || code === 'bad_regex';
  const message =
    isSyntax && parameter !== undefined ? `invalid parameter "${parameter}": ${error.message}` : error.message;
  return { status, errorType: errorTypeOf(code, status), message };
}

/** Prometheus's word for an error. */
function errorTypeOf(code: string, status: number): string {
  switch (code) {
    case 'timeout':
      return 'timeout';
    case 'cancelled':
      return 'canceled';
  }
  switch (status) {
    case 400:
    case 413:
    case 415:
      return 'bad_data';
    case 404:
      return 'not_found';
    case 422:
      return 'execution';
    case 429:
      // Prometheus has no word for it; this is Mimir's. "unavailable" would tell Grafana that a route isn't there at all.
      return 'too_many_requests';
    case 503:
      return 'unavailable';
    default:
      return 'internal';
  }
}
