import { SharedWords } from './shared-column.ts';

/*
 * Ascending lists of numbers, very many of which have one or two entries and a few a million. The first number is in the
 * head, which is part of whatever the list belongs to; the others are in blocks of 4, 8, 16, … and at last 1,024 words.
 * After a block's words comes one more that says where the next block is. No number in a block is 0, so a 0 is a place
 * that isn't written yet. A head is three words: the first number plus one, the first block's place, the count.
 */

/** Words of a head. */
export const HEAD_WORDS = 3;
const FIRST_BLOCK = 4;
const LARGEST_BLOCK = 1024;
/** Numbers in blocks before those of the largest size. */
const BEFORE_LARGEST = LARGEST_BLOCK - FIRST_BLOCK;

/** How many words the block has that follows after `before` numbers in blocks; 0 where another still has room. */
function blockAfter(before: number): number {
  if (before >= BEFORE_LARGEST) return (before - BEFORE_LARGEST) % LARGEST_BLOCK === 0 ? LARGEST_BLOCK : 0;
  // Blocks double, so one begins after 0, 4, 12, 28, … numbers.
  const units = before / FIRST_BLOCK + 1;
  return Number.isInteger(units) && (units & (units - 1)) === 0 ? before + FIRST_BLOCK : 0;
}

/** Reads lists, in any thread. */
export class IdLists {
  protected readonly words: SharedWords;

  constructor(memory: SharedArrayBuffer) {
    this.words = new SharedWords(memory);
  }

  refresh(): void {
    this.words.refresh();
  }

  /**
   * Calls `visit` with the numbers below `limit`, ascending.
   * @param heads the words that hold the list's head, at `at`.
   */
  each(heads: Uint32Array, at: number, limit: number, visit: (id: number) => void): void {
    const first = heads[at];
    if (first === 0 || first > limit) return;
    visit(first - 1);
    const { view } = this.words;
    // Blocks may be beyond what this thread has looked at; then their numbers are beyond the limit as well.
    let [from, size] = [heads[at + 1], FIRST_BLOCK];
    while (from > 0 && from + size < view.length) {
      for (let i = from; i < from + size; i++) {
        const id = view[i];
        if (id === 0 || id >= limit) return;
        visit(id);
      }
      from = view[from + size];
      if (size < LARGEST_BLOCK) size *= 2;
    }
  }

  /** Copies the numbers below `limit`. */
  copy(heads: Uint32Array, at: number, limit: number): number[] {
    const out: number[] = [];
    this.each(heads, at, limit, (id) => out.push(id));
    return out;
  }

  /** Writes a 1 at every number of a list that is below the length of `marks`. */
  mark(heads: Uint32Array, at: number, marks: Uint8Array): void {
    const limit = marks.length;
    const first = heads[at];
    if (first === 0 || first > limit) return;
    marks[first - 1] = 1;
    const { view } = this.words;
    let [from, size] = [heads[at + 1], FIRST_BLOCK];
    while (from > 0 && from + size < view.length) {
      for (let i = from; i < from + size; i++) {
        const id = view[i];
        if (id === 0 || id >= limit) return;
        marks[id] = 1;
      }
      from = view[from + size];
      if (size < LARGEST_BLOCK) size *= 2;
    }
  }
}

/** The one writer of lists. */
export class IdListWriter extends IdLists {
  /** The first word is never used: place 0 means that there is no block. */
  private end = 1;

  /** Makes room for one more number in each of so many lists. @throws ColumnFull. */
  makeRoom(lists: number): void {
    this.words.ensure(this.end + lists * (LARGEST_BLOCK + 1));
  }

  /**
   * Adds a number that is above all others of its list.
   * @param tail where the list's next number goes, as the last call returned it; 0 before the first.
   */
  push(heads: Uint32Array, at: number, id: number, tail: number): number {
    const count = heads[at + 2];
    if (count === 0) {
      heads[at] = id + 1;
      heads[at + 2] = 1;
      return 0;
    }
    const size = blockAfter(count - 1);
    let place = tail;
    if (size > 0) {
      this.words.ensure(this.end + size + 1);
      const { view } = this.words;
      // The number is there before the block can be found.
      view[this.end] = id;
      if (count === 1) heads[at + 1] = this.end;
      else view[tail] = this.end;
      place = this.end;
      this.end += size + 1;
    } else {
      this.words.view[place] = id;
    }
    heads[at + 2] = count + 1;
    return place + 1;
  }
}
