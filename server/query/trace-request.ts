import type { Span } from '../model/index.ts';
import type { TraceReader } from '../store/index.ts';

/** Requests about traces, in Tempo's terms. */
export type TraceQuery = {
  readonly kind: 'trace';
  /** 32 lower-case hex digits. */
  readonly traceId: string;
};

/** Answers a request about traces: the spans of one. */
export async function answerTraces(
  request: TraceQuery,
  reader: TraceReader,
  _signal: AbortSignal,
): Promise<Span[] | string | Uint8Array> {
  switch (request.kind) {
    case 'trace':
      return reader.trace(request.traceId);
  }
}
