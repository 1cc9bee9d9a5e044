import { printDurationMs } from '../../model/index.ts';
import type { Expr, VectorSelector } from './ast.ts';
import { isStepInvariant, type Steps, shiftedTime } from './context.ts';
import { printExpr } from './print.ts';

/** The samples that one selector needs, in milliseconds, both inclusive. */
export interface Fetch {
  readonly selector: VectorSelector;
  readonly startMs: number;
  readonly endMs: number;
}

/** What a query will do: plain data. */
export interface Plan {
  readonly expr: Expr;
  readonly steps: Steps;
  readonly lookbackMs: number;
  readonly fetches: readonly Fetch[];
}

/** Decides what to read for an expression over some steps. */
export function planQuery(expr: Expr, steps: Steps, lookbackMs: number, defaultStepMs: number): Plan {
  const fetches: Fetch[] = [];
  const endMs = steps.startMs + Math.max(0, steps.count - 1) * steps.stepMs;
  collect(expr, steps.startMs, endMs);
  return { expr, steps, lookbackMs, fetches };

  // [from, to] is the range of times at which the expression is evaluated.
  function collect(node: Expr, from: number, to: number): void {
    switch (node.kind) {
      case 'selector':
        return fetch(node, from, to, lookbackMs);
      case 'matrix':
        return fetch(node.selector, from, to, node.rangeMs);
      case 'subquery': {
        const step = node.stepMs || defaultStepMs;
        const first = shiftedTime(node, from, steps.startMs, endMs) - node.rangeMs - step;
        return collect(node.expr, first, shiftedTime(node, to, steps.startMs, endMs));
      }
      case 'paren':
      case 'unary':
        return collect(node.expr, from, to);
      case 'call':
        for (const arg of node.args) collect(arg, from, to);
        return;
      case 'aggregate':
        if (node.param) collect(node.param, from, to);
        return collect(node.expr, from, to);
      case 'binary':
        collect(node.left, from, to);
        return collect(node.right, from, to);
      default:
        return;
    }
  }

  function fetch(selector: VectorSelector, from: number, to: number, rangeMs: number): void {
    // Ranges are open on the left: a sample exactly `range` ago is outside.
    const startMs = shiftedTime(selector, from, steps.startMs, endMs) - rangeMs + 1;
    fetches.push({ selector, startMs, endMs: shiftedTime(selector, to, steps.startMs, endMs) });
  }
}

/** A plan as text: what is fetched, then what is evaluated, inner lines indented. */
export function printPlan(plan: Plan): string {
  const lines = [`steps ${plan.steps.count} from ${plan.steps.startMs} every ${printDurationMs(plan.steps.stepMs)}`];
  plan.fetches.forEach((f, i) => {
    lines.push(`fetch #${i} ${printExpr({ ...f.selector, at: undefined, offsetMs: 0 })} [${f.startMs}, ${f.endMs}]`);
  });
  let fetchIndex = 0;
  const print = (node: Expr, indent: string): void => {
    const once = isStepInvariant(node) && node.kind !== 'number' && node.kind !== 'string' ? ' (once)' : '';
    const line = (text: string) => lines.push(`${indent}${text}${once}`);
    switch (node.kind) {
      case 'selector':
        line(`instant #${fetchIndex++}`);
        return;
      case 'matrix':
        line(`range ${printDurationMs(node.rangeMs)} #${fetchIndex++}`);
        return;
      case 'subquery':
        line(`subquery ${printDurationMs(node.rangeMs)}:${node.stepMs ? printDurationMs(node.stepMs) : ''}`);
        return print(node.expr, `${indent}  `);
      case 'paren':
        return print(node.expr, indent);
      case 'unary':
        line(`unary ${node.op}`);
        return print(node.expr, `${indent}  `);
      case 'call':
        line(`call ${node.name}`);
        for (const arg of node.args) print(arg, `${indent}  `);
        return;
      case 'aggregate':
        line(`aggregate ${node.op} ${node.grouping} (${node.labels.join(', ')})`);
        if (node.param) print(node.param, `${indent}  `);
        return print(node.expr, `${indent}  `);
      case 'binary':
        line(`binary ${node.op}${node.bool ? ' bool' : ''}`);
        print(node.left, `${indent}  `);
        return print(node.right, `${indent}  `);
      default:
        line(printExpr(node));
    }
  };
  print(plan.expr, '');
  return lines.join('\n');
}
