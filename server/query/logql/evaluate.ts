import { labelValue, withLabel } from '../../model/index.ts';
import { aggregate } from './aggregate.ts';
import { assertNever } from './ast.ts';
import { applyBinary } from './binary.ts';
import { type Column, ColumnSet, type Columns, emptyColumn, type Grid } from './columns.ts';
import { invalidQuery } from './errors.ts';
import type { MetricPlan } from './plan.ts';
import { type QueryContext, scanRange } from './scan.ts';
import { compileRe2 } from './stages/line-filter.ts';

/** Evaluates a metric plan over every step of a grid at once. */
export async function evaluateMetric(plan: MetricPlan, grid: Grid, context: QueryContext): Promise<Columns> {
  const { limits } = context;
  switch (plan.kind) {
    case 'number':
      return { kind: 'scalar', values: new Float64Array(grid.count).fill(plan.value) };
    case 'constant_vector': {
      const column = emptyColumn([], grid.count);
      column.values.fill(plan.value);
      column.present.fill(1);
      return { kind: 'series', columns: [column] };
    }
    case 'range':
      return { kind: 'series', columns: await scanRange(plan, grid, context) };
    case 'vector': {
      const input = await evaluateSeries(plan.input, grid, context);
      return { kind: 'series', columns: aggregate(plan.op, plan.param, input, plan.grouping, grid.count, limits) };
    }
    case 'binary': {
      // One side after the other: each bounds its memory, and a reader serves one scan at a time best.
      const left = await evaluateMetric(plan.left, grid, context);
      const right = await evaluateMetric(plan.right, grid, context);
      return applyBinary(plan, left, right, grid.count, limits);
    }
    case 'label_replace':
      return {
        kind: 'series',
        columns: replaceLabels(plan, await evaluateSeries(plan.input, grid, context), grid, context),
      };
    default:
      return assertNever(plan);
  }
}

/** A scalar where series are needed is one series without labels. */
async function evaluateSeries(plan: MetricPlan, grid: Grid, context: QueryContext): Promise<readonly Column[]> {
  const result = await evaluateMetric(plan, grid, context);
  if (result.kind === 'series') return result.columns;
  return [{ labels: [], values: result.values, present: new Uint8Array(grid.count).fill(1) }];
}

function replaceLabels(
  plan: MetricPlan & { kind: 'label_replace' },
  input: readonly Column[],
  grid: Grid,
  context: QueryContext,
): readonly Column[] {
  const regex = compileRe2(`^(?:${plan.regex})$`, 0, '');
  const out = new ColumnSet(grid.count, context.limits);
  for (const column of input) {
    const matcher = regex.matcher(labelValue(column.labels, plan.from));
    const labels = matcher.find()
      ? withLabel(
          column.labels,
          plan.to,
          expand(plan.replacement, (group) => groupText(matcher, group)),
        )
      : column.labels;
    const target = out.at(labels);
    for (let k = 0; k < grid.count; k++) {
      if (column.present[k] === 0) continue;
      if (target.present[k] === 1) {
        throw invalidQuery(
          'label_replace',
          'two series would have the same labels',
          'replace into a label that keeps them apart',
        );
      }
      target.values[k] = column.values[k];
      target.present[k] = 1;
    }
  }
  return out.columns;
}

function groupText(
  matcher: { group(name: string | number): string | null; groupCount(): number },
  name: string,
): string {
  if (/^\d+$/.test(name)) return Number(name) <= matcher.groupCount() ? (matcher.group(Number(name)) ?? '') : '';
  try {
    return matcher.group(name) ?? '';
  } catch {
    // Go expands a group that doesn't exist to nothing.
    return '';
  }
}

/** Go's `Regexp.Expand`: `$1`, `${1}`, `$name`, `$$`. */
function expand(template: string, group: (name: string) => string): string {
  return template.replace(/\$(?:\$|(\w+)|\{(\w+)\})/g, (all, bare: string | undefined, braced: string | undefined) => {
    const name = bare ?? braced;
    return name === undefined ? (all === '$$' ? '$' : all) : group(name);
  });
}
