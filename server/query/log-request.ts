import { BarographError, labelValue, type Matcher } from '../model/index.ts';
import type { LogReader } from '../store/index.ts';
import {
  encodeLoki,
  encodeLokiIndexStats,
  encodeLokiSeries,
  encodeLokiStrings,
  parseLogSelector,
  queryLogql,
} from './logql/index.ts';

/** Requests about logs, in Loki's terms. Times are nanoseconds; the end is exclusive for lines and streams. */
export type LogQuery =
  | {
      readonly kind: 'logql';
      readonly query: string;
      readonly startNs: bigint;
      readonly endNs: bigint;
      /** 0 for an instant query, at `endNs`. */
      readonly stepNs: bigint;
      /** Lines at most; `undefined` for the default. */
      readonly limit: number | undefined;
      readonly direction: 'forward' | 'backward';
      /** Whether the answer tells index labels, structured metadata and parsed labels apart. */
      readonly categorizeLabels: boolean;
    }
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

/** Answers a request about logs with the body of its HTTP answer, JSON as bytes. */
export async function answerLogs(request: LogQuery, reader: LogReader, signal: AbortSignal): Promise<Uint8Array> {
  const { startNs, endNs } = request;
  switch (request.kind) {
    case 'logql':
      return answerLogql(request, reader, signal);
    case 'log_labels': {
      const names = new Set<string>();
      for (const labels of await reader.streams(selectors(request.match), startNs, endNs)) {
        for (let i = 0; i < labels.length; i += 2) names.add(labels[i]);
      }
      return encodeLokiStrings([...names].sort());
    }
    case 'log_label_values': {
      const values = new Set<string>();
      for (const labels of await reader.streams(selectors(request.match), startNs, endNs)) {
        const value = labelValue(labels, request.label);
        if (value !== '') values.add(value);
      }
      return encodeLokiStrings([...values].sort());
    }
    case 'log_series':
      return encodeLokiSeries(await reader.streams(selectors(request.match), startNs, endNs));
    case 'log_stats':
      return encodeLokiIndexStats(await reader.stats(parseLogSelector(request.query), startNs, endNs));
  }
}

async function answerLogql(
  request: Extract<LogQuery, { kind: 'logql' }>,
  reader: LogReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const { query, startNs, endNs, stepNs, limit, direction, categorizeLabels } = request;
  const result = await queryLogql(query, { startNs, endNs, stepNs, limit, direction, signal }, reader);
  if (result.kind === 'streams' && stepNs === 0n) {
    throw new BarographError({
      code: 'bad_parameter',
      status: 400,
      where: 'query',
      got: 'a log query',
      accepted: 'a metric query, since one time has no range of lines',
      fix: 'ask /loki/api/v1/query_range for lines',
    });
  }
  return encodeLoki(result, { categorizeLabels });
}

function selectors(match: readonly string[]): Matcher[][] {
  return match.map(parseLogSelector);
}
