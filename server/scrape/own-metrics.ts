import type { OwnMetrics } from '../telemetry/index.ts';
import type { Scraper } from './scraper.ts';

/** Declares the program's own metrics about scraping. */
export function declareScrapeMetrics(registry: OwnMetrics, scraper: Scraper): void {
  const { stats } = scraper;
  registry.observed('barograph_scrape_targets', 'gauge', 'Targets by job and state.', function* () {
    for (const [job, counts] of scraper.counts()) {
      for (const [state, count] of Object.entries(counts)) yield [{ job, state }, count] as const;
    }
  });
  registry.observed('barograph_scrape_scrapes_total', 'counter', 'Scrapes by how they ended.', () =>
    Object.entries(stats.scrapes).map(([result, count]) => [{ result }, count] as const),
  );
  registry.observed('barograph_scrape_samples_total', 'counter', 'Samples of scrapes by what became of them.', () =>
    Object.entries(stats.samples).map(([outcome, count]) => [{ outcome }, count] as const),
  );
  registry.observed('barograph_scrape_body_bytes_total', 'counter', 'Bytes of bodies, decompressed.', () => [
    [{}, stats.bytes],
  ]);
  registry.observed('barograph_scrape_series', 'gauge', 'Series that are remembered of targets.', () => [
    [{}, scraper.seriesCount],
  ]);
  registry.observed('barograph_scrape_series_added_total', 'counter', 'Series that targets began.', () => [
    [{}, stats.seriesAdded],
  ]);
  registry.observed(
    'barograph_scrape_series_ended_total',
    'counter',
    'Series that ended with a staleness marker.',
    () => [[{}, stats.seriesEnded]],
  );
  registry.observed('barograph_scrape_memory_bytes', 'gauge', 'Memory of scraping by what takes it.', () =>
    Object.entries(scraper.memoryBytes).map(([part, bytes]) => [{ part }, bytes] as const),
  );
  registry.observed(
    'barograph_scrape_skipped_total',
    'counter',
    'Scrapes that were left out because the one before took too long.',
    () => [[{}, stats.skipped]],
  );
  registry.observed(
    'barograph_scrape_failed_commits_total',
    'counter',
    'Scrapes whose samples the disk refused.',
    () => [[{}, stats.failedCommits]],
  );
  registry.observed(
    'barograph_scrape_discovery_failures_total',
    'counter',
    'Times that discovery could not read a source.',
    () => Object.entries(scraper.discoveryFailures).map(([mechanism, count]) => [{ mechanism }, count] as const),
  );
}
