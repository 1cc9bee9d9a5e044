// Random OTLP messages in the oracle's shape (snake_case), for tests. Beside each message the tests need what our decoder
// should make of it, so the generators keep to values that both can say: integers below 2^53, whole characters.
import fc from 'fast-check';

export const text = fc.string({ unit: 'grapheme', maxLength: 12 }).map((s) => s.toWellFormed());
const key = fc.oneof(text, fc.constantFrom('service.name', 'host.name', '__proto__', 'constructor', 'a', 'a.b', 'a_b'));
const safeInt = fc.maxSafeInteger();
/** Nanoseconds as decimal text, as the oracle reads 64-bit integers exactly. */
export const nanos = fc
  .oneof(
    fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
    fc.bigInt({ min: 1_700_000_000_000_000_000n, max: 1_800_000_000_000_000_000n }),
  )
  .map(String);

export const anyValue = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ string_value: text }),
    fc.record({ bool_value: fc.boolean() }),
    fc.record({ int_value: safeInt }),
    fc.record({ double_value: fc.double() }),
    fc.record({ bytes_value: fc.uint8Array({ maxLength: 6 }) }),
    fc.constant({}),
    fc.record({ array_value: fc.record({ values: fc.array(tie('value'), { maxLength: 3 }) }) }),
    fc.record({
      kvlist_value: fc.record({ values: fc.array(fc.record({ key, value: tie('value') }), { maxLength: 3 }) }),
    }),
  ),
})).value as fc.Arbitrary<Record<string, unknown>>;

export const attributes = fc.array(fc.record({ key, value: anyValue }), { maxLength: 4 });
const resource = fc.record({ attributes });
const scope = fc.record({ name: text, version: text, attributes, dropped_attributes_count: fc.nat() });
const traceId = fc.uint8Array({ minLength: 16, maxLength: 16 });
const spanId = fc.uint8Array({ minLength: 8, maxLength: 8 });

const exemplar = fc.record(
  {
    filtered_attributes: attributes,
    time_unix_nano: nanos,
    as_double: fc.double(),
    trace_id: traceId,
    span_id: spanId,
  },
  { requiredKeys: ['time_unix_nano'] },
);
const point = { attributes, start_time_unix_nano: nanos, time_unix_nano: nanos, flags: fc.constantFrom(0, 1) };
const numberPoint = fc.oneof(
  fc.record({ ...point, as_double: fc.double(), exemplars: fc.array(exemplar, { maxLength: 2 }) }),
  fc.record({ ...point, as_int: safeInt }),
  fc.record(point),
);
const count = fc.nat({ max: 2 ** 31 - 1 });
const histogramPoint = fc.record(
  {
    ...point,
    count,
    sum: fc.double(),
    bucket_counts: fc.array(count, { maxLength: 5 }),
    explicit_bounds: fc.array(fc.double(), { maxLength: 5 }),
    exemplars: fc.array(exemplar, { maxLength: 2 }),
    min: fc.double(),
  },
  { requiredKeys: ['attributes', 'count', 'bucket_counts', 'explicit_bounds', 'time_unix_nano'] },
);
const buckets = fc.record({ offset: fc.integer(), bucket_counts: fc.array(count, { maxLength: 6 }) });
const exponentialPoint = fc.record(
  {
    ...point,
    count,
    sum: fc.double(),
    scale: fc.integer({ min: -10, max: 20 }),
    zero_count: count,
    zero_threshold: fc.double(),
    positive: buckets,
    negative: buckets,
    exemplars: fc.array(exemplar, { maxLength: 1 }),
  },
  { requiredKeys: ['attributes', 'count', 'time_unix_nano'] },
);
const summaryPoint = fc.record({
  ...point,
  count,
  sum: fc.double(),
  quantile_values: fc.array(fc.record({ quantile: fc.double(), value: fc.double() }), { maxLength: 3 }),
});
const names = { name: text, description: text, unit: text };
const temporality = { aggregation_temporality: fc.constantFrom(0, 1, 2) };
const some = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 3 });
const metric = fc.oneof(
  fc.record({ ...names, gauge: fc.record({ data_points: some(numberPoint) }) }),
  fc.record({
    ...names,
    sum: fc.record({ data_points: some(numberPoint), ...temporality, is_monotonic: fc.boolean() }),
  }),
  fc.record({ ...names, histogram: fc.record({ data_points: some(histogramPoint), ...temporality }) }),
  fc.record({ ...names, exponential_histogram: fc.record({ data_points: some(exponentialPoint), ...temporality }) }),
  fc.record({ ...names, summary: fc.record({ data_points: some(summaryPoint) }) }),
  fc.record(names),
);

export const metricsRequest = fc.record({
  resource_metrics: some(
    fc.record({ resource, scope_metrics: some(fc.record({ scope, metrics: some(metric) })), schema_url: text }),
  ),
});

const event = fc.record({ time_unix_nano: nanos, name: text, attributes });
const link = fc.record({ trace_id: traceId, span_id: spanId, attributes });
const span = fc.record({
  trace_id: traceId,
  span_id: spanId,
  parent_span_id: fc.oneof(spanId, fc.constant(new Uint8Array(0))),
  trace_state: text,
  flags: fc.nat(),
  name: text,
  kind: fc.integer({ min: 0, max: 5 }),
  start_time_unix_nano: nanos,
  end_time_unix_nano: nanos,
  attributes,
  events: fc.array(event, { maxLength: 2 }),
  links: fc.array(link, { maxLength: 2 }),
  status: fc.record({ code: fc.integer({ min: 0, max: 2 }), message: text }),
});

export const tracesRequest = fc.record({
  resource_spans: some(fc.record({ resource, scope_spans: some(fc.record({ scope, spans: some(span) })) })),
});

const logRecord = fc.record({
  time_unix_nano: fc.oneof(nanos, fc.constant('0')),
  observed_time_unix_nano: fc.oneof(nanos, fc.constant('0')),
  severity_number: fc.integer({ min: 0, max: 24 }),
  severity_text: text,
  body: anyValue,
  attributes,
  dropped_attributes_count: fc.nat(),
  flags: fc.nat(),
  trace_id: fc.oneof(traceId, fc.constant(new Uint8Array(0))),
  span_id: fc.oneof(spanId, fc.constant(new Uint8Array(0))),
  event_name: text,
});

export const logsRequest = fc.record({
  resource_logs: some(fc.record({ resource, scope_logs: some(fc.record({ scope, log_records: some(logRecord) })) })),
});

/** The same message in OTLP/JSON: lowerCamelCase, IDs in hexadecimal, other bytes in base64, 64-bit integers as text. */
export function toOtlpJson(value: unknown, name = ''): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString(/_id$/.test(name) ? 'hex' : 'base64');
  if (Array.isArray(value)) return value.map((element) => toOtlpJson(element, name));
  if (typeof value === 'number') {
    if (/^(int_value|as_int|count|zero_count|bucket_counts)$/.test(name)) return String(value);
    return Number.isFinite(value) ? value : String(value);
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [k.replace(/_(.)/g, (_, c: string) => c.toUpperCase()), toOtlpJson(v, k)]),
  );
}

/** Attributes in the oracle's shape as our plain object. */
export function plainAttributes(pairs: readonly Record<string, unknown>[] | undefined): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const pair of pairs ?? []) {
    const value = plainValue(pair.value as Record<string, unknown> | undefined);
    Object.defineProperty(result, pair.key as string, { value, enumerable: true, configurable: true, writable: true });
  }
  return result;
}

export function plainValue(value: Record<string, unknown> | undefined): unknown {
  if (value === undefined) return null;
  if ('string_value' in value) return value.string_value;
  if ('bool_value' in value) return value.bool_value;
  if ('int_value' in value) return Number(value.int_value);
  if ('double_value' in value) return value.double_value;
  if ('bytes_value' in value) return Buffer.from(value.bytes_value as Uint8Array).toString('base64');
  if ('array_value' in value) {
    return (value.array_value as { values: Record<string, unknown>[] }).values.map(plainValue);
  }
  if ('kvlist_value' in value)
    return plainAttributes((value.kvlist_value as { values: Record<string, unknown>[] }).values);
  return null;
}
