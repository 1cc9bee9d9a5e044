import Fastify, { type FastifyInstance } from 'fastify';
import type { OwnMetrics } from '../telemetry/index.ts';
import { addPrometheusRoutes, type PrometheusApi } from './prometheus.ts';
import { addRemoteWrite, type Receivers } from './receivers.ts';

/** What the HTTP server is made of. */
export interface HttpParts {
  readonly prometheus: PrometheusApi;
  readonly receivers: Receivers;
  readonly metrics: OwnMetrics;
  /** A bearer token that every request must carry, or `undefined`. */
  readonly token: string | undefined;
  /** Bytes of a body as it arrives, at most. */
  readonly maxBodyBytes: number;
}

/** Builds the HTTP server of port 7070. Bodies arrive as buffers; each route decodes its own. */
export function createHttpServer(parts: HttpParts): FastifyInstance {
  const app = Fastify({
    bodyLimit: parts.maxBodyBytes,
    logger: false,
    routerOptions: { maxParamLength: 2048 },
    forceCloseConnections: true,
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  if (parts.token !== undefined) {
    const expected = `Bearer ${parts.token}`;
    app.addHook('onRequest', async (request, reply) => {
      if (request.headers.authorization !== expected) {
        return reply.code(401).send('Authorization: accepted is Bearer with the configured server.token\n');
      }
    });
  }
  addPrometheusRoutes(app, parts.prometheus);
  addRemoteWrite(app, parts.receivers);
  app.get('/metrics', (_request, reply) =>
    reply.type('text/plain; version=0.0.4; charset=utf-8').send(parts.metrics.expose()),
  );
  return app;
}
