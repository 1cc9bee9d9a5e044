import { bitsOf, type Labels, type NativeHistogram, type SeriesSamples } from '../../model/index.ts';
import { throwIfStopped } from '../stop-flags.ts';

/**
 * Series as few large columns, which cross from thread to thread without a copy and without an object for each label:
 * all label texts are one string, all samples two arrays.
 */
export interface PackedSeries {
  readonly count: number;
  readonly labelText: string;
  /** Where each label text ends; names and values alternate. */
  readonly labelEnds: Uint32Array;
  /** The first label text of each series, and behind them the number of all. */
  readonly labelStarts: Uint32Array;
  /** The first sample of each series, and behind them the number of all. */
  readonly sampleStarts: Uint32Array;
  /** Milliseconds since the epoch. */
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** Native histograms by the place of their sample, ascending. */
  readonly histograms: readonly (readonly [place: number, histogram: NativeHistogram])[];
}

/** Samples between two looks at the signal, about a millisecond's; a series counts as some by itself. */
const SAMPLES_PER_LOOK = 100_000;
const SERIES_WORK = 20;

/**
 * Packs series in their order.
 * @param signal looked at between series
 * @param which of the samples; where only the last is wanted, series without any have none
 */
export function packSeries(
  series: readonly SeriesSamples[],
  signal: { readonly aborted: boolean },
  which: 'all' | 'last' = 'all',
): PackedSeries {
  const firstOf = (one: SeriesSamples): number => (which === 'all' ? 0 : Math.max(0, one.timestamps.length - 1));
  let [labels, samples] = [0, 0];
  for (const one of series) {
    labels += one.labels.length;
    samples += one.timestamps.length - firstOf(one);
  }
  const labelEnds = new Uint32Array(labels);
  const labelStarts = new Uint32Array(series.length + 1);
  const sampleStarts = new Uint32Array(series.length + 1);
  const timestamps = new Float64Array(samples);
  const values = new Float64Array(samples);
  const valueBits = bitsOf(values);
  const histograms: [number, NativeHistogram][] = [];
  const texts: string[] = [];
  let [label, end, sample, unseen] = [0, 0, 0, 0];
  for (let s = 0; s < series.length; s++) {
    const one = series[s];
    unseen += one.timestamps.length + SERIES_WORK;
    if (unseen > SAMPLES_PER_LOOK) {
      throwIfStopped(signal);
      unseen = 0;
    }
    texts.push(one.labels.join(''));
    for (const text of one.labels) labelEnds[label++] = end += text.length;
    const bits = bitsOf(one.values);
    const first = firstOf(one);
    const shift = sample - first;
    for (let i = first; i < one.timestamps.length; i++) {
      timestamps[shift + i] = one.timestamps[i];
      // As words: a copy through doubles may turn a staleness marker into another NaN.
      valueBits[2 * (shift + i)] = bits[2 * i];
      valueBits[2 * (shift + i) + 1] = bits[2 * i + 1];
      const histogram = one.histograms?.[i];
      if (histogram) histograms.push([shift + i, histogram]);
    }
    labelStarts[s + 1] = label;
    sampleStarts[s + 1] = sample = shift + one.timestamps.length;
  }
  const labelText = texts.join('');
  return { count: series.length, labelText, labelEnds, labelStarts, sampleStarts, timestamps, values, histograms };
}

/** The memory that may move to another thread with the series. */
export function transferOf(packed: PackedSeries): ArrayBuffer[] {
  const { labelEnds, labelStarts, sampleStarts, timestamps, values } = packed;
  return [labelEnds, labelStarts, sampleStarts, timestamps, values].map((column) => column.buffer as ArrayBuffer);
}

/** The series, one after the other; their columns are views of the packed ones. */
export function* unpackSeries(packed: PackedSeries): Iterable<SeriesSamples> {
  const { count, sampleStarts, timestamps, values, histograms } = packed;
  let next = 0;
  for (let s = 0; s < count; s++) {
    const [from, to] = [sampleStarts[s], sampleStarts[s + 1]];
    let own: (NativeHistogram | undefined)[] | undefined;
    for (; next < histograms.length && histograms[next][0] < to; next++) {
      own ??= new Array(to - from);
      own[histograms[next][0] - from] = histograms[next][1];
    }
    yield {
      labels: labelsAt(packed, s),
      timestamps: timestamps.subarray(from, to),
      values: values.subarray(from, to),
      histograms: own,
    };
  }
}

function labelsAt({ labelText, labelEnds, labelStarts }: PackedSeries, series: number): Labels {
  const labels: string[] = [];
  for (let i = labelStarts[series]; i < labelStarts[series + 1]; i++) {
    labels.push(labelText.slice(i === 0 ? 0 : labelEnds[i - 1], labelEnds[i]));
  }
  return labels;
}
