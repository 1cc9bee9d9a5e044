import type { Encoding } from './marker.ts';

/** What a run came to: nothing was found; something was; or it isn't known. */
export type CanaryResult = 'clean' | 'found' | 'failed';

/** A marker that was found, by where it came in and where it was. */
export interface CanaryFinding {
  /** The receiver or API. */
  readonly path: string;
  /** The place in its message. */
  readonly place: string;
  /** How it was written when it was sent. */
  readonly encoding: Encoding;
  /** Where it is: `table › …`, `file › …`, `log output`, `own metrics`, `answer › …`. */
  readonly found: string;
  /** How it is written there. */
  readonly foundAs: Encoding;
}

/** How a receiver took what was sent to it. */
export interface CanaryPath {
  readonly path: string;
  /** Messages that were acknowledged, whole or in part. */
  readonly accepted: number;
  /** Messages that were refused, as their protocol refuses. */
  readonly refused: number;
  /** Texts with markers that were hidden in them. */
  readonly hidden: number;
}

/** One run. It holds no marker and nothing of what was stored. */
export interface CanaryReport {
  readonly result: CanaryResult;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly paths: readonly CanaryPath[];
  readonly findings: readonly CanaryFinding[];
  readonly searched: {
    /** Files of the data directory that changed since the start, and their bytes. */
    readonly files: number;
    readonly bytes: number;
    /** Lines that the program logged meanwhile. */
    readonly logLines: number;
    /** Answers of the APIs. */
    readonly answers: number;
  };
  /** Why nothing is known, where the result is `failed`. */
  readonly reason: string | undefined;
}

/** What is known of the canary. */
export interface CanaryStatus {
  readonly enabled: boolean;
  readonly isRunning: boolean;
  /** When nothing was found last, milliseconds since the epoch. */
  readonly lastCleanMs: number | undefined;
  /** When it runs by itself next. */
  readonly nextMs: number | undefined;
  readonly last: CanaryReport | undefined;
}
