import { ExporterError } from '../../error.ts';
import { HttpGetter, shownUrl } from '../../http/index.ts';
import { type Discovery, MAX_LIST_BYTES, readTargetGroups } from './discovery.ts';

const TIMEOUT_MS = 10_000;

/** Targets from a server that answers with target groups in JSON, as Prometheus's HTTP discovery asks for them. */
export function httpDiscovery(url: URL): Discovery {
  const getter = new HttpGetter();
  return {
    kind: 'http',
    find: async () => {
      const got = await getter.get(url, {
        headers: { accept: 'application/json' },
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_LIST_BYTES,
      });
      if (got.status !== 200)
        throw new ExporterError({
          code: 'http_status',
          where: shownUrl(url),
          got: `HTTP ${got.status}`,
          accepted: '200',
        });
      return readTargetGroups(got.body.toString('utf8'), shownUrl(url));
    },
  };
}
