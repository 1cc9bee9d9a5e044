import type { Labels } from '../../model/index.ts';
import { IdLists } from './id-lists.ts';
import { LabelColumns, NAME_HEAD, NAME_WORDS, PAIR_HEAD, PAIR_WORDS } from './label-columns.ts';
import { COMMITTED, type LabelMemory } from './label-memory.ts';
import { LabelValues } from './label-values.ts';
import { SymbolTexts } from './symbol-texts.ts';

/** Label sets that are kept as arrays, so that what is asked again and again isn't built anew. */
const MAX_KEPT_SETS = 131_072;

/** Reads label sets from any thread, as of the last `refresh`. */
export class LabelReader extends LabelColumns {
  protected readonly lists: IdLists;
  protected symbolCount = 0;
  protected pairCount = 0;
  protected nameCount = 0;
  protected setCount = 0;
  protected readonly texts: SymbolTexts;
  private kept: (Labels | undefined)[] = [];
  private keptCount = 0;
  /** By name. */
  private readonly valuesByName = new Map<number, LabelValues>();

  constructor(memory: LabelMemory) {
    super(memory);
    this.lists = new IdLists(memory.lists);
    this.texts = new SymbolTexts(this.text, this.symbolEnds);
    this.refresh();
  }

  /** How many label sets are committed, as of the last `refresh`. */
  get size(): number {
    return this.setCount;
  }

  /** Takes note of what was committed since the last call; costs next to nothing. */
  refresh(): void {
    const sets = Atomics.load(this.committed, COMMITTED.sets);
    if (sets === this.setCount) return;
    this.setCount = sets;
    // Read after the number of sets, so that whatever these refer to is counted.
    this.nameCount = Atomics.load(this.committed, COMMITTED.names);
    this.pairCount = Atomics.load(this.committed, COMMITTED.pairs);
    this.symbolCount = Atomics.load(this.committed, COMMITTED.symbols);
    this.refreshColumns();
    this.texts.refresh(this.symbolCount);
    while (this.kept.length < sets) this.kept.push(undefined);
  }

  /** The label set with a number; read-only. */
  labels(id: number): Labels {
    const known = this.kept[id];
    if (known !== undefined) return known;
    if (this.keptCount >= MAX_KEPT_SETS) {
      this.kept.fill(undefined);
      this.keptCount = 0;
    }
    this.keptCount++;
    const labels = this.readLabels(id);
    this.kept[id] = labels;
    return labels;
  }

  private readLabels(id: number): string[] {
    const start = this.setStart(id);
    const count = this.setEnds.view[id] - start;
    const [setPairs, pairs] = [this.setPairs.view, this.pairs.view];
    const labels: string[] = new Array(2 * count);
    for (let i = 0; i < count; i++) {
      const pair = setPairs[start + i] * PAIR_WORDS;
      labels[2 * i] = this.texts.keep(pairs[pair]);
      labels[2 * i + 1] = this.texts.keep(pairs[pair + 1]);
    }
    return labels;
  }

  /** The name of a text, −1 where no label set has it. */
  protected nameOf(text: string): number {
    const symbol = this.findSymbol(text);
    return symbol < 0 ? -1 : this.findName(symbol);
  }

  /** The pair of a name and a value, −1 where no label set has it. */
  protected pairOf(name: number, value: string): number {
    const symbol = this.findSymbol(value);
    return symbol < 0 ? -1 : this.findPair(this.nameSymbol(name), symbol);
  }

  protected nameSymbol(name: number): number {
    return this.names.view[name * NAME_WORDS];
  }

  protected pairName(pair: number): number {
    return this.pairs.view[pair * PAIR_WORDS];
  }

  protected valueSymbol(pair: number): number {
    return this.pairs.view[pair * PAIR_WORDS + 1];
  }

  /** The values of a name, up to date. */
  protected valuesOf(name: number): LabelValues {
    let values = this.valuesByName.get(name);
    if (!values) {
      values = new LabelValues(this.texts, (pair) => this.valueSymbol(pair));
      this.valuesByName.set(name, values);
    }
    const known = values.pairs.at(-1) ?? -1;
    const { view } = this.names;
    const head = name * NAME_WORDS + NAME_HEAD;
    // Lists are read from their beginning, so it is looked first whether there is anything new.
    if (view[head + 2] !== values.pairs.length) {
      this.lists.each(view, head, this.pairCount, (pair) => {
        if (pair > known) values.add(pair);
      });
    }
    return values;
  }

  /** How many values a name has, those included that aren't committed yet. */
  protected nameSize(name: number): number {
    return this.names.view[name * NAME_WORDS + NAME_HEAD + 2];
  }

  /** Whether some label set has a pair: one that was refused leaves pairs behind. */
  protected isUsed(pair: number): boolean {
    const first = this.pairs.view[pair * PAIR_WORDS + PAIR_HEAD];
    return first > 0 && first <= this.setCount;
  }

  /** How many label sets have a pair, those included that aren't committed yet. */
  protected pairSize(pair: number): number {
    return this.pairs.view[pair * PAIR_WORDS + PAIR_HEAD + 2];
  }

  /** The label sets that have a pair, ascending. */
  protected idsOf(pair: number): number[] {
    return this.lists.copy(this.pairs.view, pair * PAIR_WORDS + PAIR_HEAD, this.setCount);
  }

  protected eachId(pair: number, visit: (id: number) => void): void {
    this.lists.each(this.pairs.view, pair * PAIR_WORDS + PAIR_HEAD, this.setCount, visit);
  }

  /** Writes a 1 at every label set that has a pair. */
  protected markIds(pair: number, marks: Uint8Array): void {
    this.lists.mark(this.pairs.view, pair * PAIR_WORDS + PAIR_HEAD, marks);
  }

  /** Whether a label set has a pair. */
  protected hasPair(id: number, pair: number): boolean {
    const end = this.setEnds.view[id];
    const { view } = this.setPairs;
    for (let i = this.setStart(id); i < end; i++) if (view[i] === pair) return true;
    return false;
  }

  /** The pair by which a label set has a name, −1 where it hasn't. */
  protected pairWith(id: number, nameSymbol: number): number {
    const end = this.setEnds.view[id];
    const [setPairs, pairs] = [this.setPairs.view, this.pairs.view];
    for (let i = this.setStart(id); i < end; i++) {
      if (pairs[setPairs[i] * PAIR_WORDS] === nameSymbol) return setPairs[i];
    }
    return -1;
  }
}
