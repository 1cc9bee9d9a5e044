import { startAdmin } from './admin.ts';
import { GatewayError } from './error.ts';
import { Gateway } from './gateway.ts';
import { HELP } from './help.ts';
import { MemoryBudget } from './memory-budget.ts';
import { type Command, readCommand, type Settings } from './options.ts';
import { OwnMetrics } from './own-metrics.ts';
import { ownReadings } from './own-readings.ts';
import { setUpGatewayTelemetry } from './telemetry.ts';
import { Upstream } from './upstream.ts';

/** Where the program writes, and what ends it: the process, or a stand-in of a test. */
export interface Console {
  readonly stdout: { write(text: string): unknown };
  readonly stderr: { write(text: string): unknown };
  once(event: 'SIGINT' | 'SIGTERM', listener: () => void): unknown;
}

const NAME = 'barograph gateway';
const FLUSH_LIMIT_MS = 5000;
const LOOPBACK = /^(127\.|::1$|localhost$)/;

/** A gateway that runs. */
export interface RunningGateway {
  /** Where clients connect, and where /metrics is. */
  readonly url: string;
  readonly metricsUrl: string | undefined;
  /** Ends once the requests that are under way have, and what was measured is sent. */
  close(): Promise<void>;
}

/** Starts a gateway. @throws GatewayError `listen`, `otlp_packages`. */
export async function startGateway(settings: Settings, version: string): Promise<RunningGateway> {
  const own = new OwnMetrics();
  const budget = new MemoryBudget(settings.measuringBytes);
  const telemetry = await setUpGatewayTelemetry(settings, () => ownReadings(own, budget, version));
  const upstream = new Upstream(settings.upstream);
  const { maxEventBytes, maxBodyBytes, classing, asksForUsage, metricsListen } = settings;
  const { instrumentation } = telemetry;
  const gateway = new Gateway(
    {
      upstream,
      observation: { instrumentation, classing, upstreamHost: upstream.host, upstreamPort: upstream.port },
      limits: { budget, own, maxEventBytes, maxBodyBytes },
      asksForUsage,
    },
    settings.maxConnections,
  );
  const admin = metricsListen ? await startAdmin(metricsListen, () => telemetry.text()) : undefined;
  let url: string;
  try {
    url = await gateway.listen(settings.listen);
  } catch (error) {
    admin?.server.close();
    throw error;
  }
  return {
    url,
    metricsUrl: admin?.url,
    async close() {
      await gateway.close(settings.drainMs);
      await telemetry.shutdown(FLUSH_LIMIT_MS);
      admin?.server.closeAllConnections();
      admin?.server.close();
    },
  };
}

/**
 * Runs the program.
 * @returns the exit status: 0, 1 where it couldn't start, 2 where the command line is wrong.
 */
export async function run(args: readonly string[], console: Console, version: string): Promise<number> {
  let command: Command;
  try {
    command = readCommand(args);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    console.stderr.write(`${NAME}: ${error.message}\n`);
    return 2;
  }
  switch (command.kind) {
    case 'help':
      console.stdout.write(HELP);
      return 0;
    case 'version':
      console.stdout.write(`${NAME} ${version}\n`);
      return 0;
    case 'serve':
      return await serve(command.settings, console, version);
  }
}

async function serve(settings: Settings, console: Console, version: string): Promise<number> {
  const log = (level: 'info' | 'warning', message: string): unknown =>
    console.stderr.write(`${new Date().toISOString()} ${level} ${message}\n`);
  const ended = new Promise<void>((resolve) => {
    console.once('SIGINT', resolve);
    console.once('SIGTERM', resolve);
  });
  let running: RunningGateway;
  try {
    running = await startGateway(settings, version);
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    console.stderr.write(`${NAME}: ${error.message}\n`);
    return 1;
  }
  if (!LOOPBACK.test(settings.listen.host))
    log('warning', `whoever reaches ${running.url} can ask the upstream; it checks credentials, the gateway doesn't`);
  if (running.metricsUrl) log('info', `metrics at ${running.metricsUrl}/metrics`);
  log('info', `passing on to ${settings.upstream.url.origin}, ready at ${running.url}`);
  await ended;
  await running.close();
  return 0;
}
