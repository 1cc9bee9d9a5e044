import type { SpanContext } from '@opentelemetry/api';

/** Headers about one connection, which end at the gateway (RFC 9110 section 7.6.1). */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/** Names and values one after the other, as they came: order, case and repetition kept. */
export type RawHeaders = readonly string[];

/** The headers that go on: all but those of the connection and those that `Connection` names. */
export function endToEnd(raw: RawHeaders, connection: string | undefined): string[] {
  const named = connectionNames(connection);
  const out: string[] = [];
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i].toLowerCase();
    if (HOP_BY_HOP.has(name) || named?.has(name)) continue;
    out.push(raw[i], raw[i + 1]);
  }
  return out;
}

function connectionNames(connection: string | undefined): ReadonlySet<string> | undefined {
  if (connection === undefined || connection === 'keep-alive' || connection === 'close') return undefined;
  return new Set(
    connection
      .toLowerCase()
      .split(',')
      .map((name) => name.trim()),
  );
}

/** Sets a header in place of those of its name, or takes them away. */
export function withHeader(headers: RawHeaders, name: string, value: string | undefined): string[] {
  const out: string[] = [];
  let isSet = value === undefined;
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i].toLowerCase() !== name) out.push(headers[i], headers[i + 1]);
    else if (!isSet) {
      out.push(headers[i], value!);
      isSet = true;
    }
  }
  if (!isSet) out.push(name, value!);
  return out;
}

/** A span as the header that tells the upstream of it (W3C Trace Context). */
export function traceparentOf({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags & 1 ? '01' : '00'}`;
}

/** The span that a `traceparent` names; undefined where it isn't one. */
export function spanOfTraceparent(header: string | string[] | undefined): SpanContext | undefined {
  if (typeof header !== 'string') return undefined;
  const match = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(header.trim());
  if (!match || (match[1] === '00' && match[5] !== undefined)) return undefined;
  const [, , traceId, spanId, flags] = match;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true };
}
