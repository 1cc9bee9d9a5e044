import { METRICS, type MetricName } from '../generated/conventions.ts';
import { type OtlpHistogramPoint, type OtlpMetric, otlpRequests } from '../otlp/index.ts';
import type { HistogramSeries } from './contract-series.ts';
import type { CountingPlace } from './count-at.ts';
import type { Exposed } from './render.ts';
import type { TargetSeries } from './target-series.ts';

/** What is sent over OTLP beside the points. */
export interface ServiceIdentity {
  readonly serviceName: string;
  readonly version: string;
}

/**
 * The contract's metrics of all targets as requests of OTLP. Counters and histograms are cumulative. When a counter began
 * isn't told by engines, so its start is when it was first seen, or last seen before it went back.
 *
 * @param timeMs of the points, milliseconds since 1970
 */
export function inferenceOtlpRequests(
  targets: readonly Exposed[],
  place: CountingPlace,
  { serviceName, version }: ServiceIdentity,
  timeMs: number,
): string[] {
  const source = {
    resource: [
      ['service.name', serviceName],
      ['service.version', version],
    ] as const,
    scope: '@barograph/exporters/inference',
    version,
  };
  return otlpRequests(metricsOf(targets, place), source, timeMs);
}

function* metricsOf(targets: readonly Exposed[], place: CountingPlace): Generator<OtlpMetric> {
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const { unit, help: description, type } = METRICS[name];
    const exposed = targets.filter(({ engine }) => !place.isWithheld(name, engine)).map(({ series }) => series);
    const declared = { name, unit, description };
    if (type === 'histogram') {
      const points = exposed.flatMap((series) =>
        [...series.histograms(name)].map((one) => histogramPoint(series, one)),
      );
      yield { ...declared, type, points };
      continue;
    }
    const points = exposed.flatMap((series) =>
      [...series.scalars(name)].map(({ labels, slot }) => ({
        labels,
        value: series.value(slot),
        startMs: series.startMs(slot),
      })),
    );
    yield { ...declared, type, points };
  }
}

function histogramPoint(series: TargetSeries, { labels, buckets, sum, count }: HistogramSeries): OtlpHistogramPoint {
  // Prometheus counts what is at most a bound, OTLP what lies between two.
  const cumulative = buckets.map(({ slot }) => series.value(slot));
  return {
    labels,
    startMs: series.startMs(count?.slot ?? buckets[0].slot),
    count: count ? series.value(count.slot) : cumulative[cumulative.length - 1],
    sum: sum && series.value(sum.slot),
    bounds: buckets.slice(0, -1).map(({ bound }) => bound),
    counts: cumulative.map((value, i) => (i === 0 ? value : value - cumulative[i - 1])),
  };
}
