import type { DuckDBConnection } from '@duckdb/node-api';
import type { NativeHistogram } from '../model/index.ts';
import type { ChunkSource } from './chunks.ts';
import { decodeHistogram } from './histogram-codec.ts';
import { bytes, doubles, int64s, uints } from './rows.ts';

/** An input of aggregation whose last value is a native histogram, as it was committed last. */
export interface StoredAggregateHistogram {
  readonly output: number;
  readonly hi: number;
  readonly lo: number;
  readonly last: NativeHistogram;
  readonly startMs: number;
  readonly timestampMs: number;
}

/** Inputs that are kept when the tables are compacted, those seen last. Aggregation itself remembers no more. */
const MAX_KEPT_INPUTS = 50_000;

/**
 * Leaves the newest row of each input, in the order in which they were seen last. Every commit appends the inputs that
 * changed, so without it the tables would grow with the time that a leak lasts.
 */
export async function compactAggregateState(connection: DuckDBConnection): Promise<void> {
  const newest = (column: string) => `max_by(${column}, rowid) AS ${column}`;
  await connection.run(`CREATE OR REPLACE TABLE aggregate_histograms AS SELECT * FROM (
    SELECT output, hi, lo, ${['start', 'ts', 'body'].map(newest).join(', ')} FROM aggregate_histograms
    GROUP BY output, hi, lo ORDER BY ts DESC LIMIT ${MAX_KEPT_INPUTS}) ORDER BY ts`);
}

/**
 * Visits the numbers that aggregation remembered when they still were rows of a table, the oldest first: of an input that
 * comes twice the later one counts.
 */
export async function readAggregateInputs(
  source: ChunkSource,
  visit: (output: number, hi: number, lo: number, last: number, startMs: number, timestampMs: number) => void,
): Promise<void> {
  const query = 'SELECT output, hi, lo, last, start, ts FROM aggregate_inputs';
  for await (const chunk of source.read(query, undefined, undefined)) {
    const [outputs, his, los] = [uints(chunk, 0), uints(chunk, 1), uints(chunk, 2)];
    const [lasts, starts, times] = [doubles(chunk, 3), int64s(chunk, 4), int64s(chunk, 5)];
    for (let row = 0; row < chunk.count; row++)
      visit(outputs[row], his[row], los[row], lasts[row], Number(starts[row]), Number(times[row]));
  }
}

/** What aggregation remembered of inputs that are native histograms, the newest of each. */
export async function readAggregateHistograms(source: ChunkSource): Promise<StoredAggregateHistogram[]> {
  const latest = new Map<string, StoredAggregateHistogram>();
  const query = 'SELECT output, hi, lo, start, ts, body FROM aggregate_histograms';
  for await (const chunk of source.read(query, undefined, undefined)) {
    const [outputs, his, los] = [uints(chunk, 0), uints(chunk, 1), uints(chunk, 2)];
    const [starts, times] = [int64s(chunk, 3), int64s(chunk, 4)];
    for (let row = 0; row < chunk.count; row++) {
      latest.set(`${outputs[row]}/${his[row]}/${los[row]}`, {
        output: outputs[row],
        hi: his[row],
        lo: los[row],
        last: decodeHistogram(bytes(chunk, 5, row)),
        startMs: Number(starts[row]),
        timestampMs: Number(times[row]),
      });
    }
  }
  return [...latest.values()];
}
