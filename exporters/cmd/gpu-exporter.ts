#!/usr/bin/env node
import { ExporterError } from '../error.ts';
import { formatFamilies } from '../exposition/index.ts';
import {
  Collector,
  type CollectorOptions,
  formatDcgmCounters,
  gpuOtlpRequests,
  gpuRoutes,
  scheduleSources,
} from '../gpu/index.ts';
import { serveRoutes } from '../http/index.ts';
import { keepSendingOtlp } from '../otlp/index.ts';
import { GPU_HELP } from './gpu-help.ts';
import { type GpuOptions, parseGpuOptions } from './gpu-options.ts';
import { VERSION } from './version.ts';

const ONCE_PAUSE_MS = 1000;

async function main(argv: readonly string[]): Promise<number> {
  const options = parseGpuOptions(argv);
  switch (options.mode) {
    case 'help':
      process.stdout.write(GPU_HELP);
      return 0;
    case 'version':
      process.stdout.write(`${VERSION}\n`);
      return 0;
    case 'print-dcgm-counters':
      process.stdout.write(formatDcgmCounters());
      return 0;
    case 'once':
      return printOnce(options);
    case 'check':
      return check(options);
    case 'serve':
      return serve(options);
  }
}

function log(line: string): void {
  console.error(`${new Date().toISOString()} ${line}`);
}

function createCollector(options: GpuOptions): Collector {
  const collected: CollectorOptions = {
    sources: scheduleSources(options),
    node: options.node,
    labels: options.labels,
    version: VERSION,
    deployment: options.deployment,
    podResourcesSocket: options.podResources,
    procRoot: options.proc,
    fleet: { silentAfterMs: options.silentAfterMs },
    log,
  };
  return new Collector(collected);
}

/** Asks twice, because the hardware's averages are between two moments. */
async function collectTwice(collector: Collector): Promise<void> {
  await collector.pollOnce();
  await new Promise((resolve) => setTimeout(resolve, ONCE_PAUSE_MS));
  await collector.pollOnce();
}

async function printOnce(options: GpuOptions): Promise<number> {
  const collector = createCollector(options);
  await collectTwice(collector);
  const families = collector.families();
  const output =
    options.format === 'otlp'
      ? gpuOtlpRequests(families, options.node, VERSION, Date.now())
          .map((body) => `${body}\n`)
          .join('')
      : formatFamilies(families, options.format);
  process.stdout.write(output);
  const isReady = collector.isReady();
  collector.close();
  if (!isReady) console.error('no source of GPU metrics answers; --check says why');
  return isReady ? 0 : 1;
}

async function check(options: GpuOptions): Promise<number> {
  const collector = createCollector({ ...options });
  await collectTwice(collector);
  const { sources, missing } = collector.report();
  for (const { source, state, error } of sources)
    process.stdout.write(`${source.padEnd(13)} ${state}${error === undefined ? '' : `: ${error}`}\n`);
  const isReady = collector.isReady();
  collector.close();
  for (const { metric, why, fix } of isReady ? missing : [])
    process.stdout.write(`missing ${metric}\n    ${why}\n    ${fix}\n`);
  return isReady ? 0 : 1;
}

async function serve(options: GpuOptions): Promise<number> {
  const stopped = untilStopped();
  const collector = createCollector(options);
  // It listens before it knows anything: a source that hangs at the start must not look like an exporter that is down.
  const endpoint = await serveRoutes('barograph-gpu-exporter', options, gpuRoutes(collector));
  console.log(`barograph-gpu-exporter listens on ${endpoint.url}/metrics`);
  await Promise.race([collector.start(), stopped]);
  const stopSending = options.otlpUrl === undefined ? () => {} : keepSending(collector, options, options.otlpUrl);
  await stopped;
  stopSending();
  collector.close();
  await endpoint.close();
  return 0;
}

function keepSending(collector: Collector, options: GpuOptions, url: URL): () => void {
  return keepSendingOtlp({
    target: { url, headers: options.otlpHeaders },
    everyMs: options.otlpIntervalMs,
    timeoutMs: options.timeoutMs,
    bodies: () => gpuOtlpRequests(collector.families(), options.node, VERSION, Date.now()),
    onOutcome: (outcome) => collector.countOtlp(outcome),
    log: (_, message) => log(message),
  });
}

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

try {
  process.exitCode = await main(process.argv.slice(2));
  // A process that hangs in a driver can't be ended; it must not keep this one.
  if (process.exitCode !== undefined) setTimeout(() => process.exit(), 500).unref();
} catch (error) {
  console.error(error instanceof ExporterError ? `barograph-gpu-exporter: ${error.message}` : error);
  process.exitCode = error instanceof ExporterError && error.code === 'usage' ? 2 : 1;
}
