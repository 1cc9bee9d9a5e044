import type {
  Extraction,
  Grouping,
  LabelMatch,
  LabelPick,
  LabelPredicate,
  LogExpr,
  LogqlExpr,
  MetricExpr,
  Stage,
} from './ast.ts';
import { assertNever } from './ast.ts';
import { printDurationNs, printNumber, quote } from './literal.ts';

/** A query as text that parses to the same tree. Comments and spelling (`5m` or `300s`) are not kept. */
export function printLogql(expr: LogqlExpr): string {
  return expr.kind === 'log' ? printLog(expr) : printMetric(expr);
}

/** `{a="b"} |= "c" | json`. */
export function printLog(expr: LogExpr): string {
  const selector = `{${expr.matchers.map(printMatch).join(', ')}}`;
  return [selector, ...expr.stages.map(printStage)].join(' ');
}

function printMetric(expr: MetricExpr): string {
  switch (expr.kind) {
    case 'number':
      return printNumber(expr.value);
    case 'constant_vector':
      return `vector(${printNumber(expr.value)})`;
    case 'range': {
      const param = expr.param === undefined ? '' : `${printNumber(expr.param)}, `;
      const offset = expr.offsetNs === 0n ? '' : ` offset ${printDurationNs(expr.offsetNs)}`;
      const window = `${printLog(expr.log)} [${printDurationNs(expr.rangeNs)}]${offset}`;
      return `${expr.op}(${param}${window})${printGrouping(expr.grouping)}`;
    }
    case 'vector': {
      const param = expr.param === undefined ? '' : `${printNumber(expr.param)}, `;
      return `${expr.op}${printGrouping(expr.grouping)}(${param}${printMetric(expr.expr)})`;
    }
    case 'binary': {
      const parts: string[] = [expr.op];
      if (expr.bool) parts.push('bool');
      if (expr.matching) {
        const { on, labels, group, include } = expr.matching;
        parts.push(`${on ? 'on' : 'ignoring'} (${labels.join(', ')})`);
        if (group !== undefined) parts.push(`group_${group} (${include.join(', ')})`);
      }
      return `${printOperand(expr.left)} ${parts.join(' ')} ${printOperand(expr.right)}`;
    }
    case 'label_replace': {
      const strings = [expr.to, expr.replacement, expr.from, expr.regex].map(quote).join(', ');
      return `label_replace(${printMetric(expr.expr)}, ${strings})`;
    }
    default:
      return assertNever(expr);
  }
}

/** Operations inside operations always get parentheses, so that nobody needs to know the precedence. */
function printOperand(expr: MetricExpr): string {
  return expr.kind === 'binary' ? `(${printMetric(expr)})` : printMetric(expr);
}

function printGrouping(grouping: Grouping | undefined): string {
  return grouping === undefined ? '' : ` ${grouping.kind} (${grouping.labels.join(', ')}) `.trimEnd();
}

function printMatch(match: LabelMatch): string {
  return `${match.name}${match.op}${quote(match.value)}`;
}

function printStage(stage: Stage): string {
  switch (stage.kind) {
    case 'line_filter': {
      const operands = stage.operands.map(({ kind, value }) => (kind === 'ip' ? `ip(${quote(value)})` : quote(value)));
      return `${stage.op} ${operands.join(' or ')}`;
    }
    case 'json':
      return `| json${printExtractions(stage.extractions)}`;
    case 'logfmt':
      return `| logfmt${stage.strict ? ' --strict' : ''}${stage.keepEmpty ? ' --keep-empty' : ''}${printExtractions(stage.extractions)}`;
    case 'regexp':
    case 'pattern':
      return `| ${stage.kind} ${quote(stage.expression)}`;
    case 'unpack':
    case 'decolorize':
      return `| ${stage.kind}`;
    case 'label_filter':
      return `| ${printPredicate(stage.predicate)}`;
    case 'line_format':
      return `| line_format ${quote(stage.template)}`;
    case 'label_format': {
      const formats = stage.formats.map((f) => `${f.to}=${f.kind === 'rename' ? f.from : quote(f.template)}`);
      return `| label_format ${formats.join(', ')}`;
    }
    case 'drop':
    case 'keep':
      return `| ${stage.kind} ${stage.labels.map(printPick).join(', ')}`;
    case 'unwrap':
      return `| unwrap ${stage.conversion === 'number' ? stage.label : `${stage.conversion}(${stage.label})`}`;
    default:
      return assertNever(stage);
  }
}

function printExtractions(extractions: readonly Extraction[]): string {
  return extractions.length === 0 ? '' : ` ${extractions.map(({ name, path }) => `${name}=${quote(path)}`).join(', ')}`;
}

function printPick(pick: LabelPick): string {
  return pick.match === undefined ? pick.name : printMatch(pick.match);
}

/** A label filter as text; operations inside operations are in parentheses. */
export function printPredicate(predicate: LabelPredicate): string {
  switch (predicate.kind) {
    case 'string':
      return printMatch(predicate.match);
    case 'compare':
      return `${predicate.name} ${predicate.op} ${predicate.text}`;
    case 'ip':
      return `${predicate.name} ${predicate.op} ip(${quote(predicate.pattern)})`;
    case 'and':
    case 'or':
      return `${printSide(predicate.left)} ${predicate.kind} ${printSide(predicate.right)}`;
    default:
      return assertNever(predicate);
  }
}

function printSide(predicate: LabelPredicate): string {
  const nested = predicate.kind === 'and' || predicate.kind === 'or';
  return nested ? `(${printPredicate(predicate)})` : printPredicate(predicate);
}
