import type { FastifyInstance } from 'fastify';
import { SIGNALS, type Store, shownRetention } from '../store/index.ts';
import { addDataRoute, addRoute, sendPrometheusError } from './prometheus-answer.ts';

/**
 * Adds `/api/barograph/v1/retention`: what is kept and how retention and the disk do; and by POST `…/run`, which answers
 * the same after a run, which is otherwise made every `retention.interval`.
 */
export function addRetentionRoutes(app: FastifyInstance, store: Store): void {
  const url = '/api/barograph/v1/retention';
  addDataRoute(app, url, () => describe(store));
  addRoute(app, ['POST'], `${url}/run`, async (request, reply) => {
    try {
      await store.upkeep.retention.run();
      return reply.send({ status: 'success', data: describe(store) });
    } catch (error) {
      return sendPrometheusError(request, reply, error);
    }
  });
}

function describe(store: Store) {
  const { retention, disk, checkpoints } = store.upkeep;
  const { floors, sizes, removed, runs, failedRuns, lastRunMs, lastDurationMs } = retention.status;
  const signals = SIGNALS.map((signal) => ({
    signal,
    bytes: Math.round(sizes[signal].bytes),
    oldest: timeText(sizes[signal].oldestMs),
    /** Nothing that is older is shown. */
    keptSince: timeText(floors[signal]),
    removed: removed[signal],
  }));
  return {
    settings: shownRetention(retention.settings),
    signals,
    runs,
    failedRuns,
    lastRun: timeText(lastRunMs),
    lastRunSeconds: lastDurationMs / 1000,
    checkpoints,
    disk: { freeBytes: disk.space.freeBytes, limitBytes: disk.limitBytes, writesRefused: disk.isLow },
  };
}

/** RFC 3339; null where there is no such time. */
function timeText(ms: number | undefined): string | null {
  return ms === undefined || !Number.isFinite(ms) ? null : new Date(ms).toISOString();
}
