import {
  bucketsOf,
  CUSTOM_BUCKETS_SCHEMA,
  compareLabels,
  type Labels,
  labelsToRecord,
  type NativeHistogram,
} from '../../model/index.ts';
import type { PromResult } from './engine.ts';
import { formatValue } from './format.ts';
import type { VectorSeries } from './values.ts';

/** A result as the body of Prometheus's `query` and `query_range` answers. */
export function encodePrometheus(result: PromResult): string {
  const notes = [
    result.warnings.length > 0 ? `,"warnings":${JSON.stringify(result.warnings)}` : '',
    result.infos.length > 0 ? `,"infos":${JSON.stringify(result.infos)}` : '',
  ].join('');
  return `{"status":"success","data":${encodeData(result)}${notes}}`;
}

function encodeData(result: PromResult): string {
  const { value, steps } = result;
  const time = encodeTime(steps.startMs);
  switch (value.kind) {
    case 'string':
      return `{"resultType":"string","result":[${time},${JSON.stringify(value.value)}]}`;
    case 'matrix': {
      const series = [...value.series].sort((a, b) => compareLabels(a.labels, b.labels));
      const rows = series.map(({ labels, timestamps, values, histograms }) =>
        encodeSeries(
          labels,
          timestamps.length,
          (i) => timestamps[i],
          (i) => values[i],
          (i) => histograms?.[i],
          () => true,
        ),
      );
      return `{"resultType":"matrix","result":[${rows.join(',')}]}`;
    }
    case 'scalar': {
      if (result.kind === 'instant')
        return `{"resultType":"scalar","result":[${time},"${formatValue(value.values[0])}"]}`;
      const has = new Uint8Array(value.values.length).fill(1);
      return encodeMatrix([{ labels: [], values: value.values, has, histograms: undefined, dropName: false }], result);
    }
    case 'vector': {
      const sorted = value.sorted && result.kind === 'instant';
      const series = sorted ? value.series : [...value.series].sort((a, b) => compareLabels(a.labels, b.labels));
      if (result.kind === 'range') return encodeMatrix(series, result);
      const rows = series
        .filter((one) => one.has[0])
        .map((one) => {
          const histogram = one.histograms?.[0];
          const sample = histogram
            ? `"histogram":[${time},${encodeHistogram(histogram)}]`
            : `"value":[${time},"${formatValue(one.values[0])}"]`;
          return `{"metric":${encodeMetric(one.labels)},${sample}}`;
        });
      return `{"resultType":"vector","result":[${rows.join(',')}]}`;
    }
  }
}

function encodeMatrix(series: readonly VectorSeries[], { steps }: PromResult): string {
  const times = Array.from({ length: steps.count }, (_, i) => encodeTime(steps.startMs + i * steps.stepMs));
  const rows = series.map(({ labels, values, has, histograms }) =>
    encodeSeries(
      labels,
      steps.count,
      (i) => times[i],
      (i) => values[i],
      (i) => histograms?.[i],
      (i) => has[i] === 1,
    ),
  );
  return `{"resultType":"matrix","result":[${rows.filter((row) => row !== '').join(',')}]}`;
}

function encodeSeries(
  labels: Labels,
  count: number,
  timeAt: (i: number) => string | number,
  valueAt: (i: number) => number,
  histogramAt: (i: number) => NativeHistogram | undefined,
  hasAt: (i: number) => boolean,
): string {
  const floats: string[] = [];
  const histograms: string[] = [];
  for (let i = 0; i < count; i++) {
    if (!hasAt(i)) continue;
    const time = timeAt(i);
    const text = typeof time === 'number' ? encodeTime(time) : time;
    const histogram = histogramAt(i);
    if (histogram) histograms.push(`[${text},${encodeHistogram(histogram)}]`);
    else floats.push(`[${text},"${formatValue(valueAt(i))}"]`);
  }
  const parts: string[] = [];
  if (floats.length > 0) parts.push(`"values":[${floats.join(',')}]`);
  if (histograms.length > 0) parts.push(`"histograms":[${histograms.join(',')}]`);
  return parts.length === 0 ? '' : `{"metric":${encodeMetric(labels)},${parts.join(',')}}`;
}

/** Milliseconds as the seconds that Prometheus writes: without trailing zeros. */
function encodeTime(ms: number): string {
  return String(ms / 1000);
}

function encodeMetric(labels: Labels): string {
  return JSON.stringify(labelsToRecord(labels));
}

/** Boundary rules: 0 open on the left, 1 open on the right, 2 open, 3 closed. Empty buckets are left out. */
function encodeHistogram(h: NativeHistogram): string {
  const buckets = bucketsOf(h)
    .filter((bucket) => bucket.count !== 0)
    .map(({ lower, upper, count }) => {
      const rule = h.schema === CUSTOM_BUCKETS_SCHEMA ? 0 : lower < 0 && upper > 0 ? 3 : lower < 0 ? 1 : 0;
      return `[${rule},"${formatValue(lower)}","${formatValue(upper)}","${formatValue(count)}"]`;
    });
  const list = buckets.length > 0 ? `,"buckets":[${buckets.join(',')}]` : '';
  return `{"count":"${formatValue(h.count)}","sum":"${formatValue(h.sum)}"${list}}`;
}
