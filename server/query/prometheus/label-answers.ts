import { BarographError, type Labels, labelsToRecord, type MetricMetadata } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { throwIfStopped } from '../stop-flags.ts';
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
 * @throws BarographError of the selectors, `query_limit` where the answer would be too large, `cancelled`.
 */
export async function answerLabels(
  request: LabelQuery,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<Uint8Array | string> {
  const { startMs, endMs, limit } = request;
  const sets = matcherSets(request.match);
  switch (request.kind) {
    case 'series':
      // One more than asked for tells whether something was left out.
      return encodeSeries(await reader.series(sets, startMs, endMs, limit > 0 ? limit + 1 : 0, signal), limit, signal);
    case 'labels':
      return encodeTexts(await reader.labelNames(sets, startMs, endMs, signal), limit);
    case 'label_values':
      return encodeTexts(await reader.labelValues(request.label, sets, startMs, endMs, signal), limit);
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

/** Bytes of an answer at most, as for query results: what clients can still take. */
const MAX_BYTES = 512 * 1024 * 1024;
/** Series that are written at a time, so that no answer is one string. */
const BATCH_SERIES = 1000;

/** By objects and `JSON.stringify`, which nothing written by hand was faster than (60 MB, 300,000 series). */
function encodeSeries(found: readonly Labels[], limit: number, signal: AbortSignal): Uint8Array {
  const isCut = limit > 0 && found.length > limit;
  const count = isCut ? limit : found.length;
  const parts: Buffer[] = [Buffer.from('{"status":"success","data":[')];
  let size = 0;
  for (let from = 0; from < count; from += BATCH_SERIES) {
    throwIfStopped(signal);
    const batch = found.slice(from, Math.min(count, from + BATCH_SERIES)).map(recordOf);
    const part = Buffer.from(`${from > 0 ? ',' : ''}${JSON.stringify(batch).slice(1, -1)}`);
    size += part.length;
    if (size > MAX_BYTES) throw tooLarge();
    parts.push(part);
  }
  parts.push(Buffer.from(`]${isCut ? TRUNCATED_JSON : ''}}`));
  return Buffer.concat(parts);
}

function recordOf(labels: Labels): Record<string, string> {
  // Assignment would take this name for the object's prototype.
  return labels.includes('__proto__') ? Object.fromEntries(pairsOf(labels)) : labelsToRecord(labels);
}

function* pairsOf(labels: Labels): Iterable<[string, string]> {
  for (let i = 0; i < labels.length; i += 2) yield [labels[i], labels[i + 1]];
}

function tooLarge(): BarographError {
  return new BarographError({
    code: 'query_limit',
    status: 422,
    where: 'answer',
    got: `more than ${MAX_BYTES} bytes of labels`,
    fix: 'add matchers, shorten the time range, or set limit',
  });
}

function encodeTexts(found: readonly string[], limit: number): string {
  const isCut = limit > 0 && found.length > limit;
  const data = JSON.stringify(isCut ? found.slice(0, limit) : found);
  return `{"status":"success","data":${data}${isCut ? TRUNCATED_JSON : ''}}`;
}
