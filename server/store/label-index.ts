import { type Labels, labelValue, type Matcher, matchesEmpty } from '../model/index.ts';

/**
 * Finds label sets by matchers: posting lists (label → value → ascending numbers) over label sets that are numbered
 * densely from 0. Names and values are interned, so that a few hundred thousand series share their strings.
 */
export class LabelIndex {
  private readonly sets: Labels[] = [];
  private readonly postings = new Map<string, Map<string, number[]>>();
  private readonly interned = new Map<string, string>();

  /** How many label sets are indexed; the number of the next one. */
  get size(): number {
    return this.sets.length;
  }

  /** Adds the next label set. */
  add(labels: Labels): void {
    const id = this.sets.length;
    const own: string[] = new Array(labels.length);
    for (let i = 0; i < labels.length; i++) own[i] = this.intern(labels[i]);
    this.sets.push(own);
    for (let i = 0; i < own.length; i += 2) {
      let values = this.postings.get(own[i]);
      if (!values) this.postings.set(own[i], (values = new Map()));
      const list = values.get(own[i + 1]);
      if (list) list.push(id);
      else values.set(own[i + 1], [id]);
    }
  }

  /** The label set with a number. */
  labels(id: number): Labels {
    return this.sets[id];
  }

  /** The numbers of the label sets that satisfy every matcher, ascending. */
  select(matchers: readonly Matcher[]): number[] {
    const lists: number[][] = [];
    const rest: Matcher[] = [];
    for (const matcher of matchers) {
      // A matcher that also holds for an absent label can't be answered from posting lists alone.
      if (matchesEmpty(matcher)) {
        if (matcher.op !== '=~' || matcher.value !== '.*') rest.push(matcher);
        continue;
      }
      const list = this.union(matcher);
      if (list.length === 0) return [];
      lists.push(list);
    }
    let ids: number[];
    if (lists.length === 0) {
      ids = Array.from({ length: this.sets.length }, (_, i) => i);
    } else {
      lists.sort((a, b) => a.length - b.length);
      ids = lists[0];
      for (let i = 1; i < lists.length; i++) ids = intersect(ids, lists[i]);
    }
    if (rest.length === 0) return ids;
    return ids.filter((id) => {
      const labels = this.sets[id];
      for (const matcher of rest) if (!matcher.matches(labelValue(labels, matcher.name))) return false;
      return true;
    });
  }

  /** Every label name, unsorted. */
  names(): Iterable<string> {
    return this.postings.keys();
  }

  /** Every value of a label, unsorted. */
  values(name: string): Iterable<string> {
    return this.postings.get(name)?.keys() ?? [];
  }

  private union(matcher: Matcher): number[] {
    const byValue = this.postings.get(matcher.name);
    if (!byValue) return [];
    const lists: number[][] = [];
    if (matcher.values) {
      for (const value of new Set(matcher.values)) {
        const list = byValue.get(value);
        if (list) lists.push(list);
      }
    } else {
      for (const [value, list] of byValue) if (matcher.matches(value)) lists.push(list);
    }
    if (lists.length === 0) return [];
    if (lists.length === 1) return lists[0];
    // The lists of one label's values are disjoint, so a concatenation needs no deduplication.
    return lists.flat().sort((a, b) => a - b);
  }

  private intern(text: string): string {
    const known = this.interned.get(text);
    if (known !== undefined) return known;
    this.interned.set(text, text);
    return text;
  }
}

function intersect(a: readonly number[], b: readonly number[]): number[] {
  const out: number[] = [];
  let j = 0;
  if (b.length > a.length * 16) {
    // A short list against a long one: binary search in what is left of the long one.
    for (const id of a) {
      let low = j;
      let high = b.length;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (b[middle] < id) low = middle + 1;
        else high = middle;
      }
      j = low;
      if (b[j] === id) out.push(id);
    }
    return out;
  }
  for (const id of a) {
    while (j < b.length && b[j] < id) j++;
    if (b[j] === id) out.push(id);
  }
  return out;
}
