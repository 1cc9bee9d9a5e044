import { calculate } from './arithmetic.ts';
import type { ArithmeticOp, CompareOp, MetricsExpr, ScalarExpr, SpansetExpr, SpansetOp, Stage } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { syntaxError } from './errors.ts';

/**
 * What a part of a query is while it is read. `scalar` is a number of a set of spans that must still be compared;
 * `function` is a metrics function that a pipeline before it must still feed.
 */
export type Part =
  | { readonly is: 'spanset'; readonly expr: SpansetExpr }
  | { readonly is: 'stage'; readonly stage: Stage; readonly starts: boolean }
  | { readonly is: 'scalar'; readonly expr: ScalarExpr }
  | {
      readonly is: 'number';
      readonly value: number;
      readonly text: string;
      readonly unit: 'plain' | 'duration' | 'mixed';
      readonly at: number;
    }
  | {
      readonly is: 'function';
      readonly make: (stages: readonly Stage[], input: MetricsExpr | undefined) => MetricsExpr;
      readonly second: boolean;
      readonly at: number;
    }
  | { readonly is: 'metrics'; readonly expr: MetricsExpr; readonly at: number };

const SPANSET_OPS: ReadonlySet<string> = new Set([
  '&&',
  '||',
  '>',
  '>>',
  '<',
  '<<',
  '~',
  '!>',
  '!<',
  '!~',
  '!>>',
  '!<<',
  '&>',
  '&<',
  '&~',
  '&>>',
  '&<<',
]);
const ARITHMETIC: ReadonlySet<string> = new Set(['+', '-', '*', '/', '%', '^']);
const COMPARE: ReadonlySet<string> = new Set(['=', '!=', '<', '<=', '>', '>=']);

/** Joins two parts by an operator. @throws BarographError `traceql_syntax` where it doesn't fit them. */
export function combineParts(cursor: Cursor, op: string, left: Part, right: Part, at: number): Part {
  if (left.is === 'spanset' && right.is === 'spanset' && SPANSET_OPS.has(op)) {
    return { is: 'spanset', expr: { kind: 'operation', op: op as SpansetOp, left: left.expr, right: right.expr, at } };
  }
  if (left.is === 'number' && right.is === 'number' && ARITHMETIC.has(op))
    return foldNumbers(op as ArithmeticOp, left, right, at);
  const number = (part: Part) => part.is === 'number';
  if (left.is === 'function' && right.is === 'number' && COMPARE.has(op))
    return filterFunction(cursor, op as CompareOp, left, right, at);
  if (left.is === 'metrics' && right.is === 'number' && COMPARE.has(op)) {
    const { value, text } = metricsNumber(cursor, right, true);
    return { is: 'metrics', expr: { kind: 'filter', op: op as CompareOp, input: left.expr, value, text, at }, at };
  }
  const metrics = (part: Part) => part.is === 'metrics';
  if ((metrics(left) && (metrics(right) || number(right))) || (number(left) && metrics(right))) {
    if (op !== '+' && op !== '-' && op !== '*' && op !== '/')
      throw syntaxError(cursor.text, at, op, '+, -, * or / between metrics');
    return {
      is: 'metrics',
      expr: { kind: 'arithmetic', op, left: asMetrics(cursor, left), right: asMetrics(cursor, right), at },
      at,
    };
  }
  const scalar = (part: Part) => part.is === 'scalar' || number(part);
  if (scalar(left) && scalar(right) && !(number(left) && number(right))) {
    const [a, b] = [asScalar(left), asScalar(right)];
    if (COMPARE.has(op))
      return {
        is: 'stage',
        stage: { kind: 'scalar_filter', op: op as CompareOp, left: a, right: b, at },
        starts: true,
      };
    if (ARITHMETIC.has(op))
      return { is: 'scalar', expr: { kind: 'arithmetic', op: op as ArithmeticOp, left: a, right: b, at } };
  }
  throw syntaxError(cursor.text, at, op, `an operator that fits ${describe(left)} and ${describe(right)}`);
}

function describe(part: Part): string {
  switch (part.is) {
    case 'spanset':
      return 'spans';
    case 'stage':
      return 'a pipeline stage';
    case 'scalar':
      return 'an aggregate';
    case 'number':
      return 'a number';
    case 'function':
      return 'a metrics function (put its pipeline in parentheses)';
    case 'metrics':
      return 'a metrics pipeline';
  }
}

/** A number that is not yet part of anything. */
export type NumberPart = Part & { is: 'number' };

function foldNumbers(op: ArithmeticOp, left: NumberPart, right: NumberPart, at: number): Part {
  const value = calculate(op, left.value, right.value);
  const unit = left.unit === 'plain' && right.unit === 'plain' ? 'plain' : 'mixed';
  return { is: 'number', value, text: String(value), unit, at };
}

/** A number beside metrics: a duration counts in seconds, alone and only in a comparison. */
function metricsNumber(cursor: Cursor, part: NumberPart, compares: boolean): { value: number; text: string } {
  if (part.unit === 'plain') return { value: part.value, text: part.text };
  if (part.unit === 'duration' && compares) return { value: part.value / 1e9, text: part.text };
  throw syntaxError(cursor.text, part.at, 'duration in arithmetic with metrics', 'a plain number');
}

function asMetrics(cursor: Cursor, part: Part): MetricsExpr {
  if (part.is === 'metrics') return part.expr;
  return { kind: 'number', value: metricsNumber(cursor, part as NumberPart, false).value, at: (part as NumberPart).at };
}

function asScalar(part: Part): ScalarExpr {
  if (part.is === 'scalar') return part.expr;
  const { value, text, unit, at } = part as NumberPart;
  const kind = unit === 'duration' ? 'duration' : Number.isInteger(value) ? 'int' : 'float';
  return { kind: 'number', value: { kind, value, text }, at };
}

function filterFunction(
  cursor: Cursor,
  op: CompareOp,
  left: Part & { is: 'function' },
  right: NumberPart,
  at: number,
): Part {
  const { value, text } = metricsNumber(cursor, right, true);
  const make = (stages: readonly Stage[], input: MetricsExpr | undefined): MetricsExpr => ({
    kind: 'filter',
    op,
    input: left.make(stages, input),
    value,
    text,
    at,
  });
  return { is: 'function', make, second: left.second, at: left.at };
}
