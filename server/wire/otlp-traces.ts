import type { AttributeValue, SpanEvent, SpanLink } from '../model/index.ts';
import { Cursor } from './cursor.ts';
import {
  decodeKeyValue,
  decodeResource,
  decodeScope,
  MAX_OTLP_ELEMENTS,
  NO_ATTRIBUTES,
  NO_SCOPE,
  type OtlpScope,
} from './otlp-common.ts';
import { type DecodedSpans, type RawSpan, SpanCollector } from './otlp-spans.ts';

/**
 * Decodes an `ExportTraceServiceRequest` (or `TracesData`) in protobuf.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeOtlpTraces(bytes: Uint8Array): DecodedSpans {
  const cursor = new Cursor(bytes, 'ExportTraceServiceRequest', MAX_OTLP_ELEMENTS);
  const collector = new SpanCollector();
  let count = 0;
  // message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  while (cursor.next()) {
    if (cursor.field === 1) decodeResourceSpans(cursor, count++, collector);
    else cursor.skip();
  }
  return collector.finish();
}

// message ResourceSpans {
//   Resource resource = 1;
//   repeated ScopeSpans scope_spans = 2;
//   string schema_url = 3;
// }
function decodeResourceSpans(cursor: Cursor, index: number, collector: SpanCollector): void {
  const outer = cursor.enter('resource_spans', index);
  let resource = NO_ATTRIBUTES;
  // The resource may follow its spans on the wire, so spans wait until it is known.
  const scopes: { scope: OtlpScope; spans: RawSpan[] }[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        resource = decodeResource(cursor);
        break;
      case 2:
        scopes.push(decodeScopeSpans(cursor, scopes.length));
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  for (const { scope, spans } of scopes) for (const span of spans) collector.add(span, resource, scope);
}

// message ScopeSpans {
//   InstrumentationScope scope = 1;
//   repeated Span spans = 2;
//   string schema_url = 3;
// }
function decodeScopeSpans(cursor: Cursor, index: number): { scope: OtlpScope; spans: RawSpan[] } {
  const outer = cursor.enter('scope_spans', index);
  let scope = NO_SCOPE;
  const spans: RawSpan[] = [];
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        scope = decodeScope(cursor);
        break;
      case 2:
        spans.push(decodeSpan(cursor, spans.length));
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { scope, spans };
}

// message Span {
//   bytes trace_id = 1;
//   bytes span_id = 2;
//   string trace_state = 3;
//   bytes parent_span_id = 4;
//   string name = 5;
//   SpanKind kind = 6;
//   fixed64 start_time_unix_nano = 7;
//   fixed64 end_time_unix_nano = 8;
//   repeated KeyValue attributes = 9;
//   uint32 dropped_attributes_count = 10;
//   repeated Event events = 11;
//   uint32 dropped_events_count = 12;
//   repeated Link links = 13;
//   uint32 dropped_links_count = 14;
//   Status status = 15;
//   fixed32 flags = 16;
// }
function decodeSpan(cursor: Cursor, index: number): RawSpan {
  const outer = cursor.enter('spans', index);
  const attributes: { [key: string]: AttributeValue } = {};
  let attributeCount = 0;
  const span: RawSpan = {
    traceId: '',
    spanId: '',
    parentSpanId: '',
    traceState: '',
    name: '',
    kind: 0,
    startNs: 0n,
    endNs: 0n,
    attributes,
    events: [],
    links: [],
    statusCode: 0,
    statusMessage: '',
  };
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        span.traceId = cursor.hex('trace_id');
        break;
      case 2:
        span.spanId = cursor.hex('span_id');
        break;
      case 3:
        span.traceState = cursor.string('trace_state');
        break;
      case 4:
        span.parentSpanId = cursor.hex('parent_span_id');
        break;
      case 5:
        span.name = cursor.string('name');
        break;
      case 6:
        span.kind = cursor.int32('kind');
        break;
      case 7:
        span.startNs = cursor.fixed64BigInt('start_time_unix_nano');
        break;
      case 8:
        span.endNs = cursor.fixed64BigInt('end_time_unix_nano');
        break;
      case 9:
        decodeKeyValue(cursor, 'attributes', attributeCount++, attributes);
        break;
      case 11:
        span.events.push(decodeEvent(cursor, span.events.length));
        break;
      case 13:
        span.links.push(decodeLink(cursor, span.links.length));
        break;
      case 15:
        decodeStatus(cursor, span);
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return span;
}

// message Event {
//   fixed64 time_unix_nano = 1;
//   string name = 2;
//   repeated KeyValue attributes = 3;
//   uint32 dropped_attributes_count = 4;
// }
function decodeEvent(cursor: Cursor, index: number): SpanEvent {
  const outer = cursor.enter('events', index);
  const attributes: { [key: string]: AttributeValue } = {};
  let count = 0;
  let timeNs = 0n;
  let name = '';
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        timeNs = cursor.fixed64BigInt('time_unix_nano');
        break;
      case 2:
        name = cursor.string('name');
        break;
      case 3:
        decodeKeyValue(cursor, 'attributes', count++, attributes);
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { timeNs, name, attributes };
}

// message Link {
//   bytes trace_id = 1;
//   bytes span_id = 2;
//   string trace_state = 3;
//   repeated KeyValue attributes = 4;
//   uint32 dropped_attributes_count = 5;
//   fixed32 flags = 6;
// }
function decodeLink(cursor: Cursor, index: number): SpanLink {
  const outer = cursor.enter('links', index);
  const attributes: { [key: string]: AttributeValue } = {};
  let count = 0;
  let traceId = '';
  let spanId = '';
  while (cursor.next()) {
    switch (cursor.field) {
      case 1:
        traceId = cursor.hex('trace_id');
        break;
      case 2:
        spanId = cursor.hex('span_id');
        break;
      case 4:
        decodeKeyValue(cursor, 'attributes', count++, attributes);
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
  return { traceId, spanId, attributes };
}

// message Status {
//   string message = 2;
//   StatusCode code = 3;
// }
function decodeStatus(cursor: Cursor, span: RawSpan): void {
  const outer = cursor.enter('status');
  while (cursor.next()) {
    switch (cursor.field) {
      case 2:
        span.statusMessage = cursor.string('message');
        break;
      case 3:
        span.statusCode = cursor.int32('code');
        break;
      default:
        cursor.skip();
    }
  }
  cursor.leave(outer);
}
