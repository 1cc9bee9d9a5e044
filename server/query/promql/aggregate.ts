import {
  compactHistogram,
  type Labels,
  type NativeHistogram,
  NO_LABELS,
  preciseMean,
  sumHistograms,
} from '../../model/index.ts';
import { countValues, isSelection, selectMembers } from './aggregate-select.ts';
import type { Aggregate, Expr } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import { formatG } from './format.ts';
import { GroupIndex } from './group-index.ts';
import { quantileOf } from './statistics.ts';
import { emptyHistogramSeries, emptySeries, isEmptySeries, type VectorSeries } from './values.ts';

/** The series that one result is made of. */
export interface Group {
  readonly labels: Labels;
  readonly members: VectorSeries[];
  /** Whether any member's name is to be dropped; then the result's is. */
  dropName: boolean;
}

/** Evaluates an aggregation over every step. `param` is the scalar parameter by step, `name` that of `count_values`. */
export function aggregate(
  expr: Aggregate,
  input: VectorSeries[],
  param: Float64Array | undefined,
  name: string,
  steps: number,
  context: EvaluationContext,
): VectorSeries[] {
  if (expr.op === 'count_values') return countValues(expr, input, name, steps, context);
  if (param && expr.op === 'quantile') checkQuantiles(param, expr.param as Expr, context);
  const groups = groupSeries(expr, input, context);
  if (isSelection(expr.op)) return selectMembers(expr, groups, param as Float64Array, steps, context);
  const out: VectorSeries[] = [];
  for (const group of groups) {
    context.tick();
    const series = reduceGroup(expr, group, param, steps, context);
    if (!isEmptySeries(series)) out.push(series);
  }
  return out;
}

function checkQuantiles(param: Float64Array, expr: Expr, context: EvaluationContext): void {
  const bad = param.find((q) => !(q >= 0 && q <= 1));
  if (bad !== undefined) {
    context.warn(`quantile value should be between 0 and 1, got ${formatG(bad)}`, expr.position);
  }
}

function groupSeries(expr: Aggregate, input: VectorSeries[], context: EvaluationContext): Group[] {
  const index = new GroupIndex<Group>(expr, (labels) => ({ labels, members: [], dropName: false }));
  for (const series of input) {
    context.tick();
    const group = index.of(series.labels);
    group.members.push(series);
    group.dropName ||= series.dropName;
  }
  return index.groups;
}

/** What adding a histogram costs, in floats. */
const HISTOGRAM_WORK = 100;

/** Reductions that are one pass over whole columns while there are only floats. */
const BY_COLUMN: ReadonlySet<string> = new Set(['sum', 'count', 'min', 'max', 'avg', 'group', 'stddev', 'stdvar']);

function reduceGroup(
  expr: Aggregate,
  group: Group,
  param: Float64Array | undefined,
  steps: number,
  context: EvaluationContext,
): VectorSeries {
  const mixed = group.members.some((member) => member.histograms);
  if (!mixed && BY_COLUMN.has(expr.op)) return reduceColumns(expr.op, group, steps, context);
  if (!mixed && expr.op === 'quantile' && param) return quantileColumn(group, param, steps, context);
  const out = emptyHistogramSeries(group.labels, steps, group.dropName);
  const floats = new Float64Array(group.members.length);
  const histograms: NativeHistogram[] = [];
  for (let step = 0; step < steps; step++) {
    context.tick(group.members.length);
    let count = 0;
    histograms.length = 0;
    for (const member of group.members) {
      if (!member.has[step]) continue;
      const histogram = member.histograms?.[step];
      if (histogram) histograms.push(histogram);
      else floats[count++] = member.values[step];
    }
    if (count + histograms.length === 0) continue;
    const value = reduceStep(expr, floats.subarray(0, count), histograms, param?.[step] ?? 0, context);
    if (value === undefined) continue;
    out.has[step] = 1;
    context.tick(HISTOGRAM_WORK * histograms.length);
    if (typeof value === 'number') out.values[step] = value;
    else out.histograms[step] = value;
  }
  return mixed ? out : { ...out, histograms: undefined };
}

/** Steps that are gathered at a time: as many values as come from memory together. */
const GATHERED_STEPS = 8;

/** `quantile` of floats: values are gathered for some steps at once, so that each member is waited for less often. */
function quantileColumn(group: Group, param: Float64Array, steps: number, context: EvaluationContext): VectorSeries {
  const { members } = group;
  const out = emptySeries(group.labels, steps, group.dropName);
  const gathered = Array.from({ length: GATHERED_STEPS }, () => new Float64Array(members.length));
  const counts = new Int32Array(GATHERED_STEPS);
  for (let base = 0; base < steps; base += GATHERED_STEPS) {
    context.tick(members.length * GATHERED_STEPS);
    const width = Math.min(GATHERED_STEPS, steps - base);
    counts.fill(0);
    for (const { values, has } of members) {
      for (let k = 0; k < width; k++) if (has[base + k]) gathered[k][counts[k]++] = values[base + k];
    }
    for (let k = 0; k < width; k++) {
      if (counts[k] === 0) continue;
      out.has[base + k] = 1;
      out.values[base + k] = quantileOf(param[base + k], gathered[k].subarray(0, counts[k]));
    }
  }
  return out;
}

function reduceColumns(op: Aggregate['op'], group: Group, steps: number, context: EvaluationContext): VectorSeries {
  const out = emptySeries(group.labels, steps, group.dropName);
  const { values, has } = out;
  switch (op) {
    case 'count':
      for (const member of group.members) {
        context.tick(steps);
        const present = member.has;
        for (let i = 0; i < steps; i++) values[i] += present[i];
      }
      for (let i = 0; i < steps; i++) has[i] = Number(values[i] > 0);
      return out;
    case 'group':
      for (const member of group.members) {
        context.tick(steps);
        for (let i = 0; i < steps; i++) has[i] |= member.has[i];
      }
      values.set(has);
      return out;
    case 'min':
    case 'max':
      for (const member of group.members) {
        context.tick(steps);
        extremes(op === 'min' ? -1 : 1, member, values, has);
      }
      return out;
    case 'sum':
    case 'avg':
      sumColumns(group, out, op === 'avg', context);
      return out;
    default:
      varianceColumns(group, out, op === 'stddev', context);
      return out;
  }
}

function extremes(sign: 1 | -1, member: VectorSeries, values: Float64Array, has: Uint8Array): void {
  const { values: input, has: present } = member;
  for (let i = 0; i < values.length; i++) {
    if (!present[i]) continue;
    // NaN gives way to anything.
    if (!has[i] || input[i] * sign > values[i] * sign || Number.isNaN(values[i])) values[i] = input[i];
    has[i] = 1;
  }
}

function sumColumns({ members }: Group, out: VectorSeries, average: boolean, context: EvaluationContext): void {
  const { values, has } = out;
  const steps = values.length;
  const lost = new Float64Array(steps);
  const counts = new Uint32Array(steps);
  for (const member of members) {
    context.tick(steps);
    const { values: input, has: present } = member;
    for (let i = 0; i < steps; i++) {
      if (!present[i]) continue;
      const value = input[i];
      const sum = values[i];
      const next = sum + value;
      if (next === Infinity || next === -Infinity) lost[i] = 0;
      else lost[i] += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
      values[i] = next;
      counts[i]++;
    }
  }
  for (let i = 0; i < steps; i++) {
    if (counts[i] === 0) continue;
    has[i] = 1;
    if (!average) values[i] += lost[i];
    else if (Number.isFinite(values[i])) values[i] = values[i] / counts[i] + lost[i] / counts[i];
    else {
      // The sum overflowed or holds infinities; the mean may be finite even so.
      const all = members.filter((member) => member.has[i]).map((member) => member.values[i]);
      values[i] = preciseMean(all, 0, all.length);
    }
  }
}

/** Welford's method, member by member. */
function varianceColumns({ members }: Group, out: VectorSeries, root: boolean, context: EvaluationContext): void {
  const { values, has } = out;
  const steps = values.length;
  const means = new Float64Array(steps);
  const counts = new Uint32Array(steps);
  for (const member of members) {
    context.tick(steps);
    const { values: input, has: present } = member;
    for (let i = 0; i < steps; i++) {
      if (!present[i]) continue;
      const distance = input[i] - means[i];
      means[i] += distance / ++counts[i];
      values[i] += distance * (input[i] - means[i]);
    }
  }
  for (let i = 0; i < steps; i++) {
    if (counts[i] === 0) continue;
    has[i] = 1;
    values[i] /= counts[i];
    if (root) values[i] = Math.sqrt(values[i]);
  }
}

/** One step whose values may be histograms; `floats` may be reordered. */
function reduceStep(
  expr: Aggregate,
  floats: Float64Array,
  histograms: readonly NativeHistogram[],
  param: number,
  context: EvaluationContext,
): number | NativeHistogram | undefined {
  const { op } = expr;
  if (op === 'count') return floats.length + histograms.length;
  if (op === 'group') return 1;
  if (op === 'sum' || op === 'avg') {
    if (histograms.length === 0) return reduceFloats(op, floats);
    if (floats.length > 0) {
      context.warn('encountered a mix of histograms and floats for aggregation', expr.expr.position);
      return undefined;
    }
    return sumOf(expr, histograms, context);
  }
  if (histograms.length > 0) context.info(`ignored histogram in ${op} aggregation`, expr.expr.position);
  if (floats.length === 0) return undefined;
  return op === 'quantile' ? quantileOf(param, floats) : reduceFloats(op, floats);
}

/** One step of floats by the same code as whole columns: each value is a member with one step. */
function reduceFloats(op: Aggregate['op'], floats: Float64Array): number {
  const has = Uint8Array.of(1);
  const members = Array.from(floats, (value) => ({
    labels: NO_LABELS,
    values: Float64Array.of(value),
    has,
    histograms: undefined,
    dropName: false,
  }));
  const out = emptySeries(NO_LABELS, 1);
  const group = { labels: NO_LABELS, members, dropName: false };
  const quiet = { tick: () => {} } as EvaluationContext;
  return reduceColumns(op, group, out.values.length, quiet).values[0];
}

function sumOf(
  expr: Aggregate,
  histograms: readonly NativeHistogram[],
  context: EvaluationContext,
): NativeHistogram | undefined {
  const { position } = expr.expr;
  const sum = sumHistograms(histograms, expr.op === 'avg' ? 1 / histograms.length : 1);
  if (!sum) {
    context.warn('vector contains a mix of histograms with exponential and custom buckets schemas', position);
    return undefined;
  }
  if (sum.reconciled) context.info('mismatched custom buckets were reconciled during aggregation', position);
  if (sum.collision) context.warn('conflicting counter resets during histogram aggregation', position);
  return compactHistogram(sum.value);
}
