import type { SeriesSamples } from '../../model/index.ts';
import type { SeriesScan } from '../../store/index.ts';
import { isMergeable, StreamedAggregation, type StreamedOp, type Sums } from './aggregate-stream.ts';
import type { Aggregate } from './ast.ts';
import { EvaluationContext, type EvaluationLimits } from './context.ts';
import { Evaluator, matrixOf } from './evaluate.ts';
import { type FoldedShare, foldedShare } from './folded.ts';
import { parsePromql } from './parse.ts';
import { type Fetch, type Plan, type PlanNode, planQuery, type QueryTimes } from './plan.ts';
import type { VectorSeries } from './values.ts';

/*
 * An aggregation straight over a selector's series is made in parts: some series at a time are read and added up, and the
 * sums are merged. What is read of one part fits into the processor's cache, memory doesn't grow with the number of
 * series, and threads that have nothing to do take parts from the others. Which series make a part depends on nothing
 * but the query, and parts are merged in their order, so the same query gives the same bits whoever did the work.
 */

/** Samples of a part at least, about: less isn't worth its own sums. */
export const DEFAULT_PART_SAMPLES = 12_000;
/** Parts of a job that isn't large: enough to share evenly, and few to merge. */
const USUAL_PARTS = 8;
/** A part has at most so many times the least samples, so that they stay in the processor's caches. */
const MAX_PART_FACTOR = 12;
/** Milliseconds between samples, about, when their number is guessed. */
const USUAL_INTERVAL_MS = 15_000;

/** What a thread must know to work on parts of an aggregation: plain data. */
export interface PartJob {
  readonly query: string;
  readonly times: QueryTimes;
  readonly delayedNameRemoval: boolean;
  readonly limits: EvaluationLimits;
  readonly folded: readonly string[];
  /** The aggregation, as the place in the plan's list of parted ones. */
  readonly place: number;
  /** The numbers of the series, ascending; a part is `partSeries` of them. */
  readonly ids: Uint32Array;
  readonly partSeries: number;
}

/** What one part gives: plain data. */
export interface PartResult {
  readonly groups: readonly Sums[];
  readonly share: FoldedShare;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** A job of which several threads take parts. */
export interface SharedWork {
  /** The number of the next part that nobody has taken, or −1. */
  take(): number;
  /**
   * The results of parts that others have taken; one is missing where its thread ended. Called once nothing is left.
   * @throws BarographError what went wrong in another thread.
   */
  collect(): Promise<ReadonlyMap<number, PartResult>>;
  /** Nobody needs the results any more. */
  end(): void;
}

/** The other threads. */
export interface Crew {
  /** Offers the parts to whoever has nothing to do. */
  offer(job: PartJob, parts: number): SharedWork;
}

/** An aggregation that can be made in parts, and what it reads. */
export interface Parted {
  readonly node: PlanNode;
  readonly op: StreamedOp;
  readonly fetch: number;
}

/** The aggregations of a plan that can be made in parts, in the order in which they stand. */
export function partedNodes(plan: Plan): readonly Parted[] {
  const consumers = new Uint32Array(plan.fetches.length);
  const seen = new Set<PlanNode>();
  const count = (node: PlanNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (node.fetch !== undefined) consumers[node.fetch]++;
    for (const input of node.inputs) count(input);
  };
  count(plan.root);
  const found = new Map<PlanNode, Parted>();
  const look = (node: PlanNode): void => {
    const parted = partedOf(node);
    // What somebody else reads as well is better read once.
    if (parted && consumers[parted.fetch] === 1) {
      found.set(node, parted);
      return;
    }
    // Below something that stands in several places, remarks would need all of them.
    if (node.shifts.length > 1) return;
    for (const input of node.inputs) look(input);
  };
  look(plan.root);
  return [...found.values()];
}

function partedOf(node: PlanNode): Parted | undefined {
  const { expr, kind, steps } = node;
  if (kind !== 'evaluate' || expr.kind !== 'aggregate' || !isMergeable(expr.op) || steps.count === 0) return undefined;
  const [input] = node.inputs;
  if (input.kind !== 'evaluate' || input.uses > 1) return undefined;
  // It looks at all series at once.
  if (input.expr.kind === 'call' && input.expr.name === 'absent_over_time') return undefined;
  // A call with other arguments than its range would have to be told their values.
  const selector = input.expr.kind === 'selector' ? input : input.inputs.length === 1 ? matrixOf(input) : undefined;
  if (selector?.fetch === undefined || selector.uses > 1 || selector.stats) return undefined;
  return { node, op: expr.op, fetch: selector.fetch };
}

/**
 * How many series make a part of a fetch.
 * @param series that it has in all
 * @param leastSamples that a part should have, about
 */
export function partSeriesOf({ startMs, endMs }: Fetch, series: number, leastSamples: number): number {
  const perSeries = Math.max(1, (endMs - startMs) / USUAL_INTERVAL_MS);
  const least = Math.ceil(leastSamples / perSeries);
  return Math.min(Math.max(least, Math.ceil(series / USUAL_PARTS)), least * MAX_PART_FACTOR);
}

/** Evaluates parts of one job. */
export class PartWork {
  private readonly job: PartJob;
  private readonly plan: Plan;
  private readonly parted: Parted;
  private readonly isCancelled: () => boolean;

  /** @param plan That of the job, where it is known already. */
  constructor(
    job: PartJob,
    isCancelled: () => boolean,
    plan: Plan = planQuery(job.query, parsePromql(job.query), job.times),
  ) {
    this.job = job;
    this.plan = plan;
    this.parted = partedNodes(plan)[job.place];
    this.isCancelled = isCancelled;
  }

  /** What the job reads. */
  get fetch(): Fetch {
    return this.plan.fetches[this.parted.fetch];
  }

  /** Reads and adds up one part. */
  run(part: number, scan: SeriesScan): PartResult {
    const { job, plan, parted } = this;
    const found = scan.read(part * job.partSeries, (part + 1) * job.partSeries);
    const data: SeriesSamples[][] = plan.fetches.map(() => []);
    data[parted.fetch] = found;
    const { query, limits, delayedNameRemoval } = job;
    const context = new EvaluationContext({ query, limits, delayedNameRemoval, isCancelled: this.isCancelled });
    const groups = new Evaluator(plan, data, context).part(parted.node, parted.op);
    if (!groups) throw new Error('BUG: a part of an aggregation that was chosen for parts can not be streamed');
    return {
      groups,
      share: foldedShare(found, job.folded),
      warnings: [...context.warnings],
      infos: [...context.infos],
    };
  }
}

/** The result of an aggregation made in parts, and how much of what was read was folded. */
export interface PartedResult {
  /** `undefined` where all values must be looked at at once; see `StreamedAggregation.finish`. */
  readonly series: VectorSeries[] | undefined;
  readonly shares: readonly FoldedShare[];
}

/** Makes an aggregation in parts, by this thread and those of the crew. */
export async function aggregateInParts(
  job: PartJob,
  plan: Plan,
  scan: SeriesScan,
  crew: Crew | undefined,
  context: EvaluationContext,
): Promise<PartedResult> {
  const work = new PartWork(job, () => context.isStopped(), plan);
  const parts = Math.ceil(job.ids.length / job.partSeries);
  const shared = crew?.offer(job, parts) ?? alone(parts);
  const results: (PartResult | undefined)[] = new Array(parts);
  try {
    for (let part = shared.take(); part >= 0; part = shared.take()) {
      context.checkTime();
      results[part] = work.run(part, scan);
    }
    for (const [part, result] of await shared.collect()) {
      results[part] = result;
      scan.countElsewhere(result.share.samples);
    }
    // A thread that ended takes its parts with it.
    for (let part = 0; part < parts; part++) results[part] ??= work.run(part, scan);
  } finally {
    shared.end();
  }
  const { node, op } = partedNodes(plan)[job.place];
  const sums = new StreamedAggregation(node.expr as Aggregate, op, node.steps.count, context);
  for (const result of results) {
    const { groups, warnings, infos } = result as PartResult;
    sums.merge(groups);
    for (const warning of warnings) context.warnings.add(warning);
    for (const info of infos) context.infos.add(info);
    context.tick(groups.length * node.steps.count);
  }
  return { series: sums.finish(), shares: results.map((result) => (result as PartResult).share) };
}

function alone(parts: number): SharedWork {
  let next = 0;
  return { take: () => (next < parts ? next++ : -1), collect: async () => new Map(), end: () => {} };
}
