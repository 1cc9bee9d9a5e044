import fs from 'node:fs';
import { parseArgs } from 'node:util';
import { parse } from 'yaml';
import { parseConfig } from '../config/index.ts';
import { BarographError, parseDurationMs } from '../model/index.ts';
import { runDemo } from './demo.ts';
import { serve } from './serve.ts';
import { VERSION } from './version.ts';

const HELP = `barograph ${VERSION}: observability for LLM inference, in one process

  barograph serve [--config FILE] [--data DIR] [--host HOST] [--port PORT]
                  [--otlp-http-port PORT] [--otlp-grpc-port PORT] [--log-level LEVEL]
      Receives Prometheus remote write on /api/v1/write, Loki push on /loki/api/v1/push and OTLP on
      /v1/{metrics,logs,traces}, and answers as Prometheus, Loki and Tempo do, all on one port (7070 on
      127.0.0.1). OTLP comes in on 4318 (HTTP) and 4317 (gRPC) as well. Port 0 takes a free one; with
      --port 0 the other two do so too where nothing else is said.

      Send from a Prometheus:      remote_write: [{url: http://127.0.0.1:7070/api/v1/write}]
      Ask with promtool:           promtool query instant http://127.0.0.1:7070 'up'
      What was removed or folded:  curl -s http://127.0.0.1:7070/metrics | grep barograph_govern

  barograph demo [--port PORT] [--data DIR] [--seed N] [--trace FILE] [--backfill DURATION]
      The same server with a simulated inference fleet beside it: the last hour is filled in at once, then
      the fleet goes on live. FILE is a CSV of arrivals: TIMESTAMP,ContextTokens,GeneratedTokens. Without
      --data everything is kept in a temporary folder that is removed at the end.

  barograph --help | --version
`;

async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      data: { type: 'string' },
      host: { type: 'string' },
      port: { type: 'string' },
      'otlp-http-port': { type: 'string' },
      'otlp-grpc-port': { type: 'string' },
      'log-level': { type: 'string' },
      seed: { type: 'string' },
      trace: { type: 'string' },
      backfill: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
      version: { type: 'boolean' },
    },
  });
  if (values.version) {
    console.log(VERSION);
    return 0;
  }
  const [command] = positionals;
  if (values.help || command === undefined) {
    console.log(HELP);
    return values.help ? 0 : 2;
  }
  if (command === 'demo') {
    const port = (text: string | undefined) => (text === undefined ? undefined : Number(text));
    const running = await runDemo({
      host: values.host,
      port: port(values.port),
      otlpHttpPort: port(values['otlp-http-port'] ?? (values.port === '0' ? '0' : undefined)),
      otlpGrpcPort: port(values['otlp-grpc-port'] ?? (values.port === '0' ? '0' : undefined)),
      data: values.data,
      seed: Number(values.seed ?? 1),
      trace: values.trace,
      backfillMs: parseDurationMs(values.backfill ?? '1h'),
    });
    await untilStopped();
    await running.close();
    return 0;
  }
  if (command !== 'serve') {
    console.error(
      `barograph: got the command ${JSON.stringify(command)}, accepted is serve or demo; see barograph --help`,
    );
    return 2;
  }
  const file = values.config === undefined ? {} : ((parse(fs.readFileSync(values.config, 'utf8')) ?? {}) as object);
  const config = parseConfig(withFlags(file as Record<string, unknown>, values));
  const running = await serve(config);
  console.log(`OTLP over HTTP at ${running.otlpHttpUrl}, over gRPC at ${running.otlpGrpcAddress}`);
  console.log(`Barograph is ready at ${running.url}`);
  await untilStopped();
  await running.close();
  return 0;
}

/** Resolves when the program is asked to end. */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGINT', () => resolve());
    process.once('SIGTERM', () => resolve());
  });
}

/** Flags win over the file. */
function withFlags(file: Record<string, unknown>, flags: Record<string, string | boolean | undefined>): object {
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

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const known = error instanceof BarographError || (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS');
  console.error(known ? `barograph: ${(error as Error).message}` : error);
  process.exitCode = 1;
}
