// Sets up an OpenTelemetry SDK for programs that have none, or stands beside the one that is there.
// In: options; the packages of OpenTelemetry's SDK, which the program's author installs.
// Out: global providers where there were none, exporting by OTLP, and the program's instrumentation.
// Never: replaces a provider that is there, keeps a process alive, or fails the program that it is loaded into.
import { context, logs, metrics, trace } from '@opentelemetry/api';
import type { MetricProducer } from '@opentelemetry/sdk-metrics';
import { AsyncContextManager } from './async-context.ts';
import { CountedQueue } from './counted-export.ts';
import { configure } from './default.ts';
import type { Instrumentation, InstrumentationOptions } from './instrumentation.ts';

export { AsyncContextManager };

/** How telemetry leaves the program. Everything may be left out; what OpenTelemetry's environment variables say holds. */
export interface SetupOptions extends InstrumentationOptions {
  /** Origin of the OTLP receiver over HTTP, such as `http://127.0.0.1:4318`; the default is OpenTelemetry's own. */
  readonly endpoint?: string;
  readonly serviceName?: string;
  /** OpenTelemetry's resource attributes, such as `cloud.region`. */
  readonly resource?: Readonly<Record<string, string>>;
  /** Milliseconds between two exports of metrics (default 15,000). */
  readonly metricIntervalMs?: number;
  /** Milliseconds that spans and log records wait for others (default 2,000). */
  readonly batchDelayMs?: number;
  /** Spans, and log records, that may wait or be on their way (default 4,096 each); more are dropped and counted. */
  readonly maxQueueSize?: number;
  /** Metrics of the program's own that leave with these: metric producers of OpenTelemetry's SDK. */
  readonly metricProducers?: readonly MetricProducer[];
}

/** Telemetry that has been set up. */
export interface Telemetry {
  readonly instrumentation: Instrumentation;
  /** The signals whose global provider was there before and was left alone. */
  readonly alreadyThere: readonly Signal[];
  /** Sends what waits. Never rejects; what can't be sent is counted. */
  flush(): Promise<void>;
  /** Sends what waits and ends what was set up. Never rejects. */
  shutdown(): Promise<void>;
}

export type Signal = 'trace' | 'metrics' | 'logs' | 'context';

/** The packages that are needed, for the message where one is missing. */
export const NEEDED_PACKAGES: readonly string[] = [
  '@opentelemetry/sdk-trace',
  '@opentelemetry/sdk-metrics',
  '@opentelemetry/sdk-logs',
  '@opentelemetry/resources',
  '@opentelemetry/exporter-trace-otlp-proto',
  '@opentelemetry/exporter-metrics-otlp-proto',
  '@opentelemetry/exporter-logs-otlp-proto',
];

/** What was set up and has to be flushed and ended. */
interface Part {
  forceFlush(): Promise<void>;
  shutdown(): Promise<void>;
}

/**
 * Sets up what is missing. @throws where a package of NEEDED_PACKAGES isn't installed; nothing is set up then.
 */
export async function setUpTelemetry(options: SetupOptions = {}): Promise<Telemetry> {
  const packages = await loadPackages();
  const alreadyThere = registeredSignals();
  const isThere = (signal: Signal): boolean => alreadyThere.includes(signal);
  if (!isThere('context')) context.setGlobalContextManager(new AsyncContextManager());

  const resource = resourceOf(packages, options);
  const { labels, stage, maxEventsPerSecond, requestEvents, meterProvider, clock } = options;
  const instrumentation = configure({ labels, stage, maxEventsPerSecond, requestEvents, meterProvider, clock });
  const parts: Part[] = [];
  const target = { packages, options, resource, instrumentation };
  if (!isThere('trace')) parts.push(setUpTraces(target));
  if (!isThere('logs')) parts.push(setUpLogs(target));
  parts.push(setUpMetrics(target, isThere('metrics') || meterProvider !== undefined));

  const all = async (act: (part: Part) => Promise<void>): Promise<void> => {
    // A receiver that can't be reached is counted by the queues; the program has nothing to do with it.
    await Promise.allSettled(parts.map(act));
  };
  return {
    instrumentation,
    alreadyThere,
    flush: () => all((part) => part.forceFlush()),
    shutdown: () => all((part) => part.shutdown()),
  };
}

async function loadPackages() {
  const [traces, meters, loggers, resources, traceExport, metricExport, logExport] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/sdk-metrics'),
    import('@opentelemetry/sdk-logs'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/exporter-metrics-otlp-proto'),
    import('@opentelemetry/exporter-logs-otlp-proto'),
  ]);
  return { traces, meters, loggers, resources, traceExport, metricExport, logExport };
}

type Packages = Awaited<ReturnType<typeof loadPackages>>;

interface Target {
  readonly packages: Packages;
  readonly options: SetupOptions;
  readonly resource: ReturnType<typeof resourceOf>;
  readonly instrumentation: Instrumentation;
}

/** Signals that have a global provider. OpenTelemetry's API tells a provider from its absence nowhere else. */
function registeredSignals(): Signal[] {
  const registry = (globalThis as Record<symbol, unknown>)[Symbol.for('opentelemetry.js.api.1')];
  const known = (registry ?? {}) as Partial<Record<Signal, unknown>>;
  const olderLogs = (globalThis as Record<symbol, unknown>)[Symbol.for('io.opentelemetry.js.api.logs')];
  return (['trace', 'metrics', 'logs', 'context'] as const).filter(
    (signal) => known[signal] !== undefined || (signal === 'logs' && olderLogs !== undefined),
  );
}

function resourceOf({ resources }: Packages, options: SetupOptions) {
  const given = { ...options.resource, ...(options.serviceName ? { 'service.name': options.serviceName } : {}) };
  const detectors = [resources.envDetector, resources.serviceInstanceIdDetector];
  return resources
    .defaultResource()
    .merge(resources.detectResources({ detectors }))
    .merge(resources.resourceFromAttributes(given));
}

function exporterOptions({ endpoint }: SetupOptions, signal: string): { url?: string } {
  return endpoint === undefined ? {} : { url: `${endpoint.replace(/\/$/, '')}/v1/${signal}` };
}

function setUpTraces({ packages, options, resource, instrumentation }: Target): Part {
  const max = options.maxQueueSize ?? 4096;
  const queue = new CountedQueue(max, instrumentation.tally);
  const exporter = queue.counted(new packages.traceExport.OTLPTraceExporter(exporterOptions(options, 'traces')));
  const batches = new packages.traces.BatchSpanProcessor({
    exporter,
    maxQueueSize: max,
    scheduledDelayMillis: options.batchDelayMs ?? 2000,
  });
  const isSampled = 1;
  const provider = new packages.traces.TracerProvider({
    resource,
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (span) => {
          if (span.spanContext().traceFlags & isSampled && queue.admit()) batches.onEnd(span);
        },
        forceFlush: () => batches.forceFlush(),
        shutdown: () => batches.shutdown(),
      },
    ],
  });
  trace.setGlobalTracerProvider(provider);
  return provider;
}

function setUpLogs({ packages, options, resource, instrumentation }: Target): Part {
  const max = options.maxQueueSize ?? 4096;
  const queue = new CountedQueue(max, instrumentation.tally);
  const exporter = queue.counted(new packages.logExport.OTLPLogExporter(exporterOptions(options, 'logs')));
  const batches = new packages.loggers.BatchLogRecordProcessor({
    exporter,
    maxQueueSize: max,
    scheduledDelayMillis: options.batchDelayMs ?? 2000,
  });
  const provider = new packages.loggers.LoggerProvider({
    resource,
    processors: [
      {
        onEmit: (record) => {
          if (queue.admit()) batches.onEmit(record);
        },
        forceFlush: () => batches.forceFlush(),
        shutdown: () => batches.shutdown(),
      },
    ],
  });
  logs.setGlobalLoggerProvider(provider);
  return provider;
}

/**
 * Metrics with the gaps between tokens beside them. Where a meter provider is there already, it has all metrics but
 * these, which then leave by a reader of their own.
 */
function setUpMetrics({ packages, options, resource, instrumentation }: Target, isThere: boolean): Part {
  const { meters, metricExport } = packages;
  const producer = isThere ? instrumentation.gapProducer : instrumentation.metricProducer;
  const reader = new meters.PeriodicExportingMetricReader({
    exporter: new metricExport.OTLPMetricExporter(exporterOptions(options, 'metrics')),
    exportIntervalMillis: options.metricIntervalMs ?? 15_000,
    exportTimeoutMillis: Math.min(10_000, options.metricIntervalMs ?? 15_000),
    metricProducers: [producer, ...(options.metricProducers ?? [])],
  });
  const provider = new meters.MeterProvider({ resource, readers: [reader] });
  if (!isThere) metrics.setGlobalMeterProvider(provider);
  return provider;
}
