import { type Labels, labelsKey, METRIC_NAME, onlyLabels, withoutLabels } from '../../model/index.ts';
import type { Binary, VectorMatching } from './ast.ts';
import { type Cell, combineHistograms, floatOperation, incompatible, keepsName } from './cells.ts';
import { isComparison, isSetOperator, isTrim } from './check.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { matchVectors } from './matching.ts';
import {
  dropped,
  emptyHistogramSeries,
  emptySeries,
  isEmptySeries,
  joinDropped,
  mergeEqual,
  type Value,
  type VectorSeries,
} from './values.ts';

/** Evaluates a binary expression over every step. */
export function binary(expr: Binary, left: Value, right: Value, context: EvaluationContext): Value {
  if (left.kind === 'scalar' && right.kind === 'scalar') {
    const f = floatOperation(expr.op);
    return { kind: 'scalar', values: left.values.map((value, i) => f(value, right.values[i])) };
  }
  if (left.kind === 'vector' && right.kind === 'vector') {
    const series = isSetOperator(expr.op)
      ? setOperation(expr, left.series, right.series, context)
      : matchVectors(expr, left.series, right.series, context);
    return { kind: 'vector', series };
  }
  if (left.kind === 'vector' && right.kind === 'scalar') {
    return { kind: 'vector', series: withScalar(expr, left.series, right.values, false, context) };
  }
  if (left.kind === 'scalar' && right.kind === 'vector') {
    return { kind: 'vector', series: withScalar(expr, right.series, left.values, true, context) };
  }
  throw executionError(`BUG: operands of ${expr.op} are ${left.kind} and ${right.kind}`);
}

function withScalar(
  expr: Binary,
  input: VectorSeries[],
  scalar: Float64Array,
  scalarIsLeft: boolean,
  context: EvaluationContext,
): VectorSeries[] {
  const out: VectorSeries[] = [];
  const filters = isComparison(expr.op) && !expr.bool;
  const f = isTrim(expr.op) ? undefined : floatOperation(expr.op);
  for (const series of input) {
    context.tick(series.values.length);
    const { labels, dropName } = keepsName(expr) ? series : dropped(series, context);
    if (series.histograms || !f) {
      const result = mixedWithScalar(expr, series, scalar, scalarIsLeft, { labels, dropName }, context);
      if (!isEmptySeries(result)) out.push(result);
      continue;
    }
    const { values, has } = series;
    const steps = values.length;
    const result = emptySeries(labels, steps, dropName);
    if (filters) {
      for (let i = 0; i < steps; i++) {
        if (has[i] && (scalarIsLeft ? f(scalar[i], values[i]) : f(values[i], scalar[i])) === 1) result.has[i] = 1;
      }
      if (!isEmptySeries(result)) out.push({ ...result, values });
      continue;
    }
    // Steps without a value are computed as well: a branch would cost more than what it saves.
    if (scalarIsLeft) for (let i = 0; i < steps; i++) result.values[i] = f(scalar[i], values[i]);
    else for (let i = 0; i < steps; i++) result.values[i] = f(values[i], scalar[i]);
    out.push({ ...result, has });
  }
  return keepsName(expr) ? out : joinDropped(out, context);
}

function mixedWithScalar(
  expr: Binary,
  series: VectorSeries,
  scalar: Float64Array,
  scalarIsLeft: boolean,
  { labels, dropName }: { labels: Labels; dropName: boolean },
  context: EvaluationContext,
): VectorSeries {
  const steps = series.values.length;
  const result = emptyHistogramSeries(labels, steps, dropName);
  for (let step = 0; step < steps; step++) {
    if (!series.has[step]) continue;
    const cell = series.histograms?.[step] ?? series.values[step];
    const [a, b] = scalarIsLeft ? [scalar[step], cell] : [cell, scalar[step]];
    const pair = combine(expr, a, b, context);
    if (!pair || !(pair.holds || expr.bool)) continue;
    // A comparison with a scalar on the left still filters the vector.
    const value = expr.bool ? Number(pair.holds) : isComparison(expr.op) ? cell : pair.value;
    result.has[step] = 1;
    if (typeof value === 'number') result.values[step] = value;
    else result.histograms[step] = value;
  }
  return result;
}

/** One pair of values; see `combineHistograms`. */
export function combine(
  expr: Binary,
  a: Cell,
  b: Cell,
  context: EvaluationContext,
): { value: Cell; holds: boolean } | undefined {
  if (typeof a !== 'number' || typeof b !== 'number') return combineHistograms(expr, a, b, context);
  if (isTrim(expr.op)) return incompatible(expr, a, b, context);
  const value = floatOperation(expr.op)(a, b);
  return isComparison(expr.op) ? { value: a, holds: value === 1 } : { value, holds: true };
}

/** The part of a label set that two sides must share, as a key. */
export function signatureOf(labels: Labels, matching: VectorMatching | undefined, names: ReadonlySet<string>): string {
  return labelsKey(matchLabels(labels, matching, names));
}

/** The part of a label set that two sides must share. */
export function matchLabels(labels: Labels, matching: VectorMatching | undefined, names: ReadonlySet<string>): Labels {
  return matching?.on ? onlyLabels(labels, names) : withoutLabels(labels, names);
}

/** The labels that `on` names, or those that are left out: what `ignoring` names and the metric's name. */
export function matchingNames(matching: VectorMatching | undefined): ReadonlySet<string> {
  const names = new Set(matching?.labels ?? []);
  if (!matching?.on) names.add(METRIC_NAME);
  return names;
}

function setOperation(
  expr: Binary,
  left: VectorSeries[],
  right: VectorSeries[],
  context: EvaluationContext,
): VectorSeries[] {
  const names = matchingNames(expr.matching);
  const present = new Map<string, Uint8Array>();
  for (const series of expr.op === 'or' ? left : right) {
    context.tick();
    const key = signatureOf(series.labels, expr.matching, names);
    const known = present.get(key);
    if (!known) present.set(key, series.has.slice());
    else for (let step = 0; step < known.length; step++) known[step] |= series.has[step];
  }
  const wanted = expr.op === 'and' ? 1 : 0;
  const out: VectorSeries[] = expr.op === 'or' ? [...left] : [];
  for (const series of expr.op === 'or' ? right : left) {
    context.tick();
    const other = present.get(signatureOf(series.labels, expr.matching, names));
    if (!other) {
      if (wanted === 0) out.push(series);
      continue;
    }
    const has = new Uint8Array(other.length);
    for (let step = 0; step < has.length; step++) has[step] = other[step] === wanted ? series.has[step] : 0;
    const masked = { ...series, has };
    if (!isEmptySeries(masked)) out.push(masked);
  }
  // The same series may come from the left at one step and from the right at another.
  return expr.op === 'or' ? mergeEqual(out) : out;
}
