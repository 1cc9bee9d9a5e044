import { labelsFromRecord } from '../../model/index.ts';
import type { LogBatch, LogReader } from '../../store/index.ts';
import type { RangeOp } from './ast.ts';
import { type Column, checkSeries, emptyColumn, type Grid } from './columns.ts';
import { cancelledError, pipelineError } from './errors.ts';
import { ALL_LABELS, WantedLabels } from './label-name.ts';
import type { LogqlLimits } from './limits.ts';
import { LineState } from './line-state.ts';
import { addDetectedLevel, compileStages, type RunStage, runStages } from './pipeline.ts';
import type { MetricPlan, ScanPlan } from './plan.ts';
import { SeriesIndex } from './series-index.ts';
import { compileMatch } from './stages/label-filter.ts';
import { type Accumulator, type AccumulatorContext, createAccumulator, cutCells } from './windows.ts';

/** What a query touched; part of every answer. */
export interface ScanStats {
  /** Lines that were run through a pipeline. */
  lines: number;
  /** Their length in characters. */
  characters: number;
}

/** What every part of a running query needs. */
export interface QueryContext {
  readonly reader: LogReader;
  readonly limits: LogqlLimits;
  readonly signal: AbortSignal | undefined;
  readonly stats: ScanStats;
}

type RangePlan = MetricPlan & { kind: 'range' };

/** Positions were checked when the query was parsed; compiling again can't fail. */
const NO_POSITION = () => '';

/** The stages of a scan as functions. */
export function compileScan(scan: ScanPlan): RunStage[] {
  const wanted = scan.wanted === 'all' ? ALL_LABELS : new WantedLabels(scan.wanted);
  const stages = compileStages(scan.stages, wanted, NO_POSITION);
  return scan.detectLevel ? [addDetectedLevel, ...stages] : stages;
}

/**
 * Evaluates a range function over the whole grid in one pass over its lines.
 * @throws BarographError `logql_pipeline` where a line fails in a stage, `query_limit`, `cancelled`.
 */
export async function scanRange(plan: RangePlan, grid: Grid, context: QueryContext): Promise<Column[]> {
  const cells = cutCells(grid, plan.rangeNs, plan.offsetNs);
  const index = new SeriesIndex(
    plan.op === 'absent_over_time' ? { kind: 'by', labels: [] } : plan.grouping,
    plan.unwraps,
  );
  const unwraps = plan.unwraps !== undefined;
  const { limits } = context;
  const shared: AccumulatorContext = {
    op: plan.op,
    unwraps,
    param: plan.param ?? 0,
    rangeNs: plan.rangeNs,
    offsetNs: plan.offsetNs,
    grid,
    cells,
    limits,
    samples: 0,
  };
  const accumulators: Accumulator[] = [];
  const stages = compileScan(plan.scan);
  const state = new LineState();
  const measure = measureOf(plan.op, unwraps);
  let cell = 0;
  const first = cells.ends[0];
  const last = cells.ends[cells.ends.length - 1];
  for await (const batch of selectLines(plan.scan, first + 1n, last + 1n, context)) {
    const { timestampsNs, lines, streams, metadata } = batch;
    for (let i = 0; i < lines.length; i++) {
      const timeNs = timestampsNs[i];
      if (timeNs <= first || timeNs > last) continue;
      while (cells.ends[cell] < timeNs) cell++;
      if (cells.firstStep[cell] > cells.lastStep[cell]) continue;
      context.stats.lines++;
      context.stats.characters += lines[i].length;
      state.reset(streams[i], metadata[i], timeNs, lines[i]);
      if (!runStages(stages, state)) continue;
      if (state.error !== '') throw pipelineError(state.error, state.errorDetails);
      const number = index.find(state);
      if (number === accumulators.length) {
        checkSeries(number + 1, grid.count, limits);
        accumulators.push(createAccumulator(shared));
      }
      accumulators[number].add(cell, measure(state), timeNs);
    }
  }
  const columns = accumulators.map((accumulator, i) => {
    const column = emptyColumn(index.series[i], grid.count);
    accumulator.finish(column, cells);
    return column;
  });
  return plan.op === 'absent_over_time' ? [absentColumn(plan, columns[0], grid)] : columns;
}

function measureOf(op: RangeOp, unwraps: boolean): (state: LineState) => number {
  if (op === 'bytes_over_time' || op === 'bytes_rate') return (state) => Buffer.byteLength(state.line);
  return unwraps ? (state) => state.sample : () => 1;
}

/** 1 where no line was, with the labels that the selector fixes. */
function absentColumn(plan: RangePlan, lines: Column | undefined, grid: Grid): Column {
  const fixed: Record<string, string> = {};
  const seen = new Set<string>();
  for (const { name, op, value } of plan.scan.matchers) {
    if (seen.has(name) || op !== '=') delete fixed[name];
    else fixed[name] = value;
    seen.add(name);
  }
  const column = emptyColumn(labelsFromRecord(fixed), grid.count);
  for (let k = 0; k < grid.count; k++) {
    if (lines?.present[k]) continue;
    column.values[k] = 1;
    column.present[k] = 1;
  }
  return column;
}

/** Lines between two looks at the signal: some milliseconds of the slowest stages. */
const LINES_PER_LOOK = 1024;

/** The lines `[from, to)` of a batch, or those of them that there are. */
function partOf(batch: LogBatch, from: number, to: number): LogBatch {
  if (from === 0 && to >= batch.lines.length) return batch;
  return {
    streams: batch.streams.slice(from, to),
    timestampsNs: batch.timestampsNs.subarray(from, to),
    lines: batch.lines.slice(from, to),
    metadata: batch.metadata.slice(from, to),
  };
}

/** The batches of a scan in ascending time; `startNs` is inclusive, `endNs` exclusive. */
export async function* selectLines(
  scan: ScanPlan,
  startNs: bigint,
  endNs: bigint,
  context: QueryContext,
): AsyncIterable<LogBatch> {
  const request = {
    matchers: scan.matchers.map((match) => compileMatch(match, NO_POSITION)),
    startNs,
    endNs,
    contains: scan.contains,
    direction: 'forward',
    expectedLines: 0,
  } as const;
  for await (const batch of context.reader.select(request, context.signal)) {
    for (let from = 0; from < batch.lines.length; from += LINES_PER_LOOK) {
      if (context.signal?.aborted) throw cancelledError();
      yield partOf(batch, from, from + LINES_PER_LOOK);
    }
  }
}
