import { CONTENT_TYPES, chooseFormat, formatFamilies } from '../exposition/index.ts';
import type { Routes } from '../http/index.ts';
import type { Collector } from './collector.ts';

/**
 * What the exporter answers: `/metrics` from what the collector knows, so that an answer takes no longer than writing it,
 * whatever sources do; `/-/ready`, and `/status`, which says in JSON how sources do and what is missing.
 */
export function gpuRoutes(collector: Collector): Routes {
  return {
    '/metrics': ({ headers }) => {
      const format = chooseFormat(headers.accept);
      return { type: CONTENT_TYPES[format], body: formatFamilies(collector.families(), format) };
    },
    '/status': () => ({
      type: 'application/json',
      body: `${JSON.stringify(collector.report(), undefined, 2)}\n`,
    }),
    '/-/ready': () =>
      collector.isReady() ? { body: 'ok\n' } : { status: 503, body: 'no source answers; see /status\n' },
  };
}
