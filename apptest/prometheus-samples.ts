import { type Exemplar, labelsFromRecord, type MetricMetadata, type NativeHistogram } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';

/** A series for a test: its labels, and what it has at each step. */
export interface TestSeries {
  readonly labels: Record<string, string>;
  /** `undefined` where it has nothing. */
  readonly at: (step: number) => number | NativeHistogram | undefined;
}

/** When steps are. */
export interface TestSteps {
  readonly startMs: number;
  readonly stepMs: number;
  readonly count: number;
}

/** What is sent beside samples. */
export interface TestExtras {
  readonly exemplars?: readonly { readonly series: number; readonly exemplar: Exemplar }[];
  readonly metadata?: readonly MetricMetadata[];
}

/** Sends series by remote write 1.0; resolves with the status once they are durable. */
export async function writeSeries(
  url: string,
  series: readonly TestSeries[],
  { startMs, stepMs, count }: TestSteps,
  extras: TestExtras = {},
): Promise<number> {
  const samples: { series: number; ms: number; value: number }[] = [];
  const histograms: { series: number; timestampMs: number; histogram: NativeHistogram }[] = [];
  for (let step = 0; step < count; step++) {
    const ms = startMs + step * stepMs;
    series.forEach(({ at }, s) => {
      const value = at(step);
      if (typeof value === 'number') samples.push({ series: s, ms, value });
      else if (value) histograms.push({ series: s, timestampMs: ms, histogram: value });
    });
  }
  const body = encodeWriteRequest({
    series: series.map(({ labels }) => labelsFromRecord(labels)),
    sampleSeries: Uint32Array.from(samples, (s) => s.series),
    sampleTimestampMs: Float64Array.from(samples, (s) => s.ms),
    sampleValue: Float64Array.from(samples, (s) => s.value),
    histograms,
    ...extras,
  });
  const response = await fetch(`${url}/api/v1/write`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    body: Buffer.from(snappyCompress(body)),
  });
  return response.status;
}
