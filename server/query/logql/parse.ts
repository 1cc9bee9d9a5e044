import type {
  BinaryExpr,
  BinaryOp,
  CompareOp,
  Grouping,
  LabelReplace,
  LogExpr,
  LogqlExpr,
  MetricExpr,
  RangeExpr,
  RangeOp,
  Stage,
  VectorExpr,
  VectorMatching,
  VectorOp,
} from './ast.ts';
import { checkLogql } from './check.ts';
import {
  accept,
  type Cursor,
  commaList,
  descend,
  expect,
  expectIdentifier,
  expectString,
  isAt,
  openCursor,
  peek,
  take,
  unexpected,
} from './cursor.ts';
import { invalidQuery, positionAt, syntaxError, unsupportedQuery } from './errors.ts';
import { parseDurationNs } from './literal.ts';
import { isStageStart, parseMatchers, parseStages } from './parse-stage.ts';

const RANGE_OPS: ReadonlySet<string> = new Set<RangeOp>([
  'count_over_time',
  'rate',
  'rate_counter',
  'bytes_over_time',
  'bytes_rate',
  'avg_over_time',
  'sum_over_time',
  'min_over_time',
  'max_over_time',
  'stddev_over_time',
  'stdvar_over_time',
  'quantile_over_time',
  'first_over_time',
  'last_over_time',
  'absent_over_time',
]);
const VECTOR_OPS: ReadonlySet<string> = new Set<VectorOp>([
  'sum',
  'avg',
  'count',
  'max',
  'min',
  'stddev',
  'stdvar',
  'topk',
  'bottomk',
  'approx_topk',
  'sort',
  'sort_desc',
]);
/** Functions of newer Lokis that this engine refuses by name. */
const UNSUPPORTED: ReadonlySet<string> = new Set(['approx_count_distinct', 'variants']);

/** Binary operators by how strongly they bind; `^` is the only one that groups to the right. */
const PRECEDENCE: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '>': 3,
  '>=': 3,
  '<': 3,
  '<=': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  '^': 6,
};
const COMPARISONS: ReadonlySet<string> = new Set<CompareOp>(['==', '!=', '>', '>=', '<', '<=']);

/**
 * Parses and checks a query. Besides the syntax everything is checked that doesn't need data: regular expressions,
 * templates, patterns, which functions take which arguments.
 * @throws BarographError `logql_syntax`, `logql_invalid`, `logql_unsupported`, `bad_regex`.
 */
export function parseLogql(text: string): LogqlExpr {
  const cursor = openCursor(text);
  const expr = parseExpr(cursor, 0);
  if (peek(cursor).kind !== 'end') throw unexpected(cursor);
  checkLogql(expr, text);
  return expr;
}

/** Parses a selector alone, `{app="a"}`, without checking that it selects something (as for `match[]`). */
export function parseSelectorExpr(text: string): LogExpr {
  const cursor = openCursor(text);
  const at = peek(cursor).at;
  const matchers = parseMatchers(cursor);
  if (peek(cursor).kind !== 'end') throw unexpected(cursor, 'end of query');
  return { kind: 'log', matchers, stages: [], at };
}

function parseExpr(cursor: Cursor, weakest: number): LogqlExpr {
  let left = descend(cursor, parseOperand);
  for (;;) {
    const token = peek(cursor);
    const strength = token.kind === 'operator' || token.kind === 'identifier' ? PRECEDENCE[token.text] : undefined;
    if (strength === undefined || strength <= weakest) return left;
    take(cursor);
    const op = token.text as BinaryOp;
    const modifiers = parseModifiers(cursor, op);
    const right = descend(cursor, (c) => parseExpr(c, op === '^' ? strength - 1 : strength));
    left = {
      kind: 'binary',
      op,
      left: asMetric(cursor, left, op),
      right: asMetric(cursor, right, op),
      ...modifiers,
      at: token.at,
    } satisfies BinaryExpr;
  }
}

function asMetric(cursor: Cursor, expr: LogqlExpr, op: string): MetricExpr {
  if (expr.kind !== 'log') return expr;
  throw invalidQuery(
    positionAt(cursor.text, expr.at),
    `log lines can't be an operand of ${op}`,
    'make numbers of them, for example with count_over_time({…}[5m])',
  );
}

function parseModifiers(cursor: Cursor, op: BinaryOp): Pick<BinaryExpr, 'bool' | 'matching'> {
  const boolAt = peek(cursor).at;
  const bool = accept(cursor, 'bool');
  if (bool && !COMPARISONS.has(op))
    throw syntaxError(cursor.text, boolAt, 'bool', 'it only after a comparison operator');
  if (!isAt(cursor, 'on') && !isAt(cursor, 'ignoring')) return { bool, matching: undefined };
  const on = take(cursor).text === 'on';
  const labels = parseLabelList(cursor);
  let group: VectorMatching['group'];
  let include: string[] = [];
  if (isAt(cursor, 'group_left') || isAt(cursor, 'group_right')) {
    group = take(cursor).text === 'group_left' ? 'left' : 'right';
    if (isAt(cursor, '(')) include = parseLabelList(cursor);
  }
  return { bool, matching: { on, labels, group, include } };
}

function parseLabelList(cursor: Cursor): string[] {
  expect(cursor, '(');
  const labels: string[] = [];
  while (!isAt(cursor, ')')) {
    labels.push(expectIdentifier(cursor).text);
    if (!accept(cursor, ',')) break;
  }
  expect(cursor, ')');
  return labels;
}

function parseOperand(cursor: Cursor): LogqlExpr {
  const token = peek(cursor);
  if (isAt(cursor, '{')) return parseLog(cursor);
  if (accept(cursor, '(')) {
    const inner = descend(cursor, (c) => parseExpr(c, 0));
    expect(cursor, ')');
    // A pipeline may go on after a selector in parentheses.
    if (inner.kind === 'log' && isStageStart(cursor))
      return { ...inner, stages: [...inner.stages, ...parseStages(cursor)] };
    return inner;
  }
  if (token.kind === 'number' || isAt(cursor, '-') || isAt(cursor, '+')) {
    return { kind: 'number', value: parseNumber(cursor), at: token.at };
  }
  if (token.kind !== 'identifier') throw unexpected(cursor, 'a query');
  if (RANGE_OPS.has(token.text)) return parseRange(cursor);
  if (VECTOR_OPS.has(token.text)) return parseVector(cursor);
  if (token.text === 'vector') return parseConstantVector(cursor);
  if (token.text === 'label_replace') return parseLabelReplace(cursor);
  if (UNSUPPORTED.has(token.text)) {
    throw unsupportedQuery(
      positionAt(cursor.text, token.at),
      token.text,
      'the range and vector aggregations of the reference',
    );
  }
  throw unexpected(cursor, 'a selector, a number or a function');
}

function parseLog(cursor: Cursor): LogExpr {
  const at = peek(cursor).at;
  const matchers = parseMatchers(cursor);
  return { kind: 'log', matchers, stages: parseStages(cursor), at };
}

function parseNumber(cursor: Cursor): number {
  const negative = accept(cursor, '-');
  if (!negative) accept(cursor, '+');
  const token = peek(cursor);
  if (token.kind !== 'number') throw unexpected(cursor, 'NUMBER');
  take(cursor);
  const value = Number(token.text);
  // A literal like 1e999 would become Infinity, which has no spelling in LogQL.
  if (!Number.isFinite(value)) {
    throw invalidQuery(positionAt(cursor.text, token.at), `unable to parse literal as a float: ${token.text}`);
  }
  return negative ? -value : value;
}

function parseGrouping(cursor: Cursor): Grouping | undefined {
  if (!isAt(cursor, 'by') && !isAt(cursor, 'without')) return undefined;
  const kind = take(cursor).text as Grouping['kind'];
  return { kind, labels: parseLabelList(cursor) };
}

function parseParam(cursor: Cursor): number | undefined {
  const first = isAt(cursor, '-') || isAt(cursor, '+') ? 1 : 0;
  if (peek(cursor, first).kind !== 'number' || !isAt(cursor, ',', first + 1)) return undefined;
  const value = parseNumber(cursor);
  expect(cursor, ',');
  return value;
}

function parseRange(cursor: Cursor): RangeExpr {
  const token = take(cursor);
  expect(cursor, '(');
  const param = parseParam(cursor);
  const window = descend(cursor, parseWindow);
  if (window.rangeNs === undefined) throw unexpected(cursor, 'a range such as [5m]');
  expect(cursor, ')');
  return {
    kind: 'range',
    op: token.text as RangeOp,
    param,
    log: window.log,
    rangeNs: window.rangeNs,
    offsetNs: window.offsetNs,
    grouping: parseGrouping(cursor),
    at: token.at,
  };
}

interface Window {
  readonly log: LogExpr;
  readonly rangeNs: bigint | undefined;
  readonly offsetNs: bigint;
}

/** A selector with its pipeline and range in any of Loki's orders: the range last, or between selector and pipeline. */
function parseWindow(cursor: Cursor): Window {
  let inner: Window;
  if (accept(cursor, '(')) {
    inner = descend(cursor, parseWindow);
    expect(cursor, ')');
  } else {
    inner = { log: parseLog(cursor), rangeNs: undefined, offsetNs: 0n };
  }
  let { log, rangeNs, offsetNs } = inner;
  const more: Stage[] = isStageStart(cursor) ? parseStages(cursor) : [];
  if (isAt(cursor, '[')) {
    if (rangeNs !== undefined) throw unexpected(cursor, ')');
    rangeNs = parseBracketRange(cursor);
    if (accept(cursor, 'offset')) offsetNs = parseOffset(cursor);
    if (isStageStart(cursor)) more.push(...parseStages(cursor));
  }
  if (more.length > 0) log = { ...log, stages: [...log.stages, ...more] };
  return { log, rangeNs, offsetNs };
}

function parseBracketRange(cursor: Cursor): bigint {
  expect(cursor, '[');
  const token = peek(cursor);
  const ns = token.kind === 'duration' ? parseDurationNs(token.text) : undefined;
  if (ns === undefined) throw unexpected(cursor, 'DURATION such as 5m');
  if (ns === 0n) throw invalidQuery(positionAt(cursor.text, token.at), 'a range must be longer than zero');
  take(cursor);
  expect(cursor, ']');
  return ns;
}

function parseOffset(cursor: Cursor): bigint {
  const negative = accept(cursor, '-');
  const token = peek(cursor);
  const ns = token.kind === 'duration' ? parseDurationNs(token.text) : undefined;
  if (ns === undefined) throw unexpected(cursor, 'DURATION such as 5m');
  take(cursor);
  return negative ? -ns : ns;
}

function parseVector(cursor: Cursor): VectorExpr {
  const token = take(cursor);
  const before = parseGrouping(cursor);
  expect(cursor, '(');
  const param = parseParam(cursor);
  const expr = asMetric(
    cursor,
    descend(cursor, (c) => parseExpr(c, 0)),
    token.text,
  );
  expect(cursor, ')');
  const grouping = before ?? parseGrouping(cursor);
  return { kind: 'vector', op: token.text as VectorOp, param, expr, grouping, at: token.at };
}

function parseConstantVector(cursor: Cursor): MetricExpr {
  const token = take(cursor);
  expect(cursor, '(');
  const value = parseNumber(cursor);
  expect(cursor, ')');
  return { kind: 'constant_vector', value, at: token.at };
}

function parseLabelReplace(cursor: Cursor): LabelReplace {
  const token = take(cursor);
  expect(cursor, '(');
  const expr = asMetric(
    cursor,
    descend(cursor, (c) => parseExpr(c, 0)),
    'label_replace',
  );
  expect(cursor, ',');
  const strings = commaList(cursor, (c) => expectString(c).value);
  if (strings.length !== 4) throw unexpected(cursor, 'four strings: target, replacement, source, regular expression');
  expect(cursor, ')');
  const [to, replacement, from, regex] = strings;
  return { kind: 'label_replace', expr, to, replacement, from, regex, at: token.at };
}
