import { type Matcher, matchesEmpty } from '../../model/index.ts';
import { orderSets, rankPairs } from './label-order.ts';
import { LabelReader } from './label-reader.ts';

/** Up to how many times as long as the candidates the lists are walked through, instead of looking at each candidate. */
const MARK_RATIO = 8;

/** The pairs that a matcher selects or excludes. Their label sets are disjoint, as the pairs are of one name. */
interface Selection {
  readonly matcher: Matcher;
  readonly pairs: readonly number[];
  /** How many label sets they have together, roughly: some may not be committed yet. */
  readonly total: number;
}

/**
 * Finds label sets by matchers, in any thread, as of the last `refresh`. Matchers are tested against the values of a
 * label, never against label sets one by one.
 */
export class LabelIndex extends LabelReader {
  /** The numbers of the label sets that satisfy every matcher, ascending. */
  select(matchers: readonly Matcher[]): number[] {
    const wanted: Selection[] = [];
    const open: Matcher[] = [];
    for (const matcher of matchers) {
      // What needs tests of values waits: few candidates are cheaper to look at than all values of a label.
      if (!matcher.values || matchesEmpty(matcher)) {
        open.push(matcher);
        continue;
      }
      const found = this.pairsFor(matcher, true);
      if (found.length === 0) return [];
      wanted.push(this.selection(matcher, found));
    }
    wanted.sort((a, b) => a.total - b.total);
    let ids = wanted.length > 0 ? this.union(wanted[0]) : undefined;
    for (let i = 1; ids && i < wanted.length; i++) ids = this.filter(ids, wanted[i], true);
    return this.test(ids, open);
  }

  /** Every label name, unsorted. */
  allNames(): string[] {
    const out: string[] = [];
    for (let name = 0; name < this.nameCount; name++) {
      if (this.valuesOf(name).pairs.some((pair) => this.isUsed(pair))) out.push(this.texts.keep(this.nameSymbol(name)));
    }
    return out;
  }

  /** Every value of a label, unsorted. */
  allValues(label: string): string[] {
    const name = this.nameOf(label);
    if (name < 0) return [];
    const out: string[] = [];
    for (const pair of this.valuesOf(name).pairs) {
      if (this.isUsed(pair)) out.push(this.texts.look(this.valueSymbol(pair)));
    }
    return out;
  }

  /** The label names of some label sets, unsorted. */
  namesAmong(ids: readonly number[]): string[] {
    const symbols = new Set<number>();
    const pairs = this.pairsAmong(ids);
    for (let pair = 0; pair < pairs.length; pair++) if (pairs[pair] > 0) symbols.add(this.pairName(pair));
    return Array.from(symbols, (symbol) => this.texts.keep(symbol));
  }

  /** The values of a label that some label sets have, unsorted. */
  valuesAmong(label: string, ids: readonly number[]): string[] {
    const symbol = this.findSymbol(label);
    if (symbol < 0) return [];
    const seen = new Uint8Array(this.pairCount);
    const out: string[] = [];
    for (const id of ids) {
      const pair = this.pairWith(id, symbol);
      if (pair < 0 || seen[pair] === 1) continue;
      seen[pair] = 1;
      out.push(this.texts.look(this.valueSymbol(pair)));
    }
    return out;
  }

  /** Puts label sets in order: name by name and value by value, the shorter first. */
  sort(ids: readonly number[], look?: () => void): number[] {
    const used = this.pairsAmong(ids);
    const pairs: { pair: number; name: string; value: string }[] = [];
    for (let pair = 0; pair < used.length; pair++) {
      if (used[pair] === 0) continue;
      const name = this.texts.keep(this.pairName(pair));
      pairs.push({ pair, name, value: this.texts.look(this.valueSymbol(pair)) });
    }
    const ranks = rankPairs(pairs, used);
    return orderSets(ids, this.setEnds.view, this.setPairs.view, ranks, look);
  }

  /** By pair, how many of some label sets have it. */
  private pairsAmong(ids: readonly number[]): Uint32Array {
    const counts = new Uint32Array(this.pairCount);
    const [ends, pairs] = [this.setEnds.view, this.setPairs.view];
    for (const id of ids) for (let i = this.setStart(id); i < ends[id]; i++) counts[pairs[i]]++;
    return counts;
  }

  /** The pairs whose value a matcher holds for, or (`isMatch` false) those for whose value it doesn't hold. */
  private pairsFor(matcher: Matcher, isMatch: boolean): readonly number[] {
    const name = this.nameOf(matcher.name);
    if (name < 0) return [];
    const { op, value, values } = matcher;
    if (op === '=' || op === '!=') {
      // `!=` doesn't hold for its own value; `=` doesn't hold for any other.
      if ((op === '=') === isMatch) return this.lookUp(name, [value]);
      const own = this.pairOf(name, value);
      return this.valuesOf(name).pairs.filter((pair) => pair !== own);
    }
    if (values && isMatch) return this.lookUp(name, values);
    return this.valuesOf(name).test(matcher, isMatch);
  }

  private lookUp(name: number, values: readonly string[]): number[] {
    const found: number[] = [];
    for (const value of new Set(values)) {
      const pair = this.pairOf(name, value);
      if (pair >= 0) found.push(pair);
    }
    return found;
  }

  /** Those of the candidates (or of all) that satisfy matchers whose values must be tested. */
  private test(candidates: number[] | undefined, matchers: readonly Matcher[]): number[] {
    let ids = candidates;
    const wanted: Selection[] = [];
    const unwanted: Selection[] = [];
    for (const matcher of matchers) {
      const name = this.nameOf(matcher.name);
      if (ids && (name < 0 || ids.length < this.nameSize(name))) {
        ids = this.testEach(ids, matcher);
        continue;
      }
      // A matcher that also holds for an absent label excludes those that have one of the other values.
      const isMatch = !matchesEmpty(matcher);
      const found = this.pairsFor(matcher, isMatch);
      if (isMatch && found.length === 0) return [];
      if (isMatch) wanted.push(this.selection(matcher, found));
      else if (found.length > 0) unwanted.push(this.selection(matcher, found));
    }
    wanted.sort((a, b) => a.total - b.total);
    if (!ids) {
      const first = wanted.shift();
      if (!first) return this.all(unwanted);
      ids = this.union(first);
    }
    for (const one of wanted) ids = this.filter(ids, one, true);
    for (const one of unwanted) ids = this.filter(ids, one, false);
    return ids;
  }

  /** Looks at the value that each candidate has; candidates share values, so each pair is tested once. */
  private testEach(ids: readonly number[], matcher: Matcher): number[] {
    const isMatch = matchesEmpty(matcher);
    const symbol = this.findSymbol(matcher.name);
    if (symbol < 0) return isMatch ? [...ids] : [];
    const verdicts = new Map<number, boolean>();
    return ids.filter((id) => {
      const pair = this.pairWith(id, symbol);
      if (pair < 0) return isMatch;
      let verdict = verdicts.get(pair);
      if (verdict === undefined) {
        verdict = matcher.matches(this.texts.look(this.valueSymbol(pair)));
        verdicts.set(pair, verdict);
      }
      return verdict;
    });
  }

  /** Every number that isn't excluded. */
  private all(unwanted: readonly Selection[]): number[] {
    const excluded = new Uint8Array(this.size);
    for (const one of unwanted) this.mark(one, excluded);
    return placesOf(excluded, 0);
  }

  /** Those of `ids` that are in a selection, or those that aren't. */
  private filter(ids: number[], one: Selection, isIn: boolean): number[] {
    const { pairs, total } = one;
    if (pairs.length === 1 && ids.length * MARK_RATIO < total)
      return ids.filter((id) => this.hasPair(id, pairs[0]) === isIn);
    if (total <= ids.length * MARK_RATIO) {
      const marks = new Uint8Array(this.size);
      this.mark(one, marks);
      return ids.filter((id) => (marks[id] === 1) === isIn);
    }
    // Few candidates against long lists: the candidates' own values are looked at.
    return this.testEach(ids, one.matcher);
  }

  private selection(matcher: Matcher, pairs: readonly number[]): Selection {
    let total = 0;
    for (const pair of pairs) total += this.pairSize(pair);
    return { matcher, pairs, total };
  }

  /** All numbers of a selection, ascending. */
  private union({ pairs, total }: Selection): number[] {
    if (pairs.length === 1) return this.idsOf(pairs[0]);
    if (total < this.size / 64) {
      const ids: number[] = [];
      for (const pair of pairs) this.eachId(pair, (id) => ids.push(id));
      return Array.from(Uint32Array.from(ids).sort());
    }
    const marks = new Uint8Array(this.size);
    for (const pair of pairs) this.markIds(pair, marks);
    return placesOf(marks, 1);
  }

  private mark({ pairs }: Selection, marks: Uint8Array): void {
    for (const pair of pairs) this.markIds(pair, marks);
  }
}

/** Where a value stands, ascending. */
function placesOf(marks: Uint8Array, value: number): number[] {
  const out: number[] = [];
  for (let i = 0; i < marks.length; i++) if (marks[i] === value) out.push(i);
  return out;
}
