import type { FastifyInstance } from 'fastify';
import type { Canary } from '../canary/index.ts';
import { addRoute, sendPrometheusError } from './prometheus-answer.ts';

/**
 * Adds `/api/barograph/v1/canary`, also as `/api/v1/barograph/canary`: POST runs the content canary and answers with its
 * report, GET says what is known.
 */
export function addCanaryRoutes(app: FastifyInstance, canary: Pick<Canary, 'run' | 'status'>): void {
  for (const url of ['/api/barograph/v1/canary', '/api/v1/barograph/canary']) {
    addRoute(app, ['GET', 'POST'], url, async (request, reply) => {
      try {
        const data = request.method === 'POST' ? await canary.run() : canary.status;
        return reply.send({ status: 'success', data });
      } catch (error) {
        return sendPrometheusError(request, reply, error);
      }
    });
  }
}
