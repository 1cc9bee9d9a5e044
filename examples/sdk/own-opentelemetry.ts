// A service that sets OpenTelemetry up itself: node examples/sdk/own-opentelemetry.ts
// It gives the SDK's histograms to its own metric reader; everything else the SDK finds by OpenTelemetry's API.
import { configure, inference } from '@barograph/sdk';
import { metrics } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { detectResources, envDetector } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';

const instrumentation = configure({ labels: { region: 'eu-west' } });
const reader = new PeriodicExportingMetricReader({
  exporter: new OTLPMetricExporter(),
  metricProducers: [instrumentation.metricProducer],
});
const provider = new MeterProvider({ resource: detectResources({ detectors: [envDetector] }), readers: [reader] });
metrics.setGlobalMeterProvider(provider);

// An engine that runs in this process and gives its tokens one by one.
const request = inference({ model: 'llama-3.3-70b', prompt_class: 'chat', streamed: true });
for (let i = 0; i < 20; i++) {
  await new Promise((resolve) => setTimeout(resolve, 5));
  request.token();
}
request.end({ finishReasons: ['stop'], hasOutput: true, usage: { inputTokens: 12, outputTokens: 20 } });

await provider.shutdown();
