import { SharedWords } from './shared-column.ts';

/*
 * A hash table that readers of other threads search while it is filled: nothing in it is ever moved. It is a row of
 * tables with open addressing, each twice as large as the one before; when one is full enough the next is begun, and a
 * search looks into the largest first. A slot is two words: the hash, and the entry's number plus one (0: free).
 */

/** Slots of the first table; a power of two. */
const FIRST_SLOTS = 2048;
/** A table is full enough once this share of its slots is taken. */
const MAX_FILL = 0.6;
/** Entries that are remembered as found last; a power of two. */
const RECENT = 4096;

/** Entries by hash. Which entry is meant says the caller, who has what the numbers stand for. */
export class HashTable {
  private readonly words: SharedWords;
  /** Tables that can be searched. */
  private tables = 0;
  /** Free slots that the last table may still fill. */
  private room = 0;
  /** The table that is being filled; −1 before the first entry. Memory may have grown beyond it. */
  private filling = -1;
  /** By the lowest bits of a hash, the entry that was found last, plus one: a few entries are looked for most. */
  private readonly recent = new Uint32Array(RECENT);

  constructor(memory: SharedArrayBuffer) {
    this.words = new SharedWords(memory);
    this.refresh();
  }

  /** Takes note of tables that another thread began. */
  refresh(): void {
    this.words.refresh();
    while (startOf(this.tables + 1) * 2 <= this.words.view.length) this.tables++;
  }

  /** The number of the entry with this hash for which `isWanted` holds; −1 where there is none. */
  find(hash: number, isWanted: (entry: number) => boolean): number {
    const { view } = this.words;
    const recent = this.recent[hash & (RECENT - 1)];
    if (recent > 0 && isWanted(recent - 1)) return recent - 1;
    // The writer knows how many tables have entries; a reader sees how many there is memory for.
    let slots = FIRST_SLOTS << ((this.filling < 0 ? this.tables : this.filling + 1) - 1);
    for (; slots >= FIRST_SLOTS; slots >>>= 1) {
      const start = slots - FIRST_SLOTS;
      const mask = slots - 1;
      for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
        const at = 2 * (start + slot);
        const entry = Atomics.load(view, at + 1);
        if (entry === 0) break;
        if (view[at] !== hash || !isWanted(entry - 1)) continue;
        this.recent[hash & (RECENT - 1)] = entry;
        return entry - 1;
      }
    }
    return -1;
  }

  /** Makes room for one more entry; only the writing thread may. @throws ColumnFull. */
  makeRoom(): void {
    if (this.room > 0) return;
    const next = this.filling + 1;
    this.words.ensure(startOf(next + 1) * 2);
    this.refresh();
    this.filling = next;
    this.room = Math.floor(FIRST_SLOTS * 2 ** next * MAX_FILL);
  }

  /** Adds an entry that isn't there; only the writing thread may. What the entry stands for is written already. */
  insert(hash: number, entry: number): void {
    this.makeRoom();
    this.room--;
    const { view } = this.words;
    const slots = FIRST_SLOTS << this.filling;
    const start = slots - FIRST_SLOTS;
    const mask = slots - 1;
    let slot = hash & mask;
    while (view[2 * (start + slot) + 1] !== 0) slot = (slot + 1) & mask;
    view[2 * (start + slot)] = hash;
    Atomics.store(view, 2 * (start + slot) + 1, entry + 1);
  }
}

/** The first slot of a table: as many are before it as it has, less those of the first. */
function startOf(table: number): number {
  return FIRST_SLOTS * (2 ** table - 1);
}

/** Mixes a word into a hash, an unsigned 32-bit number. Source of the constants: MurmurHash3, x86 32 bits. */
export function mix(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) >>> 0;
}

/** Spreads a hash's bits, so that its lowest ones depend on all. Source: MurmurHash3. */
export function spread(hash: number): number {
  let h = hash;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
