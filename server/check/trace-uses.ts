import type { FieldExpr, MetricsExpr, ScalarExpr, SpansetExpr, TraceqlExpr, TraceStage } from '../query/index.ts';

/** That a TraceQL query asks for an attribute, or groups by an identifier. */
export interface TraceUse {
  /** As the query writes it: `span.name`, `resource.name`, `.name`, or an intrinsic such as `trace:id`. */
  readonly written: string;
  /** The attribute's name; `undefined` of an intrinsic. */
  readonly attribute: string | undefined;
  readonly isGroup: boolean;
  /** Whether it is compared with a number, so that a text of that name doesn't matter. */
  readonly isNumber: boolean;
}

/** Which attributes a query asks for. */
export function traceUses(expr: TraceqlExpr): TraceUse[] {
  const uses: TraceUse[] = [];
  if (expr.kind === 'spans') for (const stage of expr.pipeline.stages) collectStage(stage, uses);
  else collectMetrics(expr.metrics, uses);
  return uses;
}

function collectMetrics(expr: MetricsExpr, uses: TraceUse[]): void {
  switch (expr.kind) {
    case 'series':
      for (const stage of expr.pipeline.stages) collectStage(stage, uses);
      if (expr.field) collectField(expr.field, uses, { isNumber: true });
      if (expr.selection) collectSpanset(expr.selection, uses);
      for (const field of expr.by) collectField(field, uses, { isGroup: true });
      return;
    case 'rank':
    case 'filter':
      return collectMetrics(expr.input, uses);
    case 'arithmetic':
      collectMetrics(expr.left, uses);
      return collectMetrics(expr.right, uses);
    case 'number':
      return;
  }
}

function collectStage(stage: TraceStage, uses: TraceUse[]): void {
  switch (stage.kind) {
    case 'scalar_filter':
      collectScalar(stage.left, uses);
      return collectScalar(stage.right, uses);
    case 'by':
      return collectField(stage.expr, uses, { isGroup: true });
    case 'select':
      for (const field of stage.fields) collectField(field, uses);
      return;
    case 'coalesce':
      return;
    case 'filter':
    case 'operation':
    case 'pipeline':
      return collectSpanset(stage, uses);
  }
}

function collectSpanset(expr: SpansetExpr, uses: TraceUse[]): void {
  switch (expr.kind) {
    case 'filter':
      if (expr.expr) collectField(expr.expr, uses);
      return;
    case 'operation':
      collectSpanset(expr.left, uses);
      return collectSpanset(expr.right, uses);
    case 'pipeline':
      for (const stage of expr.pipeline.stages) collectStage(stage, uses);
  }
}

function collectScalar(expr: ScalarExpr, uses: TraceUse[]): void {
  switch (expr.kind) {
    case 'aggregate':
      if (expr.expr) collectField(expr.expr, uses, { isNumber: true });
      return;
    case 'number':
      return;
    case 'arithmetic':
      collectScalar(expr.left, uses);
      return collectScalar(expr.right, uses);
    case 'pipeline':
      for (const stage of expr.pipeline.stages) collectStage(stage, uses);
      return collectScalar(expr.scalar, uses);
  }
}

interface Around {
  readonly isGroup?: boolean;
  readonly isNumber?: boolean;
}

function collectField(expr: FieldExpr, uses: TraceUse[], around: Around = {}): void {
  const { isGroup = false, isNumber = false } = around;
  switch (expr.kind) {
    case 'attribute': {
      const scope = expr.scope === 'any' ? '.' : `${expr.scope}.`;
      const written = `${expr.ofParent ? 'parent.' : ''}${scope}${expr.name}`;
      uses.push({ written, attribute: expr.name, isGroup, isNumber });
      return;
    }
    case 'intrinsic':
      uses.push({ written: expr.name, attribute: undefined, isGroup, isNumber });
      return;
    case 'static':
      return;
    case 'unary':
      return collectField(expr.operand, uses, { ...around, isNumber: expr.op === '-' });
    case 'binary': {
      const isLogical = expr.op === '&&' || expr.op === '||';
      const isCounted = !isLogical && (isNumeric(expr.left) || isNumeric(expr.right));
      collectField(expr.left, uses, { isGroup, isNumber: isCounted });
      return collectField(expr.right, uses, { isGroup, isNumber: isCounted });
    }
    case 'cidr':
      return collectField(expr.operand, uses, around);
  }
}

function isNumeric(expr: FieldExpr): boolean {
  return expr.kind === 'static' && (expr.value.kind === 'int' || expr.value.kind === 'float');
}
