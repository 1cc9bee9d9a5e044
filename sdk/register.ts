// One line that sets telemetry up: `node --import @barograph/sdk/register app.js`, or an import of it before all others.
// In: OpenTelemetry's environment variables (OTEL_SERVICE_NAME, OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_RESOURCE_ATTRIBUTES).
// Out: what setup.ts sets up; what waits is sent before the process ends.
// Never: fails the program, or ends it, where it wouldn't have ended by itself.
import { NEEDED_PACKAGES, setUpTelemetry, type Telemetry } from './setup.ts';

/** Longest time that the end of a process waits for its telemetry. */
const FLUSH_LIMIT_MS = 3000;

/** What was set up; undefined where packages are missing. */
export const telemetry: Telemetry | undefined = await start();

async function start(): Promise<Telemetry | undefined> {
  try {
    const started = await setUpTelemetry();
    flushAtEnd(started);
    return started;
  } catch (error) {
    const { code } = error as { code?: unknown };
    const reason = code === 'ERR_MODULE_NOT_FOUND' ? 'a package is missing' : 'it could not be started';
    process.stderr.write(
      `@barograph/sdk/register: no telemetry, ${reason}; it needs: npm install ${NEEDED_PACKAGES.join(' ')}\n`,
    );
    return undefined;
  }
}

function flushAtEnd({ flush, shutdown }: Telemetry): void {
  process.once('beforeExit', () => void within(shutdown()));
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.prependOnceListener(signal, () => {
      // A program that listens itself ends itself, with whatever it still does before; alone, ours took Node's place.
      const isAlone = process.listenerCount(signal) === 0;
      void within(isAlone ? shutdown() : flush()).then(() => {
        if (isAlone) process.kill(process.pid, signal);
      });
    });
  }
}

/** Waits for telemetry, but not for ever. */
function within(work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, FLUSH_LIMIT_MS);
    void work.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
