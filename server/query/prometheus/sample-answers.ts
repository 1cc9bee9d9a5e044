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
import { watchLoop } from '../stop-flags.ts';
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
  return packSeries(inOrder(found, signal), signal);
}

/**
 * Answers with one sample of each series, the last one in the range; series that ended with a staleness marker are left
 * out. Series with one metric name follow each other, by name.
 */
export async function answerLastSamples(
  request: LastSamplesQuery,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<PackedSeries> {
  const { startMs, endMs } = request;
  const found: SeriesSamples[][] = [];
  for (const matchers of matcherSets(request.match))
    found.push(await reader.select({ matchers, startMs, endMs }, signal));
  const byName = new Map<string, SeriesSamples[]>();
  const look = watchLoop(signal, 4096);
  for (const series of found.length > 1 ? distinct(found.flat(), look) : (found[0] ?? [])) {
    look();
    if (isEnded(series)) continue;
    const name = labelValue(series.labels, METRIC_NAME);
    const same = byName.get(name);
    if (same) same.push(series);
    else byName.set(name, [series]);
  }
  const ordered: SeriesSamples[] = [];
  for (const name of [...byName.keys()].sort()) {
    for (const series of byName.get(name) ?? []) {
      look();
      ordered.push(series);
    }
  }
  return packSeries(ordered, signal, 'last');
}

/** Each series once; what several selectors match came several times. */
function distinct(found: readonly SeriesSamples[], look: () => void): Iterable<SeriesSamples> {
  const byLabels = new Map<string, SeriesSamples>();
  for (const series of found) {
    look();
    byLabels.set(labelsKey(series.labels), series);
  }
  return byLabels.values();
}

function inOrder(found: SeriesSamples[], signal: AbortSignal): SeriesSamples[] {
  const look = watchLoop(signal, 16_384);
  return found.sort((a, b) => {
    look();
    return compareLabels(a.labels, b.labels);
  });
}

function isEnded({ timestamps, values, histograms }: SeriesSamples): boolean {
  const at = timestamps.length - 1;
  if (at < 0) return true;
  const histogram = histograms?.[at];
  return histogram ? isStale(bitsOf(Float64Array.of(histogram.sum)), 0) : isStale(bitsOf(values), at);
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
