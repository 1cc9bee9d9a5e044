// Scraping: asks targets for their metrics at their intervals, as Prometheus does, by Prometheus's configuration.
// In: jobs with their discovery and rules, and what targets answer. Out: samples, staleness markers and the scrape's own
// series through ingestion; how each target does.
// Never: a secret in a log or an answer, half a scrape, or a target that can harm the others.
export { type ScrapeConfig, type ScrapeJob, scrapeSchema } from './config.ts';
export { FAILURE_REASONS, type FailureReason } from './failure.ts';
export type { ActiveTarget, DroppedTarget, PoolCounts, TargetMetadata } from './job-pool.ts';
export { declareScrapeMetrics } from './own-metrics.ts';
export {
  DEFAULT_SCRAPER_LIMITS,
  Scraper,
  type ScraperLimits,
  type ScraperParts,
  type TargetsSnapshot,
} from './scraper.ts';
export type { ScrapeStats } from './target-loop.ts';
