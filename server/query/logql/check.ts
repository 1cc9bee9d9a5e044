import type { BinaryExpr, LogExpr, LogqlExpr, MetricExpr, RangeExpr, RangeOp, VectorExpr } from './ast.ts';
import { assertNever } from './ast.ts';
import { invalidQuery, positionAt } from './errors.ts';
import { checkStages, type Position } from './pipeline.ts';
import { compileMatch } from './stages/label-filter.ts';
import { compileRe2 } from './stages/line-filter.ts';

/** Range functions by what they need: numbers that `unwrap` makes, lines, or either. */
const NEEDS: Readonly<Record<RangeOp, 'unwrap' | 'lines' | 'either'>> = {
  count_over_time: 'lines',
  rate: 'either',
  rate_counter: 'unwrap',
  bytes_over_time: 'lines',
  bytes_rate: 'lines',
  avg_over_time: 'unwrap',
  sum_over_time: 'unwrap',
  min_over_time: 'unwrap',
  max_over_time: 'unwrap',
  stddev_over_time: 'unwrap',
  stdvar_over_time: 'unwrap',
  quantile_over_time: 'unwrap',
  first_over_time: 'unwrap',
  last_over_time: 'unwrap',
  absent_over_time: 'either',
};
const GROUPABLE: ReadonlySet<RangeOp> = new Set([
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'stddev_over_time',
  'stdvar_over_time',
  'quantile_over_time',
  'first_over_time',
  'last_over_time',
]);

/** Checks what the syntax doesn't say. @throws BarographError `logql_invalid`. */
export function checkLogql(expr: LogqlExpr, text: string): void {
  const position = (at: number) => positionAt(text, at);
  if (expr.kind !== 'log') return checkMetric(expr, position);
  checkLog(expr, position);
  const unwrap = expr.stages.find((stage) => stage.kind === 'unwrap');
  if (unwrap)
    throw invalidQuery(
      position(unwrap.at),
      'unwrap gives numbers, not lines',
      'put it into a function such as sum_over_time(… [5m])',
    );
}

function checkMetric(expr: MetricExpr, position: Position): void {
  switch (expr.kind) {
    case 'number':
    case 'constant_vector':
      return;
    case 'range':
      return checkRange(expr, position);
    case 'vector':
      return checkVector(expr, position);
    case 'binary':
      return checkBinary(expr, position);
    case 'label_replace':
      checkMetric(expr.expr, position);
      if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(expr.to)) {
        throw invalidQuery(
          position(expr.at),
          `invalid destination label name in label_replace(): ${JSON.stringify(expr.to)}`,
        );
      }
      compileRe2(`^(?:${expr.regex})$`, 0, position(expr.at));
      return;
    default:
      assertNever(expr);
  }
}

function checkLog(expr: LogExpr, position: Position): void {
  const matchers = expr.matchers.map((match) => compileMatch(match, position));
  if (!matchers.some((matcher) => !matcher.matches(''))) {
    throw invalidQuery(
      position(expr.at),
      'queries require at least one regexp or equality matcher that does not have an empty-compatible value',
      'app=~".*" selects every stream and does not meet this; app=~".+" does',
    );
  }
  checkStages(expr.stages, position);
}

function checkRange(expr: RangeExpr, position: Position): void {
  const { op, log } = expr;
  checkLog(log, position);
  const fail = (problem: string, fix?: string) => {
    throw invalidQuery(position(expr.at), problem, fix);
  };
  const at = log.stages.findIndex((stage) => stage.kind === 'unwrap');
  if (at >= 0) {
    const after = log.stages.slice(at + 1).find((stage) => stage.kind !== 'label_filter');
    if (after)
      throw invalidQuery(position(after.at), `${after.kind} after unwrap`, 'only label filters may follow unwrap');
  }
  const needs = NEEDS[op];
  if (needs === 'unwrap' && at < 0)
    fail(`invalid aggregation ${op} without unwrap`, 'add | unwrap and the label that holds the number');
  if (needs === 'lines' && at >= 0)
    fail(`invalid aggregation ${op} with unwrap`, 'remove unwrap, or use sum_over_time');
  if (expr.grouping && !GROUPABLE.has(op))
    fail(`grouping not allowed for ${op} aggregation`, `use sum by (…) (${op}(…))`);
  if (op === 'quantile_over_time' && expr.param === undefined)
    fail('parameter required for operation quantile_over_time', 'write quantile_over_time(0.95, …)');
  if (op !== 'quantile_over_time' && expr.param !== undefined) fail(`parameter not supported for operation ${op}`);
}

function checkVector(expr: VectorExpr, position: Position): void {
  checkMetric(expr.expr, position);
  const { op, param } = expr;
  const fail = (problem: string, fix?: string) => {
    throw invalidQuery(position(expr.at), problem, fix);
  };
  const ranks = op === 'topk' || op === 'bottomk' || op === 'approx_topk';
  if (ranks && param === undefined) fail(`parameter required for operation ${op}`, `write ${op}(10, …)`);
  if (!ranks && param !== undefined) fail(`unsupported parameter for operation ${op}(${param},`);
  if (ranks && (!Number.isInteger(param) || param! < 1))
    fail(`invalid parameter (must be a whole number greater than 0) ${op}(${param},`);
  if ((op === 'sort' || op === 'sort_desc' || op === 'approx_topk') && expr.grouping)
    fail(`grouping not allowed for ${op} aggregation`);
  if (expr.expr.kind === 'number') fail(`${op} of a number`, 'give it a vector: vector(…) or a range aggregation');
}

function checkBinary(expr: BinaryExpr, position: Position): void {
  checkMetric(expr.left, position);
  checkMetric(expr.right, position);
  const { op, matching } = expr;
  const fail = (problem: string, fix?: string) => {
    throw invalidQuery(position(expr.at), problem, fix);
  };
  const isSet = op === 'and' || op === 'or' || op === 'unless';
  const literal = isScalar(expr.left) || isScalar(expr.right);
  if (isSet && literal)
    fail(`unexpected literal for a leg of logical/set binary operation (${op})`, 'set operators compare vectors');
  if (matching === undefined) return;
  if (literal) fail('vector matching only allowed between vectors');
  if (matching.group !== undefined && isSet) fail(`no grouping allowed for ${op} operation`);
  const both = matching.on ? matching.labels.find((label) => matching.include.includes(label)) : undefined;
  if (both !== undefined) fail(`label ${JSON.stringify(both)} must not occur in ON and GROUP clause at once`);
}

/** Whether an expression is a number at every step, without labels. */
export function isScalar(expr: MetricExpr): boolean {
  return expr.kind === 'number' || (expr.kind === 'binary' && isScalar(expr.left) && isScalar(expr.right));
}
