import type { DuckDBAppender, DuckDBConnection } from '@duckdb/node-api';
import { BarographError } from '../model/index.ts';
import { compactAggregateState } from './aggregate-state.ts';
import type { InputJournal } from './input-journal.ts';
import type { SampleStore } from './samples/index.ts';
import type { StoredLabels } from './stored-labels.ts';
import { WriteBuffer } from './write-buffer.ts';

/** How much may wait for a commit before writes are refused, and how long a commit waits for company. */
export interface WriterLimits {
  /** Rows in the open buffer, over all tables; past it `assertRoom` refuses. */
  readonly maxPendingRows: number;
  /** Bytes of text in the open buffer. */
  readonly maxPendingTextBytes: number;
  /** Milliseconds that the first write of a group waits for others. */
  readonly groupDelayMs: number;
}

export const DEFAULT_WRITER_LIMITS: WriterLimits = {
  maxPendingRows: 2_000_000,
  maxPendingTextBytes: 256 * 1024 * 1024,
  groupDelayMs: 3,
};

/** Rows of native histograms that aggregation remembers, after which it is compacted. */
const MAX_STATE_ROWS = 200_000;

/** Numbers about commits, for the program's own metrics. */
export interface WriterStats {
  commits: number;
  failedCommits: number;
  /** Times that the state of aggregation could not be made smaller. */
  failedCompactions: number;
  /** Rows committed. */
  rows: number;
  /** Milliseconds spent in commits, wall clock. */
  commitMs: number;
}

/** What a writer writes and tells of. */
export interface WriterParts {
  readonly labels: StoredLabels;
  readonly samples: SampleStore;
  readonly inputs: InputJournal;
  readonly limits: WriterLimits;
}

interface Waiter {
  resolve: () => void;
  reject: (error: unknown) => void;
}

/**
 * Group commit: rows pushed into `buffer` are durable once the promise of a `commit()` called after them resolves. While
 * one group is written the next one fills, so the number of fsyncs follows the disk, not the number of requests.
 */
export class Writer {
  readonly stats: WriterStats = { commits: 0, failedCommits: 0, failedCompactions: 0, rows: 0, commitMs: 0 };
  /** Called once before each commit, while `buffer` is still open, so that others can add rows that belong to it. */
  beforeCommit: () => void = () => {};
  /** Called before a write is taken; throws where the disk has no room for it. */
  assertDisk: () => void = () => {};
  private readonly connection: DuckDBConnection;
  private readonly labels: StoredLabels;
  private readonly samples: SampleStore;
  private readonly inputs: InputJournal;
  private readonly limits: WriterLimits;
  private readonly appenders = new Map<string, DuckDBAppender>();
  private open = new WriteBuffer();
  private spare: WriteBuffer | undefined = new WriteBuffer();
  private waiters: Waiter[] = [];
  private readonly tasks: (() => Promise<void>)[] = [];
  private running: Promise<void> | undefined;
  private closed = false;
  /** Rows of aggregation's state that were appended since it was compacted. */
  private stateRows = 0;

  constructor(connection: DuckDBConnection, parts: WriterParts) {
    this.connection = connection;
    this.labels = parts.labels;
    this.samples = parts.samples;
    this.inputs = parts.inputs;
    this.limits = parts.limits;
  }

  /** The buffer that the next commit writes. Never keep it across an `await`. */
  get buffer(): WriteBuffer {
    return this.open;
  }

  /**
   * Refuses further writes while too much waits.
   * @throws BarographError `overloaded`, `disk_low` (503).
   */
  assertRoom(): void {
    this.assertDisk();
    const rows = this.open.rows;
    if (!this.closed && rows < this.limits.maxPendingRows && this.open.textBytes < this.limits.maxPendingTextBytes)
      return;
    throw new BarographError({
      code: 'overloaded',
      status: 503,
      where: 'store',
      got: this.closed ? 'a write while shutting down' : `${rows} rows waiting for the disk`,
      accepted: `fewer than ${this.limits.maxPendingRows} rows or ${this.limits.maxPendingTextBytes} bytes of text`,
      fix: 'send again after the time in Retry-After',
    });
  }

  /** Resolves once everything pushed before the call is durable; rejects where the disk refused it. */
  commit(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiters.push({ resolve, reject });
      this.running ??= this.run();
    });
  }

  /** Runs a task between two commits, so that nothing is written meanwhile; resolves with the task. */
  exclusively<T>(task: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.tasks.push(() => task(this.connection).then(resolve, reject));
      this.running ??= this.run();
    });
  }

  /** Commits what waits and refuses what comes later. */
  async close(): Promise<void> {
    await this.commit();
    await this.inputs.close();
    this.closed = true;
    for (const appender of this.appenders.values()) appender.closeSync();
    this.appenders.clear();
  }

  private async run(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.limits.groupDelayMs));
    while (this.waiters.length > 0 || this.tasks.length > 0) {
      const tasks = this.tasks.splice(0);
      // A task may begin a new journal of samples, which knows no number of a commit.
      if (tasks.length > 0) await this.inputs.settle();
      for (const task of tasks) await task();
      if (this.waiters.length === 0) continue;
      const waiters = this.waiters;
      this.waiters = [];
      try {
        await this.commitGroup();
        for (const waiter of waiters) waiter.resolve();
      } catch (error) {
        for (const waiter of waiters) waiter.reject(error);
      }
    }
    this.running = undefined;
  }

  private async commitGroup(): Promise<void> {
    this.beforeCommit();
    const buffer = this.open;
    // What the rows refer to is saved as of this moment, before them.
    const saving = Promise.all([this.labels.series.save(), this.labels.streams.save()]);
    this.open = this.spare ?? new WriteBuffer();
    this.spare = undefined;
    const started = performance.now();
    try {
      const [series, streams] = await saving.catch((error: unknown) => {
        throw commitFailed(error);
      });
      if (buffer.rows > 0) await this.writeAll(buffer);
      this.labels.series.publish(series);
      this.labels.streams.publish(streams);
      this.stats.commits++;
      this.stats.rows += buffer.rows;
      this.stats.commitMs += performance.now() - started;
    } catch (error) {
      this.stats.failedCommits++;
      throw error;
    } finally {
      buffer.reset();
      this.spare = buffer;
    }
  }

  /** Samples first: where the tables then fail they are taken back, and a crash between the two leaves them uncounted. */
  private async writeAll(buffer: WriteBuffer): Promise<void> {
    const hasSamples = buffer.samples.count > 0;
    const hasRows = buffer.tableRows > 0;
    // What aggregation remembers comes before the samples that it explains, and counts only if these do.
    const number = hasSamples ? this.samples.lastCommit + 1 : 0;
    if (buffer.inputs.count > 0)
      await this.inputs.append(buffer.inputs, number).catch((error: unknown) => {
        throw commitFailed(error);
      });
    if (hasSamples) {
      const commit = await this.samples.write(buffer.samples, hasRows).catch(async (error: unknown) => {
        await this.inputs.takeBack();
        throw commitFailed(error);
      });
      if (hasRows) buffer.pushCommit(commit);
    }
    if (hasRows) {
      try {
        await this.writeTables(buffer);
      } catch (error) {
        await this.samples.takeBack();
        await this.inputs.takeBack();
        throw error;
      }
    }
    this.samples.publish();
    // A file that could not be begun anew only stays longer.
    await this.inputs.confirm().catch(() => this.stats.failedCompactions++);
    this.stateRows += buffer.aggregateHistograms.rows;
    if (this.stateRows > MAX_STATE_ROWS) await this.compactState();
    this.samples.addHistogramSeries(buffer.histogramSeriesIds);
  }

  private async compactState(): Promise<void> {
    this.stateRows = 0;
    // Its appender holds on to the table that is about to be replaced.
    this.appenders.get('aggregate_histograms')?.closeSync();
    this.appenders.delete('aggregate_histograms');
    // What could not be made smaller is whole all the same, and the next time comes.
    await compactAggregateState(this.connection).catch(() => this.stats.failedCompactions++);
  }

  private async writeTables(buffer: WriteBuffer): Promise<void> {
    await this.connection.run('BEGIN');
    try {
      for (const table of buffer.tables) {
        if (table.rows === 0) continue;
        let appender = this.appenders.get(table.table);
        if (!appender) {
          appender = await this.connection.createAppender(table.table);
          this.appenders.set(table.table, appender);
        }
        table.appendTo(appender);
        appender.flushSync();
      }
      await this.connection.run('COMMIT');
    } catch (error) {
      // An appender that failed may hold half a chunk, so none of them is used again.
      for (const appender of this.appenders.values()) {
        try {
          appender.clear();
          appender.closeSync();
        } catch {
          // It is being thrown away because it is broken; there is nothing to save from it.
        }
      }
      this.appenders.clear();
      await this.connection.run('ROLLBACK').catch(() => {});
      throw commitFailed(error);
    }
  }
}

function commitFailed(error: unknown): BarographError {
  return new BarographError({
    code: 'commit_failed',
    status: 503,
    where: 'store',
    got: error instanceof Error ? error.message : String(error),
    fix: 'check the free space and the health of the disk under the data directory; the data was not stored',
    cause: error,
  });
}
