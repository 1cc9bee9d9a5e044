import { Worker } from 'node:worker_threads';
import { LEVELS } from '../signals.ts';
import type { BlockSummary } from './block-file.ts';
import type { Cut, LevelFloors } from './cut.ts';
import type { SegmentMemory } from './segment.ts';
import type { Tombstone } from './tombstones.ts';

/** What a sealing thread is asked to do; what was deleted or is too old is left out. */
export type SealJob = {
  readonly tombstones: readonly Tombstone[];
  readonly cut: Cut;
  /** A file that doesn't count until it is renamed. */
  readonly path: string;
} & (
  | { readonly kind: 'seal'; readonly memory: SegmentMemory }
  | { readonly kind: 'merge'; readonly parts: readonly BlockSummary[] }
);

/** What it answers. */
export type SealAnswer = { readonly block: BlockSummary } | { readonly error: string };

/** The thread ends when it had nothing to do for so long, milliseconds. */
const IDLE_MS = 10_000;

/** Runs jobs in a thread of its own, so that the thread that acknowledges writes never waits for them. */
export class Sealer {
  private worker: Worker | undefined;
  private idle: NodeJS.Timeout | undefined;
  private running: { resolve: (answer: SealAnswer) => void; reject: (error: Error) => void } | undefined;

  /** Runs one job; never call it before the one before has ended. */
  async run(job: SealJob): Promise<BlockSummary> {
    clearTimeout(this.idle);
    this.worker ??= this.start();
    const { worker } = this;
    const answer = await new Promise<SealAnswer>((resolve, reject) => {
      this.running = { resolve, reject };
      worker.postMessage(job);
    });
    this.idle = setTimeout(() => void this.close(), IDLE_MS).unref();
    if ('error' in answer) throw new Error(answer.error);
    return answer.block;
  }

  /** Ends the thread. */
  async close(): Promise<void> {
    clearTimeout(this.idle);
    await this.worker?.terminate();
  }

  private start(): Worker {
    const worker = new Worker(new URL('./seal-thread.ts', import.meta.url));
    worker.on('message', (answer: SealAnswer) => this.running?.resolve(answer));
    worker.on('error', (error) => this.running?.reject(error as Error));
    worker.on('exit', (code) => {
      this.worker = undefined;
      this.running?.reject(new Error(`the sealing thread ended with ${code}`));
    });
    return worker;
  }
}

/** Blocks that are merged at once. */
const MERGED_BLOCKS = 4;
/**
 * A merged block spans a day at most, so that a level's samples in it all become too old within a day. Blocks of the
 * fleet level alone are small and kept long, so they may span more.
 */
const MAX_SPAN_MS = 86_400_000;
const MAX_FLEET_SPAN_MS = 16 * MAX_SPAN_MS;
/** A block isn't written anew for the sake of samples that are too old for less than that. */
const TRIM_SLACK_MS = MAX_SPAN_MS;
const MAX_MERGED_SAMPLES = 200_000_000;

/**
 * The blocks to merge next: neighbours of about the same size, oldest first; `undefined` where there is nothing to gain.
 * Each sample is merged once or twice in its life.
 */
export function blocksToMerge(blocks: readonly BlockSummary[]): readonly BlockSummary[] | undefined {
  for (let i = 0; i + MERGED_BLOCKS <= blocks.length; i++) {
    const parts = blocks.slice(i, i + MERGED_BLOCKS);
    const samples = parts.map((part) => part.samples);
    const total = samples.reduce((a, b) => a + b, 0);
    const span = Math.max(...parts.map((part) => part.maxMs)) - Math.min(...parts.map((part) => part.minMs));
    const alike = Math.max(...samples) <= MERGED_BLOCKS * Math.min(...samples);
    const isFleet = parts.every(({ levels }) => levels.per_model.samples === 0);
    const maxSpan = isFleet ? MAX_FLEET_SPAN_MS : MAX_SPAN_MS;
    if (alike && total <= MAX_MERGED_SAMPLES && span <= maxSpan) return parts;
  }
  return undefined;
}

/** Whether all that a block holds is too old. */
export function isExpired({ levels }: BlockSummary, floors: LevelFloors): boolean {
  return LEVELS.every((level) => levels[level].samples === 0 || levels[level].maxMs < floors[level]);
}

/**
 * The first block to write anew because of what is too old in it: all of a level, or a part that has been so for a day.
 * Afterwards it holds nothing that is too old, so each block is written anew at most once a day, and mostly once in its
 * life: when its day of per-model samples ends and the few of the fleet level are left.
 */
export function blockToTrim(blocks: readonly BlockSummary[], floors: LevelFloors): BlockSummary | undefined {
  return blocks.find(({ levels }) =>
    LEVELS.some((level) => {
      const { minMs, maxMs } = levels[level];
      return maxMs < floors[level] ? minMs <= maxMs : minMs < floors[level] - TRIM_SLACK_MS;
    }),
  );
}
