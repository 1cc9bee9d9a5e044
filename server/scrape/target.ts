import { createHash } from 'node:crypto';
import { relabel } from '../govern/index.ts';
import { type Labels, labelsFromRecord, labelsToRecord, parseDurationMs, printDurationMs } from '../model/index.ts';
import type { ScrapeJob } from './config.ts';
import type { TargetGroup } from './config-parts.ts';

/** A target as discovery and the job's rules make it. */
export interface Target {
  /** What is asked, with its query. */
  readonly url: URL;
  /** The same as text, with the port even where it is the scheme's own; for users to see it goes through `hideSecrets`. */
  readonly address: string;
  /** The labels that its series get, with `job` and `instance`. */
  readonly labels: Labels;
  /** What was known before relabelling, `__meta_…` included. */
  readonly discoveredLabels: Labels;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** Equal for the same address, path, query and labels, and only then. */
  readonly key: string;
}

/** What became of one discovered address. */
export type TargetVerdict =
  | { readonly kind: 'target'; readonly target: Target }
  | { readonly kind: 'dropped'; readonly discoveredLabels: Labels }
  | { readonly kind: 'invalid'; readonly discoveredLabels: Labels; readonly reason: string };

const PARAM_PREFIX = '__param_';

/** A group's address with its labels and what discovery adds to them. */
export interface DiscoveredAddress {
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The addresses of a group; `meta` are labels of the discovery itself. */
export function addressesOf(group: TargetGroup, meta: Readonly<Record<string, string>>): DiscoveredAddress[] {
  return group.targets.map((address) => ({ address, labels: { ...group.labels, ...meta } }));
}

/** Makes a target of a discovered address, as Prometheus does: the job's defaults, its rules, then what is left over. */
export function makeTarget(job: ScrapeJob, { address, labels }: DiscoveredAddress): TargetVerdict {
  const record: Record<string, string> = { ...labels, __address__: address };
  const defaults: [string, string][] = [
    ['job', job.name],
    ['__scrape_interval__', printDurationMs(job.intervalMs)],
    ['__scrape_timeout__', printDurationMs(job.timeoutMs)],
    ['__metrics_path__', job.metricsPath],
    ['__scheme__', job.scheme],
    ...Object.entries(job.params).flatMap(([name, values]): [string, string][] =>
      values.length > 0 ? [[PARAM_PREFIX + name, values[0]]] : [],
    ),
  ];
  for (const [name, value] of defaults) if ((record[name] ?? '') === '') record[name] = value;
  const discoveredLabels = labelsFromRecord(record);
  const kept = relabel(discoveredLabels, job.relabel);
  if (!kept) return { kind: 'dropped', discoveredLabels };
  const known = labelsToRecord(kept);
  const timing = timingOf(known);
  const reason = typeof timing === 'string' ? timing : reasonAgainst(known);
  if (reason !== undefined) return { kind: 'invalid', discoveredLabels, reason };
  const url = urlOf(job, known);
  if (!url) return { kind: 'invalid', discoveredLabels, reason: 'the address is not one of a host and a port' };
  const { intervalMs, timeoutMs } = timing as { intervalMs: number; timeoutMs: number };
  const own = publicLabels(known);
  const shown = `${known.__scheme__}://${known.__address__}${url.pathname}${url.search}`;
  const key = [shown, intervalMs, timeoutMs, ...own].join('\u0000');
  return {
    kind: 'target',
    target: { url, address: shown, labels: own, discoveredLabels, intervalMs, timeoutMs, key },
  };
}

function reasonAgainst(labels: Readonly<Record<string, string>>): string | undefined {
  const address = labels.__address__ ?? '';
  if (address === '') return 'no address (__address__ is empty)';
  if (/[/?#@\s]/.test(address)) return 'the address must be a host and a port, without a scheme, a path or a user';
  const scheme = labels.__scheme__ ?? '';
  if (scheme !== 'http' && scheme !== 'https') return '__scheme__ must be http or https';
  if (Object.values(labels).some((value) => !value.isWellFormed())) return 'a label value is not UTF-8';
  return undefined;
}

/** The interval and timeout that the labels say, or what is wrong with them. */
function timingOf(labels: Readonly<Record<string, string>>): { intervalMs: number; timeoutMs: number } | string {
  try {
    const intervalMs = parseDurationMs(labels.__scrape_interval__ ?? '');
    const timeoutMs = parseDurationMs(labels.__scrape_timeout__ ?? '');
    if (intervalMs <= 0) return '__scrape_interval__ must be longer than 0';
    if (timeoutMs <= 0) return '__scrape_timeout__ must be longer than 0';
    if (timeoutMs > intervalMs) return '__scrape_timeout__ is longer than __scrape_interval__';
    return { intervalMs, timeoutMs };
  } catch {
    return '__scrape_interval__ or __scrape_timeout__ is not a duration';
  }
}

/** The job's parameters, of which `__param_…` replaces the first value, as a query with its names in order. */
function urlOf(job: ScrapeJob, labels: Readonly<Record<string, string>>): URL | undefined {
  const params = new Map<string, string[]>(Object.entries(job.params).map(([name, values]) => [name, [...values]]));
  for (const [name, value] of Object.entries(labels)) {
    if (!name.startsWith(PARAM_PREFIX)) continue;
    const values = params.get(name.slice(PARAM_PREFIX.length)) ?? [];
    params.set(name.slice(PARAM_PREFIX.length), [value, ...values.slice(1)]);
  }
  const query = new URLSearchParams();
  for (const name of [...params.keys()].sort()) for (const value of params.get(name) ?? []) query.append(name, value);
  let url: URL;
  try {
    url = new URL(`${labels.__scheme__}://${labels.__address__}`);
  } catch {
    return undefined;
  }
  const path = labels.__metrics_path__ ?? '';
  url.pathname = path.startsWith('/') ? path : `/${path}`;
  url.search = query.toString();
  return url;
}

/** Without what begins with `__`, and with an `instance`. */
function publicLabels(labels: Readonly<Record<string, string>>): Labels {
  const kept = Object.entries(labels).filter(([name]) => !name.startsWith('__'));
  const own = Object.fromEntries(kept);
  if ((own.instance ?? '') === '') own.instance = labels.__address__;
  return labelsFromRecord(own);
}

/**
 * Milliseconds into its interval at which a target is scraped, by a hash of it: spread evenly over all targets, and the
 * same after a restart.
 * @param seed differs from one server to another, so that two that scrape the same targets don't do it at once
 */
export function offsetOf(target: Target, seed: string): number {
  const hash = createHash('md5').update(`${seed}\u0000${target.key}`, 'utf8').digest().readBigUInt64BE(0);
  return Number(hash % BigInt(Math.max(1, Math.round(target.intervalMs))));
}
