import { METRIC_NAME, type MetricMetadata } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { watchLoop } from '../stop-flags.ts';
import { createScorer, type SearchTerms } from './fuzzy.ts';
import type { MetricRange } from './label-answers.ts';
import { matcherSets } from './selectors.ts';

/** A search among metric names, label names, or the values of a label. */
export interface SearchQuery extends MetricRange {
  readonly kind: 'search';
  readonly target:
    | { readonly kind: 'metric_names'; readonly includeMetadata: boolean }
    | { readonly kind: 'label_names' }
    | { readonly kind: 'label_values'; readonly label: string };
  readonly match: readonly string[];
  readonly terms: SearchTerms;
  readonly order: 'ascending' | 'descending' | 'score';
  readonly includeScore: boolean;
  /** Results at most, at least 1. */
  readonly limit: number;
  /** Results in a line of the answer, at least 1. */
  readonly batchSize: number;
}

interface Found {
  readonly name: string;
  readonly score: number;
}

/**
 * Answers a search as lines of JSON: results in batches, then a line that says whether there would be more.
 * @throws BarographError of the selectors.
 */
export async function answerSearch(request: SearchQuery, reader: MetricReader, signal: AbortSignal): Promise<string> {
  const { target, limit, batchSize, includeScore } = request;
  const score = createScorer(request.terms);
  const found: Found[] = [];
  const look = watchLoop(signal, 1024);
  for (const name of await candidates(request, reader, signal)) {
    look();
    const one = score(name);
    if (one !== undefined) found.push({ name, score: one });
  }
  // Candidates come in ascending order.
  if (request.order === 'descending') found.reverse();
  if (request.order === 'score') found.sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1));
  const kept = found.slice(0, limit);
  const withMetadata = target.kind === 'metric_names' && target.includeMetadata;
  const metadata = withMetadata ? await metadataOf(kept, reader) : undefined;
  const results = kept.map(({ name, score }) => ({
    name,
    ...(includeScore ? { score } : {}),
    ...metadata?.get(name),
  }));
  let out = '';
  for (let from = 0; from === 0 || from < results.length; from += batchSize) {
    out += `${JSON.stringify({ results: results.slice(from, from + batchSize) })}\n`;
  }
  return `${out}${JSON.stringify({ status: 'success', has_more: found.length > limit })}\n`;
}

function candidates(
  { target, match, startMs, endMs }: SearchQuery,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<string[]> {
  const sets = matcherSets(match);
  switch (target.kind) {
    case 'metric_names':
      return reader.labelValues(METRIC_NAME, sets, startMs, endMs, signal);
    case 'label_names':
      return reader.labelNames(sets, startMs, endMs, signal);
    case 'label_values':
      return reader.labelValues(target.label, sets, startMs, endMs, signal);
  }
}

/** What is known about the metrics that were found; empty texts are left out, as Prometheus does. */
async function metadataOf(
  found: readonly Found[],
  reader: MetricReader,
): Promise<Map<string, Partial<Omit<MetricMetadata, 'metric'>>>> {
  const wanted = new Set(found.map(({ name }) => name));
  const out = new Map<string, Partial<Omit<MetricMetadata, 'metric'>>>();
  for (const { metric, type, help, unit } of await reader.metadata()) {
    if (!wanted.has(metric)) continue;
    out.set(metric, { type, ...(help === '' ? {} : { help }), ...(unit === '' ? {} : { unit }) });
  }
  return out;
}
