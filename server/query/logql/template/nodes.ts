/** The tree of a Go template: what `line_format` and `label_format` are written in. */
export type TemplateNode =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'print'; readonly pipeline: Pipeline }
  | {
      readonly kind: 'if' | 'with';
      readonly pipeline: Pipeline;
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    }
  | {
      readonly kind: 'range';
      readonly pipeline: Pipeline;
      /** `$index, $element :=`, or `$element :=`, or neither. */
      readonly variables: readonly string[];
      readonly body: readonly TemplateNode[];
      readonly otherwise: readonly TemplateNode[];
    };

/** Commands joined by `|`; the value of each is the last argument of the next. `assign` names a variable for the result. */
export interface Pipeline {
  readonly assign: string | undefined;
  readonly commands: readonly Command[];
}

/** A function call, or an operand alone. */
export type Command =
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Operand[] }
  | { readonly kind: 'operand'; readonly operand: Operand };

export type Operand =
  | { readonly kind: 'constant'; readonly value: string | number | boolean | null }
  /** `.`, `.a.b`, `$`, `$x.a`: a variable (`.` or `$…`) and the fields taken from it. */
  | { readonly kind: 'field'; readonly variable: string; readonly path: readonly string[] }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline; readonly path: readonly string[] };
