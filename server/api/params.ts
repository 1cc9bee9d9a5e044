import type { FastifyRequest } from 'fastify';
import { BarographError, msToNs, parseDurationMs } from '../model/index.ts';

/** The parameters of a request, from its query string and a form body together; repeated names keep every value. */
export class Params {
  private readonly values: URLSearchParams;

  constructor(values: URLSearchParams) {
    this.values = values;
  }

  /** A parameter, or `undefined`. */
  get(name: string): string | undefined {
    return this.values.get(name) ?? undefined;
  }

  /** A parameter that must be there. */
  required(name: string): string {
    const value = this.get(name);
    if (value === undefined || value === '') throw badParameter(name, 'nothing', 'a value');
    return value;
  }

  /** Every value of a repeated parameter. */
  all(name: string): string[] {
    return this.values.getAll(name);
  }

  /** A time in milliseconds from Unix seconds (with decimals) or RFC 3339. */
  time(name: string, fallback: number): number {
    const text = this.get(name);
    if (text === undefined || text === '') return fallback;
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Math.round(Number(text) * 1000);
    const ms = parseRfc3339Ms(text);
    if (Number.isNaN(ms)) throw badParameter(name, JSON.stringify(text.slice(0, 40)), 'Unix seconds or RFC 3339');
    return ms;
  }

  /** A time in nanoseconds as Loki reads it: integers of up to ten digits are seconds, longer ones nanoseconds; decimals seconds; or RFC 3339. */
  timeNs(name: string, fallback: bigint): bigint {
    const text = this.get(name);
    if (text === undefined || text === '') return fallback;
    if (/^-?\d{1,10}$/.test(text)) return BigInt(text) * 1_000_000_000n;
    if (/^-?\d{11,19}$/.test(text)) return BigInt(text);
    return msToNs(this.time(name, 0));
  }

  /** A duration in milliseconds from seconds (with decimals) or a Prometheus duration; `undefined` where absent. */
  durationMs(name: string): number | undefined {
    const text = this.get(name);
    if (text === undefined || text === '') return undefined;
    if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return Math.round(Number(text) * 1000);
    try {
      return parseDurationMs(text);
    } catch {
      throw badParameter(name, JSON.stringify(text.slice(0, 40)), 'seconds or a duration such as 15s');
    }
  }

  /** A number of items; 0 and absent mean no limit. */
  limit(name: string): number {
    const text = this.get(name);
    if (text === undefined || text === '') return 0;
    if (!/^\d+$/.test(text)) throw badParameter(name, JSON.stringify(text.slice(0, 40)), 'an integer ≥ 0');
    return Number(text);
  }
}

/** An error about one parameter. */
export function badParameter(name: string, got: string, accepted: string): BarographError {
  return new BarographError({ code: 'bad_parameter', status: 400, where: `parameter ${name}`, got, accepted });
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/i;

/** Milliseconds since the epoch of a time in RFC 3339, which names its zone; NaN where the text isn't one. */
export function parseRfc3339Ms(text: string): number {
  return RFC3339.test(text) ? Date.parse(text) : Number.NaN;
}

/** The parameters of a form body and of the query string; of a name that is in both, the body's comes first, as in Go. */
export function paramsOf(request: FastifyRequest): Params {
  const at = request.url.indexOf('?');
  const query = new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1));
  const type = request.headers['content-type'] ?? '';
  const isForm = request.method === 'POST' && type.startsWith('application/x-www-form-urlencoded');
  if (!isForm || !Buffer.isBuffer(request.body)) return new Params(query);
  const all = new URLSearchParams(request.body.toString('utf8'));
  for (const [name, value] of query) all.append(name, value);
  return new Params(all);
}
