import { compileRegex } from '../../model/index.ts';
import type {
  FieldExpr,
  FieldOp,
  Intrinsic,
  MetricsExpr,
  Pipeline,
  ScalarExpr,
  SpansetExpr,
  TraceqlExpr,
} from './ast.ts';
import { assertNever } from './ast.ts';
import { parseNetwork } from './cidr.ts';
import { invalidQuery, positionAt } from './errors.ts';

/** What an expression evaluates to; `any` is known only when a span is looked at. */
export type FieldType = 'string' | 'number' | 'bool' | 'status' | 'span_kind' | 'nil' | 'any';

const INTRINSIC_TYPES: Readonly<Record<Intrinsic, FieldType>> = {
  'span:duration': 'number',
  'span:name': 'string',
  'span:kind': 'span_kind',
  'span:status': 'status',
  'span:statusMessage': 'string',
  'span:id': 'string',
  'span:parentID': 'string',
  'span:childCount': 'number',
  'trace:duration': 'number',
  'trace:rootName': 'string',
  'trace:rootService': 'string',
  'trace:id': 'string',
  'event:name': 'string',
  'event:timeSinceStart': 'number',
  'link:traceID': 'string',
  'link:spanID': 'string',
  'instrumentation:name': 'string',
  'instrumentation:version': 'string',
  parent: 'nil',
  nestedSetLeft: 'number',
  nestedSetRight: 'number',
  nestedSetParent: 'number',
};

type Fail = (at: number, problem: string, fix?: string) => never;

/** Checks types and regular expressions. @throws BarographError `traceql_invalid`. */
export function checkTraceql(expr: TraceqlExpr, text: string): void {
  const fail: Fail = (at, problem, fix) => {
    throw invalidQuery(positionAt(text, at), problem, fix);
  };
  if (expr.kind === 'spans') checkPipeline(expr.pipeline, fail);
  else checkMetrics(expr.metrics, fail);
}

function checkMetrics(expr: MetricsExpr, fail: Fail): void {
  switch (expr.kind) {
    case 'series':
      checkPipeline(expr.pipeline, fail);
      if (expr.selection) checkSpanset(expr.selection, fail);
      if (expr.field && !isNumeric(typeOf(expr.field, fail)) && expr.op !== 'compare') {
        fail(expr.field.at, `${expr.op} needs a number`, 'give it duration or a numeric attribute');
      }
      for (const phi of expr.params)
        if (expr.op === 'quantile_over_time' && (phi < 0 || phi > 1))
          fail(expr.at, `a quantile of ${phi}`, 'use 0 to 1');
      if (expr.op === 'compare') checkCompare(expr, fail);
      return;
    case 'rank':
    case 'filter':
      return checkMetrics(expr.input, fail);
    case 'arithmetic':
      checkMetrics(expr.left, fail);
      return checkMetrics(expr.right, fail);
    case 'number':
      return;
    default:
      assertNever(expr);
  }
}

/** `compare({ … }, top, start, end)`: a count of values, then both times or none. */
function checkCompare({ params, by, at }: MetricsExpr & { kind: 'series' }, fail: Fail): void {
  const [top = 1, startNs, endNs] = params;
  if (!Number.isInteger(top) || top < 1) fail(at, `compare() of ${top} values`, 'use a whole number above 0');
  if (params.length === 2 || params.length > 3)
    fail(
      at,
      `compare() with ${params.length} numbers`,
      'give it a count of values, then a start and an end or neither',
    );
  if (startNs !== undefined && !(startNs > 0 && endNs > startNs))
    fail(at, 'compare() over an empty time', 'give it a start and a later end, in nanoseconds since the epoch');
  if (by.length > 0) fail(at, 'compare() by attributes', 'it compares every attribute by itself');
}

function checkPipeline(pipeline: Pipeline, fail: Fail): void {
  for (const stage of pipeline.stages) {
    switch (stage.kind) {
      case 'scalar_filter':
        checkScalar(stage.left, fail);
        checkScalar(stage.right, fail);
        break;
      case 'by':
        typeOf(stage.expr, fail);
        if (!readsSpan(stage.expr)) fail(stage.at, 'by() of a constant', 'group by an attribute or an intrinsic');
        break;
      case 'coalesce':
      case 'select':
        break;
      default:
        checkSpanset(stage, fail);
    }
  }
}

function checkSpanset(expr: SpansetExpr, fail: Fail): void {
  switch (expr.kind) {
    case 'filter': {
      const type = expr.expr === undefined ? 'bool' : typeOf(expr.expr, fail);
      if (type !== 'bool' && type !== 'any') fail(expr.at, `a filter of type ${type}`, 'compare it: { duration > 1s }');
      return;
    }
    case 'operation':
      checkSpanset(expr.left, fail);
      return checkSpanset(expr.right, fail);
    case 'pipeline':
      return checkPipeline(expr.pipeline, fail);
  }
}

function checkScalar(expr: ScalarExpr, fail: Fail): void {
  switch (expr.kind) {
    case 'number':
      return;
    case 'aggregate':
      if (expr.expr === undefined) return;
      if (!isNumeric(typeOf(expr.expr, fail)))
        fail(expr.at, `${expr.op}() of a ${typeOf(expr.expr, fail)}`, 'aggregate a number');
      if (!readsSpan(expr.expr)) fail(expr.at, `${expr.op}() of a constant`, 'aggregate an attribute or an intrinsic');
      return;
    case 'arithmetic':
      checkScalar(expr.left, fail);
      return checkScalar(expr.right, fail);
    case 'pipeline':
      checkPipeline(expr.pipeline, fail);
      return checkScalar(expr.scalar, fail);
  }
}

function isNumeric(type: FieldType): boolean {
  return type === 'number' || type === 'any';
}

function readsSpan(expr: FieldExpr): boolean {
  switch (expr.kind) {
    case 'attribute':
    case 'intrinsic':
      return true;
    case 'static':
      return false;
    case 'unary':
    case 'cidr':
      return readsSpan(expr.operand);
    case 'binary':
      return readsSpan(expr.left) || readsSpan(expr.right);
  }
}

function typeOf(expr: FieldExpr, fail: Fail): FieldType {
  switch (expr.kind) {
    case 'attribute':
      return 'any';
    case 'intrinsic':
      return INTRINSIC_TYPES[expr.name];
    case 'static':
      switch (expr.value.kind) {
        case 'int':
        case 'float':
        case 'duration':
          return 'number';
        default:
          return expr.value.kind;
      }
    case 'unary': {
      const type = typeOf(expr.operand, fail);
      const wanted = expr.op === '-' ? 'number' : 'bool';
      if (type !== wanted && type !== 'any') fail(expr.at, `${expr.op} of a ${type}`, `it takes a ${wanted}`);
      return wanted;
    }
    case 'cidr': {
      const type = typeOf(expr.operand, fail);
      if (type !== 'string' && type !== 'any')
        fail(expr.at, `cidr() of a ${type}`, 'give it an attribute with an address');
      for (const network of expr.networks)
        if (parseNetwork(network) === undefined)
          fail(
            expr.at,
            `cidr() with ${JSON.stringify(network.slice(0, 60))}`,
            'write a network as "10.0.0.0/8" or "fd00::/8"',
          );
      return 'bool';
    }
    case 'binary':
      return typeOfBinary(expr, fail);
    default:
      return assertNever(expr);
  }
}

function typeOfBinary(expr: FieldExpr & { kind: 'binary' }, fail: Fail): FieldType {
  const { op, left, right, at } = expr;
  const [a, b] = [typeOf(left, fail), typeOf(right, fail)];
  const both = (wanted: FieldType) => [a, b].every((type) => type === wanted || type === 'any');
  const clash = () => fail(at, `${op} between ${a} and ${b}`);
  if (op === '&&' || op === '||') {
    if (!both('bool')) clash();
    return 'bool';
  }
  if (isArithmetic(op)) {
    if (!both('number')) clash();
    return 'number';
  }
  if (op === '=~' || op === '!~') {
    if (!both('string')) clash();
    if (right.kind !== 'static' || right.value.kind !== 'string')
      return fail(at, `${op} with something that is no text`, 'write the regular expression in quotes');
    compileRegex(right.value.value);
    return 'bool';
  }
  if (op === '=' || op === '!=') {
    if (a !== b && a !== 'any' && b !== 'any' && a !== 'nil' && b !== 'nil') clash();
    return 'bool';
  }
  if (!both('number') && !both('string')) clash();
  return 'bool';
}

function isArithmetic(op: FieldOp): boolean {
  return op === '+' || op === '-' || op === '*' || op === '/' || op === '%' || op === '^';
}
