import {
  addHistograms,
  type Labels,
  labelsKey,
  METRIC_NAME,
  type NativeHistogram,
  NO_LABELS,
  onlyLabels,
  scaleHistogram,
  withLabel,
  withoutLabels,
} from '../../model/index.ts';
import type { Aggregate } from './ast.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { formatValue } from './format.ts';
import { quantile } from './range-functions.ts';
import { emptySeries, isEmptySeries, type VectorSeries } from './values.ts';

interface Group {
  readonly labels: Labels;
  readonly members: VectorSeries[];
}

/** Evaluates an aggregation over every step. `param` is the scalar parameter by step, `name` that of `count_values`. */
export function aggregate(
  expr: Aggregate,
  input: VectorSeries[],
  param: Float64Array | undefined,
  name: string,
  context: EvaluationContext,
): VectorSeries[] {
  const steps = context.steps.count;
  const groups = groupSeries(expr, input);
  context.charge(groups.length * steps);
  const out: VectorSeries[] = [];
  for (const group of groups) {
    switch (expr.op) {
      case 'topk':
      case 'bottomk':
      case 'limitk':
      case 'limit_ratio':
        out.push(...selectMembers(expr, group, param as Float64Array, context));
        break;
      case 'count_values':
        out.push(...countValues(group, name, steps, expr, context));
        break;
      default:
        out.push(reduceGroup(expr, group, param, context));
    }
  }
  return out.filter((series) => !isEmptySeries(series));
}

function groupSeries(expr: Aggregate, input: VectorSeries[]): Group[] {
  const groups = new Map<string, Group>();
  const names = new Set(expr.labels);
  if (expr.grouping === 'without') names.add(METRIC_NAME);
  for (const series of input) {
    const labels =
      expr.grouping === 'without'
        ? withoutLabels(series.labels, names)
        : names.size === 0
          ? NO_LABELS
          : onlyLabels(series.labels, names);
    const key = labelsKey(labels);
    const group = groups.get(key);
    if (group) group.members.push(series);
    else groups.set(key, { labels, members: [series] });
  }
  return [...groups.values()];
}

function reduceGroup(
  expr: Aggregate,
  group: Group,
  param: Float64Array | undefined,
  context: EvaluationContext,
): VectorSeries {
  const steps = context.steps.count;
  const out = emptySeries(group.labels, steps);
  const hasHistograms = group.members.some((member) => member.histograms);
  if (!hasHistograms) {
    if (FAST.has(expr.op)) return reduceColumns(expr.op, group, out);
  }
  const result = hasHistograms ? { ...out, histograms: new Array<NativeHistogram | undefined>(steps) } : out;
  for (let step = 0; step < steps; step++) {
    const floats: number[] = [];
    const histograms: NativeHistogram[] = [];
    for (const member of group.members) {
      if (!member.has[step]) continue;
      const histogram = member.histograms?.[step];
      if (histogram) histograms.push(histogram);
      else floats.push(member.values[step]);
    }
    if (floats.length + histograms.length === 0) continue;
    const value = reduceStep(expr, floats, histograms, param?.[step] ?? 0, context);
    if (value === undefined) continue;
    out.has[step] = 1;
    if (typeof value === 'number') out.values[step] = value;
    else (result.histograms as (NativeHistogram | undefined)[])[step] = value;
  }
  return result;
}

const FAST: ReadonlySet<string> = new Set(['sum', 'count', 'min', 'max', 'avg', 'group']);

/** The common reductions of floats, member by member over whole columns. */
function reduceColumns(op: Aggregate['op'], group: Group, out: VectorSeries): VectorSeries {
  const { values, has } = out;
  const steps = values.length;
  const counts = op === 'avg' ? new Float64Array(steps) : undefined;
  const lost = op === 'sum' || op === 'avg' ? new Float64Array(steps) : undefined;
  for (const member of group.members) {
    const { values: input, has: present } = member;
    for (let i = 0; i < steps; i++) {
      if (!present[i]) continue;
      const value = input[i];
      const first = has[i] === 0;
      has[i] = 1;
      switch (op) {
        case 'count':
          values[i]++;
          break;
        case 'group':
          values[i] = 1;
          break;
        case 'min':
          if (first || value < values[i] || Number.isNaN(values[i])) values[i] = value;
          break;
        case 'max':
          if (first || value > values[i] || Number.isNaN(values[i])) values[i] = value;
          break;
        default: {
          const sum = values[i];
          const next = sum + value;
          const error = lost as Float64Array;
          if (!Number.isFinite(next)) error[i] = 0;
          else error[i] += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
          values[i] = next;
          if (counts) counts[i]++;
        }
      }
    }
  }
  if (lost) {
    for (let i = 0; i < steps; i++) {
      values[i] += lost[i];
      if (counts && has[i]) values[i] = Number.isFinite(values[i]) ? values[i] / counts[i] : mean(group, i);
    }
  }
  return out;
}

/** The mean of one step where the sum overflows or infinities take part. */
function mean(group: Group, step: number): number {
  let result = 0;
  let n = 0;
  for (const member of group.members) {
    if (!member.has[step]) continue;
    const value = member.values[step];
    n++;
    if (!Number.isFinite(result) && !Number.isNaN(result) && (result === value || Number.isFinite(value))) continue;
    result += value / n - result / n;
  }
  return result;
}

function reduceStep(
  expr: Aggregate,
  floats: number[],
  histograms: NativeHistogram[],
  param: number,
  context: EvaluationContext,
): number | NativeHistogram | undefined {
  switch (expr.op) {
    case 'count':
      return floats.length + histograms.length;
    case 'group':
      return 1;
    case 'sum':
    case 'avg':
      if (histograms.length === 0) return floats.reduce((a, b) => a + b, 0) / (expr.op === 'avg' ? floats.length : 1);
      if (floats.length > 0) {
        context.warn('encountered a mix of histograms and floats for aggregation', expr.position);
        return undefined;
      }
      return sumOf(expr, histograms, context);
    default:
      if (histograms.length > 0) context.info(`ignored histogram in ${expr.op} aggregation`, expr.position);
      if (floats.length === 0) return undefined;
  }
  switch (expr.op) {
    case 'min':
      return floats.reduce((a, b) => (b < a || Number.isNaN(a) ? b : a));
    case 'max':
      return floats.reduce((a, b) => (b > a || Number.isNaN(a) ? b : a));
    case 'quantile':
      if (Number.isNaN(param) || param < 0 || param > 1) {
        context.warn(`quantile value should be between 0 and 1, got ${formatValue(param)}`, expr.expr.position);
      }
      return quantile(param, floats);
    default: {
      let average = 0;
      let squares = 0;
      floats.forEach((value, i) => {
        const delta = value - average;
        average += delta / (i + 1);
        squares += delta * (value - average);
      });
      const variance = squares / floats.length;
      return expr.op === 'stdvar' ? variance : Math.sqrt(variance);
    }
  }
}

function sumOf(
  expr: Aggregate,
  histograms: NativeHistogram[],
  context: EvaluationContext,
): NativeHistogram | undefined {
  let sum: NativeHistogram | undefined = histograms[0];
  for (let i = 1; i < histograms.length && sum; i++) sum = addHistograms(sum, histograms[i]);
  if (!sum) {
    context.warn('vector contains histograms with incompatible custom buckets', expr.position);
    return undefined;
  }
  const result = expr.op === 'avg' ? scaleHistogram(sum, 1 / histograms.length) : sum;
  return { ...result, counterResetHint: 'gauge' };
}

/** `topk` and its kin keep members as they are; which ones may differ from step to step. */
function selectMembers(expr: Aggregate, group: Group, param: Float64Array, context: EvaluationContext): VectorSeries[] {
  const steps = context.steps.count;
  const picked = new Map<VectorSeries, VectorSeries>();
  for (let step = 0; step < steps; step++) {
    let candidates = group.members.filter((member) => member.has[step]);
    if (expr.op === 'limit_ratio') {
      const ratio = param[step];
      if (Number.isNaN(ratio)) throw executionError('limit_ratio: the ratio is NaN');
      if (ratio > 1 || ratio < -1) {
        context.warn(
          `ratio value should be between -1 and 1, got ${formatValue(ratio)}, capping to ${ratio > 0 ? 1 : -1}`,
          expr.expr.position,
        );
      }
      candidates = candidates.filter((member) => isInRatio(Math.max(-1, Math.min(1, ratio)), member.labels));
    } else {
      const k = param[step];
      if (Number.isNaN(k)) throw executionError(`Parameter value is NaN for aggregation ${expr.op}`);
      if (k < 1) continue;
      if (expr.op === 'limitk') candidates = candidates.slice(0, Math.floor(k));
      else candidates = largest(expr, candidates, step, Math.floor(k), context);
    }
    for (const member of candidates) {
      let series = picked.get(member);
      if (!series) {
        series = emptySeries(member.labels, steps);
        if (member.histograms) series = { ...series, histograms: new Array<NativeHistogram | undefined>(steps) };
        picked.set(member, series);
      }
      series.has[step] = 1;
      series.values[step] = member.values[step];
      if (series.histograms) series.histograms[step] = member.histograms?.[step];
    }
  }
  return [...picked.values()];
}

function largest(
  expr: Aggregate,
  candidates: VectorSeries[],
  step: number,
  k: number,
  context: EvaluationContext,
): VectorSeries[] {
  const floats = candidates.filter((member) => !member.histograms?.[step]);
  if (floats.length < candidates.length) context.info(`ignored histogram in ${expr.op} aggregation`, expr.position);
  const sign = expr.op === 'topk' ? -1 : 1;
  // NaN is the worst for both, so it is taken only where nothing else is left.
  floats.sort((a, b) => {
    const [x, y] = [a.values[step], b.values[step]];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number(Number.isNaN(x)) - Number(Number.isNaN(y));
    return sign * (x - y);
  });
  return floats.slice(0, k);
}

/** Whether a label set lies in the share `ratio` of the hash space; a negative ratio takes the complement. */
function isInRatio(ratio: number, labels: Labels): boolean {
  let hash = 2166136261;
  const key = labelsKey(labels);
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 16777619);
  // A final mix, because the last characters of similar labels would otherwise stay in the low bits.
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  const position = ((hash ^ (hash >>> 13)) >>> 0) / 4294967296;
  return ratio >= 0 ? position < ratio : position >= 1 + ratio;
}

function countValues(
  group: Group,
  name: string,
  steps: number,
  expr: Aggregate,
  context: EvaluationContext,
): VectorSeries[] {
  if (name === '') throw executionError('invalid label name ""');
  const byValue = new Map<string, VectorSeries>();
  for (const member of group.members) {
    for (let step = 0; step < steps; step++) {
      if (!member.has[step]) continue;
      if (member.histograms?.[step]) {
        context.info('ignored histogram in count_values aggregation', expr.position);
        continue;
      }
      const text = formatValue(member.values[step]);
      let series = byValue.get(text);
      if (!series) {
        context.charge(steps);
        series = emptySeries(withLabel(group.labels, name, text), steps);
        byValue.set(text, series);
      }
      series.has[step] = 1;
      series.values[step]++;
    }
  }
  return [...byValue.values()];
}
