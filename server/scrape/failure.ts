/** Why a scrape failed; the values of the label `result` of `barograph_scrape_scrapes_total`, beside `ok`. */
export const FAILURE_REASONS = [
  'connection',
  'timeout',
  'status',
  'redirect',
  'body_size',
  'content_type',
  'encoding',
  'malformed',
  'credentials',
  'sample_limit',
  'label_limit',
  'bad_labels',
  'target_limit',
  'histogram_limit',
  'memory',
  'overloaded',
] as const;
export type FailureReason = (typeof FAILURE_REASONS)[number];

/** A scrape that failed: why, and the same for people, without secrets and without what the target sent. */
export interface ScrapeFailure {
  readonly kind: 'failure';
  readonly reason: FailureReason;
  readonly message: string;
  /** Samples that were exposed, and how many of them the rules left, as far as they were looked at. */
  readonly scraped: number;
  readonly kept: number;
}

/** Makes a failure. */
export function failure(reason: FailureReason, message: string): ScrapeFailure {
  return { kind: 'failure', reason, message, scraped: 0, kept: 0 };
}
