import { BarographError } from '../model/index.ts';
import { parseOpenMetrics } from './exposition-openmetrics.ts';
import { parseMetricFamilies } from './exposition-protobuf.ts';
import type { ScrapeOptions } from './exposition-reader.ts';
import { parseText } from './exposition-text.ts';
import { parseMediaType } from './media-type.ts';
import type { ScrapeBatch } from './scrape-batch.ts';

/** The exposition formats, by the names that Prometheus's `scrape_protocols` give them. */
export type ScrapeProtocol =
  | 'PrometheusProto'
  | 'OpenMetricsText1.0.0'
  | 'OpenMetricsText0.0.1'
  | 'PrometheusText1.0.0'
  | 'PrometheusText0.0.4';

/**
 * Decodes what a target answered (decompressed) into `batch`, which is emptied first. `bytes` must stay unchanged while
 * the batch is used: keys are ranges of it. After an error the batch is empty: a scrape is taken whole or not at all.
 * @throws BarographError `malformed` (400) with line and column, or with field and byte; `too_large` (413).
 */
export function decodeScrape(
  bytes: Uint8Array,
  protocol: ScrapeProtocol,
  options: ScrapeOptions,
  batch: ScrapeBatch,
): void {
  batch.clear();
  try {
    switch (protocol) {
      case 'PrometheusText0.0.4':
      case 'PrometheusText1.0.0':
        parseText(bytes, batch, options);
        return;
      case 'OpenMetricsText0.0.1':
      case 'OpenMetricsText1.0.0':
        parseOpenMetrics(bytes, batch, options);
        return;
      case 'PrometheusProto':
        parseMetricFamilies(bytes, batch, options);
        return;
    }
  } catch (error) {
    batch.clear();
    throw error;
  }
}

/**
 * The format that a `Content-Type` announces.
 * @param fallback the job's `fallback_scrape_protocol`, for targets that announce nothing or something else
 * @throws BarographError `unsupported_media_type` (415) where it announces none of them and there is no fallback.
 */
export function scrapeProtocolOf(contentType: string | undefined, fallback?: ScrapeProtocol): ScrapeProtocol {
  const media = parseMediaType(contentType ?? '');
  const version = media?.parameters.get('version') ?? '';
  switch (media?.type) {
    case 'text/plain':
      return version === '1.0.0' ? 'PrometheusText1.0.0' : 'PrometheusText0.0.4';
    case 'application/openmetrics-text':
      return version === '0.0.1' ? 'OpenMetricsText0.0.1' : 'OpenMetricsText1.0.0';
    case 'application/vnd.google.protobuf':
      return 'PrometheusProto';
  }
  if (fallback !== undefined) return fallback;
  throw new BarographError({
    code: 'unsupported_media_type',
    status: 415,
    where: 'Content-Type of a scraped target',
    got: contentType === undefined || contentType === '' ? 'none' : JSON.stringify(contentType.slice(0, 80)),
    accepted: 'text/plain, application/openmetrics-text or application/vnd.google.protobuf',
    fix: 'correct the target, or set fallback_scrape_protocol',
  });
}
