import type { FuzzyAlgorithm, SearchQuery } from '../query/index.ts';
import type { Params } from './params.ts';
import type { QueryRoute } from './prometheus-answer.ts';
import { badData, optionalTime, parseBoolean, parseInteger } from './prometheus-params.ts';

/** Results, and results in a line, where nobody said; as in Prometheus. */
const DEFAULT_LIMIT = 100;
const DEFAULT_BATCH = 100;
const HOUR_MS = 3_600_000;
const ALGORITHMS: readonly FuzzyAlgorithm[] = ['subsequence', 'jarowinkler'];

/** The routes of Prometheus's search: metric names, label names and label values, as lines of JSON. */
export function searchRoutes(): QueryRoute[] {
  return [
    searchRoute('metric_names', (p) => ({
      kind: 'metric_names',
      includeMetadata: flag(p, 'include_metadata', false),
    })),
    searchRoute('label_names', () => ({ kind: 'label_names' })),
    searchRoute('label_values', (p) => {
      const label = p.get('label') ?? '';
      if (label === '') throw badData('missing required parameter "label"');
      return { kind: 'label_values', label };
    }),
  ];
}

function searchRoute(name: string, target: (p: Params) => SearchQuery['target']): QueryRoute {
  return {
    methods: ['GET', 'POST'],
    url: `/api/v1/search/${name}`,
    contentType: 'application/x-ndjson; charset=utf-8',
    read: (p) => search(p, name, target(p)),
  };
}

function search(p: Params, name: string, target: SearchQuery['target']): SearchQuery {
  const nowMs = Date.now();
  const terms = p.all('search[]');
  return {
    kind: 'search',
    target,
    startMs: optionalTime(p, 'start', nowMs - HOUR_MS),
    endMs: optionalTime(p, 'end', nowMs),
    match: p.all('match[]'),
    terms: {
      terms,
      threshold: threshold(p),
      algorithm: algorithm(p),
      caseSensitive: flag(p, 'case_sensitive', true),
    },
    order: order(p, name, terms.length > 0),
    includeScore: flag(p, 'include_score', false),
    limit: count(p, 'limit', DEFAULT_LIMIT),
    batchSize: count(p, 'batch_size', DEFAULT_BATCH),
  };
}

/** From 0 to 1; it comes as 0 to 100. */
function threshold(p: Params): number {
  const text = p.get('fuzz_threshold') ?? '';
  if (text === '') return 0;
  const percent = parseInteger(text);
  if (percent === undefined || percent < 0 || percent > 100) {
    throw badData(`invalid fuzz_threshold ${quote(text)}: must be 0-100`);
  }
  return percent / 100;
}

function algorithm(p: Params): FuzzyAlgorithm {
  const text = p.get('fuzz_alg') ?? '';
  if (text === '') return ALGORITHMS[0];
  const found = ALGORITHMS.find((name) => name === text);
  if (!found) throw badData(`unsupported fuzz_alg ${quote(text)}: must be one of [${ALGORITHMS.join(' ')}]`);
  return found;
}

function order(p: Params, name: string, hasTerms: boolean): SearchQuery['order'] {
  const by = p.get('sort_by') ?? '';
  const direction = p.get('sort_dir') ?? '';
  if (direction !== '' && by === '') throw badData('sort_dir is only valid when sort_by is set');
  if (direction !== '' && by === 'score') throw badData('sort_dir is not supported for sort_by=score');
  if (direction !== '' && direction !== 'asc' && direction !== 'dsc') {
    throw badData(`invalid sort_dir ${quote(direction)}: must be "asc" or "dsc"`);
  }
  if (by === 'score' && !hasTerms) throw badData('sort_by=score requires search[] to be set');
  if (by !== '' && by !== 'alpha' && by !== 'score') {
    throw badData(`invalid sort_by ${quote(by)} for ${name}: must be "alpha" or "score"`);
  }
  if (by === 'score') return 'score';
  return direction === 'dsc' ? 'descending' : 'ascending';
}

/** A number of results; 0 leaves it to the server, as absence does. */
function count(p: Params, name: string, fallback: number): number {
  const text = p.get(name) ?? '';
  if (text === '') return fallback;
  const value = parseInteger(text);
  if (value === undefined || value < 0) throw badData(`invalid ${name} ${quote(text)}: must be non-negative integer`);
  return value === 0 ? fallback : value;
}

function flag(p: Params, name: string, fallback: boolean): boolean {
  const text = p.get(name) ?? '';
  if (text === '') return fallback;
  const value = parseBoolean(text);
  if (value === undefined) throw badData(`invalid ${name} ${quote(text)}: must be boolean`);
  return value;
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
