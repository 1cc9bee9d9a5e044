import type { ContractMetricProducer, ProducedMetric } from '@barograph/sdk';
import {
  type Attributes,
  createNoopMeter,
  type Meter,
  type MeterProvider,
  type ObservableCallback,
  type ObservableCounter,
  type ObservableResult,
} from '@opentelemetry/api';

/** A counter or gauge as it stands when it is asked. */
export interface Reading {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly unit: string;
  readonly points: readonly { readonly attributes: Attributes; readonly value: number }[];
}

// Numbers of OpenTelemetry's enumerations; its metrics SDK needn't be installed for /metrics.
const SUM = 3;
const GAUGE = 2;
const CUMULATIVE = 1;
const DOUBLE = 1;
const EXPONENTIAL_HISTOGRAM = 1;
/** Upper bounds for native histograms in a text that has classic ones only: powers of two from 1 to 2^20. */
const LARGEST_EXPONENT = 20;

type HrTime = [number, number];

/** A collection in the form of OpenTelemetry's metrics SDK, without depending on it. */
interface Collected {
  readonly resourceMetrics: { readonly resource: never; readonly scopeMetrics: readonly object[] };
  readonly errors: unknown[];
}

/**
 * All of the gateway's metrics in one place: a meter provider for the SDK's counters, beside the SDK's histograms and the
 * gateway's own readings. It gives them out as Prometheus's text, and to OpenTelemetry's reader as a metric producer.
 */
export class MetricRegistry implements MeterProvider {
  readonly #own: () => readonly Reading[];
  readonly #startTime: HrTime = hrTime(Date.now());
  readonly #counters = new Map<string, { help: string; unit: string; callbacks: Set<ObservableCallback> }>();

  /** @param own Reads the gateway's own metrics. */
  constructor(own: () => readonly Reading[]) {
    this.#own = own;
  }

  /** A meter whose observable counters are collected here. The SDK makes no other instruments. */
  getMeter(): Meter {
    const meter: Meter = Object.create(createNoopMeter());
    meter.createObservableCounter = (name, options) => {
      const counter = {
        help: options?.description ?? '',
        unit: options?.unit ?? '',
        callbacks: new Set<ObservableCallback>(),
      };
      this.#counters.set(name, counter);
      return {
        addCallback: (callback: ObservableCallback) => counter.callbacks.add(callback),
        removeCallback: (callback: ObservableCallback) => counter.callbacks.delete(callback),
      } as unknown as ObservableCounter;
    };
    return meter;
  }

  /** Counters and gauges, for a metric reader beside the SDK's producer of histograms. */
  async collect(): Promise<Collected> {
    const endTime = hrTime(Date.now());
    const metrics = this.#readings().map(({ name, type, help, unit, points }) => ({
      descriptor: { name, description: help, unit, valueType: DOUBLE },
      aggregationTemporality: CUMULATIVE,
      dataPointType: type === 'counter' ? SUM : GAUGE,
      isMonotonic: type === 'counter',
      dataPoints: points.map(({ attributes, value }) => ({ startTime: this.#startTime, endTime, attributes, value })),
    }));
    const scopeMetrics = [{ scope: { name: 'barograph-gateway' }, metrics }];
    return { resourceMetrics: { resource: {} as never, scopeMetrics }, errors: [] };
  }

  /** Everything as Prometheus's text format. */
  async text(histograms: ContractMetricProducer): Promise<string> {
    const lines: string[] = [];
    for (const { name, type, help, points } of this.#readings()) {
      lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
      for (const { attributes, value } of points) lines.push(`${name}${labelsText(attributes)} ${value}`);
    }
    const { resourceMetrics } = await histograms.collect();
    for (const { metrics } of resourceMetrics.scopeMetrics) for (const metric of metrics) pushHistogram(lines, metric);
    return `${lines.join('\n')}\n`;
  }

  #readings(): Reading[] {
    const readings: Reading[] = [];
    for (const [name, { help, unit, callbacks }] of this.#counters) {
      const points: { attributes: Attributes; value: number }[] = [];
      const result = {
        observe: (value: number, attributes: Attributes = {}) => points.push({ attributes, value }),
      } as unknown as ObservableResult;
      for (const callback of callbacks) callback(result);
      if (points.length > 0) readings.push({ name, type: 'counter', help, unit, points });
    }
    return [...readings, ...this.#own().filter(({ points }) => points.length > 0)];
  }
}

function pushHistogram(lines: string[], metric: ProducedMetric): void {
  const { name, description } = metric.descriptor;
  lines.push(`# HELP ${name} ${escapeHelp(description)}`, `# TYPE ${name} histogram`);
  const push = (
    attributes: Attributes,
    bounds: readonly number[],
    below: (i: number) => number,
    sum: number,
    count: number,
  ) => {
    bounds.forEach((bound, i) => {
      lines.push(`${name}_bucket${labelsText({ ...attributes, le: String(bound) })} ${below(i)}`);
    });
    lines.push(`${name}_bucket${labelsText({ ...attributes, le: '+Inf' })} ${count}`);
    lines.push(`${name}_sum${labelsText(attributes)} ${sum}`, `${name}_count${labelsText(attributes)} ${count}`);
  };
  if (metric.dataPointType === EXPONENTIAL_HISTOGRAM)
    for (const { attributes, value } of metric.dataPoints) {
      const bounds = Array.from({ length: LARGEST_EXPONENT + 1 }, (_, exponent) => 2 ** exponent);
      const { offset, bucketCounts } = value.positive;
      // A bucket's index i ends at 2^((i + 1) / 2^scale), so those below 2^exponent end at or before it.
      const below = (exponent: number): number =>
        bucketCounts.reduce(
          (total, counted, i) => total + ((offset + i + 1) / 2 ** value.scale <= exponent ? counted : 0),
          value.zeroCount,
        );
      push(attributes, bounds, below, value.sum, value.count);
    }
  else
    for (const { attributes, value } of metric.dataPoints) {
      const { boundaries, counts } = value.buckets;
      const below = (i: number): number => counts.slice(0, i + 1).reduce((total, counted) => total + counted, 0);
      push(attributes, boundaries, below, value.sum, value.count);
    }
}

function labelsText(attributes: Attributes): string {
  const pairs = Object.entries(attributes).map(([name, value]) => `${name}="${escapeValue(String(value))}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(help: string): string {
  return help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function hrTime(ms: number): HrTime {
  const seconds = Math.floor(ms / 1000);
  return [seconds, Math.round((ms - seconds * 1000) * 1e6)];
}
