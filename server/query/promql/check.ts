import { createMatcher, type Matcher, METRIC_NAME } from '../../model/index.ts';
import {
  type Aggregate,
  type Binary,
  type Call,
  type Duration,
  type Expr,
  type LabelMatcher,
  type Position,
  type RangeMode,
  unparen,
  type ValueType,
  type VectorSelector,
} from './ast.ts';
import { isLiteralDuration, positiveDurationMs } from './duration.ts';
import { parseError } from './errors.ts';
import { SIGNATURES } from './signatures.ts';

const NAMES: Readonly<Record<ValueType, string>> = {
  scalar: 'scalar',
  string: 'string',
  vector: 'instant vector',
  matrix: 'range vector',
};
const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '>', '<', '>=', '<=']);
const TRIMS: ReadonlySet<string> = new Set(['</', '>/']);
const SETS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);
const AGGREGATES_WITH_PARAM: ReadonlyMap<string, ValueType> = new Map<string, ValueType>([
  ['topk', 'scalar'],
  ['bottomk', 'scalar'],
  ['quantile', 'scalar'],
  ['limitk', 'scalar'],
  ['limit_ratio', 'scalar'],
  ['count_values', 'string'],
]);

/** Whether an operator compares. */
export function isComparison(op: string): boolean {
  return COMPARISONS.has(op);
}

/** Whether an operator cuts histograms. */
export function isTrim(op: string): boolean {
  return TRIMS.has(op);
}

/** Whether an operator works on sets of series. */
export function isSetOperator(op: string): boolean {
  return SETS.has(op);
}

/** The type of an expression that passed `checkExpr`. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'selector':
    case 'aggregate':
      return 'vector';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'call':
      return SIGNATURES.get(expr.name)?.returns ?? 'vector';
    case 'unary':
    case 'paren':
      return typeOf(expr.expr);
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar' ? 'scalar' : 'vector';
  }
}

/**
 * Checks types, arities and matchers of a whole expression.
 * @throws BarographError `promql_parse`.
 */
export function checkExpr(query: string, expr: Expr): void {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return;
    case 'selector':
      return checkSelector(query, expr);
    case 'matrix':
      checkSelector(query, expr.selector);
      return checkPositive(query, expr.range);
    case 'subquery':
      checkPositive(query, expr.range);
      if (expr.step) checkPositive(query, expr.step);
      checkExpr(query, expr.expr);
      return expectType(query, expr.expr, 'vector', 'in subquery');
    case 'paren':
      return checkExpr(query, expr.expr);
    case 'unary': {
      checkExpr(query, expr.expr);
      const type = typeOf(expr.expr);
      if (type !== 'scalar' && type !== 'vector') {
        const message = `unary expression only allowed on expressions of type scalar or instant vector, got "${NAMES[type]}"`;
        throw parseError(query, expr.position, message);
      }
      return;
    }
    case 'call':
      return checkCall(query, expr);
    case 'aggregate':
      return checkAggregate(query, expr);
    case 'binary':
      return checkBinary(query, expr);
  }
}

/** Durations without `step()` and `range()` are known now; the others are checked with the query's times. */
function checkPositive(query: string, duration: Duration): void {
  if (isLiteralDuration(duration)) positiveDurationMs(duration, { query, stepMs: 0, rangeMs: 0 });
}

function checkSelector(query: string, selector: VectorSelector): void {
  let narrows = false;
  for (const { name, op, value } of selector.matchers) {
    const matcher = matcherOf(query, selector.position, { name, op, value });
    if (!matcher.matches('')) narrows = true;
    if (name === METRIC_NAME && op === '=' && value === '')
      throw parseError(query, selector.position, 'metric name must not be empty');
  }
  if (!narrows)
    throw parseError(query, selector.position, 'vector selector must contain at least one non-empty matcher');
}

/** A matcher whose regular expression is checked here, where its place in the query is known. */
function matcherOf(query: string, position: Position, { name, op, value }: LabelMatcher): Matcher {
  try {
    return createMatcher(name, op, value);
  } catch (error) {
    throw parseError(query, position, error instanceof Error ? error.message : String(error));
  }
}

function checkCall(query: string, call: Call): void {
  const signature = SIGNATURES.get(call.name);
  if (!signature) {
    const message = `the function ${JSON.stringify(call.name)} is not supported; supported are the functions of Prometheus 3 except start_timestamp`;
    throw parseError(query, call.position, message);
  }
  const { args, optional } = signature;
  const least = args.length - (optional < 0 ? 1 : optional);
  if (call.args.length < least || (optional >= 0 && call.args.length > args.length)) {
    const bound = optional === 0 ? `${args.length}` : optional < 0 ? `at least ${least}` : `${least} to ${args.length}`;
    const message = `expected ${bound} argument(s) in call to "${call.name}", got ${call.args.length}`;
    throw parseError(query, call.position, message);
  }
  if (call.name === 'info' && call.args.length === 2) return checkInfo(query, call);
  call.args.forEach((arg, i) => {
    checkMode(query, call, unparen(arg));
    checkExpr(query, arg);
    expectType(query, arg, args[Math.min(i, args.length - 1)], `in call to function "${call.name}"`);
  });
}

/** The extended ranges are defined for some functions only. */
const MODES: Readonly<Record<RangeMode, readonly string[]>> = {
  anchored: ['changes', 'delta', 'increase', 'rate', 'resets'],
  smoothed: ['delta', 'increase', 'rate'],
};

function checkMode(query: string, call: Call, arg: Expr): void {
  const mode = arg.kind === 'matrix' ? arg.selector.mode : undefined;
  if (mode === undefined || MODES[mode].includes(call.name)) return;
  const message = `${mode} modifier can only be used with: ${MODES[mode].join(', ')} - not with ${call.name}`;
  throw parseError(query, arg.position, message);
}

/** The second argument of `info` is only a list of matchers, which may match everything. */
function checkInfo(query: string, call: Call): void {
  checkExpr(query, call.args[0]);
  expectType(query, call.args[0], 'vector', 'in call to function "info"');
  const selector = unparen(call.args[1]);
  if (selector.kind !== 'selector' || selector.offset || selector.at) {
    throw parseError(query, call.args[1].position, 'expected label matchers in braces in call to function "info"');
  }
  for (const matcher of selector.matchers) matcherOf(query, selector.position, matcher);
}

function checkAggregate(query: string, expr: Aggregate): void {
  const wanted = AGGREGATES_WITH_PARAM.get(expr.op);
  if ((wanted === undefined) !== (expr.param === undefined)) {
    const [expected, got] = wanted === undefined ? [1, 2] : [2, 1];
    const message = `wrong number of arguments for aggregate expression provided, expected ${expected}, got ${got}`;
    throw parseError(query, expr.position, message);
  }
  if (expr.param && wanted) {
    checkExpr(query, expr.param);
    expectType(query, expr.param, wanted, `in aggregation parameter of ${expr.op}`);
  }
  checkExpr(query, expr.expr);
  expectType(query, expr.expr, 'vector', 'in aggregation expression');
}

function checkBinary(query: string, expr: Binary): void {
  checkExpr(query, expr.left);
  checkExpr(query, expr.right);
  const [left, right] = [typeOf(expr.left), typeOf(expr.right)];
  for (const type of [left, right]) {
    if (type !== 'scalar' && type !== 'vector') {
      throw parseError(query, expr.position, 'binary expression must contain only scalar and instant vector types');
    }
  }
  const fail = (message: string) => parseError(query, expr.position, message);
  if (expr.bool && !isComparison(expr.op)) throw fail('bool modifier can only be used on comparison operators');
  if (isComparison(expr.op) && !expr.bool && left === 'scalar' && right === 'scalar') {
    throw fail('comparisons between scalars must use BOOL modifier');
  }
  if (isSetOperator(expr.op) && (left === 'scalar' || right === 'scalar')) {
    throw fail(`set operator "${expr.op}" not allowed in binary scalar expression`);
  }
  const { matching } = expr;
  if (!matching) return;
  if ((matching.fillLeft ?? matching.fillRight) !== undefined && isSetOperator(expr.op)) {
    throw fail(`fill modifiers are not allowed for the set operator "${expr.op}"`);
  }
  if (left === 'scalar' || right === 'scalar') throw fail('vector matching only allowed between instant vectors');
  if (matching.group && isSetOperator(expr.op)) throw fail(`no grouping allowed for "${expr.op}" operation`);
  const both =
    matching.on && matching.group ? matching.include.find((name) => matching.labels.includes(name)) : undefined;
  if (both !== undefined) throw fail(`label "${both}" must not occur in ON and GROUP clause at once`);
}

function expectType(query: string, expr: Expr, wanted: ValueType, context: string): void {
  const got = typeOf(expr);
  if (got !== wanted) {
    throw parseError(query, expr.position, `expected type ${NAMES[wanted]} ${context}, got ${NAMES[got]}`);
  }
}
