/*
 * Orders label sets without comparing labels: pairs get ranks once, and label sets are ordered by the ranks of their
 * pairs, place by place. Label sets mostly share the pairs at their first places, which comparing them two by two would
 * look at again each time.
 */

/** A pair with its texts. */
export interface NamedPair {
  readonly pair: number;
  readonly name: string;
  readonly value: string;
}

/**
 * The rank of each pair, from 1 on, by name, then by value.
 * @param ranks by pair; where it is written.
 */
export function rankPairs(pairs: NamedPair[], ranks: Uint32Array): Uint32Array {
  pairs.sort((a, b) => (a.name === b.name ? (a.value < b.value ? -1 : 1) : a.name < b.name ? -1 : 1));
  for (let i = 0; i < pairs.length; i++) ranks[pairs[i].pair] = i + 1;
  return ranks;
}

/** Label sets that agree in all places before `depth`, and where they stand. */
interface Group {
  readonly from: number;
  readonly end: number;
  readonly depth: number;
}

/** Label sets that are put in order between two looks, some milliseconds' work. */
const SETS_PER_LOOK = 16_384;

/**
 * The label sets in the order of the ranks of their pairs, the shorter first.
 * @param setEnds by label set, where its pairs end in `setPairs`.
 * @param look Called now and then; it may throw to end the work.
 */
export function orderSets(
  ids: readonly number[],
  setEnds: Uint32Array,
  setPairs: Uint32Array,
  ranks: Uint32Array,
  look: () => void = () => {},
): number[] {
  const out = [...ids];
  if (out.length < 2) return out;
  const groups: Group[] = [{ from: 0, end: ids.length, depth: 0 }];
  let work = 0;
  const keys = new Float64Array(ids.length);
  const before = new Uint32Array(ids.length);
  for (let group = groups.pop(); group; group = groups.pop()) {
    const { from, end, depth } = group;
    const count = end - from;
    work += count;
    if (work > SETS_PER_LOOK) {
      look();
      work = 0;
    }
    let isMixed = false;
    for (let i = 0; i < count; i++) {
      const id = out[from + i];
      const at = (id === 0 ? 0 : setEnds[id - 1]) + depth;
      const rank = at < setEnds[id] ? ranks[setPairs[at]] : 0;
      // The place goes along with the rank, so that numbers are sorted, which needs no calls of a comparison.
      keys[i] = rank * count + i;
      before[i] = id;
      if (i > 0 && rank !== rankOf(keys[0], count)) isMixed = true;
    }
    if (!isMixed) {
      // None of them has a pair here: they are equal, which label sets with different numbers never are.
      if (rankOf(keys[0], count) > 0) groups.push({ from, end, depth: depth + 1 });
      continue;
    }
    const sorted = keys.subarray(0, count).sort();
    let start = 0;
    for (let i = 0; i < count; i++) {
      const rank = rankOf(sorted[i], count);
      out[from + i] = before[sorted[i] - rank * count];
      if (i > 0 && rank !== rankOf(sorted[i - 1], count)) {
        if (i - start > 1) groups.push({ from: from + start, end: from + i, depth: depth + 1 });
        start = i;
      }
    }
    if (count - start > 1) groups.push({ from: from + start, end, depth: depth + 1 });
  }
  return out;
}

function rankOf(key: number, count: number): number {
  return Math.floor(key / count);
}
