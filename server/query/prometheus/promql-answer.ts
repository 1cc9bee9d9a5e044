import { compareLabels, type Labels, type SeriesSamples } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { type Crew, encodePrometheus, type PromResult, type QueryOptions, queryPromql } from '../promql/index.ts';
import { watchLoop } from '../stop-flags.ts';
import { TRUNCATED } from './label-answers.ts';
import { countQueryable, countSubquery, type SubquerySamples } from './query-samples.ts';

/** A request for the value of an expression. Times are milliseconds. */
export interface PromqlQuery {
  readonly kind: 'promql';
  readonly query: string;
  readonly startMs: number;
  readonly endMs: number;
  /** 0 for an instant query. */
  readonly stepMs: number;
  readonly lookbackMs: number | undefined;
  /** Milliseconds that the request may take, if less than the server allows. */
  readonly timeoutMs: number | undefined;
  /** Series of the answer at most; 0 for none. */
  readonly limit: number;
  /** When it was asked for, in milliseconds since the epoch, if the answer is to tell how it was made. */
  readonly statsSinceMs: number | undefined;
  /** Whether it is to tell the samples of each step too. Default false. */
  readonly hasStepStats?: boolean;
  /** Pairs of a metric and a label whose values governance folded, as `metric\0label`; the pool adds them. */
  readonly folded?: readonly string[];
}

/** Answers an expression with the body of Prometheus's `query` and `query_range`. */
export async function answerPromql(
  request: PromqlQuery,
  reader: MetricReader,
  signal: AbortSignal,
  crew?: Crew,
): Promise<Uint8Array> {
  if (request.statsSinceMs !== undefined) return answerWithStats(request, request.statsSinceMs, reader, signal);
  const result = await queryPromql(request.query, { ...optionsOf(request, signal), crew }, reader);
  return encodePrometheus(limited(result, request.limit, signal), signal);
}

function optionsOf({ startMs, endMs, stepMs, lookbackMs, folded }: PromqlQuery, signal: AbortSignal) {
  // The pool keeps the time: it knows how long the request waited, and it answers while this thread is busy.
  const limits = { timeoutMs: Number.POSITIVE_INFINITY };
  return { startMs, endMs, stepMs, lookbackMs, limits, signal, folded };
}

/** The first `limit` series of a result in the order of its answer, with Prometheus's warning where it had more. */
function limited(result: PromResult, limit: number, signal: AbortSignal): PromResult {
  const { value, kind } = result;
  if (limit <= 0 || value.kind === 'scalar' || value.kind === 'string') return result;
  const warnings = [...result.warnings, TRUNCATED].sort();
  if (value.kind === 'matrix') {
    const series = value.series.filter(({ timestamps }) => timestamps.length > 0);
    if (series.length <= limit) return result;
    sortByLabels(series, signal);
    return { ...result, value: { ...value, series: series.slice(0, limit) }, warnings };
  }
  const series = value.series.filter(({ has }) => has.includes(1));
  if (series.length <= limit) return result;
  if (kind === 'range' || value.sorted !== true) sortByLabels(series, signal);
  return { ...result, value: { ...value, series: series.slice(0, limit) }, warnings };
}

function sortByLabels(series: { readonly labels: Labels }[], signal: AbortSignal): void {
  const look = watchLoop(signal, 16_384);
  series.sort((a, b) => {
    look();
    return compareLabels(a.labels, b.labels);
  });
}

const now = (): number => performance.timeOrigin + performance.now();

async function answerWithStats(
  request: PromqlQuery,
  askedMs: number,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const startedMs = now();
  const watched = watchSelects(reader);
  const subqueries: SubquerySamples = new Map();
  const onSubquery: QueryOptions['onSubquery'] = (node, found) => countSubquery(node, found, subqueries);
  const result = await queryPromql(request.query, { ...optionsOf(request, signal), onSubquery }, watched.reader);
  const evaluationMs = now() - startedMs;
  const cut = limited(result, request.limit, signal);
  const body = encodePrometheus({ ...cut, warnings: [], infos: [] }, signal);
  const counts = countQueryable(request, watched.data, subqueries);
  const samples = {
    ...(request.hasStepStats ? { totalQueryableSamplesPerStep: stepStats(counts, request) } : {}),
    totalQueryableSamples: counts.reduce((sum, count) => sum + count, 0),
    peakSamples: result.peakSamples,
  };
  const timings = {
    evalTotalTime: evaluationMs / 1000,
    // Results are sorted while they are encoded, which is not part of the evaluation.
    resultSortTime: 0,
    queryPreparationTime: watched.selectMs() / 1000,
    innerEvalTime: Math.max(0, evaluationMs - watched.selectMs()) / 1000,
    execQueueTime: Math.max(0, startedMs - askedMs) / 1000,
    execTotalTime: (now() - startedMs) / 1000,
  };
  return insertStats(body, { timings, samples }, cut);
}

/** Pairs of a step's time in seconds and its samples. */
function stepStats(counts: Float64Array, { startMs, stepMs }: PromqlQuery): (readonly [number, number])[] {
  return Array.from(counts, (count, step) => [(startMs + step * stepMs) / 1000, count] as const);
}

/** A reader that remembers what was selected, in the order of the calls, and how long that took. */
function watchSelects(reader: MetricReader) {
  const data: SeriesSamples[][] = [];
  let calls = 0;
  let firstMs = Number.POSITIVE_INFINITY;
  let lastMs = 0;
  const select: MetricReader['select'] = async (request, signal) => {
    const call = calls++;
    firstMs = Math.min(firstMs, now());
    const found = await reader.select(request, signal);
    lastMs = now();
    data[call] = found;
    return found;
  };
  const watched: MetricReader = Object.create(reader, { select: { value: select } });
  return { reader: watched, data, selectMs: () => Math.max(0, lastMs - firstMs) };
}

/** The answer with `stats` in its data and its annotations behind; `body` has none of them, so it ends with `}}`. */
function insertStats(
  body: Uint8Array,
  stats: unknown,
  { warnings, infos }: Pick<PromResult, 'warnings' | 'infos'>,
): Uint8Array {
  let tail = `,"stats":${JSON.stringify(stats)}}`;
  if (warnings.length > 0) tail += `,"warnings":${JSON.stringify(warnings)}`;
  if (infos.length > 0) tail += `,"infos":${JSON.stringify(infos)}`;
  const added = Buffer.from(`${tail}}`);
  const end = body.length - 2;
  const out = new Uint8Array(end + added.length);
  out.set(body.subarray(0, end));
  out.set(added, end);
  return out;
}
