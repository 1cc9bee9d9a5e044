import { Writer } from './writer.ts';

/** How a field of OTLP/JSON is written in protobuf. */
type FieldKind =
  | 'string'
  | 'base64'
  | 'hex'
  | 'double'
  | 'fixed64'
  | 'sfixed64'
  | 'fixed32'
  | 'uint'
  | 'int64'
  | 'bool'
  | 'packedFixed64'
  | 'packedDouble'
  | { readonly message: () => MessageShape };
interface MessageShape {
  readonly [field: string]: readonly [number: number, kind: FieldKind];
}

type Json = string | number | boolean | readonly Json[] | { readonly [key: string]: Json | undefined };

const nested = (message: () => MessageShape): FieldKind => ({ message });

// Field numbers are those of opentelemetry-proto 1.x; fields that nobody here writes are left out.
const ANY_VALUE: MessageShape = {
  stringValue: [1, 'string'],
  boolValue: [2, 'bool'],
  intValue: [3, 'int64'],
  doubleValue: [4, 'double'],
  arrayValue: [5, nested(() => ARRAY_VALUE)],
  kvlistValue: [6, nested(() => KEY_VALUE_LIST)],
  bytesValue: [7, 'base64'],
};
const ARRAY_VALUE: MessageShape = { values: [1, nested(() => ANY_VALUE)] };
const KEY_VALUE_LIST: MessageShape = { values: [1, nested(() => KEY_VALUE)] };
const KEY_VALUE: MessageShape = { key: [1, 'string'], value: [2, nested(() => ANY_VALUE)] };
const ATTRIBUTES = nested(() => KEY_VALUE);
const RESOURCE: MessageShape = { attributes: [1, ATTRIBUTES] };
const SCOPE: MessageShape = { name: [1, 'string'], version: [2, 'string'], attributes: [3, ATTRIBUTES] };

const EVENT: MessageShape = { timeUnixNano: [1, 'fixed64'], name: [2, 'string'], attributes: [3, ATTRIBUTES] };
const LINK: MessageShape = {
  traceId: [1, 'hex'],
  spanId: [2, 'hex'],
  traceState: [3, 'string'],
  attributes: [4, ATTRIBUTES],
};
const SPAN: MessageShape = {
  traceId: [1, 'hex'],
  spanId: [2, 'hex'],
  traceState: [3, 'string'],
  parentSpanId: [4, 'hex'],
  name: [5, 'string'],
  kind: [6, 'uint'],
  startTimeUnixNano: [7, 'fixed64'],
  endTimeUnixNano: [8, 'fixed64'],
  attributes: [9, ATTRIBUTES],
  events: [11, nested(() => EVENT)],
  links: [13, nested(() => LINK)],
  status: [15, nested(() => ({ message: [2, 'string'], code: [3, 'uint'] }))],
};
const LOG_RECORD: MessageShape = {
  timeUnixNano: [1, 'fixed64'],
  severityNumber: [2, 'uint'],
  severityText: [3, 'string'],
  body: [5, nested(() => ANY_VALUE)],
  attributes: [6, ATTRIBUTES],
  traceId: [9, 'hex'],
  spanId: [10, 'hex'],
  observedTimeUnixNano: [11, 'fixed64'],
  eventName: [12, 'string'],
};
const EXEMPLAR: MessageShape = {
  timeUnixNano: [2, 'fixed64'],
  asDouble: [3, 'double'],
  spanId: [4, 'hex'],
  traceId: [5, 'hex'],
  asInt: [6, 'sfixed64'],
  filteredAttributes: [7, ATTRIBUTES],
};
const NUMBER_POINT: MessageShape = {
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  asDouble: [4, 'double'],
  exemplars: [5, nested(() => EXEMPLAR)],
  asInt: [6, 'sfixed64'],
  attributes: [7, ATTRIBUTES],
};
const HISTOGRAM_POINT: MessageShape = {
  startTimeUnixNano: [2, 'fixed64'],
  timeUnixNano: [3, 'fixed64'],
  count: [4, 'fixed64'],
  sum: [5, 'double'],
  bucketCounts: [6, 'packedFixed64'],
  explicitBounds: [7, 'packedDouble'],
  exemplars: [8, nested(() => EXEMPLAR)],
  attributes: [9, ATTRIBUTES],
};
const METRIC: MessageShape = {
  name: [1, 'string'],
  description: [2, 'string'],
  unit: [3, 'string'],
  gauge: [5, nested(() => ({ dataPoints: [1, nested(() => NUMBER_POINT)] }))],
  sum: [
    7,
    nested(() => ({
      dataPoints: [1, nested(() => NUMBER_POINT)],
      aggregationTemporality: [2, 'uint'],
      isMonotonic: [3, 'bool'],
    })),
  ],
  histogram: [
    9,
    nested(() => ({ dataPoints: [1, nested(() => HISTOGRAM_POINT)], aggregationTemporality: [2, 'uint'] })),
  ],
};

const REQUESTS: Readonly<Record<'metrics' | 'logs' | 'traces', MessageShape>> = {
  metrics: request('resourceMetrics', 'scopeMetrics', 'metrics', METRIC),
  logs: request('resourceLogs', 'scopeLogs', 'logRecords', LOG_RECORD),
  traces: request('resourceSpans', 'scopeSpans', 'spans', SPAN),
};

function request(resources: string, scopes: string, items: string, item: MessageShape): MessageShape {
  const scope: MessageShape = { scope: [1, nested(() => SCOPE)], [items]: [2, nested(() => item)] };
  const resource: MessageShape = { resource: [1, nested(() => RESOURCE)], [scopes]: [2, nested(() => scope)] };
  return { [resources]: [1, nested(() => resource)] };
}

/**
 * Writes an export request that is given in OTLP/JSON's shape (IDs in hex, bytes in base64, 64-bit integers as strings or numbers, enums
 * as numbers) in protobuf. A field that the tables above don't know is a mistake of the caller.
 */
export function encodeOtlpRequest(signal: 'metrics' | 'logs' | 'traces', message: object): Uint8Array {
  const writer = new Writer(4096);
  writeMessage(writer, REQUESTS[signal], message as { [key: string]: Json | undefined });
  return writer.finish();
}

function writeMessage(
  writer: Writer,
  shape: MessageShape,
  message: { readonly [key: string]: Json | undefined },
): void {
  for (const [name, value] of Object.entries(message)) {
    if (value === undefined) continue;
    const field = shape[name];
    if (field === undefined) throw new Error(`BUG: no field ${name} in this message of OTLP`);
    const [number, kind] = field;
    if (Array.isArray(value) && kind !== 'packedFixed64' && kind !== 'packedDouble') {
      for (const item of value as readonly Json[]) writeField(writer, number, kind, item);
    } else writeField(writer, number, kind, value);
  }
}

function writeField(writer: Writer, number: number, kind: FieldKind, value: Json): void {
  if (typeof kind === 'object') {
    const start = writer.begin(number);
    writeMessage(writer, kind.message(), value as { readonly [key: string]: Json });
    writer.end(start);
    return;
  }
  switch (kind) {
    case 'string':
      return writer.string(number, String(value));
    case 'base64':
      return writer.blob(number, Buffer.from(String(value), 'base64'));
    case 'hex':
      return writer.hex(number, String(value));
    case 'double':
      return writer.double(number, Number(value));
    case 'fixed64':
    case 'sfixed64':
      return writer.fixed64(number, BigInt(value as string | number));
    case 'fixed32':
      return writer.fixed32(number, Number(value));
    case 'uint':
    case 'bool':
      return writer.uint(number, Number(value));
    case 'int64':
      return writer.int64(number, BigInt(value as string | number));
    case 'packedFixed64':
      return writer.blob(number, packed(BigUint64Array.from((value as readonly string[]).map(BigInt))));
    case 'packedDouble':
      return writer.blob(number, packed(Float64Array.from((value as readonly number[]).map(Number))));
  }
}

/** Protobuf's packed fixed fields are little-endian, as all machines are that this runs on. */
function packed(values: BigUint64Array | Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
