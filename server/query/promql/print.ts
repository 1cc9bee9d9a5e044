import { isPlainLabelName, isPlainMetricName, METRIC_NAME, printDurationMs } from '../../model/index.ts';
import type { AtModifier, Duration, Expr, LabelMatcher, VectorMatching, VectorSelector } from './ast.ts';
import { quote } from './strings.ts';

/** An expression as text that parses back to an equal one. */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return printNumber(expr.value);
    case 'string':
      return quote(expr.value);
    case 'selector':
      return printMatchers(expr.matchers) + printModifiers(expr);
    case 'matrix':
      return `${printMatchers(expr.selector.matchers)}[${printDuration(expr.range)}]${printModifiers(expr.selector)}`;
    case 'subquery': {
      const step = expr.step ? printDuration(expr.step) : '';
      return `${printExpr(expr.expr)}[${printDuration(expr.range)}:${step}]${printModifiers(expr)}`;
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

/** A duration as written, in its shortest form. */
export function printDuration(duration: Duration): string {
  switch (duration.kind) {
    case 'literal': {
      const ms = duration.seconds * 1000;
      return Number.isSafeInteger(ms) ? printDurationMs(ms) : printNumber(duration.seconds);
    }
    case 'step':
    case 'range':
      return `${duration.kind}()`;
    case 'negated':
      return `-${printDuration(duration.of)}`;
    case 'group':
      return `(${printDuration(duration.of)})`;
    case 'min':
    case 'max':
      return `${duration.kind}_of(${printDuration(duration.left)}, ${printDuration(duration.right)})`;
    case 'binary':
      return `${printDuration(duration.left)} ${duration.op} ${printDuration(duration.right)}`;
  }
}

function printNumber(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return 'Inf';
  if (value === Number.NEGATIVE_INFINITY) return '-Inf';
  return Object.is(value, -0) ? '-0' : String(value);
}

/** `metric{a="b"}`, or everything in braces where the metric's name needs quotes. */
export function printMatchers(matchers: readonly LabelMatcher[]): string {
  const first = matchers[0];
  const isName = first?.name === METRIC_NAME && first.op === '=';
  const plain = isName && isPlainMetricName(first.value);
  const parts = (isName ? matchers.slice(1) : matchers).map((m) => `${printName(m.name)}${m.op}${quote(m.value)}`);
  if (isName && !plain) parts.unshift(quote(first.value));
  if (plain && parts.length === 0) return first.value;
  return `${plain ? first.value : ''}{${parts.join(',')}}`;
}

function printName(name: string): string {
  return isPlainLabelName(name) ? name : quote(name);
}

function printNames(names: readonly string[]): string {
  return names.map(printName).join(', ');
}

function printModifiers(target: {
  at: AtModifier | undefined;
  offset: Duration | undefined;
  mode?: VectorSelector['mode'];
}): string {
  const { at, offset, mode } = target;
  let text = '';
  if (mode) text += ` ${mode}`;
  if (at) text += at.kind === 'timestamp' ? ` @ ${(at.ms / 1000).toFixed(3)}` : ` @ ${at.kind}()`;
  if (offset) text += ` offset ${offset.kind === 'binary' ? `(${printDuration(offset)})` : printDuration(offset)}`;
  return text;
}

function printMatching(matching: VectorMatching | undefined): string {
  if (!matching) return '';
  const { on, labels, group, include, fillLeft, fillRight } = matching;
  let text = '';
  const filled = (fillLeft ?? fillRight) !== undefined;
  if (on || labels.length > 0 || group || !filled) text += ` ${on ? 'on' : 'ignoring'} (${printNames(labels)})`;
  if (group) text += ` group_${group} (${printNames(include)})`;
  if (fillLeft !== undefined && Object.is(fillLeft, fillRight)) return `${text} fill (${printNumber(fillLeft)})`;
  if (fillLeft !== undefined) text += ` fill_left (${printNumber(fillLeft)})`;
  if (fillRight !== undefined) text += ` fill_right (${printNumber(fillRight)})`;
  return text;
}
