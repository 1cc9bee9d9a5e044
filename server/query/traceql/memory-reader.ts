import type { Span } from '../../model/index.ts';
import type { SpanCondition, SpanPart, TraceReader } from '../../store/index.ts';
import { limitError } from './errors.ts';

/**
 * A trace reader over an array, for tests and conformance scripts: it keeps the promises of `TraceReader`, gives batches
 * of `batchSpans`, and leaves out what the conditions allow, so that a wrong hint shows.
 */
export function createMemoryTraceReader(all: readonly Span[], batchSpans = 3): TraceReader {
  const newestFirst = [...all].sort((a, b) => (a.startNs > b.startNs ? -1 : a.startNs < b.startNs ? 1 : 0));
  return {
    async trace(traceId) {
      return newestFirst.filter((span) => span.traceId === traceId).reverse();
    },
    async *spans({ startNs, endNs, conditions, parts }) {
      const found = newestFirst.filter(
        (span) => span.startNs >= startNs && span.startNs < endNs && conditions.every((c) => holds(c, span)),
      );
      for (let i = 0; i < found.length; i += batchSpans)
        yield found.slice(i, i + batchSpans).map((span) => reduceTo(parts, span));
    },
    async *traces({ traceIds, parts, limits }) {
      for (const traceId of [...traceIds].sort()) {
        const spans = newestFirst.filter((span) => span.traceId === traceId).reverse();
        if (spans.length > limits.spansPerTrace)
          throw limitError('trace', String(spans.length), 'spansPerTrace', limits.spansPerTrace, 'load less');
        if (spans.length > 0) yield spans.map((span) => reduceTo(parts, span));
      }
    },
  };
}

/** The span without what nobody asked for, so that a query that forgot to ask for something shows. */
function reduceTo(parts: readonly SpanPart[] | undefined, span: Span): Span {
  const has = (part: SpanPart) => parts === undefined || parts.includes(part);
  return {
    ...span,
    ...(has('attributes') ? {} : { attributes: {} }),
    ...(has('resource') ? {} : { resource: {} }),
    ...(has('details')
      ? {}
      : { events: [], links: [], scopeName: '', scopeVersion: '', statusMessage: '', traceState: '' }),
  };
}

function holds(condition: SpanCondition, span: Span): boolean {
  switch (condition.kind) {
    case 'name':
      return span.name === condition.equals;
    case 'service':
      return span.serviceName === condition.equals;
    case 'status':
      return span.status === condition.equals;
    case 'span_kind':
      return span.kind === condition.equals;
    case 'trace':
      return span.traceId === condition.equals;
    case 'root':
      return span.parentSpanId === '';
    case 'duration':
      return (
        (condition.minNs === undefined || span.durationNs >= condition.minNs) &&
        (condition.maxNs === undefined || span.durationNs <= condition.maxNs)
      );
    case 'attribute': {
      const { scope, name, equals } = condition;
      const sources = [scope === 'resource' ? {} : span.attributes, scope === 'span' ? {} : span.resource];
      return sources.some(
        (source) => source[name] === equals || (Array.isArray(source[name]) && source[name].includes(equals)),
      );
    }
  }
}
