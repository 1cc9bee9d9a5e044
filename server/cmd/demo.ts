import { type ChildProcessByStdio, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../config/index.ts';
import {
  findScenario,
  type Progress,
  ProgressWriter,
  planIncidents,
  printIncident,
  SIMULATE_ENTRY,
} from '../simulate/index.ts';
import { type Running, serve } from './serve.ts';

/** The scenario of the fleet, and the time over which it spreads where no past is filled in. */
const SCENARIO = 'demo';
const EMPTY_WINDOW_MS = 3_600_000;

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
  // The fleet's process loads while the server starts.
  const fleet = spawnFleet();
  const running = await serve(parseConfig({ data, server, log_level: 'warn' })).catch((error: unknown) => {
    fleet.kill('SIGTERM');
    throw error;
  });
  console.log(`The pane is at ${running.url}; it fills while you look. Ctrl-C stops the demo.`);
  startFleet(fleet, running, options);
  return {
    ...running,
    async close() {
      fleet.kill('SIGTERM');
      await running.close();
      if (options.data === undefined) fs.rmSync(data, { recursive: true, force: true });
    },
  };
}

/** A line of the fleet's process. */
type FleetLine =
  | ({ readonly type: 'progress' } & Progress)
  | { readonly type: 'report' }
  | { readonly type: 'error'; readonly message: string };

type Fleet = ChildProcessByStdio<Writable, Readable, null>;

function spawnFleet(): Fleet {
  const args = ['--disable-warning=ExperimentalWarning', fileURLToPath(SIMULATE_ENTRY)];
  return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
}

function startFleet(child: Fleet, running: Running, options: DemoOptions): void {
  const simulation = {
    target: running.url,
    otlpTarget: running.otlpHttpUrl,
    seed: options.seed,
    backfillMs: options.backfillMs,
    realTime: true,
    trace: options.trace,
    scenario: SCENARIO,
    nowMs: Date.now(),
  };
  child.stdin.end(`${JSON.stringify(simulation)}\n`);
  const progress = new ProgressWriter(process.stdout, options.backfillMs);
  let live = false;
  createInterface({ input: child.stdout }).on('line', (text) => {
    const line = JSON.parse(text) as FleetLine;
    if (line.type === 'error') console.error(`barograph: ${line.message}`);
    if (line.type !== 'progress') return;
    if (line.phase === 'live' && !live) {
      live = true;
      progress.end();
      console.log(welcome(running.url, simulation.nowMs, options.backfillMs));
    }
    progress.show(line);
  });
  child.once('exit', (code) => {
    progress.end();
    if (code !== null && code !== 0) console.error('The simulated fleet has ended; the server goes on.');
  });
}

/** What there is to see once the past is filled in. */
function welcome(url: string, nowMs: number, backfillMs: number): string {
  const windowMs = backfillMs > 0 ? backfillMs : EMPTY_WINDOW_MS;
  const incidents = planIncidents(findScenario(SCENARIO), nowMs - backfillMs, windowMs).map(
    ({ incident, startMs, endMs }) => `  ${printIncident({ ...incident, startMs, endMs })}`,
  );
  return `
Open ${url} and look at what happened${backfillMs > 0 ? '' : ', or will'}:
${incidents.join('\n')}

  Click a point for the logs and traces of that moment, drag to zoom, press ? for the keys.
  Ask:  curl -s '${url}/api/v1/query?query=sum(rate(inference_tokens_total[5m]))'
  What governance removed:  ${url}/?view=cardinality

The fleet goes on live, and the same incidents come again. Ctrl-C stops the demo.
`;
}
