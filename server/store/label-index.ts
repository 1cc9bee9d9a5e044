import { type Labels, labelValue, type Matcher, matchesEmpty } from '../model/index.ts';
import { LabelPostings, type Posting } from './label-postings.ts';

/**
 * Finds label sets by matchers: posting lists (label → value → ascending numbers) over label sets that are numbered
 * densely from 0. Matchers are tested against the values of a label, never against label sets one by one. Names and
 * values are shared strings, so that a few hundred thousand series hold each of them once a label.
 */
export class LabelIndex {
  private readonly sets: Labels[] = [];
  private readonly labelsByName = new Map<string, LabelPostings>();

  /** How many label sets are indexed; the number of the next one. */
  get size(): number {
    return this.sets.length;
  }

  /** Adds the next label set. */
  add(labels: Labels): void {
    const id = this.sets.length;
    const own: string[] = new Array(labels.length);
    for (let i = 0; i < labels.length; i += 2) {
      let postings = this.labelsByName.get(labels[i]);
      if (!postings) this.labelsByName.set(labels[i], (postings = new LabelPostings(labels[i])));
      own[i] = postings.name;
      own[i + 1] = postings.add(labels[i + 1], id);
    }
    this.sets.push(own);
  }

  /** The label set with a number. */
  labels(id: number): Labels {
    return this.sets[id];
  }

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
      const found = this.labelsByName.get(matcher.name)?.select(matcher, true) ?? [];
      if (found.length === 0) return [];
      wanted.push(selection(matcher, found));
    }
    wanted.sort((a, b) => a.total - b.total);
    let ids = wanted.length > 0 ? union(wanted[0], this.sets.length) : undefined;
    for (let i = 1; ids && i < wanted.length; i++) ids = this.filter(ids, wanted[i], true);
    return this.test(ids, open);
  }

  /** Those of `ids` (or of all) that satisfy matchers whose values must be tested. */
  private test(candidates: number[] | undefined, matchers: readonly Matcher[]): number[] {
    let ids = candidates;
    const wanted: Selection[] = [];
    const unwanted: Selection[] = [];
    for (const matcher of matchers) {
      const postings = this.labelsByName.get(matcher.name);
      if (ids && ids.length < (postings?.size ?? 0)) {
        ids = this.testEach(ids, matcher);
        continue;
      }
      // A matcher that also holds for an absent label excludes those that have one of the other values.
      const isMatch = !matchesEmpty(matcher);
      const found = postings?.select(matcher, isMatch) ?? [];
      if (isMatch && found.length === 0) return [];
      if (isMatch) wanted.push(selection(matcher, found));
      else if (found.length > 0) unwanted.push(selection(matcher, found));
    }
    wanted.sort((a, b) => a.total - b.total);
    if (!ids) {
      const first = wanted.shift();
      if (!first) return this.all(unwanted);
      ids = union(first, this.sets.length);
    }
    for (const one of wanted) ids = this.filter(ids, one, true);
    for (const one of unwanted) ids = this.filter(ids, one, false);
    return ids;
  }

  private testEach(ids: readonly number[], { name, matches }: Matcher): number[] {
    return ids.filter((id) => matches(labelValue(this.sets[id], name)));
  }

  /** Every label name, unsorted. */
  names(): Iterable<string> {
    return this.labelsByName.keys();
  }

  /** Every value of a label, unsorted. */
  values(name: string): Iterable<string> {
    return this.labelsByName.get(name)?.values() ?? [];
  }

  /** Every number that isn't excluded. */
  private all(unwanted: readonly Selection[]): number[] {
    const excluded = new Uint8Array(this.sets.length);
    for (const one of unwanted) mark(one, excluded);
    const ids: number[] = [];
    for (let id = 0; id < excluded.length; id++) if (excluded[id] === 0) ids.push(id);
    return ids;
  }

  /** Those of `ids` that are in a selection, or those that aren't. */
  private filter(ids: number[], one: Selection, isIn: boolean): number[] {
    if (isIn && one.lists.length === 1) return intersect(ids, one.lists[0].ids);
    if (one.total <= ids.length * MARK_RATIO) {
      const marks = new Uint8Array(this.sets.length);
      mark(one, marks);
      return ids.filter((id) => (marks[id] === 1) === isIn);
    }
    // Few candidates against long lists: the candidates' own values are looked at.
    return this.testEach(ids, one.matcher);
  }
}

/** Up to how many times as long as the candidates the lists are walked through, instead of looking at each candidate. */
const MARK_RATIO = 8;

/** The posting lists that a matcher selects or excludes. They are disjoint, as they are those of one label's values. */
interface Selection {
  readonly matcher: Matcher;
  readonly lists: readonly Posting[];
  /** How many numbers the lists hold together. */
  readonly total: number;
}

function selection(matcher: Matcher, lists: readonly Posting[]): Selection {
  let total = 0;
  for (const { ids } of lists) total += ids.length;
  return { matcher, lists, total };
}

/** All numbers of a selection, ascending. */
function union(one: Selection, size: number): number[] {
  const { lists, total } = one;
  if (lists.length === 1) return lists[0].ids.slice();
  if (total < size / 64) {
    const ids = new Int32Array(total);
    let at = 0;
    for (const list of lists) for (const id of list.ids) ids[at++] = id;
    return Array.from(ids.sort());
  }
  const marks = new Uint8Array(size);
  mark(one, marks);
  const ids: number[] = [];
  for (let id = 0; id < size; id++) if (marks[id] === 1) ids.push(id);
  return ids;
}

/** Writes a 1 at every number of a selection. */
function mark({ lists }: Selection, marks: Uint8Array): void {
  for (const { ids } of lists) for (let i = 0; i < ids.length; i++) marks[ids[i]] = 1;
}

function intersect(a: readonly number[], b: readonly number[]): number[] {
  if (b.length < a.length) return intersect(b, a);
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
