import fs from 'node:fs';
import { LEVELS, type Level } from '../signals.ts';
import { BlockReader, type BlockSummary } from './block-file.ts';
import type { SampleCatalog } from './catalog.ts';
import { type Cut, KEEP_ALL, type LevelFloors } from './cut.ts';
import { blockFile, findBlocks, findJournals, journalFile, syncDirectory, unfinishedFile } from './files.ts';
import { JournalWriter, replayJournal } from './journal.ts';
import type { SampleBuffer } from './sample-buffer.ts';
import { blocksToMerge, blockToTrim, isExpired, Sealer } from './sealer.ts';
import { createSegmentMemory, type SegmentMemory, SegmentWriter } from './segment.ts';
import { readTombstones, type Tombstone, writeTombstones } from './tombstones.ts';

/** Bounds of the samples in memory. */
export interface SampleStoreLimits {
  /** Slots of a segment, 12 bytes each; a full one is sealed. */
  readonly segmentSlots: number;
  /** Milliseconds after which a segment that isn't full is sealed all the same. */
  readonly segmentAgeMs: number;
  /** Segments that may wait to be sealed; past it writes wait. */
  readonly maxWaitingSegments: number;
  /** A file that was replaced is removed once no query can be about to open it by an older catalog, milliseconds. */
  readonly removalDelayMs: number;
}

export const DEFAULT_SAMPLE_STORE_LIMITS: SampleStoreLimits = {
  segmentSlots: 8 * 1024 * 1024,
  segmentAgeMs: 7_200_000,
  maxWaitingSegments: 2,
  removalDelayMs: 180_000,
};

/** After a sealing that failed (a full disk) the next try waits this long, milliseconds. */
const RETRY_MS = 5_000;

/** Numbers for the program's own metrics; they only go up. */
export interface SampleStoreStats {
  sealed: number;
  merged: number;
  failed: number;
  /** Blocks that were removed whole, or written anew without a part, because of their age. */
  dropped: number;
  trimmed: number;
  /** Samples that went with them, by level, and bytes. */
  expired: Record<Level, number>;
  expiredBytes: number;
  /** Bytes at the end of journals that a crash had cut short; they were never acknowledged. */
  droppedBytes: number;
}

/** Sizes as of now. */
export interface SampleSizes {
  readonly blocks: number;
  /** Samples and bytes in sealed blocks. */
  readonly sealedSamples: number;
  readonly sealedBytes: number;
  /** Bytes of files that were replaced and are about to be removed. */
  readonly leavingBytes: number;
  /** Bytes of the journals of what isn't sealed yet. */
  readonly journalBytes: number;
  /** Segments that wait to be sealed. */
  readonly waitingSegments: number;
  /** How full the open segment is, 0 to 1. */
  readonly segmentFill: number;
}

/** The segment that is written to, or one that waits to be sealed. */
interface OpenSegment {
  readonly memory: SegmentMemory;
  readonly writer: SegmentWriter;
  readonly journal: JournalWriter;
  /** 0 where the next write is to open another segment. */
  openedMs: number;
}

/** The part of a commit that goes to one segment. */
interface Placed {
  readonly segment: OpenSegment;
  readonly journalAt: number;
}

/** What `SampleStore.open` needs. */
export interface SampleStoreOptions {
  readonly directory: string;
  readonly limits?: Partial<SampleStoreLimits>;
  /** The last commit of which the tables know; see `replayJournal`. */
  readonly tablesCommit: number;
  /** Numbers of the stored series of the fleet level, ascending, as of the call. Default: there are none. */
  readonly fleetSeries?: () => Uint32Array;
  /** Gets the samples that only journals hold, in the order in which they were written. */
  readonly onReplay?: (samples: SampleBuffer) => void;
  /** Called whenever the catalog changed. */
  readonly onChange: () => void;
}

/**
 * Owns the samples: journals that make commits durable, segments in memory, blocks on disk. One thread writes, one
 * commit at a time: `write`, then `publish` or `takeBack`.
 */
export class SampleStore {
  readonly stats: SampleStoreStats = {
    sealed: 0,
    merged: 0,
    failed: 0,
    dropped: 0,
    trimmed: 0,
    expired: { fleet: 0, per_model: 0 },
    expiredBytes: 0,
    droppedBytes: 0,
  };
  private readonly directory: string;
  private readonly limits: SampleStoreLimits;
  private readonly onChange: () => void;
  private blocks: BlockSummary[] = [];
  private tombstones: Tombstone[] = [];
  private waiting: OpenSegment[] = [];
  private active!: OpenSegment;
  private placed: Placed[] = [];
  private commits = 0;
  private version = 1;
  private readonly histograms = new Set<number>();
  private histogramSeries = new Uint32Array(0);
  private readonly fleetSeries: () => Uint32Array;
  private floors: LevelFloors = KEEP_ALL;
  private readonly sealer = new Sealer();
  /** Whether the last try to seal or merge failed, as on a full disk. */
  private isFailing = false;
  /** Blocks that were written without what the tombstones delete. */
  private readonly cleared = new Set<string>();
  private sealing: Promise<void> | undefined;
  private roomWaiters: (() => void)[] = [];
  private readonly removals = new Map<string, { readonly timer: NodeJS.Timeout; readonly bytes: number }>();
  private isClosed = false;

  private constructor(options: SampleStoreOptions) {
    this.directory = options.directory;
    this.limits = { ...DEFAULT_SAMPLE_STORE_LIMITS, ...options.limits };
    this.onChange = options.onChange;
    this.fleetSeries = options.fleetSeries ?? (() => new Uint32Array(0));
  }

  /** Opens the folder, or makes it, and takes up what journals hold. @throws BarographError `journal_damaged`, `block_damaged`. */
  static async open(options: SampleStoreOptions): Promise<SampleStore> {
    fs.mkdirSync(options.directory, { recursive: true });
    const store = new SampleStore(options);
    try {
      store.tombstones = readTombstones(options.directory);
      store.blocks = findBlocks(options.directory, store.fleetSeries());
      await store.takeUpJournals(options);
      return store;
    } catch (error) {
      for (const { journal } of store.waiting) await journal.close();
      throw error;
    }
  }

  /** The number of the last commit. */
  get lastCommit(): number {
    return this.commits;
  }

  get sizes(): SampleSizes {
    const sum = (values: number[]) => values.reduce((a, b) => a + b, 0);
    return {
      blocks: this.blocks.length,
      sealedSamples: sum(this.blocks.map((block) => block.samples)),
      sealedBytes: sum(this.blocks.map((block) => block.bytes)),
      leavingBytes: sum([...this.removals.values()].map(({ bytes }) => bytes)),
      journalBytes: sum([...this.waiting, this.active].map(({ journal }) => journal.size)),
      waitingSegments: this.waiting.length,
      segmentFill: this.active.writer.fill,
    };
  }

  /** Where samples are now. */
  get catalog(): SampleCatalog {
    const segments = [...this.waiting, this.active].map((segment) => segment.memory);
    const { version, blocks, tombstones, histogramSeries } = this;
    return { version, blocks, segments, tombstones, histogramSeries };
  }

  /** Takes note of series that hold native histograms. */
  addHistogramSeries(ids: Uint32Array): void {
    const before = this.histograms.size;
    for (const id of ids) this.histograms.add(id);
    if (this.histograms.size === before) return;
    this.histogramSeries = Uint32Array.from(this.histograms).sort();
    this.changed();
  }

  /**
   * Says what is too old. Whole blocks of it leave the catalog at once and their files after `removalDelayMs`; the rest
   * is left out when its block is written anew, in the background. Readers leave out by themselves what is older.
   */
  expire(floors: LevelFloors): void {
    this.floors = floors;
    const expired = this.blocks.filter((block) => isExpired(block, floors));
    if (expired.length > 0) {
      this.blocks = this.blocks.filter((block) => !expired.includes(block));
      for (const block of expired) this.noteExpired(block);
      this.stats.dropped += expired.length;
      this.changed();
      this.removeLater(expired);
    }
    this.seal();
  }

  /** Resolves once nothing is left to seal, merge or remove in the background, or a try failed. */
  async settled(): Promise<void> {
    await this.sealing;
  }

  /** Counts what of a block went, where another is left of it. */
  private noteExpired(block: BlockSummary, left?: BlockSummary): void {
    for (const level of LEVELS) {
      this.stats.expired[level] += block.levels[level].samples - (left?.levels[level].samples ?? 0);
    }
    this.stats.expiredBytes += block.bytes - (left?.bytes ?? 0);
  }

  private get cut(): Cut {
    return { fleet: this.fleetSeries(), floors: this.floors };
  }

  /**
   * Makes samples durable; readers see them once `publish` was called.
   * @param withTables whether the commit also has rows in tables: then it counts only if the tables know its number.
   * @returns the number of the commit.
   */
  async write(samples: SampleBuffer, withTables: boolean): Promise<number> {
    const commit = this.commits + 1;
    try {
      if (Date.now() - this.active.openedMs > this.limits.segmentAgeMs) await this.rotate();
      for (let row = 0; row < samples.count; ) {
        const segment = this.active;
        const end = segment.writer.place(samples, row);
        if (end > row) {
          this.placed.push({ segment, journalAt: segment.journal.size });
          await segment.journal.append(samples, row, end, commit, withTables);
        }
        row = end;
        if (row < samples.count) await this.rotate();
      }
    } catch (error) {
      // What can't be taken back now, as on a disk that is broken, is cut off before another segment is opened.
      await this.takeBack().catch(() => {});
      if (this.active.journal.isDoubtful) this.active.openedMs = 0;
      throw error;
    }
    this.commits = commit;
    return commit;
  }

  /** Shows readers what `write` made durable. */
  publish(): void {
    for (const { segment } of this.placed) segment.writer.publish();
    this.placed = [];
    this.seal();
  }

  /** Takes back what `write` did: the commit that it belongs to failed. */
  async takeBack(): Promise<void> {
    const placed = this.placed;
    this.placed = [];
    for (const { segment } of placed) segment.writer.takeBack();
    const cuts = await Promise.allSettled(placed.map(({ segment, journalAt }) => segment.journal.takeBack(journalAt)));
    for (const cut of cuts) if (cut.status === 'rejected') throw cut.reason;
  }

  /**
   * Deletes samples that are there now; never call it during a commit. Readers miss them at once, durably; the space is
   * given back in the background.
   * @param series numbers of series, ascending; times in milliseconds, both inclusive.
   */
  async deleteSamples(series: Uint32Array, startMs: number, endMs: number): Promise<void> {
    await this.rotate();
    const throughSequence = this.active.memory.sequence - 1;
    const tombstones = [...this.tombstones, { throughSequence, series, startMs, endMs }];
    writeTombstones(this.directory, tombstones);
    syncDirectory(this.directory);
    this.tombstones = tombstones;
    this.changed();
    this.seal();
  }

  /** Ends what runs and closes the files. What isn't sealed is in the journals. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.sealing;
    await this.sealer.close();
    for (const segment of [...this.waiting, this.active]) await segment.journal.close();
    for (const [file, { timer }] of this.removals) {
      clearTimeout(timer);
      fs.rmSync(file, { force: true });
    }
  }

  /** Opens the next segment; waits where too many wait to be sealed. */
  private async rotate(): Promise<void> {
    if (this.active.writer.isEmpty) return;
    // A segment that this very commit filled can't be sealed before the commit is through, so it isn't waited for.
    const isPlaced = (segment: OpenSegment) => this.placed.some((placed) => placed.segment === segment);
    while (this.waiting.length >= this.limits.maxWaitingSegments && !this.waiting.every(isPlaced)) {
      if (this.isFailing) throw new Error('full segments can not be sealed, see barograph_store_seals_total');
      await new Promise<void>((resolve) => {
        this.roomWaiters.push(resolve);
        this.seal();
      });
    }
    const { journal } = this.active;
    if (journal.isDoubtful) await journal.takeBack(journal.size);
    const next = await this.openSegment(this.active.memory.sequence + 1, 0);
    this.waiting.push(this.active);
    this.active = next;
    this.changed();
  }

  private async openSegment(
    sequence: number,
    journalBytes: number,
    slots = this.limits.segmentSlots,
  ): Promise<OpenSegment> {
    const memory = createSegmentMemory(sequence, slots);
    const journal = await JournalWriter.open(journalFile(this.directory, sequence), journalBytes);
    syncDirectory(this.directory);
    return { memory, writer: new SegmentWriter(memory), journal, openedMs: Date.now() };
  }

  /** Seals what waits, oldest first, then removes what was deleted, then merges what is worth it, in the background. */
  private seal(): void {
    if (this.sealing || this.isClosed) return;
    const isIdle = this.waiting.length === 0 && this.tombstones.length === 0;
    if (isIdle && !blockToTrim(this.blocks, this.floors)) return;
    this.sealing = this.sealWaiting().finally(() => {
      this.sealing = undefined;
    });
  }

  private async sealWaiting(): Promise<void> {
    while (!this.isClosed) {
      const [segment] = this.waiting;
      // A segment of which a commit is under way is sealed after that commit.
      if (segment && this.placed.some((placed) => placed.segment === segment)) return;
      try {
        if (segment) await this.sealSegment(segment);
        else if (!(await this.mergeNext())) return;
        this.isFailing = false;
      } catch {
        this.stats.failed++;
        this.isFailing = true;
        // Writes that wait for a place are refused rather than held until there is one.
        for (const resolve of this.roomWaiters.splice(0)) resolve();
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        if (!segment) return;
      }
    }
  }

  private async sealSegment(segment: OpenSegment): Promise<void> {
    const { tombstones } = this;
    const block = await this.sealer.run({
      kind: 'seal',
      memory: segment.memory,
      tombstones,
      cut: this.cut,
      path: unfinishedFile(this.directory),
    });
    await this.replaceSegment(segment, block);
  }

  /** Writes one block anew, or several as one; says whether there was something to do. */
  private async mergeNext(): Promise<boolean> {
    const [tombstone] = this.tombstones;
    // A block may hold samples from both sides of a deletion only once those that it concerns are gone.
    const parts = tombstone ? this.blocksWith(tombstone).slice(0, 1) : [];
    if (parts.length > 0) {
      this.replaceBlocks(parts, await this.merge(parts));
      return true;
    }
    if (!tombstone) return (await this.trimNext()) || (await this.mergeAlike());
    this.tombstones = this.tombstones.filter((one) => one !== tombstone);
    writeTombstones(this.directory, this.tombstones);
    this.cleared.clear();
    this.changed();
    return true;
  }

  private async trimNext(): Promise<boolean> {
    const old = blockToTrim(this.blocks, this.floors);
    if (!old) return false;
    const block = await this.merge([old]);
    this.stats.trimmed++;
    this.noteExpired(old, block);
    this.replaceBlocks([old], block);
    return true;
  }

  private async mergeAlike(): Promise<boolean> {
    const parts = blocksToMerge(this.blocks);
    if (!parts) return false;
    this.replaceBlocks(parts, await this.merge(parts));
    return true;
  }

  private merge(parts: readonly BlockSummary[]): Promise<BlockSummary> {
    const { tombstones, cut } = this;
    return this.sealer.run({ kind: 'merge', parts, tombstones, cut, path: unfinishedFile(this.directory) });
  }

  /** The blocks that may hold samples which a tombstone deletes. */
  private blocksWith({ throughSequence, startMs, endMs, series }: Tombstone): BlockSummary[] {
    return this.blocks.filter((block) => {
      if (this.cleared.has(block.path) || block.firstSequence > throughSequence) return false;
      if (block.minMs > endMs || block.maxMs < startMs) return false;
      const reader = new BlockReader(block.path);
      try {
        return reader.holdsAny(series);
      } finally {
        reader.close();
      }
    });
  }

  private async replaceSegment(segment: OpenSegment, block: BlockSummary): Promise<void> {
    // Of a segment in which all is too old nothing is left.
    if (block.samples > 0) this.blocks = [...this.blocks, this.giveName(block)];
    else fs.rmSync(block.path, { force: true });
    this.waiting = this.waiting.filter((one) => one !== segment);
    this.stats.sealed++;
    this.changed();
    await segment.journal.close();
    fs.rmSync(segment.journal.path, { force: true });
    for (const resolve of this.roomWaiters.splice(0)) resolve();
  }

  private replaceBlocks(parts: readonly BlockSummary[], block: BlockSummary): void {
    const named = this.giveName(block);
    this.cleared.add(named.path);
    this.blocks = this.blocks.flatMap((one) => (one === parts[0] ? [named] : parts.includes(one) ? [] : [one]));
    this.stats.merged++;
    this.changed();
    this.removeLater(parts);
  }

  private removeLater(blocks: readonly BlockSummary[]): void {
    for (const { path, bytes } of blocks) {
      const remove = () => {
        this.removals.delete(path);
        fs.rmSync(path, { force: true });
      };
      this.removals.set(path, { timer: setTimeout(remove, this.limits.removalDelayMs).unref(), bytes });
    }
  }

  /** Gives a finished file the name by which it counts. */
  private giveName(block: BlockSummary): BlockSummary {
    const named = { ...block, path: blockFile(this.directory, block) };
    fs.renameSync(block.path, named.path);
    syncDirectory(this.directory);
    return named;
  }

  private changed(): void {
    this.version++;
    this.onChange();
  }

  private async takeUpJournals(options: SampleStoreOptions): Promise<void> {
    const sealed = this.blocks.at(-1)?.sequence ?? 0;
    const sequences = findJournals(this.directory, sealed);
    this.commits = options.tablesCommit;
    for (const sequence of sequences) {
      await this.takeUpJournal(sequence, sequence === sequences.at(-1), options);
    }
    // What comes now isn't concerned by deletions, so it never goes where they reach.
    const deleted = Math.max(sealed, ...this.tombstones.map((one) => one.throughSequence));
    const newest = this.waiting.at(-1);
    if (newest && newest.memory.sequence > deleted) this.active = this.waiting.pop() as OpenSegment;
    else this.active = await this.openSegment(Math.max(deleted, newest?.memory.sequence ?? 0) + 1, 0);
  }

  /** Fills a segment from its journal; it waits like those that were filled in this process. */
  private async takeUpJournal(sequence: number, isNewest: boolean, options: SampleStoreOptions): Promise<void> {
    const file = journalFile(this.directory, sequence);
    const bytes = fs.statSync(file).size;
    let segment = await this.openSegment(sequence, bytes);
    this.waiting.push(segment);
    const replayInto = (writer: SegmentWriter) => {
      let fits = true;
      const replay = replayJournal(file, options.tablesCommit, isNewest, (samples) => {
        fits &&= writer.place(samples, 0) === samples.count;
        options.onReplay?.(samples);
      });
      return fits ? replay : undefined;
    };
    let replay = replayInto(segment.writer);
    if (!replay) {
      // It was written under larger limits. No sample takes more than the slots of the shortest run.
      await segment.journal.close();
      segment = await this.openSegment(sequence, bytes, bytes);
      this.waiting[this.waiting.length - 1] = segment;
      replay = replayInto(segment.writer);
      segment.openedMs = 0;
      if (!replay) throw new Error(`BUG: ${file} holds more samples than bytes`);
    }
    segment.writer.publish();
    this.commits = Math.max(this.commits, replay.lastCommit);
    this.stats.droppedBytes += replay.dropped;
    if (replay.dropped > 0) await segment.journal.takeBack(replay.bytes);
  }
}
