import type { Span } from '../model/index.ts';
import type { TraceReader } from '../store/index.ts';
import {
  DEFAULT_TRACEQL_LIMITS,
  encodeTempoInstant,
  encodeTempoMetrics,
  encodeTempoSearch,
  encodeTempoTags,
  encodeTempoTagsV1,
  encodeTempoTagValues,
  encodeTempoTagValuesV1,
  filterTrace,
  findTags,
  findTagValues,
  queryTraceMetrics,
  searchTraceql,
  type TagScopeName,
} from './traceql/index.ts';

/** A range over the starts of spans, in nanoseconds since the epoch. */
interface TraceRange {
  /** Inclusive. */
  readonly startNs: bigint;
  /** Exclusive. */
  readonly endNs: bigint;
}

/** Requests about traces, in Tempo's terms. */
export type TraceQuery =
  | {
      readonly kind: 'trace';
      /** 32 lower-case hex digits. */
      readonly traceId: string;
      /** A filter of spans; empty for all of them. */
      readonly query: string;
      /** Whether spans on the way from the root to one that passes stay. */
      readonly keepAncestors: boolean;
    }
  | (TraceRange & {
      readonly kind: 'traceql';
      readonly query: string;
      /** Traces at most. */
      readonly limit: number;
      /** Spans of each span set that the answer shows, at most. */
      readonly spansPerSpanset: number;
    })
  | (TraceRange & {
      readonly kind: 'trace_metrics';
      readonly query: string;
      /** Nanoseconds between samples; 0 for an instant query, `undefined` for the default of a range. */
      readonly stepNs: bigint | undefined;
      /** Exemplars of each series at most. */
      readonly exemplars: number;
    })
  | (TraceRange & {
      readonly kind: 'trace_tags';
      /** The scopes to list; the answer is by scope, or one list where `isFlat`. */
      readonly scopes: readonly TagScopeName[];
      readonly isFlat: boolean;
      /** Narrows down the spans whose names are listed. */
      readonly query: string;
      /** Names of each scope at most; 0 for the default. */
      readonly limit: number;
    })
  | (TraceRange & {
      readonly kind: 'trace_tag_values';
      /** An attribute or intrinsic as TraceQL writes it. */
      readonly tag: string;
      /** The answer has the values' types, or texts alone where `isFlat`. */
      readonly isFlat: boolean;
      readonly query: string;
      /** Values at most; 0 for the default. */
      readonly limit: number;
    });

/** Answers a request about traces: the spans of one, or the body of the HTTP answer. */
export async function answerTraces(
  request: TraceQuery,
  reader: TraceReader,
  signal: AbortSignal,
): Promise<Span[] | Uint8Array> {
  switch (request.kind) {
    case 'trace':
      return filterTrace(
        await reader.trace(request.traceId, DEFAULT_TRACEQL_LIMITS),
        request.query,
        request.keepAncestors,
      );
    case 'traceql': {
      const { query, ...params } = request;
      return encodeTempoSearch(await searchTraceql(query, { ...params, signal }, reader));
    }
    case 'trace_metrics': {
      const { query, ...params } = request;
      const result = await queryTraceMetrics(query, { ...params, signal }, reader);
      return request.stepNs === 0n ? encodeTempoInstant(result) : encodeTempoMetrics(result);
    }
    case 'trace_tags': {
      const { scopes, isFlat, ...params } = request;
      const found = await findTags({ ...params, signal }, reader, scopes);
      return isFlat ? encodeTempoTagsV1(found) : encodeTempoTags(found);
    }
    case 'trace_tag_values': {
      const { tag, isFlat, ...params } = request;
      const values = await findTagValues(tag, { ...params, signal }, reader);
      return isFlat ? encodeTempoTagValuesV1(values) : encodeTempoTagValues(values);
    }
  }
}
