import type { Label } from '../exposition/index.ts';

/** Data points of one request, at most; a receiver limits the size of a request. */
const MOST_POINTS = 2000;
const CUMULATIVE = 2;

/** A value of a counter or gauge. */
export interface OtlpNumberPoint {
  readonly labels: readonly Label[];
  readonly value: number;
  /** Counters: since when it counts, in Unix ms; absent where that isn't known. */
  readonly startMs?: number;
}

/** A histogram with explicit bounds. */
export interface OtlpHistogramPoint {
  readonly labels: readonly Label[];
  readonly startMs: number;
  readonly count: number;
  readonly sum?: number;
  /** The upper bounds without the last one, which is +Inf. */
  readonly bounds: readonly number[];
  /** The number of observations in each bucket alone, one more than there are bounds. */
  readonly counts: readonly number[];
}

/** A metric with its points; counters and histograms are cumulative. */
export type OtlpMetric = { readonly name: string; readonly unit: string; readonly description: string } & (
  | { readonly type: 'counter' | 'gauge'; readonly points: readonly OtlpNumberPoint[] }
  | { readonly type: 'histogram'; readonly points: readonly OtlpHistogramPoint[] }
);

/** Who sends. */
export interface OtlpSource {
  /** Attributes of the resource, such as `service.name`. */
  readonly resource: readonly Label[];
  /** The instrumentation's name. */
  readonly scope: string;
  readonly version: string;
}

/**
 * Writes metrics as bodies of `ExportMetricsServiceRequest` in OTLP's JSON, of at most 2,000 points each.
 *
 * @param timeMs The time of the points, in Unix ms.
 */
export function otlpRequests(metrics: Iterable<OtlpMetric>, source: OtlpSource, timeMs: number): string[] {
  const bodies: string[] = [];
  let [written, points]: [object[], number] = [[], 0];
  const flush = (): void => {
    if (written.length > 0) bodies.push(JSON.stringify(requestOf(written, source)));
    [written, points] = [[], 0];
  };
  for (const metric of metrics) {
    const all = pointsOf(metric, nanos(timeMs));
    for (let from = 0; from < all.length; ) {
      const some = all.slice(from, from + MOST_POINTS - points);
      written.push(metricOf(metric, some));
      from += some.length;
      points += some.length;
      if (points >= MOST_POINTS) flush();
    }
  }
  flush();
  return bodies;
}

function pointsOf(metric: OtlpMetric, timeUnixNano: string): object[] {
  if (metric.type === 'histogram')
    return metric.points.map(({ labels, startMs, count, sum, bounds, counts }) => ({
      attributes: attributesOf(labels),
      timeUnixNano,
      startTimeUnixNano: nanos(startMs),
      count: String(count),
      ...(sum === undefined ? {} : { sum }),
      explicitBounds: bounds,
      bucketCounts: counts.map(String),
    }));
  return metric.points.map(({ labels, value, startMs }) => ({
    attributes: attributesOf(labels),
    timeUnixNano,
    ...(startMs === undefined || metric.type === 'gauge' ? {} : { startTimeUnixNano: nanos(startMs) }),
    asDouble: value,
  }));
}

function metricOf({ name, description, unit, type }: OtlpMetric, dataPoints: readonly object[]): object {
  const shared = { name, description, unit };
  switch (type) {
    case 'counter':
      return { ...shared, sum: { dataPoints, aggregationTemporality: CUMULATIVE, isMonotonic: true } };
    case 'gauge':
      return { ...shared, gauge: { dataPoints } };
    case 'histogram':
      return { ...shared, histogram: { dataPoints, aggregationTemporality: CUMULATIVE } };
  }
}

function requestOf(metrics: readonly object[], { resource, scope, version }: OtlpSource): object {
  const scopeMetrics = [{ scope: { name: scope, version }, metrics }];
  return { resourceMetrics: [{ resource: { attributes: attributesOf(resource) }, scopeMetrics }] };
}

function attributesOf(labels: readonly Label[]): object[] {
  return labels.map(([key, value]) => ({ key, value: { stringValue: value } }));
}

function nanos(timeMs: number): string {
  return `${Math.round(timeMs)}000000`;
}
