import { type Labels, labelsFromPairs } from '../model/index.ts';

/** Up to here insertion beats building an object and sorting its keys. Measured in `bench/wire.ts`. */
const MAX_INSERTION_LABELS = 48;

/**
 * Builds a label set from a flat list of alternating names and values in any order, which is sorted in place. Empty
 * values are absent labels; of a name that occurs twice the last value wins, as in `labelsFromPairs`.
 */
export function sortFlatLabels(flat: string[]): Labels {
  if (flat.length > 2 * MAX_INSERTION_LABELS) return labelsFromPairs(pairsOf(flat));
  let length = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const name = flat[i];
    const value = flat[i + 1];
    let at = length;
    while (at > 0 && flat[at - 2] > name) at -= 2;
    if (at > 0 && flat[at - 2] === name) {
      flat[at - 1] = value;
      continue;
    }
    for (let j = length; j > at; j -= 2) {
      flat[j] = flat[j - 2];
      flat[j + 1] = flat[j - 1];
    }
    flat[at] = name;
    flat[at + 1] = value;
    length += 2;
  }
  // Empty values go last: one may have replaced a value, or been replaced by one.
  let kept = 0;
  for (let i = 0; i < length; i += 2) {
    if (flat[i + 1] === '') continue;
    flat[kept] = flat[i];
    flat[kept + 1] = flat[i + 1];
    kept += 2;
  }
  flat.length = kept;
  return flat;
}

/** Both label sets as one; where a name is in both, `over` wins. Costs a step a label, whatever the sizes. */
export function mergeLabels(labels: Labels, over: Labels): Labels {
  const out: string[] = [];
  let next = 0;
  for (let i = 0; i < labels.length; i += 2) {
    while (next < over.length && over[next] < labels[i]) {
      out.push(over[next], over[next + 1]);
      next += 2;
    }
    if (next < over.length && over[next] === labels[i]) continue;
    out.push(labels[i], labels[i + 1]);
  }
  for (; next < over.length; next += 2) out.push(over[next], over[next + 1]);
  return out;
}

function* pairsOf(flat: readonly string[]): Iterable<readonly [string, string]> {
  for (let i = 0; i < flat.length; i += 2) yield [flat[i], flat[i + 1]];
}
