import { compareLabels, createMatcher, type Matcher } from '../../model/index.ts';
import type { LogReader } from '../../store/index.ts';
import { compareNanLast } from './aggregate.ts';
import type { Column, Columns, Grid } from './columns.ts';
import { DETECTED_LEVEL_LABEL, detectLevel } from './detected-level.ts';
import { cancelledError, invalidQuery, limitError } from './errors.ts';
import { evaluateMetric } from './evaluate.ts';
import { DEFAULT_LIMITS, type LogqlLimits } from './limits.ts';
import { ERROR_DETAILS_LABEL, ERROR_LABEL, LineState } from './line-state.ts';
import { parseLogql, parseSelectorExpr } from './parse.ts';
import { runStages } from './pipeline.ts';
import { type LogPlan, type MetricPlan, planLogql, printPlan } from './plan.ts';
import type { LogResult, LogRow, ResultSeries } from './result.ts';
import { compileScan, type QueryContext, type ScanStats } from './scan.ts';
import { compileMatch } from './stages/label-filter.ts';

/** What a query is asked over. */
export interface LogqlParams {
  /** Lines: first nanosecond, inclusive. Numbers: time of the first step. */
  readonly startNs: bigint;
  /** Lines: last nanosecond, exclusive. Numbers: time that no step is after; of an instant query its time. */
  readonly endNs: bigint;
  /** Nanoseconds between steps; 0 asks for one value at `endNs` (an instant query). Log queries ignore it. */
  readonly stepNs: bigint;
  /** Lines at most, 1 to `maxEntries`; metric queries ignore it (default 100). */
  readonly limit?: number;
  /** Which lines come first and are kept (default `backward`: the newest). */
  readonly direction?: 'forward' | 'backward';
  /** Adds `detected_level` to the metadata of lines without one, as Loki does when it stores them (default false). */
  readonly detectLevels?: boolean;
  readonly limits?: Partial<LogqlLimits>;
  readonly signal?: AbortSignal;
}

/**
 * Runs a query.
 * @throws BarographError `logql_syntax`, `logql_invalid`, `logql_unsupported`, `logql_pipeline`, `query_limit`, `cancelled`.
 */
export async function queryLogql(text: string, params: LogqlParams, reader: LogReader): Promise<LogResult> {
  const started = performance.now();
  const plan = planLogql(parseLogql(text));
  const limits = { ...DEFAULT_LIMITS, ...params.limits };
  const stats: ScanStats = { lines: 0, characters: 0 };
  const context: QueryContext = { reader, limits, signal: params.signal, stats };
  if (params.signal?.aborted) throw cancelledError();
  const finish = (entries: number) => ({ ...stats, entries, seconds: (performance.now() - started) / 1000 });
  if (plan.kind === 'log') {
    const rows = await readRows(plan, params, context);
    return { kind: 'streams', rows, stats: finish(rows.length) };
  }
  const instant = params.stepNs === 0n;
  const grid = instant ? { startNs: params.endNs, stepNs: 1n, count: 1 } : gridOf(params, limits);
  const columns = await evaluateMetric(plan, grid, context);
  if (instant && columns.kind === 'scalar') {
    return { kind: 'scalar', seconds: secondsOf(grid.startNs), value: columns.values[0], stats: finish(1) };
  }
  const series = seriesOf(columns, grid);
  if (instant) sortVector(series, plan);
  else series.sort((a, b) => compareLabels(a.labels, b.labels));
  const entries = series.reduce((n, { values }) => n + values.length, 0);
  return { kind: instant ? 'vector' : 'matrix', series, stats: finish(entries) };
}

/** How a query would run, as text: one node a line. @throws as `parseLogql`. */
export function explainLogql(text: string): string {
  return printPlan(planLogql(parseLogql(text)));
}

/**
 * The matchers of a selector such as `{app="a", env=~"b|c"}`, as `match[]` and `query` of the metadata routes give them;
 * `{}` and empty text are no matchers.
 * @throws BarographError `logql_syntax`, `logql_invalid`.
 */
export function parseLogSelector(text: string): Matcher[] {
  if (text.trim() === '') return [];
  return parseSelectorExpr(text).matchers.map(({ name, op, value }) => createMatcher(name, op, value));
}

function gridOf(params: LogqlParams, limits: LogqlLimits): Grid {
  const { startNs, endNs, stepNs } = params;
  if (stepNs < 0n)
    throw invalidQuery('step', `a step of ${stepNs} ns`, 'use a positive step, or 0 for an instant query');
  if (endNs < startNs) throw invalidQuery('time range', 'the end is before the start');
  const count = (endNs - startNs) / stepNs + 1n;
  if (count > BigInt(limits.maxSteps)) {
    throw limitError(
      'steps of a LogQL query',
      String(count),
      limits.maxSteps,
      'use a longer step or a shorter time range',
    );
  }
  return { startNs, stepNs, count: Number(count) };
}

/** Nanoseconds as seconds, exact to the microsecond for today's times. */
function secondsOf(ns: bigint): number {
  return Number(ns / 1000n) / 1e6;
}

function seriesOf(result: Columns, grid: Grid): ResultSeries[] {
  const columns: readonly Column[] =
    result.kind === 'series'
      ? result.columns
      : [{ labels: [], values: result.values, present: new Uint8Array(grid.count).fill(1) }];
  const times = Array.from({ length: grid.count }, (_, k) => secondsOf(grid.startNs + BigInt(k) * grid.stepNs));
  const series: ResultSeries[] = [];
  for (const { labels, values, present } of columns) {
    const [seconds, kept]: [number[], number[]] = [[], []];
    for (let k = 0; k < grid.count; k++) {
      if (present[k] === 0) continue;
      seconds.push(times[k]);
      kept.push(values[k]);
    }
    if (kept.length > 0) series.push({ labels, seconds, values: kept });
  }
  return series;
}

/** Ranked and sorted vectors come in the order of their values, others in that of their labels. */
function sortVector(series: ResultSeries[], plan: MetricPlan): void {
  const op = plan.kind === 'vector' ? plan.op : undefined;
  series.sort((a, b) => compareLabels(a.labels, b.labels));
  if (op === 'sort_desc' || op === 'topk' || op === 'approx_topk') {
    series.sort((a, b) => compareNanLast(a.values[0], b.values[0], (x, y) => y - x));
  } else if (op === 'sort' || op === 'bottomk') {
    series.sort((a, b) => compareNanLast(a.values[0], b.values[0], (x, y) => x - y));
  }
}

/** Lines between two looks at the signal: some milliseconds of the slowest stages. */
const LINES_PER_LOOK = 1024;

async function readRows(plan: LogPlan, params: LogqlParams, context: QueryContext): Promise<LogRow[]> {
  const { limit = 100, direction = 'backward', startNs, endNs } = params;
  const { limits, signal, stats } = context;
  if (!Number.isInteger(limit) || limit < 1 || limit > limits.maxEntries) {
    throw limitError(
      'limit of a log query',
      String(limit),
      limits.maxEntries,
      'ask for a whole number of lines from 1',
    );
  }
  const stages = compileScan(plan.scan);
  const state = new LineState();
  const rows: LogRow[] = [];
  const request = {
    matchers: plan.scan.matchers.map((match) => compileMatch(match, () => '')),
    startNs,
    endNs,
    contains: plan.scan.contains,
    direction,
    expectedLines: limit,
  };
  for await (const batch of context.reader.select(request, signal)) {
    for (let i = 0; i < batch.lines.length; i++) {
      if (i % LINES_PER_LOOK === 0 && signal?.aborted) throw cancelledError();
      stats.lines++;
      stats.characters += batch.lines[i].length;
      state.reset(batch.streams[i], batch.metadata[i], batch.timestampsNs[i], batch.lines[i]);
      if (!runStages(stages, state)) continue;
      rows.push(rowOf(state, params.detectLevels === true ? batch.lines[i] : undefined));
      if (rows.length === limit) return rows;
    }
  }
  return rows;
}

function rowOf(state: LineState, detectIn: string | undefined): LogRow {
  let metadata = state.metadataLabels();
  if (detectIn !== undefined && state.getLabel(DETECTED_LEVEL_LABEL) === undefined) {
    const level = detectLevel(state.originalStream, state.originalMetadata, detectIn);
    metadata = [DETECTED_LEVEL_LABEL, level, ...metadata];
  }
  const parsed =
    state.error === ''
      ? state.parsedLabels()
      : [ERROR_LABEL, state.error, ERROR_DETAILS_LABEL, state.errorDetails, ...state.parsedLabels()];
  return { stream: state.streamLabels(), metadata, parsed, timestampNs: state.timestampNs, line: state.line };
}
