import { type Matcher, type MetricMetadata, matchesAll } from '../model/index.ts';
import { parseSelector } from '../query/index.ts';
import type { TargetMetadata, TargetsSnapshot } from '../scrape/index.ts';
import type { Params } from './params.ts';
import { badData, invalidParameter, parseInteger } from './prometheus-params.ts';

/** What is scraped, as the routes need it. */
export interface TargetsApi {
  /** Names of the jobs. */
  jobs(): string[];
  targets(): TargetsSnapshot;
  /** What the targets that are scraped say of their metrics. */
  metadata(): Iterable<TargetMetadata>;
}

/**
 * `targets`: what is scraped and what the rules drop, of all jobs or of `scrapePool`; `state` is `active`, `dropped` or
 * anything else for both, as in Prometheus.
 */
export function listTargets(api: TargetsApi, p: Params) {
  const state = (p.get('state') ?? '').toLowerCase();
  const pool = p.get('scrapePool') ?? '';
  const isOfPool = (target: { readonly scrapePool: string }): boolean => pool === '' || target.scrapePool === pool;
  const { activeTargets, droppedTargets, droppedTargetCounts } = api.targets();
  const [showActive, showDropped] = [state !== 'dropped', state !== 'active'];
  return {
    activeTargets: showActive ? activeTargets.filter(isOfPool) : [],
    droppedTargets: showDropped ? droppedTargets.filter(isOfPool) : [],
    droppedTargetCounts: showDropped ? droppedTargetCounts : null,
  };
}

/** `scrape_pools`: the names of the jobs. */
export function listScrapePools(api: TargetsApi) {
  return { scrapePools: api.jobs().sort() };
}

/** An entry of `targets/metadata`. */
interface ListedMetadata extends Omit<MetricMetadata, 'metric'> {
  readonly target: Readonly<Record<string, string>>;
  /** Left out where one metric was asked for, as in Prometheus. */
  readonly metric?: string;
}

/**
 * `targets/metadata`: what the targets that `match_target` selects by their labels say of their metrics, or of `metric`.
 * As in Prometheus `limit` is looked at before each target, so of the last one everything is listed.
 */
export function listTargetMetadata(api: TargetsApi, p: Params): ListedMetadata[] {
  const text = p.get('limit') ?? '';
  const limit = text === '' ? -1 : parseInteger(text);
  if (limit === undefined) throw badData('limit must be a number');
  const matchers = targetMatchers(p.get('match_target') ?? '');
  const wanted = p.get('metric') ?? '';
  const out: ListedMetadata[] = [];
  for (const { labels, shown, metadata } of api.metadata()) {
    if (limit >= 0 && out.length >= limit) break;
    if (!matchesAll(matchers, labels)) continue;
    for (const { metric, type, help, unit } of metadata) {
      if (wanted === '') out.push({ target: shown, metric, type, help, unit });
      else if (metric === wanted) out.push({ target: shown, type, help, unit });
    }
  }
  return out;
}

/** The matchers of a selector; `{}` selects every target here, where a query would be refused. */
function targetMatchers(text: string): Matcher[] {
  if (text === '' || /^\s*\{\s*\}\s*$/.test(text)) return [];
  try {
    return parseSelector(text);
  } catch (error) {
    throw invalidParameter('match_target', (error as Error).message);
  }
}
