import { BarographError, type Labels, NO_LABELS } from '../../model/index.ts';
import { IdListWriter } from './id-lists.ts';
import {
  hashOfBytes,
  hashOfName,
  hashOfPair,
  hashOfWords,
  LabelColumns,
  NAME_HEAD,
  NAME_WORDS,
  PAIR_HEAD,
  PAIR_WORDS,
} from './label-columns.ts';
import { COMMITTED, type LabelMemory } from './label-memory.ts';
import { ColumnFull } from './shared-column.ts';

/** How much there is of each kind at some moment. */
export interface LabelCounts {
  readonly sets: number;
  readonly symbols: number;
  readonly pairs: number;
  readonly names: number;
}

/** What came between two moments, as a file holds it: numbers of symbols and pairs count from the very first. */
export interface LabelChange {
  /** UTF-8 of the new symbols. */
  readonly text: Uint8Array;
  /** Bytes of each. */
  readonly symbolLengths: Uint32Array;
  /** Name symbol and value symbol of each new pair. */
  readonly pairSymbols: Uint32Array;
  /** How many pairs each new label set has; the pairs of all of them. */
  readonly setLengths: Uint32Array;
  readonly setPairs: Uint32Array;
}

/** Names whose symbols are remembered, so that they aren't looked for again and again. */
const MAX_KNOWN_NAMES = 4096;

/** The one writer of label sets. What it adds is found by itself at once, and by readers once it is published. */
export class LabelWriter extends LabelColumns {
  protected readonly lists: IdListWriter;
  protected symbolCount = 0;
  protected pairCount = 0;
  protected nameCount = 0;
  private setCount = 0;
  private readonly knownNames = new Map<string, number>();
  /** Where the next number of a pair's list goes, and of a name's. */
  private pairTails = new Uint32Array(1024);
  private nameTails = new Uint32Array(256);
  /** The pairs of the label set that is looked for. */
  private wanted = new Uint32Array(64);
  private wantedCount = 0;
  /** The label set whose pairs stand in `wanted`: those that come one after the other mostly differ in few labels. */
  private before: Labels = NO_LABELS;

  constructor(memory: LabelMemory) {
    super(memory);
    this.lists = new IdListWriter(memory.lists);
  }

  /** How many label sets there are; the number of the next one. */
  get size(): number {
    return this.setCount;
  }

  get counts(): LabelCounts {
    return { sets: this.setCount, symbols: this.symbolCount, pairs: this.pairCount, names: this.nameCount };
  }

  /** The number of a label set, or −1 where it isn't known. */
  find(labels: Labels): number {
    const count = this.begin(labels);
    for (let i = 0; i < count; i++) {
      if (this.isAsBefore(labels, i)) continue;
      const name = this.knownNames.get(labels[2 * i]) ?? this.findSymbol(labels[2 * i]);
      const value = name < 0 ? -1 : this.findSymbol(labels[2 * i + 1]);
      const pair = value < 0 ? -1 : this.findPair(name, value);
      if (pair < 0) {
        this.before = NO_LABELS;
        return -1;
      }
      this.wanted[i] = pair;
    }
    this.before = labels;
    return this.setTable.find(hashOfWords(this.wanted, 0, count), this.isWanted);
  }

  /** The number of a label set, which is added where it isn't known. @throws BarographError `too_many_label_sets`. */
  add(labels: Labels): number {
    try {
      const count = this.begin(labels);
      for (let i = 0; i < count; i++) {
        if (this.isAsBefore(labels, i)) continue;
        this.wanted[i] = this.pair(this.nameSymbol(labels[2 * i]), this.symbol(labels[2 * i + 1]));
      }
      this.before = labels;
      const hash = hashOfWords(this.wanted, 0, count);
      const known = this.setTable.find(hash, this.isWanted);
      return known >= 0 ? known : this.pushSet(this.wanted, 0, count, hash);
    } catch (error) {
      this.before = NO_LABELS;
      throw error instanceof ColumnFull ? tooMany(this.setCount) : error;
    }
  }

  /** Makes room for the pairs of a label set; returns how many it has. */
  private begin(labels: Labels): number {
    const count = labels.length / 2;
    if (count > this.wanted.length) {
      this.wanted = new Uint32Array(count * 2);
      this.before = NO_LABELS;
    }
    this.wantedCount = count;
    return count;
  }

  /** Whether a label is the same as that of the last label set at its place, whose pair then still stands there. */
  private isAsBefore(labels: Labels, i: number): boolean {
    const { before } = this;
    return labels[2 * i + 1] === before[2 * i + 1] && labels[2 * i] === before[2 * i];
  }

  /** Shows readers what there was when `counts` was read. */
  publish({ sets, symbols, pairs, names }: LabelCounts): void {
    const { committed } = this;
    Atomics.store(committed, COMMITTED.symbols, symbols);
    Atomics.store(committed, COMMITTED.pairs, pairs);
    Atomics.store(committed, COMMITTED.names, names);
    // Readers look at the number of sets first, so whatever they find by it is there.
    Atomics.store(committed, COMMITTED.sets, sets);
  }

  /** What came between two moments, copied. */
  change(from: LabelCounts, to: LabelCounts): LabelChange {
    const pairSymbols = new Uint32Array(2 * (to.pairs - from.pairs));
    for (let pair = from.pairs; pair < to.pairs; pair++) {
      pairSymbols[2 * (pair - from.pairs)] = this.pairs.view[pair * PAIR_WORDS];
      pairSymbols[2 * (pair - from.pairs) + 1] = this.pairs.view[pair * PAIR_WORDS + 1];
    }
    return {
      text: Uint8Array.from(this.text.view.subarray(this.textStart(from.symbols), this.textStart(to.symbols))),
      symbolLengths: lengthsOf(this.symbolEnds.view, from.symbols, to.symbols),
      pairSymbols,
      setLengths: lengthsOf(this.setEnds.view, from.sets, to.sets),
      setPairs: this.setPairs.view.slice(this.setStart(from.sets), this.setStart(to.sets)),
    };
  }

  /**
   * Adds what a file holds; nothing of it is there yet.
   * @returns whether all numbers in it are such that they can be meant; where not, it may have been added in part.
   */
  restore({ text, symbolLengths, pairSymbols, setLengths, setPairs }: LabelChange): boolean {
    let at = 0;
    for (const length of symbolLengths) {
      if (at + length > text.length) return false;
      this.pushSymbol(text, at, length, hashOfBytes(text, at, at + length));
      at += length;
    }
    for (let i = 0; i < pairSymbols.length; i += 2) {
      if (pairSymbols[i] >= this.symbolCount || pairSymbols[i + 1] >= this.symbolCount) return false;
      this.pushPair(pairSymbols[i], pairSymbols[i + 1]);
    }
    at = 0;
    for (const length of setLengths) {
      if (at + length > setPairs.length) return false;
      for (let i = at; i < at + length; i++) if (setPairs[i] >= this.pairCount) return false;
      this.pushSet(setPairs, at, length, hashOfWords(setPairs, at, at + length));
      at += length;
    }
    return true;
  }

  private readonly isWanted = (id: number): boolean => {
    const start = this.setStart(id);
    if (this.setEnds.view[id] - start !== this.wantedCount) return false;
    const { view } = this.setPairs;
    for (let i = 0; i < this.wantedCount; i++) if (view[start + i] !== this.wanted[i]) return false;
    return true;
  };

  private nameSymbol(text: string): number {
    const known = this.knownNames.get(text);
    if (known !== undefined) return known;
    const symbol = this.symbol(text);
    if (this.knownNames.size >= MAX_KNOWN_NAMES) this.knownNames.clear();
    this.knownNames.set(text, symbol);
    return symbol;
  }

  private symbol(text: string): number {
    const known = this.findSymbol(text);
    if (known >= 0) return known;
    const { bytes, length, hash } = this.key;
    return this.pushSymbol(bytes, 0, length, hash);
  }

  private pair(name: number, value: number): number {
    const known = this.findPair(name, value);
    return known >= 0 ? known : this.pushPair(name, value);
  }

  private pushSymbol(bytes: Uint8Array, from: number, length: number, hash: number): number {
    const symbol = this.symbolCount;
    const start = this.textStart(symbol);
    this.text.ensure(start + length);
    this.symbolEnds.ensure(symbol + 1);
    this.symbolTable.makeRoom();
    const text = this.text.view;
    for (let i = 0; i < length; i++) text[start + i] = bytes[from + i];
    this.symbolEnds.view[symbol] = start + length;
    this.symbolCount++;
    this.symbolTable.insert(hash, symbol);
    return symbol;
  }

  private pushPair(nameSymbol: number, valueSymbol: number): number {
    const pair = this.pairCount;
    let name = this.findName(nameSymbol);
    this.pairs.ensure((pair + 1) * PAIR_WORDS);
    this.names.ensure((this.nameCount + 1) * NAME_WORDS);
    this.pairTable.makeRoom();
    this.nameTable.makeRoom();
    this.lists.makeRoom(1);
    if (name < 0) {
      name = this.nameCount++;
      if (name >= this.nameTails.length) this.nameTails = grown(this.nameTails);
      this.names.view[name * NAME_WORDS] = nameSymbol;
      this.nameTable.insert(hashOfName(nameSymbol), name);
    }
    if (pair >= this.pairTails.length) this.pairTails = grown(this.pairTails);
    this.pairs.view[pair * PAIR_WORDS] = nameSymbol;
    this.pairs.view[pair * PAIR_WORDS + 1] = valueSymbol;
    this.pairCount++;
    const head = name * NAME_WORDS + NAME_HEAD;
    this.nameTails[name] = this.lists.push(this.names.view, head, pair, this.nameTails[name]);
    this.pairTable.insert(hashOfPair(nameSymbol, valueSymbol), pair);
    return pair;
  }

  private pushSet(pairs: Uint32Array, from: number, count: number, hash: number): number {
    const id = this.setCount;
    const start = this.setStart(id);
    this.setPairs.ensure(start + count);
    this.setEnds.ensure(id + 1);
    this.setTable.makeRoom();
    this.lists.makeRoom(count);
    const columns = this.setPairs.view;
    const heads = this.pairs.view;
    for (let i = 0; i < count; i++) {
      const pair = pairs[from + i];
      columns[start + i] = pair;
      this.pairTails[pair] = this.lists.push(heads, pair * PAIR_WORDS + PAIR_HEAD, id, this.pairTails[pair]);
    }
    this.setEnds.view[id] = start + count;
    this.setCount++;
    this.setTable.insert(hash, id);
    return id;
  }
}

/** The lengths of the items `[from, to)` whose ends are given. */
function lengthsOf(ends: Uint32Array, from: number, to: number): Uint32Array {
  const lengths = new Uint32Array(to - from);
  for (let i = from; i < to; i++) lengths[i - from] = ends[i] - (i === 0 ? 0 : ends[i - 1]);
  return lengths;
}

function grown(old: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(old.length * 2);
  larger.set(old);
  return larger;
}

function tooMany(sets: number): BarographError {
  return new BarographError({
    code: 'too_many_label_sets',
    status: 503,
    where: 'store',
    got: `a series or stream beside ${sets} others`,
    accepted: 'as many as fit into the memory that is reserved for their labels',
    fix: 'lower the number of series (limits of the policy), or start with another --data directory',
  });
}
