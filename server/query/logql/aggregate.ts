import { type Labels, onlyLabels, withoutLabels } from '../../model/index.ts';
import type { Grouping, VectorOp } from './ast.ts';
import { type Column, ColumnSet, emptyColumn } from './columns.ts';
import type { LogqlLimits } from './limits.ts';

/** The labels of a series' group. */
export function groupLabels(labels: Labels, grouping: Grouping): Labels {
  const names = new Set(grouping.labels);
  return grouping.kind === 'by' ? onlyLabels(labels, names) : withoutLabels(labels, names);
}

/** Aggregates series over their labels, step by step. `param` is the k of `topk` and its kin. */
export function aggregate(
  op: VectorOp,
  param: number | undefined,
  input: readonly Column[],
  grouping: Grouping,
  steps: number,
  limits: LogqlLimits,
): Column[] {
  switch (op) {
    case 'sort':
    case 'sort_desc':
      return [...input];
    case 'topk':
    case 'approx_topk':
      return rank(input, grouping, param!, steps, (a, b) => b - a);
    case 'bottomk':
      return rank(input, grouping, param!, steps, (a, b) => a - b);
    case 'sum':
    case 'max':
    case 'min':
      return fold(input, grouping, steps, limits, FOLDS[op]);
    case 'count':
      return moments(input, grouping, steps, limits, (_mean, _variance, count) => count);
    case 'avg':
      return moments(input, grouping, steps, limits, (mean) => mean);
    case 'stdvar':
      return moments(input, grouping, steps, limits, (_mean, variance) => variance);
    case 'stddev':
      return moments(input, grouping, steps, limits, (_mean, variance) => Math.sqrt(variance));
  }
}

const FOLDS = {
  sum: (a: number, b: number) => a + b,
  max: (a: number, b: number) => (b > a || Number.isNaN(a) ? b : a),
  min: (a: number, b: number) => (b < a || Number.isNaN(a) ? b : a),
} as const;

function fold(
  input: readonly Column[],
  grouping: Grouping,
  steps: number,
  limits: LogqlLimits,
  combine: (a: number, b: number) => number,
): Column[] {
  const groups = new ColumnSet(steps, limits);
  for (const { labels, values, present } of input) {
    const group = groups.at(groupLabels(labels, grouping));
    for (let k = 0; k < steps; k++) {
      if (present[k] === 0) continue;
      group.values[k] = group.present[k] === 0 ? values[k] : combine(group.values[k], values[k]);
      group.present[k] = 1;
    }
  }
  return groups.columns;
}

/** Mean and population variance by Welford's method, so that large values don't cancel. */
function moments(
  input: readonly Column[],
  grouping: Grouping,
  steps: number,
  limits: LogqlLimits,
  result: (mean: number, variance: number, count: number) => number,
): Column[] {
  const groups = new ColumnSet(steps, limits);
  const states = new Map<Column, { counts: Float64Array; squares: Float64Array }>();
  for (const { labels, values, present } of input) {
    const group = groups.at(groupLabels(labels, grouping));
    let state = states.get(group);
    if (state === undefined) {
      state = { counts: new Float64Array(steps), squares: new Float64Array(steps) };
      states.set(group, state);
    }
    for (let k = 0; k < steps; k++) {
      if (present[k] === 0) continue;
      const delta = values[k] - group.values[k];
      group.values[k] += delta / ++state.counts[k];
      state.squares[k] += delta * (values[k] - group.values[k]);
      group.present[k] = 1;
    }
  }
  for (const [group, { counts, squares }] of states) {
    for (let k = 0; k < steps; k++) {
      if (group.present[k] === 1) group.values[k] = result(group.values[k], squares[k] / counts[k], counts[k]);
    }
  }
  return groups.columns;
}

/** Keeps the first k series of each group at each step by `compare`; NaN comes last, equal values in order of input. */
function rank(
  input: readonly Column[],
  grouping: Grouping,
  k: number,
  steps: number,
  compare: (a: number, b: number) => number,
): Column[] {
  const groups = new Map<string, Column[]>();
  for (const column of input) {
    const key = JSON.stringify(groupLabels(column.labels, grouping));
    const group = groups.get(key);
    if (group) group.push(column);
    else groups.set(key, [column]);
  }
  const kept = new Map<Column, Column>();
  for (const group of groups.values()) {
    for (let step = 0; step < steps; step++) {
      const candidates = group.filter((column) => column.present[step] === 1);
      candidates.sort((a, b) => compareNanLast(a.values[step], b.values[step], compare));
      for (const column of candidates.slice(0, k)) {
        let out = kept.get(column);
        if (out === undefined) {
          out = emptyColumn(column.labels, steps);
          kept.set(column, out);
        }
        out.values[step] = column.values[step];
        out.present[step] = 1;
      }
    }
  }
  return [...kept.values()];
}

/** Compares numbers so that NaN comes last whatever the direction. */
export function compareNanLast(a: number, b: number, compare: (a: number, b: number) => number): number {
  if (Number.isNaN(a)) return Number.isNaN(b) ? 0 : 1;
  return Number.isNaN(b) ? -1 : compare(a, b);
}
