import { METRIC_NAME } from '../../model/index.ts';
import {
  type AtModifier,
  type Duration,
  durationMs,
  type Expr,
  formatValue,
  isLiteralDuration,
  type LabelMatcher,
  parsePromql,
  SIGNATURES,
  typeOf,
  type VectorMatching,
  type VectorSelector,
} from '../promql/index.ts';

/** A request to write an expression as Prometheus formats it, or as the tree of its JSON. */
export interface ExpressionQuery {
  readonly kind: 'format_query' | 'parse_query';
  readonly query: string;
}

/** Operators whose sides are sets, where every series of a group may meet every other. */
const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

/**
 * The tree of a query as Prometheus's `parse_query` shows it. Durations are milliseconds; one that depends on the
 * query's own times is 0, as there.
 * @throws BarographError `promql_parse`.
 */
export function expressionTree(query: string): unknown {
  return treeOf(query, parsePromql(query));
}

function treeOf(query: string, expr: Expr): unknown {
  const inner = (child: Expr): unknown => treeOf(query, child);
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatValue(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value };
    case 'paren':
      return { expr: inner(expr.expr), type: 'parenExpr' };
    case 'unary':
      return { expr: inner(expr.expr), op: expr.op, type: 'unaryExpr' };
    case 'selector':
      return { ...selectorPart(query, expr), type: 'vectorSelector' };
    case 'matrix':
      return { ...selectorPart(query, expr.selector), range: milliseconds(query, expr.range), type: 'matrixSelector' };
    case 'subquery':
      return {
        expr: inner(expr.expr),
        offset: milliseconds(query, expr.offset),
        range: milliseconds(query, expr.range),
        ...atPart(expr.at),
        step: milliseconds(query, expr.step),
        type: 'subquery',
      };
    case 'call': {
      const signature = SIGNATURES.get(expr.name);
      const { args, optional, returns } = signature ?? { args: [], optional: 0, returns: 'vector' };
      return {
        args: expr.args.map(inner),
        func: { argTypes: args, name: expr.name, returnType: returns, variadic: optional },
        type: 'call',
      };
    }
    case 'aggregate':
      return {
        expr: inner(expr.expr),
        grouping: expr.labels,
        op: expr.op,
        param: expr.param ? inner(expr.param) : null,
        type: 'aggregation',
        without: expr.grouping === 'without',
      };
    case 'binary': {
      const vectors = typeOf(expr.left) === 'vector' && typeOf(expr.right) === 'vector';
      return {
        bool: expr.bool,
        lhs: inner(expr.left),
        matching: vectors ? matchingPart(expr.matching, SET_OPERATORS.has(expr.op)) : null,
        op: expr.op,
        rhs: inner(expr.right),
        type: 'binaryExpr',
      };
    }
  }
}

function selectorPart(query: string, selector: VectorSelector) {
  const { matchers, offset, at, mode } = selector;
  return {
    anchored: mode === 'anchored',
    ...namePart(query, selector, matchers),
    offset: milliseconds(query, offset),
    smoothed: mode === 'smoothed',
    ...atPart(at),
  };
}

/** A name that stands before the braces is told apart from one among the matchers, and comes behind them. */
function namePart(query: string, { position }: VectorSelector, matchers: readonly LabelMatcher[]) {
  const [first, ...rest] = matchers;
  const isBefore = query[position.start] !== '{' && first?.name === METRIC_NAME && first.op === '=';
  const list = isBefore ? [...rest, first] : matchers;
  return {
    matchers: list.map(({ name, op, value }) => ({ name, type: op, value })),
    name: isBefore ? first.value : '',
  };
}

function atPart(at: AtModifier | undefined) {
  return {
    startOrEnd: at && at.kind !== 'timestamp' ? at.kind : null,
    timestamp: at?.kind === 'timestamp' ? at.ms : null,
  };
}

function matchingPart(matching: VectorMatching | undefined, isSet: boolean) {
  const card = matching?.group === 'left' ? 'many-to-one' : matching?.group === 'right' ? 'one-to-many' : 'one-to-one';
  return {
    card: isSet ? 'many-to-many' : card,
    fillValues: { lhs: matching?.fillLeft ?? null, rhs: matching?.fillRight ?? null },
    include: matching?.include ?? [],
    labels: matching?.labels ?? [],
    on: matching?.on ?? false,
  };
}

function milliseconds(query: string, duration: Duration | undefined): number {
  if (!duration || !isLiteralDuration(duration)) return 0;
  return durationMs(duration, { query, stepMs: 0, rangeMs: 0 });
}
