import type { Matcher } from '../model/index.ts';

/** The label sets that have one value of a label. */
export interface Posting {
  readonly value: string;
  /** Ascending. */
  readonly ids: number[];
}

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
  readonly found: Posting[];
  /** How many of the label's values were tested. */
  tested: number;
}

/** The values of one label, each with the label sets that have it. */
export class LabelPostings {
  readonly name: string;
  private readonly byValue = new Map<string, Posting>();
  /** In the order in which the values came. */
  private readonly all: Posting[] = [];
  /** By value; what came since is at the end of `all`. */
  private ordered: Posting[] = [];
  /** By operator and expression, the one used longest ago first. */
  private readonly remembered = new Map<string, Remembered>();
  private rememberedValues = 0;
  private prefixesAsked = 0;

  constructor(name: string) {
    this.name = name;
  }

  /** Adds a label set, whose number is above all others, and returns the value as the index holds it. */
  add(value: string, id: number): string {
    const known = this.byValue.get(value);
    if (known) {
      known.ids.push(id);
      return known.value;
    }
    const posting = { value, ids: [id] };
    this.byValue.set(value, posting);
    this.all.push(posting);
    return value;
  }

  /** How many values there are. */
  get size(): number {
    return this.all.length;
  }

  values(): Iterable<string> {
    return this.byValue.keys();
  }

  /** The values that a matcher holds for, or (`isMatch` false) those that it doesn't hold for. */
  select(matcher: Matcher, isMatch: boolean): readonly Posting[] {
    const { op, value, values } = matcher;
    if (op === '=' || op === '!=') {
      // `!=` doesn't hold for its own value; `=` doesn't hold for any other.
      if ((op === '=') === isMatch) return this.lookUp([value]);
      return this.all.filter((posting) => posting.value !== value);
    }
    if (values && isMatch) return this.lookUp(values);
    return this.test(matcher, isMatch);
  }

  private lookUp(values: readonly string[]): Posting[] {
    const found: Posting[] = [];
    for (const value of new Set(values)) {
      const posting = this.byValue.get(value);
      if (posting) found.push(posting);
    }
    return found;
  }

  /** Tests a regular expression against the values that it wasn't tested against before. */
  private test(matcher: Matcher, isMatch: boolean): readonly Posting[] {
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
    for (; known.tested < all.length; known.tested++) {
      const posting = all[known.tested];
      if (matcher.matches(posting.value) === isMatch) known.found.push(posting);
    }
    this.remember(key, known);
    return known.found;
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
  private withPrefix(matcher: Matcher): Posting[] | undefined {
    const { prefix = '' } = matcher;
    if (prefix === '' || this.all.length < ORDERED_FROM) return undefined;
    // Making the order costs as much as some walks through all values, so it must be wanted some times.
    if (this.ordered.length === 0 && ++this.prefixesAsked < ORDERED_AFTER) return undefined;
    this.order();
    const found: Posting[] = [];
    for (let i = firstFrom(this.ordered, prefix); i < this.ordered.length; i++) {
      const posting = this.ordered[i];
      if (!posting.value.startsWith(prefix)) break;
      if (matcher.matches(posting.value)) found.push(posting);
    }
    for (let i = this.ordered.length; i < this.all.length; i++) {
      if (matcher.matches(this.all[i].value)) found.push(this.all[i]);
    }
    return found;
  }

  /** Brings the order up to date once an eighth of the values has come since. */
  private order(): void {
    const { all, ordered } = this;
    if ((all.length - ordered.length) * 8 <= ordered.length) return;
    this.ordered = [...all].sort((a, b) => (a.value < b.value ? -1 : 1));
  }
}

/** The first place whose value isn't below `text`. */
function firstFrom(ordered: readonly Posting[], text: string): number {
  let [low, high] = [0, ordered.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ordered[middle].value < text) low = middle + 1;
    else high = middle;
  }
  return low;
}
