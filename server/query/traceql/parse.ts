import type {
  AggregateOp,
  ArithmeticOp,
  CompareOp,
  Hint,
  MetricsExpr,
  MetricsOp,
  ScalarExpr,
  SpansetExpr,
  SpansetOp,
  Stage,
  Static,
  TraceqlExpr,
} from './ast.ts';
import { checkTraceql } from './check.ts';
import { accept, type Cursor, commaList, descend, expect, isAt, openCursor, peek, take, unexpected } from './cursor.ts';
import { invalidQuery, positionAt, syntaxError } from './errors.ts';
import { parseField, parseReference, staticOf } from './parse-field.ts';

/**
 * What a part of a query is while it is read. `scalar` is a number of a set of spans that must still be compared;
 * `function` is a metrics function that a pipeline before it must still feed.
 */
type Part =
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

const AGGREGATES: ReadonlySet<string> = new Set<AggregateOp>(['count', 'avg', 'min', 'max', 'sum']);
const METRICS: ReadonlySet<string> = new Set<MetricsOp>([
  'rate',
  'count_over_time',
  'min_over_time',
  'max_over_time',
  'avg_over_time',
  'sum_over_time',
  'quantile_over_time',
  'histogram_over_time',
  'compare',
]);

const STRENGTH: Readonly<Record<string, number>> = { '&&': 1, '||': 1, '+': 3, '-': 3, '*': 4, '/': 4, '%': 4, '^': 5 };
for (const op of [
  '=',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '>>',
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
]) {
  (STRENGTH as Record<string, number>)[op] = 2;
}
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

/**
 * Parses and checks a query.
 * @throws BarographError `traceql_syntax`, `traceql_invalid`.
 */
export function parseTraceql(text: string): TraceqlExpr {
  const cursor = openCursor(text);
  const part = parsePiped(cursor);
  const hints = isAt(cursor, 'with') ? parseHints(cursor) : [];
  if (peek(cursor).kind !== 'end') throw unexpected(cursor, 'end of query');
  const expr = rootOf(cursor, part, hints);
  checkTraceql(expr, text);
  return expr;
}

function rootOf(cursor: Cursor, part: Part, hints: readonly Hint[]): TraceqlExpr {
  switch (part.is) {
    case 'spanset':
      // A pipeline in parentheses around everything is the pipeline.
      if (part.expr.kind === 'pipeline') return { kind: 'spans', pipeline: part.expr.pipeline, hints };
      return { kind: 'spans', pipeline: { stages: [part.expr] }, hints };
    case 'stage':
      return { kind: 'spans', pipeline: { stages: [part.stage] }, hints };
    case 'metrics':
      return { kind: 'metrics', metrics: part.expr, hints };
    case 'scalar':
      throw syntaxError(cursor.text, peek(cursor).at, 'end of query', 'a comparison such as > 1 after the aggregate');
    case 'number':
      throw syntaxError(cursor.text, part.at, part.text, 'a spanset such as { } or a metrics pipeline in parentheses');
    case 'function':
      throw needsSpans(cursor, part.at);
  }
}

function needsSpans(cursor: Cursor, at: number): Error {
  return syntaxError(cursor.text, at, 'metrics function', 'it behind a pipeline: { } | rate()');
}

/** Reads stages joined by `|`. */
function parsePiped(cursor: Cursor): Part {
  const first = parseBinary(cursor, 0);
  if (!isAt(cursor, '|')) {
    if (first.is === 'stage' && !first.starts)
      throw syntaxError(cursor.text, first.stage.at, 'coalesce()', 'it behind another stage');
    return first;
  }
  let metrics: MetricsExpr | undefined;
  const stages: Stage[] = [];
  if (first.is === 'metrics') metrics = first.expr;
  else stages.push(asStage(cursor, first, true));
  let scalar: ScalarExpr | undefined;
  while (isAt(cursor, '|')) {
    if (scalar !== undefined) throw unexpected(cursor, 'a comparison such as > 1 after the aggregate');
    take(cursor);
    const at = peek(cursor).at;
    const part = parseBinary(cursor, 0);
    if (part.is === 'function') {
      if (part.second !== (metrics !== undefined)) {
        throw syntaxError(
          cursor.text,
          part.at,
          part.second ? 'topk or bottomk' : 'metrics function',
          part.second ? 'it behind a metrics function' : 'one of topk, bottomk',
        );
      }
      metrics = part.make(stages, metrics);
    } else if (metrics !== undefined)
      throw syntaxError(cursor.text, at, 'stage behind a metrics function', 'topk or bottomk');
    else if (part.is === 'scalar') scalar = part.expr;
    else stages.push(asStage(cursor, part, false));
  }
  if (metrics !== undefined) return { is: 'metrics', expr: metrics, at: metrics.at };
  if (scalar !== undefined)
    return { is: 'scalar', expr: { kind: 'pipeline', pipeline: { stages }, scalar, at: stages[0].at } };
  return { is: 'spanset', expr: { kind: 'pipeline', pipeline: { stages }, at: stages[0].at } };
}

function asStage(cursor: Cursor, part: Part, first: boolean): Stage {
  if (part.is === 'spanset') return part.expr;
  if (part.is === 'stage' && (part.starts || !first)) return part.stage;
  if (part.is === 'function') throw needsSpans(cursor, part.at);
  throw unexpected(
    cursor,
    part.is === 'scalar'
      ? 'a comparison such as > 1 after the aggregate'
      : 'a stage: { }, an aggregate with a comparison, by(), select()',
  );
}

function parseBinary(cursor: Cursor, weakest: number): Part {
  let left = descend(cursor, parseOperand);
  for (;;) {
    const token = peek(cursor);
    const strength = token.kind === 'operator' ? STRENGTH[token.text] : undefined;
    if (strength === undefined || strength <= weakest) return left;
    take(cursor);
    const right = descend(cursor, (c) => parseBinary(c, token.text === '^' ? strength - 1 : strength));
    left = combine(cursor, token.text, left, right, token.at);
  }
}

function combine(cursor: Cursor, op: string, left: Part, right: Part, at: number): Part {
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

type NumberPart = Part & { is: 'number' };

function foldNumbers(op: ArithmeticOp, left: NumberPart, right: NumberPart, at: number): Part {
  const value = calculate(op, left.value, right.value);
  const unit = left.unit === 'plain' && right.unit === 'plain' ? 'plain' : 'mixed';
  return { is: 'number', value, text: String(value), unit, at };
}

/** Arithmetic on numbers as IEEE 754 has it. */
export function calculate(op: ArithmeticOp, a: number, b: number): number {
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
      return a ** b;
  }
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

function parseOperand(cursor: Cursor): Part {
  const token = peek(cursor);
  if (isAt(cursor, '{')) return { is: 'spanset', expr: parseFilter(cursor) };
  if (isAt(cursor, '(')) {
    take(cursor);
    const inner = descend(cursor, parsePiped);
    expect(cursor, ')');
    if (inner.is === 'function') throw needsSpans(cursor, inner.at);
    // A stage in parentheses is a pipeline of one.
    if (inner.is === 'stage')
      return { is: 'spanset', expr: { kind: 'pipeline', pipeline: { stages: [inner.stage] }, at: token.at } };
    return inner;
  }
  if (isAt(cursor, '-')) {
    take(cursor);
    const inner = parseNumber(cursor);
    return { ...inner, value: -inner.value, text: `-${inner.text}`, at: token.at };
  }
  if (token.kind === 'int' || token.kind === 'float' || token.kind === 'duration') return parseNumber(cursor);
  if (token.kind === 'word' && isAt(cursor, '(', 1)) return parseCall(cursor);
  throw unexpected(cursor, 'a spanset such as { }, or a function');
}

function parseNumber(cursor: Cursor): NumberPart {
  const token = peek(cursor);
  if (token.kind !== 'int' && token.kind !== 'float' && token.kind !== 'duration') throw unexpected(cursor, 'a number');
  take(cursor);
  const unit = token.kind === 'duration' ? 'duration' : 'plain';
  return { is: 'number', value: token.value as number, text: token.text, unit, at: token.at };
}

function parseFilter(cursor: Cursor): SpansetExpr {
  const { at } = expect(cursor, '{');
  const expr = isAt(cursor, '}') ? undefined : parseField(cursor);
  expect(cursor, '}');
  return { kind: 'filter', expr, at };
}

function parseCall(cursor: Cursor): Part {
  const { text: name, at } = take(cursor);
  expect(cursor, '(');
  if (AGGREGATES.has(name)) {
    const expr = name === 'count' ? undefined : parseField(cursor);
    expect(cursor, ')');
    return { is: 'scalar', expr: { kind: 'aggregate', op: name as AggregateOp, expr, at } };
  }
  if (METRICS.has(name)) return parseMetrics(cursor, name as MetricsOp, at);
  switch (name) {
    case 'by': {
      const expr = parseField(cursor);
      expect(cursor, ')');
      return { is: 'stage', stage: { kind: 'by', expr, at }, starts: true };
    }
    case 'coalesce':
      expect(cursor, ')');
      return { is: 'stage', stage: { kind: 'coalesce', at }, starts: false };
    case 'select': {
      const fields = commaList(cursor, parseReference);
      expect(cursor, ')');
      return { is: 'stage', stage: { kind: 'select', fields, at }, starts: true };
    }
    case 'topk':
    case 'bottomk': {
      const limit = peek(cursor);
      if (limit.kind !== 'int' || limit.value === 0) throw unexpected(cursor, 'a whole number above 0');
      take(cursor);
      expect(cursor, ')');
      const make = (_stages: readonly Stage[], input: MetricsExpr | undefined): MetricsExpr => ({
        kind: 'rank',
        op: name,
        limit: limit.value as number,
        input: input!,
        at,
      });
      return { is: 'function', make, second: true, at };
    }
    default:
      throw syntaxError(
        cursor.text,
        at,
        name,
        'one of count, avg, min, max, sum, by, coalesce, select, or a metrics function such as rate',
      );
  }
}

function parseMetrics(cursor: Cursor, op: MetricsOp, at: number): Part {
  const takesField = op !== 'rate' && op !== 'count_over_time' && op !== 'compare';
  const field = takesField ? parseReference(cursor) : undefined;
  const params: number[] = [];
  let selection: SpansetExpr | undefined;
  if (op === 'compare') {
    selection = parseFilter(cursor);
    while (accept(cursor, ',')) params.push(parseNumber(cursor).value);
  }
  if (op === 'quantile_over_time') while (accept(cursor, ',')) params.push(parseNumber(cursor).value);
  if (op === 'quantile_over_time' && params.length === 0) throw unexpected(cursor, ', and a quantile such as 0.95');
  expect(cursor, ')');
  let by: ReturnType<typeof parseReference>[] = [];
  if (accept(cursor, 'by')) {
    expect(cursor, '(');
    by = commaList(cursor, parseReference);
    expect(cursor, ')');
  }
  const make = (stages: readonly Stage[]): MetricsExpr => ({
    kind: 'series',
    op,
    pipeline: { stages },
    field,
    params,
    selection,
    by,
    at,
  });
  return { is: 'function', make, second: false, at };
}

function parseHints(cursor: Cursor): Hint[] {
  take(cursor);
  expect(cursor, '(');
  const hints = commaList(cursor, (c) => {
    const name = take(c);
    if (name.kind !== 'word')
      throw invalidQuery(positionAt(c.text, name.at), 'a hint needs a name', 'write with (name=value)');
    expect(c, '=');
    const value: Static | undefined = staticOf(c);
    if (value === undefined) throw unexpected(c, 'a value');
    return { name: name.text, value };
  });
  expect(cursor, ')');
  return hints;
}
