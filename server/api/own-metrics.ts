import type { FastifyInstance } from 'fastify';
import { labelsFromRecord, METRIC_NAME } from '../model/index.ts';
import type { OwnMetrics } from '../telemetry/index.ts';
import { type ExposedFamily, encodeExposition, negotiateExposition } from '../wire/index.ts';
import { bufferOf } from './answer.ts';
import { addRoute } from './prometheus-answer.ts';

/** Adds `GET /metrics`: the program's own metrics, in the format that the asker prefers. */
export function addOwnMetrics(app: FastifyInstance, metrics: Pick<OwnMetrics, 'collect'>): void {
  addRoute(app, ['GET'], '/metrics', (request, reply) => {
    const format = negotiateExposition(request.headers.accept);
    const { body } = encodeExposition(exposed(metrics), format);
    return reply.type(format.contentType).send(bufferOf(body));
  });
}

function* exposed(metrics: Pick<OwnMetrics, 'collect'>): Iterable<ExposedFamily> {
  for (const { name, help, type, points } of metrics.collect()) {
    const series = points.map(({ labels, value }) => ({
      labels: labelsFromRecord({ ...labels, [METRIC_NAME]: name }),
      value,
    }));
    yield { name, help, type, series };
  }
}
