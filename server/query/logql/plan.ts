import type {
  BinaryOp,
  Grouping,
  LabelMatch,
  LogExpr,
  LogqlExpr,
  MetricExpr,
  RangeExpr,
  RangeOp,
  Stage,
  VectorExpr,
  VectorMatching,
  VectorOp,
} from './ast.ts';
import { assertNever } from './ast.ts';
import { DETECTED_LEVEL_LABEL } from './detected-level.ts';
import { printDurationNs, printNumber, quote } from './literal.ts';
import { printLog } from './print.ts';
import { mentionsLabel, wantedLabels } from './wanted.ts';

/** What storage is asked for and which stages run on what it gives. */
export interface ScanPlan {
  readonly matchers: readonly LabelMatch[];
  readonly stages: readonly Stage[];
  /** Strings that every line contains that can pass; storage may use them, the stages test again. */
  readonly contains: readonly string[];
  /** Labels that parsers must extract. */
  readonly wanted: ReadonlySet<string> | 'all';
  /** Whether lines get a `detected_level` because the query asks for it. */
  readonly detectLevel: boolean;
}

/** How a query runs: plain data, and `explainLogql` prints it. */
export type LogqlPlan = LogPlan | MetricPlan;

export interface LogPlan {
  readonly kind: 'log';
  readonly scan: ScanPlan;
}

export type MetricPlan =
  | {
      readonly kind: 'range';
      readonly op: RangeOp;
      readonly param: number | undefined;
      readonly scan: ScanPlan;
      readonly rangeNs: bigint;
      readonly offsetNs: bigint;
      /** Which labels name a series; where an outer aggregation is done in the same pass, they are its groups. */
      readonly grouping: Grouping | 'all';
      readonly merged: VectorOp | undefined;
      readonly unwraps: string | undefined;
    }
  | {
      readonly kind: 'vector';
      readonly op: VectorOp;
      readonly param: number | undefined;
      readonly input: MetricPlan;
      readonly grouping: Grouping;
    }
  | {
      readonly kind: 'binary';
      readonly op: BinaryOp;
      readonly bool: boolean;
      readonly matching: VectorMatching | undefined;
      readonly left: MetricPlan;
      readonly right: MetricPlan;
      readonly at: number;
    }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'constant_vector'; readonly value: number }
  | {
      readonly kind: 'label_replace';
      readonly input: MetricPlan;
      readonly to: string;
      readonly replacement: string;
      readonly from: string;
      readonly regex: string;
    };

/** Plans a checked query. */
export function planLogql(expr: LogqlExpr): LogqlPlan {
  return expr.kind === 'log' ? { kind: 'log', scan: planScan(expr, 'all') } : planMetric(expr);
}

function planScan(log: LogExpr, grouping: Grouping | 'all'): ScanPlan {
  return {
    matchers: log.matchers,
    stages: log.stages,
    contains: requiredStrings(log.stages),
    wanted: wantedLabels(log.stages, grouping),
    detectLevel: mentionsLabel(log.stages, grouping, DETECTED_LEVEL_LABEL),
  };
}

/** The texts of `|=` filters that see the line as it was stored. */
function requiredStrings(stages: readonly Stage[]): string[] {
  const strings: string[] = [];
  for (const stage of stages) {
    if (stage.kind === 'line_format' || stage.kind === 'unpack' || stage.kind === 'decolorize') break;
    if (stage.kind !== 'line_filter' || stage.op !== '|=' || stage.operands.length > 1) continue;
    const [operand] = stage.operands;
    if (operand.kind === 'text' && operand.value !== '' && !strings.includes(operand.value))
      strings.push(operand.value);
  }
  return strings;
}

function planMetric(expr: MetricExpr): MetricPlan {
  switch (expr.kind) {
    case 'number':
    case 'constant_vector':
      return { kind: expr.kind, value: expr.value };
    case 'range':
      return planRange(expr, expr.grouping ?? 'all', undefined);
    case 'vector':
      return planVector(expr);
    case 'binary': {
      const { op, bool, matching, at } = expr;
      return { kind: 'binary', op, bool, matching, left: planMetric(expr.left), right: planMetric(expr.right), at };
    }
    case 'label_replace': {
      const { to, replacement, from, regex } = expr;
      return { kind: 'label_replace', input: planMetric(expr.expr), to, replacement, from, regex };
    }
    default:
      return assertNever(expr);
  }
}

function planRange(expr: RangeExpr, grouping: Grouping | 'all', merged: VectorOp | undefined): MetricPlan {
  const { op, param, rangeNs, offsetNs } = expr;
  const unwrap = expr.log.stages.find((stage) => stage.kind === 'unwrap');
  const scan = planScan(expr.log, op === 'absent_over_time' ? { kind: 'by', labels: [] } : grouping);
  return { kind: 'range', op, param, scan, rangeNs, offsetNs, grouping, merged, unwraps: unwrap?.label };
}

/** Range functions whose aggregate over series is the function over all their lines at once. */
const MERGEABLE: Readonly<Partial<Record<VectorOp, ReadonlySet<RangeOp>>>> = {
  sum: new Set<RangeOp>(['count_over_time', 'rate', 'bytes_over_time', 'bytes_rate', 'sum_over_time']),
  max: new Set<RangeOp>(['max_over_time']),
  min: new Set<RangeOp>(['min_over_time']),
};

function planVector(expr: VectorExpr): MetricPlan {
  const grouping = expr.grouping ?? ({ kind: 'by', labels: [] } as const);
  const inner = expr.expr;
  if (inner.kind === 'range' && inner.grouping === undefined && MERGEABLE[expr.op]?.has(inner.op)) {
    return planRange(inner, grouping, expr.op);
  }
  return { kind: 'vector', op: expr.op, param: expr.param, input: planMetric(inner), grouping };
}

/** A plan as indented text, one node a line. */
export function printPlan(plan: LogqlPlan, indent = ''): string {
  const deeper = `${indent}  `;
  switch (plan.kind) {
    case 'log':
      return `${indent}lines\n${printScan(plan.scan, deeper)}`;
    case 'number':
      return `${indent}number ${printNumber(plan.value)}\n`;
    case 'constant_vector':
      return `${indent}vector ${printNumber(plan.value)}\n`;
    case 'range': {
      const offset = plan.offsetNs === 0n ? '' : ` offset ${printDurationNs(plan.offsetNs)}`;
      const merged = plan.merged === undefined ? '' : ` merged into ${plan.merged}`;
      const head = `${plan.op}${printParam(plan.param)} [${printDurationNs(plan.rangeNs)}]${offset} ${printGroups(plan.grouping)}${merged}`;
      return `${indent}${head}\n${printScan(plan.scan, deeper)}`;
    }
    case 'vector':
      return `${indent}${plan.op}${printParam(plan.param)} ${printGroups(plan.grouping)}\n${printPlan(plan.input, deeper)}`;
    case 'binary': {
      const { matching } = plan;
      const how = matching === undefined ? '' : ` ${matching.on ? 'on' : 'ignoring'} (${matching.labels.join(', ')})`;
      const group = matching?.group === undefined ? '' : ` group_${matching.group} (${matching.include.join(', ')})`;
      return `${indent}${plan.op}${plan.bool ? ' bool' : ''}${how}${group}\n${printPlan(plan.left, deeper)}${printPlan(plan.right, deeper)}`;
    }
    case 'label_replace':
      return `${indent}label_replace ${[plan.to, plan.replacement, plan.from, plan.regex].map(quote).join(' ')}\n${printPlan(plan.input, deeper)}`;
    default:
      return assertNever(plan);
  }
}

function printParam(param: number | undefined): string {
  return param === undefined ? '' : `(${printNumber(param)})`;
}

function printGroups(grouping: Grouping | 'all'): string {
  return grouping === 'all' ? 'by every label' : `${grouping.kind} (${grouping.labels.join(', ')})`;
}

function printScan(scan: ScanPlan, indent: string): string {
  const contains = scan.contains.length === 0 ? '' : `, storage looks for ${scan.contains.map(quote).join(' and ')}`;
  const wanted =
    scan.wanted === 'all'
      ? 'all labels'
      : scan.wanted.size === 0
        ? 'no labels'
        : `labels ${[...scan.wanted].sort().join(', ')}`;
  const level = scan.detectLevel ? ', levels detected' : '';
  return `${indent}scan ${printLog({ kind: 'log', matchers: scan.matchers, stages: scan.stages, at: 0 })}: ${wanted}${level}${contains}\n`;
}
