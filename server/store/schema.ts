import type { DuckDBConnection } from '@duckdb/node-api';
import { BarographError } from '../model/index.ts';

/** The version of the tables below; a data directory of another version is refused, never guessed at. */
export const SCHEMA_VERSION = 3;

/**
 * The hot tables. Rows are only ever appended, in the order of arrival, so a scan returns them in that order and "the
 * last written wins" needs no column of its own. There are no primary keys: an index would cost more than the append.
 */
const TABLES = `
CREATE TABLE IF NOT EXISTS meta (key VARCHAR, value VARCHAR);
-- Label sets of series and streams, by number, lie in labels/.
-- ts: milliseconds since the epoch; body: histogram-codec.ts. Samples that are numbers lie in samples/.
CREATE TABLE IF NOT EXISTS histograms (series UINTEGER, ts BIGINT, body BLOB);
CREATE TABLE IF NOT EXISTS exemplars (series UINTEGER, ts BIGINT, value DOUBLE, labels VARCHAR);
CREATE TABLE IF NOT EXISTS metadata (metric VARCHAR, type VARCHAR, help VARCHAR, unit VARCHAR);
-- ts: nanoseconds since the epoch; metadata: JSON array of alternating names and values.
CREATE TABLE IF NOT EXISTS logs (stream UINTEGER, ts BIGINT, line VARCHAR, metadata VARCHAR);
-- start, duration: nanoseconds; kind, status: OTLP's numbers; attributes, resource: JSON objects; rest: JSON of what
-- is read only when a span is shown (events, links, scope, trace state, status message).
CREATE TABLE IF NOT EXISTS spans (
  trace_hi UBIGINT, trace_lo UBIGINT, span UBIGINT, parent UBIGINT, start BIGINT, duration BIGINT, kind UINTEGER,
  status UINTEGER, name VARCHAR, service VARCHAR, attributes VARCHAR, resource VARCHAR, rest VARCHAR);
-- What aggregation on removal remembers of each input that is not a series of its own; numbers are in input-journal.ts,
-- and in a table only of data directories that were written before.
CREATE TABLE IF NOT EXISTS aggregate_inputs (output UINTEGER, hi UINTEGER, lo UINTEGER, last DOUBLE, start BIGINT, ts BIGINT);
CREATE TABLE IF NOT EXISTS aggregate_histograms (output UINTEGER, hi UINTEGER, lo UINTEGER, start BIGINT, ts BIGINT, body BLOB);
-- Numbers of the commits that have samples too: such samples count only if their commit's number is here.
CREATE TABLE IF NOT EXISTS commits (number BIGINT);
`;

/** The version in which label sets were rows of the tables `series` and `streams`. */
const LABELS_IN_TABLES = 2;

/** What kind of data directory there is: an empty one, one whose label sets are still in tables, or one of this version. */
export type FoundSchema = 'new' | 'labels_in_tables' | 'current';

/**
 * Creates missing tables and checks the version. Where it isn't the current one, `finishSchema` makes it so.
 * @throws BarographError `schema_version` where the data directory was written by another version.
 */
export async function prepareSchema(connection: DuckDBConnection): Promise<FoundSchema> {
  await connection.run(TABLES);
  const found = await connection.runAndReadAll("SELECT value FROM meta WHERE key = 'schema_version'");
  const row = found.getRows()[0];
  if (row === undefined) return 'new';
  const version = Number(row[0]);
  if (version === SCHEMA_VERSION) return 'current';
  if (version === LABELS_IN_TABLES) return 'labels_in_tables';
  throw new BarographError({
    code: 'schema_version',
    status: 500,
    where: 'data directory',
    got: `schema version ${String(row[0])}`,
    accepted: `version ${SCHEMA_VERSION}, or ${LABELS_IN_TABLES}, which is brought up to it`,
    fix: 'start with the version that wrote it, or with another --data directory',
  });
}

/** Says that everything is as this version expects it. */
export async function finishSchema(connection: DuckDBConnection): Promise<void> {
  await connection.run(`BEGIN;
    DELETE FROM meta WHERE key = 'schema_version';
    INSERT INTO meta VALUES ('schema_version', '${SCHEMA_VERSION}');
    DROP TABLE IF EXISTS series;
    DROP TABLE IF EXISTS streams;
    COMMIT`);
}
