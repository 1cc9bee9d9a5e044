import { ExporterError } from '../error.ts';
import { HttpGetter, serveRoutes } from '../http/index.ts';
import { keepSendingOtlp } from '../otlp/index.ts';
import { describeCheck } from './check.ts';
import { Discoverer } from './discovery/discoverer.ts';
import { Fleet, type FleetEvents, MAX_TARGETS } from './fleet.ts';
import { HELP } from './help.ts';
import { type Command, readCommand, type Settings } from './options.ts';
import { FleetMetrics, fleetRoutes } from './routes.ts';
import { TargetScraper } from './scraper.ts';

/** Where the program writes, and what ends it: the process, or a stand-in of a test. */
export interface Console {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  once(event: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
}

const SERVICE_NAME = 'barograph-inference-exporter';
const OTLP_TIMEOUT_MS = 10_000;

/**
 * Runs the program.
 * @returns the exit status: 0, 1 where nothing could be read, 2 where the command line is wrong.
 */
export async function run(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  console: Console,
  version: string,
): Promise<number> {
  let command: Command;
  try {
    command = await readCommand(args, environment);
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    console.stderr.write(`${SERVICE_NAME}: ${error.message}\n`);
    return 2;
  }
  try {
    switch (command.kind) {
      case 'help':
        console.stdout.write(HELP);
        return 0;
      case 'version':
        console.stdout.write(`${SERVICE_NAME} ${version}\n`);
        return 0;
      case 'check':
        return await check(command, console);
      case 'once':
        return await once(command.settings, console, version);
      case 'serve':
        return await serve(command.settings, console, version);
    }
  } catch (error) {
    if (!(error instanceof ExporterError)) throw error;
    console.stderr.write(`${SERVICE_NAME}: ${error.message}\n`);
    return 1;
  }
}

async function check({ target, scrape }: Extract<Command, { kind: 'check' }>, console: Console): Promise<number> {
  const getter = new HttpGetter();
  const scraper = new TargetScraper(target, getter, scrape);
  await scraper.refresh(0);
  getter.close();
  console.stdout.write(describeCheck(scraper));
  return scraper.state.kind === 'up' ? 0 : 1;
}

async function once(settings: Settings, console: Console, version: string): Promise<number> {
  const log = logTo(console);
  const fleet = new Fleet(settings.scrape, eventsTo(log));
  const discoverer = new Discoverer(
    settings.discoveries,
    settings.discoverEveryMs,
    (targets) => fleet.setTargets(targets),
    (kind, message) => log('error', `${kind} discovery: ${message}`),
  );
  await discoverer.find();
  const metrics = new FleetMetrics(fleet, settings.countAt, version);
  const text = await metrics.render(settings.format, settings.scrape.timeoutMs + 1000);
  console.stdout.write(text);
  fleet.close();
  return fleet.scrapers.some(({ state }) => state.kind === 'up') ? 0 : 1;
}

async function serve(settings: Settings, console: Console, version: string): Promise<number> {
  const log = logTo(console);
  const fleet = new Fleet(settings.scrape, eventsTo(log));
  const discoverer = new Discoverer(
    settings.discoveries,
    settings.discoverEveryMs,
    (targets) => fleet.setTargets(targets),
    (kind, message) => log('error', `${kind} discovery: ${message}`),
  );
  const metrics = new FleetMetrics(fleet, settings.countAt, version);
  const endpoint = await serveRoutes(SERVICE_NAME, settings.listen, fleetRoutes(metrics, fleet));
  const ended = new Promise<void>((resolve) => {
    console.once('SIGINT', resolve);
    console.once('SIGTERM', resolve);
  });
  await discoverer.find();
  discoverer.start();
  log('info', `${fleet.scrapers.length} targets, ready at ${endpoint.url}/metrics`);
  const bodies = () => metrics.otlp({ serviceName: SERVICE_NAME, version }, settings.scrape.timeoutMs + 1000);
  const stopSending = settings.otlp
    ? keepSendingOtlp({ ...settings.otlp, timeoutMs: OTLP_TIMEOUT_MS, bodies, log })
    : () => {};
  await ended;
  stopSending();
  discoverer.close();
  fleet.close();
  await endpoint.close();
  return 0;
}

type Log = (level: 'info' | 'warning' | 'error', message: string) => void;

function eventsTo(log: Log): FleetEvents {
  return {
    up: ({ key }, engine) => log('info', `${key} is ${engine}`),
    down: ({ key }, code, message) => log('warning', `${key} is down (${code}): ${message}`),
    unmapped: (engine, metric, likelyOld) =>
      log(
        'warning',
        `${engine} gives ${metric}, which isn't known and isn't taken over${
          likelyOld === undefined ? '' : `; it may be the new name of ${likelyOld}, which isn't there`
        }`,
      ),
    vanished: ({ key }, source, becomes, likelyNew) =>
      log(
        'warning',
        `${key} no longer gives ${source}, which became ${becomes}${
          likelyNew === undefined ? '' : `; its new name may be ${likelyNew}`
        }`,
      ),
    refused: (targets) => log('error', `${targets} targets were found; the first ${MAX_TARGETS} are asked`),
  };
}

function logTo({ stderr }: Console): Log {
  return (level, message) => stderr.write(`${new Date().toISOString()} ${level} ${message}\n`);
}
