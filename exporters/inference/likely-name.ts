/** How alike two names must be for one to be taken for the other's successor, from 0 to 1. */
const LEAST_LIKENESS = 0.4;

/**
 * The name among `candidates` that most likely took the place of `gone`; `undefined` where none is like it. Names are
 * compared by their words, because engines rename by exchanging one (`gpu_cache_usage_perc`, `kv_cache_usage_perc`).
 */
export function likelyName(gone: string, candidates: Iterable<string>): string | undefined {
  const words = wordsOf(gone);
  let best: string | undefined;
  let bestLikeness = LEAST_LIKENESS;
  for (const candidate of candidates) {
    if (candidate === gone) continue;
    const likeness = alike(words, wordsOf(candidate));
    if (likeness > bestLikeness) [best, bestLikeness] = [candidate, likeness];
  }
  return best;
}

// The engine's own beginning says nothing, because all its names have it.
function wordsOf(name: string): Set<string> {
  const words = name.slice(name.indexOf(':') + 1).split('_');
  return new Set(words.map((word) => SAME_WORDS[word] ?? word.replace(/s$/, '')).filter((word) => word !== ''));
}

const SAME_WORDS: Readonly<Record<string, string>> = {
  requests: 'req',
  request: 'req',
  reqs: 'req',
  num: 'number',
  perc: 'usage',
  utilization: 'usage',
  ratio: 'usage',
  usage: 'usage',
  latency: 'time',
  duration: 'time',
  time: 'time',
  seconds: 'second',
};

/** The share of words that both have, of all that either has. */
function alike(a: ReadonlySet<string>, b: ReadonlySet<string>): number {
  const both = [...a].filter((word) => b.has(word)).length;
  return both / (a.size + b.size - both);
}
