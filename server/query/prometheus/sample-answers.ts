import {
  BarographError,
  bitsOf,
  compareLabels,
  createMatcher,
  isStale,
  labelsKey,
  labelValue,
  type MatchOp,
  METRIC_NAME,
  type SeriesSamples,
} from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import type { MetricRange } from './label-answers.ts';
import { type PackedSeries, packSeries } from './packed-series.ts';
import { matcherSets } from './selectors.ts';

/** A request for the samples of the series that all conditions hold for, as remote read asks. */
export interface SamplesQuery extends MetricRange {
  readonly kind: 'samples';
  readonly matchers: readonly { readonly name: string; readonly op: MatchOp; readonly value: string }[];
  /** Samples of the answer at most. */
  readonly maxSamples: number;
}

/** A request for the last sample of each series that any selector matches, as federation asks. */
export interface LastSamplesQuery extends MetricRange {
  readonly kind: 'last_samples';
  readonly match: readonly string[];
}

/**
 * Answers with every sample in the range, staleness markers included, the series sorted by their labels.
 * @throws BarographError `query_limit`.
 */
export async function answerSamples(
  request: SamplesQuery,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<PackedSeries> {
  const { startMs, endMs, maxSamples } = request;
  const matchers = request.matchers.map(({ name, op, value }) => createMatcher(name, op, value));
  const found = await reader.select({ matchers, startMs, endMs }, signal);
  const samples = found.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  if (samples > maxSamples) throw tooManySamples(samples, maxSamples);
  return packSeries(found.sort((a, b) => compareLabels(a.labels, b.labels)));
}

/**
 * Answers with one sample of each series, the last one in the range; series that ended with a staleness marker are left
 * out. They are sorted by metric name, then by their labels.
 */
export async function answerLastSamples(
  request: LastSamplesQuery,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<PackedSeries> {
  const { startMs, endMs } = request;
  const byLabels = new Map<string, SeriesSamples>();
  for (const matchers of matcherSets(request.match)) {
    for (const series of await reader.select({ matchers, startMs, endMs }, signal)) {
      const last = lastOf(series);
      if (last) byLabels.set(labelsKey(last.labels), last);
    }
  }
  return packSeries([...byLabels.values()].sort(byName));
}

function lastOf({ labels, timestamps, values, histograms }: SeriesSamples): SeriesSamples | undefined {
  const at = timestamps.length - 1;
  if (at < 0) return undefined;
  const histogram = histograms?.[at];
  const isEnd = histogram ? isStale(bitsOf(Float64Array.of(histogram.sum)), 0) : isStale(bitsOf(values), at);
  if (isEnd) return undefined;
  return {
    labels,
    timestamps: timestamps.subarray(at),
    values: values.subarray(at),
    histograms: histogram && [histogram],
  };
}

function byName(a: SeriesSamples, b: SeriesSamples): number {
  const [left, right] = [labelValue(a.labels, METRIC_NAME), labelValue(b.labels, METRIC_NAME)];
  if (left !== right) return left < right ? -1 : 1;
  return compareLabels(a.labels, b.labels);
}

function tooManySamples(got: number, limit: number): BarographError {
  return new BarographError({
    code: 'query_limit',
    status: 422,
    where: 'remote read',
    got: `${got} samples`,
    accepted: `at most ${limit}`,
    fix: 'add matchers, shorten the time range, or ask for streamed chunks, which may be more',
  });
}
