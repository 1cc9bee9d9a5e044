import type { YamlSource } from '../config/index.ts';
import type { Governor } from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { parsePromql } from '../query/index.ts';
import type { CheckOptions } from './check-file.ts';
import type { FileReport, Finding } from './finding.ts';
import { judgeUse } from './judge-use.ts';
import { labelUses } from './label-uses.ts';
import { withoutVariables } from './variables.ts';

type Path = readonly (string | number)[];

/** An expression and where it stands. */
interface Site {
  readonly expr: string;
  readonly path: Path;
  /** The rule's or panel's name. */
  readonly owner: string;
}

/** The names of the metrics that a rule file's recording rules make. */
export function collectRecorded(source: YamlSource): string[] {
  return rulesIn(source).flatMap(({ rule }) => (typeof rule.record === 'string' ? [rule.record] : []));
}

/** A Prometheus rule file. */
export function checkRules(options: CheckOptions, source: YamlSource): FileReport {
  const own = new Set([...options.recorded, ...collectRecorded(source)]);
  const sites = rulesIn(source).flatMap(({ rule, path }): Site[] => {
    const owner = `the rule ${String(rule.alert ?? rule.record ?? 'without a name')}`;
    return typeof rule.expr === 'string' ? [{ expr: rule.expr, path: [...path, 'expr'], owner }] : [];
  });
  return reportOf(options, 'rules', source, sites, own, 0);
}

interface WrittenRule {
  readonly alert?: unknown;
  readonly record?: unknown;
  readonly expr?: unknown;
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

/** A Grafana dashboard, in any version of its schema: whatever is an `expr` in it, and variables of `label_values`. */
export function checkDashboard(options: CheckOptions, source: YamlSource): FileReport {
  const sites: Site[] = [];
  let skipped = 0;
  visit(source.value, [], 'the dashboard', '', (record, path, owner, language) => {
    if (typeof record.expr === 'string' && record.expr.trim() !== '') {
      if (language === 'loki' || language === 'tempo') skipped++;
      else sites.push({ expr: record.expr, path: [...path, 'expr'], owner });
    }
    for (const key of ['query', 'definition'] as const) {
      const values = typeof record[key] === 'string' ? variableQuery(record[key]) : undefined;
      if (values === undefined) continue;
      sites.push({ expr: values, path: [...path, key], owner });
      break;
    }
  });
  return reportOf(options, 'dashboard', source, sites, options.recorded, skipped);
}

const DEEPEST = 64;

function visit(
  value: unknown,
  path: Path,
  owner: string,
  language: string,
  found: (record: Readonly<Record<string, unknown>>, path: Path, owner: string, language: string) => void,
): void {
  if (typeof value !== 'object' || value === null || path.length > DEEPEST) return;
  if (Array.isArray(value)) {
    value.forEach((item, i) => void visit(item, [...path, i], owner, language, found));
    return;
  }
  const record = value as Readonly<Record<string, unknown>>;
  const title = record.title;
  const isPanel = typeof title === 'string' && title !== '' && path.length > 0;
  const isVariable = path[0] === 'templating' && typeof record.name === 'string';
  const named = isPanel ? `the panel ${JSON.stringify(title)}` : isVariable ? `the variable ${record.name}` : owner;
  const type = (record.datasource as { readonly type?: unknown } | null | undefined)?.type;
  const spoken = typeof type === 'string' ? type : language;
  found(record, path, named, spoken);
  for (const [key, item] of Object.entries(record)) visit(item, [...path, key], named, spoken, found);
}

/** `label_values(up{job="a"}, instance)` as an expression that asks for the same. */
function variableQuery(query: string): string | undefined {
  const match = /^\s*label_values\(\s*(?:(.+?)\s*,\s*)?([A-Za-z_]\w*)\s*\)\s*$/s.exec(query);
  if (match?.[1] === undefined) return undefined;
  return `group by (${match[2]}) (${match[1]})`;
}

function reportOf(
  options: CheckOptions,
  kind: 'rules' | 'dashboard',
  source: YamlSource,
  sites: readonly Site[],
  recorded: ReadonlySet<string>,
  skipped: number,
): FileReport {
  const findings = sites.flatMap((site) => checkSite(options.governor, site, source.lineOf(site.path), recorded));
  const { file } = options;
  return { file, kind, metrics: [], fleetSeries: 0, expressions: sites.length, skipped, findings };
}

function checkSite(governor: Governor, site: Site, line: number, recorded: ReadonlySet<string>): Finding[] {
  try {
    const uses = labelUses(parsePromql(withoutVariables(site.expr)));
    const findings = new Map<string, Finding>();
    for (const use of uses) {
      if (recorded.has(use.metric)) continue;
      const found = judgeUse(governor, use);
      if (!found) continue;
      const message = `${site.owner} ${found.message}`;
      findings.set(message, { ...found, message, line });
    }
    return [...findings.values()];
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
    const message = `${site.owner} has an expression that can't be read: ${error.message}`;
    return [{ rule: error.code, level: 'error', message, line }];
  }
}
