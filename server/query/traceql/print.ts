import type {
  FieldExpr,
  Hint,
  Intrinsic,
  MetricsExpr,
  Pipeline,
  ScalarExpr,
  SpansetExpr,
  Stage,
  Static,
  TraceqlExpr,
} from './ast.ts';
import { assertNever } from './ast.ts';
import { isPlainAttributeName } from './lex.ts';

/** A query as text that parses to the same tree. Spelling (`1m` or `60s`) of numbers is kept, that of intrinsics is not. */
export function printTraceql(expr: TraceqlExpr): string {
  const hints = expr.hints.length === 0 ? '' : ` with (${expr.hints.map(printHint).join(', ')})`;
  return (expr.kind === 'spans' ? printPipeline(expr.pipeline) : printMetrics(expr.metrics)) + hints;
}

function printHint(hint: Hint): string {
  return `${hint.name}=${printStatic(hint.value)}`;
}

/** Stages joined by `|`. */
export function printPipeline(pipeline: Pipeline): string {
  return pipeline.stages.map(printStage).join(' | ');
}

function printStage(stage: Stage): string {
  switch (stage.kind) {
    case 'scalar_filter':
      return `${printScalar(stage.left)} ${stage.op} ${printScalar(stage.right)}`;
    case 'by':
      return `by(${printField(stage.expr)})`;
    case 'coalesce':
      return 'coalesce()';
    case 'select':
      return `select(${stage.fields.map(printField).join(', ')})`;
    default:
      return printSpanset(stage);
  }
}

function printSpanset(expr: SpansetExpr): string {
  switch (expr.kind) {
    case 'filter':
      return expr.expr === undefined ? '{ }' : `{ ${printField(expr.expr)} }`;
    case 'operation':
      return `${printSide(expr.left)} ${expr.op} ${printSide(expr.right)}`;
    case 'pipeline':
      return `(${printPipeline(expr.pipeline)})`;
  }
}

function printSide(expr: SpansetExpr): string {
  return expr.kind === 'operation' ? `(${printSpanset(expr)})` : printSpanset(expr);
}

function printScalar(expr: ScalarExpr): string {
  switch (expr.kind) {
    case 'aggregate':
      return `${expr.op}(${expr.expr === undefined ? '' : printField(expr.expr)})`;
    case 'number':
      return expr.value.text;
    case 'arithmetic':
      return `(${printScalar(expr.left)} ${expr.op} ${printScalar(expr.right)})`;
    case 'pipeline':
      return `(${printPipeline(expr.pipeline)} | ${printScalar(expr.scalar)})`;
  }
}

function printMetrics(expr: MetricsExpr): string {
  switch (expr.kind) {
    case 'series': {
      const args = [
        expr.field ? printField(expr.field) : '',
        expr.selection ? printSpanset(expr.selection) : '',
        ...expr.params.map(String),
      ];
      const by = expr.by.length === 0 ? '' : ` by (${expr.by.map(printField).join(', ')})`;
      return `${printPipeline(expr.pipeline)} | ${expr.op}(${args.filter((arg) => arg !== '').join(', ')})${by}`;
    }
    case 'rank':
      return `${printMetrics(expr.input)} | ${expr.op}(${expr.limit})`;
    case 'filter':
      return `${printMetrics(expr.input)} ${expr.op} ${expr.text}`;
    case 'arithmetic':
      return `${printOperand(expr.left)} ${expr.op} ${printOperand(expr.right)}`;
    case 'number':
      return String(expr.value);
    default:
      return assertNever(expr);
  }
}

function printOperand(expr: MetricsExpr): string {
  return expr.kind === 'number' ? printMetrics(expr) : `(${printMetrics(expr)})`;
}

/** The shortest spelling that Tempo's users know. */
const SPELLINGS: Readonly<Partial<Record<Intrinsic, string>>> = {
  'span:duration': 'duration',
  'span:name': 'name',
  'span:kind': 'kind',
  'span:status': 'status',
  'span:statusMessage': 'statusMessage',
  'trace:duration': 'traceDuration',
  'trace:rootName': 'rootName',
  'trace:rootService': 'rootServiceName',
};

/** An expression over a span as text; operations inside operations are in parentheses. */
export function printField(expr: FieldExpr): string {
  switch (expr.kind) {
    case 'attribute': {
      const name = isPlainAttributeName(expr.name) ? expr.name : `"${expr.name.replace(/(["\\])/g, '\\$1')}"`;
      return `${expr.ofParent ? 'parent' : ''}${expr.scope === 'any' ? '' : `${expr.ofParent ? '.' : ''}${expr.scope}`}.${name}`;
    }
    case 'intrinsic':
      return SPELLINGS[expr.name] ?? expr.name;
    case 'static':
      return printStatic(expr.value);
    case 'unary':
      return `${expr.op}${printInner(expr.operand)}`;
    case 'binary':
      return `${printInner(expr.left)} ${expr.op} ${printInner(expr.right)}`;
    case 'cidr':
      return `cidr(${[printField(expr.operand), ...expr.networks.map((network) => JSON.stringify(network))].join(', ')})`;
    default:
      return assertNever(expr);
  }
}

function printInner(expr: FieldExpr): string {
  return expr.kind === 'binary' ? `(${printField(expr)})` : printField(expr);
}

function printStatic(value: Static): string {
  switch (value.kind) {
    case 'string':
      return JSON.stringify(value.value);
    case 'int':
    case 'float':
    case 'duration':
      return value.text;
    case 'nil':
      return 'nil';
    default:
      return String(value.value);
  }
}
