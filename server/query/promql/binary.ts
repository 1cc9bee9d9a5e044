import {
  addHistograms,
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  type NativeHistogram,
  onlyLabels,
  printLabels,
  scaleHistogram,
  withLabel,
  withoutLabels,
} from '../../model/index.ts';
import type { Binary, BinaryOp, VectorMatching } from './ast.ts';
import { isComparison, isSetOperator } from './check.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { emptySeries, isEmptySeries, type Value, type VectorSeries } from './values.ts';

const NAME_ONLY: ReadonlySet<string> = new Set([METRIC_NAME]);

/** Evaluates a binary expression over every step. */
export function binary(expr: Binary, left: Value, right: Value, context: EvaluationContext): Value {
  if (left.kind === 'scalar' && right.kind === 'scalar') {
    const values = new Float64Array(left.values.length);
    for (let i = 0; i < values.length; i++) values[i] = arithmetic(expr.op, left.values[i], right.values[i]);
    return { kind: 'scalar', values };
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

/** Two floats; comparisons give 1 or 0. */
function arithmetic(op: BinaryOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return a % b;
    case '^':
      // Go's math.Pow(±1, x) is 1 even for NaN and infinite x, unlike JavaScript's.
      return a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;
    case 'atan2':
      return Math.atan2(a, b);
    case '==':
      return Number(a === b);
    case '!=':
      return Number(a !== b);
    case '>':
      return Number(a > b);
    case '<':
      return Number(a < b);
    case '>=':
      return Number(a >= b);
    case '<=':
      return Number(a <= b);
    default:
      throw executionError(`BUG: ${op} is no arithmetic operator`);
  }
}

type Cell = number | NativeHistogram;

/**
 * One pair of values. `keep` is false where a comparison doesn't hold; the value of a comparison is its left side. An
 * operation that histograms don't have gives `undefined` and a remark.
 */
function combine(
  expr: Binary,
  a: Cell,
  b: Cell,
  context: EvaluationContext,
): { value: Cell; keep: boolean } | undefined {
  const { op } = expr;
  if (typeof a === 'number' && typeof b === 'number') {
    const value = arithmetic(op, a, b);
    return isComparison(op) ? { value: a, keep: value === 1 } : { value, keep: true };
  }
  if (typeof a !== 'number' && typeof b !== 'number') {
    if (op === '+' || op === '-') {
      const value = addHistograms(a, b, op === '+' ? 1 : -1);
      if (value) return { value, keep: true };
      context.warn(`incompatible bucket layout encountered for binary operator ${op}`, expr.position);
      return undefined;
    }
    if (op === '==' || op === '!=') {
      const equal = equalHistograms(a, b);
      return { value: a, keep: op === '==' ? equal : !equal };
    }
    return incompatible(expr, 'histogram', 'histogram', context);
  }
  if (typeof a !== 'number' && typeof b === 'number' && (op === '*' || op === '/')) {
    return { value: scaleHistogram(a, op === '*' ? b : 1 / b), keep: true };
  }
  if (typeof a === 'number' && typeof b !== 'number' && op === '*') return { value: scaleHistogram(b, a), keep: true };
  return incompatible(expr, kindOf(a), kindOf(b), context);
}

function kindOf(cell: Cell): string {
  return typeof cell === 'number' ? 'float' : 'histogram';
}

function incompatible(expr: Binary, left: string, right: string, context: EvaluationContext): undefined {
  context.info(
    `incompatible sample types encountered for binary operator "${expr.op}": ${left} ${expr.op} ${right}`,
    expr.position,
  );
  return undefined;
}

function equalHistograms(a: NativeHistogram, b: NativeHistogram): boolean {
  const difference = addHistograms(a, b, -1);
  if (!difference || a.schema !== b.schema || a.zeroThreshold !== b.zeroThreshold) return false;
  const { count, sum, zeroCount, positiveCounts, negativeCounts } = difference;
  return count === 0 && sum === 0 && zeroCount === 0 && ![...positiveCounts, ...negativeCounts].some((c) => c !== 0);
}

function put(out: VectorSeries, step: number, cell: Cell): void {
  out.has[step] = 1;
  if (typeof cell === 'number') out.values[step] = cell;
  else if (out.histograms) out.histograms[step] = cell;
}

function cellAt(series: VectorSeries, step: number): Cell {
  return series.histograms?.[step] ?? series.values[step];
}

function resultSeries(labels: Labels, steps: number, histograms: boolean): VectorSeries {
  const series = emptySeries(labels, steps);
  return histograms ? { ...series, histograms: new Array<NativeHistogram | undefined>(steps) } : series;
}

function dropsName(expr: Binary): boolean {
  return !isComparison(expr.op) || expr.bool;
}

function withScalar(
  expr: Binary,
  input: VectorSeries[],
  scalar: Float64Array,
  scalarIsLeft: boolean,
  context: EvaluationContext,
): VectorSeries[] {
  const steps = context.steps.count;
  context.charge(input.length * steps);
  const out: VectorSeries[] = [];
  const comparison = isComparison(expr.op);
  for (const series of input) {
    const labels = dropsName(expr) ? withoutLabels(series.labels, NAME_ONLY) : series.labels;
    const result = resultSeries(labels, steps, series.histograms !== undefined);
    for (let step = 0; step < steps; step++) {
      if (!series.has[step]) continue;
      const cell = cellAt(series, step);
      if (typeof cell === 'number') {
        const value = scalarIsLeft ? arithmetic(expr.op, scalar[step], cell) : arithmetic(expr.op, cell, scalar[step]);
        if (!comparison || expr.bool) put(result, step, value);
        else if (value === 1) put(result, step, cell);
        continue;
      }
      const pair = scalarIsLeft
        ? combine(expr, scalar[step], cell, context)
        : combine(expr, cell, scalar[step], context);
      if (pair && (pair.keep || expr.bool)) put(result, step, expr.bool ? Number(pair.keep) : pair.value);
    }
    if (!isEmptySeries(result)) out.push(result);
  }
  return out;
}

/** The part of a label set that two sides must share. */
function signatureOf(labels: Labels, matching: VectorMatching | undefined, names: ReadonlySet<string>): string {
  return labelsKey(matching?.on ? onlyLabels(labels, names) : withoutLabels(labels, names));
}

function matchingNames(matching: VectorMatching | undefined): ReadonlySet<string> {
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
  const steps = context.steps.count;
  const names = matchingNames(expr.matching);
  const present = (side: VectorSeries[]): Map<string, Uint8Array> => {
    const bySignature = new Map<string, Uint8Array>();
    for (const series of side) {
      const key = signatureOf(series.labels, expr.matching, names);
      let any = bySignature.get(key);
      if (!any) bySignature.set(key, (any = new Uint8Array(steps)));
      for (let step = 0; step < steps; step++) any[step] |= series.has[step];
    }
    return bySignature;
  };
  const masked = (series: VectorSeries, keep: (step: number) => boolean): VectorSeries | undefined => {
    const has = new Uint8Array(steps);
    let any = false;
    for (let step = 0; step < steps; step++) {
      if (series.has[step] && keep(step)) {
        has[step] = 1;
        any = true;
      }
    }
    return any ? { ...series, has } : undefined;
  };
  context.charge((left.length + right.length) * steps);
  const out: VectorSeries[] = [];
  const other = present(expr.op === 'or' ? left : right);
  if (expr.op === 'or') out.push(...left);
  for (const series of expr.op === 'or' ? right : left) {
    const any = other.get(signatureOf(series.labels, expr.matching, names));
    const result = masked(series, (step) => (expr.op === 'and') === (any?.[step] === 1));
    if (result) out.push(result);
  }
  return out;
}

/**
 * One-to-one, many-to-one and one-to-many. The partner of a series is decided at each step, because the series of one
 * signature may replace each other in time; two at one step are an error.
 */
function matchVectors(
  expr: Binary,
  left: VectorSeries[],
  right: VectorSeries[],
  context: EvaluationContext,
): VectorSeries[] {
  const steps = context.steps.count;
  const { matching } = expr;
  const names = matchingNames(matching);
  const swapped = matching?.group === 'right';
  const [many, one] = swapped ? [right, left] : [left, right];
  const ones = new Map<string, VectorSeries[]>();
  for (const series of one) {
    const key = signatureOf(series.labels, matching, names);
    const list = ones.get(key);
    if (list) list.push(series);
    else ones.set(key, [series]);
  }
  const out = new Map<string, VectorSeries>();
  // Which series of the one-to-one's left side already gave a result, by signature and step.
  const taken = new Map<string, Int32Array>();
  context.charge(many.length * steps);
  many.forEach((series, index) => {
    const key = signatureOf(series.labels, matching, names);
    const partners = ones.get(key);
    if (!partners) return;
    for (let step = 0; step < steps; step++) {
      if (!series.has[step]) continue;
      const partner = partnerAt(partners, step, matching, names, swapped);
      if (!partner) continue;
      const [a, b] = swapped ? [partner, series] : [series, partner];
      const pair = combine(expr, cellAt(a, step), cellAt(b, step), context);
      if (!pair || !(pair.keep || expr.bool)) continue;
      if (!matching?.group) assertUnique(taken, key, index, step, steps);
      const labels = resultLabels(expr, series.labels, partner.labels, names);
      const resultKey = labelsKey(labels);
      let result = out.get(resultKey);
      if (!result) {
        const histograms = a.histograms !== undefined || b.histograms !== undefined;
        result = resultSeries(labels, steps, histograms);
        out.set(resultKey, result);
      }
      if (result.has[step])
        throw executionError('multiple matches for labels: grouping labels must ensure unique matches');
      put(result, step, expr.bool ? Number(pair.keep) : pair.value);
    }
  });
  return [...out.values()].filter((series) => !isEmptySeries(series));
}

function partnerAt(
  partners: VectorSeries[],
  step: number,
  matching: VectorMatching | undefined,
  names: ReadonlySet<string>,
  swapped: boolean,
): VectorSeries | undefined {
  let found: VectorSeries | undefined;
  for (const partner of partners) {
    if (!partner.has[step]) continue;
    if (found) throw duplicateError(found.labels, partner.labels, matching, names, swapped ? 'left' : 'right');
    found = partner;
  }
  return found;
}

function assertUnique(taken: Map<string, Int32Array>, key: string, index: number, step: number, steps: number): void {
  let owners = taken.get(key);
  if (!owners) taken.set(key, (owners = new Int32Array(steps).fill(-1)));
  if (owners[step] >= 0 && owners[step] !== index) {
    throw executionError('multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)');
  }
  owners[step] = index;
}

function duplicateError(
  a: Labels,
  b: Labels,
  matching: VectorMatching | undefined,
  names: ReadonlySet<string>,
  side: 'left' | 'right',
): Error {
  const group = printLabels(matching?.on ? onlyLabels(a, names) : withoutLabels(a, names));
  return executionError(
    `found duplicate series for the match group ${group} on the ${side} hand-side of the operation: [${printLabels(b)}, ${printLabels(a)}];many-to-many matching not allowed: matching labels must be unique on one side`,
  );
}

function resultLabels(expr: Binary, many: Labels, one: Labels, names: ReadonlySet<string>): Labels {
  const { matching } = expr;
  let labels = dropsName(expr) ? withoutLabels(many, NAME_ONLY) : many;
  if (!matching?.group) {
    if (matching?.on) return onlyLabels(labels, names);
    return withoutLabels(labels, new Set(matching?.labels ?? []));
  }
  for (const name of matching.include) labels = withLabel(labels, name, labelValue(one, name));
  return labels;
}
