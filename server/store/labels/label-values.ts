import type { Matcher } from '../../model/index.ts';
import type { SymbolTexts } from './symbol-texts.ts';

/** Answers of regular expressions that are remembered for one label. */
const MAX_REMEMBERED = 32;
/** Values that all remembered answers of one label may hold together. */
const MAX_REMEMBERED_VALUES = 200_000;
/** From so many values on their order is kept, so that a prefix is looked up. */
const ORDERED_FROM = 512;
/** How many expressions with a prefix are tested against every value before the order is made. */
const ORDERED_AFTER = 4;

/** What an expression matched among the values that there were; values are only ever added. */
interface Remembered {
  readonly found: number[];
  /** How many of the label's values were tested. */
  tested: number;
}

/** The pairs of one name, and what expressions matched among their values. */
export class LabelValues {
  /** Pairs in the order in which they came. */
  private readonly all: number[] = [];
  /** By value; what came since is at the end of `all`. */
  private ordered: number[] = [];
  /** By operator and expression, the one used longest ago first. */
  private readonly remembered = new Map<string, Remembered>();
  private rememberedValues = 0;
  private prefixesAsked = 0;
  private readonly texts: SymbolTexts;
  private readonly symbolOf: (pair: number) => number;

  /** @param symbolOf the symbol of a pair's value. */
  constructor(texts: SymbolTexts, symbolOf: (pair: number) => number) {
    this.texts = texts;
    this.symbolOf = symbolOf;
  }

  /** Pairs in the order in which they came; read-only. */
  get pairs(): readonly number[] {
    return this.all;
  }

  /** Adds a pair, whose number is above all others. */
  add(pair: number): void {
    this.all.push(pair);
  }

  /** Pairs whose value a regular expression matches, or (`isMatch` false) those whose value it doesn't match. */
  test(matcher: Matcher, isMatch: boolean): readonly number[] {
    const key = `${isMatch}${matcher.op}${matcher.value}`;
    let known = this.remembered.get(key);
    const { all } = this;
    if (!known) {
      const found = isMatch ? this.withPrefix(matcher) : undefined;
      known = { found: found ?? [], tested: found ? all.length : 0 };
    } else {
      this.remembered.delete(key);
      this.rememberedValues -= known.found.length;
    }
    this.testNew(known, matcher, isMatch);
    this.remember(key, known);
    return known.found;
  }

  /** Tests a regular expression against the values that it wasn't tested against before. */
  private testNew(known: Remembered, matcher: Matcher, isMatch: boolean): void {
    const { all, texts, symbolOf } = this;
    const prefix = isMatch && matcher.prefix ? Buffer.from(matcher.prefix) : undefined;
    for (; known.tested < all.length; known.tested++) {
      const pair = all[known.tested];
      const symbol = symbolOf(pair);
      if (prefix && !texts.startsWith(symbol, prefix)) continue;
      if (matcher.matches(texts.look(symbol)) === isMatch) known.found.push(pair);
    }
  }

  private remember(key: string, answer: Remembered): void {
    if (answer.found.length > MAX_REMEMBERED_VALUES) return;
    this.remembered.set(key, answer);
    this.rememberedValues += answer.found.length;
    for (const [oldest, { found }] of this.remembered) {
      if (this.remembered.size <= MAX_REMEMBERED && this.rememberedValues <= MAX_REMEMBERED_VALUES) return;
      this.remembered.delete(oldest);
      this.rememberedValues -= found.length;
    }
  }

  /** What a matcher holds for among the values with its prefix; `undefined` where looking them up isn't worth it. */
  private withPrefix(matcher: Matcher): number[] | undefined {
    const { prefix = '' } = matcher;
    if (prefix === '' || this.all.length < ORDERED_FROM) return undefined;
    // Making the order costs as much as some walks through all values, so it must be wanted some times.
    if (this.ordered.length === 0 && ++this.prefixesAsked < ORDERED_AFTER) return undefined;
    this.order();
    const found: number[] = [];
    for (let i = this.firstFrom(prefix); i < this.ordered.length; i++) {
      const value = this.textOf(this.ordered[i]);
      if (!value.startsWith(prefix)) break;
      if (matcher.matches(value)) found.push(this.ordered[i]);
    }
    for (let i = this.ordered.length; i < this.all.length; i++) {
      if (matcher.matches(this.textOf(this.all[i]))) found.push(this.all[i]);
    }
    return found;
  }

  /** Brings the order up to date once an eighth of the values has come since. */
  private order(): void {
    const { all, ordered } = this;
    if ((all.length - ordered.length) * 8 <= ordered.length) return;
    const values = all.map((pair) => ({ pair, text: this.textOf(pair) }));
    values.sort((a, b) => (a.text < b.text ? -1 : 1));
    this.ordered = values.map(({ pair }) => pair);
  }

  private textOf(pair: number): string {
    return this.texts.look(this.symbolOf(pair));
  }

  /** The first place whose value isn't below `text`. */
  private firstFrom(text: string): number {
    let [low, high] = [0, this.ordered.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.textOf(this.ordered[middle]) < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
