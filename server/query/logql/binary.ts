import { type Labels, labelsKey, labelValue, onlyLabels, withLabel, withoutLabels } from '../../model/index.ts';
import type { BinaryOp, CompareOp, VectorMatching } from './ast.ts';
import { type Column, ColumnSet, type Columns, emptyColumn } from './columns.ts';
import { invalidQuery } from './errors.ts';
import type { LogqlLimits } from './limits.ts';
import { compareNumbers } from './stages/label-filter.ts';

/** An operator with what stands around it. */
export interface BinaryRule {
  readonly op: BinaryOp;
  readonly bool: boolean;
  readonly matching: VectorMatching | undefined;
}

const COMPARES: ReadonlySet<string> = new Set(['==', '!=', '>', '>=', '<', '<=']);

/** Applies a binary operator. @throws BarographError `logql_invalid` where the series of two sides don't match one to one. */
export function applyBinary(
  rule: BinaryRule,
  left: Columns,
  right: Columns,
  steps: number,
  limits: LogqlLimits,
): Columns {
  if (left.kind === 'scalar' && right.kind === 'scalar') {
    const values = new Float64Array(steps);
    for (let k = 0; k < steps; k++) values[k] = calculate(rule.op, left.values[k], right.values[k]);
    return { kind: 'scalar', values };
  }
  if (left.kind === 'scalar' || right.kind === 'scalar')
    return { kind: 'series', columns: withScalar(rule, left, right, steps) };
  switch (rule.op) {
    case 'and':
    case 'or':
    case 'unless':
      return {
        kind: 'series',
        columns: combineSets(rule.op, rule.matching, left.columns, right.columns, steps, limits),
      };
    default:
      return { kind: 'series', columns: matchVectors(rule, left.columns, right.columns, steps, limits) };
  }
}

/** The value of an operator; comparisons give 1 or 0. Division by zero is NaN, as in Loki. */
function calculate(op: BinaryOp, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return b === 0 ? Number.NaN : a / b;
    case '%':
      return b === 0 ? Number.NaN : a % b;
    case '^':
      return a ** b;
    case 'and':
    case 'or':
    case 'unless':
      throw new Error(`BUG: ${op} has no value`);
    default:
      return compareNumbers(op as CompareOp, a, b) ? 1 : 0;
  }
}

/** A comparison without `bool` keeps the vector's own value where it holds. */
function withScalar(rule: BinaryRule, left: Columns, right: Columns, steps: number): Column[] {
  const { op, bool } = rule;
  const filters = COMPARES.has(op) && !bool;
  const vector = left.kind === 'series' ? left.columns : right.kind === 'series' ? right.columns : [];
  const scalar =
    left.kind === 'scalar' ? left.values : right.kind === 'scalar' ? right.values : new Float64Array(steps);
  const scalarLeft = left.kind === 'scalar';
  return vector.map((column) => {
    const out = emptyColumn(column.labels, steps);
    for (let k = 0; k < steps; k++) {
      if (column.present[k] === 0) continue;
      const value = column.values[k];
      const result = scalarLeft ? calculate(op, scalar[k], value) : calculate(op, value, scalar[k]);
      if (filters && result === 0) continue;
      out.values[k] = filters ? value : result;
      out.present[k] = 1;
    }
    return out;
  });
}

/** The part of a label set that the two sides are matched by. */
function matchKey(labels: Labels, matching: VectorMatching | undefined): string {
  if (matching === undefined) return labelsKey(labels);
  const names = new Set(matching.labels);
  return labelsKey(matching.on ? onlyLabels(labels, names) : withoutLabels(labels, names));
}

function groupByKey(columns: readonly Column[], matching: VectorMatching | undefined): Map<string, Column[]> {
  const groups = new Map<string, Column[]>();
  for (const column of columns) {
    const key = matchKey(column.labels, matching);
    const group = groups.get(key);
    if (group) group.push(column);
    else groups.set(key, [column]);
  }
  return groups;
}

/** At each step, which column of a group has a value; more than one is an error. */
function onlyPresent(group: readonly Column[], k: number, side: string): Column | undefined {
  let found: Column | undefined;
  for (const column of group) {
    if (column.present[k] === 0) continue;
    if (found !== undefined) {
      throw invalidQuery(
        'binary operation',
        `found duplicate series on the ${side} hand-side: many-to-many matching not allowed`,
        'matching labels must be unique on one side',
      );
    }
    found = column;
  }
  return found;
}

function matchVectors(
  rule: BinaryRule,
  left: readonly Column[],
  right: readonly Column[],
  steps: number,
  limits: LogqlLimits,
): Column[] {
  const { op, bool, matching } = rule;
  // The side that may have many series per key is walked; with group_right that is the right one.
  const swapped = matching?.group === 'right';
  const [many, one] = swapped ? [right, left] : [left, right];
  const ones = groupByKey(one, matching);
  const filters = COMPARES.has(op) && !bool;
  const out = new ColumnSet(steps, limits);
  const claimed = new Map<string, Uint8Array>();
  for (const column of many) {
    const key = matchKey(column.labels, matching);
    const partners = ones.get(key);
    if (partners === undefined) continue;
    let taken = claimed.get(key);
    if (taken === undefined) {
      taken = new Uint8Array(steps);
      claimed.set(key, taken);
    }
    for (let k = 0; k < steps; k++) {
      if (column.present[k] === 0) continue;
      const partner = onlyPresent(partners, k, swapped ? 'left' : 'right');
      if (partner === undefined) continue;
      if (matching?.group === undefined && taken[k] === 1) {
        throw invalidQuery(
          'binary operation',
          'multiple matches for labels: many-to-one matching must be explicit',
          'add group_left or group_right',
        );
      }
      taken[k] = 1;
      const [a, b] = swapped ? [partner.values[k], column.values[k]] : [column.values[k], partner.values[k]];
      const result = calculate(op, a, b);
      if (filters && result === 0) continue;
      const target = out.at(resultLabels(column.labels, partner.labels, matching));
      if (target.present[k] === 1) {
        throw invalidQuery(
          'binary operation',
          'multiple matches for labels: grouping labels must ensure unique matches',
        );
      }
      target.values[k] = filters ? a : result;
      target.present[k] = 1;
    }
  }
  return out.columns;
}

function resultLabels(many: Labels, one: Labels, matching: VectorMatching | undefined): Labels {
  if (matching === undefined) return many;
  if (matching.group === undefined) {
    const names = new Set(matching.labels);
    return matching.on ? onlyLabels(many, names) : withoutLabels(many, names);
  }
  let labels = many;
  for (const name of matching.include) labels = withLabel(labels, name, labelValue(one, name));
  return labels;
}

function combineSets(
  op: 'and' | 'or' | 'unless',
  matching: VectorMatching | undefined,
  left: readonly Column[],
  right: readonly Column[],
  steps: number,
  limits: LogqlLimits,
): Column[] {
  const out = new ColumnSet(steps, limits);
  const copy = (columns: readonly Column[], others: Map<string, Column[]> | undefined, wanted: boolean) => {
    for (const { labels, values, present } of columns) {
      const partners = others?.get(matchKey(labels, matching)) ?? [];
      for (let k = 0; k < steps; k++) {
        if (present[k] === 0) continue;
        if (others !== undefined && partners.some((partner) => partner.present[k] === 1) !== wanted) continue;
        const target = out.at(labels);
        target.values[k] = values[k];
        target.present[k] = 1;
      }
    }
  };
  if (op === 'or') {
    copy(left, undefined, true);
    copy(right, groupByKey(left, matching), false);
  } else copy(left, groupByKey(right, matching), op === 'and');
  return out.columns;
}
