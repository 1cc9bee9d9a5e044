import { Instrumentation } from '@barograph/sdk';
import { AsyncContextManager, setUpTelemetry } from '@barograph/sdk/setup';
import { context } from '@opentelemetry/api';
import type { MetricProducer } from '@opentelemetry/sdk-metrics';
import { GatewayError } from './error.ts';
import { MetricRegistry, type Reading } from './metric-registry.ts';
import type { Settings } from './options.ts';

/** The gateway's telemetry, set up. */
export interface GatewayTelemetry {
  readonly instrumentation: Instrumentation;
  /** All metrics as Prometheus's text. */
  text(): Promise<string>;
  /** Sends what waits, for so long at most, and ends. */
  shutdown(limitMs: number): Promise<void>;
}

/**
 * Sets telemetry up: the SDK's, at the stage `gateway`. Without an OTLP receiver there are metrics alone, and the trace
 * of a client goes on to the upstream as it came.
 * @throws GatewayError `otlp_packages` where OpenTelemetry's SDK isn't installed and is needed.
 */
export async function setUpGatewayTelemetry(
  settings: Settings,
  own: () => readonly Reading[],
): Promise<GatewayTelemetry> {
  const registry = new MetricRegistry(own);
  // The SDK's counters come here, where /metrics and OTLP find them.
  const meterProvider = registry;
  const { labels, requestEvents, otlpEndpoint: endpoint, otlpEveryMs: metricIntervalMs, serviceName } = settings;
  const observed = {
    labels: withDeployment(labels, serviceName),
    requestEvents,
    stage: 'gateway',
    meterProvider,
  } as const;
  if (endpoint === undefined) {
    context.setGlobalContextManager(new AsyncContextManager());
    const instrumentation = new Instrumentation(observed);
    const histograms = instrumentation.metricProducer;
    return { instrumentation, text: () => registry.text(histograms), shutdown: async () => undefined };
  }
  const metricProducers = [registry as unknown as MetricProducer];
  let telemetry: Awaited<ReturnType<typeof setUpTelemetry>>;
  try {
    telemetry = await setUpTelemetry({ ...observed, metricProducers, endpoint, metricIntervalMs, serviceName });
  } catch {
    throw new GatewayError({
      code: 'otlp_packages',
      where: '--otlp-endpoint',
      fix: "OpenTelemetry's SDK isn't installed; install it, or scrape /metrics instead",
    });
  }
  const histograms = telemetry.instrumentation.metricProducer;
  return {
    instrumentation: telemetry.instrumentation,
    text: () => registry.text(histograms),
    shutdown: (limitMs) => within(telemetry.shutdown(), limitMs),
  };
}

/** Series must not hang on the resource for their deployment, which /metrics doesn't have. */
function withDeployment(labels: Settings['labels'], serviceName: string): Settings['labels'] {
  return { deployment: serviceName, ...labels };
}

function within(work: Promise<void>, limitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, limitMs);
    void work.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
