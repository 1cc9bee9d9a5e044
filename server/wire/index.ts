// Bytes ⇄ batches: remote write, Loki push and OTLP, and the compressions around them.
// In: request bodies and columns. Out: batches of the model's nouns, encoded responses, `BarographError` with the path
// and byte of what was wrong (`malformed` 400, `too_large` 413, `bad_labels` 400, `unsupported_encoding` 415).
// Never: I/O, clocks, global state, trust in a claimed length, or content in an error.
export * from './inflate.ts';
export { decodeWriteRequest } from './remote-write.ts';
export * from './remote-write-batch.ts';
export { encodeWriteRequest, type WriteRequestColumns } from './remote-write-encode.ts';
export { parseSeriesLabels } from './series-labels.ts';
