import { type ParseArgsConfig, parseArgs } from 'node:util';
import { ExporterError } from '../error.ts';

const MOST_SHOWN_CHARACTERS = 80;
const UNITS_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

type Flags = NonNullable<ParseArgsConfig['options']>;

/**
 * Reads a command line.
 *
 * @throws ExporterError `usage` that says which flag it was and what there is.
 */
export function parseFlags<const F extends Flags>(
  args: readonly string[],
  options: F,
  allowPositionals: boolean,
): ReturnType<typeof parseArgs<{ args: string[]; options: F; allowPositionals: boolean }>> {
  try {
    return parseArgs({ args: [...args], options, allowPositionals });
  } catch (cause) {
    // What Node says of a flag names it and what it lacks.
    const got = (cause as Error).message.split('. ')[0].slice(0, 120);
    throw usageError('command line', got, `--${Object.keys(options).join(', --')}`, 'see --help');
  }
}

/** An error of a flag. @param got As it is shown; nothing of a secret. */
export function usageError(where: string, got: string, accepted: string, fix?: string): ExporterError {
  return new ExporterError({ code: 'usage', where, got, accepted, fix });
}

/** One of a few words. */
export function oneOf<T extends string>(where: string, value: string, accepted: readonly T[]): T {
  const found = accepted.find((known) => known === value);
  if (found === undefined) throw usageError(where, shown(value), accepted.join(', '));
  return found;
}

/** A time with its unit, such as `500ms`, `5s`, `2m`. @returns Milliseconds, within both bounds. */
export function parseTime(where: string, value: string, leastMs: number, mostMs: number): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(value);
  const ms = match ? Number(match[1]) * UNITS_MS[match[2]] : Number.NaN;
  if (!(ms >= leastMs && ms <= mostMs))
    throw usageError(where, shown(value), `a time from ${leastMs}ms to ${mostMs}ms, such as 5s or 2m`);
  return ms;
}

/** A whole number within both bounds. */
export function parseCount(where: string, value: string, least: number, most: number): number {
  const count = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
  if (!(count >= least && count <= most)) throw usageError(where, shown(value), `${least} to ${most}`);
  return count;
}

/** An address with http or https. */
export function parseUrl(where: string, value: string): URL {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    throw usageError(where, shown(value), 'a URL with http or https');
  return url;
}

/** A receiver of OTLP: its address as OTEL_EXPORTER_OTLP_ENDPOINT has it, or with the whole path. @returns With the path. */
export function parseOtlpUrl(where: string, value: string): URL {
  const url = parseUrl(where, value);
  if (!url.pathname.endsWith('/v1/metrics')) url.pathname = `${url.pathname.replace(/\/$/, '')}/v1/metrics`;
  return url;
}

/** `HOST:PORT`; an IPv6 address in brackets; port 0 takes a free one. */
export function parseListen(where: string, value: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-f:.]+)\]|([\w.-]+)):(\d{1,5})$/i.exec(value);
  const port = Number(match?.[3]);
  if (!match || port > 65_535) throw usageError(where, shown(value), 'HOST:PORT, such as 127.0.0.1:9000 or [::]:9000');
  return { host: match[1] ?? match[2], port };
}

/** `NAME=VALUE`. @param isShown Whether an error may show it; a header may hold a token. */
export function parsePair(where: string, pair: string, isShown: boolean): [name: string, value: string] {
  const at = pair.indexOf('=');
  if (at <= 0) throw usageError(where, isShown ? shown(pair) : 'a pair without =', 'NAME=VALUE');
  return [pair.slice(0, at), pair.slice(at + 1)];
}

function shown(value: string): string {
  return JSON.stringify(value.slice(0, MOST_SHOWN_CHARACTERS));
}
