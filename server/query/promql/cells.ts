import {
  compactHistogram,
  divideHistogram,
  equalHistograms,
  type NativeHistogram,
  scaleHistogram,
  subtractHistograms,
  sumHistograms,
} from '../../model/index.ts';
import type { Binary, BinaryOp } from './ast.ts';
import { isComparison, isTrim } from './check.ts';
import type { EvaluationContext } from './context.ts';
import { executionError } from './errors.ts';
import { trimHistogram } from './histogram-trim.ts';

/** One value of a series. */
export type Cell = number | NativeHistogram;

/** The function of an arithmetic operator or comparison over floats; comparisons give 1 or 0. */
export function floatOperation(op: BinaryOp): (a: number, b: number) => number {
  switch (op) {
    case '+':
      return (a, b) => a + b;
    case '-':
      return (a, b) => a - b;
    case '*':
      return (a, b) => a * b;
    case '/':
      return (a, b) => a / b;
    case '%':
      return (a, b) => a % b;
    case '^':
      return power;
    case 'atan2':
      return Math.atan2;
    case '==':
      return (a, b) => Number(a === b);
    case '!=':
      return (a, b) => Number(a !== b);
    case '>':
      return (a, b) => Number(a > b);
    case '<':
      return (a, b) => Number(a < b);
    case '>=':
      return (a, b) => Number(a >= b);
    case '<=':
      return (a, b) => Number(a <= b);
    default:
      throw executionError(`operator "${op}" not allowed for Scalar operations`);
  }
}

/** Go's math.Pow: ±1 to an infinite power and 1 to NaN are 1, unlike JavaScript's. */
function power(a: number, b: number): number {
  return a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b;
}

/**
 * One pair of values of which at least one is a histogram. A comparison gives its left side, and `holds` says whether
 * it is true. An operation that histograms don't have gives `undefined` and a remark.
 */
export function combineHistograms(
  expr: Binary,
  a: Cell,
  b: Cell,
  context: EvaluationContext,
): { value: Cell; holds: boolean } | undefined {
  const { op } = expr;
  if (typeof a !== 'number' && typeof b !== 'number') {
    if (op === '+' || op === '-') return addCells(expr, a, b, context);
    if (op === '==' || op === '!=') return { value: a, holds: equalHistograms(a, b) === (op === '==') };
  } else if (typeof a !== 'number' && typeof b === 'number') {
    if (op === '*') return { value: compactHistogram(scaleHistogram(a, b)), holds: true };
    if (op === '/') return { value: compactHistogram(divideHistogram(a, b)), holds: true };
    if (isTrim(op)) return { value: trimHistogram(a, op as '</' | '>/', b), holds: true };
  } else if (typeof a === 'number' && typeof b !== 'number' && op === '*') {
    return { value: compactHistogram(scaleHistogram(b, a)), holds: true };
  }
  return incompatible(expr, a, b, context);
}

/** A remark about a pair of values that an operator has no meaning for. */
export function incompatible(expr: Binary, a: Cell, b: Cell, context: EvaluationContext): undefined {
  const kind = (cell: Cell) => (typeof cell === 'number' ? 'float' : 'histogram');
  context.info(
    `incompatible sample types encountered for binary operator "${expr.op}": ${kind(a)} ${expr.op} ${kind(b)}`,
    expr.position,
  );
  return undefined;
}

function addCells(
  expr: Binary,
  a: NativeHistogram,
  b: NativeHistogram,
  context: EvaluationContext,
): { value: Cell; holds: boolean } | undefined {
  const adds = expr.op === '+';
  const sum = adds ? sumHistograms([a, b]) : subtractHistograms(a, b);
  if (!sum) {
    context.warn(`incompatible bucket layout encountered for binary operator ${expr.op}`, expr.position);
    return undefined;
  }
  const operation = adds ? 'addition' : 'subtraction';
  if (sum.reconciled) context.info(`mismatched custom buckets were reconciled during ${operation}`, expr.position);
  if (sum.collision) context.warn(`conflicting counter resets during histogram ${operation}`, expr.position);
  return { value: adds ? compactHistogram(sum.value) : { ...sum.value, counterResetHint: 'gauge' }, holds: true };
}

/** Whether an operator's result still is the metric, so that its name stays: comparisons that filter, and trims. */
export function keepsName(expr: Binary): boolean {
  return (isComparison(expr.op) && !expr.bool) || isTrim(expr.op);
}
