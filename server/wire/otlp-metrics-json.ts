import { type JsonObject, JsonWalk, parseJsonObject } from './json-walk.ts';
import { validId } from './otlp-common.ts';
import { readAttributes, readResource, readScope } from './otlp-json-common.ts';
import { NO_RECORDED_VALUE } from './otlp-metric-points.ts';
import {
  OTLP_TEMPORALITIES,
  type OtlpBuckets,
  type OtlpExemplar,
  type OtlpExponentialPoint,
  type OtlpHistogramPoint,
  type OtlpMetric,
  type OtlpMetricData,
  type OtlpMetrics,
  type OtlpNumberPoint,
  type OtlpPoint,
  type OtlpSummaryPoint,
  type OtlpTemporality,
} from './otlp-metrics-shape.ts';

const NO_BUCKETS: OtlpBuckets = Object.freeze({ offset: 0, counts: [] });

/**
 * Decodes an `ExportMetricsServiceRequest` in JSON.
 * @throws BarographError `malformed` (400) or `too_large` (413).
 */
export function decodeOtlpMetricsJson(bytes: Uint8Array): OtlpMetrics {
  const root = 'ExportMetricsServiceRequest';
  const walk = new JsonWalk(root);
  const resources = walk.messages(parseJsonObject(bytes, root), 'resourceMetrics', (resource) => ({
    attributes: readResource(walk, resource),
    scopes: walk.messages(resource, 'scopeMetrics', (scope) => ({
      scope: readScope(walk, scope),
      metrics: walk.messages(scope, 'metrics', (metric) => readMetric(walk, metric)),
    })),
  }));
  return { resources };
}

function readMetric(walk: JsonWalk, metric: JsonObject): OtlpMetric {
  return {
    name: walk.string(metric, 'name'),
    description: walk.string(metric, 'description'),
    unit: walk.string(metric, 'unit'),
    ...readData(walk, metric),
  };
}

function readData(walk: JsonWalk, metric: JsonObject): OtlpMetricData {
  const points = <P>(data: JsonObject, read: (walk: JsonWalk, point: JsonObject) => P): P[] =>
    walk.messages(data, 'dataPoints', (point) => read(walk, point));
  const temporality = (data: JsonObject): OtlpTemporality =>
    OTLP_TEMPORALITIES[walk.int32(data, 'aggregationTemporality')] ?? 'unspecified';
  let found: OtlpMetricData = { kind: 'empty' };
  found = walk.message<OtlpMetricData>(
    metric,
    'gauge',
    (d) => ({ kind: 'gauge', points: points(d, readNumber) }),
    found,
  );
  found = walk.message<OtlpMetricData>(
    metric,
    'sum',
    (d) => ({
      kind: 'sum',
      points: points(d, readNumber),
      temporality: temporality(d),
      monotonic: walk.bool(d, 'isMonotonic'),
    }),
    found,
  );
  found = walk.message<OtlpMetricData>(
    metric,
    'histogram',
    (d) => ({ kind: 'histogram', points: points(d, readHistogram), temporality: temporality(d) }),
    found,
  );
  found = walk.message<OtlpMetricData>(
    metric,
    'exponentialHistogram',
    (d) => ({ kind: 'exponential_histogram', points: points(d, readExponential), temporality: temporality(d) }),
    found,
  );
  return walk.message<OtlpMetricData>(
    metric,
    'summary',
    (d) => ({ kind: 'summary', points: points(d, readSummary) }),
    found,
  );
}

function readPoint(walk: JsonWalk, point: JsonObject): OtlpPoint {
  return {
    attributes: readAttributes(walk, point, 'attributes'),
    startMs: walk.timeMs(point, 'startTimeUnixNano'),
    timeMs: walk.timeMs(point, 'timeUnixNano'),
    noRecordedValue: (walk.int32(point, 'flags') & NO_RECORDED_VALUE) !== 0,
  };
}

function readNumber(walk: JsonWalk, point: JsonObject): OtlpNumberPoint {
  return {
    ...readPoint(walk, point),
    value: walk.double(point, 'asDouble') ?? walk.int64(point, 'asInt'),
    exemplars: readExemplars(walk, point),
  };
}

function readHistogram(walk: JsonWalk, point: JsonObject): OtlpHistogramPoint {
  return {
    ...readPoint(walk, point),
    count: walk.int64(point, 'count') ?? 0,
    sum: walk.double(point, 'sum'),
    bucketCounts: readCounts(walk, point),
    explicitBounds: walk.list(point, 'explicitBounds').map((v, i) => walk.doubleOf(v, `explicitBounds[${i}]`)),
    exemplars: readExemplars(walk, point),
  };
}

function readExponential(walk: JsonWalk, point: JsonObject): OtlpExponentialPoint {
  return {
    ...readPoint(walk, point),
    count: walk.int64(point, 'count') ?? 0,
    sum: walk.double(point, 'sum'),
    scale: walk.int32(point, 'scale'),
    zeroCount: walk.int64(point, 'zeroCount') ?? 0,
    zeroThreshold: walk.double(point, 'zeroThreshold') ?? 0,
    positive: walk.message(point, 'positive', (b) => readBuckets(walk, b), NO_BUCKETS),
    negative: walk.message(point, 'negative', (b) => readBuckets(walk, b), NO_BUCKETS),
    exemplars: readExemplars(walk, point),
  };
}

function readBuckets(walk: JsonWalk, buckets: JsonObject): OtlpBuckets {
  return { offset: walk.int32(buckets, 'offset'), counts: readCounts(walk, buckets) };
}

function readCounts(walk: JsonWalk, parent: JsonObject): number[] {
  return walk.list(parent, 'bucketCounts').map((v, i) => walk.int64Of(v, `bucketCounts[${i}]`));
}

function readSummary(walk: JsonWalk, point: JsonObject): OtlpSummaryPoint {
  return {
    ...readPoint(walk, point),
    count: walk.int64(point, 'count') ?? 0,
    sum: walk.double(point, 'sum') ?? 0,
    quantiles: walk.messages(point, 'quantileValues', (q) => ({
      quantile: walk.double(q, 'quantile') ?? 0,
      value: walk.double(q, 'value') ?? 0,
    })),
  };
}

function readExemplars(walk: JsonWalk, point: JsonObject): OtlpExemplar[] {
  return walk.messages(point, 'exemplars', (exemplar) => ({
    timeMs: walk.timeMs(exemplar, 'timeUnixNano'),
    value: walk.double(exemplar, 'asDouble') ?? walk.int64(exemplar, 'asInt'),
    traceId: validId(walk.hex(exemplar, 'traceId'), 32),
    spanId: validId(walk.hex(exemplar, 'spanId'), 16),
    attributes: readAttributes(walk, exemplar, 'filteredAttributes'),
  }));
}
