import { createInterface } from 'node:readline';
import { BarographError } from '../model/index.ts';
import type { SimulateOptions } from './options.ts';
import { runSimulation } from './run.ts';

// The entry of a child process: options as JSON in the one argument, or as a line of standard input, so that the process
// can load while its server does; on standard output JSON lines with a `type`, which
// is `progress`, `report` or `error`. SIGTERM, SIGINT and the end of the parent's channel end the run; a parent that is
// gone without a word makes the next line of progress fail.
const PROGRESS_EVERY_MS = 500;

async function main(): Promise<number> {
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  // Whoever started it is gone.
  process.once('disconnect', stop);
  let lastMs = Number.NEGATIVE_INFINITY;
  const options: SimulateOptions = {
    ...(JSON.parse(process.argv[2] ?? (await firstLine())) as SimulateOptions),
    signal: abort.signal,
    onProgress: (progress) => {
      const nowMs = performance.now();
      if (progress.phase !== 'done' && nowMs - lastMs < PROGRESS_EVERY_MS) return;
      lastMs = nowMs;
      write({ type: 'progress', ...progress });
    },
  };
  write({ type: 'report', ...(await runSimulation(options)) });
  return 0;
}

async function firstLine(): Promise<string> {
  const lines = createInterface({ input: process.stdin });
  for await (const line of lines) {
    lines.close();
    return line;
  }
  throw new BarographError({ code: 'usage', status: 400, where: 'standard input', got: 'no line of options' });
}

function write(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    const known = error instanceof BarographError;
    write({ type: 'error', code: known ? error.code : 'internal', message: known ? error.message : String(error) });
    process.exitCode = 1;
  },
);
