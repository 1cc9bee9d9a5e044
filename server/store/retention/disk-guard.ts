import { statfs } from 'node:fs/promises';
import { BarographError, printSizeBytes } from '../../model/index.ts';

/** How much room a disk has, bytes. */
export interface DiskSpace {
  readonly freeBytes: number;
  readonly totalBytes: number;
}

/** How often the disk is asked, milliseconds. */
const POLL_MS = 2_000;
/** Free bytes below which writes are refused, unless the configuration says otherwise. */
const MIN_FREE_BYTES = 2 * 2 ** 30;
/** Of a small disk it is that share. */
const MIN_FREE_SHARE = 0.05;
/** Writes are taken again once there is that much more than the limit, so that they don't go on and off. */
const RESUME_FACTOR = 1.1;

/** What the disk under a folder has left for whoever asks. */
export async function diskSpace(directory: string): Promise<DiskSpace> {
  const { bavail, blocks, bsize } = await statfs(directory);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** What a disk guard watches. */
export interface DiskGuardParts {
  readonly minFreeBytes: number | undefined;
  /** Asks for the space; `diskSpace` of the data directory. */
  readonly space: () => Promise<DiskSpace>;
}

/**
 * Looks at the disk's free space every other second, and refuses writes before files break for want of it. Reads,
 * retention and the removal of files go on.
 */
export class DiskGuard {
  /** Writes that were refused, and times that the disk didn't answer. */
  readonly stats = { refused: 0, failed: 0 };
  private readonly parts: DiskGuardParts;
  private last: DiskSpace = { freeBytes: Number.POSITIVE_INFINITY, totalBytes: Number.POSITIVE_INFINITY };
  private low = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(parts: DiskGuardParts) {
    this.parts = parts;
  }

  /** The space as it was when the disk was last asked. */
  get space(): DiskSpace {
    return this.last;
  }

  /** Free bytes below which writes are refused. */
  get limitBytes(): number {
    return this.parts.minFreeBytes ?? Math.min(MIN_FREE_BYTES, MIN_FREE_SHARE * this.last.totalBytes);
  }

  /** Whether writes are refused. */
  get isLow(): boolean {
    return this.low;
  }

  /** Asks the disk now. */
  async look(): Promise<void> {
    try {
      this.last = await this.parts.space();
    } catch {
      // What was known stays; a disk that is gone is told of by the writes that fail.
      this.stats.failed++;
      return;
    }
    const { freeBytes } = this.last;
    this.low = freeBytes < this.limitBytes * (this.low ? RESUME_FACTOR : 1);
  }

  /** Asks again and again, until `stop`. */
  start(): void {
    this.timer = setInterval(() => void this.look(), POLL_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /**
   * Refuses a write while the disk has too little room.
   * @throws BarographError `disk_low` (503).
   */
  assertRoom(): void {
    if (!this.low) return;
    this.stats.refused++;
    throw new BarographError({
      code: 'disk_low',
      status: 503,
      where: 'store',
      got: `${printSizeBytes(this.last.freeBytes)} free on the disk of the data directory`,
      accepted: `at least ${printSizeBytes(Math.ceil(this.limitBytes))}`,
      fix: 'free some space, keep less (retention.max_size), or lower retention.min_free; send again after the time in Retry-After',
    });
  }
}
