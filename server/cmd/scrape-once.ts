import type { ScrapeIngest } from '../ingest/index.ts';
import { BarographError } from '../model/index.ts';
import { Scraper, scrapeSchema } from '../scrape/index.ts';
import type { Logger } from '../telemetry/index.ts';

/** What scraping once needs. */
export interface ScrapeOnceParts {
  readonly ingest: ScrapeIngest;
  readonly log: Logger;
  readonly version: string;
}

const POLL_MS = 50;
const WAIT_MS = 10_000;

/**
 * Scrapes a target as jobs are scraped, with the same client, limits and rules, until it was scraped once.
 * @param name of the job, the deployment and the instance, so that each time gives the same series
 * @throws BarographError `canary_failed` where the scrape fails.
 */
export async function scrapeOnce(
  parts: ScrapeOnceParts,
  name: string,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  const labels = { deployment: name, environment: name, instance: name };
  const job = {
    job_name: name,
    scrape_interval: '1s',
    scrape_timeout: '1s',
    static_configs: [{ targets: [address], labels }],
  };
  const scraper = new Scraper({ ...parts, config: scrapeSchema.parse({ scrape_configs: [job] }) });
  scraper.start();
  try {
    const until = Date.now() + WAIT_MS;
    while (Date.now() < until && !signal.aborted) {
      const [target] = scraper.targets().activeTargets;
      if (target?.health === 'up') return;
      if (target?.health === 'down') throw failed(target.lastError);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw failed(signal.aborted ? 'an end of the program' : `none in ${WAIT_MS / 1000} s`);
  } finally {
    await scraper.close();
  }
}

function failed(got: string): BarographError {
  return new BarographError({
    code: 'canary_failed',
    status: 500,
    where: 'content canary › scrape',
    got,
    accepted: 'a scrape of a target on this machine',
    fix: 'ask for another run; where it fails again, something on this machine forbids connections to itself',
  });
}
