import { bitsOf, type NativeHistogram, type SeriesSamples, scaleHistogram } from '../../model/index.ts';
import { aggregate } from './aggregate.ts';
import { checkParameter } from './aggregate-select.ts';
import { isStreamed, StreamedAggregation, type StreamedOp, type Sums } from './aggregate-stream.ts';
import { type Aggregate, type Call, type Unary, unparen } from './ast.ts';
import { binary } from './binary.ts';
import { ScratchColumn, type SeriesSink } from './columns.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { INSTANT_FUNCTIONS } from './functions.ts';
import { histogramWeight } from './histogram-text.ts';
import { joinInfo } from './info.ts';
import { absentLabels, absentSeries } from './label-functions.ts';
import type { Plan, PlanNode } from './plan.ts';
import { matrixInput, type RangeCall, type RangeSeries, rangeColumns, rangeInto } from './range.ts';
import { instantSelector, selectInto, withDetectedResets } from './selector.ts';
import { EXPERIMENTAL_AGGREGATIONS, EXPERIMENTAL_FUNCTIONS } from './signatures.ts';
import { StreamedTop, streamedK } from './top-stream.ts';
import {
  dropped,
  joinDropped,
  removeMarkedNames,
  scalarOf,
  textOf,
  type Value,
  type VectorSeries,
  vectorOf,
} from './values.ts';

/** Evaluates a plan over fetched data. Synchronous; asks the context for limits, the deadline and cancellation. */
export class Evaluator {
  readonly plan: Plan;
  readonly context: EvaluationContext;
  private readonly data: readonly (readonly SeriesSamples[])[];
  /** Values that more consumers wait for, and how many. */
  private readonly shared = new Map<PlanNode, { readonly value: Value; uses: number }>();
  /** How many samples each value that still exists counts as. */
  private readonly held = new Map<PlanNode, number>();
  private readonly onSubquery: ((node: PlanNode, found: readonly RangeSeries[]) => void) | undefined;
  private readonly detected = new Map<number, readonly SeriesSamples[]>();
  /** Values that were made elsewhere. */
  private readonly given = new Map<PlanNode, VectorSeries[]>();

  /**
   * @param data The answer to each of the plan's fetches.
   * @param onSubquery Told what each subquery gives.
   */
  constructor(
    plan: Plan,
    data: readonly (readonly SeriesSamples[])[],
    context: EvaluationContext,
    onSubquery?: (node: PlanNode, found: readonly RangeSeries[]) => void,
  ) {
    this.plan = plan;
    this.onSubquery = onSubquery;
    this.data = data;
    this.context = context;
    for (const series of data) for (const one of series) context.charge(weightOf(one));
  }

  /** Says what an aggregation gives, which was made in parts before. */
  give(node: PlanNode, series: VectorSeries[]): void {
    this.given.set(node, series);
  }

  /** An aggregation of the fetched series, which are a part of all, unfinished; `undefined` where it can't be streamed. */
  part(node: PlanNode, op: StreamedOp): readonly Sums[] | undefined {
    const [input] = node.inputs;
    if (!this.canStream(input)) return undefined;
    const sums = new StreamedAggregation(node.expr as Aggregate, op, node.steps.count, this.context);
    this.context.at(node.shifts, () =>
      this.stream(input, (labels, dropName, column) => sums.add(labels, dropName, column)),
    );
    return sums.groups;
  }

  /** The result of the whole plan, names that were to be dropped gone. */
  run(): Value {
    const value = this.evaluate(this.plan.root);
    if (value.kind !== 'vector') return value;
    return { ...value, series: removeMarkedNames(value.series) };
  }

  /** The value of a node; of a shared one it is kept until its last consumer took it. */
  evaluate(node: PlanNode): Value {
    const known = this.shared.get(node);
    if (known) {
      if (--known.uses === 0) this.shared.delete(node);
      return known.value;
    }
    const value = this.context.at(node.shifts, () => this.compute(node));
    const cells = value.kind === 'vector' ? value.series.length * node.steps.count : node.steps.count;
    this.context.charge(cells);
    this.held.set(node, cells);
    if (node.uses > 1) this.shared.set(node, { value, uses: node.uses - 1 });
    // What this node was made of is garbage now, unless somebody else still waits for it.
    for (const input of node.inputs) this.release(input);
    return value;
  }

  private release(node: PlanNode): void {
    if (node.expr.kind === 'subquery' && node.kind === 'evaluate') return this.release(node.inputs[0]);
    if (this.shared.has(node)) return;
    this.context.release(this.held.get(node) ?? 0);
    this.held.delete(node);
  }

  private compute(node: PlanNode): Value {
    if (node.kind === 'once') return repeat(this.evaluate(node.inputs[0]), node.steps.count);
    const { expr, steps } = node;
    switch (expr.kind) {
      case 'number':
        return { kind: 'scalar', values: new Float64Array(steps.count).fill(expr.value) };
      case 'string':
        return { kind: 'string', value: expr.value };
      case 'paren':
        return this.evaluate(node.inputs[0]);
      case 'unary':
        return this.unary(expr, node);
      case 'selector':
        return { kind: 'vector', series: instantSelector(node, this.samplesOf(node), 'value', this.context) };
      case 'matrix':
      case 'subquery':
        throw executionError('BUG: a range vector is evaluated by the function around it');
      case 'binary':
        return binary(expr, this.evaluate(node.inputs[0]), this.evaluate(node.inputs[1]), this.context);
      case 'aggregate':
        return this.aggregate(expr, node);
      case 'call':
        return this.call(expr, node);
    }
  }

  private aggregate(expr: Aggregate, node: PlanNode): Value {
    const { count } = node.steps;
    const given = this.given.get(node);
    if (given) return { kind: 'vector', series: given };
    if (EXPERIMENTAL_AGGREGATIONS.has(expr.op)) {
      this.context.info(`the aggregation ${expr.op} is experimental`, expr.position);
    }
    const param = node.inputs[1] ? this.evaluate(node.inputs[1]) : undefined;
    const scalars = param?.kind === 'scalar' ? param.values : undefined;
    const sorted = (expr.op === 'topk' || expr.op === 'bottomk') && count === 1;
    const streamed = this.streamAggregate(expr, node, scalars);
    if (streamed) return { kind: 'vector', series: streamed, sorted };
    const input = vectorOf(this.evaluate(node.inputs[0]));
    const name = param?.kind === 'string' ? textOf(param) : '';
    return { kind: 'vector', series: aggregate(expr, input, scalars, name, count, this.context), sorted };
  }

  /** An aggregation that takes its input series by series, so that the input is never held as a whole. */
  private streamAggregate(
    expr: Aggregate,
    { inputs, steps }: PlanNode,
    param: Float64Array | undefined,
  ): VectorSeries[] | undefined {
    const [input] = inputs;
    if (!this.canStream(input)) return undefined;
    if (isStreamed(expr.op)) {
      const sums = new StreamedAggregation(expr, expr.op, steps.count, this.context);
      this.stream(input, (labels, dropName, column) => sums.add(labels, dropName, column));
      return sums.finish();
    }
    const k = streamedK(expr, param, steps.count);
    if (k === undefined) return undefined;
    checkParameter(expr, param as Float64Array, this.context);
    const top = new StreamedTop(expr, k, this.streamedSamples(input).length, steps.count, this.context);
    this.stream(input, (labels, dropName, column) => top.add(labels, dropName, column));
    return top.finish();
  }

  /** Whether a node gives series of floats straight from samples, for nobody else. */
  private canStream(node: PlanNode): boolean {
    if (node.uses > 1 || node.kind === 'once' || !this.context.delayedNameRemoval) return false;
    if (node.expr.kind === 'call' && node.expr.name === 'absent_over_time') return false;
    if (node.expr.kind !== 'selector' && matrixOf(node) === undefined) return false;
    return !this.streamedSamples(node).some(({ histograms }) => histograms);
  }

  /** What a node that can be streamed reads. */
  private streamedSamples(node: PlanNode): readonly SeriesSamples[] {
    return this.samplesOf(node.expr.kind === 'selector' ? node : (matrixOf(node) as PlanNode));
  }

  /** Gives the series of a node that can be streamed to a sink, each in the same column. */
  private stream(node: PlanNode, sink: SeriesSink): void {
    const { context, plan } = this;
    const column = new ScratchColumn(node.steps.count);
    context.at(node.shifts, () => {
      if (node.expr.kind === 'selector') {
        selectInto(node, this.samplesOf(node), 'value', context, column, sink);
      } else rangeInto(this.rangeCall(node.expr as Call, node), plan, context, column, sink);
    });
    for (const input of node.inputs) this.release(input);
  }

  private unary(expr: Unary, node: PlanNode): Value {
    const value = this.evaluate(node.inputs[0]);
    if (expr.op === '+') return value;
    if (value.kind === 'scalar') return { kind: 'scalar', values: value.values.map((v) => -v) };
    const series = vectorOf(value).map((one) => ({
      ...one,
      ...dropped(one, this.context),
      values: one.values.map((v) => -v),
      histograms: one.histograms?.map((h) => h && scaleHistogram(h, -1)),
    }));
    return { kind: 'vector', series: joinDropped(series, this.context) };
  }

  private call(expr: Call, node: PlanNode): Value {
    const { context } = this;
    if (node.inputs.some(isRangeInput)) return this.overRange(expr, node);
    this.sayExperimental(expr);
    if (expr.name === 'timestamp') return this.timestamp(expr, node);
    if (expr.name === 'info') {
      const [base, info] = node.inputs;
      const samples = this.samplesOf(info);
      if (samples.some(({ histograms }) => histograms))
        throw executionError('this should be an info metric, with float samples');
      const times = instantSelector(info, samples, 'time', context);
      return { kind: 'vector', series: joinInfo(expr, vectorOf(this.evaluate(base)), times, context) };
    }
    const args = node.inputs.map((input) => this.evaluate(input));
    const f = INSTANT_FUNCTIONS.get(expr.name);
    if (!f) throw executionError(`BUG: the function ${expr.name} has a signature and no implementation`);
    return f({ call: expr, args, steps: node.steps, times: this.plan.times, context });
  }

  private overRange(expr: Call, node: PlanNode): Value {
    const { plan, context } = this;
    const call = this.rangeCall(expr, node);
    if (expr.name === 'absent_over_time') {
      const present = rangeColumns({ ...call, name: 'present_over_time' }, plan, context);
      const labels = absentLabels(expr.args[node.inputs.indexOf(call.input)]);
      return { kind: 'vector', series: absentSeries(labels, present, node.steps.count) };
    }
    return { kind: 'vector', series: rangeColumns(call, plan, context) };
  }

  private rangeCall(expr: Call, node: PlanNode): RangeCall {
    this.sayExperimental(expr);
    const range = node.inputs.findIndex(isRangeInput);
    const input = node.inputs[range];
    const args = node.inputs.filter((_, i) => i !== range).map((arg) => scalarOf(this.evaluate(arg)));
    return { name: expr.name, node, input, found: this.rangeSamples(input), args, position: expr.args[range].position };
  }

  private sayExperimental({ name, position }: Call): void {
    if (EXPERIMENTAL_FUNCTIONS.has(name)) this.context.info(`the function ${name} is experimental`, position);
  }

  /** The samples that a range selector or a subquery gives, with the flag of each series. */
  rangeSamples(input: PlanNode): RangeSeries[] {
    if (input.expr.kind !== 'subquery') return this.samplesOf(input).map((samples) => ({ samples, dropName: false }));
    const inner = input.inputs[0];
    const found = vectorOf(this.evaluate(inner)).map((series) => ({
      samples: toSamples(series, inner),
      dropName: series.dropName,
    }));
    this.onSubquery?.(input, found);
    return found;
  }

  private samplesOf(node: PlanNode): readonly SeriesSamples[] {
    const index = node.fetch as number;
    if (!node.stats) return this.data[index];
    let found = this.detected.get(index);
    if (!found) this.detected.set(index, (found = withDetectedResets(this.data[index], this.context)));
    return found;
  }

  /** `timestamp()` of a selector is the time of the sample itself; of anything else that of the step. */
  private timestamp(expr: Call, node: PlanNode): Value {
    const { context } = this;
    const arg = node.inputs[0];
    const own = unparen(expr.args[0]).kind === 'selector';
    const selector = arg.kind === 'once' ? arg.inputs[0] : arg;
    let input = own
      ? instantSelector(selector, this.samplesOf(selector), 'time', context)
      : vectorOf(this.evaluate(arg));
    if (own && arg.kind === 'once') input = vectorOf(repeat({ kind: 'vector', series: input }, node.steps.count));
    const { startMs, stepMs } = node.steps;
    const series = input.map((one) => ({
      ...one,
      ...dropped(one, context),
      values: own ? one.values : one.values.map((_, i) => (startMs + i * stepMs) / 1000),
      histograms: undefined,
    }));
    return { kind: 'vector', series: joinDropped(series, context) };
  }

  /** A range vector at the top of an instant query. */
  matrix(): SeriesSamples[] {
    const { root } = this.plan;
    return matrixInput(root, this.rangeSamples(root), this.context);
  }
}

/** The range selector that a call looks at. */
export function matrixOf({ expr, inputs }: PlanNode): PlanNode | undefined {
  if (expr.kind !== 'call') return undefined;
  return inputs.find((input) => input.kind === 'evaluate' && input.expr.kind === 'matrix');
}

function isRangeInput({ kind, expr }: PlanNode): boolean {
  return kind === 'evaluate' && (expr.kind === 'matrix' || expr.kind === 'subquery');
}

/** How many samples a series counts as in the limit. */
function weightOf({ timestamps, histograms }: SeriesSamples): number {
  if (!histograms) return timestamps.length;
  let weight = 0;
  for (const histogram of histograms) weight += histogram ? histogramWeight(histogram) : 1;
  return weight;
}

/** A value of one step at every step. */
function repeat(value: Value, count: number): Value {
  if (value.kind === 'string') return value;
  if (value.kind === 'scalar') return { kind: 'scalar', values: new Float64Array(count).fill(value.values[0]) };
  const series = value.series.map((one) => ({
    ...one,
    values: new Float64Array(count).fill(one.values[0]),
    has: new Uint8Array(count).fill(one.has[0]),
    histograms: one.histograms && new Array<NativeHistogram | undefined>(count).fill(one.histograms[0]),
  }));
  return { ...value, series };
}

/** A series of a subquery's inner expression as samples at its steps. */
function toSamples(series: VectorSeries, { steps }: PlanNode): SeriesSamples {
  let n = 0;
  for (let i = 0; i < steps.count; i++) n += series.has[i];
  const timestamps = new Float64Array(n);
  const values = new Float64Array(n);
  const histograms = series.histograms && new Array<NativeHistogram | undefined>(n);
  const [from, to] = [bitsOf(series.values), bitsOf(values)];
  let at = 0;
  for (let i = 0; i < steps.count; i++) {
    if (!series.has[i]) continue;
    timestamps[at] = steps.startMs + i * steps.stepMs;
    to[2 * at] = from[2 * i];
    to[2 * at + 1] = from[2 * i + 1];
    // What is known of a histogram's predecessor doesn't hold for the one that the subquery put before it.
    const histogram = series.histograms?.[i];
    if (histograms && histogram) {
      const keeps = histogram.counterResetHint === 'gauge' || histogram.counterResetHint === 'unknown';
      histograms[at] = keeps ? histogram : { ...histogram, counterResetHint: 'unknown' };
    }
    at++;
  }
  return { labels: series.labels, timestamps, values, histograms };
}
