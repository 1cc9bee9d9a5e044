import type { SyntaxNode, Tree } from '@lezer/common';
import { parser } from '@prometheus-io/lezer-promql';
import { type MatchOp, METRIC_NAME } from '../../model/index.ts';
import type {
  Aggregate,
  AggregateOp,
  AtModifier,
  Binary,
  BinaryOp,
  Call,
  Duration,
  Expr,
  LabelMatcher,
  Position,
  RangeMode,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { checkExpr } from './check.ts';
import { parseError } from './errors.ts';
import { parseNumber } from './number.ts';
import { standIn } from './stand-in.ts';
import { unquote } from './strings.ts';
import { syntaxError } from './syntax-error.ts';

/** The deepest nesting of expressions that is accepted, so that no query exhausts the stack. */
const MAX_DEPTH = 500;

/**
 * Reads a PromQL expression and checks its types.
 * @throws BarographError `promql_parse` with `line:column` and what is wrong there.
 */
export function parsePromql(query: string): Expr {
  const tree = parser.parse(standIn(query));
  const expr = new TreeReader(query, tree).read();
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
    const error = syntaxError(this.query, this.tree, MAX_DEPTH);
    if (error) throw error;
    const top = children(this.tree.topNode)[0];
    if (!top) throw parseError(this.query, { start: 0, end: 0 }, 'no expression found in input');
    return this.expr(top);
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
      case 'UnaryExpr':
        return this.unary(this.text(this.child(node, 0)) as '+' | '-', this.expr(this.child(node, 1)), position);
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
        return this.mode(node, 'anchored');
      case 'SmoothedExpr':
        return this.mode(node, 'smoothed');
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
    return {
      kind: 'selector',
      matchers,
      offset: undefined,
      at: undefined,
      mode: undefined,
      position: positionOf(node),
    };
  }

  private matcher(node: SyntaxNode): LabelMatcher {
    const [nameNode, opNode, valueNode] = children(node);
    const name = nameNode.name === 'QuotedLabelName' ? this.quotedName(nameNode) : this.text(nameNode);
    return { name, op: this.text(opNode) as MatchOp, value: this.string(valueNode) };
  }

  /** A sign in front; a number takes it in, as Prometheus does. */
  private unary(op: '+' | '-', expr: Expr, position: Position): Expr {
    if (expr.kind === 'number') return { kind: 'number', value: op === '-' ? -expr.value : expr.value, position };
    return { kind: 'unary', op, expr, position };
  }

  private matrix(node: SyntaxNode): Expr {
    const [inner, duration] = children(node);
    const range = this.duration(duration);
    return this.suffix(node, this.expr(inner), (target, position) => {
      if (target.kind !== 'selector') throw this.fail(node, 'ranges only allowed for vector selectors');
      if (target.offset) throw this.fail(node, 'no offset modifiers allowed before range');
      if (target.at) throw this.fail(node, 'no @ modifiers allowed before range');
      return { kind: 'matrix', selector: target, range, position };
    });
  }

  private subquery(node: SyntaxNode): Expr {
    const [inner, ...rest] = children(node);
    const [range, step] = rest.filter((part) => part.name === 'DurationExpr').map((part) => this.duration(part));
    return this.suffix(node, this.expr(inner), (expr, position) => {
      return { kind: 'subquery', expr, range, step, offset: undefined, at: undefined, position };
    });
  }

  private duration(node: SyntaxNode): Duration {
    const parts = children(node);
    const position = positionOf(node);
    const [first, second, third] = parts;
    switch (first?.name) {
      case undefined:
        return { kind: 'literal', seconds: this.number(node), position };
      case 'NumberDurationLiteralInDurationContext':
        return { kind: 'literal', seconds: this.number(first), position };
      case 'DurationStep':
      case 'DurationRange':
        return { kind: first.name === 'DurationStep' ? 'step' : 'range', position };
      case 'DurationMinOf':
      case 'DurationMaxOf': {
        const kind = first.name === 'DurationMinOf' ? 'min' : 'max';
        return { kind, left: this.duration(second), right: this.duration(third), position };
      }
      case 'UnaryOp': {
        const of = this.duration(second);
        return this.text(first) === '-' ? { kind: 'negated', of, position } : of;
      }
      default:
        if (parts.length === 1) return { kind: 'group', of: this.duration(first), position };
        return {
          kind: 'binary',
          op: this.text(second) as '+' | '-' | '*' | '/' | '%' | '^',
          left: this.duration(first),
          right: this.duration(third),
          position,
        };
    }
  }

  private offset(node: SyntaxNode): Expr {
    const parts = children(node);
    const offset = this.duration(parts[parts.length - 1]);
    return this.suffix(node, this.expr(parts[0]), (inner, position) =>
      this.modified(node, inner, position, 'offset', (target) => {
        if (target.offset) throw this.fail(node, 'offset may not be set multiple times');
        return { ...target, offset };
      }),
    );
  }

  private at(node: SyntaxNode): Expr {
    const parts = children(node);
    const last = parts[parts.length - 1];
    let at: AtModifier;
    if (last.name === 'AtModifierPreprocessors') {
      at = { kind: this.child(last, 0).name === 'AtStart' ? 'start' : 'end' };
    } else {
      const ms = Math.round(this.number(last) * 1000);
      if (!Number.isSafeInteger(ms)) throw this.fail(node, 'timestamp out of bounds for @ modifier');
      at = { kind: 'timestamp', ms };
    }
    return this.suffix(node, this.expr(parts[0]), (inner, position) =>
      this.modified(node, inner, position, '@', (target) => {
        if (target.at) throw this.fail(node, '@ <timestamp> may not be set multiple times');
        return { ...target, at };
      }),
    );
  }

  private mode(node: SyntaxNode, mode: RangeMode): Expr {
    return this.suffix(node, this.expr(this.child(node, 0)), (target, position) => {
      const selector = target.kind === 'matrix' ? target.selector : target;
      if (selector.kind !== 'selector') {
        throw this.fail(node, `${mode} modifier must be preceded by an instant or range vector selector`);
      }
      if (selector.mode) throw this.fail(node, 'only one of anchored and smoothed may be set, and only once');
      if (target.kind === 'matrix') return { ...target, selector: { ...selector, mode }, position };
      if (mode === 'anchored') throw this.fail(node, 'anchored modifier can only be used with a range vector');
      return { ...selector, mode, position };
    });
  }

  /**
   * What stands behind an expression (`[5m]`, `offset`, `@`, …) belongs to the last operand, which the grammar leaves
   * open: it takes `-a @ 1` as `(-a) @ 1`.
   */
  private suffix(node: SyntaxNode, expr: Expr, apply: (target: Expr, position: Position) => Expr): Expr {
    const end = node.to;
    const descend = (target: Expr): Expr => {
      const position = { start: target.position.start, end };
      if (target.kind === 'unary') return { ...target, expr: descend(target.expr), position };
      if (target.kind === 'binary') return { ...target, right: descend(target.right), position };
      return apply(target, position);
    };
    return descend(expr);
  }

  private modified(
    node: SyntaxNode,
    expr: Expr,
    position: Position,
    modifier: string,
    change: <T extends { offset: Duration | undefined; at: AtModifier | undefined }>(target: T) => T,
  ): Expr {
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

  private binary(node: SyntaxNode): Expr {
    const parts = children(node);
    const left = this.expr(parts[0]);
    const right = this.expr(parts[parts.length - 1]);
    const op = this.text(parts[1]).toLowerCase() as BinaryOp;
    const clause = node.getChild('MatchingModifierClause');
    const fill = node.getChild('FillModifier');
    const matching = clause || fill ? { ...this.matching(clause), ...this.fill(fill) } : undefined;
    const bool = node.getChild('BoolModifier') !== null;
    const position = positionOf(node);
    // The grammar reads -1 ^ 2 as (-1) ^ 2; a sign binds weaker than the power.
    const sign = op === '^' && left.kind === 'number' ? /^[+-]/.exec(this.text(parts[0]))?.[0] : undefined;
    if (sign && left.kind === 'number') {
      const base: Expr = {
        ...left,
        value: sign === '-' ? -left.value : left.value,
        position: { start: left.position.start + 1, end: left.position.end },
      };
      const power: Binary = { kind: 'binary', op, left: base, right, bool, matching, position };
      return { kind: 'unary', op: sign as '+' | '-', expr: power, position };
    }
    return { kind: 'binary', op, left, right, bool, matching, position };
  }

  private matching(node: SyntaxNode | null): VectorMatching {
    const on = node?.getChild('On') != null;
    const lists = node?.getChildren('GroupingLabels') ?? [];
    const group = node?.getChild('GroupLeft') ? 'left' : node?.getChild('GroupRight') ? 'right' : undefined;
    // `on` and `ignoring` come first; a `group_left` may stand without a list.
    const labels = this.groupingLabels(lists[0]);
    return { on, labels, group, include: this.groupingLabels(lists[1]), fillLeft: undefined, fillRight: undefined };
  }

  private fill(node: SyntaxNode | null): Partial<VectorMatching> {
    const value = (clause: string): number | undefined => {
      const literal = node?.getChild(clause)?.getChild('NumberDurationLiteral');
      return literal ? this.number(literal) : undefined;
    };
    const both = value('FillClause');
    return { fillLeft: value('FillLeftClause') ?? both, fillRight: value('FillRightClause') ?? both };
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
    const value = parseNumber(this.text(node));
    if (value === undefined) throw this.fail(node, `bad number or duration syntax: ${JSON.stringify(this.text(node))}`);
    return value;
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

function positionOf(node: SyntaxNode): Position {
  return { start: node.from, end: node.to };
}
