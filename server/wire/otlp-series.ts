import type { Attributes, MetricType } from '../model/index.ts';
import { type MetricPoints, MetricPointsBuilder, type SeriesTemporality } from './metric-points.ts';
import { addExponential, addHistogram, addSummary } from './otlp-histogram-series.ts';
import { buildPointLabels, IDENTIFYING_ATTRIBUTES, resourceLabels, toExemplar } from './otlp-labels.ts';
import type { OtlpMetric, OtlpMetrics, OtlpNumberPoint, OtlpPoint, OtlpTemporality } from './otlp-metrics-shape.ts';
import { LabelNamer, metricName, type NamedMetricKind, unitName } from './otlp-names.ts';
import { DEFAULT_PROMOTED_ATTRIBUTES } from './otlp-promotion.ts';
import { labelsOf, quote, type Translation } from './otlp-translation.ts';

/** How OTLP metrics become Prometheus series. */
export interface SeriesOptions {
  /** Resource attributes that become labels of every series. Default `DEFAULT_PROMOTED_ATTRIBUTES`. */
  readonly promoteResourceAttributes: readonly string[];
  /** Whether names get their unit and `_total`/`_ratio`. Default true. */
  readonly addSuffixes: boolean;
  /** Whether `target_info` repeats `service.*`. Default false. */
  readonly keepIdentifyingResourceAttributes: boolean;
  /** Whether `target_info` is made. Default true. */
  readonly targetInfo: boolean;
  /** PromQL's look-back: `target_info` has a sample at least every half of it where there is data. Default 300,000. */
  readonly lookbackMs: number;
}

export const DEFAULT_SERIES_OPTIONS: SeriesOptions = {
  promoteResourceAttributes: DEFAULT_PROMOTED_ATTRIBUTES,
  addSuffixes: true,
  keepIdentifyingResourceAttributes: false,
  targetInfo: true,
  lookbackMs: 300_000,
};

/**
 * Translates OTLP metrics to Prometheus series, by the rules of Prometheus's own receiver
 * (prometheus/prometheus storage/remote/otlptranslator), with these differences: delta temporality is handed on, marked;
 * points that break OTLP's rules are rejected one by one instead of written; gauges keep their exemplars.
 * @throws BarographError `too_large` (413) where the series would not fit in memory.
 */
export function toSeries(metrics: OtlpMetrics, options: Partial<SeriesOptions> = {}): MetricPoints {
  const settings = { ...DEFAULT_SERIES_OPTIONS, ...options };
  const promote = new Set(settings.promoteResourceAttributes);
  const out = new MetricPointsBuilder();
  const namer = new LabelNamer();
  for (const { attributes, scopes } of metrics.resources) {
    const resource = resourceLabels(attributes, promote);
    const translation = { out, resource, namer, known: new Map() };
    const times: number[] = [];
    for (const { metrics: list } of scopes) for (const metric of list) addMetric(translation, settings, metric, times);
    if (settings.targetInfo) addTargetInfo(translation, settings, attributes, times);
  }
  return out.finish();
}

function addMetric(translation: Translation, options: SeriesOptions, metric: OtlpMetric, times: number[]): void {
  const { out } = translation;
  if (metric.kind === 'empty' || metric.points.length === 0) {
    out.warn(`metric ${quote(metric.name)}: no data points`);
    return;
  }
  const name = metricName(metric.name, metric.unit, namedKind(metric), options.addSuffixes);
  if (name === undefined) {
    out.reject(metric.points.length, `metric ${quote(metric.name)}: nothing of the name is valid in Prometheus`);
    return;
  }
  if ('temporality' in metric && metric.temporality === 'unspecified') {
    out.reject(metric.points.length, `metric ${quote(metric.name)}: no aggregation temporality`);
    return;
  }
  const type = metricType(metric);
  out.metadata({ metric: name, type, help: metric.description, unit: unitName(metric.unit) });
  const temporality = seriesTemporality(metric);
  switch (metric.kind) {
    case 'gauge':
    case 'sum':
      for (const point of metric.points) {
        if (!checkPoint(translation, point, name)) continue;
        if (addNumber(translation, name, type, temporality, point)) times.push(point.timeMs);
      }
      return;
    case 'histogram':
      for (const point of metric.points) {
        if (!checkPoint(translation, point, name)) continue;
        if (addHistogram(translation, name, temporality, point)) times.push(point.timeMs);
      }
      return;
    case 'exponential_histogram':
      for (const point of metric.points) {
        if (!checkPoint(translation, point, name)) continue;
        if (addExponential(translation, name, temporality, point)) times.push(point.timeMs);
      }
      return;
    case 'summary':
      for (const point of metric.points) {
        if (!checkPoint(translation, point, name)) continue;
        if (addSummary(translation, name, point)) times.push(point.timeMs);
      }
      return;
  }
}

function addNumber(
  translation: Translation,
  name: string,
  type: MetricType,
  temporality: SeriesTemporality,
  point: OtlpNumberPoint,
): boolean {
  const { out } = translation;
  const labels = labelsOf(translation, name, point);
  if (labels === undefined) return false;
  if (point.value === undefined && !point.noRecordedValue) {
    out.reject(1, `metric ${quote(name)}: a point without a value`);
    return false;
  }
  const series = out.series(name, labels, type, temporality);
  if (point.noRecordedValue) out.stale(series, point.timeMs, point.startMs);
  else out.sample(series, point.timeMs, point.startMs, point.value ?? 0);
  for (const exemplar of point.exemplars) {
    const translated = toExemplar(exemplar);
    if (translated !== undefined) out.exemplar(series, translated);
  }
  return true;
}

function checkPoint(translation: Translation, point: OtlpPoint, name: string): boolean {
  // Milliseconds of what a signed 64-bit number of nanoseconds can hold: until the year 2262.
  if (point.timeMs > 0 && point.timeMs <= 9_223_372_036_854) return true;
  translation.out.reject(
    1,
    `metric ${quote(name)}: a point whose time is ${point.timeMs === 0 ? 'not set' : 'after 2262'}`,
  );
  return false;
}

/**
 * `target_info` carries the resource attributes that aren't labels of every series. It gets a sample in every half
 * look-back that has data, from the first to the last time, so that joins find it for the whole period.
 */
function addTargetInfo(
  translation: Translation,
  options: SeriesOptions,
  attributes: Attributes,
  times: number[],
): void {
  const { out, resource, namer } = translation;
  if (times.length === 0 || (resource.job ?? '') + (resource.instance ?? '') === '') return;
  const described: Attributes = Object.fromEntries(
    Object.entries(attributes).filter(([key]) => !IDENTIFYING_ATTRIBUTES.includes(key)),
  );
  if (Object.keys(described).length === 0) return;
  const shown = options.keepIdentifyingResourceAttributes ? attributes : described;
  const labels = buildPointLabels(shown, { ...resource, promoted: [] }, namer);
  if (labels === undefined) {
    out.warn('target_info: a resource attribute whose name leaves nothing valid in Prometheus');
    return;
  }
  const series = out.series('target_info', out.point(labels), 'gauge', 'gauge');
  times.sort((a, b) => a - b);
  const interval = Math.max(1, options.lookbackMs / 2);
  const first = times[0];
  const last = times[times.length - 1];
  let written = Number.NEGATIVE_INFINITY;
  // One sample a half look-back with data, not one a half look-back: a request that spans years would never end.
  for (const time of times) {
    const at = first + Math.floor((time - first) / interval) * interval;
    if (at <= written) continue;
    out.sample(series, at, 0, 1);
    written = at;
  }
  if (written < last) out.sample(series, last, 0, 1);
}

function namedKind(metric: OtlpMetric): NamedMetricKind {
  switch (metric.kind) {
    case 'sum':
      return metric.monotonic ? 'monotonic_sum' : 'sum';
    case 'empty':
      return 'gauge';
    default:
      return metric.kind;
  }
}

function metricType(metric: OtlpMetric): MetricType {
  switch (metric.kind) {
    case 'sum':
      return metric.monotonic ? 'counter' : 'gauge';
    case 'gauge':
      return 'gauge';
    case 'histogram':
    case 'exponential_histogram':
      return 'histogram';
    case 'summary':
      return 'summary';
    case 'empty':
      return 'unknown';
  }
}

function seriesTemporality(metric: OtlpMetric): SeriesTemporality {
  switch (metric.kind) {
    case 'sum':
      return metric.temporality === 'delta' ? 'delta' : metric.monotonic ? 'cumulative' : 'gauge';
    case 'histogram':
    case 'exponential_histogram':
      return accumulates(metric.temporality);
    case 'summary':
      return 'cumulative';
    case 'gauge':
    case 'empty':
      return 'gauge';
  }
}

function accumulates(temporality: OtlpTemporality): SeriesTemporality {
  return temporality === 'delta' ? 'delta' : 'cumulative';
}
