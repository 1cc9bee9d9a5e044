import { type RangeAnswer, readMatrix } from './prometheus.ts';
import { RequestError, type RequestQueue } from './requests.ts';

/** One log line. */
export interface LogLine {
  /** Nanoseconds since the epoch as decimal digits: they don't fit into a number. */
  readonly timestampNs: string;
  readonly line: string;
  /** Labels of the stream, with structured metadata beside them. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Runs a LogQL metric query. Times in seconds since the epoch, both inclusive. */
export async function countLogs(
  queue: RequestQueue,
  expr: string,
  window: { startS: number; endS: number; stepS: number },
  signal?: AbortSignal,
): Promise<RangeAnswer> {
  const params = new URLSearchParams({
    query: expr,
    start: secondsToNs(window.startS),
    end: secondsToNs(window.endS),
    step: String(window.stepS),
  });
  return readMatrix(await queue.get(`/loki/api/v1/query_range?${params}`, signal));
}

/** The newest lines of a LogQL query in a range of seconds, newest first. */
export async function queryLogs(
  queue: RequestQueue,
  expr: string,
  range: { startS: number; endS: number; limit: number },
  signal?: AbortSignal,
): Promise<LogLine[]> {
  const params = new URLSearchParams({
    query: expr,
    start: secondsToNs(range.startS),
    end: secondsToNs(range.endS),
    limit: String(range.limit),
    direction: 'backward',
  });
  return readStreams(await queue.get(`/loki/api/v1/query_range?${params}`, signal));
}

/** Whole and broken seconds as nanoseconds, exact to the millisecond. */
export function secondsToNs(seconds: number): string {
  return `${BigInt(Math.round(seconds * 1000)) * 1_000_000n}`;
}

interface WireStream {
  readonly stream?: Record<string, string>;
  readonly values?: [string, string, { structuredMetadata?: Record<string, string> }?][];
}

/** Reads streams of lines into one list, newest first. */
export function readStreams(body: unknown): LogLine[] {
  const data = (body as { data?: { resultType?: string; result?: unknown } })?.data;
  if (data?.resultType !== 'streams' || !Array.isArray(data.result)) {
    throw new RequestError(`The answer holds ${data?.resultType ?? 'no result'} instead of log lines.`, 200);
  }
  const lines: LogLine[] = [];
  for (const { stream = {}, values = [] } of data.result as WireStream[]) {
    for (const [timestampNs, line, more] of values) {
      const metadata = more?.structuredMetadata;
      lines.push({ timestampNs, line, labels: metadata ? { ...stream, ...metadata } : stream });
    }
  }
  return lines.sort((a, b) => compareNs(b.timestampNs, a.timestampNs));
}

function compareNs(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}
