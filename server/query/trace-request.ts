import { BarographError, type Span } from '../model/index.ts';
import type { TraceReader } from '../store/index.ts';
import { encodeTempoSearch, searchTraceql } from './traceql/index.ts';

/** Requests about traces, in Tempo's terms. Times are nanoseconds of a span's start; the end is exclusive. */
export type TraceQuery =
  | {
      readonly kind: 'trace';
      /** 32 lower-case hex digits. */
      readonly traceId: string;
    }
  | {
      readonly kind: 'traceql';
      readonly query: string;
      readonly startNs: bigint;
      readonly endNs: bigint;
      /** Traces at most. */
      readonly limit: number;
      /** Spans of each span set that the answer shows, at most. */
      readonly spansPerSpanset: number;
    }
  | {
      readonly kind: 'trace_tags';
      /** The scopes to list; the answer is by scope, or one list where `isFlat`. */
      readonly scopes: readonly TagScope[];
      readonly isFlat: boolean;
      readonly startNs: bigint;
      readonly endNs: bigint;
    };

/** Where a name of a search lives. */
export type TagScope = 'resource' | 'span' | 'intrinsic';
export const TAG_SCOPES: readonly TagScope[] = ['resource', 'span', 'intrinsic'];

/** Names that every span has. */
const INTRINSICS = [
  'duration',
  'kind',
  'name',
  'rootName',
  'rootServiceName',
  'status',
  'statusMessage',
  'traceDuration',
];
/** Spans that are looked at for names, the newest first; their attributes repeat. */
const TAG_SPANS = 20_000;

/** Answers a request about traces: the spans of one, or the body of the HTTP answer. */
export async function answerTraces(
  request: TraceQuery,
  reader: TraceReader,
  signal: AbortSignal,
): Promise<Span[] | string | Uint8Array> {
  switch (request.kind) {
    case 'trace':
      return reader.trace(request.traceId);
    case 'traceql': {
      const { query, startNs, endNs, limit, spansPerSpanset } = request;
      return encodeTempoSearch(await searchTraceql(query, { startNs, endNs, limit, spansPerSpanset, signal }, reader));
    }
    case 'trace_tags':
      return answerTags(request, reader, signal);
  }
}

async function answerTags(
  request: Extract<TraceQuery, { kind: 'trace_tags' }>,
  reader: TraceReader,
  signal: AbortSignal,
): Promise<string> {
  const { startNs, endNs, scopes, isFlat } = request;
  const names = { resource: new Set<string>(), span: new Set<string>(), intrinsic: new Set(INTRINSICS) };
  if (scopes.some((scope) => scope !== 'intrinsic')) {
    let left = TAG_SPANS;
    for await (const spans of reader.spans({ startNs, endNs, conditions: [] }, signal)) {
      for (const span of spans) {
        for (const name of Object.keys(span.resource)) names.resource.add(name);
        for (const name of Object.keys(span.attributes)) names.span.add(name);
      }
      left -= spans.length;
      if (left <= 0) break;
    }
  }
  if (signal.aborted) throw new BarographError({ code: 'cancelled', status: 499, where: 'query' });
  if (isFlat) {
    const flat = new Set(scopes.flatMap((scope) => [...names[scope]]));
    return JSON.stringify({ tagNames: [...flat].sort(), metrics: {} });
  }
  const found = scopes.map((name) => ({ name, tags: [...names[name]].sort() })).filter(({ tags }) => tags.length > 0);
  return JSON.stringify({ scopes: found, metrics: {} });
}
