/**
 * The syntax tree of TraceQL: plain data, closed unions by `kind`. `at` is an offset in the text (UTF-16 code units), for
 * errors; two trees mean the same where they differ in nothing but `at`.
 */

/** Where an attribute is looked for; `any` is `.name`: the span, then its resource. */
export type Scope = 'any' | 'span' | 'resource' | 'event' | 'link' | 'instrumentation';

/** What a span has besides attributes, by one spelling each (`duration` and `span:duration` are the same). */
export type Intrinsic =
  | 'span:duration'
  | 'span:name'
  | 'span:kind'
  | 'span:status'
  | 'span:statusMessage'
  | 'span:id'
  | 'span:parentID'
  | 'span:childCount'
  | 'trace:duration'
  | 'trace:rootName'
  | 'trace:rootService'
  | 'trace:id'
  | 'event:name'
  | 'event:timeSinceStart'
  | 'link:traceID'
  | 'link:spanID'
  | 'instrumentation:name'
  | 'instrumentation:version'
  | 'parent'
  | 'nestedSetLeft'
  | 'nestedSetRight'
  | 'nestedSetParent';

export type CompareOp = '=' | '!=' | '<' | '<=' | '>' | '>=' | '=~' | '!~';
export type ArithmeticOp = '+' | '-' | '*' | '/' | '%' | '^';
export type FieldOp = CompareOp | ArithmeticOp | '&&' | '||';

/** A constant. Durations are nanoseconds. `text` is how the query spells a number. */
export type Static =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'int' | 'float' | 'duration'; readonly value: number; readonly text: string }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'status'; readonly value: 'ok' | 'error' | 'unset' }
  | {
      readonly kind: 'span_kind';
      readonly value: 'unspecified' | 'internal' | 'server' | 'client' | 'producer' | 'consumer';
    }
  | { readonly kind: 'nil' };

/** An attribute, of the span or (`parent.x`) of its parent. */
export interface AttributeField {
  readonly kind: 'attribute';
  readonly scope: Scope;
  readonly ofParent: boolean;
  readonly name: string;
  readonly at: number;
}

export interface IntrinsicField {
  readonly kind: 'intrinsic';
  readonly name: Intrinsic;
  readonly at: number;
}

/** An expression over one span. */
export type FieldExpr =
  | AttributeField
  | IntrinsicField
  | { readonly kind: 'static'; readonly value: Static; readonly at: number }
  | { readonly kind: 'unary'; readonly op: '-' | '!'; readonly operand: FieldExpr; readonly at: number }
  | {
      readonly kind: 'binary';
      readonly op: FieldOp;
      readonly left: FieldExpr;
      readonly right: FieldExpr;
      readonly at: number;
    }
  /** `cidr(field, "10.0.0.0/8", …)`: whether the field is an IP address in one of the networks. */
  | { readonly kind: 'cidr'; readonly operand: FieldExpr; readonly networks: readonly string[]; readonly at: number };

/**
 * How two sets of spans are related: `>` child, `>>` descendant, `<` parent, `<<` ancestor, `~` sibling; the result are
 * the right side's spans. With `!` those that aren't related, with `&` both sides' spans that are.
 */
export type Relation = '>' | '>>' | '<' | '<<' | '~';
export type SpansetOp = '&&' | '||' | Relation | `!${Relation}` | `&${Relation}`;

/** Selects spans of a set. */
export type SpansetExpr =
  | { readonly kind: 'filter'; readonly expr: FieldExpr | undefined; readonly at: number }
  | {
      readonly kind: 'operation';
      readonly op: SpansetOp;
      readonly left: SpansetExpr;
      readonly right: SpansetExpr;
      readonly at: number;
    }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly at: number };

export type AggregateOp = 'count' | 'avg' | 'min' | 'max' | 'sum';

/** A number that a set of spans has. */
export type ScalarExpr =
  | { readonly kind: 'aggregate'; readonly op: AggregateOp; readonly expr: FieldExpr | undefined; readonly at: number }
  | { readonly kind: 'number'; readonly value: Static & { kind: 'int' | 'float' | 'duration' }; readonly at: number }
  | {
      readonly kind: 'arithmetic';
      readonly op: ArithmeticOp;
      readonly left: ScalarExpr;
      readonly right: ScalarExpr;
      readonly at: number;
    }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly scalar: ScalarExpr; readonly at: number };

export type Stage =
  | SpansetExpr
  | {
      readonly kind: 'scalar_filter';
      readonly op: CompareOp;
      readonly left: ScalarExpr;
      readonly right: ScalarExpr;
      readonly at: number;
    }
  | { readonly kind: 'by'; readonly expr: FieldExpr; readonly at: number }
  | { readonly kind: 'coalesce'; readonly at: number }
  | { readonly kind: 'select'; readonly fields: readonly (AttributeField | IntrinsicField)[]; readonly at: number };

/** Stages in order; each works on what the one before leaves. */
export interface Pipeline {
  readonly stages: readonly Stage[];
}

export type MetricsOp =
  | 'rate'
  | 'count_over_time'
  | 'min_over_time'
  | 'max_over_time'
  | 'avg_over_time'
  | 'sum_over_time'
  | 'quantile_over_time'
  | 'histogram_over_time'
  | 'compare';

/** Numbers over time that a pipeline's spans make. */
export type MetricsExpr =
  | {
      readonly kind: 'series';
      readonly op: MetricsOp;
      readonly pipeline: Pipeline;
      readonly field: AttributeField | IntrinsicField | undefined;
      /** φ of `quantile_over_time`. */
      readonly params: readonly number[];
      /** The selection of `compare`. */
      readonly selection: SpansetExpr | undefined;
      readonly by: readonly (AttributeField | IntrinsicField)[];
      readonly at: number;
    }
  | {
      readonly kind: 'rank';
      readonly op: 'topk' | 'bottomk';
      readonly limit: number;
      readonly input: MetricsExpr;
      readonly at: number;
    }
  | {
      readonly kind: 'filter';
      readonly op: CompareOp;
      readonly input: MetricsExpr;
      readonly value: number;
      readonly text: string;
      readonly at: number;
    }
  | {
      readonly kind: 'arithmetic';
      readonly op: '+' | '-' | '*' | '/';
      readonly left: MetricsExpr;
      readonly right: MetricsExpr;
      readonly at: number;
    }
  | { readonly kind: 'number'; readonly value: number; readonly at: number };

/** `with (name=value)`. */
export interface Hint {
  readonly name: string;
  readonly value: Static;
}

/** A query: spans, or numbers. */
export type TraceqlExpr =
  | { readonly kind: 'spans'; readonly pipeline: Pipeline; readonly hints: readonly Hint[] }
  | { readonly kind: 'metrics'; readonly metrics: MetricsExpr; readonly hints: readonly Hint[] };

/** The end of an exhaustive `switch`. */
export function assertNever(value: never): never {
  throw new Error(`BUG: unexpected ${JSON.stringify(value)}`);
}
