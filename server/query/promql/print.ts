import { isPlainLabelName, isPlainMetricName, METRIC_NAME, printDurationMs } from '../../model/index.ts';
import type { AtModifier, Expr, LabelMatcher, VectorMatching } from './ast.ts';

/** An expression as text that parses back to an equal one. */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return printNumber(expr.value);
    case 'string':
      return JSON.stringify(expr.value);
    case 'selector':
      return printMatchers(expr.matchers) + printModifiers(expr.at, expr.offsetMs);
    case 'matrix': {
      const { matchers, at, offsetMs } = expr.selector;
      return `${printMatchers(matchers)}[${printDurationMs(expr.rangeMs)}]${printModifiers(at, offsetMs)}`;
    }
    case 'subquery': {
      const step = expr.stepMs > 0 ? printDurationMs(expr.stepMs) : '';
      return `${printExpr(expr.expr)}[${printDurationMs(expr.rangeMs)}:${step}]${printModifiers(expr.at, expr.offsetMs)}`;
    }
    case 'call':
      return `${expr.name}(${expr.args.map(printExpr).join(', ')})`;
    case 'aggregate': {
      const args = expr.param ? `${printExpr(expr.param)}, ${printExpr(expr.expr)}` : printExpr(expr.expr);
      if (expr.grouping === 'without') return `${expr.op} without (${printNames(expr.labels)}) (${args})`;
      return expr.labels.length > 0 ? `${expr.op} by (${printNames(expr.labels)}) (${args})` : `${expr.op}(${args})`;
    }
    case 'binary': {
      const bool = expr.bool ? ' bool' : '';
      return `${printExpr(expr.left)} ${expr.op}${bool}${printMatching(expr.matching)} ${printExpr(expr.right)}`;
    }
    case 'unary':
      return `${expr.op}${printExpr(expr.expr)}`;
    case 'paren':
      return `(${printExpr(expr.expr)})`;
  }
}

function printNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return String(value);
}

function printMatchers(matchers: readonly LabelMatcher[]): string {
  const first = matchers[0];
  const named = first?.name === METRIC_NAME && first.op === '=' && isPlainMetricName(first.value);
  const rest = named ? matchers.slice(1) : matchers;
  const parts = rest.map((m) => `${printName(m.name)}${m.op}${JSON.stringify(m.value)}`);
  if (named && parts.length === 0) return first.value;
  return `${named ? first.value : ''}{${parts.join(',')}}`;
}

function printName(name: string): string {
  return isPlainLabelName(name) ? name : JSON.stringify(name);
}

function printNames(names: readonly string[]): string {
  return names.map(printName).join(', ');
}

function printModifiers(at: AtModifier | undefined, offsetMs: number): string {
  let text = '';
  if (at) text += at.kind === 'timestamp' ? ` @ ${(at.ms / 1000).toFixed(3)}` : ` @ ${at.kind}()`;
  if (offsetMs !== 0) text += ` offset ${printDurationMs(offsetMs)}`;
  return text;
}

function printMatching(matching: VectorMatching | undefined): string {
  if (!matching) return '';
  const group = matching.group ? ` group_${matching.group} (${printNames(matching.include)})` : '';
  return ` ${matching.on ? 'on' : 'ignoring'} (${printNames(matching.labels)})${group}`;
}
