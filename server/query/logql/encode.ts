import { type Labels, labelsKey, labelsToRecord } from '../../model/index.ts';
import type { LogStats } from '../../store/index.ts';
import type { LogqlStats, LogResult, LogRow } from './result.ts';

/** How streams are encoded. */
export interface EncodeOptions {
  /**
   * Keeps structured metadata and parsed labels apart from the stream's (`X-Loki-Response-Encoding-Flags:
   * categorize-labels`); without it all three are the stream's labels.
   */
  readonly categorizeLabels: boolean;
}

/** An answer as the body of Loki's `query` and `query_range` (JSON, UTF-8). */
export function encodeLoki(result: LogResult, options: EncodeOptions): Uint8Array {
  const stats = encodeStats(result.stats);
  switch (result.kind) {
    case 'streams': {
      const flags = options.categorizeLabels ? '"encodingFlags":["categorize-labels"],' : '';
      const streams = options.categorizeLabels ? encodeCategorized(result.rows) : encodeMerged(result.rows);
      return envelope(`{"resultType":"streams",${flags}"result":[${streams}],"stats":${stats}}`);
    }
    case 'matrix': {
      const series = result.series.map(({ labels, seconds, values }) => {
        const points = values.map((value, i) => `[${seconds[i]},"${printSample(value)}"]`).join(',');
        return `{"metric":${encodeLabels(labels)},"values":[${points}]}`;
      });
      return envelope(`{"resultType":"matrix","result":[${series.join(',')}],"stats":${stats}}`);
    }
    case 'vector': {
      const series = result.series.map(
        ({ labels, seconds, values }) =>
          `{"metric":${encodeLabels(labels)},"value":[${seconds[0]},"${printSample(values[0])}"]}`,
      );
      return envelope(`{"resultType":"vector","result":[${series.join(',')}],"stats":${stats}}`);
    }
    case 'scalar':
      return envelope(
        `{"resultType":"scalar","result":[${result.seconds},"${printSample(result.value)}"],"stats":${stats}}`,
      );
  }
}

/** The answer of `labels`, `label/<name>/values`: names or values in the envelope. */
export function encodeLokiStrings(values: readonly string[]): Uint8Array {
  return envelope(JSON.stringify(values));
}

/** The answer of `series`: label sets in the envelope. */
export function encodeLokiSeries(series: readonly Labels[]): Uint8Array {
  return envelope(`[${series.map(encodeLabels).join(',')}]`);
}

/** The answer of `index/stats`, which has no envelope. One stream's lines count as one chunk. */
export function encodeLokiIndexStats(stats: LogStats): Uint8Array {
  const { streams, entries, bytes } = stats;
  return Buffer.from(JSON.stringify({ streams, chunks: streams, entries, bytes }));
}

/** An error as Loki's routes answer it. */
export function encodeLokiError(message: string): Uint8Array {
  return Buffer.from(JSON.stringify({ status: 'error', message }));
}

function envelope(data: string): Uint8Array {
  return Buffer.from(`{"status":"success","data":${data}}`);
}

function encodeLabels(labels: Labels): string {
  return JSON.stringify(labelsToRecord(labels));
}

/** A value as Go prints a float in full: no exponent needed by any client, `NaN`, `+Inf`, `-Inf`. */
function printSample(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

/** Streams keep the order of their first line, lines that of the answer. */
function encodeCategorized(rows: readonly LogRow[]): string {
  return encodeStreams(
    rows,
    (row) => row.stream,
    (row) => {
      const parts: string[] = [];
      if (row.metadata.length > 0) parts.push(`"structuredMetadata":${encodeLabels(row.metadata)}`);
      if (row.parsed.length > 0) parts.push(`"parsed":${encodeLabels(row.parsed)}`);
      return `,{${parts.join(',')}}`;
    },
  );
}

function encodeMerged(rows: readonly LogRow[]): string {
  return encodeStreams(
    rows,
    (row) => mergeLabels(row),
    () => '',
  );
}

function mergeLabels(row: LogRow): Labels {
  if (row.metadata.length === 0 && row.parsed.length === 0) return row.stream;
  const record = { ...labelsToRecord(row.stream), ...labelsToRecord(row.metadata), ...labelsToRecord(row.parsed) };
  return Object.keys(record)
    .sort()
    .flatMap((name) => [name, record[name]]);
}

function encodeStreams(
  rows: readonly LogRow[],
  labelsOf: (row: LogRow) => Labels,
  tail: (row: LogRow) => string,
): string {
  const streams = new Map<string, { labels: Labels; values: string[] }>();
  for (const row of rows) {
    const labels = labelsOf(row);
    const key = labelsKey(labels);
    let stream = streams.get(key);
    if (stream === undefined) {
      stream = { labels, values: [] };
      streams.set(key, stream);
    }
    stream.values.push(`["${row.timestampNs}",${JSON.stringify(row.line)}${tail(row)}]`);
  }
  return [...streams.values()]
    .map(({ labels, values }) => `{"stream":${encodeLabels(labels)},"values":[${values.join(',')}]}`)
    .join(',');
}

/** Loki's statistics: the summary is ours, the parts of a distributed Loki are zero. */
function encodeStats(stats: LogqlStats): string {
  const perSecond = (n: number) => (stats.seconds > 0 ? Math.round(n / stats.seconds) : 0);
  const store = {
    totalChunksRef: 0,
    totalChunksDownloaded: 0,
    chunksDownloadTime: 0,
    chunk: {
      headChunkBytes: 0,
      headChunkLines: 0,
      decompressedBytes: stats.characters,
      decompressedLines: stats.lines,
      compressedBytes: 0,
      totalDuplicates: 0,
    },
  };
  return JSON.stringify({
    summary: {
      bytesProcessedPerSecond: perSecond(stats.characters),
      linesProcessedPerSecond: perSecond(stats.lines),
      totalBytesProcessed: stats.characters,
      totalLinesProcessed: stats.lines,
      execTime: stats.seconds,
      queueTime: 0,
      subqueries: 0,
      totalEntriesReturned: stats.entries,
      splits: 0,
      shards: 0,
    },
    querier: { store },
    ingester: { totalReached: 0, totalChunksMatched: 0, totalBatches: 0, totalLinesSent: 0, store },
  });
}
