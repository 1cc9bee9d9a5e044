import { reserveColumn } from './shared-column.ts';

/*
 * The label sets of the process, once, in memory that all threads share:
 *   symbol  a name or a value, interned: its place in the text
 *   pair    a name symbol and a value symbol; with it the list of the label sets that have it
 *   name    a symbol that is the name in some pair; with it the list of those pairs
 *   set     a label set: its pairs, sorted by name
 * All four are numbered densely from 0 in the order in which they came, and never change.
 */

/** The shared memory of label sets; what another thread needs to read them. */
export interface LabelMemory {
  /** Int32: label sets, symbols, pairs, names that are committed. */
  readonly committed: SharedArrayBuffer;
  /** UTF-8 of all symbols, one after the other. */
  readonly text: SharedArrayBuffer;
  /** Uint32 a symbol: the end of its text. */
  readonly symbolEnds: SharedArrayBuffer;
  /** Uint32: name symbol, value symbol, and the head of the list of label sets. */
  readonly pairs: SharedArrayBuffer;
  /** Uint32: symbol, and the head of the list of pairs. */
  readonly names: SharedArrayBuffer;
  /** Uint32 a label set: the end of its pairs in `setPairs`. */
  readonly setEnds: SharedArrayBuffer;
  readonly setPairs: SharedArrayBuffer;
  /** Blocks of both kinds of lists; see id-lists.ts. */
  readonly lists: SharedArrayBuffer;
  /** Hash tables that find a symbol by its text, a pair by its symbols, a name by its symbol, a set by its pairs. */
  readonly symbolTable: SharedArrayBuffer;
  readonly pairTable: SharedArrayBuffer;
  readonly nameTable: SharedArrayBuffer;
  readonly setTable: SharedArrayBuffer;
}

/** Places in `LabelMemory.committed`. */
export const COMMITTED = { sets: 0, symbols: 1, pairs: 2, names: 3 } as const;

const MIB = 2 ** 20;

/**
 * Reserves the memory: addresses only, at most 64 million symbols and sets. What would need more is refused
 * (`too_many_label_sets`).
 */
export function reserveLabelMemory(): LabelMemory {
  return {
    committed: new SharedArrayBuffer(16),
    text: reserveColumn(2048 * MIB),
    symbolEnds: reserveColumn(256 * MIB),
    pairs: reserveColumn(1280 * MIB),
    names: reserveColumn(64 * MIB),
    setEnds: reserveColumn(256 * MIB),
    setPairs: reserveColumn(2048 * MIB),
    lists: reserveColumn(3072 * MIB),
    symbolTable: reserveColumn(2048 * MIB),
    pairTable: reserveColumn(2048 * MIB),
    nameTable: reserveColumn(64 * MIB),
    setTable: reserveColumn(2048 * MIB),
  };
}
