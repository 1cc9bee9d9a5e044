import type { YamlSource } from '../config/index.ts';
import { BarographError } from '../model/index.ts';
import { parseLogql, parsePromql } from '../query/index.ts';

type Path = readonly (string | number)[];

/** The language of an expression. */
export type Language = 'promql' | 'logql' | 'traceql';

/** An expression and where it stands. */
export interface Site {
  readonly expr: string;
  readonly language: Language;
  readonly path: Path;
  /** The rule's or panel's name. */
  readonly owner: string;
  /** Whether its groups become the labels of a series that is stored. */
  readonly isRecorded: boolean;
}

interface WrittenRule {
  readonly alert?: unknown;
  readonly record?: unknown;
  readonly expr?: unknown;
}

/** The names of the metrics that a rule file's recording rules make. */
export function collectRecorded(source: YamlSource): string[] {
  return rulesIn(source).flatMap(({ rule }) => (typeof rule.record === 'string' ? [rule.record] : []));
}

/**
 * The expressions of a rule file of Prometheus or Loki's ruler, which are written alike.
 * @param language `undefined` where the expressions show it: a file with one that only LogQL reads is Loki's
 */
export function ruleSites(source: YamlSource, language: 'promql' | 'logql' | undefined): Site[] {
  const found = rulesIn(source).flatMap(({ rule, path }) =>
    typeof rule.expr === 'string' ? [{ expr: rule.expr, rule, path: [...path, 'expr'] }] : [],
  );
  const spoken = language ?? (found.some(({ expr }) => isOnlyLogql(expr)) ? 'logql' : 'promql');
  return found.map(({ expr, rule, path }) => {
    const owner = `the rule ${String(rule.alert ?? rule.record ?? 'without a name')}`;
    // A file for both is no file for either, but a metric by its name is PromQL wherever it stands.
    const own = language === undefined && spoken === 'logql' && isOnlyPromql(expr) ? 'promql' : spoken;
    return { expr, language: own, path, owner, isRecorded: rule.record !== undefined };
  });
}

function rulesIn({ value, file }: YamlSource): { readonly rule: WrittenRule; readonly path: Path }[] {
  const groups = (value as { readonly groups?: unknown } | null)?.groups;
  if (!Array.isArray(groups)) {
    const where = `${file}:1`;
    throw new BarographError({ code: 'malformed', status: 400, where, got: 'no groups', accepted: 'a rule file' });
  }
  return groups.flatMap((group: { readonly rules?: unknown } | null, i) => {
    const rules = Array.isArray(group?.rules) ? (group.rules as unknown[]) : [];
    return rules.flatMap((rule, j) =>
      typeof rule === 'object' && rule !== null ? [{ rule, path: ['groups', i, 'rules', j] }] : [],
    );
  });
}

/** Whether an expression is none of PromQL; what can't be read by either is LogQL where it looks like a pipeline. */
function isOnlyLogql(expr: string): boolean {
  if (canRead(parsePromql, expr)) return false;
  return canRead(parseLogql, expr) || /\}\s*(?:\||!=|!~)/.test(expr);
}

function isOnlyPromql(expr: string): boolean {
  return canRead(parsePromql, expr) && !canRead(parseLogql, expr);
}

function canRead(parse: (text: string) => unknown, expr: string): boolean {
  try {
    parse(expr);
    return true;
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
    return false;
  }
}

/**
 * The expressions of a Grafana dashboard, in any version of its schema: whatever is an `expr` in it, a `query` of Tempo,
 * and variables of `label_values`.
 */
export function dashboardSites(source: YamlSource): Site[] {
  const sites: Site[] = [];
  visit(source.value, { path: [], owner: 'the dashboard', language: 'promql' }, (record, { path, owner, language }) => {
    const add = (expr: string, key: string): void =>
      void sites.push({ expr, language, path: [...path, key], owner, isRecorded: false });
    if (language === 'traceql') {
      // The older searches aren't TraceQL, and a trace is asked for by its number.
      const isQuery = record.queryType === undefined || /^traceql/.test(String(record.queryType));
      if (isQuery && typeof record.query === 'string' && /^\s*[{(]/.test(record.query)) add(record.query, 'query');
      return;
    }
    if (typeof record.expr === 'string' && record.expr.trim() !== '') add(record.expr, 'expr');
    for (const key of ['query', 'definition'] as const) {
      const values = typeof record[key] === 'string' ? variableQuery(record[key], language) : undefined;
      if (values === undefined) continue;
      add(values, key);
      break;
    }
  });
  return sites;
}

const DEEPEST = 64;

interface Place {
  readonly path: Path;
  readonly owner: string;
  readonly language: Language;
}

function visit(
  value: unknown,
  place: Place,
  found: (record: Readonly<Record<string, unknown>>, place: Place) => void,
): void {
  const { path, owner, language } = place;
  if (typeof value !== 'object' || value === null || path.length > DEEPEST) return;
  if (Array.isArray(value)) {
    value.forEach((item, i) => void visit(item, { ...place, path: [...path, i] }, found));
    return;
  }
  const record = value as Readonly<Record<string, unknown>>;
  const title = record.title;
  const isPanel = typeof title === 'string' && title !== '' && path.length > 0;
  const isVariable = path[0] === 'templating' && typeof record.name === 'string';
  const named = isPanel ? `the panel ${JSON.stringify(title)}` : isVariable ? `the variable ${record.name}` : owner;
  const here = { path, owner: named, language: languageOf(record) ?? language };
  found(record, here);
  for (const [key, item] of Object.entries(record)) visit(item, { ...here, path: [...path, key] }, found);
}

/** What a panel, query or variable speaks, by its data source; `undefined` where it says nothing of one. */
function languageOf({ datasource, kind, group }: Readonly<Record<string, unknown>>): Language | undefined {
  const { type, uid } = (typeof datasource === 'object' && datasource !== null ? datasource : {}) as {
    readonly type?: unknown;
    readonly uid?: unknown;
  };
  // From version 2 of the schema on a query names its kind; before version 8 a data source was its name alone.
  const said = [kind === 'DataQuery' ? group : undefined, type, datasource, uid].find(
    (name) => typeof name === 'string' && name !== '' && !/^(?:-- Mixed --|datasource|mixed)$/.test(name),
  ) as string | undefined;
  if (said === undefined) return undefined;
  if (/loki/i.test(said)) return 'logql';
  if (/tempo/i.test(said)) return 'traceql';
  return 'promql';
}

/** `label_values(up{job="a"}, instance)` as an expression that asks for the same. */
function variableQuery(query: string, language: Language): string | undefined {
  const match = /^\s*label_values\(\s*(?:(.+?)\s*,\s*)?([A-Za-z_]\w*)\s*\)\s*$/s.exec(query);
  if (match === null) return undefined;
  const [, selected, label] = match;
  if (language !== 'logql') return selected === undefined ? undefined : `group by (${label}) (${selected})`;
  const streams = selected ?? `{${label}=~".+"}`;
  return `sum by (${label}) (count_over_time(${streams}[5m]))`;
}
