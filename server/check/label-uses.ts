import type { Expr, LabelMatcher } from '../query/index.ts';
import { UNKNOWN_NAME } from './variables.ts';

/** That an expression asks a metric for a label. */
export interface LabelUse {
  readonly metric: string;
  readonly label: string;
  /** The condition on it; `undefined` where it is grouped, joined or read by. */
  readonly matcher: LabelMatcher | undefined;
}

/** Labels that are there without a sender's doing. */
const OWN = new Set(['__name__', UNKNOWN_NAME]);

/** Which labels an expression asks of which metrics, whose names are written out. */
export function labelUses(expr: Expr): LabelUse[] {
  const uses: LabelUse[] = [];
  collect(expr, new Set(), uses);
  return uses;
}

/** @param asked labels that whatever stands around the expression needs of it */
function collect(expr: Expr, asked: ReadonlySet<string>, uses: LabelUse[]): void {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return;
    case 'selector': {
      const name = expr.matchers.find((matcher) => matcher.name === '__name__' && matcher.op === '=')?.value;
      if (name === undefined || name.includes('$')) return;
      for (const matcher of expr.matchers) {
        if (!OWN.has(matcher.name)) uses.push({ metric: name, label: matcher.name, matcher });
      }
      for (const label of asked) if (!OWN.has(label)) uses.push({ metric: name, label, matcher: undefined });
      return;
    }
    case 'matrix':
      return collect(expr.selector, asked, uses);
    case 'subquery':
    case 'unary':
    case 'paren':
      return collect(expr.expr, asked, uses);
    case 'aggregate': {
      if (expr.param) collect(expr.param, new Set(), uses);
      const made = expr.op === 'count_values' && expr.param?.kind === 'string' ? expr.param.value : undefined;
      if (expr.grouping === 'by') return collect(expr.expr, without(new Set(expr.labels), [made]), uses);
      return collect(expr.expr, without(asked, [...expr.labels, made]), uses);
    }
    case 'binary':
      return collectBinary(expr, asked, uses);
    case 'call':
      return collectCall(expr, asked, uses);
  }
}

function collectBinary(expr: Expr & { kind: 'binary' }, asked: ReadonlySet<string>, uses: LabelUse[]): void {
  const { matching, op, left, right } = expr;
  const joined = matching?.on ? matching.labels : [];
  const include = matching?.include ?? [];
  // The result has the labels of the side of many, and takes over some of the side of one.
  const many = without(asked, include);
  const sides = { left: new Set(joined), right: new Set(joined) };
  const isRight = matching?.group === 'right';
  if (op === 'or') {
    for (const side of [sides.left, sides.right]) for (const label of asked) side.add(label);
  } else {
    for (const label of many) sides[isRight ? 'right' : 'left'].add(label);
    for (const label of include) sides[isRight ? 'left' : 'right'].add(label);
  }
  collect(left, sides.left, uses);
  collect(right, sides.right, uses);
}

function collectCall(expr: Expr & { kind: 'call' }, asked: ReadonlySet<string>, uses: LabelUse[]): void {
  const texts = expr.args.map((arg) => (arg.kind === 'string' ? arg.value : undefined));
  const [first] = expr.args;
  switch (expr.name) {
    case 'label_replace':
      // label_replace(v, destination, replacement, source, regex)
      return collect(first, together(without(asked, [texts[1]]), [texts[3]]), uses);
    case 'label_join':
      // label_join(v, destination, separator, source…)
      return collect(first, together(without(asked, [texts[1]]), texts.slice(3)), uses);
    case 'sort_by_label':
    case 'sort_by_label_desc':
      return collect(first, together(asked, texts.slice(1)), uses);
    case 'absent':
    case 'absent_over_time':
      return collect(first, new Set(), uses);
    default:
      for (const arg of expr.args) collect(arg, asked, uses);
  }
}

function without(labels: ReadonlySet<string>, gone: readonly (string | undefined)[]): Set<string> {
  return new Set([...labels].filter((label) => !gone.includes(label)));
}

function together(labels: ReadonlySet<string>, more: readonly (string | undefined)[]): Set<string> {
  return new Set([...labels, ...more.filter((label) => label !== undefined && label !== '')] as string[]);
}
