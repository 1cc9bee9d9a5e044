/** An attribute's value as a screen shows it. */
export type ShownValue = string | number | boolean;

/** One span of a trace. */
export interface TraceSpan {
  /** 16 lower-case hex digits. */
  readonly spanId: string;
  /** `''` for a root. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly service: string;
  /** Nanoseconds since the start of the trace; exact, since traces are short. */
  readonly startNs: number;
  /** Nanoseconds, ≥ 0. */
  readonly durationNs: number;
  readonly failed: boolean;
  readonly attributes: Readonly<Record<string, ShownValue>>;
  readonly resource: Readonly<Record<string, ShownValue>>;
  readonly events: readonly { readonly name: string; readonly atNs: number }[];
}

/** One trace. */
export interface Trace {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  /** Milliseconds since the epoch, with a fraction. */
  readonly startMs: number;
  /** From the first start to the last end, in nanoseconds. */
  readonly durationNs: number;
  readonly spans: readonly TraceSpan[];
}

interface WireValue {
  readonly stringValue?: string;
  readonly intValue?: string | number;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
  readonly arrayValue?: { readonly values?: WireValue[] };
  readonly kvlistValue?: { readonly values?: WireAttribute[] };
  readonly bytesValue?: string;
}

interface WireAttribute {
  readonly key: string;
  readonly value?: WireValue;
}

interface WireSpan {
  readonly spanId?: string;
  readonly parentSpanId?: string;
  readonly name?: string;
  readonly startTimeUnixNano?: string | number;
  readonly endTimeUnixNano?: string | number;
  readonly status?: { readonly code?: number | string };
  readonly attributes?: WireAttribute[];
  readonly events?: { readonly name?: string; readonly timeUnixNano?: string | number }[];
}

interface WireResourceSpans {
  readonly resource?: { readonly attributes?: WireAttribute[] };
  readonly scopeSpans?: { readonly spans?: WireSpan[] }[];
}

/**
 * Reads a trace from OTLP's JSON, with `batches` as Tempo says or `resourceSpans` as OTLP does, and IDs in hex or base64.
 * An answer without spans gives `undefined`.
 */
export function readTrace(traceId: string, body: unknown): Trace | undefined {
  const answer = (body ?? {}) as {
    batches?: WireResourceSpans[];
    resourceSpans?: WireResourceSpans[];
    trace?: unknown;
  };
  if (answer.trace) return readTrace(traceId, answer.trace);
  const batches = answer.batches ?? answer.resourceSpans ?? [];
  const found: { wire: WireSpan; resource: Record<string, ShownValue>; start: bigint; end: bigint }[] = [];
  for (const batch of batches) {
    const resource = readAttributes(batch.resource?.attributes);
    for (const wire of (batch.scopeSpans ?? []).flatMap((scope) => scope.spans ?? [])) {
      const start = BigInt(wire.startTimeUnixNano ?? 0);
      const end = BigInt(wire.endTimeUnixNano ?? 0);
      found.push({ wire, resource, start, end: end < start ? start : end });
    }
  }
  if (found.length === 0) return undefined;
  const first = found.reduce((least, { start }) => (start < least ? start : least), found[0].start);
  const last = found.reduce((most, { end }) => (end > most ? end : most), found[0].end);
  return {
    traceId,
    startMs: Number(first / 1000n) / 1000,
    durationNs: Number(last - first),
    spans: found.map(({ wire, resource, start, end }) => ({
      spanId: hexId(wire.spanId),
      parentSpanId: hexId(wire.parentSpanId),
      name: wire.name ?? '',
      service: String(resource['service.name'] ?? ''),
      startNs: Number(start - first),
      durationNs: Number(end - start),
      failed: wire.status?.code === 2 || wire.status?.code === 'STATUS_CODE_ERROR',
      attributes: readAttributes(wire.attributes),
      resource,
      events: (wire.events ?? []).map((e) => ({
        name: e.name ?? '',
        atNs: Number(BigInt(e.timeUnixNano ?? 0) - first),
      })),
    })),
  };
}

/** An ID in lower-case hex, from hex or from base64 (8 bytes are 12 characters there). */
function hexId(text: string | undefined): string {
  if (!text) return '';
  if (/^[0-9a-fA-F]{16}$/.test(text)) return text.toLowerCase();
  try {
    return Array.from(atob(text), (c) => c.charCodeAt(0).toString(16).padStart(2, '0')).join('');
  } catch {
    return text;
  }
}

function readAttributes(attributes: readonly WireAttribute[] | undefined): Record<string, ShownValue> {
  const record: Record<string, ShownValue> = {};
  for (const { key, value } of attributes ?? []) record[key] = readValue(value);
  return record;
}

function readValue(value: WireValue | undefined): ShownValue {
  if (value === undefined) return '';
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.doubleValue !== undefined) return value.doubleValue;
  if (value.boolValue !== undefined) return value.boolValue;
  if (value.arrayValue) return `[${(value.arrayValue.values ?? []).map((v) => readValue(v)).join(', ')}]`;
  if (value.kvlistValue) return JSON.stringify(readAttributes(value.kvlistValue.values));
  return value.bytesValue ?? '';
}
