import { HashTable, mix, spread } from './hash-table.ts';
import type { IdLists } from './id-lists.ts';
import { HEAD_WORDS } from './id-lists.ts';
import type { LabelMemory } from './label-memory.ts';
import { SharedBytes, SharedWords } from './shared-column.ts';

/** Words of a pair and of a name before the head of its list, and in all. */
export const PAIR_HEAD = 2;
export const PAIR_WORDS = PAIR_HEAD + HEAD_WORDS;
export const NAME_HEAD = 1;
export const NAME_WORDS = NAME_HEAD + HEAD_WORDS;

/** A text as UTF-8 with its hash, in memory that the next call uses again. */
class TextKey {
  bytes = Buffer.alloc(256);
  length = 0;
  hash = 0;

  /** Most texts are ASCII, which a loop copies faster than a call into the platform does. */
  set(text: string): void {
    const { length } = text;
    if (length * 3 > this.bytes.length) this.bytes = Buffer.alloc(length * 6);
    const { bytes } = this;
    let at = 0;
    for (; at < length; at++) {
      const code = text.charCodeAt(at);
      if (code > 127) break;
      bytes[at] = code;
    }
    this.length = at === length ? length : bytes.write(text);
    this.hash = hashOfBytes(bytes, 0, this.length);
  }
}

/** A hash of bytes `[from, end)`, an unsigned 32-bit number. Source: FNV-1a, its bits spread at the end. */
export function hashOfBytes(bytes: Uint8Array, from: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let i = from; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
  return spread(hash);
}

/** A hash of a pair, whose two symbols are given. */
export function hashOfPair(name: number, value: number): number {
  return spread(mix(mix(0, name), value));
}

/** A hash of a name's symbol. */
export function hashOfName(symbol: number): number {
  return spread(mix(0, symbol));
}

/** A hash of words `[from, end)`. */
export function hashOfWords(words: Uint32Array, from: number, end: number): number {
  let hash = end - from;
  for (let i = from; i < end; i++) hash = mix(hash, words[i]);
  return spread(hash);
}

/** The columns of `LabelMemory` as one thread sees them, and the searches that readers and the writer share. */
export abstract class LabelColumns {
  readonly memory: LabelMemory;
  protected readonly committed: Int32Array;
  protected readonly text: SharedBytes;
  protected readonly symbolEnds: SharedWords;
  protected readonly pairs: SharedWords;
  protected readonly names: SharedWords;
  protected readonly setEnds: SharedWords;
  protected readonly setPairs: SharedWords;
  protected readonly symbolTable: HashTable;
  protected readonly pairTable: HashTable;
  protected readonly nameTable: HashTable;
  protected readonly setTable: HashTable;
  protected abstract readonly lists: IdLists;
  /** What the searches below look for. */
  protected readonly key = new TextKey();
  private wantedName = 0;
  private wantedValue = 0;

  constructor(memory: LabelMemory) {
    this.memory = memory;
    this.committed = new Int32Array(memory.committed);
    this.text = new SharedBytes(memory.text);
    this.symbolEnds = new SharedWords(memory.symbolEnds);
    this.pairs = new SharedWords(memory.pairs);
    this.names = new SharedWords(memory.names);
    this.setEnds = new SharedWords(memory.setEnds);
    this.setPairs = new SharedWords(memory.setPairs);
    this.symbolTable = new HashTable(memory.symbolTable);
    this.pairTable = new HashTable(memory.pairTable);
    this.nameTable = new HashTable(memory.nameTable);
    this.setTable = new HashTable(memory.setTable);
  }

  /** Takes note of what another thread's columns grew. */
  protected refreshColumns(): void {
    const { text, symbolEnds, pairs, names, setEnds, setPairs, symbolTable, pairTable, nameTable, setTable } = this;
    for (const one of [text, symbolEnds, pairs, names, setEnds, setPairs]) one.refresh();
    for (const one of [symbolTable, pairTable, nameTable, setTable]) one.refresh();
    this.lists.refresh();
  }

  /** How many symbols this thread may look at. */
  protected abstract readonly symbolCount: number;
  protected abstract readonly pairCount: number;
  protected abstract readonly nameCount: number;

  /** Where the text of a symbol begins. */
  protected textStart(symbol: number): number {
    return symbol === 0 ? 0 : this.symbolEnds.view[symbol - 1];
  }

  /** Where the pairs of a label set begin. */
  protected setStart(id: number): number {
    return id === 0 ? 0 : this.setEnds.view[id - 1];
  }

  /** The symbol with a text, or −1; `key` has the text afterwards. */
  protected findSymbol(text: string): number {
    this.key.set(text);
    return this.symbolTable.find(this.key.hash, this.isKey);
  }

  private readonly isKey = (symbol: number): boolean => {
    // What came after the last look may not be read; it isn't committed.
    if (symbol >= this.symbolCount) return false;
    const { bytes, length } = this.key;
    const start = this.textStart(symbol);
    if (this.symbolEnds.view[symbol] - start !== length) return false;
    const text = this.text.view;
    for (let i = 0; i < length; i++) if (text[start + i] !== bytes[i]) return false;
    return true;
  };

  /** The pair of two symbols, or −1. */
  protected findPair(name: number, value: number): number {
    this.wantedName = name;
    this.wantedValue = value;
    return this.pairTable.find(hashOfPair(name, value), this.isPair);
  }

  private readonly isPair = (pair: number): boolean => {
    if (pair >= this.pairCount) return false;
    const { view } = this.pairs;
    return view[pair * PAIR_WORDS] === this.wantedName && view[pair * PAIR_WORDS + 1] === this.wantedValue;
  };

  /** The name with a symbol, or −1. */
  protected findName(symbol: number): number {
    this.wantedName = symbol;
    return this.nameTable.find(hashOfName(symbol), this.isName);
  }

  private readonly isName = (name: number): boolean =>
    name < this.nameCount && this.names.view[name * NAME_WORDS] === this.wantedName;
}
