import type { Governor } from '../govern/index.ts';
import type { MetricIngest } from '../ingest/index.ts';
import type { QueryPool } from '../query/index.ts';
import type { Store } from '../store/index.ts';
import { OwnMetrics } from '../telemetry/index.ts';

/** What the metrics are about. */
interface Rooms {
  readonly store: Store;
  readonly governor: Governor;
  readonly metrics: MetricIngest;
  readonly queries: QueryPool;
}

/** Declares metrics of the samples' own files. */
function declareSampleMetrics(registry: OwnMetrics, store: Store): void {
  registry.observed('barograph_store_samples', 'gauge', 'Samples in sealed blocks.', () => [
    [{}, store.sampleStats().sealedSamples],
  ]);
  registry.observed('barograph_store_sample_bytes', 'gauge', 'Bytes of the files that hold samples, by kind.', () => {
    const { sealedBytes, journalBytes } = store.sampleStats();
    return [
      [{ kind: 'block' }, sealedBytes],
      [{ kind: 'journal' }, journalBytes],
    ];
  });
  registry.observed('barograph_store_blocks', 'gauge', 'Sealed blocks of samples.', () => [
    [{}, store.sampleStats().blocks],
  ]);
  registry.observed('barograph_store_segments_waiting', 'gauge', 'Full segments that wait to be sealed.', () => [
    [{}, store.sampleStats().waitingSegments],
  ]);
  registry.observed('barograph_store_segment_fill_ratio', 'gauge', 'How full the open segment is.', () => [
    [{}, store.sampleStats().segmentFill],
  ]);
  registry.observed('barograph_store_seals_total', 'counter', 'Blocks that were written, by what came of it.', () => {
    const { sealed, merged, failed } = store.sampleStats();
    return [
      [{ result: 'sealed' }, sealed],
      [{ result: 'merged' }, merged],
      [{ result: 'failed' }, failed],
    ];
  });
  registry.observed(
    'barograph_store_journal_dropped_bytes_total',
    'counter',
    'Bytes at the end of journals that a crash had cut short; they were never acknowledged.',
    () => [[{}, store.sampleStats().droppedBytes]],
  );
}

/** Declares metrics of the policy and of the series that were offered. */
export function declareGovernMetrics(
  registry: OwnMetrics,
  governor: Governor,
  reloader: { readonly reloads: { readonly ok: number; readonly failed: number }; readonly status: { error: unknown } },
): void {
  registry.observed('barograph_govern_policy_generation', 'gauge', 'Goes up with each policy that is taken up.', () => [
    [{}, governor.generation],
  ]);
  registry.observed(
    'barograph_govern_policy_reloads_total',
    'counter',
    'Times that the policy was read again; one that failed left the policy before in force.',
    () => [
      [{ result: 'ok' }, reloader.reloads.ok],
      [{ result: 'failed' }, reloader.reloads.failed],
    ],
  );
  registry.observed(
    'barograph_govern_policy_up_to_date',
    'gauge',
    'Whether the policy in force is what its files say: 0 where the last reload failed.',
    () => [[{}, reloader.status.error === undefined ? 1 : 0]],
  );
  registry.observed('barograph_govern_offered_series', 'gauge', 'Distinct raw series so far, about 1 % off.', () => [
    [{}, governor.census.total.size],
  ]);
}

/** Declares the program's own metrics over its rooms. */
export function ownMetrics({ store, governor, metrics, queries }: Rooms) {
  const registry = new OwnMetrics();
  const requests = registry.counter('barograph_receiver_requests_total', 'Requests by receiver and HTTP status.');
  registry.observed('barograph_store_series', 'gauge', 'Series that are stored.', () => [[{}, store.series.size]]);
  registry.observed('barograph_store_streams', 'gauge', 'Log streams that are stored.', () => [
    [{}, store.streams.size],
  ]);
  registry.observed('barograph_store_rows_total', 'counter', 'Rows committed.', () => [[{}, store.writer.stats.rows]]);
  registry.observed('barograph_store_commits_total', 'counter', 'Commits by result.', () => [
    [{ result: 'ok' }, store.writer.stats.commits],
    [{ result: 'failed' }, store.writer.stats.failedCommits],
  ]);
  declareSampleMetrics(registry, store);
  registry.observed('barograph_store_bytes', 'gauge', 'Bytes of the data directory.', () => [[{}, store.diskBytes()]]);
  registry.observed('barograph_query_pending', 'gauge', 'Queries in flight or waiting.', () => [[{}, queries.pending]]);
  registry.observed('barograph_query_running', 'gauge', 'Queries that a thread works on.', () => [
    [{}, queries.running],
  ]);
  registry.observed('barograph_query_requests_total', 'counter', 'Queries that ended, by how they did.', () =>
    Object.entries(queries.outcomes).map(([outcome, count]) => [{ outcome }, count] as const),
  );
  registry.observed(
    'barograph_govern_decisions_total',
    'counter',
    'Decisions of the label taxonomy by rule and source.',
    function* () {
      for (const { signal, source, rule, action, label, count } of governor.decisions()) {
        yield [{ signal, source, rule, action, label }, count] as const;
      }
    },
  );
  registry.observed(
    'barograph_ingest_reordered_samples_total',
    'counter',
    'Samples that came before or at the time of the last one of their series; the one written last counts.',
    () => [
      [{ kind: 'out_of_order' }, metrics.outOfOrder],
      [{ kind: 'duplicate' }, metrics.duplicates],
    ],
  );
  registry.observed('barograph_govern_aggregate_inputs', 'gauge', 'Series that are added up into others.', () => [
    [{}, metrics.stats.inputs],
  ]);
  registry.observed(
    'barograph_govern_aggregate_evicted_total',
    'counter',
    'Inputs of aggregation that were forgotten for want of room; totals may be too high by their value.',
    () => [[{}, metrics.stats.evicted]],
  );
  registry.observed(
    'barograph_govern_aggregate_late_total',
    'counter',
    'Changes of aggregated series that came after the sample of their time; they correct the last one.',
    () => [[{}, metrics.stats.late]],
  );
  return {
    registry,
    countRequest: (receiver: string, status: number) => requests({ receiver, status: String(status) }),
  };
}
