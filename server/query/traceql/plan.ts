import type { AttributeValue, SpanStatus } from '../../model/index.ts';
import type { SpanCondition, SpanPart } from '../../store/index.ts';
import type {
  AttributeField,
  FieldExpr,
  Intrinsic,
  IntrinsicField,
  MetricsExpr,
  Pipeline,
  ScalarExpr,
  SpansetExpr,
  Stage,
} from './ast.ts';
import { asksForRoot, isLocal } from './field.ts';
import { printField, printPipeline } from './print.ts';

/** How a search finds its traces: plain data. */
export interface SearchPlan {
  readonly pipeline: Pipeline;
  /** Conditions that hold for a span in every trace that can match; storage may use them. */
  readonly conditions: readonly SpanCondition[];
  /**
   * Every trace that can match has a span that passes one of these; `undefined` passes every span. Expressions that
   * need the trace are left out here and evaluated with it.
   */
  readonly seeds: readonly (FieldExpr | undefined)[];
  /** Attributes and intrinsics that the query names; a found span shows them. */
  readonly shown: readonly (AttributeField | IntrinsicField)[];
  /** What must be read of a span that may be a candidate. */
  readonly spanParts: readonly SpanPart[];
  /** What must be read of the spans of a whole trace. */
  readonly traceParts: readonly SpanPart[];
}

/**
 * Plans a search. `read` are fields that are read besides those of the pipeline, of candidates and in whole traces;
 * `parts` what is read beyond any field.
 */
export function planSearch(
  pipeline: Pipeline,
  read: readonly FieldExpr[] = [],
  parts: readonly SpanPart[] = [],
): SearchPlan {
  const alternatives = seedsOfPipeline(pipeline);
  const seeds = alternatives.map(localPart);
  const shown = new Map<string, AttributeField | IntrinsicField>();
  collectPipeline(pipeline, (field) => shown.set(printField(field), field));
  const spanParts = new Set(parts);
  const needsPart: Visit = (field) => {
    for (const part of partsOf(field)) spanParts.add(part);
  };
  for (const field of read) collectField(field, needsPart);
  const traceParts = new Set([...spanParts, ...[...shown.values()].flatMap(partsOf)]);
  for (const seed of seeds) if (seed !== undefined) collectField(seed, needsPart);
  return {
    pipeline,
    conditions: sharedConditions(alternatives.map(conditionsOf)),
    seeds,
    shown: [...shown.values()],
    spanParts: [...spanParts],
    traceParts: [...traceParts],
  };
}

/** The parts of a span that a field is read from. */
function partsOf(field: AttributeField | IntrinsicField): readonly SpanPart[] {
  if (field.kind === 'attribute') {
    switch (field.scope) {
      case 'span':
        return ['attributes'];
      case 'resource':
        return ['resource'];
      case 'any':
        return ['attributes', 'resource'];
      case 'event':
      case 'link':
      case 'instrumentation':
        return ['details'];
    }
  }
  return DETAIL_INTRINSICS.has(field.name) ? ['details'] : [];
}

const DETAIL_INTRINSICS: ReadonlySet<Intrinsic> = new Set<Intrinsic>([
  'span:statusMessage',
  'event:name',
  'event:timeSinceStart',
  'link:traceID',
  'link:spanID',
  'instrumentation:name',
  'instrumentation:version',
]);

/** A plan as text, one line a fact. */
export function printSearchPlan(plan: SearchPlan): string {
  const conditions = plan.conditions.map(printCondition);
  const seeds = plan.seeds.map((seed) => (seed === undefined ? '{ }' : `{ ${printField(seed)} }`));
  return [
    `search ${printPipeline(plan.pipeline)}`,
    `  storage looks for ${conditions.length === 0 ? 'every span' : conditions.join(' and ')}`,
    `  a candidate trace has a span of ${seeds.join(' or ')}`,
    '',
  ].join('\n');
}

function printCondition(condition: SpanCondition): string {
  switch (condition.kind) {
    case 'attribute':
      return `${condition.scope === 'any' ? '' : condition.scope}.${condition.name} = ${JSON.stringify(condition.equals)}`;
    case 'root':
      return 'no parent';
    case 'duration':
      return [
        ...(condition.minNs === undefined ? [] : [`duration >= ${condition.minNs}ns`]),
        ...(condition.maxNs === undefined ? [] : [`duration <= ${condition.maxNs}ns`]),
      ].join(' and ');
    default:
      return `${condition.kind} = ${condition.equals}`;
  }
}

/** One spanset stage is enough, because all of them must find something; the first is usually the narrowest. */
function seedsOfPipeline(pipeline: Pipeline): (FieldExpr | undefined)[] {
  for (const stage of pipeline.stages) {
    if (stage.kind === 'filter' || stage.kind === 'operation' || stage.kind === 'pipeline') return seedsOf(stage);
  }
  return [undefined];
}

function seedsOf(expr: SpansetExpr): (FieldExpr | undefined)[] {
  switch (expr.kind) {
    case 'filter':
      return [expr.expr];
    case 'pipeline':
      return seedsOfPipeline(expr.pipeline);
    case 'operation': {
      const right = seedsOf(expr.right);
      if (expr.op === '||') return [...seedsOf(expr.left), ...right];
      // What isn't related needs nothing on the left side.
      if (expr.op.startsWith('!')) return right;
      const left = seedsOf(expr.left);
      return narrowness(left) > narrowness(right) ? left : right;
    }
  }
}

/** How much storage can leave out: conditions in common, and any test at all is better than none. */
function narrowness(seeds: readonly (FieldExpr | undefined)[]): number {
  return 2 * sharedConditions(seeds.map(conditionsOf)).length + (seeds.every((seed) => seed !== undefined) ? 1 : 0);
}

/** The part of a conjunction that a span alone decides. */
function localPart(expr: FieldExpr | undefined): FieldExpr | undefined {
  if (expr === undefined || isLocal(expr)) return expr;
  if (expr.kind !== 'binary' || expr.op !== '&&') return undefined;
  const [left, right] = [localPart(expr.left), localPart(expr.right)];
  if (left === undefined || right === undefined) return left ?? right;
  return { ...expr, left, right };
}

function sharedConditions(all: readonly SpanCondition[][]): SpanCondition[] {
  const key = (condition: SpanCondition) =>
    JSON.stringify(condition, (_name, value) => (typeof value === 'bigint' ? `${value}n` : value));
  const [first, ...rest] = all;
  return first.filter((condition) => rest.every((others) => others.some((other) => key(other) === key(condition))));
}

function conditionsOf(expr: FieldExpr | undefined): SpanCondition[] {
  if (expr === undefined || expr.kind !== 'binary') return [];
  if (expr.op === '&&') return [...conditionsOf(expr.left), ...conditionsOf(expr.right)];
  if (asksForRoot(expr) === true) return [{ kind: 'root' }];
  const { left, right, op } = expr;
  if (right.kind !== 'static') return [];
  const { value } = right;
  if (left.kind === 'intrinsic') return intrinsicConditions(left, op, value);
  if (left.kind !== 'attribute' || left.ofParent || op !== '=') return [];
  if (left.scope !== 'span' && left.scope !== 'resource' && left.scope !== 'any') return [];
  const equals: AttributeValue | undefined =
    value.kind === 'string' || value.kind === 'bool' || value.kind === 'int' || value.kind === 'float'
      ? value.value
      : undefined;
  if (equals === undefined) return [];
  if (left.scope === 'resource' && left.name === 'service.name' && typeof equals === 'string')
    return [{ kind: 'service', equals }];
  return [{ kind: 'attribute', scope: left.scope, name: left.name, equals }];
}

function intrinsicConditions(
  field: IntrinsicField,
  op: string,
  value: (FieldExpr & { kind: 'static' })['value'],
): SpanCondition[] {
  if (field.name === 'span:duration' && (value.kind === 'duration' || value.kind === 'int' || value.kind === 'float')) {
    // Bounds are inclusive, so `>` gives a little more than is wanted.
    // A bound beyond 64 bits (1e400 is even infinite) is no hint: without one storage leaves nothing out.
    if (!(Math.abs(value.value) < 9e18)) return [];
    const minNs = BigInt(Math.floor(value.value));
    const maxNs = BigInt(Math.ceil(value.value));
    if (op === '>' || op === '>=') return [{ kind: 'duration', minNs }];
    if (op === '<' || op === '<=') return [{ kind: 'duration', maxNs }];
    return op === '=' ? [{ kind: 'duration', minNs, maxNs }] : [];
  }
  if (op !== '=') return [];
  if (field.name === 'trace:id' && value.kind === 'string' && /^[0-9a-f]{32}$/.test(value.value))
    return [{ kind: 'trace', equals: value.value }];
  if (field.name === 'span:name' && value.kind === 'string') return [{ kind: 'name', equals: value.value }];
  if (field.name === 'span:status' && value.kind === 'status')
    return [{ kind: 'status', equals: value.value satisfies SpanStatus }];
  if (field.name === 'span:kind' && value.kind === 'span_kind') return [{ kind: 'span_kind', equals: value.value }];
  return [];
}

type Visit = (field: AttributeField | IntrinsicField) => void;

function collectPipeline(pipeline: Pipeline, visit: Visit): void {
  for (const stage of pipeline.stages) collectStage(stage, visit);
}

function collectStage(stage: Stage, visit: Visit): void {
  switch (stage.kind) {
    case 'filter':
      if (stage.expr) collectField(stage.expr, visit);
      return;
    case 'operation':
      collectStage(stage.left, visit);
      collectStage(stage.right, visit);
      return;
    case 'pipeline':
      return collectPipeline(stage.pipeline, visit);
    case 'scalar_filter':
      collectScalar(stage.left, visit);
      collectScalar(stage.right, visit);
      return;
    case 'by':
      return collectField(stage.expr, visit);
    case 'select':
      for (const field of stage.fields) visit(field);
      return;
    case 'coalesce':
      return;
  }
}

function collectScalar(expr: ScalarExpr, visit: Visit): void {
  switch (expr.kind) {
    case 'aggregate':
      if (expr.expr) collectField(expr.expr, visit);
      return;
    case 'arithmetic':
      collectScalar(expr.left, visit);
      collectScalar(expr.right, visit);
      return;
    case 'pipeline':
      collectPipeline(expr.pipeline, visit);
      return collectScalar(expr.scalar, visit);
    case 'number':
      return;
  }
}

function collectField(expr: FieldExpr, visit: Visit): void {
  switch (expr.kind) {
    case 'attribute':
    case 'intrinsic':
      return visit(expr);
    case 'unary':
    case 'cidr':
      return collectField(expr.operand, visit);
    case 'binary':
      collectField(expr.left, visit);
      collectField(expr.right, visit);
      return;
    case 'static':
      return;
  }
}

/** The pipelines that metrics are made of. */
export function pipelinesOf(expr: MetricsExpr): Pipeline[] {
  switch (expr.kind) {
    case 'series':
      return [expr.pipeline];
    case 'rank':
    case 'filter':
      return pipelinesOf(expr.input);
    case 'arithmetic':
      return [...pipelinesOf(expr.left), ...pipelinesOf(expr.right)];
    case 'number':
      return [];
  }
}
