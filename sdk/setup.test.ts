import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, logs, metrics, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { afterEach, expect, it } from 'vitest';
import { Instrumentation, inference, instrumentation } from './index.ts';
import { setUpTelemetry, type Telemetry } from './setup.ts';

let server: http.Server | undefined;
let telemetry: Telemetry | undefined;

afterEach(async () => {
  await telemetry?.shutdown();
  server?.closeAllConnections();
  server?.close();
  for (const api of [context, trace, metrics, logs]) api.disable();
});

/** A receiver that answers every export with this status, and counts them by signal. */
async function startReceiver(status: number): Promise<{ url: string; exports: Record<string, number> }> {
  const exports: Record<string, number> = {};
  server = http.createServer((request, response) => {
    const signal = String(request.url).split('/').at(-1)!;
    exports[signal] = (exports[signal] ?? 0) + 1;
    request.resume();
    request.on('end', () => response.writeHead(status).end());
  });
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, exports };
}

function ask(requests: number): void {
  for (let i = 0; i < requests; i++) inference({ model: 'm' }).end({ finishReasons: ['stop'] });
}

it.each([
  ['own', 2],
  ['api', 1],
] as const)(
  'finds an OpenTelemetry SDK that is set up after the first request, with histograms of kind %s',
  async (keeps, latencies) => {
    const early = new Instrumentation();
    if (keeps === 'own') void early.metricProducer;
    early.inference({ model: 'm' }).end({ finishReasons: ['stop'] });
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const metricProducers = keeps === 'own' ? [early.metricProducer] : [];
    const reader = new PeriodicExportingMetricReader({ exporter, metricProducers });
    const provider = new MeterProvider({ readers: [reader] });
    metrics.setGlobalMeterProvider(provider);
    early.inference({ model: 'm' }).end({ finishReasons: ['stop'] });
    await provider.forceFlush();
    const told = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
    const pointsOf = (name: string) => told.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
    // The SDK's own counts are whole; what OpenTelemetry should have kept before it was there is lost.
    expect(pointsOf('inference_requests_total').map(({ value }) => value)).toEqual([2]);
    const [latency] = pointsOf('inference_total_latency_seconds');
    expect((latency.value as { count: number }).count).toBe(latencies);
    await provider.shutdown();
  },
);

it('sends each signal when it is flushed', async () => {
  const receiver = await startReceiver(200);
  telemetry = await setUpTelemetry({ endpoint: receiver.url, serviceName: 'test' });
  expect(telemetry.alreadyThere).toEqual([]);
  ask(3);
  await telemetry.flush();
  expect(receiver.exports).toEqual({ traces: 1, logs: 1, metrics: 1 });
  expect([...instrumentation().tally.dropped]).toEqual([]);
});

it('drops and counts what does not fit, and never more than it queues', async () => {
  const receiver = await startReceiver(200);
  telemetry = await setUpTelemetry({ endpoint: receiver.url, maxQueueSize: 10, batchDelayMs: 60_000 });
  ask(25);
  expect(telemetry.instrumentation.tally.dropped.get('queue_full')).toBe(30);
  await telemetry.flush();
  ask(1);
  expect(telemetry.instrumentation.tally.dropped.get('queue_full')).toBe(30);
});

it('counts what a receiver refuses, and goes on', async () => {
  const receiver = await startReceiver(400);
  telemetry = await setUpTelemetry({ endpoint: receiver.url });
  ask(2);
  await telemetry.flush();
  expect(telemetry.instrumentation.tally.dropped.get('export_failed')).toBe(4);
});

it('keeps no process alive and rejects nothing where there is no receiver', async () => {
  telemetry = await setUpTelemetry({ endpoint: 'http://127.0.0.1:9' });
  ask(1);
  await telemetry.shutdown();
  expect(telemetry.instrumentation.tally.dropped.get('export_failed')).toBe(2);
}, 30_000);
