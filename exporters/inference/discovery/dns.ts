import { Resolver } from 'node:dns/promises';
import { ExporterError } from '../../error.ts';
import { makeTarget, type Target } from '../target.ts';
import type { Discovery } from './discovery.ts';

/** What DNS discovery asks; the runtime's resolver, or a stand-in of a test. */
export interface Names {
  resolveSrv(name: string): Promise<{ name: string; port: number }[]>;
  resolve4(name: string): Promise<string[]>;
  resolve6(name: string): Promise<string[]>;
}

/**
 * Targets from DNS: the addresses of `name:port` (a headless service of Kubernetes has one for each pod), or the SRV
 * records of a name without a port. The deployment is the name's first part.
 * @param resolver for tests
 * @throws ExporterError `usage` for a name that is none; `find` throws `dns`.
 */
export function dnsDiscovery(name: string, resolver: Names = new Resolver({ timeout: 3000, tries: 2 })): Discovery {
  const match = /^([a-zA-Z0-9_.-]+?)(?::(\d{1,5}))?$/.exec(name);
  if (!match) {
    throw new ExporterError({
      code: 'usage',
      where: '--dns',
      got: JSON.stringify(name),
      accepted: 'name:port for addresses, or a name without a port for SRV records',
    });
  }
  const [, host, port] = match;
  return {
    kind: 'dns',
    find: async () => {
      const where = `--dns ${name}`;
      if (port === undefined) {
        const records = await resolver.resolveSrv(host).catch(failed(where));
        return records.map((record) => makeTarget(`${record.name}:${record.port}`, {}, where));
      }
      const found = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
      const [first] = found;
      if (first.status === 'rejected' && found[1].status === 'rejected') failed(where)(first.reason);
      const addresses = found.flatMap((one) => (one.status === 'fulfilled' ? one.value : []));
      return addresses.map((address): Target => {
        const fallback = { deployment: host.split('.')[0] };
        return makeTarget(`${address.includes(':') ? `[${address}]` : address}:${port}`, {}, where, fallback);
      });
    },
  };
}

function failed(where: string): (error: unknown) => never {
  return (error) => {
    throw new ExporterError({
      code: 'dns',
      where,
      got: (error as { code?: string }).code ?? 'no answer',
      cause: error,
    });
  };
}
