import type { Value } from './field.ts';
import type { SeriesLabel, TraceMetricsResult, TraceSeries } from './metrics.ts';
import type { FoundAttribute, FoundSpanset, FoundTrace, TraceSearchResult } from './search.ts';
import type { TagScope, TagValue } from './tags.ts';

/** An answer as the body of Tempo's `/api/search` (JSON, UTF-8): 64-bit numbers are strings. */
export function encodeTempoSearch(result: TraceSearchResult): Uint8Array {
  return json({
    traces: result.traces.map(encodeTrace),
    // Found in one place and at once, so a search is one finished job over one block.
    metrics: {
      inspectedTraces: result.inspectedTraces,
      inspectedBytes: '0',
      inspectedSpans: String(result.inspectedSpans),
      totalBlocks: 1,
      completedJobs: 1,
      totalJobs: 1,
    },
  });
}

function encodeTrace(trace: FoundTrace): object {
  const spanSets = trace.spansets.map(encodeSpanset);
  return {
    traceID: trace.traceId,
    rootServiceName: trace.rootServiceName,
    rootTraceName: trace.rootTraceName,
    startTimeUnixNano: String(trace.startNs),
    durationMs: Number(trace.durationNs / 1_000_000n),
    spanSet: spanSets[0],
    spanSets,
    serviceStats: Object.fromEntries(
      trace.services.map(({ name, spans, errors }) => [
        name,
        { spanCount: spans, ...(errors > 0 ? { errorCount: errors } : {}) },
      ]),
    ),
  };
}

function encodeSpanset(set: FoundSpanset): object {
  return {
    spans: set.spans.map((span) => ({
      spanID: span.spanId,
      name: span.name,
      startTimeUnixNano: String(span.startNs),
      durationNanos: String(span.durationNs),
      attributes: span.attributes.map(encodeAttribute),
    })),
    matched: set.matched,
    ...(set.attributes.length > 0 ? { attributes: set.attributes.map(encodeAttribute) } : {}),
  };
}

function encodeAttribute({ name, value }: FoundAttribute): object {
  return { key: name, value: encodeValue(value) };
}

/** A value as OTLP's JSON has it. */
function encodeValue(value: Value): object {
  if (typeof value === 'string') return { stringValue: value };
  if (typeof value === 'boolean') return { boolValue: value };
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (value === undefined) return { stringValue: 'nil' };
  if (Array.isArray(value)) return { arrayValue: { values: (value as readonly Value[]).map(encodeValue) } };
  return { stringValue: (value as { keyword: string }).keyword };
}

/**
 * The body of `/api/metrics/query_range`: samples without a value are left out, and so are series without samples. An
 * answer that lacks series says so in `status` and `message`.
 */
export function encodeTempoMetrics(result: TraceMetricsResult): Uint8Array {
  const series = result.series.flatMap((one) => {
    const samples: object[] = [];
    one.values.forEach((value, k) => {
      if (Number.isFinite(value)) samples.push({ timestampMs: String(result.timestampsMs[k]), value });
    });
    if (samples.length === 0 && !one.isMark) return [];
    return [{ labels: one.labels.map(encodeLabel), samples, exemplars: encodeExemplars(one) }];
  });
  const metrics = { inspectedSpans: String(result.inspectedSpans), completedJobs: 1, totalJobs: 1 };
  return json({ series, metrics, ...(result.partial ? { status: 'PARTIAL', message: result.partial } : {}) });
}

/** The body of `/api/metrics/query`, of a result with one sample; no other fields, since its reader is strict. */
export function encodeTempoInstant(result: TraceMetricsResult): Uint8Array {
  const series = result.series.filter(({ values }) => Number.isFinite(values[0]));
  return json({
    series: series.map(({ labels, values }) => ({ labels: labels.map(encodeLabel), value: values[0] })),
  });
}

function encodeLabel({ name, value, isFloat }: SeriesLabel): object {
  return { key: name, value: isFloat ? { doubleValue: value } : encodeValue(value) };
}

/** Grafana finds the trace by `trace:id`. An exemplar whose sample a filter took away has nothing to stand on. */
function encodeExemplars({ exemplars, values }: TraceSeries): object[] {
  return (exemplars ?? [])
    .filter(({ sample, value }) => Number.isFinite(values[sample]) && Number.isFinite(value))
    .map(({ traceId, spanId, spanName, serviceName, startNs, value }) => ({
      labels: [
        { key: 'trace:id', value: { stringValue: traceId } },
        { key: 'span:id', value: { stringValue: spanId } },
        { key: 'name', value: { stringValue: spanName } },
        { key: 'resource.service.name', value: { stringValue: serviceName } },
      ],
      value,
      timestampMs: String(startNs / 1_000_000n),
    }));
}

/** The body of `/api/v2/search/tags`. */
export function encodeTempoTags(scopes: readonly TagScope[]): Uint8Array {
  return json({ scopes: scopes.map(({ name, tags }) => ({ name, tags })), metrics: {} });
}

/** The body of `/api/search/tags`: the names of all given scopes in one list. */
export function encodeTempoTagsV1(scopes: readonly TagScope[]): Uint8Array {
  const names = scopes.flatMap(({ tags }) => tags);
  return json({ tagNames: [...new Set(names)].sort(), metrics: {} });
}

/** The body of `/api/v2/search/tag/<tag>/values`. */
export function encodeTempoTagValues(values: readonly TagValue[]): Uint8Array {
  return json({ tagValues: values.map(({ type, value }) => ({ type, value })), metrics: {} });
}

/** The body of `/api/search/tag/<tag>/values`. */
export function encodeTempoTagValuesV1(values: readonly TagValue[]): Uint8Array {
  return json({ tagValues: [...new Set(values.map(({ value }) => value))], metrics: {} });
}

function json(value: object): Uint8Array {
  return Buffer.from(JSON.stringify(value));
}
