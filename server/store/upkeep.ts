import fs from 'node:fs';
import path from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import {
  DiskGuard,
  type DiskSpace,
  diskSpace,
  Retention,
  type RetentionSettings,
  TableRetention,
} from './retention/index.ts';
import { markHeldSeries } from './samples/held-series.ts';
import type { SampleStore } from './samples/index.ts';
import type { Writer } from './writer.ts';

/** The write-ahead log that is worth a checkpoint, bytes. A checkpoint rewrites row groups, so it should come seldom. */
const CHECKPOINT_BYTES = 128 * 2 ** 20;
/** How often its size is looked at, milliseconds. */
const LOOK_MS = 1_000;
/** Free bytes that a checkpoint needs beside twice the log. */
const CHECKPOINT_RESERVE_BYTES = 64 * 2 ** 20;

/** The database's file in a data directory. */
export function databaseFile(directory: string): string {
  return path.resolve(directory, 'hot.duckdb');
}

/** What upkeep looks after. */
export interface UpkeepParts {
  readonly directory: string;
  /** A connection of its own; closed with it. */
  readonly connection: DuckDBConnection;
  readonly settings: RetentionSettings;
  readonly samples: SampleStore;
  readonly writer: Writer;
  /** Numbers of the series of the fleet level, ascending, as of the call. */
  readonly fleetSeries: () => Uint32Array;
  /** How many series there are. */
  readonly seriesCount: () => number;
  /** Called when the floors moved. */
  readonly onFloors: () => void;
  /** The clock; default the system's. */
  readonly nowMs?: () => number;
  /** Asks the disk; default `diskSpace` of the directory. */
  readonly space?: () => Promise<DiskSpace>;
}

/** What a store does beside reading and writing: it watches the disk, checkpoints the database, removes what is too old. */
export class Upkeep {
  readonly disk: DiskGuard;
  readonly retention: Retention;
  /** Checkpoints by result. */
  readonly checkpoints = { done: 0, failed: 0 };
  private readonly parts: UpkeepParts;
  private timer: NodeJS.Timeout | undefined;
  private isCheckpointing = false;

  constructor(parts: UpkeepParts) {
    this.parts = parts;
    const { directory, connection, settings, samples, writer, fleetSeries } = parts;
    this.disk = new DiskGuard({
      minFreeBytes: settings.minFreeBytes,
      space: parts.space ?? (() => diskSpace(directory)),
    });
    const tables = new TableRetention({
      connection,
      exclusively: (task) => writer.exclusively(task),
      fleetSeries,
      hasRoom: () => this.hasRoom,
      committedRows: () => writer.stats.rows,
    });
    this.retention = new Retention({
      settings,
      samples,
      tables,
      otherFileBytes: () => this.otherFileBytes(),
      onFloors: parts.onFloors,
      nowMs: parts.nowMs ?? Date.now,
    });
  }

  /** Looks at the disk, then begins to look after all of it now and then. */
  async start(): Promise<void> {
    await this.disk.look();
    this.disk.start();
    this.timer = setInterval(() => void this.checkpointIfDue(), LOOK_MS).unref();
  }

  /** Ends what runs, and checkpoints once more. */
  async close(): Promise<void> {
    this.disk.stop();
    clearInterval(this.timer);
    await this.retention.close();
    while (this.isCheckpointing) await new Promise((resolve) => setTimeout(resolve, 5));
    await this.disk.look();
    this.parts.connection.closeSync();
  }

  /** Whether a checkpoint is sure not to run out of space; DuckDB gives up a database of which one did. */
  get hasRoom(): boolean {
    return this.disk.space.freeBytes > 2 * this.walBytes() + CHECKPOINT_RESERVE_BYTES;
  }

  /**
   * Numbers of the series that have no sample, native histogram or exemplar left, ascending. They are still known by
   * their labels; aggregation may go on with one.
   */
  async emptySeries(): Promise<Uint32Array> {
    const count = this.parts.seriesCount();
    const marks = new Uint8Array((count >> 3) + 1);
    markHeldSeries(this.parts.samples.catalog, marks);
    const inTables = 'SELECT DISTINCT series FROM histograms UNION SELECT DISTINCT series FROM exemplars';
    for (const [id] of (await this.parts.connection.runAndReadAll(inTables)).getRows() as [number][]) {
      marks[id >> 3] |= 1 << (id & 7);
    }
    const empty: number[] = [];
    for (let id = 0; id < count; id++) if ((marks[id >> 3] & (1 << (id & 7))) === 0) empty.push(id);
    return Uint32Array.from(empty);
  }

  private walBytes(): number {
    return fs.statSync(`${databaseFile(this.parts.directory)}.wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Checkpoints between two commits: DuckDB's own would come inside one, and on a full disk end with the database. */
  private async checkpointIfDue(): Promise<void> {
    if (this.isCheckpointing || this.walBytes() < CHECKPOINT_BYTES || !this.hasRoom) return;
    this.isCheckpointing = true;
    try {
      await this.parts.writer.exclusively((connection) => connection.run('CHECKPOINT'));
      this.checkpoints.done++;
    } catch {
      // The log keeps everything, and grows until the next try.
      this.checkpoints.failed++;
    } finally {
      this.isCheckpointing = false;
    }
  }

  private otherFileBytes(): number {
    const { directory, samples } = this.parts;
    const database = fs.statSync(databaseFile(directory), { throwIfNoEntry: false })?.size ?? 0;
    const { sealedBytes, leavingBytes } = samples.sizes;
    return Math.max(0, directoryBytes(directory) - database - sealedBytes - leavingBytes);
  }
}

/** Bytes of the files of a folder and its folders. */
export function directoryBytes(directory: string): number {
  let bytes = 0;
  for (const entry of fs.readdirSync(directory, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    // A file may be gone by now: blocks are replaced in the background.
    bytes += fs.statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}
