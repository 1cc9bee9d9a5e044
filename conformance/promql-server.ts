import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { serve } from '../server/cmd/serve.ts';
import { parseConfig } from '../server/config/index.ts';
import { labelsFromRecord, type NativeHistogram, type SeriesSamples } from '../server/model/index.ts';
import { encodeWriteRequest, snappyCompress } from '../server/wire/index.ts';
import type { Answer, AnswerSeries, JsonHistogram, PromqlTarget, QueryTime } from './promql-target.ts';

/** A target that is a whole server: what is loaded goes in by remote write, what is asked goes over the HTTP API. */
export interface ServerTarget extends PromqlTarget {
  close(): Promise<void>;
}

/** Starts a server in this process on free ports, with a folder of its own. */
export async function serverTarget(): Promise<ServerTarget> {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-conformance-'));
  const ports = { port: 0, otlp_http_port: 0, otlp_grpc_port: 0 };
  // The scripts' time begins in 1970, which a server that forgets after a year shows nobody.
  const kept = { age: 'forever' };
  const retention = { fleet: kept, per_model: kept, exemplars: kept };
  const running = await serve(parseConfig({ data, server: ports, log_level: 'error', retention }));
  const post = (route: string, body: URLSearchParams | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    fetch(`${running.url}/api/v1/${route}`, { method: 'POST', body, headers });
  return {
    async clear() {
      const everything = new URLSearchParams({ 'match[]': '{__name__=~".+"}' });
      const response = await post('admin/tsdb/delete_series', everything);
      if (response.status !== 204) throw new Error(`delete_series: ${response.status} ${await response.text()}`);
    },
    async load(series) {
      const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
      const response = await post('write', new Uint8Array(snappyCompress(encodeSeries(series))), headers);
      // Some scripts load what governance refuses, such as buckets whose bound is no number; the rest is stored.
      if (!response.ok && response.status !== 400)
        throw new Error(`write: ${response.status} ${await response.text()}`);
    },
    async query(query, time) {
      const response = await post(time.stepMs === 0 ? 'query' : 'query_range', queryParams(query, time));
      const answer = (await response.json()) as ApiAnswer;
      if (answer.status !== 'success') throw new Error(answer.error);
      return toAnswer(answer, time);
    },
    async close() {
      await running.close();
      fs.rmSync(data, { recursive: true, force: true });
    },
  };
}

function queryParams(query: string, { startMs, endMs, stepMs }: QueryTime): URLSearchParams {
  if (stepMs === 0) return new URLSearchParams({ query, time: String(startMs / 1000) });
  const [start, end, step] = [startMs, endMs, stepMs].map((ms) => String(ms / 1000));
  return new URLSearchParams({ query, start, end, step });
}

function encodeSeries(series: readonly SeriesSamples[]): Uint8Array {
  const rows = series.flatMap(({ timestamps, values, histograms }, s) =>
    Array.from(timestamps, (timestampMs, i) => ({ series: s, timestampMs, histogram: histograms?.[i], values, i })),
  );
  const floats = rows.filter(({ histogram }) => histogram === undefined);
  const sampleValue = new Float64Array(floats.length);
  const bits = new BigUint64Array(sampleValue.buffer);
  // Copied as bits, because staleness markers are a NaN among others.
  floats.forEach(({ values, i }, row) => {
    bits[row] = new BigUint64Array(values.buffer, values.byteOffset, values.length)[i];
  });
  return encodeWriteRequest({
    series: series.map(({ labels }) => labels),
    sampleSeries: Uint32Array.from(floats, (row) => row.series),
    sampleTimestampMs: Float64Array.from(floats, (row) => row.timestampMs),
    sampleValue,
    histograms: rows.flatMap(({ series: s, timestampMs, histogram }) =>
      histogram ? [{ series: s, timestampMs, histogram: histogram as NativeHistogram }] : [],
    ),
  });
}

/** The part of Prometheus's answers that scripts look at. */
interface ApiAnswer {
  readonly status: 'success' | 'error';
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data: {
    readonly resultType: 'scalar' | 'string' | 'vector' | 'matrix';
    readonly result: readonly ApiSeries[] | readonly [number, string];
  };
}

interface ApiSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
  readonly histogram?: readonly [number, JsonHistogram];
  readonly histograms?: readonly (readonly [number, JsonHistogram])[];
}

function toAnswer({ data, warnings = [], infos = [] }: ApiAnswer, { stepMs }: QueryTime): Answer {
  const { resultType } = data;
  if (resultType === 'string' || resultType === 'scalar') {
    const [seconds, text] = data.result as readonly [number, string];
    const points = new Map([[Math.round(seconds * 1000), parseValue(text)]]);
    const series = resultType === 'scalar' ? [{ labels: [], points }] : [];
    return { kind: resultType, text: resultType === 'string' ? text : undefined, series, warnings, infos };
  }
  const series = (data.result as readonly ApiSeries[]).map(toSeries);
  // A range query answers with a matrix whatever the expression is; its points are those of the steps.
  return { kind: stepMs === 0 ? resultType : 'vector', text: undefined, series, warnings, infos };
}

function toSeries({ metric, value, values, histogram, histograms }: ApiSeries): AnswerSeries {
  const points = new Map<number, number | JsonHistogram>();
  for (const [t, v] of values ?? (value ? [value] : [])) points.set(Math.round(t * 1000), parseValue(v));
  for (const [t, h] of histograms ?? (histogram ? [histogram] : [])) points.set(Math.round(t * 1000), h);
  return { labels: labelsFromRecord(metric), points };
}

function parseValue(text: string): number {
  return text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
}
