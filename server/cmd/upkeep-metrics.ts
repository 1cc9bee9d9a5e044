import { SIGNALS, type Upkeep } from '../store/index.ts';
import type { OwnMetrics } from '../telemetry/index.ts';

/** Declares metrics of retention, of the disk and of checkpoints. */
export function declareUpkeepMetrics(registry: OwnMetrics, { retention, disk, checkpoints }: Upkeep): void {
  registry.observed('barograph_retention_bytes', 'gauge', 'Bytes that are kept, as of the last run.', () =>
    SIGNALS.map((signal) => [{ signal }, retention.status.sizes[signal].bytes] as const),
  );
  registry.observed(
    'barograph_retention_oldest_timestamp_seconds',
    'gauge',
    'The oldest that is kept, as of the last run; absent where there is nothing.',
    function* () {
      for (const signal of SIGNALS) {
        const { oldestMs } = retention.status.sizes[signal];
        if (oldestMs !== undefined) yield [{ signal }, oldestMs / 1000] as const;
      }
    },
  );
  registry.observed(
    'barograph_retention_removed_total',
    'counter',
    'Samples, histograms, exemplars, lines and spans that were removed because of their age or size.',
    () => SIGNALS.map((signal) => [{ signal }, retention.status.removed[signal]] as const),
  );
  registry.observed('barograph_retention_runs_total', 'counter', 'Runs of retention by result.', () => [
    [{ result: 'ok' }, retention.status.runs],
    [{ result: 'failed' }, retention.status.failedRuns],
  ]);
  registry.observed(
    'barograph_retention_last_run_timestamp_seconds',
    'gauge',
    'When the last run that went well ended; absent before it.',
    () => {
      const { lastRunMs } = retention.status;
      return lastRunMs === undefined ? [] : [[{}, lastRunMs / 1000]];
    },
  );
  registry.observed('barograph_retention_last_run_seconds', 'gauge', 'How long the last run took.', () => [
    [{}, retention.status.lastDurationMs / 1000],
  ]);
  registry.observed('barograph_disk_free_bytes', 'gauge', 'Free bytes on the disk of the data directory.', () => [
    [{}, disk.space.freeBytes],
  ]);
  registry.observed('barograph_disk_limit_bytes', 'gauge', 'Free bytes below which writes are refused.', () => [
    [{}, disk.limitBytes],
  ]);
  registry.observed('barograph_disk_low', 'gauge', 'Whether writes are refused for want of space.', () => [
    [{}, disk.isLow ? 1 : 0],
  ]);
  registry.observed(
    'barograph_disk_refused_writes_total',
    'counter',
    'Writes that were refused for want of space on the disk.',
    () => [[{}, disk.stats.refused]],
  );
  registry.observed('barograph_store_checkpoints_total', 'counter', 'Checkpoints of the database by result.', () => [
    [{ result: 'ok' }, checkpoints.done],
    [{ result: 'failed' }, checkpoints.failed],
  ]);
}
