import { type Attributes, type AttributeValue, SPAN_KINDS, SPAN_STATUSES, type Span } from '../model/index.ts';
import { Writer } from './writer.ts';

interface ScopeGroup {
  readonly name: string;
  readonly version: string;
  readonly spans: Span[];
}
interface ResourceGroup {
  readonly resource: Attributes;
  readonly scopes: ScopeGroup[];
}

/**
 * Encodes spans as OTLP `TracesData` in protobuf, which is also Tempo's `Trace`. Spans of equal
 * resources and scopes share a group. Whole numbers become `int_value`, others `double_value`: the model doesn't tell them apart.
 */
export function encodeTraces(spans: readonly Span[]): Uint8Array {
  const out = new Writer(4096);
  writeGroups(out, spans);
  return out.finish();
}

/** How complete Tempo's answer to a trace by ID is. */
export type TraceStatus = 'complete' | 'partial';

// message TraceByIDResponse {
//   Trace trace = 1;
//   TraceByIDMetrics metrics = 2;
//   PartialStatus status = 3; // COMPLETE 0, PARTIAL 1
//   string message = 4;
// }
/** Encodes Tempo's answer to `/api/v2/traces/{id}`; `message` says why a trace is partial. */
export function encodeTraceByIdResponse(
  spans: readonly Span[],
  status: TraceStatus = 'complete',
  message = '',
): Uint8Array {
  const out = new Writer(4096);
  const trace = out.begin(1);
  writeGroups(out, spans);
  out.end(trace);
  out.end(out.begin(2));
  if (status === 'partial') out.uint(3, 1);
  writeText(out, 4, message);
  return out.finish();
}

/** Spans as an OTLP/JSON object: IDs in hex, 64-bit integers as strings, enums as numbers. */
export function tracesToJson(spans: readonly Span[]): { resourceSpans: object[] } {
  return {
    resourceSpans: groupSpans(spans).map(({ resource, scopes }) => ({
      resource: { attributes: attributesJson(resource) },
      scopeSpans: scopes.map((scope) => ({
        scope: { name: scope.name, version: scope.version },
        spans: scope.spans.map(spanJson),
      })),
    })),
  };
}

/** A store gives every span its own resource object, so resources are compared by content. */
function groupSpans(spans: readonly Span[]): ResourceGroup[] {
  const texts = new Map<Attributes, string>();
  const groups = new Map<string, { group: ResourceGroup; scopes: Map<string, ScopeGroup> }>();
  for (const span of spans) {
    let text = texts.get(span.resource);
    if (text === undefined) {
      text = JSON.stringify(span.resource);
      texts.set(span.resource, text);
    }
    let found = groups.get(text);
    if (!found) {
      found = { group: { resource: span.resource, scopes: [] }, scopes: new Map() };
      groups.set(text, found);
    }
    const key = JSON.stringify([span.scopeName, span.scopeVersion]);
    let scope = found.scopes.get(key);
    if (!scope) {
      scope = { name: span.scopeName, version: span.scopeVersion, spans: [] };
      found.scopes.set(key, scope);
      found.group.scopes.push(scope);
    }
    scope.spans.push(span);
  }
  return [...groups.values()].map(({ group }) => group);
}

function writeGroups(out: Writer, spans: readonly Span[]): void {
  for (const { resource, scopes } of groupSpans(spans)) {
    const resourceSpans = out.begin(1);
    const resourceMessage = out.begin(1);
    writeAttributes(out, 1, resource);
    out.end(resourceMessage);
    for (const scope of scopes) {
      const scopeSpans = out.begin(2);
      const scopeMessage = out.begin(1);
      writeText(out, 1, scope.name);
      writeText(out, 2, scope.version);
      out.end(scopeMessage);
      for (const span of scope.spans) writeSpan(out, span);
      out.end(scopeSpans);
    }
    out.end(resourceSpans);
  }
}

function writeSpan(out: Writer, span: Span): void {
  const start = out.begin(2);
  out.hex(1, span.traceId);
  out.hex(2, span.spanId);
  writeText(out, 3, span.traceState);
  if (span.parentSpanId !== '') out.hex(4, span.parentSpanId);
  writeText(out, 5, span.name);
  out.uint(6, SPAN_KINDS.indexOf(span.kind));
  out.fixed64(7, span.startNs);
  out.fixed64(8, span.startNs + span.durationNs);
  writeAttributes(out, 9, span.attributes);
  for (const event of span.events) {
    const message = out.begin(11);
    out.fixed64(1, event.timeNs);
    writeText(out, 2, event.name);
    writeAttributes(out, 3, event.attributes);
    out.end(message);
  }
  for (const link of span.links) {
    const message = out.begin(13);
    out.hex(1, link.traceId);
    out.hex(2, link.spanId);
    writeAttributes(out, 4, link.attributes);
    out.end(message);
  }
  if (span.status !== 'unset' || span.statusMessage !== '') {
    const message = out.begin(15);
    writeText(out, 2, span.statusMessage);
    out.uint(3, SPAN_STATUSES.indexOf(span.status));
    out.end(message);
  }
  out.end(start);
}

function writeText(out: Writer, field: number, text: string): void {
  if (text !== '') out.string(field, text);
}

function writeAttributes(out: Writer, field: number, attributes: Attributes): void {
  for (const key of Object.keys(attributes)) {
    const pair = out.begin(field);
    out.string(1, key);
    writeAnyValue(out, 2, attributes[key]);
    out.end(pair);
  }
}

function writeAnyValue(out: Writer, field: number, value: AttributeValue): void {
  const any = out.begin(field);
  if (typeof value === 'string') out.string(1, value);
  else if (typeof value === 'boolean') out.uint(2, value ? 1 : 0);
  else if (typeof value === 'number') {
    if (isWhole(value)) out.int(3, value);
    else out.double(4, value);
  } else if (Array.isArray(value)) {
    const list = out.begin(5);
    for (const element of value) writeAnyValue(out, 1, element);
    out.end(list);
  } else if (value !== null) {
    const map = out.begin(6);
    writeAttributes(out, 1, value);
    out.end(map);
  }
  out.end(any);
}

function isWhole(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

function spanJson(span: Span): object {
  return {
    traceId: span.traceId,
    spanId: span.spanId,
    ...(span.parentSpanId === '' ? {} : { parentSpanId: span.parentSpanId }),
    ...(span.traceState === '' ? {} : { traceState: span.traceState }),
    name: span.name,
    kind: SPAN_KINDS.indexOf(span.kind),
    startTimeUnixNano: String(span.startNs),
    endTimeUnixNano: String(span.startNs + span.durationNs),
    attributes: attributesJson(span.attributes),
    events: span.events.map((event) => ({
      timeUnixNano: String(event.timeNs),
      name: event.name,
      attributes: attributesJson(event.attributes),
    })),
    links: span.links.map((link) => ({
      traceId: link.traceId,
      spanId: link.spanId,
      attributes: attributesJson(link.attributes),
    })),
    status: { code: SPAN_STATUSES.indexOf(span.status), message: span.statusMessage },
  };
}

function attributesJson(attributes: Attributes): object[] {
  return Object.keys(attributes).map((key) => ({ key, value: anyValueJson(attributes[key]) }));
}

function anyValueJson(value: AttributeValue): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number') {
    if (isWhole(value)) return { intValue: String(value) };
    return { doubleValue: Number.isFinite(value) ? value : String(value) };
  }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValueJson) } };
  return value === null ? {} : { kvlistValue: { values: attributesJson(value) } };
}
