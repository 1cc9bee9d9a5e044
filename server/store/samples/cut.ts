import type { Level } from '../signals.ts';

/** The first millisecond that is kept, by level; what is older may be left out wherever samples are written anew. */
export type LevelFloors = Readonly<Record<Level, number>>;

/** What a sealing or merging leaves out because of its age. */
export interface Cut {
  /** Numbers of the series of the fleet level, ascending. */
  readonly fleet: Uint32Array;
  readonly floors: LevelFloors;
}

/** Keeps everything. */
export const KEEP_ALL: LevelFloors = { fleet: Number.NEGATIVE_INFINITY, per_model: Number.NEGATIVE_INFINITY };

/** The level of a series, by the numbers of the fleet's. */
export function levelIn(fleet: Uint32Array, series: number): Level {
  let [low, high] = [0, fleet.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (fleet[middle] < series) low = middle + 1;
    else high = middle;
  }
  return low < fleet.length && fleet[low] === series ? 'fleet' : 'per_model';
}
