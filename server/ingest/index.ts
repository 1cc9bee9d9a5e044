// Receivers: take requests in, have them decoded and governed, and acknowledge them once they are durable.
// In: bodies of requests. Out: rows in the store's writer, and what a sender is told.
// Never: acknowledges what isn't committed, or lets a refused part harm the rest.
export { LogIngest } from './log-ingest.ts';
export { type IngestOutcome, MetricIngest, type WriteV2Outcome } from './metric-ingest.ts';
export { type OtlpEncoding, type OtlpSignal, type OtlpWays, takeOtlp } from './otlp-ingest.ts';
export { ScrapeIngest, type ScrapeRoute } from './scrape-ingest.ts';
export { TraceIngest } from './trace-ingest.ts';
