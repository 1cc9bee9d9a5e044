import { type AttributeValue, compileRegex, type Span, type SpanKind, type SpanStatus } from '../../model/index.ts';
import { calculate } from './arithmetic.ts';
import type { ArithmeticOp, AttributeField, CompareOp, FieldExpr, Intrinsic, Static } from './ast.ts';
import { assertNever } from './ast.ts';
import { compileNetworks } from './cidr.ts';
import { unsupportedQuery } from './errors.ts';
import type { TraceView } from './trace-view.ts';

/** Status and kind are values of their own, so that the text "error" in an attribute isn't the status `error`. */
export interface Keyword {
  readonly keyword: SpanStatus | SpanKind;
}

/** A value of an expression; `undefined` is nil. A list holds what several events, links or array elements have. */
export type Value = string | number | boolean | Keyword | undefined | readonly Value[];

/** Evaluates an expression for a span; expressions that look at the trace need it. */
export type FieldReader = (span: Span, trace: TraceView | undefined) => Value;

export const STATUS: Readonly<Record<SpanStatus, Keyword>> = {
  unset: { keyword: 'unset' },
  ok: { keyword: 'ok' },
  error: { keyword: 'error' },
};
export const KIND: Readonly<Record<SpanKind, Keyword>> = {
  unspecified: { keyword: 'unspecified' },
  internal: { keyword: 'internal' },
  server: { keyword: 'server' },
  client: { keyword: 'client' },
  producer: { keyword: 'producer' },
  consumer: { keyword: 'consumer' },
};

/** Compiles an expression. @throws BarographError `traceql_unsupported`. */
export function compileField(expr: FieldExpr): FieldReader {
  switch (expr.kind) {
    case 'attribute':
      return compileAttribute(expr);
    case 'intrinsic':
      return compileIntrinsic(expr.name);
    case 'static': {
      const value = staticValue(expr.value);
      return () => value;
    }
    case 'unary': {
      const operand = compileField(expr.operand);
      if (expr.op === '!') return (span, trace) => operand(span, trace) === false;
      return (span, trace) => {
        const value = operand(span, trace);
        return typeof value === 'number' ? -value : undefined;
      };
    }
    case 'binary':
      return compileBinary(expr);
    case 'cidr': {
      const operand = compileField(expr.operand);
      const contains = compileNetworks(expr.networks);
      return (span, trace) => contains(operand(span, trace));
    }
    default:
      return assertNever(expr);
  }
}

/** Compiles a filter's expression to a test; an empty filter passes every span. */
export function compileTest(expr: FieldExpr | undefined): (span: Span, trace: TraceView | undefined) => boolean {
  if (expr === undefined) return () => true;
  const read = compileField(expr);
  return (span, trace) => read(span, trace) === true;
}

/** Whether an expression can be evaluated for a span alone, without its trace. */
export function isLocal(expr: FieldExpr | undefined): boolean {
  if (expr === undefined) return true;
  switch (expr.kind) {
    case 'static':
      return true;
    case 'attribute':
      return !expr.ofParent;
    case 'intrinsic':
      return !TRACE_INTRINSICS.has(expr.name);
    case 'unary':
    case 'cidr':
      return isLocal(expr.operand);
    case 'binary':
      return asksForRoot(expr) !== undefined || (isLocal(expr.left) && isLocal(expr.right));
  }
}

/**
 * Whether a comparison only asks if the span is a root (`true`) or isn't one (`false`), so that the span alone answers
 * it. Grafana asks so: `nestedSetParent < 0`. The number is -1 for roots and 0 or more for all others.
 */
export function asksForRoot(expr: FieldExpr): boolean | undefined {
  if (expr.kind !== 'binary' || expr.left.kind !== 'intrinsic' || expr.left.name !== 'nestedSetParent')
    return undefined;
  const bound = constantOf(expr.right);
  if (bound === undefined) return undefined;
  switch (expr.op) {
    case '=':
      return bound === -1 ? true : undefined;
    case '!=':
      return bound === -1 ? false : undefined;
    case '<':
      return bound > -1 && bound <= 0 ? true : undefined;
    case '>=':
      return bound > -1 && bound <= 0 ? false : undefined;
    case '<=':
      return bound >= -1 && bound < 0 ? true : undefined;
    case '>':
      return bound >= -1 && bound < 0 ? false : undefined;
    default:
      return undefined;
  }
}

function constantOf(expr: FieldExpr): number | undefined {
  if (expr.kind === 'unary' && expr.op === '-') {
    const value = constantOf(expr.operand);
    return value === undefined ? undefined : -value;
  }
  if (expr.kind !== 'static') return undefined;
  return expr.value.kind === 'int' || expr.value.kind === 'float' ? expr.value.value : undefined;
}

const TRACE_INTRINSICS: ReadonlySet<Intrinsic> = new Set([
  'span:childCount',
  'trace:duration',
  'trace:rootName',
  'trace:rootService',
  'nestedSetLeft',
  'nestedSetRight',
  'nestedSetParent',
]);

function staticValue(value: Static): Value {
  switch (value.kind) {
    case 'status':
      return STATUS[value.value];
    case 'span_kind':
      return KIND[value.value];
    case 'nil':
      return undefined;
    default:
      return value.value;
  }
}

function compileIntrinsic(name: Intrinsic): FieldReader {
  switch (name) {
    case 'span:duration':
      return (span) => Number(span.durationNs);
    case 'span:name':
      return (span) => span.name;
    case 'span:kind':
      return (span) => KIND[span.kind];
    case 'span:status':
      return (span) => STATUS[span.status];
    case 'span:statusMessage':
      return (span) => span.statusMessage;
    case 'span:id':
      return (span) => span.spanId;
    case 'span:parentID':
      return (span) => (span.parentSpanId === '' ? undefined : span.parentSpanId);
    case 'span:childCount':
      return (span, trace) => trace!.childCount(span);
    case 'trace:duration':
      return (_span, trace) => Number(trace!.endNs - trace!.startNs);
    // Of a trace whose root hasn't been received they are empty, as in Tempo; the text that says so is only shown.
    case 'trace:rootName':
      return (_span, trace) => trace!.root?.name ?? '';
    case 'trace:rootService':
      return (_span, trace) => trace!.root?.serviceName ?? '';
    case 'trace:id':
      return (span) => span.traceId;
    case 'event:name':
      return (span) => span.events.map((event) => event.name);
    case 'event:timeSinceStart':
      return (span) => span.events.map((event) => Number(event.timeNs - span.startNs));
    case 'link:traceID':
      return (span) => span.links.map((link) => link.traceId);
    case 'link:spanID':
      return (span) => span.links.map((link) => link.spanId);
    case 'instrumentation:name':
      return (span) => span.scopeName;
    case 'instrumentation:version':
      return (span) => span.scopeVersion;
    case 'nestedSetLeft':
      return (span, trace) => trace!.nestedSet(span).left;
    case 'nestedSetRight':
      return (span, trace) => trace!.nestedSet(span).right;
    case 'nestedSetParent':
      return (span, trace) => trace!.nestedSet(span).parent;
    case 'parent':
      throw unsupportedQuery(name, 'span:parentID, parent.<attribute> and the structural operators > >> < << ~');
    default:
      return assertNever(name);
  }
}

function compileAttribute(field: AttributeField): FieldReader {
  const { name } = field;
  const own = compileOwnAttribute(field);
  if (!field.ofParent) return own;
  return (span, trace) => {
    const parent = trace!.parentOf(span);
    return parent === undefined ? undefined : own(parent, trace);
  };

  function compileOwnAttribute({ scope }: AttributeField): FieldReader {
    switch (scope) {
      case 'span':
        return (span) => attributeOf(span.attributes, name);
      case 'resource':
        return (span) => attributeOf(span.resource, name);
      case 'any':
        return (span) => attributeOf(span.attributes, name) ?? attributeOf(span.resource, name);
      case 'event':
        return (span) => many(span.events.map((event) => attributeOf(event.attributes, name)));
      case 'link':
        return (span) => many(span.links.map((link) => attributeOf(link.attributes, name)));
      case 'instrumentation':
        throw unsupportedQuery('instrumentation.<attribute>', 'instrumentation:name and instrumentation:version');
      default:
        return assertNever(scope);
    }
  }
}

function attributeOf(attributes: Readonly<Record<string, AttributeValue>>, name: string): Value {
  if (!Object.hasOwn(attributes, name)) return undefined;
  const value = attributes[name];
  if (value === null) return undefined;
  if (Array.isArray(value)) return value.map((element) => (typeof element === 'object' ? undefined : element));
  // Maps have no place in comparisons; they exist, and equal nothing.
  return typeof value === 'object' ? [] : value;
}

function many(values: Value[]): Value {
  const present = values.flat().filter((value) => value !== undefined);
  return present.length === 0 ? undefined : present;
}

function compileBinary(expr: FieldExpr & { kind: 'binary' }): FieldReader {
  const { op } = expr;
  const wantsRoot = asksForRoot(expr);
  if (wantsRoot !== undefined) return (span) => (span.parentSpanId === '') === wantsRoot;
  if ((op === '=' || op === '!=') && (isNil(expr.left) || isNil(expr.right))) {
    const value = compileField(isNil(expr.left) ? expr.right : expr.left);
    return (span, trace) => (value(span, trace) === undefined) === (op === '=');
  }
  const left = compileField(expr.left);
  if (op === '=~' || op === '!~') {
    const pattern = expr.right as FieldExpr & { kind: 'static' };
    const regex = compileRegex((pattern.value as Static & { kind: 'string' }).value);
    const test = (value: Value) => typeof value === 'string' && regex.matches(value);
    return (span, trace) =>
      compareLists(op, left(span, trace), (value) => (typeof value === 'string' ? test(value) : undefined));
  }
  const right = compileField(expr.right);
  switch (op) {
    case '&&':
      return (span, trace) => left(span, trace) === true && right(span, trace) === true;
    case '||':
      return (span, trace) => left(span, trace) === true || right(span, trace) === true;
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case '^':
      return (span, trace) => calculateValues(op, left(span, trace), right(span, trace));
    default:
      return (span, trace) => compareValues(op, left(span, trace), right(span, trace));
  }
}

function isNil(expr: FieldExpr): boolean {
  return expr.kind === 'static' && expr.value.kind === 'nil';
}

function calculateValues(op: ArithmeticOp, a: Value, b: Value): Value {
  return typeof a === 'number' && typeof b === 'number' ? calculate(op, a, b) : undefined;
}

/**
 * Compares as Tempo does: nil and values of different types compare to false, whatever the operator. Of a list one
 * element must satisfy a positive comparison, and all elements a negative one.
 */
export function compareValues(op: CompareOp, a: Value, b: Value): boolean {
  if (Array.isArray(b) && !Array.isArray(a))
    return compareLists(op, b as readonly Value[], (element) => compareOne(op, a, element));
  return compareLists(op, a, (element) => compareOne(op, element, b));
}

/** `test` says whether the operator without its negation holds for an element; `undefined` where the types differ. */
function compareLists(op: CompareOp, value: Value, test: (element: Value) => boolean | undefined): boolean {
  const negative = op === '!=' || op === '!~';
  if (!Array.isArray(value)) {
    const result = test(value);
    return result !== undefined && result !== negative;
  }
  const results = (value as readonly Value[]).map(test);
  if (results.length === 0) return false;
  return negative ? results.every((result) => result !== true) : results.some((result) => result === true);
}

function compareOne(op: CompareOp, a: Value, b: Value): boolean | undefined {
  if (a === undefined || b === undefined || typeof a !== typeof b || Array.isArray(b)) return undefined;
  switch (op) {
    case '=':
    case '!=':
      return a === b;
    case '<':
      return (a as number) < (b as number);
    case '<=':
      return (a as number) <= (b as number);
    case '>':
      return (a as number) > (b as number);
    case '>=':
      return (a as number) >= (b as number);
    case '=~':
    case '!~':
      throw new Error('BUG: a regular expression is compiled, not compared');
    default:
      return assertNever(op);
  }
}
