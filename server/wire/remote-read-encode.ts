import { bitsOf, compareLabels, type SeriesSamples } from '../model/index.ts';
import { crc32c } from './crc32c.ts';
import { type EncodedChunk, encodeChunks } from './read-chunks.ts';
import type { ReadResponseType } from './remote-read.ts';
import { writeHistogramFields, writeLabels } from './remote-write-encode.ts';
import { Writer } from './writer.ts';

/** What the answers to a remote read are called: `Content-Type`, and `Content-Encoding` where the body has one. */
export const READ_RESPONSE_HEADERS: Readonly<Record<ReadResponseType, Readonly<Record<string, string>>>> = {
  samples: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
  streamed_xor_chunks: { 'content-type': 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse' },
};

/**
 * From this size on a frame ends; a single chunk may make it a little longer. As in Prometheus, whose reader takes the
 * parts of a series that is split for several series with the same labels: smaller frames are for other readers.
 */
export const DEFAULT_MAX_FRAME_BYTES = 1024 * 1024;

/**
 * Encodes the answer of type `samples`: one result a query, in the order of the queries, the series of each sorted by
 * their labels as askers rely on. Compress it with `snappyCompress` before it is sent. The bits of staleness markers are
 * kept; native histograms are written with integer counts where all are whole.
 */
export function encodeReadResponse(results: Iterable<readonly SeriesSamples[]>): Uint8Array {
  const writer = new Writer(65_536);
  for (const series of results) {
    // message ReadResponse { repeated QueryResult results = 1; }
    // message QueryResult { repeated TimeSeries timeseries = 1; }
    const result = writer.begin(1);
    for (const one of sortSeries(series)) {
      const start = writer.begin(1);
      writeSeries(writer, one);
      writer.end(start);
    }
    writer.end(result);
  }
  return writer.finish();
}

function writeSeries(writer: Writer, { labels, timestamps, values, histograms }: SeriesSamples): void {
  const bits = bitsOf(values);
  writeLabels(writer, labels);
  for (let i = 0; i < timestamps.length; i++) {
    if (histograms?.[i] !== undefined) continue;
    const sample = writer.begin(2);
    writer.fixed64Halves(1, bits[2 * i + 1], bits[2 * i]);
    writer.int(2, timestamps[i]);
    writer.end(sample);
  }
  for (let i = 0; histograms !== undefined && i < timestamps.length; i++) {
    const histogram = histograms[i];
    if (histogram === undefined) continue;
    const start = writer.begin(4);
    writeHistogramFields(writer, histogram, timestamps[i]);
    writer.end(start);
  }
}

/**
 * Encodes the answer to one query of a read of type `streamed_xor_chunks` as frames, each to be sent as it comes: the
 * length as a varint, the CRC-32C as four bytes, the highest first, and a `ChunkedReadResponse` of one series, or of a
 * part of one. Series come sorted by their labels, each whole before the next. Holds one frame at a time.
 * @param queryIndex which of the request's queries is answered, from 0
 * @param maxFrameBytes default 1 MiB
 */
export function* encodeReadFrames(
  queryIndex: number,
  series: readonly SeriesSamples[],
  maxFrameBytes = DEFAULT_MAX_FRAME_BYTES,
): Iterable<Uint8Array> {
  const message = new Writer(4096);
  for (const one of sortSeries(series)) {
    let chunks: EncodedChunk[] = [];
    let size = 0;
    for (const chunk of encodeChunks(one)) {
      chunks.push(chunk);
      size += chunk.data.length + CHUNK_OVERHEAD_BYTES;
      if (size < maxFrameBytes) continue;
      yield encodeFrame(message, queryIndex, one, chunks);
      chunks = [];
      size = 0;
    }
    if (chunks.length > 0) yield encodeFrame(message, queryIndex, one, chunks);
  }
}

/** What a chunk has on the wire beside its data, at most. */
const CHUNK_OVERHEAD_BYTES = 32;

// message ChunkedReadResponse {
//   repeated ChunkedSeries chunked_series = 1;
//   int64 query_index = 2;
// }
// message ChunkedSeries {
//   repeated Label labels = 1;
//   repeated Chunk chunks = 2;
// }
// message Chunk {
//   int64 min_time_ms = 1;  int64 max_time_ms = 2;
//   Encoding type = 3;
//   bytes data = 4;
// }
function encodeFrame(
  writer: Writer,
  queryIndex: number,
  { labels }: SeriesSamples,
  chunks: readonly EncodedChunk[],
): Uint8Array {
  writer.clear();
  const series = writer.begin(1);
  writeLabels(writer, labels);
  for (const { minMs, maxMs, encoding, data } of chunks) {
    const chunk = writer.begin(2);
    writer.int(1, minMs);
    writer.int(2, maxMs);
    writer.uint(3, encoding);
    writer.blob(4, data);
    writer.end(chunk);
  }
  writer.end(series);
  writer.uint(2, queryIndex);
  const message = writer.finish();
  const checksum = crc32c(message);
  writer.clear();
  writer.varint(message.length);
  writer.raw(Uint8Array.of(checksum >>> 24, checksum >>> 16, checksum >>> 8, checksum));
  writer.raw(message);
  return writer.finish();
}

function sortSeries(series: readonly SeriesSamples[]): readonly SeriesSamples[] {
  return series.toSorted((a, b) => compareLabels(a.labels, b.labels));
}
