import fs from 'node:fs';
import path from 'node:path';
import type { SampleColumns } from './chunk-codec.ts';

/** Samples that were deleted and may still lie in sources up to a sequence. */
export interface Tombstone {
  /** Sources with higher sequences were written later and are not concerned. */
  readonly throughSequence: number;
  /** Numbers of series, ascending. */
  readonly series: Uint32Array;
  /** Milliseconds, both inclusive. */
  readonly startMs: number;
  readonly endMs: number;
}

/** Those of the tombstones that concern a source with such samples. */
export function deletionsOf(
  tombstones: readonly Tombstone[],
  sequence: number,
  minMs: number,
  maxMs: number,
): readonly Tombstone[] {
  return tombstones.filter((one) => one.throughSequence >= sequence && one.startMs <= maxMs && one.endMs >= minMs);
}

/** Whether some tombstone deletes all that a series has in `[minMs, maxMs]`. */
export function isDeleted(tombstones: readonly Tombstone[], series: number, minMs: number, maxMs: number): boolean {
  return tombstones.some((one) => one.startMs <= minMs && one.endMs >= maxMs && holds(one.series, series));
}

/** Removes the deleted ones of a series' samples `[from, from + count)`; returns how many are left. */
export function removeDeleted(
  tombstones: readonly Tombstone[],
  series: number,
  columns: SampleColumns,
  from: number,
  count: number,
): number {
  const { times, valueWords } = columns;
  let left = count;
  for (const { series: ids, startMs, endMs } of tombstones) {
    if (!holds(ids, series)) continue;
    let to = from;
    for (let row = from; row < from + left; row++) {
      if (times[row] >= startMs && times[row] <= endMs) continue;
      times[to] = times[row];
      valueWords[2 * to] = valueWords[2 * row];
      valueWords[2 * to + 1] = valueWords[2 * row + 1];
      to++;
    }
    left = to - from;
  }
  return left;
}

function holds(ids: Uint32Array, id: number): boolean {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle] < id) low = middle + 1;
    else high = middle;
  }
  return low < ids.length && ids[low] === id;
}

interface StoredTombstone extends Omit<Tombstone, 'series'> {
  readonly series: number[];
}

function fileOf(directory: string): string {
  return path.join(directory, 'tombstones.json');
}

/** The tombstones that a folder holds. */
export function readTombstones(directory: string): Tombstone[] {
  const file = fileOf(directory);
  if (!fs.existsSync(file)) return [];
  const stored = JSON.parse(fs.readFileSync(file, 'utf8')) as StoredTombstone[];
  return stored.map((one) => ({ ...one, series: Uint32Array.from(one.series) }));
}

/** Replaces the tombstones of a folder, durably. */
export function writeTombstones(directory: string, tombstones: readonly Tombstone[]): void {
  const file = fileOf(directory);
  const temporary = `${file}.new`;
  const handle = fs.openSync(temporary, 'w');
  try {
    fs.writeSync(handle, JSON.stringify(tombstones.map((one) => ({ ...one, series: [...one.series] }))));
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
  fs.renameSync(temporary, file);
}
