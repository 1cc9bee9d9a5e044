import type { FastifyInstance, FastifyRequest } from 'fastify';
import { BarographError } from '../model/index.ts';
import { parseSelector } from '../query/index.ts';
import type { Store } from '../store/index.ts';
import { paramsOf } from './params.ts';
import { addRoute, sendPrometheusError } from './prometheus-answer.ts';
import { badData, optionalRange } from './prometheus-params.ts';

/** How often it is looked whether the space of deleted samples was given back, milliseconds. */
const POLL_MS = 50;

/**
 * Adds Prometheus's admin routes: `delete_series`, `clean_tombstones`, and `snapshot`, which is refused. They answer
 * 204 without a body.
 */
export function addPrometheusAdmin(app: FastifyInstance, store: Store): void {
  const route = (name: string, run: (request: FastifyRequest) => Promise<void>) =>
    addRoute(app, ['POST', 'PUT'], `/api/v1/admin/tsdb/${name}`, async (request, reply) => {
      try {
        await run(request);
        return reply.code(204).send();
      } catch (error) {
        return sendPrometheusError(request, reply, error, 'match[]');
      }
    });
  route('delete_series', async (request) => {
    const params = paramsOf(request);
    const match = params.all('match[]');
    if (match.length === 0) throw badData('no match[] parameter provided');
    const { startMs, endMs } = optionalRange(params);
    await store.deleteSeries(match.map(parseSelector), startMs, endMs);
  });
  route('clean_tombstones', async () => {
    // The space is given back without being asked; the answer only waits for it.
    while (store.hasTombstones()) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  });
  route('snapshot', async () => {
    throw new BarographError({
      code: 'not_supported',
      status: 501,
      where: 'snapshot',
      got: 'a request for a snapshot of the running store',
      fix: 'stop the program and copy its data directory',
    });
  });
}
