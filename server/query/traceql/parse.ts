import type {
  AggregateOp,
  Hint,
  MetricsExpr,
  MetricsOp,
  ScalarExpr,
  SpansetExpr,
  Stage,
  Static,
  TraceqlExpr,
} from './ast.ts';
import { checkTraceql } from './check.ts';
import { accept, type Cursor, commaList, descend, expect, isAt, openCursor, peek, take, unexpected } from './cursor.ts';
import { invalidQuery, positionAt, syntaxError } from './errors.ts';
import { parseField, parseReference, staticOf } from './parse-field.ts';
import { combineParts, type NumberPart, type Part } from './parts.ts';

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
    left = combineParts(cursor, token.text, left, right, token.at);
  }
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
