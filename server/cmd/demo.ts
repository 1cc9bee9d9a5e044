import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseConfig } from '../config/index.ts';
import { type Running, serve } from './serve.ts';

/** What the demo can be told. */
export interface DemoOptions {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly otlpHttpPort: number | undefined;
  readonly otlpGrpcPort: number | undefined;
  /** The data directory; a temporary one, removed at the end, where none is named. */
  readonly data: string | undefined;
  /** Same seed, same fleet. */
  readonly seed: number;
  /** A CSV of arrivals in the format of the Azure LLM inference trace. */
  readonly trace: string | undefined;
  /** Milliseconds of the past that are filled in at the start. */
  readonly backfillMs: number;
}

/**
 * The main job on a simulated fleet: a server, and beside it a process that plays the fleet's telemetry into it, first
 * the last hour as fast as it can, then live. Resolves once the server listens; `close` ends both.
 */
export async function runDemo(options: DemoOptions): Promise<Running> {
  const data = options.data ?? fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-demo-'));
  const server: Record<string, unknown> = {};
  if (options.host !== undefined) server.host = options.host;
  if (options.port !== undefined) server.port = options.port;
  if (options.otlpHttpPort !== undefined) server.otlp_http_port = options.otlpHttpPort;
  if (options.otlpGrpcPort !== undefined) server.otlp_grpc_port = options.otlpGrpcPort;
  const running = await serve(parseConfig({ data, server, log_level: 'warn' }));
  console.log(`The pane is at ${running.url} (Ctrl-C ends the demo)`);
  const fleet = startFleet(running, options);
  return {
    ...running,
    async close() {
      fleet.kill('SIGTERM');
      await running.close();
      if (options.data === undefined) fs.rmSync(data, { recursive: true, force: true });
    },
  };
}

function startFleet(running: Running, options: DemoOptions): ChildProcess {
  const simulation = {
    target: running.url,
    otlpTarget: running.otlpHttpUrl,
    seed: options.seed,
    backfillMs: options.backfillMs,
    realTime: true,
    trace: options.trace,
  };
  const entry = path.join(import.meta.dirname, '..', 'simulate', 'main.ts');
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', entry, JSON.stringify(simulation)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let rest = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString('utf8')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) showProgress(line);
  });
  child.once('exit', (code) => {
    if (code !== null && code !== 0) console.error(`The simulated fleet ended with ${code}; the server goes on.`);
  });
  return child;
}

/** Shows a line of the fleet's progress on one line of the terminal that is written over. */
function showProgress(line: string): void {
  if (line.trim() === '') return;
  if (!process.stdout.isTTY) {
    console.log(`fleet: ${line}`);
    return;
  }
  process.stdout.write(`\r\u001b[2Kfleet: ${line.slice(0, (process.stdout.columns ?? 80) - 8)}`);
}
