import type { HistogramBucket, MatrixSeries } from '../api/prometheus.ts';

/** One series on a frame's grid. */
export interface FrameSeries {
  /** Equal for the same series in two answers: the query's position and the labels. */
  readonly key: string;
  /** Position of its query in the panel. */
  readonly query: number;
  readonly labels: Readonly<Record<string, string>>;
  /** One value a moment; `NaN` where there is none. */
  readonly values: Float64Array;
  /** For native histograms, one distribution a moment. */
  readonly histograms: readonly (readonly HistogramBucket[] | undefined)[] | undefined;
}

/** What a panel draws: series on one grid of moments, `start + i · step` for i below `length`. */
export interface Frame {
  /** Seconds since the epoch, a multiple of `stepSeconds`. */
  readonly startSeconds: number;
  readonly stepSeconds: number;
  readonly length: number;
  readonly series: readonly FrameSeries[];
}

/** Puts the answers of a panel's queries, in the order of its queries, on the grid from `startS` to `endS`, inclusive. */
export function frameFromAnswers(
  answers: readonly (readonly MatrixSeries[])[],
  startS: number,
  endS: number,
  stepS: number,
): Frame {
  const length = Math.max(0, Math.round((endS - startS) / stepS) + 1);
  const series = answers.flatMap((answer, query) => answer.map((one) => onGrid(one, query, startS, stepS, length)));
  return { startSeconds: startS, stepSeconds: stepS, length, series };
}

function onGrid(series: MatrixSeries, query: number, startS: number, stepS: number, length: number): FrameSeries {
  const values = new Float64Array(length).fill(Number.NaN);
  for (const [seconds, value] of series.points) {
    const i = Math.round((seconds - startS) / stepS);
    if (i >= 0 && i < length) values[i] = value;
  }
  let histograms: (readonly HistogramBucket[] | undefined)[] | undefined;
  if (series.histograms.length > 0) {
    histograms = new Array(length).fill(undefined);
    for (const [seconds, buckets] of series.histograms) {
      const i = Math.round((seconds - startS) / stepS);
      if (i >= 0 && i < length) histograms[i] = buckets;
    }
  }
  return { key: seriesKey(query, series.labels), query, labels: series.labels, values, histograms };
}

function seriesKey(query: number, labels: Readonly<Record<string, string>>): string {
  const names = Object.keys(labels).sort();
  return `${query} ${names.map((name) => `${name}=${JSON.stringify(labels[name])}`).join(',')}`;
}

/**
 * A frame from `startS` to `endS` (inclusive), made of a kept one and a newer one of the same step: the newer one decides
 * every moment from its start on, including that there is nothing.
 */
export function continueFrame(kept: Frame, fresh: Frame, startS: number, endS: number): Frame {
  const step = kept.stepSeconds;
  const length = Math.max(0, Math.round((endS - startS) / step) + 1);
  const byKey = new Map<string, { kept?: FrameSeries; fresh?: FrameSeries }>();
  for (const series of kept.series) byKey.set(series.key, { kept: series });
  for (const series of fresh.series) byKey.set(series.key, { ...byKey.get(series.key), fresh: series });

  const keptUntil = Math.min(length, Math.round((fresh.startSeconds - startS) / step));
  const keptShift = Math.round((startS - kept.startSeconds) / step);
  const freshShift = Math.round((startS - fresh.startSeconds) / step);
  const series: FrameSeries[] = [];
  for (const [key, pair] of byKey) {
    const some = (pair.fresh ?? pair.kept) as FrameSeries;
    const values = new Float64Array(length).fill(Number.NaN);
    const histograms = pair.kept?.histograms || pair.fresh?.histograms ? new Array(length).fill(undefined) : undefined;
    let seen = false;
    for (let i = 0; i < length; i++) {
      const from = i < keptUntil ? pair.kept : pair.fresh;
      const at = i + (i < keptUntil ? keptShift : freshShift);
      if (!from || at < 0 || at >= from.values.length) continue;
      values[i] = from.values[at];
      if (histograms) histograms[i] = from.histograms?.[at];
      seen ||= !Number.isNaN(values[i]) || histograms?.[i] !== undefined;
    }
    // A series that left the window with its last sample leaves the legend too.
    if (seen) series.push({ key, query: some.query, labels: some.labels, values, histograms });
  }
  return { startSeconds: startS, stepSeconds: step, length, series };
}

/** The index of the moment nearest to a time, or `undefined` outside the frame. */
export function frameIndex(frame: Frame, seconds: number): number | undefined {
  const i = Math.round((seconds - frame.startSeconds) / frame.stepSeconds);
  return i >= 0 && i < frame.length ? i : undefined;
}

/**
 * The newest moment, in seconds, of which each query that has anything at all knows something; −∞ where there is nothing.
 * A query's newest is that of its newest series, since series may end.
 */
export function knownUntil(frame: Frame): number {
  const newest = new Map<number, number>();
  for (const { query, values, histograms } of frame.series) {
    let i = frame.length - 1;
    while (i >= 0 && Number.isNaN(values[i]) && histograms?.[i] === undefined) i--;
    if (i >= 0) newest.set(query, Math.max(newest.get(query) ?? 0, i));
  }
  if (newest.size === 0) return Number.NEGATIVE_INFINITY;
  return frame.startSeconds + Math.min(...newest.values()) * frame.stepSeconds;
}

/** Whether any series has anything to draw. */
export function isEmptyFrame(frame: Frame): boolean {
  return !frame.series.some(
    (s) => s.histograms?.some((h) => h !== undefined) || s.values.some((v) => Number.isFinite(v)),
  );
}
