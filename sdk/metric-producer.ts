import type { Attributes, HrTime } from '@opentelemetry/api';
import { GAP_BOUNDS } from './gap-counts.ts';
import { METRICS, type MetricName } from './generated/conventions.ts';
import { SCOPE_NAME } from './instruments.ts';
import type { LabelSets } from './label-sets.ts';
import type { ClassicHistogram, ExponentialHistogram } from './own-histogram.ts';

// Numbers of OpenTelemetry's enumerations, so that its metrics SDK needn't be installed.
const HISTOGRAM = 0;
const EXPONENTIAL_HISTOGRAM = 1;
const CUMULATIVE = 1;
const DOUBLE = 1;

/** What a metric reader of OpenTelemetry's SDK collects: its CollectionResult, without depending on it. */
export interface ProducedMetrics {
  readonly resourceMetrics: {
    /** A reader takes that of its meter provider instead. */
    readonly resource: never;
    readonly scopeMetrics: { scope: { name: string }; metrics: ProducedMetric[] }[];
  };
  readonly errors: unknown[];
}

/** A cumulative histogram as OpenTelemetry's metrics SDK has it. */
export type ProducedMetric =
  | (MetricHead & { readonly dataPointType: typeof HISTOGRAM; readonly dataPoints: ProducedPoint<ClassicValue>[] })
  | (MetricHead & {
      readonly dataPointType: typeof EXPONENTIAL_HISTOGRAM;
      readonly dataPoints: ProducedPoint<ExponentialValue>[];
    });

interface MetricHead {
  readonly descriptor: { name: string; description: string; unit: string; valueType: typeof DOUBLE };
  readonly aggregationTemporality: typeof CUMULATIVE;
}

interface ProducedPoint<Value> {
  readonly startTime: HrTime;
  readonly endTime: HrTime;
  readonly attributes: Attributes;
  readonly value: Value;
}

interface ClassicValue {
  readonly buckets: { boundaries: number[]; counts: number[] };
  readonly sum: number;
  readonly count: number;
}

interface ExponentialValue {
  readonly scale: number;
  readonly zeroCount: number;
  readonly positive: { offset: number; bucketCounts: number[] };
  readonly negative: { offset: number; bucketCounts: number[] };
  readonly sum: number;
  readonly count: number;
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
    const times = { startTime: this.#startTime, endTime: toHrTime(this.#epochMs()) };
    const metrics = new Map<MetricName, ProducedMetric>();
    for (const set of this.#sets) {
      for (const histogram of set.ownHistograms()) {
        if (histogram.count === 0) continue;
        if (histogram.kind === 'classic') addClassic(metrics, histogram, times);
        else addExponential(metrics, histogram, times);
      }
      if (!set.gaps) continue;
      const { counts, sum, count } = set.gaps;
      const { attributes } = set;
      const name = 'inference_inter_token_latency_seconds' as const;
      addClassic(metrics, { name, attributes, bounds: GAP_BOUNDS, counts, sum, count }, times);
    }
    const scopeMetrics = [{ scope: { name: SCOPE_NAME }, metrics: [...metrics.values()] }];
    return { resourceMetrics: { resource: {} as never, scopeMetrics }, errors: [] };
  }
}

type Times = Pick<ProducedPoint<unknown>, 'startTime' | 'endTime'>;
type Classic = Pick<ClassicHistogram, 'name' | 'attributes' | 'bounds' | 'counts' | 'sum' | 'count'>;

function addClassic(metrics: Map<MetricName, ProducedMetric>, histogram: Classic, times: Times): void {
  const { name, attributes, bounds, counts, sum, count } = histogram;
  let metric = metrics.get(name);
  if (!metric) metrics.set(name, (metric = { ...headOf(name), dataPointType: HISTOGRAM, dataPoints: [] }));
  if (metric.dataPointType !== HISTOGRAM) throw new Error(`BUG: ${name} has histograms of two kinds`);
  const buckets = { boundaries: [...bounds], counts: Array.from(counts) };
  metric.dataPoints.push({ ...times, attributes, value: { buckets, sum, count } });
}

function addExponential(metrics: Map<MetricName, ProducedMetric>, histogram: ExponentialHistogram, times: Times): void {
  const { name, attributes, scale, zeroCount, offset, counts, sum, count } = histogram;
  let metric = metrics.get(name);
  if (!metric) metrics.set(name, (metric = { ...headOf(name), dataPointType: EXPONENTIAL_HISTOGRAM, dataPoints: [] }));
  if (metric.dataPointType !== EXPONENTIAL_HISTOGRAM) throw new Error(`BUG: ${name} has histograms of two kinds`);
  const positive = { offset, bucketCounts: [...counts] };
  const negative = { offset: 0, bucketCounts: [] };
  metric.dataPoints.push({ ...times, attributes, value: { scale, zeroCount, positive, negative, sum, count } });
}

function headOf(name: MetricName): MetricHead {
  const { unit, help } = METRICS[name];
  return { descriptor: { name, description: help, unit, valueType: DOUBLE }, aggregationTemporality: CUMULATIVE };
}

function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
