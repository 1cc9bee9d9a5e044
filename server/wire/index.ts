// Bytes ⇄ batches: remote write and read, scrapes, Loki push and OTLP, and the compressions around them.
// In: bodies, `Accept` and `Content-Type` headers, columns. Out: batches of the model's nouns, encoded bodies,
// `BarographError` with the path and byte, or line and column, of what was wrong (`malformed` 400, `too_large` 413,
// `bad_labels` 400, `unsupported_encoding` and `unsupported_media_type` 415).
// Never: I/O, clocks, global state, trust in a claimed length, or content in an error.
export { attributeText } from './attributes.ts';
export { decodeScrape, type ScrapeProtocol, scrapeProtocolOf } from './exposition.ts';
export {
  type EncodedExposition,
  type ExposedFamily,
  type ExposedSeries,
  encodeExposition,
} from './exposition-encode.ts';
export { goNumber, openMetricsNumber } from './exposition-number.ts';
export type { ScrapeOptions } from './exposition-reader.ts';
export { freeBody } from './free-body.ts';
export * from './inflate.ts';
export { DEFAULT_LOG_OPTIONS, type LogOptions } from './log-discovery.ts';
export { type DetectedLevel, detectLevel } from './log-level.ts';
export * from './loki-push.ts';
export { encodeLokiPush } from './loki-push-encode.ts';
export { type AcceptedType, type MediaType, parseAccept, parseMediaType } from './media-type.ts';
export type { MetricPoints, MetricSeries, SeriesTemporality } from './metric-points.ts';
export * from './name-escaping.ts';
export * from './otlp-log-entries.ts';
export { decodeOtlpLogs, decodeOtlpLogsJson, type OtlpLogRecord } from './otlp-logs.ts';
export { decodeOtlpMetrics } from './otlp-metrics.ts';
export { decodeOtlpMetricsJson } from './otlp-metrics-json.ts';
export type * from './otlp-metrics-shape.ts';
export { labelName, metricName, type NamedMetricKind, unitName } from './otlp-names.ts';
export { DEFAULT_PROMOTED_ATTRIBUTES } from './otlp-promotion.ts';
export { encodeOtlpRequest } from './otlp-request-encode.ts';
export * from './otlp-response.ts';
export { DEFAULT_SERIES_OPTIONS, type SeriesOptions, toSeries } from './otlp-series.ts';
export type { DecodedSpans } from './otlp-spans.ts';
export { decodeOtlpTraces } from './otlp-traces.ts';
export * from './otlp-traces-encode.ts';
export { decodeOtlpTracesJson } from './otlp-traces-json.ts';
export { type ChunkEncoding, type EncodedChunk, encodeChunks, MAX_CHUNK_SAMPLES } from './read-chunks.ts';
export {
  decodeReadRequest,
  type ReadHints,
  type ReadQuery,
  type ReadRequest,
  type ReadResponseType,
} from './remote-read.ts';
export * from './remote-read-encode.ts';
export { decodeWriteRequest } from './remote-write.ts';
export {
  type BatchExemplar,
  type BatchHistogram,
  type BatchLimits,
  DEFAULT_BATCH_LIMITS,
  WriteRequestBatch,
} from './remote-write-batch.ts';
export { encodeWriteRequest, type WriteRequestColumns } from './remote-write-encode.ts';
export type { WriteVersion } from './remote-write-samples.ts';
export { decodeWriteRequestV2, type RefusedSeries, type WriteRequestV2Report } from './remote-write-v2.ts';
export { encodeWriteRequestV2, WRITE_V2_CONTENT_TYPE, type WriteRequestV2Columns } from './remote-write-v2-encode.ts';
export * from './rpc-status.ts';
export { type LabelKeyKind, ScrapeBatch } from './scrape-batch.ts';
export * from './scrape-negotiation.ts';
export { parseSeriesLabels } from './series-labels.ts';
export { SnappyBlock } from './snappy-block.ts';
export { writeVersionOf } from './write-version.ts';
