import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const MAIN = path.join(import.meta.dirname, '..', 'server', 'cmd', 'main.ts');

/** The real program as a child process. */
export interface Program {
  readonly url: string;
  /** `http://host:port` of OTLP over HTTP. */
  readonly otlpHttpUrl: string;
  /** `host:port` of OTLP over gRPC. */
  readonly otlpGrpcAddress: string;
  readonly pid: number;
  /** Everything that it has said so far, on standard output and standard error. */
  output(): string;
  /** Ends it as an operator would, and waits. */
  stop(): Promise<void>;
  /** Ends it as a crash would (`kill -9`), and waits. */
  kill(): Promise<void>;
}

/** A new empty folder for one test's data. */
export function temporaryDirectory(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-apptest-'));
}

/** Starts the program on a free port; resolves once it says that it is ready. */
export async function startProgram(data: string, args: readonly string[] = []): Promise<Program> {
  const child = spawn(
    process.execPath,
    [MAIN, 'serve', '--port', '0', '--data', data, '--log-level', 'error', ...args],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      said += data.toString('utf8');
    });
  const addresses = await readyAddresses(child);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  return {
    ...addresses,
    pid: child.pid as number,
    output: () => said,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
  };
}

type Addresses = Pick<Program, 'url' | 'otlpHttpUrl' | 'otlpGrpcAddress'>;

function readyAddresses(child: ChildProcess): Promise<Addresses> {
  return new Promise((resolve, reject) => {
    let output = '';
    const onData = (data: Buffer): void => {
      output += data.toString('utf8');
      const otlp = /OTLP over HTTP at (http:\S+), over gRPC at (\S+)/.exec(output);
      const ready = /ready at (http:\S+)/.exec(output);
      if (ready && otlp) resolve({ url: ready[1], otlpHttpUrl: otlp[1], otlpGrpcAddress: otlp[2] });
    };
    child.stdout?.on('data', onData);
    child.stderr?.on('data', onData);
    child.once('exit', (code) => reject(new Error(`the program ended with ${code} before it was ready:\n${output}`)));
  });
}

/** The body of a Prometheus API answer, parsed. */
export async function ask(program: Program, route: string, params: Record<string, string> = {}): Promise<PromAnswer> {
  const query = new URLSearchParams(params).toString();
  const response = await fetch(`${program.url}${route}${query === '' ? '' : `?${query}`}`);
  return (await response.json()) as PromAnswer;
}

/** What Prometheus's API answers, as far as tests look at it. */
export interface PromAnswer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly errorType?: string;
  readonly warnings?: string[];
  // biome-ignore lint/suspicious/noExplicitAny: the shape differs by route, and each test looks at what it knows.
  readonly data: any;
}
