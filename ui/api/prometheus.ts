import { RequestError, type RequestQueue } from './requests.ts';

/** A bucket of a native histogram at one moment; which of its bounds belong to it makes no difference on a screen. */
export interface HistogramBucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

/** One series of a range query. */
export interface MatrixSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** Pairs of seconds since the epoch and value, ascending. */
  readonly points: readonly (readonly [number, number])[];
  /** Native histograms with their time in seconds, ascending. */
  readonly histograms: readonly (readonly [number, readonly HistogramBucket[]])[];
}

export interface RangeAnswer {
  readonly series: readonly MatrixSeries[];
  /** What the server wants the reader of the result to know: parts that are missing or folded. */
  readonly warnings: readonly string[];
}

/** The URL of a range query. Times in seconds since the epoch, both inclusive. */
export function rangeQueryUrl(path: string, expr: string, startS: number, endS: number, stepS: number): string {
  const params = new URLSearchParams({ query: expr, start: String(startS), end: String(endS), step: String(stepS) });
  return `${path}?${params}`;
}

/** Runs a PromQL range query. */
export async function queryRange(
  queue: RequestQueue,
  expr: string,
  window: { startS: number; endS: number; stepS: number },
  signal?: AbortSignal,
): Promise<RangeAnswer> {
  const url = rangeQueryUrl('/api/v1/query_range', expr, window.startS, window.endS, window.stepS);
  return readMatrix(await queue.get(url, signal));
}

/** The contract's metrics and engines' own; labels of exporters and of the server itself would be noise in a filter. */
const AI_SERIES = '{__name__=~"inference_.*|vllm:.*"}';
const GPU_SERIES = '{__name__=~"gpu_.*|DCGM_.*"}';

/** The values of a label among the pane's series in a range of seconds, sorted; of GPUs' series too where `withGpus`. */
export async function labelValues(
  queue: RequestQueue,
  label: string,
  startS: number,
  endS: number,
  withGpus: boolean,
  signal?: AbortSignal,
): Promise<string[]> {
  const params = new URLSearchParams({ start: String(startS), end: String(endS) });
  params.append('match[]', AI_SERIES);
  if (withGpus) params.append('match[]', GPU_SERIES);
  const body = (await queue.get(`/api/v1/label/${encodeURIComponent(label)}/values?${params}`, signal)) as Envelope;
  return Array.isArray(body.data) ? body.data.filter((value): value is string => typeof value === 'string') : [];
}

interface Envelope {
  readonly status?: string;
  readonly error?: string;
  readonly warnings?: unknown;
  readonly data?: unknown;
}

interface WireSeries {
  readonly metric?: Record<string, string>;
  readonly values?: [number, string][];
  readonly histograms?: [number, { buckets?: [number, string, string, string][] }][];
}

/** Reads Prometheus's envelope of a matrix; Loki's is the same but says `warnings` in other places. */
export function readMatrix(body: unknown): RangeAnswer {
  const envelope = body as Envelope;
  if (envelope?.status === 'error') throw new RequestError(envelope.error ?? 'the query failed', 200);
  const data = envelope?.data as { resultType?: string; result?: unknown } | undefined;
  if (data?.resultType !== 'matrix' || !Array.isArray(data.result)) {
    throw new RequestError(`The answer holds ${data?.resultType ?? 'no result'} instead of a matrix.`, 200);
  }
  return { series: (data.result as WireSeries[]).map(readSeries), warnings: readWarnings(envelope.warnings) };
}

function readSeries(series: WireSeries): MatrixSeries {
  return {
    labels: series.metric ?? {},
    points: (series.values ?? []).map(([seconds, text]) => [seconds, readNumber(text)] as const),
    histograms: (series.histograms ?? []).map(([seconds, histogram]) => [
      seconds,
      (histogram.buckets ?? []).map(([, lower, upper, count]) => ({
        lower: readNumber(lower),
        upper: readNumber(upper),
        count: readNumber(count),
      })),
    ]),
  };
}

/** Prometheus writes numbers as text, infinities as `+Inf` and `-Inf`. */
export function readNumber(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Number.POSITIVE_INFINITY;
  if (text === '-Inf') return Number.NEGATIVE_INFINITY;
  return Number(text);
}

function readWarnings(warnings: unknown): string[] {
  return Array.isArray(warnings) ? warnings.filter((w): w is string => typeof w === 'string') : [];
}
