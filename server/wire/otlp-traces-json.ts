import type { SpanEvent, SpanLink } from '../model/index.ts';
import { type JsonObject, JsonWalk, parseJsonObject } from './json-walk.ts';
import { readAttributes, readResource, readScope } from './otlp-json-common.ts';
import { type DecodedSpans, type RawSpan, SpanCollector } from './otlp-spans.ts';

/**
 * Decodes an `ExportTraceServiceRequest` in JSON.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeOtlpTracesJson(bytes: Uint8Array): DecodedSpans {
  const root = 'ExportTraceServiceRequest';
  const walk = new JsonWalk(root);
  const collector = new SpanCollector();
  walk.messages(parseJsonObject(bytes, root), 'resourceSpans', (resourceSpans) => {
    const resource = readResource(walk, resourceSpans);
    walk.messages(resourceSpans, 'scopeSpans', (scopeSpans) => {
      const scope = readScope(walk, scopeSpans);
      walk.messages(scopeSpans, 'spans', (span) => collector.add(readSpan(walk, span), resource, scope));
    });
  });
  return collector.finish();
}

function readSpan(walk: JsonWalk, span: JsonObject): RawSpan {
  const status = walk.message(
    span,
    'status',
    (s) => ({ code: walk.int32(s, 'code'), message: walk.string(s, 'message') }),
    { code: 0, message: '' },
  );
  return {
    traceId: walk.hex(span, 'traceId'),
    spanId: walk.hex(span, 'spanId'),
    parentSpanId: walk.hex(span, 'parentSpanId'),
    traceState: walk.string(span, 'traceState'),
    name: walk.string(span, 'name'),
    kind: walk.int32(span, 'kind'),
    startNs: walk.timeNs(span, 'startTimeUnixNano'),
    endNs: walk.timeNs(span, 'endTimeUnixNano'),
    attributes: readAttributes(walk, span, 'attributes'),
    events: walk.messages<SpanEvent>(span, 'events', (event) => ({
      timeNs: walk.timeNs(event, 'timeUnixNano'),
      name: walk.string(event, 'name'),
      attributes: readAttributes(walk, event, 'attributes'),
    })),
    links: walk.messages<SpanLink>(span, 'links', (link) => ({
      traceId: walk.hex(link, 'traceId'),
      spanId: walk.hex(link, 'spanId'),
      attributes: readAttributes(walk, link, 'attributes'),
    })),
    statusCode: status.code,
    statusMessage: status.message,
  };
}
