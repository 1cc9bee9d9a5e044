import { type DuckDBConnection, type DuckDBType, type DuckDBValue, LIST, listValue, UINTEGER } from '@duckdb/node-api';
import type { Floors, Signal } from '../signals.ts';
import type { SignalSize } from './plan.ts';

/** A signal whose rows lie in a table. */
export type TableSignal = Exclude<Signal, 'fleet' | 'per_model'>;

/** Where the rows of a signal are. */
interface TablePart {
  readonly signal: TableSignal;
  readonly table: string;
  readonly time: string;
  /** Units of `time` in a millisecond. */
  readonly perMs: bigint;
  /** Which rows of the table are the signal's; $1 is the list of the series of the fleet level. */
  readonly where: string | undefined;
}

const IS_FLEET = 'series IN (SELECT unnest($1))';
const PARTS: readonly TablePart[] = [
  { signal: 'fleet_histograms', table: 'histograms', time: 'ts', perMs: 1n, where: IS_FLEET },
  { signal: 'per_model_histograms', table: 'histograms', time: 'ts', perMs: 1n, where: `NOT ${IS_FLEET}` },
  { signal: 'exemplars', table: 'exemplars', time: 'ts', perMs: 1n, where: undefined },
  { signal: 'logs', table: 'logs', time: 'ts', perMs: 1_000_000n, where: undefined },
  { signal: 'traces', table: 'spans', time: 'start', perMs: 1_000_000n, where: undefined },
];

/** Row numbers that one slice of a deletion spans: half a row group of DuckDB's, some milliseconds. */
const SLICE_ROWS = 61_440;
/** Rows after whose deletion a checkpoint gives their space back; less isn't worth one. */
const CHECKPOINT_ROWS = 122_880;

/** What it needs of the store. */
export interface TableRetentionParts {
  /** A connection of its own, for questions. */
  readonly connection: DuckDBConnection;
  /** Runs a task between two commits. */
  readonly exclusively: <T>(task: (connection: DuckDBConnection) => Promise<T>) => Promise<T>;
  /** Numbers of the series of the fleet level. */
  readonly fleetSeries: () => Uint32Array;
  /** Whether there is room for a checkpoint: one that runs out of space makes DuckDB give up the database. */
  readonly hasRoom: () => boolean;
  /** Goes up whenever rows were committed. */
  readonly committedRows: () => number;
}

/** What is known of a table since it was last looked at. */
interface Known {
  readonly atRows: number;
  readonly size: SignalSize & { readonly rows: number };
}

/** What a table takes in the file. */
interface TableStorage {
  readonly atRows: number;
  /** Rows that were deleted and not given back yet are counted here, so that they aren't taken for what is kept. */
  readonly bytes: number;
  readonly rowBytes: number;
}

/** How much there is in the database. */
export interface TableSizes {
  readonly signals: Readonly<Record<TableSignal, SignalSize>>;
  readonly otherBytes: number;
}

/** Deletes what is too old from DuckDB's tables, in slices between commits, and says how much there is of each signal. */
export class TableRetention {
  /** Rows that were deleted, by signal; and slices. */
  readonly deleted: Record<TableSignal, number> = {
    fleet_histograms: 0,
    per_model_histograms: 0,
    exemplars: 0,
    logs: 0,
    traces: 0,
  };
  private readonly parts: TableRetentionParts;
  private readonly known = new Map<TableSignal, Known>();
  private readonly storage = new Map<string, TableStorage>();
  /** Rows deleted since the last checkpoint. */
  private unreclaimed = 0;

  constructor(parts: TableRetentionParts) {
    this.parts = parts;
  }

  /** How much there is of each signal; a table that nothing was written to since isn't looked at again. */
  async sizes(): Promise<TableSizes> {
    const at = this.parts.committedRows();
    const found: Partial<Record<TableSignal, SignalSize>> = {};
    for (const part of PARTS) {
      const known = this.known.get(part.signal);
      if (known?.atRows === at) {
        found[part.signal] = known.size;
        continue;
      }
      const { rowBytes } = await this.storageOf(part.table);
      const [rows, oldest] = await this.ask(part, `count(*)::BIGINT, min(${part.time})`, 'true');
      const size = {
        rows: Number(rows),
        bytes: Math.round(Number(rows) * rowBytes),
        oldestMs: oldest === null ? undefined : Number(oldest / part.perMs),
      };
      this.known.set(part.signal, { atRows: at, size });
      found[part.signal] = size;
    }
    return { signals: found as Record<TableSignal, SignalSize>, otherBytes: await this.otherBytes() };
  }

  /** Bytes of the database that belong to no signal; space that is free inside its file isn't counted. */
  private async otherBytes(): Promise<number> {
    const answer = await this.parts.connection.runAndReadAll(
      'SELECT used_blocks::BIGINT * block_size::BIGINT FROM pragma_database_size() LIMIT 1',
    );
    const used = Number(answer.getRows()[0][0]);
    let known = 0;
    for (const { bytes } of this.storage.values()) known += bytes;
    return Math.max(0, used - known);
  }

  /** Deletes what is before the floors; resolves with the number of rows. */
  async expire(floors: Floors, isStopped: () => boolean): Promise<number> {
    let total = 0;
    for (const part of PARTS) {
      const floorMs = floors[part.signal];
      const known = this.known.get(part.signal);
      const isUnchanged = known?.atRows === this.parts.committedRows();
      if (isUnchanged && (known?.size.oldestMs ?? Number.POSITIVE_INFINITY) >= floorMs) continue;
      if (!Number.isFinite(floorMs)) continue;
      const rows = await this.expirePart(part, BigInt(Math.floor(floorMs)) * part.perMs, isStopped);
      this.deleted[part.signal] += rows;
      total += rows;
      if (rows > 0) {
        this.known.delete(part.signal);
        this.storage.delete(part.table);
      }
    }
    this.unreclaimed += total;
    await this.reclaim();
    return total;
  }

  private async expirePart(part: TablePart, floor: bigint, isStopped: () => boolean): Promise<number> {
    const isOld = `${part.time} < ${floor}`;
    let total = 0;
    while (!isStopped()) {
      // Rows lie in the order in which they came, so mostly the old ones are the first, and what follows isn't looked at.
      const [first] = await this.ask(part, 'min(rowid)::BIGINT', isOld);
      if (first === null) break;
      const slice = `rowid BETWEEN ${first} AND ${first + BigInt(SLICE_ROWS - 1)}`;
      const mine = part.where === undefined ? '' : ` AND ${part.where}`;
      const rows = await this.parts.exclusively(async (connection) => {
        const statement = `DELETE FROM ${part.table} WHERE ${slice} AND ${isOld}${mine}`;
        return (await connection.run(statement, ...this.bound(part))).rowsChanged;
      });
      // A checkpoint between the two may have numbered the rows anew; then the next slice finds them.
      total += rows;
    }
    return total;
  }

  /** Gives the space of deleted rows back to the database, which uses it for what comes. */
  private async reclaim(): Promise<void> {
    if (this.unreclaimed < CHECKPOINT_ROWS || !this.parts.hasRoom()) return;
    this.unreclaimed = 0;
    await this.parts.exclusively((connection) => connection.run('CHECKPOINT'));
  }

  private async ask(part: TablePart, what: string, condition: string): Promise<(bigint | null)[]> {
    const mine = part.where === undefined ? '' : ` AND ${part.where}`;
    const query = `SELECT ${what} FROM ${part.table} WHERE ${condition}${mine}`;
    const answer = await this.parts.connection.runAndReadAll(query, ...this.bound(part));
    return answer.getRows()[0] as (bigint | null)[];
  }

  private bound(part: TablePart): [values?: DuckDBValue[], types?: DuckDBType[]] {
    if (part.where === undefined) return [];
    return [[listValue([...this.parts.fleetSeries()])], [LIST(UINTEGER)]];
  }

  /** What a table takes in the file; 0 where nothing of it is there yet but in the write-ahead log. */
  private async storageOf(table: string): Promise<TableStorage> {
    const atRows = this.parts.committedRows();
    const known = this.storage.get(table);
    if (known?.atRows === atRows) return known;
    const query = `SELECT count(DISTINCT block_id) FILTER (WHERE block_id >= 0)::BIGINT,
      coalesce(sum(count) FILTER (WHERE column_id = 0 AND segment_type <> 'VALIDITY'), 0)::BIGINT,
      (SELECT block_size FROM pragma_database_size() LIMIT 1)::BIGINT FROM pragma_storage_info('${table}')`;
    const answer = await this.parts.connection.runAndReadAll(query);
    const [blocks, rows, blockSize] = answer.getRows()[0].map(Number);
    const bytes = blocks * blockSize;
    const storage = { atRows, bytes, rowBytes: rows === 0 ? 0 : bytes / rows };
    this.storage.set(table, storage);
    return storage;
  }
}
