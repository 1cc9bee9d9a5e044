import fs from 'node:fs';
import path from 'node:path';
import { type BlockSummary, readBlockSummary } from './block-file.ts';

/*
 * A folder of samples holds
 *   00000007.journal             the journal of segment 7
 *   00000001-00000004-2.block    the block of segments 1 to 4, written anew twice
 *   tombstones.json              what was deleted and isn't removed from blocks yet
 *   unfinished.block             a block that is being written; it doesn't count
 */

/** The journal of a segment. */
export function journalFile(directory: string, sequence: number): string {
  return path.join(directory, `${digits(sequence)}.journal`);
}

/** A block under the name by which it counts. */
export function blockFile(
  directory: string,
  { firstSequence, sequence, revision }: Pick<BlockSummary, 'firstSequence' | 'sequence' | 'revision'>,
): string {
  return path.join(directory, `${digits(firstSequence)}-${digits(sequence)}-${revision}.block`);
}

/** A block that is being written. */
export function unfinishedFile(directory: string): string {
  return path.join(directory, 'unfinished.block');
}

/**
 * The blocks of a folder by sequence, after what a crash left behind was removed.
 * @param fleet numbers of the series of the fleet level, ascending.
 * @throws BarographError `block_damaged`.
 */
export function findBlocks(directory: string, fleet: Uint32Array): BlockSummary[] {
  fs.rmSync(unfinishedFile(directory), { force: true });
  const names = fs.readdirSync(directory).filter((name) => name.endsWith('.block'));
  const found = names.map((name) => {
    const [firstSequence, sequence, revision] = name.replace('.block', '').split('-').map(Number);
    return readBlockSummary(path.join(directory, name), { firstSequence, sequence, revision }, fleet);
  });
  const current = found.filter((block) => {
    // A crash between a merge and the removal of its parts leaves both.
    const isReplaced = found.some((other) => other !== block && replaces(other, block));
    if (isReplaced) fs.rmSync(block.path);
    return !isReplaced;
  });
  return current.sort((a, b) => a.sequence - b.sequence);
}

/** The sequences of the journals with records, ascending, after those of sealed segments and empty ones were removed. */
export function findJournals(directory: string, sealedSequence: number): number[] {
  const names = fs.readdirSync(directory).filter((name) => name.endsWith('.journal'));
  const sequences = names.map((name) => Number(name.replace('.journal', ''))).sort((a, b) => a - b);
  return sequences.filter((sequence) => {
    const file = journalFile(directory, sequence);
    // A crash may have come after a journal was made and before anything was in it.
    const isWanted = sequence > sealedSequence && fs.statSync(file).size > 0;
    if (!isWanted) fs.rmSync(file);
    return isWanted;
  });
}

function replaces(outer: BlockSummary, inner: BlockSummary): boolean {
  if (outer.firstSequence === inner.firstSequence && outer.sequence === inner.sequence) {
    return outer.revision > inner.revision;
  }
  return outer.firstSequence <= inner.firstSequence && outer.sequence >= inner.sequence;
}

/** Numbers in file names sort as text does. */
function digits(sequence: number): string {
  return String(sequence).padStart(8, '0');
}

/** Makes new names in a folder durable. */
export function syncDirectory(directory: string): void {
  const handle = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(handle);
  } finally {
    fs.closeSync(handle);
  }
}
