import type { SyntaxNode, Tree } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { type MatchOp, METRIC_NAME, parseDurationMs } from '../../model/index.ts';
import type {
  Aggregate,
  AggregateOp,
  AtModifier,
  Binary,
  BinaryOp,
  Call,
  Expr,
  LabelMatcher,
  Position,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { checkExpr } from './check.ts';
import { parseError } from './errors.ts';
import { unquote } from './strings.ts';

/** The deepest nesting of expressions that is accepted, so that no query exhausts the stack. */
const MAX_DEPTH = 500;

/**
 * Reads a PromQL expression and checks its types.
 * @throws BarographError `promql_parse` with `line:column` and what is wrong there.
 */
export function parsePromql(query: string): Expr {
  const tree = parser.parse(query);
  const reader = new TreeReader(query, tree);
  const expr = reader.read();
  checkExpr(query, expr);
  return expr;
}

/** Turns the grammar's concrete tree into the AST. */
class TreeReader {
  private readonly query: string;
  private readonly tree: Tree;
  private depth = 0;

  constructor(query: string, tree: Tree) {
    this.query = query;
    this.tree = tree;
  }

  read(): Expr {
    this.failOnSyntaxError();
    const top = this.tree.topNode.firstChild;
    if (!top || top.name === 'LineComment') {
      throw parseError(this.query, { start: 0, end: 0 }, 'no expression found in input');
    }
    return this.expr(top);
  }

  private failOnSyntaxError(): void {
    let broken: SyntaxNode | undefined;
    this.tree.iterate({
      enter: (node) => {
        if (node.type.isError && broken === undefined) broken = node.node;
        return broken === undefined;
      },
    });
    if (!broken) return;
    const context = contextName(broken.parent?.name ?? '');
    const found = this.query.slice(broken.from, broken.to > broken.from ? broken.to : broken.from + 1).trim();
    const what = found === '' ? 'end of input' : JSON.stringify(found.slice(0, 30));
    throw parseError(this.query, positionOf(broken), `unexpected ${what}${context}`);
  }

  private expr(node: SyntaxNode): Expr {
    if (++this.depth > MAX_DEPTH) throw this.fail(node, `more than ${MAX_DEPTH} nested expressions`);
    const expr = this.exprOf(node);
    this.depth--;
    return expr;
  }

  private exprOf(node: SyntaxNode): Expr {
    const position = positionOf(node);
    switch (node.name) {
      case 'NumberDurationLiteral':
        return { kind: 'number', value: this.number(node), position };
      case 'StringLiteral':
        return { kind: 'string', value: this.string(node), position };
      case 'VectorSelector':
        return this.selector(node);
      case 'MatrixSelector':
        return this.matrix(node);
      case 'SubqueryExpr':
        return this.subquery(node);
      case 'ParenExpr':
        return { kind: 'paren', expr: this.expr(this.child(node, 0)), position };
      case 'UnaryExpr': {
        const op = this.text(this.child(node, 0)) as '+' | '-';
        return { kind: 'unary', op, expr: this.expr(this.child(node, 1)), position };
      }
      case 'FunctionCall':
        return this.call(node);
      case 'AggregateExpr':
        return this.aggregate(node);
      case 'BinaryExpr':
        return this.binary(node);
      case 'OffsetExpr':
        return this.offset(node);
      case 'StepInvariantExpr':
        return this.at(node);
      case 'AnchoredExpr':
      case 'SmoothedExpr':
        throw this.fail(
          node,
          `the ${node.name === 'AnchoredExpr' ? 'anchored' : 'smoothed'} modifier is not supported yet`,
        );
      default:
        throw this.fail(node, `${node.name} is not supported`);
    }
  }

  private selector(node: SyntaxNode): VectorSelector {
    const matchers: LabelMatcher[] = [];
    const identifier = node.getChild('Identifier');
    if (identifier) matchers.push({ name: METRIC_NAME, op: '=', value: this.text(identifier) });
    for (const child of children(node.getChild('LabelMatchers'))) {
      if (child.name === 'QuotedLabelName') {
        if (matchers.some((m) => m.name === METRIC_NAME)) {
          throw this.fail(child, 'metric name must not be set twice');
        }
        matchers.push({ name: METRIC_NAME, op: '=', value: this.quotedName(child) });
      } else {
        matchers.push(this.matcher(child));
      }
    }
    if (identifier && matchers.slice(1).some((m) => m.name === METRIC_NAME && m.op === '=')) {
      throw this.fail(node, 'metric name must not be set twice');
    }
    return { kind: 'selector', matchers, offsetMs: 0, at: undefined, position: positionOf(node) };
  }

  private matcher(node: SyntaxNode): LabelMatcher {
    const [nameNode, opNode, valueNode] = children(node);
    const name = nameNode.name === 'QuotedLabelName' ? this.quotedName(nameNode) : this.text(nameNode);
    return { name, op: this.text(opNode) as MatchOp, value: this.string(valueNode) };
  }

  private matrix(node: SyntaxNode): Expr {
    const selector = this.expr(this.child(node, 0));
    if (selector.kind !== 'selector') {
      throw this.fail(node, 'ranges only allowed for vector selectors');
    }
    const rangeMs = this.positiveDuration(node, children(node).slice(1).filter(isDuration));
    return { kind: 'matrix', selector, rangeMs, position: positionOf(node) };
  }

  private subquery(node: SyntaxNode): Expr {
    const [inner, ...rest] = children(node);
    const durations = rest.filter(isDuration);
    const rangeMs = this.positiveDuration(node, durations);
    const stepMs = durations.length > 1 ? this.duration(durations[1]) : 0;
    if (stepMs < 0) throw this.fail(durations[1], 'duration must be greater than 0');
    const position = positionOf(node);
    return { kind: 'subquery', expr: this.expr(inner), rangeMs, stepMs, offsetMs: 0, at: undefined, position };
  }

  private positiveDuration(node: SyntaxNode, durations: SyntaxNode[]): number {
    const ms = durations.length > 0 ? this.duration(durations[0]) : 0;
    if (ms <= 0) throw this.fail(durations[0] ?? node, 'duration must be greater than 0');
    return ms;
  }

  /** Milliseconds of a duration: `5m`, or seconds as a number. Arithmetic on durations is a later feature. */
  private duration(node: SyntaxNode): number {
    const parts = children(node);
    switch (node.name) {
      case 'NumberDurationLiteral':
      case 'NumberDurationLiteralInDurationContext':
        return Math.round(this.number(node) * 1000);
      case 'DurationExpr':
      case 'OffsetDurationExpr':
        if (parts.length === 1) return this.duration(parts[0]);
        if (parts.length === 2 && parts[0].name === 'UnaryOp') {
          return (this.text(parts[0]) === '-' ? -1 : 1) * this.duration(parts[1]);
        }
        throw this.fail(node, 'arithmetic on durations is not supported yet; write the duration as one literal');
      default:
        throw this.fail(node, `${this.text(node)} as a duration is not supported yet; write a literal such as 5m`);
    }
  }

  private offset(node: SyntaxNode): Expr {
    const parts = children(node);
    const inner = this.expr(parts[0]);
    const offsetMs = this.duration(parts[parts.length - 1]);
    return this.modified(node, inner, 'offset', (target) => {
      if (target.offsetMs !== 0) throw this.fail(node, 'offset may not be set multiple times');
      return { ...target, offsetMs };
    });
  }

  private at(node: SyntaxNode): Expr {
    const parts = children(node);
    const inner = this.expr(parts[0]);
    const last = parts[parts.length - 1];
    let at: AtModifier;
    if (last.name === 'AtModifierPreprocessors') {
      at = { kind: this.child(last, 0).name === 'AtStart' ? 'start' : 'end' };
    } else {
      const sign =
        parts.some((part) => part.name === 'UnaryOp' && this.text(part) === '-') ||
        /@\s*-/.test(this.query.slice(parts[0].to, last.to))
          ? -1
          : 1;
      const seconds = sign * Math.abs(this.number(last));
      if (!Number.isFinite(seconds)) throw this.fail(node, 'timestamp out of bounds for @ modifier');
      at = { kind: 'timestamp', ms: Math.round(seconds * 1000) };
    }
    return this.modified(node, inner, '@', (target) => {
      if (target.at) throw this.fail(node, '@ <timestamp> may not be set multiple times');
      return { ...target, at };
    });
  }

  private modified(
    node: SyntaxNode,
    expr: Expr,
    modifier: string,
    change: <T extends { offsetMs: number; at: AtModifier | undefined }>(target: T) => T,
  ): Expr {
    const position = positionOf(node);
    if (expr.kind === 'selector' || expr.kind === 'subquery') return { ...change(expr), position };
    if (expr.kind === 'matrix') return { ...expr, selector: change(expr.selector), position };
    throw this.fail(
      node,
      `${modifier} modifier must be preceded by an instant vector selector or range vector selector or a subquery`,
    );
  }

  private call(node: SyntaxNode): Call {
    const name = this.text(this.child(node, 0));
    const body = node.getChild('FunctionCallBody');
    return { kind: 'call', name, args: children(body).map((arg) => this.expr(arg)), position: positionOf(node) };
  }

  private aggregate(node: SyntaxNode): Aggregate {
    const op = this.text(this.child(node, 0)).toLowerCase() as AggregateOp;
    const args = children(node.getChild('FunctionCallBody')).map((arg) => this.expr(arg));
    const modifier = node.getChild('AggregateModifier');
    const grouping = modifier?.getChild('Without') ? 'without' : 'by';
    const labels = this.groupingLabels(modifier?.getChild('GroupingLabels'));
    if (args.length === 0 || args.length > 2) {
      throw this.fail(
        node,
        `wrong number of arguments for aggregate expression provided, expected 1 or 2, got ${args.length}`,
      );
    }
    const param = args.length === 2 ? args[0] : undefined;
    return { kind: 'aggregate', op, param, expr: args[args.length - 1], grouping, labels, position: positionOf(node) };
  }

  private binary(node: SyntaxNode): Binary {
    const parts = children(node);
    const left = this.expr(parts[0]);
    const right = this.expr(parts[parts.length - 1]);
    const op = this.text(parts[1]).toLowerCase() as BinaryOp;
    let bool = false;
    let matching: VectorMatching | undefined;
    for (const part of parts.slice(2, -1)) {
      if (part.name === 'BoolModifier') bool = true;
      else if (part.name === 'MatchingModifierClause') matching = this.matching(part);
      else if (part.name === 'FillModifier') throw this.fail(part, 'the fill modifier is not supported yet');
    }
    return { kind: 'binary', op, left, right, bool, matching, position: positionOf(node) };
  }

  private matching(node: SyntaxNode): VectorMatching {
    const on = node.getChild('On') !== null;
    const lists = node.getChildren('GroupingLabels');
    const group = node.getChild('GroupLeft') ? 'left' : node.getChild('GroupRight') ? 'right' : undefined;
    // `on` and `ignoring` come first; a `group_left` may stand without a list.
    return { on, labels: this.groupingLabels(lists[0]), group, include: this.groupingLabels(lists[1]) };
  }

  private groupingLabels(node: SyntaxNode | null | undefined): string[] {
    return children(node ?? null).map((child) =>
      child.name === 'QuotedLabelName' ? this.quotedName(child) : this.text(child),
    );
  }

  private quotedName(node: SyntaxNode): string {
    const name = this.string(this.child(node, 0));
    if (name === '') throw this.fail(node, 'an empty name is not allowed');
    return name;
  }

  private number(node: SyntaxNode): number {
    const text = this.text(node);
    const value = parseNumber(text);
    if (value !== undefined) return value;
    return parseDurationMs(text) / 1000;
  }

  private string(node: SyntaxNode): string {
    const value = unquote(this.text(node));
    if (value === undefined) throw this.fail(node, `invalid escape in string literal ${this.text(node).slice(0, 40)}`);
    return value;
  }

  private child(node: SyntaxNode, index: number): SyntaxNode {
    const found = children(node)[index];
    if (!found) throw this.fail(node, `incomplete ${node.name}`);
    return found;
  }

  private text(node: SyntaxNode): string {
    return this.query.slice(node.from, node.to);
  }

  private fail(node: SyntaxNode, message: string): Error {
    return parseError(this.query, positionOf(node), message);
  }
}

function children(node: SyntaxNode | null): SyntaxNode[] {
  const out: SyntaxNode[] = [];
  for (let child = node?.firstChild; child; child = child.nextSibling) {
    if (child.name !== 'LineComment') out.push(child);
  }
  return out;
}

function isDuration(node: SyntaxNode): boolean {
  return /Duration/.test(node.name);
}

function positionOf(node: SyntaxNode): Position {
  return { start: node.from, end: node.to };
}

function contextName(node: string): string {
  if (node === 'LabelMatchers' || node === 'UnquotedLabelMatcher')
    return ' in label matching, expected a label name, "," or "}"';
  if (node === 'GroupingLabels') return ' in grouping opts, expected a label name, "," or ")"';
  if (node === 'MatrixSelector') return ' in range selector, expected a duration and "]"';
  if (node === 'SubqueryExpr') return ' in subquery selector, expected a duration and "]"';
  if (node === 'FunctionCallBody') return ' in arguments, expected an expression, "," or ")"';
  if (node === 'PromQL') return ', expected an expression';
  return '';
}

/** A number as Go reads it: decimal, hexadecimal, octal, with underscores, `Inf`, `NaN`; `undefined` for a duration. */
function parseNumber(text: string): number | undefined {
  const lower = text.toLowerCase().replaceAll('_', '');
  if (/^[+-]?inf$/.test(lower)) return lower.startsWith('-') ? -Infinity : Infinity;
  if (lower === 'nan') return Number.NaN;
  if (/^[+-]?0x[0-9a-f]+$/.test(lower)) return Number(lower.replace(/^[+-]/, '')) * (lower.startsWith('-') ? -1 : 1);
  if (/^[+-]?0[0-7]+$/.test(lower)) return Number.parseInt(lower, 8);
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/.test(lower)) return Number(lower);
  return undefined;
}
