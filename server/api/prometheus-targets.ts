import type { TargetsSnapshot } from '../scrape/index.ts';
import type { Params } from './params.ts';

/** What is scraped, as the routes need it. */
export interface TargetsApi {
  /** Names of the jobs. */
  jobs(): string[];
  targets(): TargetsSnapshot;
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
