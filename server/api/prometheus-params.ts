import { BarographError, parseDurationMs } from '../model/index.ts';
import { type Params, parseRfc3339Ms } from './params.ts';

/**
 * Parameters as Prometheus reads them. Errors are in its words, because clients and people look for them; they name the
 * parameter and quote what came, cut to 100 characters.
 */

const FLOAT = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
/** The edges of time as Prometheus writes them, which its own clients send back. */
const EDGES: Readonly<Record<string, number>> = {
  '-292273086-05-16T16:47:06Z': Number.MIN_SAFE_INTEGER,
  '292277025-08-18T07:12:54.999999999Z': Number.MAX_SAFE_INTEGER,
};

/** An error in Prometheus's own words. */
export function badData(message: string): BarographError {
  return new BarographError({ code: 'bad_parameter', status: 400, where: message });
}

/** An error of one parameter, in Prometheus's form. */
export function invalidParameter(name: string, message: string): BarographError {
  return badData(`invalid parameter "${name}": ${message}`);
}

const quote = (text: string): string => JSON.stringify(text.slice(0, 100));

/** A time that may be left out, in milliseconds since the epoch; one beyond what can be stored is the edge. */
export function optionalTime(p: Params, name: string, fallbackMs: number): number {
  const text = p.get(name);
  if (text === undefined || text === '') return fallbackMs;
  const ms = parseTime(text);
  if (ms !== undefined) return ms;
  throw invalidParameter(name, `invalid time value for '${name}': cannot parse ${quote(text)} to a valid timestamp`);
}

/** A time that must be there, in milliseconds since the epoch. */
export function requiredTime(p: Params, name: string): number {
  const text = p.get(name) ?? '';
  const ms = parseTime(text);
  if (ms === undefined) throw invalidParameter(name, `cannot parse ${quote(text)} to a valid timestamp`);
  return ms;
}

/** The range of a request for series and labels, everything where it isn't given. */
export function optionalRange(p: Params): { startMs: number; endMs: number } {
  return {
    startMs: optionalTime(p, 'start', Number.MIN_SAFE_INTEGER),
    endMs: optionalTime(p, 'end', Number.MAX_SAFE_INTEGER),
  };
}

function parseTime(text: string): number | undefined {
  if (FLOAT.test(text)) {
    const ms = Math.round(Number(text) * 1000);
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, ms));
  }
  const ms = EDGES[text] ?? parseRfc3339Ms(text);
  return Number.isNaN(ms) ? undefined : ms;
}

/** Milliseconds of a duration: seconds, with decimals, or such as `5m`; a message where it is neither. */
export function parsePromDuration(text: string): number | string {
  if (FLOAT.test(text)) {
    const ms = Number(text) * 1000;
    // Prometheus holds durations in nanoseconds of 64 bits.
    if (Math.abs(ms) > 2 ** 63 / 1e6) return `cannot parse ${quote(text)} to a valid duration. It overflows int64`;
    return ms;
  }
  try {
    return parseDurationMs(text);
  } catch {
    return `cannot parse ${quote(text)} to a valid duration`;
  }
}

/** A duration that may be left out, in milliseconds. */
export function optionalDuration(p: Params, name: string): number | undefined {
  const text = p.get(name);
  if (text === undefined || text === '') return undefined;
  const ms = parsePromDuration(text);
  if (typeof ms === 'string') throw invalidParameter(name, ms);
  return ms;
}

/** A number of items; 0, which is the same as absent, means no limit. */
export function optionalLimit(p: Params, name = 'limit'): number {
  const text = p.get(name);
  if (text === undefined || text === '') return 0;
  const limit = parseInteger(text);
  if (limit === undefined) throw invalidParameter(name, `strconv.Atoi: parsing ${quote(text)}: invalid syntax`);
  if (limit < 0) throw invalidParameter(name, 'limit must be non-negative');
  return limit;
}

/** An integer as Go's `Atoi` reads it; `undefined` where it isn't one. */
export function parseInteger(text: string): number | undefined {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

const TRUE: ReadonlySet<string> = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE: ReadonlySet<string> = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** A truth value as Go's `ParseBool` reads it; `undefined` where it isn't one. */
export function parseBoolean(text: string): boolean | undefined {
  if (TRUE.has(text)) return true;
  return FALSE.has(text) ? false : undefined;
}
