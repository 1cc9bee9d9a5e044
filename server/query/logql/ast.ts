/**
 * The syntax tree of LogQL: plain data, closed unions by `kind`. `at` is a node's offset in the text (UTF-16 code
 * units), for errors; two trees mean the same where they differ in nothing but `at`.
 */

/** A query: log lines, or numbers made of them. */
export type LogqlExpr = LogExpr | MetricExpr;

/** A condition on a label, in a selector or in `drop` and `keep`. */
export interface LabelMatch {
  readonly name: string;
  readonly op: '=' | '!=' | '=~' | '!~';
  readonly value: string;
  readonly at: number;
}

/** Which lines: a selector and the stages that filter and change them. */
export interface LogExpr {
  readonly kind: 'log';
  readonly matchers: readonly LabelMatch[];
  readonly stages: readonly Stage[];
  readonly at: number;
}

/** One operand of a line filter: a text (literal, regular expression or pattern, by the filter's operator) or `ip(…)`. */
export interface LineOperand {
  readonly kind: 'text' | 'ip';
  readonly value: string;
  readonly at: number;
}

/** `|=` contains, `|~` matches a regular expression, `|>` matches a pattern; `!…` none of the operands does. */
export type LineFilterOp = '|=' | '!=' | '|~' | '!~' | '|>' | '!>';

/** `name="path"` of `json` and `logfmt` with expressions. */
export interface Extraction {
  readonly name: string;
  readonly path: string;
  readonly at: number;
}

export type CompareOp = '==' | '!=' | '>' | '>=' | '<' | '<=';

/** What a label filter tests. */
export type LabelPredicate =
  | { readonly kind: 'string'; readonly match: LabelMatch }
  /** `value` is a plain number, nanoseconds, or bytes, by `unit`; `text` is how the query spells it. */
  | {
      readonly kind: 'compare';
      readonly name: string;
      readonly op: CompareOp;
      readonly unit: 'number' | 'duration' | 'bytes';
      readonly value: number;
      readonly text: string;
      readonly at: number;
    }
  | {
      readonly kind: 'ip';
      readonly name: string;
      readonly op: '=' | '!=';
      readonly pattern: string;
      readonly at: number;
    }
  | { readonly kind: 'and' | 'or'; readonly left: LabelPredicate; readonly right: LabelPredicate };

/** One assignment of `label_format`: a rename, or a template. */
export type LabelFormat =
  | { readonly kind: 'rename'; readonly to: string; readonly from: string; readonly at: number }
  | { readonly kind: 'template'; readonly to: string; readonly template: string; readonly at: number };

/** A label of `drop` or `keep`, with a condition on its value or without. */
export type LabelPick = { readonly name: string; readonly match: LabelMatch | undefined };

/** How the unwrapped label becomes a number. */
export type UnwrapConversion = 'number' | 'bytes' | 'duration' | 'duration_seconds';

export type Stage =
  | {
      readonly kind: 'line_filter';
      readonly op: LineFilterOp;
      readonly operands: readonly LineOperand[];
      readonly at: number;
    }
  | { readonly kind: 'json'; readonly extractions: readonly Extraction[]; readonly at: number }
  | {
      readonly kind: 'logfmt';
      readonly strict: boolean;
      readonly keepEmpty: boolean;
      readonly extractions: readonly Extraction[];
      readonly at: number;
    }
  | { readonly kind: 'regexp' | 'pattern'; readonly expression: string; readonly at: number }
  | { readonly kind: 'unpack' | 'decolorize'; readonly at: number }
  | { readonly kind: 'label_filter'; readonly predicate: LabelPredicate; readonly at: number }
  | { readonly kind: 'line_format'; readonly template: string; readonly at: number }
  | { readonly kind: 'label_format'; readonly formats: readonly LabelFormat[]; readonly at: number }
  | { readonly kind: 'drop' | 'keep'; readonly labels: readonly LabelPick[]; readonly at: number }
  | { readonly kind: 'unwrap'; readonly label: string; readonly conversion: UnwrapConversion; readonly at: number };

export type RangeOp =
  | 'count_over_time'
  | 'rate'
  | 'rate_counter'
  | 'bytes_over_time'
  | 'bytes_rate'
  | 'avg_over_time'
  | 'sum_over_time'
  | 'min_over_time'
  | 'max_over_time'
  | 'stddev_over_time'
  | 'stdvar_over_time'
  | 'quantile_over_time'
  | 'first_over_time'
  | 'last_over_time'
  | 'absent_over_time';

export type VectorOp =
  | 'sum'
  | 'avg'
  | 'count'
  | 'max'
  | 'min'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'approx_topk'
  | 'sort'
  | 'sort_desc';

/** `by` keeps only the labels, `without` removes them. */
export interface Grouping {
  readonly kind: 'by' | 'without';
  readonly labels: readonly string[];
}

export type BinaryOp = '+' | '-' | '*' | '/' | '%' | '^' | CompareOp | 'and' | 'or' | 'unless';

/** How the series of two sides find each other. */
export interface VectorMatching {
  readonly on: boolean;
  readonly labels: readonly string[];
  /** `group_left`: many on the left side. */
  readonly group: 'left' | 'right' | undefined;
  /** Labels taken over from the "one" side. */
  readonly include: readonly string[];
}

export type MetricExpr = RangeExpr | VectorExpr | BinaryExpr | NumberExpr | ConstantVector | LabelReplace;

/** A function over the lines of a sliding window `(T − range − offset, T − offset]`. */
export interface RangeExpr {
  readonly kind: 'range';
  readonly op: RangeOp;
  /** φ of `quantile_over_time`. */
  readonly param: number | undefined;
  readonly log: LogExpr;
  readonly rangeNs: bigint;
  readonly offsetNs: bigint;
  readonly grouping: Grouping | undefined;
  readonly at: number;
}

export interface VectorExpr {
  readonly kind: 'vector';
  readonly op: VectorOp;
  /** k of `topk` and its kin. */
  readonly param: number | undefined;
  readonly expr: MetricExpr;
  readonly grouping: Grouping | undefined;
  readonly at: number;
}

export interface BinaryExpr {
  readonly kind: 'binary';
  readonly op: BinaryOp;
  readonly left: MetricExpr;
  readonly right: MetricExpr;
  /** Comparisons give 0 or 1 instead of filtering. */
  readonly bool: boolean;
  readonly matching: VectorMatching | undefined;
  readonly at: number;
}

export interface NumberExpr {
  readonly kind: 'number';
  readonly value: number;
  readonly at: number;
}

/** `vector(n)`: one series without labels. */
export interface ConstantVector {
  readonly kind: 'constant_vector';
  readonly value: number;
  readonly at: number;
}

export interface LabelReplace {
  readonly kind: 'label_replace';
  readonly expr: MetricExpr;
  readonly to: string;
  readonly replacement: string;
  readonly from: string;
  readonly regex: string;
  readonly at: number;
}

/** The end of an exhaustive `switch`. */
export function assertNever(value: never): never {
  throw new Error(`BUG: unexpected ${JSON.stringify(value)}`);
}
