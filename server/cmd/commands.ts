import path from 'node:path';
import { parseArgs } from 'node:util';
import { type Config, parseConfig, takePrometheusFile } from '../config/index.ts';
import { BarographError, parseDurationMs } from '../model/index.ts';
import { readPolicy } from './policy-source.ts';
import { readYamlFile } from './read-file.ts';
import { serve } from './serve.ts';
import { VERSION } from './version.ts';

const PORTS = {
  port: { type: 'string' },
  'otlp-http-port': { type: 'string' },
  'otlp-grpc-port': { type: 'string' },
} as const;
const SERVE_FLAGS = {
  ...PORTS,
  config: { type: 'string' },
  policy: { type: 'string' },
  'scrape-config': { type: 'string' },
  data: { type: 'string' },
  host: { type: 'string' },
  'log-level': { type: 'string' },
} as const;
const DEMO_FLAGS = {
  ...PORTS,
  data: { type: 'string' },
  host: { type: 'string' },
  seed: { type: 'string' },
  trace: { type: 'string' },
  backfill: { type: 'string' },
} as const;

// The simulated fleet brings an OpenTelemetry SDK with it, which a server must not load: what needs it is imported late.

const COMMANDS = ['serve', 'demo', 'simulate', 'check', 'policy', 'slo', 'canary', 'gateway'] as const;

function isCommand(text: string): text is (typeof COMMANDS)[number] {
  return COMMANDS.some((command) => command === text);
}

/** Runs the command that the arguments name. @returns The exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  const [command, ...args] = argv;
  if (command === undefined || command === '--help' || command === '-h') {
    console.log((await import('./help.ts')).HELP);
    return command === undefined ? 2 : 0;
  }
  if (command === '--version') {
    console.log(VERSION);
    return 0;
  }
  if (!isCommand(command)) {
    const accepted = `${COMMANDS.slice(0, -1).join(', ')} or ${COMMANDS.at(-1)}`;
    console.error(
      `barograph: got the command ${JSON.stringify(command)}, accepted is ${accepted}; see barograph --help`,
    );
    return 2;
  }
  // The gateway is a program of its own with its own help, which is longer than what stands in the list.
  if (command === 'gateway') return await (await import('./gateway.ts')).gateway(args);
  if (args.includes('--help') || args.includes('-h')) {
    console.log((await import('./help.ts')).COMMAND_HELP[command]);
    return 0;
  }
  switch (command) {
    case 'serve':
      await serveCommand(args);
      return 0;
    case 'demo':
      await demoCommand(args);
      return 0;
    case 'simulate':
      await (await import('./simulate.ts')).simulate(args);
      return 0;
    case 'check':
      return await (await import('./check.ts')).check(args);
    case 'policy':
      return await (await import('./policy.ts')).policyCommand(args);
    case 'slo':
      return (await import('./slo.ts')).sloCommand(args);
    case 'canary':
      return await (await import('./canary.ts')).canaryCommand(args);
  }
}

async function serveCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: SERVE_FLAGS });
  const place = { policy: values.policy, config: values.config };
  const running = await serve(readConfig(values), () => readPolicy(place));
  console.log(`OTLP over HTTP at ${running.otlpHttpUrl}, over gRPC at ${running.otlpGrpcAddress}`);
  console.log(`Barograph is ready at ${running.url}`);
  await untilStopped();
  await running.close();
}

/** The configuration of the files and flags; flags win, and errors say the line of the file that they are about. */
function readConfig(flags: Readonly<Record<string, string | undefined>>): Config {
  const source = flags.config === undefined ? undefined : readYamlFile(flags.config);
  const prometheus = flags['scrape-config'] === undefined ? undefined : readYamlFile(flags['scrape-config']);
  const input = withFlags((source?.value ?? {}) as Record<string, unknown>, flags);
  if (source) input.scrape = within(source.file, input.scrape);
  if (prometheus) {
    const { scrape, ignored } = takePrometheusFile(prometheus);
    input.scrape = within(prometheus.file, scrape);
    if (ignored.length > 0)
      console.log(`Of ${prometheus.file} only scraping is taken; ignored are ${ignored.join(', ')}`);
  }
  return parseConfig(input, ([first, ...rest]) => {
    if (first === 'scrape' && prometheus) return `${prometheus.file}:${prometheus.lineOf(rest)}`;
    const isFlag = [first, ...rest].some((key) => flags[String(key).replaceAll('_', '-')] !== undefined);
    return source && !isFlag ? `${source.file}:${source.lineOf([first, ...rest])}` : undefined;
  });
}

/** Paths in the scraping part are relative to the file's folder, unless it names one. */
function within(file: string, scrape: unknown): unknown {
  if (typeof scrape !== 'object' || scrape === null) return scrape ?? undefined;
  const { directory = '.' } = scrape as { directory?: unknown };
  return { ...scrape, directory: path.resolve(path.dirname(file), String(directory)) };
}

async function demoCommand(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: DEMO_FLAGS });
  const free = values.port === '0' ? '0' : undefined;
  const { runDemo } = await import('./demo.ts');
  const running = await runDemo({
    host: values.host,
    port: toWhole('--port', values.port),
    otlpHttpPort: toWhole('--otlp-http-port', values['otlp-http-port'] ?? free),
    otlpGrpcPort: toWhole('--otlp-grpc-port', values['otlp-grpc-port'] ?? free),
    data: values.data,
    seed: toWhole('--seed', values.seed) ?? 1,
    trace: values.trace,
    backfillMs: parseDurationMs(values.backfill ?? '1h'),
  });
  await untilStopped();
  await running.close();
}

function toWhole(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new BarographError({
    code: 'usage',
    status: 400,
    where: `demo › ${flag}`,
    got: JSON.stringify(text.slice(0, 40)),
    accepted: 'a whole number from 0',
  });
}

/** Resolves when the program is asked to end. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

/** Flags win over the file. */
function withFlags(
  file: Record<string, unknown>,
  flags: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const server = { ...(file.server as object | undefined) } as Record<string, unknown>;
  if (flags.host !== undefined) server.host = flags.host;
  if (flags.port !== undefined) server.port = Number(flags.port);
  for (const key of ['otlp-http-port', 'otlp-grpc-port'] as const) {
    const name = key.replaceAll('-', '_');
    if (flags[key] !== undefined) server[name] = Number(flags[key]);
    // Whoever asks for a free port runs beside others, and would meet them on the fixed ones.
    else if (server.port === 0) server[name] ??= 0;
  }
  const out: Record<string, unknown> = { ...file, server };
  if (flags.data !== undefined) out.data = flags.data;
  if (flags['log-level'] !== undefined) out.log_level = flags['log-level'];
  return out;
}
