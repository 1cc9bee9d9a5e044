import { METRIC_NAME } from '../../model/index.ts';
import { type Binary, type Expr, type LabelMatcher, parsePromql, printExpr } from '../promql/index.ts';

/** Lines are broken where they would be longer, as in Prometheus. */
const MAX_COLUMNS = 100;
const INDENT = '  ';

/**
 * Formats a query as Prometheus's `format_query` does: on one line where it fits, else every operand and argument on
 * lines of its own, indented by two spaces a level. Comments are dropped, and matchers come sorted.
 * @throws BarographError `promql_parse`.
 */
export function formatQuery(query: string): string {
  return pretty(sortMatchers(parsePromql(query)), 0);
}

function pretty(expr: Expr, level: number): string {
  const indent = INDENT.repeat(level);
  const line = printExpr(expr);
  if (line.length <= MAX_COLUMNS) return indent + line;
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'selector':
    case 'matrix':
      return indent + line;
    case 'aggregate': {
      const args = expr.param ? [expr.param, expr.expr] : [expr.expr];
      return `${indent}${aggregateHead(expr)}(\n${list(args, level + 1)}\n${indent})`;
    }
    case 'call':
      return `${indent}${expr.name}(\n${list(expr.args, level + 1)}\n${indent})`;
    case 'binary':
      return `${pretty(expr.left, level + 1)}\n${indent}${operatorOf(expr)}\n${pretty(expr.right, level + 1)}`;
    case 'paren':
      return `${indent}(\n${pretty(expr.expr, level + 1)}\n${indent})`;
    case 'unary':
      return `${indent}${expr.op}${pretty(expr.expr, level).slice(indent.length)}`;
    case 'subquery':
      return pretty(expr.expr, level) + line.slice(printExpr(expr.expr).length);
  }
}

function list(args: readonly Expr[], level: number): string {
  return args.map((arg) => pretty(arg, level)).join(',\n');
}

/** What stands before the arguments of an aggregation: what its text has before them. */
function aggregateHead(expr: Extract<Expr, { kind: 'aggregate' }>): string {
  const args = expr.param ? `(${printExpr(expr.param)}, ${printExpr(expr.expr)})` : `(${printExpr(expr.expr)})`;
  const line = printExpr(expr);
  return line.slice(0, line.length - args.length);
}

/** The operator with its modifiers: what the expression's text has between its sides. */
function operatorOf(expr: Binary): string {
  const line = printExpr(expr);
  return line.slice(printExpr(expr.left).length + 1, line.length - printExpr(expr.right).length - 1);
}

/** The same expression with the matchers of every selector in the order of their text, the name first. */
function sortMatchers(expr: Expr): Expr {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'selector':
      return { ...expr, matchers: sorted(expr.matchers) };
    case 'matrix':
      return { ...expr, selector: { ...expr.selector, matchers: sorted(expr.selector.matchers) } };
    case 'subquery':
    case 'unary':
    case 'paren':
      return { ...expr, expr: sortMatchers(expr.expr) };
    case 'call':
      return { ...expr, args: expr.args.map(sortMatchers) };
    case 'aggregate':
      return { ...expr, param: expr.param && sortMatchers(expr.param), expr: sortMatchers(expr.expr) };
    case 'binary':
      return { ...expr, left: sortMatchers(expr.left), right: sortMatchers(expr.right) };
  }
}

function sorted(matchers: readonly LabelMatcher[]): LabelMatcher[] {
  const isName = ({ name, op }: LabelMatcher): boolean => name === METRIC_NAME && op === '=';
  const text = ({ name, op, value }: LabelMatcher): string => `${name}${op}${JSON.stringify(value)}`;
  const [first, ...rest] = matchers;
  const keepsFirst = first !== undefined && isName(first);
  const others = (keepsFirst ? rest : [...matchers]).sort((a, b) => (text(a) < text(b) ? -1 : 1));
  return keepsFirst ? [first, ...others] : others;
}
