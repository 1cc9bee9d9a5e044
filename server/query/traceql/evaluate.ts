import type { Span } from '../../model/index.ts';
import { calculate } from './arithmetic.ts';
import type { Pipeline, Relation, ScalarExpr, SpansetExpr, SpansetOp, Stage } from './ast.ts';
import { compareValues, compileField, compileTest, type Value } from './field.ts';
import { printField } from './print.ts';
import type { TraceView } from './trace-view.ts';

/** A set of spans of one trace; `by` makes several, each with what its spans have in common. */
export interface Spanset {
  readonly spans: readonly Span[];
  readonly groups: readonly { readonly name: string; readonly value: Value }[];
}

/** A stage at work on the sets of one trace. */
export type RunPipeline = (trace: TraceView, sets: readonly Spanset[]) => Spanset[];

/** The set of all spans of a trace, with which a pipeline begins. */
export function wholeTrace(trace: TraceView): Spanset[] {
  return [{ spans: trace.spans, groups: [] }];
}

/** Compiles a pipeline. @throws BarographError `traceql_unsupported`. */
export function compilePipeline(pipeline: Pipeline): RunPipeline {
  const stages = pipeline.stages.map(compileStage);
  return (trace, sets) => {
    let current = [...sets];
    for (const run of stages) {
      current = run(trace, current);
      if (current.length === 0) return current;
    }
    return current;
  };
}

function compileStage(stage: Stage): RunPipeline {
  switch (stage.kind) {
    case 'select':
      return (_trace, sets) => [...sets];
    case 'coalesce':
      return (_trace, sets) => [{ spans: unique(sets.flatMap((set) => set.spans)), groups: [] }];
    case 'by': {
      const read = compileField(stage.expr);
      const name = printField(stage.expr);
      return (trace, sets) => sets.flatMap((set) => groupSet(set, name, (span) => read(span, trace)));
    }
    case 'scalar_filter': {
      const left = compileScalar(stage.left);
      const right = compileScalar(stage.right);
      return (trace, sets) => sets.filter((set) => compareValues(stage.op, left(trace, set), right(trace, set)));
    }
    default: {
      const select = compileSpanset(stage);
      return (trace, sets) => sets.flatMap((set) => select(trace, set));
    }
  }
}

type Select = (trace: TraceView, set: Spanset) => Spanset[];

function compileSpanset(expr: SpansetExpr): Select {
  switch (expr.kind) {
    case 'filter': {
      const test = compileTest(expr.expr);
      return (trace, set) => nonEmpty({ ...set, spans: set.spans.filter((span) => test(span, trace)) });
    }
    case 'pipeline': {
      const run = compilePipeline(expr.pipeline);
      return (trace, set) => run(trace, [set]);
    }
    case 'operation': {
      const left = compileSpanset(expr.left);
      const right = compileSpanset(expr.right);
      const { op } = expr;
      return (trace, set) => {
        const spansOf = (sets: Spanset[]) => unique(sets.flatMap((s) => s.spans));
        return nonEmpty({ ...set, spans: combine(op, trace, spansOf(left(trace, set)), spansOf(right(trace, set))) });
      };
    }
  }
}

const INVERSE: Readonly<Record<Relation, Relation>> = { '>': '<', '<': '>', '>>': '<<', '<<': '>>', '~': '~' };

function combine(op: SpansetOp, trace: TraceView, left: readonly Span[], right: readonly Span[]): Span[] {
  if (op === '||') return unique([...left, ...right]);
  if (op === '&&') return left.length === 0 || right.length === 0 ? [] : unique([...left, ...right]);
  const relation = op.replace(/^[!&]/, '') as Relation;
  const related = trace.related(relation, left, right);
  if (op.startsWith('!')) {
    const taken = new Set(related);
    return right.filter((span) => !taken.has(span));
  }
  return op.startsWith('&') ? unique([...related, ...trace.related(INVERSE[relation], right, left)]) : related;
}

function unique(spans: readonly Span[]): Span[] {
  return [...new Set(spans)];
}

function nonEmpty(set: Spanset): Spanset[] {
  return set.spans.length === 0 ? [] : [set];
}

/** Spans without a value are a group of their own. */
function groupSet(set: Spanset, name: string, read: (span: Span) => Value): Spanset[] {
  const groups = new Map<string, { value: Value; spans: Span[] }>();
  for (const span of set.spans) {
    const value = read(span);
    const key = `${typeof value}:${JSON.stringify(value)}`;
    const group = groups.get(key);
    if (group) group.spans.push(span);
    else groups.set(key, { value, spans: [span] });
  }
  return [...groups.values()].map(({ value, spans }) => ({
    spans,
    groups: [...set.groups, { name: `by(${name})`, value }],
  }));
}

type ReadScalar = (trace: TraceView, set: Spanset) => Value;

function compileScalar(expr: ScalarExpr): ReadScalar {
  switch (expr.kind) {
    case 'number':
      return () => expr.value.value;
    case 'arithmetic': {
      const left = compileScalar(expr.left);
      const right = compileScalar(expr.right);
      return (trace, set) => {
        const [a, b] = [left(trace, set), right(trace, set)];
        return typeof a === 'number' && typeof b === 'number' ? calculate(expr.op, a, b) : undefined;
      };
    }
    case 'pipeline': {
      const run = compilePipeline(expr.pipeline);
      const scalar = compileScalar(expr.scalar);
      return (trace, set) => {
        const sets = run(trace, [set]);
        return sets.length === 0
          ? undefined
          : scalar(trace, { spans: unique(sets.flatMap((s) => s.spans)), groups: [] });
      };
    }
    case 'aggregate': {
      if (expr.expr === undefined) return (_trace, set) => set.spans.length;
      const read = compileField(expr.expr);
      return (trace, set) => {
        const numbers: number[] = [];
        for (const span of set.spans) {
          const value = read(span, trace);
          if (typeof value === 'number') numbers.push(value);
        }
        return aggregateNumbers(expr.op, numbers);
      };
    }
  }
}

/** Spans without a number don't count; without any there is no result. */
function aggregateNumbers(op: 'count' | 'avg' | 'min' | 'max' | 'sum', numbers: readonly number[]): number | undefined {
  if (numbers.length === 0) return undefined;
  const sum = () => numbers.reduce((a, b) => a + b, 0);
  switch (op) {
    case 'count':
      return numbers.length;
    case 'sum':
      return sum();
    case 'avg':
      return sum() / numbers.length;
    case 'min':
      return numbers.reduce((a, b) => Math.min(a, b));
    case 'max':
      return numbers.reduce((a, b) => Math.max(a, b));
  }
}
