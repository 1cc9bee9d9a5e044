import type { LogExpr, LogqlExpr, MetricExpr } from '../query/index.ts';
import { UNKNOWN_NAME } from './variables.ts';

type Stage = LogExpr['stages'][number];
type Predicate = (Stage & { readonly kind: 'label_filter' })['predicate'];
type Match = LogExpr['matchers'][number];

/** That a LogQL query asks for a label. */
export interface LogUse {
  readonly label: string;
  /** In the stream selector, in a filter behind it, as the number that is unwrapped, or as a group. */
  readonly place: 'selector' | 'filter' | 'unwrap' | 'group';
  /** The condition of the selector. */
  readonly match: Match | undefined;
  /** Whether fields of the line are labels there, so that it may be one of these. */
  readonly hasFields: boolean;
}

/** Which labels a query asks for; those that it makes itself (by a pattern, a format, a replacement) aren't. */
export function logUses(expr: LogqlExpr): LogUse[] {
  const uses: LogUse[] = [];
  if (expr.kind === 'log') collectLog(expr, new Set(), uses);
  else collect(expr, new Set(), uses);
  return uses;
}

/** @param asked labels that whatever stands around the expression needs of it */
function collect(expr: MetricExpr, asked: ReadonlySet<string>, uses: LogUse[]): void {
  switch (expr.kind) {
    case 'number':
    case 'constant_vector':
      return;
    case 'range':
      return collectLog(expr.log, groupedBy(expr.grouping, asked), uses);
    case 'vector':
      return collect(expr.expr, groupedBy(expr.grouping, asked), uses);
    case 'label_replace': {
      const inner = new Set(asked);
      inner.delete(expr.to);
      if (expr.from !== '') inner.add(expr.from);
      return collect(expr.expr, inner, uses);
    }
    case 'binary': {
      const { matching, left, right } = expr;
      const include = matching?.include ?? [];
      const joined = matching?.on ? matching.labels : [];
      // The result has the labels of the side of many, and takes over some of the side of one.
      const many = new Set([...[...asked].filter((label) => !include.includes(label)), ...joined]);
      const one = new Set([...include, ...joined]);
      const isRight = matching?.group === 'right';
      collect(left, isRight ? one : many, uses);
      return collect(right, isRight ? many : one, uses);
    }
  }
}

function groupedBy(
  grouping: { readonly kind: 'by' | 'without'; readonly labels: readonly string[] } | undefined,
  asked: ReadonlySet<string>,
): ReadonlySet<string> {
  if (!grouping) return asked;
  if (grouping.kind === 'by') return new Set(grouping.labels);
  return new Set([...asked].filter((label) => !grouping.labels.includes(label)));
}

function collectLog({ matchers, stages }: LogExpr, asked: ReadonlySet<string>, uses: LogUse[]): void {
  for (const match of matchers) uses.push({ label: match.name, place: 'selector', match, hasFields: false });
  const made = new Set<string>([UNKNOWN_NAME]);
  let hasFields = false;
  const add = (label: string, place: LogUse['place']): void => {
    // Labels that the engine gives, such as __error__, are nobody's.
    if (made.has(label) || label.startsWith('__') || label === 'detected_level') return;
    uses.push({ label, place, match: undefined, hasFields });
  };
  for (const stage of stages) {
    switch (stage.kind) {
      case 'json':
      case 'logfmt':
        for (const { name } of stage.extractions) made.add(name);
        if (stage.extractions.length === 0) hasFields = true;
        break;
      case 'regexp':
        for (const [, name] of stage.expression.matchAll(/\(\?P?<(\w+)>/g)) made.add(name);
        break;
      case 'pattern':
        for (const [, name] of stage.expression.matchAll(/<(\w+)>/g)) made.add(name);
        break;
      case 'unpack':
        hasFields = true;
        break;
      case 'label_format':
        for (const format of stage.formats) {
          if (format.kind === 'rename') add(format.from, 'filter');
          made.add(format.to);
        }
        break;
      case 'label_filter':
        for (const name of namesOf(stage.predicate)) add(name, 'filter');
        break;
      case 'unwrap':
        add(stage.label, 'unwrap');
        break;
      case 'line_filter':
      case 'line_format':
      case 'decolorize':
      case 'drop':
      case 'keep':
        break;
    }
  }
  for (const label of asked) add(label, 'group');
}

function namesOf(predicate: Predicate): string[] {
  switch (predicate.kind) {
    case 'string':
      return [predicate.match.name];
    case 'compare':
    case 'ip':
      return [predicate.name];
    case 'and':
    case 'or':
      return [...namesOf(predicate.left), ...namesOf(predicate.right)];
  }
}
