import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { METRICS, type MetricName } from '../generated/conventions.ts';
import type { HistogramSeries } from './contract-series.ts';
import type { CountingPlace } from './count-at.ts';
import { ExporterError } from './error.ts';
import { shownUrl } from './http-get.ts';
import type { Exposed } from './render.ts';
import type { Label } from './series-text.ts';
import type { TargetSeries } from './target-series.ts';

/** Data points of one request, at most; a receiver limits the size of a request. */
const MAX_POINTS = 2000;
const CUMULATIVE = 2;
const pack = promisify(gzip);

/** What is sent over OTLP beside the points. */
export interface OtlpSource {
  readonly serviceName: string;
  readonly version: string;
}

interface Point {
  readonly attributes: readonly object[];
  readonly timeUnixNano: string;
  readonly startTimeUnixNano?: string;
}

/**
 * Writes the contract's metrics as bodies of OTLP's ExportMetricsServiceRequest in JSON, of at most 2,000 points each.
 * Counters and histograms are cumulative. When a counter began isn't told by engines, so its start is when it was first
 * seen, or last seen before it went back.
 * @param timeMs of the points, milliseconds since 1970
 */
export function otlpBodies(
  targets: readonly Exposed[],
  place: CountingPlace,
  source: OtlpSource,
  timeMs: number,
): string[] {
  const bodies: string[] = [];
  let metrics: object[] = [];
  let points = 0;
  const flush = (): void => {
    if (metrics.length > 0) bodies.push(JSON.stringify(requestOf(metrics, source)));
    metrics = [];
    points = 0;
  };
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const all = targets
      .filter(({ engine }) => !place.isWithheld(name, engine))
      .flatMap(({ series }) => pointsOf(series, name, timeMs));
    for (let from = 0; from < all.length; ) {
      const some = all.slice(from, from + MAX_POINTS - points);
      metrics.push(metricOf(name, some));
      from += some.length;
      points += some.length;
      if (points >= MAX_POINTS) flush();
    }
  }
  flush();
  return bodies;
}

function pointsOf(series: TargetSeries, name: MetricName, timeMs: number): Point[] {
  const timeUnixNano = nanos(timeMs);
  const { type } = METRICS[name];
  if (type === 'histogram')
    return [...series.histograms(name)].map((histogram) => histogramPoint(series, histogram, timeUnixNano));
  return [...series.scalars(name)].map(({ labels, slot }) => ({
    attributes: attributesOf(labels),
    timeUnixNano,
    asDouble: series.value(slot),
    ...(type === 'counter' ? { startTimeUnixNano: nanos(series.startMs(slot)) } : {}),
  }));
}

function histogramPoint(series: TargetSeries, { labels, buckets, sum, count }: HistogramSeries, timeUnixNano: string) {
  // Prometheus counts what is at most a bound, OTLP what lies between two.
  const cumulative = buckets.map(({ slot }) => series.value(slot));
  return {
    attributes: attributesOf(labels),
    timeUnixNano,
    startTimeUnixNano: nanos(series.startMs(count?.slot ?? buckets[0].slot)),
    count: String(count ? series.value(count.slot) : cumulative.at(-1)),
    ...(sum ? { sum: series.value(sum.slot) } : {}),
    explicitBounds: buckets.slice(0, -1).map(({ bound }) => bound),
    bucketCounts: cumulative.map((value, i) => String(i === 0 ? value : value - cumulative[i - 1])),
  };
}

function metricOf(name: MetricName, dataPoints: readonly Point[]): object {
  const { unit, help: description, type } = METRICS[name];
  const shared = { name, unit, description };
  switch (type) {
    case 'counter':
      return { ...shared, sum: { aggregationTemporality: CUMULATIVE, isMonotonic: true, dataPoints } };
    case 'gauge':
      return { ...shared, gauge: { dataPoints } };
    case 'histogram':
      return { ...shared, histogram: { aggregationTemporality: CUMULATIVE, dataPoints } };
  }
}

function requestOf(metrics: readonly object[], { serviceName, version }: OtlpSource): object {
  const resource = {
    attributes: attributesOf([
      ['service.name', serviceName],
      ['service.version', version],
    ]),
  };
  const scope = { name: '@barograph/exporters/inference', version };
  return { resourceMetrics: [{ resource, scopeMetrics: [{ scope, metrics }] }] };
}

function attributesOf(labels: readonly Label[]): object[] {
  return labels.map(([key, value]) => ({ key, value: { stringValue: value } }));
}

function nanos(timeMs: number): string {
  return `${Math.round(timeMs)}000000`;
}

/**
 * Sends bodies to a receiver, one after the other. Points are cumulative, so what is lost is made up for by the next.
 * @param endpoint the receiver without its path, as in OTEL_EXPORTER_OTLP_ENDPOINT
 * @throws ExporterError `otlp_rejected`, `otlp_unreachable`.
 */
export async function sendOtlp(
  endpoint: URL,
  bodies: readonly string[],
  headers: Readonly<Record<string, string>>,
  timeoutMs: number,
): Promise<void> {
  const url = new URL(`${endpoint.pathname.replace(/\/$/, '')}/v1/metrics`, endpoint);
  for (const body of bodies) {
    let response: Response;
    try {
      response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-encoding': 'gzip', ...headers },
        body: await pack(body),
        signal: AbortSignal.timeout(timeoutMs),
      });
    } catch (error) {
      const { cause, name } = error as { cause?: { code?: string }; name?: string };
      throw new ExporterError({ code: 'otlp_unreachable', where: shownUrl(url), got: cause?.code ?? name });
    }
    const answer = (await response.json().catch(() => ({}))) as { partialSuccess?: { rejectedDataPoints?: unknown } };
    if (!response.ok)
      throw new ExporterError({ code: 'otlp_rejected', where: shownUrl(url), got: `HTTP ${response.status}` });
    const rejected = Number(answer.partialSuccess?.rejectedDataPoints ?? 0);
    if (rejected > 0)
      throw new ExporterError({ code: 'otlp_rejected', where: shownUrl(url), got: `${rejected} refused points` });
  }
}
