import type { Labels, MetricMetadata } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { LabelJson } from './label-json.ts';
import { matcherSets } from './selectors.ts';

/** A time range over samples, milliseconds since the epoch, both inclusive. */
export interface MetricRange {
  readonly startMs: number;
  readonly endMs: number;
}

/** Requests for series, label names and label values. */
export type LabelQuery =
  | (MetricRange & {
      readonly kind: 'series' | 'labels';
      /** Selectors; none mean every series. */
      readonly match: readonly string[];
      /** Items at most; 0 for none. */
      readonly limit: number;
    })
  | (MetricRange & {
      readonly kind: 'label_values';
      readonly label: string;
      readonly match: readonly string[];
      readonly limit: number;
    });

/** Requests for what is known about metrics. */
export interface MetadataQuery {
  readonly kind: 'metadata';
  readonly metric: string | undefined;
  /** Metrics at most; `undefined` for all, and 0 is none, as in Prometheus. */
  readonly limit: number | undefined;
}

/** Prometheus's words where a list was cut. */
export const TRUNCATED = 'results truncated due to limit';
const TRUNCATED_JSON = `,"warnings":[${JSON.stringify(TRUNCATED)}]`;

/**
 * Answers a request for series, names or values.
 * @throws BarographError of the selectors, `query_limit` where the answer would be too large.
 */
export async function answerLabels(request: LabelQuery, reader: MetricReader): Promise<Uint8Array | string> {
  const { startMs, endMs, limit } = request;
  const sets = matcherSets(request.match);
  switch (request.kind) {
    case 'series':
      // One more than asked for tells whether something was left out.
      return encodeSeries(await reader.series(sets, startMs, endMs, limit > 0 ? limit + 1 : 0), limit);
    case 'labels':
      return encodeTexts(await reader.labelNames(sets, startMs, endMs), limit);
    case 'label_values':
      return encodeTexts(await reader.labelValues(request.label, sets, startMs, endMs), limit);
  }
}

/** Answers a request for metadata. */
export async function answerMetadata(request: MetadataQuery, reader: MetricReader): Promise<string> {
  const found = await reader.metadata(request.metric);
  const kept = request.limit === undefined ? found : found.slice(0, request.limit);
  const data = kept.map((one) => `${JSON.stringify(one.metric)}:[${JSON.stringify(entryOf(one))}]`);
  return `{"status":"success","data":{${data.join(',')}}}`;
}

function entryOf({ type, unit, help }: MetricMetadata) {
  return { type, unit, help };
}

function encodeSeries(found: readonly Labels[], limit: number): Uint8Array {
  const isCut = limit > 0 && found.length > limit;
  const count = isCut ? limit : found.length;
  const out = new LabelJson();
  out.text('{"status":"success","data":[');
  for (let i = 0; i < count; i++) {
    if (i > 0) out.text(',');
    out.labels(found[i]);
  }
  out.text(`]${isCut ? TRUNCATED_JSON : ''}}`);
  return out.finish();
}

function encodeTexts(found: readonly string[], limit: number): string {
  const isCut = limit > 0 && found.length > limit;
  const data = JSON.stringify(isCut ? found.slice(0, limit) : found);
  return `{"status":"success","data":${data}${isCut ? TRUNCATED_JSON : ''}}`;
}
