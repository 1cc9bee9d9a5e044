import { ProgressWriter, parseSimulateArgs, printReport, runSimulation } from '../simulate/index.ts';

/** What a run fills of the past where `--backfill` says nothing, as `SimulateOptions.backfillMs` has it. */
const DEFAULT_BACKFILL_MS = 3_600_000;

/** `barograph simulate`: plays the fleet into a server that runs already, and says what became of it. */
export async function simulate(args: readonly string[]): Promise<void> {
  const options = parseSimulateArgs(args);
  const abort = new AbortController();
  const stop = (): void => abort.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const progress = new ProgressWriter(process.stdout, options.backfillMs ?? DEFAULT_BACKFILL_MS);
  try {
    const report = await runSimulation({
      ...options,
      signal: abort.signal,
      onProgress: (step) => progress.show(step),
    });
    console.log(printReport(report));
  } finally {
    progress.end();
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
