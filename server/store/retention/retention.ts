import type { SampleStore } from '../samples/index.ts';
import { type Floors, NO_FLOORS, perSignal, SIGNALS, type Signal } from '../signals.ts';
import { type Piece, planFloors, type SignalSize, type Sizes } from './plan.ts';
import type { RetentionSettings } from './settings.ts';
import type { TableRetention } from './table-retention.ts';

/** What retention looks after. */
export interface RetentionParts {
  readonly settings: RetentionSettings;
  readonly samples: SampleStore;
  readonly tables: TableRetention;
  /** Bytes of files that hold neither sealed samples nor tables. */
  readonly otherFileBytes: () => number;
  /** Called when the floors moved, before anything is removed. */
  readonly onFloors: () => void;
  readonly nowMs: () => number;
}

/** How retention does. */
export interface RetentionStatus {
  readonly floors: Floors;
  readonly sizes: Readonly<Record<Signal, SignalSize>>;
  readonly runs: number;
  readonly failedRuns: number;
  /** When the last run that went well ended, milliseconds since the epoch; `undefined` before it. */
  readonly lastRunMs: number | undefined;
  readonly lastDurationMs: number;
  /** Samples, histograms, exemplars, lines and spans that were removed. */
  readonly removed: Readonly<Record<Signal, number>>;
}

/**
 * Removes what is too old or too much. A run moves the floors first, from which on no query sees what is below them, and
 * then gives its space back: files of samples, rows of tables. A run that a crash cut short is done again by the next.
 */
export class Retention {
  private readonly parts: RetentionParts;
  private current: Floors = NO_FLOORS;
  private sizes: Readonly<Record<Signal, SignalSize>> = perSignal(() => ({ bytes: 0, oldestMs: undefined }));
  private running: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isClosed = false;
  private runs = 0;
  private failedRuns = 0;
  private lastRunMs: number | undefined;
  private lastDurationMs = 0;

  constructor(parts: RetentionParts) {
    this.parts = parts;
    const { settings, nowMs } = parts;
    const now = nowMs();
    // What is too old isn't seen by the first query already.
    this.current = perSignal((signal) => now - settings.rules[signal].ageMs);
  }

  /** The first millisecond that queries may see, by signal. */
  get floors(): Floors {
    return this.current;
  }

  get settings(): RetentionSettings {
    return this.parts.settings;
  }

  get status(): RetentionStatus {
    const { runs, failedRuns, lastRunMs, lastDurationMs, sizes } = this;
    const removed = { ...this.parts.samples.stats.expired, ...this.parts.tables.deleted };
    return { floors: this.current, sizes, runs, failedRuns, lastRunMs, lastDurationMs, removed };
  }

  /** Runs at once, then now and then until `close`; tells `onError` what a run failed by. */
  start(onError: (error: unknown) => void): void {
    const run = () => void this.run().catch(onError);
    this.timer = setInterval(run, this.parts.settings.intervalMs).unref();
    run();
  }

  /** Runs once; where a run is under way, resolves with it. Rejects with what it failed by, which is counted. */
  run(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.running ??= this.runOnce().finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Ends what runs. */
  async close(): Promise<void> {
    this.isClosed = true;
    clearInterval(this.timer);
    await this.running?.catch(() => {});
  }

  private async runOnce(): Promise<void> {
    const { settings, samples, tables, nowMs } = this.parts;
    const started = performance.now();
    try {
      const now = nowMs();
      const sizes = await this.measure();
      const planned = planFloors(settings, sizes, this.current, now);
      if (SIGNALS.some((signal) => planned[signal] !== this.current[signal])) {
        this.current = planned;
        this.parts.onFloors();
      }
      samples.expire({ fleet: planned.fleet, per_model: planned.per_model });
      await tables.expire(planned, () => this.isClosed);
      await samples.settled();
      this.sizes = (await this.measure()).signals;
      this.runs++;
      this.lastRunMs = nowMs();
    } catch (error) {
      this.failedRuns++;
      throw error;
    } finally {
      this.lastDurationMs = performance.now() - started;
    }
  }

  private async measure(): Promise<Sizes> {
    const tables = await this.parts.tables.sizes();
    const signals = { ...this.samplesSizes(), ...tables.signals };
    return { signals, otherBytes: this.parts.otherFileBytes() + tables.otherBytes };
  }

  private samplesSizes(): Record<'fleet' | 'per_model', SignalSize> {
    const { blocks } = this.parts.samples.catalog;
    const sizeOf = (level: 'fleet' | 'per_model'): SignalSize => {
      const held = blocks.map((block) => block.levels[level]).filter(({ samples }) => samples > 0);
      const pieces: Piece[] = held.map(({ maxMs, bytes }) => ({ maxMs, bytes }));
      const oldest = held.reduce((least, { minMs }) => Math.min(least, minMs), Number.POSITIVE_INFINITY);
      const bytes = pieces.reduce((sum, piece) => sum + piece.bytes, 0);
      return { bytes, oldestMs: held.length === 0 ? undefined : oldest, pieces };
    };
    return { fleet: sizeOf('fleet'), per_model: sizeOf('per_model') };
  }
}
