import Fastify, { type FastifyInstance, type FastifyReply } from 'fastify';
import type { Canary } from '../canary/index.ts';
import type { OwnMetrics } from '../telemetry/index.ts';
import { addCanaryRoutes } from './barograph-canary.ts';
import { addGovernanceRoutes, type GovernanceApi } from './barograph-cardinality.ts';
import type { BodyBudget } from './body-budget.ts';
import { addBodyParser } from './body-parser.ts';
import { addCompression } from './compress.ts';
import { addLokiRoutes, type LokiApi } from './loki.ts';
import { addOtlpRoutes, type OtlpReceiver } from './otlp.ts';
import { addOwnMetrics } from './own-metrics.ts';
import { addPrometheusRoutes, type PrometheusApi } from './prometheus.ts';
import { addPrometheusAdmin } from './prometheus-admin.ts';
import { sendPrometheusError } from './prometheus-answer.ts';
import { addReadiness } from './readiness.ts';
import { addRemoteWrite, type Receivers } from './receivers.ts';
import { addRetentionRoutes } from './retention.ts';
import { addTempoRoutes, type TempoApi } from './tempo.ts';
import { addUiRoutes } from './ui.ts';

/** What every listener over HTTP keeps to. */
export interface HttpOptions {
  /** A bearer token that every request must carry, or `undefined`. */
  readonly token: string | undefined;
  /** Bytes of a body as it arrives, at most. */
  readonly maxBodyBytes: number;
  /** Bounds the bodies of all listeners together. */
  readonly bodies: BodyBudget;
}

/** What the HTTP server is made of. */
export interface HttpParts extends HttpOptions {
  readonly prometheus: PrometheusApi;
  readonly receivers: Receivers;
  readonly otlp: OtlpReceiver;
  readonly loki: LokiApi;
  readonly tempo: TempoApi;
  readonly governance: GovernanceApi;
  readonly canary: Pick<Canary, 'run' | 'status'>;
  readonly metrics: OwnMetrics;
  /** The folder of the built page. */
  readonly uiFolder: string;
}

/** Bytes of a request's line and headers: a long query asked for by GET has its place there. */
export const MAX_HEADER_BYTES = 256 * 1024;

/** A server without routes. Bodies arrive as buffers; each route decodes its own. */
function createApp(options: HttpOptions): FastifyInstance {
  const app = Fastify({
    bodyLimit: options.maxBodyBytes,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    logger: false,
    routerOptions: { maxParamLength: 2048 },
    forceCloseConnections: true,
    // A path that can't be decoded reaches no route.
    frameworkErrors: (error, request, reply: FastifyReply) => void sendPrometheusError(request, reply, error),
  });
  addBodyParser(app, options.maxBodyBytes);
  if (options.token !== undefined) {
    const expected = `Bearer ${options.token}`;
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers.authorization !== expected) {
        return reply.code(401).send('Authorization: accepted is Bearer with the configured server.token\n');
      }
    });
  }
  options.bodies.watch(app);
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      status: 'error',
      errorType: 'not_found',
      error: `no route ${request.method} ${request.url.split('?')[0].slice(0, 200)}`,
      message: 'this route is not served here; docs/reference lists those that are',
    }),
  );
  return app;
}

/** Builds the server of OTLP's own port over HTTP, 4318. */
export function createOtlpHttpServer(receiver: OtlpReceiver, options: HttpOptions): FastifyInstance {
  const app = createApp(options);
  addOtlpRoutes(app, receiver);
  return app;
}

/** Builds the HTTP server of port 7070. */
export function createHttpServer(parts: HttpParts): FastifyInstance {
  const app = createApp(parts);
  addCompression(app);
  addPrometheusRoutes(app, parts.prometheus);
  addPrometheusAdmin(app, parts.receivers.store);
  addRetentionRoutes(app, parts.receivers.store);
  addRemoteWrite(app, parts.receivers);
  addOtlpRoutes(app, parts.otlp, ['', '/otlp', '/api/v1/otlp']);
  addLokiRoutes(app, parts.loki);
  addTempoRoutes(app, parts.tempo);
  addGovernanceRoutes(app, parts.governance);
  addCanaryRoutes(app, parts.canary);
  addUiRoutes(app, parts.uiFolder);
  addOwnMetrics(app, parts.metrics);
  addReadiness(app, parts.prometheus.version);
  // One who asks for tenants here is the only one.
  addTenantList(app, () => []);
  return app;
}

function addTenantList(app: FastifyInstance, names: () => readonly string[]): void {
  app.get('/api/barograph/v1/tenants', (_request, reply) => reply.send({ tenants: names() }));
}

/** What the server of requests that are no tenant's is made of. */
export interface SharedParts extends HttpOptions {
  readonly version: string;
  readonly metrics: Pick<OwnMetrics, 'collect'>;
  readonly uiFolder: string;
  /** Names of the tenants, sorted. */
  readonly tenants: () => readonly string[];
}

/** Builds the server of requests that are no tenant's: the page, readiness, versions, the program's own metrics. */
export function createSharedServer(parts: SharedParts): FastifyInstance {
  const app = createApp(parts);
  addCompression(app);
  addUiRoutes(app, parts.uiFolder);
  addOwnMetrics(app, parts.metrics);
  addReadiness(app, parts.version);
  addTenantList(app, parts.tenants);
  return app;
}
