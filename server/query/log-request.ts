import { labelsToRecord, labelValue, type Matcher } from '../model/index.ts';
import type { LogReader } from '../store/index.ts';
import { parseSelector } from './promql/index.ts';

/** Requests about logs, in Loki's terms. Times are nanoseconds; the end is exclusive. */
export type LogQuery =
  | {
      readonly kind: 'log_labels' | 'log_series';
      /** Selectors; none mean every stream. */
      readonly match: readonly string[];
      readonly startNs: bigint;
      readonly endNs: bigint;
    }
  | {
      readonly kind: 'log_label_values';
      readonly label: string;
      readonly match: readonly string[];
      readonly startNs: bigint;
      readonly endNs: bigint;
    }
  | { readonly kind: 'log_stats'; readonly query: string; readonly startNs: bigint; readonly endNs: bigint };

/** Answers a request about logs with the body of its HTTP answer. */
export async function answerLogs(request: LogQuery, reader: LogReader, _signal: AbortSignal): Promise<string> {
  const { startNs, endNs } = request;
  switch (request.kind) {
    case 'log_labels': {
      const names = new Set<string>();
      for (const labels of await reader.streams(selectors(request.match), startNs, endNs)) {
        for (let i = 0; i < labels.length; i += 2) names.add(labels[i]);
      }
      return success([...names].sort());
    }
    case 'log_label_values': {
      const values = new Set<string>();
      for (const labels of await reader.streams(selectors(request.match), startNs, endNs)) {
        const value = labelValue(labels, request.label);
        if (value !== '') values.add(value);
      }
      return success([...values].sort());
    }
    case 'log_series': {
      const streams = await reader.streams(selectors(request.match), startNs, endNs);
      return success(streams.map(labelsToRecord));
    }
    case 'log_stats': {
      const { streams, entries, bytes } = await reader.stats(parseSelector(request.query), startNs, endNs);
      // Loki's chunks are what it stores; here each stream of the answer is one.
      return JSON.stringify({ streams, chunks: streams, bytes, entries });
    }
  }
}

function selectors(match: readonly string[]): Matcher[][] {
  return match.map((text) => parseSelector(text));
}

function success(data: unknown): string {
  return `{"status":"success","data":${JSON.stringify(data)}}`;
}
