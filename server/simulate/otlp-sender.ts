import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import type { ReadableLogRecord } from '@opentelemetry/sdk-logs';
import type { MetricData, ResourceMetrics } from '@opentelemetry/sdk-metrics';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { DeliveryResult, Outbox } from './outbox.ts';

const TIMEOUT_MS = 60_000;

/** Exports through OpenTelemetry's own exporters, OTLP over HTTP in protobuf, within the outbox's bounds. */
export class OtlpSender {
  readonly #outbox: Outbox;
  readonly #metrics: OTLPMetricExporter;
  readonly #traces: OTLPTraceExporter;
  readonly #logs: OTLPLogExporter;

  /** @param target Origin without a path, such as `http://127.0.0.1:4318`. */
  constructor(outbox: Outbox, target: string) {
    const options = (signal: string) => ({
      url: `${target}/v1/${signal}`,
      timeoutMillis: TIMEOUT_MS,
      concurrencyLimit: 64,
    });
    this.#outbox = outbox;
    this.#metrics = new OTLPMetricExporter(options('metrics'));
    this.#traces = new OTLPTraceExporter(options('traces'));
    this.#logs = new OTLPLogExporter(options('logs'));
  }

  /** Sends collections of one process, oldest first, as one request; a process's requests stay in order. */
  async sendMetrics(process: string, collections: readonly ResourceMetrics[]): Promise<void> {
    if (collections.length === 0) return;
    const merged = mergeCollections(collections);
    let points = 0;
    for (const scope of merged.scopeMetrics) for (const metric of scope.metrics) points += metric.dataPoints.length;
    await this.#outbox.submit('points', `metrics ${process}`, points, () =>
      toDelivery((done) => this.#metrics.export(merged, done)),
    );
  }

  async sendSpans(process: string, spans: ReadableSpan[]): Promise<void> {
    await this.#outbox.submit('spans', `spans ${process}`, spans.length, () =>
      toDelivery((done) => this.#traces.export(spans, done)),
    );
  }

  async sendRecords(process: string, records: ReadableLogRecord[]): Promise<void> {
    await this.#outbox.submit('records', `records ${process}`, records.length, () =>
      toDelivery((done) => this.#logs.export(records, done)),
    );
  }

  async shutdown(): Promise<void> {
    await Promise.all([this.#metrics.shutdown(), this.#traces.shutdown(), this.#logs.shutdown()]);
  }
}

/** One collection with the data points of several: OTLP allows a metric any number of points at different times. */
export function mergeCollections(collections: readonly ResourceMetrics[]): ResourceMetrics {
  if (collections.length === 1) return collections[0];
  const scopes = new Map<
    string,
    { scope: ResourceMetrics['scopeMetrics'][number]['scope']; metrics: Map<string, MetricData> }
  >();
  for (const { scopeMetrics } of collections) {
    for (const { scope, metrics } of scopeMetrics) {
      let into = scopes.get(scope.name);
      if (!into) {
        into = { scope, metrics: new Map() };
        scopes.set(scope.name, into);
      }
      for (const metric of metrics) {
        const known = into.metrics.get(metric.descriptor.name);
        // The type of points follows from the metric, which is the same in every collection.
        if (known) (known.dataPoints as unknown[]).push(...metric.dataPoints);
        else into.metrics.set(metric.descriptor.name, metric);
      }
    }
  }
  return {
    resource: collections[0].resource,
    scopeMetrics: [...scopes.values()].map(({ scope, metrics }) => ({ scope, metrics: [...metrics.values()] })),
  };
}

type ExportDone = Parameters<OTLPTraceExporter['export']>[1];
/** `ExportResultCode.SUCCESS` of @opentelemetry/core, which isn't a dependency of its own. */
const EXPORT_SUCCESS = 0;

/** An export's end as a delivery's. The exporter itself tries again on 429 and 503. */
function toDelivery(start: (done: ExportDone) => void): Promise<DeliveryResult> {
  return new Promise((resolve) => {
    start((result) => {
      if (result.code === EXPORT_SUCCESS) resolve({ status: 'ok', retries: 0 });
      else resolve({ status: failureOf(result.error), retries: 0 });
    });
  });
}

/** The HTTP status or the system's code of a failure; never its text, which may quote what was sent. */
function failureOf(error: Error | undefined): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'number' || typeof code === 'string' ? String(code) : 'export_failed';
}
