import { ExporterError } from '../error.ts';
import { ALLOWED_LABELS, STRUCTURAL_LABELS } from '../generated/conventions.ts';

/** Where a target's metrics are asked for, and what is known of it. */
export interface Target {
  /** Unique: two targets of one address and path are one. */
  readonly key: string;
  /** Without a path where the engine's usual ones are tried. */
  readonly url: URL;
  readonly hasPath: boolean;
  /** Labels of the contract that whoever named it gave it. */
  readonly labels: Readonly<Record<string, string>>;
  /** What stands for them where neither they nor the engine say. */
  readonly fallback: Readonly<Record<string, string>>;
}

/** Labels that a target may carry into the contract's series. */
export const TARGET_LABELS: readonly string[] = [
  ...Object.keys(ALLOWED_LABELS),
  ...Object.keys(STRUCTURAL_LABELS).filter((name) => ['adapter', 'environment'].includes(name)),
  ...['replica', 'node', 'namespace', 'cluster'],
];

/**
 * Makes a target of an address (`host:port`, or a URL) and its labels.
 * @param where whose address it is, for the error
 * @throws ExporterError `bad_target` for what is no address, and for a label that the contract hasn't.
 */
export function makeTarget(
  address: string,
  labels: Readonly<Record<string, string>>,
  where: string,
  fallback: Readonly<Record<string, string>> = {},
): Target {
  const text = /^https?:\/\//.test(address) ? address : `http://${address}`;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.hostname === '') {
    throw new ExporterError({
      code: 'bad_target',
      where,
      got: JSON.stringify(address.slice(0, 200)),
      accepted: 'host:port or http(s)://host:port/path',
    });
  }
  const hasPath = url.pathname !== '/';
  for (const name of Object.keys(labels)) {
    if (TARGET_LABELS.includes(name)) continue;
    throw new ExporterError({
      code: 'bad_target',
      where: `${where}, labels of ${url.host}`,
      got: JSON.stringify(name.slice(0, 100)),
      accepted: TARGET_LABELS.join(', '),
    });
  }
  // A name in DNS usually begins with that of what is deployed; an address says nothing.
  const isName =
    /[a-z]/i.test(url.hostname.split('.')[0]) && url.hostname !== 'localhost' && !url.hostname.includes(':');
  return {
    key: `${url.protocol}//${url.host}${hasPath ? url.pathname + url.search : ''}`,
    url,
    hasPath,
    labels,
    fallback: {
      ...(isName ? { deployment: url.hostname.split('.')[0] } : {}),
      replica: url.host,
      ...fallback,
    },
  };
}
