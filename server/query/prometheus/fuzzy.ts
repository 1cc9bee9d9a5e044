/** How well a text answers a search, from 0 to 1; `undefined` where it doesn't. */
export type Scorer = (text: string) => number | undefined;

/** What Prometheus's search knows: characters in order with gaps, or similarity as Jaro and Winkler measure it. */
export type FuzzyAlgorithm = 'subsequence' | 'jarowinkler';

/** How texts are compared with the terms of a search. */
export interface SearchTerms {
  /** A text that answers any of them is found; none find everything. */
  readonly terms: readonly string[];
  /** From 0 to 1: what a fuzzy score must reach. */
  readonly threshold: number;
  readonly algorithm: FuzzyAlgorithm;
  readonly caseSensitive: boolean;
}

/** Builds the scorer of a search: the best score over its terms. */
export function createScorer({ terms, threshold, algorithm, caseSensitive }: SearchTerms): Scorer {
  const fold = (text: string): string => (caseSensitive ? text : text.toLowerCase());
  const scorers = terms.map((term) => termScorer(fold(term), threshold, algorithm));
  if (scorers.length === 0) return () => 1;
  return (text) => {
    const folded = fold(text);
    let best: number | undefined;
    for (const score of scorers) {
      const one = score(folded);
      if (one !== undefined && (best === undefined || one > best)) best = one;
    }
    return best;
  };
}

function termScorer(term: string, threshold: number, algorithm: FuzzyAlgorithm): Scorer {
  if (term === '') return () => 1;
  if (algorithm === 'subsequence') {
    return (text) => {
      if (text.startsWith(term)) return 1;
      const score = scoreSubsequence(term, text);
      return score > 0 && score >= threshold ? score : undefined;
    };
  }
  return (text) => {
    // A text that holds the term is always found, whatever it looks like as a whole.
    const at = text.indexOf(term);
    if (at >= 0) return at === 0 ? 1 : 0.9;
    if (threshold <= 0) return undefined;
    const score = jaroWinkler(term, text);
    return score >= threshold ? score : undefined;
  };
}

/**
 * How well `term` is found in `text` with gaps, from 0 (not at all) to 1 (equal): runs of characters that stand together
 * count by the square of their length, every character between them, and half of those behind them, cost a share of the
 * text. The best of all places where the term may begin counts, and the most there can be is the term's length squared.
 * Source of the formula: prometheus/prometheus util/strutil.
 */
export function scoreSubsequence(term: string, text: string): number {
  if (term === text) return 1;
  const [wanted, given] = [Array.from(term), Array.from(text)];
  let best = 0;
  for (let start = 0; start + wanted.length <= given.length; start++) {
    if (given[start] !== wanted[0]) continue;
    const score = scoreFrom(wanted, given, start);
    // Later starts have less text left, so they can't do what this one couldn't.
    if (score === undefined) break;
    best = Math.max(best, score);
  }
  return best / wanted.length ** 2;
}

function scoreFrom(wanted: readonly string[], given: readonly string[], start: number): number | undefined {
  let score = 0;
  let next = 0;
  let at = start;
  let runEnd = 0;
  while (next < wanted.length) {
    while (at < given.length && given[at] !== wanted[next]) at++;
    if (at === given.length) return undefined;
    const runStart = at;
    while (next < wanted.length && at < given.length && given[at] === wanted[next]) {
      at++;
      next++;
    }
    score += (at - runStart) ** 2 - (runStart - runEnd) / given.length;
    runEnd = at;
  }
  return score - (given.length - runEnd) / (2 * given.length);
}

/** The longest prefix that Winkler's bonus looks at, and its weight for each character. */
const MAX_PREFIX = 4;
const PREFIX_WEIGHT = 0.1;

/**
 * The similarity of two texts by Jaro and Winkler, from 0 to 1 (equal). Source of the formula: W. E. Winkler, String
 * Comparator Metrics and Enhanced Decision Rules in the Fellegi-Sunter Model of Record Linkage, 1990.
 */
export function jaroWinkler(a: string, b: string): number {
  if (a === b) return 1;
  const [short, long] = a.length <= b.length ? [Array.from(a), Array.from(b)] : [Array.from(b), Array.from(a)];
  if (short.length === 0) return 0;
  const distance = Math.max(Math.floor(long.length / 2) - 1, 0);
  const taken = new Uint8Array(long.length);
  const matched: string[] = [];
  for (let i = 0; i < short.length; i++) {
    const end = Math.min(i + distance + 1, long.length);
    for (let j = Math.max(i - distance, 0); j < end; j++) {
      if (taken[j] === 1 || short[i] !== long[j]) continue;
      taken[j] = 1;
      matched.push(short[i]);
      break;
    }
  }
  const matches = matched.length;
  if (matches === 0) return 0;
  let moved = 0;
  let next = 0;
  for (let j = 0; j < long.length; j++) if (taken[j] === 1 && long[j] !== matched[next++]) moved++;
  const jaro = (matches / short.length + matches / long.length + (matches - moved / 2) / matches) / 3;
  let prefix = 0;
  while (prefix < Math.min(MAX_PREFIX, short.length) && short[prefix] === long[prefix]) prefix++;
  return jaro + prefix * PREFIX_WEIGHT * (1 - jaro);
}
