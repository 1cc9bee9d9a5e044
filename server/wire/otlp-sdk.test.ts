import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import {
  JsonLogsSerializer,
  JsonMetricsSerializer,
  JsonTraceSerializer,
  ProtobufLogsSerializer,
  ProtobufMetricsSerializer,
  ProtobufTraceSerializer,
} from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { AggregationType, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, test } from 'vitest';
import { labelsToRecord, printLabels } from '../model/index.ts';
import { toLogEntries } from './otlp-log-entries.ts';
import { decodeOtlpLogs, decodeOtlpLogsJson } from './otlp-logs.ts';
import { decodeOtlpMetrics } from './otlp-metrics.ts';
import { decodeOtlpMetricsJson } from './otlp-metrics-json.ts';
import { toSeries } from './otlp-series.ts';
import { decodeOtlpTraces } from './otlp-traces.ts';
import { decodeOtlpTracesJson } from './otlp-traces-json.ts';

// What OpenTelemetry's own SDK sends, in both encodings.
const resource = resourceFromAttributes({ 'service.name': 'gateway', 'cloud.region': 'eu-west', 'host.arch': 'arm64' });

class Collector extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

describe("OpenTelemetry's SDK", () => {
  test('metrics arrive as the series that they mean', async () => {
    const reader = new Collector();
    const provider = new MeterProvider({
      resource,
      readers: [reader],
      views: [{ instrumentName: 'exp', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
    });
    const meter = provider.getMeter('test', '1.0');
    meter.createCounter('inference.requests').add(3, { outcome: 'ok' });
    meter.createUpDownCounter('inference.requests.running').add(-2);
    const ttft = meter.createHistogram('inference.ttft', { unit: 's', advice: { explicitBucketBoundaries: [0.1, 1] } });
    for (const value of [0.05, 0.5, 7]) ttft.record(value, { model_version: 'm' });
    const exponential = meter.createHistogram('exp', { unit: 's' });
    for (const value of [0, 1, 2, 4]) exponential.record(value);
    const { resourceMetrics } = await reader.collect();
    const bytes = ProtobufMetricsSerializer.serializeRequest(resourceMetrics as never);
    const json = JsonMetricsSerializer.serializeRequest(resourceMetrics as never);
    const decoded = decodeOtlpMetrics(bytes!);
    expect(decodeOtlpMetricsJson(json!)).toEqual(decoded);

    const points = toSeries(decoded);
    expect([points.rejectedPoints, points.rejectedMessage]).toEqual([0, '']);
    const lines = Array.from({ length: points.pointCount }, (_, i) => {
      const { labels, type, temporality } = points.series[points.pointSeries[i]];
      return `${printLabels(labels)} ${points.value[i]} ${type} ${temporality}`;
    });
    const base = 'cloud_region="eu-west", job="gateway"';
    const rest = 'service_name="gateway"';
    expect(lines).toEqual([
      `inference_requests_total{${base}, outcome="ok", ${rest}} 3 counter cumulative`,
      `inference_requests_running{${base}, ${rest}} -2 gauge gauge`,
      `inference_ttft_seconds_sum{${base}, model_version="m", ${rest}} 7.55 histogram cumulative`,
      `inference_ttft_seconds_count{${base}, model_version="m", ${rest}} 3 histogram cumulative`,
      `inference_ttft_seconds_bucket{${base}, le="0.1", model_version="m", ${rest}} 1 histogram cumulative`,
      `inference_ttft_seconds_bucket{${base}, le="1", model_version="m", ${rest}} 2 histogram cumulative`,
      `inference_ttft_seconds_bucket{${base}, le="+Inf", model_version="m", ${rest}} 3 histogram cumulative`,
      'target_info{cloud_region="eu-west", host_arch="arm64", job="gateway"} 1 gauge gauge',
    ]);
    const { histogram } = points.histograms[0];
    expect([histogram.count, histogram.sum, histogram.zeroCount]).toEqual([4, 7, 1]);
    expect(histogram.positiveCounts).toEqual(Float64Array.of(1, 1, 1));
    // 1, 2 and 4 are upper bounds of their buckets: 2^(i·2^-schema) for i = 0, 2^schema and 2·2^schema.
    const perOctave = 2 ** histogram.schema;
    expect(histogram.positiveIndices).toEqual(Int32Array.of(0, perOctave, 2 * perOctave));
    await provider.shutdown();
  });

  test('spans arrive with their parent, status, events and links', async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new TracerProvider({ resource, spanProcessors: [new SimpleSpanProcessor({ exporter })] });
    const tracer = provider.getTracer('test', '1.0');
    const parent = tracer.startSpan('gateway', { kind: 1 });
    const context = trace.setSpan(ROOT_CONTEXT, parent);
    const link = { context: parent.spanContext(), attributes: { why: 'retry' } };
    const child = tracer.startSpan(
      'model_inference',
      { kind: 2, links: [link], attributes: { n: 7, list: ['a'] } },
      context,
    );
    child.addEvent('first_token', { seconds: 0.25 });
    child.setStatus({ code: 2, message: 'timeout' });
    child.end();
    parent.end();
    const finished = exporter.getFinishedSpans();
    const result = decodeOtlpTraces(ProtobufTraceSerializer.serializeRequest(finished as never)!);
    expect(decodeOtlpTracesJson(JsonTraceSerializer.serializeRequest(finished as never)!)).toEqual(result);
    expect([result.rejected, result.rejectedMessage]).toEqual([0, '']);
    expect(result.spans).toMatchObject([
      {
        name: 'model_inference',
        kind: 'client',
        traceId: parent.spanContext().traceId,
        parentSpanId: parent.spanContext().spanId,
        status: 'error',
        statusMessage: 'timeout',
        serviceName: 'gateway',
        scopeName: 'test',
        attributes: { n: 7, list: ['a'] },
        events: [{ name: 'first_token', attributes: { seconds: 0.25 } }],
        links: [{ spanId: parent.spanContext().spanId, attributes: { why: 'retry' } }],
      },
      { name: 'gateway', kind: 'server', parentSpanId: '', status: 'unset' },
    ]);
    await provider.shutdown();
  });

  test('log records arrive as entries', async () => {
    const exporter = new InMemoryLogRecordExporter();
    const provider = new LoggerProvider({ resource, processors: [new SimpleLogRecordProcessor({ exporter })] });
    const logger = provider.getLogger('test', '1.0');
    logger.emit({
      body: { event: 'retry', n: 2 },
      severityNumber: 13,
      severityText: 'WARN',
      attributes: { outcome: 'timeout' },
    });
    await provider.forceFlush();
    const finished = exporter.getFinishedLogRecords();
    const records = decodeOtlpLogs(ProtobufLogsSerializer.serializeRequest(finished as never)!);
    expect(decodeOtlpLogsJson(JsonLogsSerializer.serializeRequest(finished as never)!)).toEqual(records);
    const [entry] = toLogEntries(records);
    expect(labelsToRecord(entry.stream)).toEqual({ cloud_region: 'eu-west', service_name: 'gateway' });
    expect(entry.line).toBe('{"event":"retry","n":2}');
    expect(labelsToRecord(entry.metadata)).toMatchObject({
      detected_level: 'warn',
      host_arch: 'arm64',
      outcome: 'timeout',
      scope_name: 'test',
      severity_number: '13',
    });
    await provider.shutdown();
  });
});
