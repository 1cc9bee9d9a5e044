import {
  BarographError,
  bucketsOf,
  CUSTOM_BUCKETS_SCHEMA,
  compareLabels,
  type Labels,
  type NativeHistogram,
  type SeriesSamples,
} from '../../model/index.ts';
import type { PromResult } from './engine.ts';
import { formatValue } from './format.ts';
import { JsonBytes, type SampleTimes, sampleTimes } from './json-bytes.ts';
import type { Steps } from './plan.ts';
import type { VectorSeries } from './values.ts';

/**
 * A result as the body of Prometheus's `query` and `query_range` answers, in UTF-8.
 * @param signal Looked at between series, since an answer of millions of samples takes a while.
 * @throws BarographError `query_limit` where the answer would be too large, `cancelled`.
 */
export function encodePrometheus(result: PromResult, signal?: { readonly aborted: boolean }): Uint8Array {
  const out = new JsonBytes();
  out.text('{"status":"success","data":{"resultType":');
  writeData(out, result, signal);
  out.text('}');
  if (result.warnings.length > 0) out.text(`,"warnings":${JSON.stringify(result.warnings)}`);
  if (result.infos.length > 0) out.text(`,"infos":${JSON.stringify(result.infos)}`);
  out.text('}');
  return out.finish(() => throwIfStopped(signal));
}

type Stop = { readonly aborted: boolean } | undefined;

function writeData(out: JsonBytes, result: PromResult, stop: Stop): void {
  const { value, steps } = result;
  const instant = result.kind === 'instant';
  switch (value.kind) {
    case 'string':
      out.text(`"string","result":[${encodeTime(steps.startMs)},${JSON.stringify(value.value.toWellFormed())}]`);
      return;
    case 'matrix':
      writeMatrix(out, inOrder(value.series, stop), stop, (series) => writeSamples(out, series));
      return;
    case 'scalar':
      if (instant) {
        out.text('"scalar","result":');
        out.sample(encodeTime(steps.startMs), value.values[0]);
      } else {
        const has = new Uint8Array(value.values.length).fill(1);
        const series = [{ labels: [], values: value.values, has, histograms: undefined }];
        writeColumns(out, series, steps, stop);
      }
      return;
    case 'vector': {
      const series = value.sorted && instant ? value.series : inOrder(value.series, stop);
      if (instant) writeVector(out, series, encodeTime(steps.startMs), stop);
      else writeColumns(out, series, steps, stop);
    }
  }
}

/** Comparisons between two looks at the signal. */
const COMPARISONS_BETWEEN_CHECKS = 16_384;

function inOrder<T extends { readonly labels: Labels }>(series: readonly T[], stop: Stop): readonly T[] {
  let comparisons = 0;
  return [...series].sort((a, b) => {
    if ((++comparisons & (COMPARISONS_BETWEEN_CHECKS - 1)) === 0) throwIfStopped(stop);
    return compareLabels(a.labels, b.labels);
  });
}

type Columns = Omit<VectorSeries, 'dropName'>;

function writeColumns(out: JsonBytes, series: readonly Columns[], { startMs, stepMs, count }: Steps, stop: Stop): void {
  const timeAt = (i: number): string => encodeTime(startMs + i * stepMs);
  const times = sampleTimes(Array.from({ length: count }, (_, i) => timeAt(i)));
  writeMatrix(out, series, stop, (one) => writeSteps(out, one, times, timeAt));
}

function writeVector(out: JsonBytes, series: readonly VectorSeries[], time: string, stop: Stop): void {
  out.text('"vector","result":[');
  let first = true;
  for (const { labels, values, has, histograms } of series) {
    if (!has[0]) continue;
    throwIfStopped(stop);
    if (!first) out.comma();
    first = false;
    writeMetric(out, labels);
    const histogram = histograms?.[0];
    if (histogram) out.text(`,"histogram":[${time},${encodeHistogram(histogram)}]}`);
    else {
      out.text(',"value":');
      out.sample(time, values[0]);
      out.text('}');
    }
  }
  out.text(']');
}

/** `write` writes the samples of a series and says whether there were any. */
function writeMatrix<T extends { readonly labels: Labels }>(
  out: JsonBytes,
  series: readonly T[],
  stop: Stop,
  write: (series: T) => boolean,
): void {
  out.text('"matrix","result":[');
  let first = true;
  for (const one of series) {
    throwIfStopped(stop);
    const before = out.size;
    if (!first) out.comma();
    writeMetric(out, one.labels);
    if (write(one)) {
      out.text('}');
      first = false;
    } else out.truncate(before);
  }
  out.text(']');
}

/** The columns of a range query. */
function writeSteps(
  out: JsonBytes,
  { values, has, histograms }: Omit<Columns, 'labels'>,
  times: SampleTimes,
  timeAt: (i: number) => string,
): boolean {
  const before = out.size;
  out.text(',"values":[');
  const floats = histograms ? has.map((present, i) => (histograms[i] ? 0 : present)) : has;
  const any = out.samples(times, values, floats);
  if (any) out.text(']');
  else out.truncate(before);
  if (!histograms) return any;
  const found: string[] = [];
  for (let i = 0; i < values.length; i++) {
    const histogram = has[i] ? histograms[i] : undefined;
    if (histogram) found.push(`[${timeAt(i)},${encodeHistogram(histogram)}]`);
  }
  if (found.length > 0) out.text(`,"histograms":[${found.join(',')}]`);
  return any || found.length > 0;
}

/** The raw samples of a range selector. */
function writeSamples(out: JsonBytes, { timestamps, values, histograms }: SeriesSamples): boolean {
  const times = Array.from(timestamps, encodeTime);
  const has = new Uint8Array(values.length).fill(1);
  const columns = { values, has, histograms: histograms as VectorSeries['histograms'] };
  return writeSteps(out, columns, sampleTimes(times), (i) => times[i]);
}

function throwIfStopped(stop: Stop): void {
  if (!stop?.aborted) return;
  throw new BarographError({ code: 'cancelled', status: 499, where: 'query', got: 'a cancelled request' });
}

/** Milliseconds as the seconds that Prometheus writes: without trailing zeros. */
function encodeTime(ms: number): string {
  return String(ms / 1000);
}

function writeMetric(out: JsonBytes, labels: Labels): void {
  out.text('{"metric":{');
  for (let i = 0; i < labels.length; i += 2) {
    if (i > 0) out.text(',');
    out.string(labels[i]);
    out.text(':');
    out.string(labels[i + 1]);
  }
  out.text('}');
}

/** Empty buckets are left out. */
function encodeHistogram(h: NativeHistogram): string {
  const buckets = bucketsOf(h)
    .filter((bucket) => bucket.count !== 0)
    .map(({ lower, upper, count }) => {
      const rule = boundaryRule(h, lower, upper);
      return `[${rule},"${formatValue(lower)}","${formatValue(upper)}","${formatValue(count)}"]`;
    });
  const list = buckets.length > 0 ? `,"buckets":[${buckets.join(',')}]` : '';
  return `{"count":"${formatValue(h.count)}","sum":"${formatValue(h.sum)}"${list}}`;
}

/** Prometheus's numbers: 0 open on the left, 1 open on the right, 3 closed: the zero bucket and the lowest custom one. */
function boundaryRule(h: NativeHistogram, lower: number, upper: number): 0 | 1 | 3 {
  if (h.schema === CUSTOM_BUCKETS_SCHEMA) return lower === Number.NEGATIVE_INFINITY ? 3 : 0;
  if (lower === -upper) return 3;
  return lower < 0 ? 1 : 0;
}
