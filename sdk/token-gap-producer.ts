import type { Attributes, HrTime } from '@opentelemetry/api';
import { GAP_BOUNDS } from './gap-counts.ts';
import { METRICS } from './generated/conventions.ts';
import { SCOPE_NAME } from './instruments.ts';
import type { LabelSets } from './label-sets.ts';

const SPEC = METRICS.inference_inter_token_latency_seconds;
// Numbers of OpenTelemetry's enumerations, so that its metrics SDK needn't be installed.
const HISTOGRAM = 0;
const CUMULATIVE = 1;
const DOUBLE = 1;

/** What a metric reader of OpenTelemetry's SDK collects; a part of its CollectionResult. */
export interface GapCollection {
  readonly resourceMetrics: {
    readonly resource: unknown;
    readonly scopeMetrics: { scope: { name: string }; metrics: GapMetric[] }[];
  };
  readonly errors: unknown[];
}

/** A cumulative histogram as OpenTelemetry's metrics SDK has it. */
export interface GapMetric {
  readonly descriptor: { name: string; description: string; unit: string; valueType: typeof DOUBLE };
  readonly aggregationTemporality: typeof CUMULATIVE;
  readonly dataPointType: typeof HISTOGRAM;
  readonly dataPoints: {
    readonly startTime: HrTime;
    readonly endTime: HrTime;
    readonly attributes: Attributes;
    readonly value: { buckets: { boundaries: number[]; counts: number[] }; sum: number; count: number };
  }[];
}

/**
 * The gaps between tokens, as a metric producer of OpenTelemetry: `new PeriodicExportingMetricReader({ exporter,
 * metricProducers: [producer] })`. They are counted token by token, which OpenTelemetry's instruments are too slow for.
 */
export class TokenGapProducer {
  readonly #sets: LabelSets;
  readonly #epochMs: () => number;
  readonly #startTime: HrTime;

  constructor(sets: LabelSets, epochMs: () => number) {
    this.#sets = sets;
    this.#epochMs = epochMs;
    this.#startTime = toHrTime(epochMs());
  }

  /** Everything since the start; what it returns is a copy. */
  async collect(): Promise<GapCollection> {
    const endTime = toHrTime(this.#epochMs());
    const dataPoints: GapMetric['dataPoints'] = [];
    for (const { gaps, attributes } of this.#sets) {
      if (!gaps) continue;
      const buckets = { boundaries: [...GAP_BOUNDS], counts: Array.from(gaps.counts) };
      const value = { buckets, sum: gaps.sum, count: gaps.count };
      dataPoints.push({ startTime: this.#startTime, endTime, attributes, value });
    }
    const metric: GapMetric = {
      descriptor: { name: SPEC.name, description: SPEC.help, unit: SPEC.unit, valueType: DOUBLE },
      aggregationTemporality: CUMULATIVE,
      dataPointType: HISTOGRAM,
      dataPoints,
    };
    const metrics = dataPoints.length === 0 ? [] : [metric];
    return { resourceMetrics: { resource: {}, scopeMetrics: [{ scope: { name: SCOPE_NAME }, metrics }] }, errors: [] };
  }
}

function toHrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
