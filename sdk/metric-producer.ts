import type { Attributes, HrTime } from '@opentelemetry/api';
import { GAP_BOUNDS } from './gap-counts.ts';
import { METRICS, type MetricName } from './generated/conventions.ts';
import { SCOPE_NAME } from './instruments.ts';
import type { LabelSets } from './label-sets.ts';
import type { OwnHistogram } from './own-histogram.ts';

// Numbers of OpenTelemetry's enumerations, so that its metrics SDK needn't be installed.
const HISTOGRAM = 0;
const EXPONENTIAL_HISTOGRAM = 1;
const CUMULATIVE = 1;
const DOUBLE = 1;

/** What a metric reader of OpenTelemetry's SDK collects; a part of its CollectionResult. */
export interface ProducedMetrics {
  readonly resourceMetrics: {
    readonly resource: unknown;
    readonly scopeMetrics: { scope: { name: string }; metrics: ProducedMetric[] }[];
  };
  readonly errors: unknown[];
}

/** A cumulative histogram as OpenTelemetry's metrics SDK has it. */
export interface ProducedMetric {
  readonly descriptor: { name: string; description: string; unit: string; valueType: typeof DOUBLE };
  readonly aggregationTemporality: typeof CUMULATIVE;
  readonly dataPointType: typeof HISTOGRAM | typeof EXPONENTIAL_HISTOGRAM;
  readonly dataPoints: ProducedPoint[];
}

interface ProducedPoint {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly attributes: Attributes;
  readonly value: object;
}

/**
 * The histograms that the SDK keeps itself, as a metric producer of OpenTelemetry:
 * `new PeriodicExportingMetricReader({ exporter, metricProducers: [producer] })`.
 */
export class ContractMetricProducer {
  readonly #sets: LabelSets;
  readonly #epochMs: () => number;
  readonly #startTime: HrTime;

  constructor(sets: LabelSets, epochMs: () => number) {
    this.#sets = sets;
    this.#epochMs = epochMs;
    this.#startTime = toHrTime(epochMs());
  }

  /** Everything since the start; what it returns is a copy. */
  async collect(): Promise<ProducedMetrics> {
    const endTime = toHrTime(this.#epochMs());
    const metrics = new Map<MetricName, ProducedMetric>();
    const add = (name: MetricName, kind: OwnHistogram['kind'], attributes: Attributes, value: object): void => {
      let metric = metrics.get(name);
      if (!metric) {
        metric = createMetric(name, kind === 'classic' ? HISTOGRAM : EXPONENTIAL_HISTOGRAM);
        metrics.set(name, metric);
      }
      metric.dataPoints.push({ startTime: this.#startTime, endTime, attributes, value });
    };
    for (const set of this.#sets) {
      for (const histogram of set.ownHistograms())
        if (histogram.count > 0) add(histogram.name, histogram.kind, histogram.attributes, pointValueOf(histogram));
      if (!set.gaps) continue;
      const { counts, sum, count } = set.gaps;
      const buckets = { boundaries: [...GAP_BOUNDS], counts: Array.from(counts) };
      add('inference_inter_token_latency_seconds', 'classic', set.attributes, { buckets, sum, count });
    }
    const scopeMetrics = [{ scope: { name: SCOPE_NAME }, metrics: [...metrics.values()] }];
    return { resourceMetrics: { resource: {}, scopeMetrics }, errors: [] };
  }
}

function createMetric(name: MetricName, dataPointType: ProducedMetric['dataPointType']): ProducedMetric {
  const { unit, help } = METRICS[name];
  const descriptor = { name, description: help, unit, valueType: DOUBLE } as const;
  return { descriptor, aggregationTemporality: CUMULATIVE, dataPointType, dataPoints: [] };
}

function pointValueOf(histogram: OwnHistogram): object {
  const { sum, count } = histogram;
  switch (histogram.kind) {
    case 'classic':
      return { buckets: { boundaries: [...histogram.bounds], counts: Array.from(histogram.counts) }, sum, count };
    case 'exponential':
      return {
        scale: histogram.scale,
        zeroCount: histogram.zeroCount,
        positive: { offset: histogram.offset, bucketCounts: [...histogram.counts] },
        negative: { offset: 0, bucketCounts: [] },
        sum,
        count,
      };
  }
}

function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
