import type { MatchOp } from '../../model/index.ts';

/** A place in the query's text: offsets of UTF-16 code units, `end` exclusive. */
export interface Position {
  readonly start: number;
  readonly end: number;
}

/** The types that an expression can have. */
export type ValueType = 'scalar' | 'string' | 'vector' | 'matrix';

/** A label condition as written. */
export interface LabelMatcher {
  readonly name: string;
  readonly op: MatchOp;
  readonly value: string;
}

/** `@ 12.5` in milliseconds, or the start or end of the query's range. */
export type AtModifier = { readonly kind: 'timestamp'; readonly ms: number } | { readonly kind: 'start' | 'end' };

export interface NumberLiteral {
  readonly kind: 'number';
  readonly value: number;
  readonly position: Position;
}

export interface StringLiteral {
  readonly kind: 'string';
  readonly value: string;
  readonly position: Position;
}

/**
 * A duration as written: a literal, or arithmetic over literals and the query's own step and range. It becomes
 * milliseconds once the query's times are known (`durationMs`).
 */
export type Duration =
  | { readonly kind: 'literal'; readonly seconds: number; readonly position: Position }
  | { readonly kind: 'step' | 'range'; readonly position: Position }
  | { readonly kind: 'negated' | 'group'; readonly of: Duration; readonly position: Position }
  | {
      readonly kind: 'binary';
      readonly op: '+' | '-' | '*' | '/' | '%' | '^';
      readonly left: Duration;
      readonly right: Duration;
      readonly position: Position;
    }
  | {
      readonly kind: 'min' | 'max';
      readonly left: Duration;
      readonly right: Duration;
      readonly position: Position;
    };

/**
 * How a range is cut at its edges: `anchored` takes the last value before each edge, `smoothed` interpolates between
 * the samples around it.
 */
export type RangeMode = 'anchored' | 'smoothed';

/** `metric{label="value"} offset 5m @ 0`. The metric's name is among the matchers. */
export interface VectorSelector {
  readonly kind: 'selector';
  readonly matchers: readonly LabelMatcher[];
  readonly offset: Duration | undefined;
  readonly at: AtModifier | undefined;
  readonly mode: RangeMode | undefined;
  readonly position: Position;
}

/** `selector[5m]`; offset, `@`, `anchored` and `smoothed` are the selector's. */
export interface MatrixSelector {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly range: Duration;
  readonly position: Position;
}

/** `expr[1h:5m]`; without a step the default is meant. */
export interface Subquery {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly range: Duration;
  readonly step: Duration | undefined;
  readonly offset: Duration | undefined;
  readonly at: AtModifier | undefined;
  readonly position: Position;
}

export interface Call {
  readonly kind: 'call';
  readonly name: string;
  readonly args: readonly Expr[];
  readonly position: Position;
}

export type AggregateOp =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'quantile'
  | 'count_values'
  | 'limitk'
  | 'limit_ratio';

export interface Aggregate {
  readonly kind: 'aggregate';
  readonly op: AggregateOp;
  readonly param: Expr | undefined;
  readonly expr: Expr;
  /** `by` keeps the named labels, `without` drops them. */
  readonly grouping: 'by' | 'without';
  readonly labels: readonly string[];
  readonly position: Position;
}

export type BinaryOp =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '>'
  | '<'
  | '>='
  | '<='
  | '</'
  | '>/'
  | 'and'
  | 'or'
  | 'unless';

/** How the series of two vectors find each other. */
export interface VectorMatching {
  readonly on: boolean;
  readonly labels: readonly string[];
  readonly group: 'left' | 'right' | undefined;
  /** Labels that a `group_*` takes over from the side of one. */
  readonly include: readonly string[];
  /** Values that stand in where a side has no series for a match group. */
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
}

export interface Binary {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: Expr;
  readonly right: Expr;
  readonly bool: boolean;
  readonly matching: VectorMatching | undefined;
  readonly position: Position;
}

export interface Unary {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
  readonly position: Position;
}

export interface Paren {
  readonly kind: 'paren';
  readonly expr: Expr;
  readonly position: Position;
}

/** A PromQL expression. */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregate
  | Binary
  | Unary
  | Paren;

/** The expression without the parentheses around it. */
export function unparen(expr: Expr): Expr {
  return expr.kind === 'paren' ? unparen(expr.expr) : expr;
}

/** Calls `visit` for an expression and everything inside it, outer first. */
export function walk(expr: Expr, visit: (expr: Expr) => void): void {
  visit(expr);
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'selector':
      return;
    case 'matrix':
      return walk(expr.selector, visit);
    case 'subquery':
    case 'unary':
    case 'paren':
      return walk(expr.expr, visit);
    case 'call':
      for (const arg of expr.args) walk(arg, visit);
      return;
    case 'aggregate':
      if (expr.param) walk(expr.param, visit);
      return walk(expr.expr, visit);
    case 'binary':
      walk(expr.left, visit);
      walk(expr.right, visit);
  }
}
