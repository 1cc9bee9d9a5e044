import { compareLabels, type Labels, type LogEntry, labelsKey, matchesAll } from '../../model/index.ts';
import type { LogBatch, LogReader, LogRequest } from '../../store/index.ts';

/**
 * A log reader over an array, for tests and conformance scripts: it keeps the promises of `LogReader` and gives batches
 * of `batchLines`, small by default so that queries cross their borders. `contains` is left to the caller, as a hint may.
 */
export function createMemoryLogReader(entries: readonly LogEntry[], batchLines = 7): LogReader {
  const streams = new Map<string, Labels>();
  const seen = new Set<string>();
  const sorted = entries
    .filter(({ stream, timestampNs, line, metadata }) => {
      const key = `${labelsKey(stream)}|${timestampNs}|${labelsKey(metadata)}|${line}`;
      return seen.has(key) ? false : seen.add(key);
    })
    .map((entry) => {
      const key = labelsKey(entry.stream);
      if (!streams.has(key)) streams.set(key, entry.stream);
      return { ...entry, stream: streams.get(key)! };
    })
    .sort((a, b) => (a.timestampNs < b.timestampNs ? -1 : a.timestampNs > b.timestampNs ? 1 : 0));
  const inRange = (startNs: bigint, endNs: bigint) =>
    sorted.filter((e) => e.timestampNs >= startNs && e.timestampNs < endNs);
  return {
    async *select(request: LogRequest) {
      const found = inRange(request.startNs, request.endNs).filter((entry) =>
        matchesAll(request.matchers, entry.stream),
      );
      if (request.direction === 'backward') found.reverse();
      for (let i = 0; i < found.length; i += batchLines) yield batchOf(found.slice(i, i + batchLines));
    },
    async streams(matcherSets, startNs, endNs) {
      const found = new Set(inRange(startNs, endNs).map((entry) => entry.stream));
      const wanted = [...found].filter(
        (s) => matcherSets.length === 0 || matcherSets.some((set) => matchesAll(set, s)),
      );
      return wanted.sort(compareLabels);
    },
    async stats(matchers, startNs, endNs) {
      const found = inRange(startNs, endNs).filter((entry) => matchesAll(matchers, entry.stream));
      const bytes = found.reduce((n, { line }) => n + Buffer.byteLength(line), 0);
      return { streams: new Set(found.map((entry) => entry.stream)).size, entries: found.length, bytes };
    },
  };
}

function batchOf(entries: readonly LogEntry[]): LogBatch {
  return {
    streams: entries.map((entry) => entry.stream),
    timestampsNs: BigInt64Array.from(entries.map((entry) => entry.timestampNs)),
    lines: entries.map((entry) => entry.line),
    metadata: entries.map((entry) => entry.metadata),
  };
}
