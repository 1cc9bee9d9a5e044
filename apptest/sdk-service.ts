// A service as its author would write it, for apptest/sdk.test.ts: node [--import register] sdk-service.ts URL MODE.
import { context, logs, metrics, trace } from '@opentelemetry/api';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { detectResources, envDetector } from '@opentelemetry/resources';
import { LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { AsyncContextManager } from '../sdk/async-context.ts';
import { CANARY } from '../sdk/fixtures/hard-cases.ts';
import { StainlessClient, type Stream } from '../sdk/fixtures/stainless-client.ts';
import {
  type EventFields,
  event,
  gateway,
  observeOpenAI,
  outputFiltering,
  promptBuild,
  vectorSearch,
} from '../sdk/index.ts';
import { setUpTelemetry } from '../sdk/setup.ts';

const [url, mode] = process.argv.slice(2);

async function answer(client: StainlessClient): Promise<void> {
  await gateway(async () => {
    const found = await vectorSearch({ system: 'qdrant', collection: 'docs', topK: 8 }, async () => [CANARY]);
    const messages = promptBuild({ prompt_class: 'rag' }, () => [{ role: 'user', content: found.join() }]);
    const stream = await client.chat.completions.create({ model: 'gpt-5', stream: true, messages });
    let text = '';
    for await (const piece of stream as Stream<{ choices: { delta: { content?: string } }[] }>)
      text += piece.choices[0]?.delta.content ?? '';
    outputFiltering((step) => {
      if (text.includes(CANARY)) step.triggered('pii');
    });
    // What slips by the types is refused.
    event('cache.evicted', { numbers: { entries: 5 }, prompt: text } as EventFields);
  });
}

/** An OpenTelemetry SDK of the program's own. */
function ownSdk() {
  const resource = detectResources({ detectors: [envDetector] });
  const tracerProvider = new TracerProvider({
    resource,
    spanProcessors: [new SimpleSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const loggerProvider = new LoggerProvider({
    resource,
    processors: [new SimpleLogRecordProcessor({ exporter: new OTLPLogExporter() })],
  });
  const reader = new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter() });
  const meterProvider = new MeterProvider({ resource, readers: [reader] });
  context.setGlobalContextManager(new AsyncContextManager());
  trace.setGlobalTracerProvider(tracerProvider);
  logs.setGlobalLoggerProvider(loggerProvider);
  metrics.setGlobalMeterProvider(meterProvider);
  return {
    shutdown: () => Promise.all([tracerProvider, loggerProvider, meterProvider].map((each) => each.shutdown())),
  };
}

async function main(): Promise<void> {
  const own = mode === 'beside' ? ownSdk() : undefined;
  const beside = own ? await setUpTelemetry() : undefined;
  if (beside) console.log(`already there: ${beside.alreadyThere.join(', ')}`);
  const client = observeOpenAI(new StainlessClient(url), { prompt_class: 'rag', labels: { customer_tier: 'pro' } });
  await answer(client);
  console.log(mode === 'wait' ? 'waiting' : 'asked');
  if (mode === 'wait') setInterval(() => undefined, 1000);
  await beside?.shutdown();
  await own?.shutdown();
}

await main();
