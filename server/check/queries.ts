import type { YamlSource } from '../config/index.ts';
import type { Governor } from '../govern/index.ts';
import { BarographError } from '../model/index.ts';
import { parseLogql, parsePromql, parseTraceql } from '../query/index.ts';
import { readRuleFile } from '../rules/index.ts';
import type { CheckOptions } from './check-file.ts';
import type { FileReport, Finding } from './finding.ts';
import { judgeLogUse } from './judge-log-use.ts';
import { judgeTraceUse } from './judge-trace-use.ts';
import { judgeUse } from './judge-use.ts';
import { labelUses } from './label-uses.ts';
import { logUses } from './log-uses.ts';
import { collectRecorded, dashboardSites, ruleSites, type Site } from './sites.ts';
import { traceUses } from './trace-uses.ts';
import { hasVariables, withoutVariables } from './variables.ts';

/** A rule file of Prometheus, or of Loki's ruler. */
export function checkRules(options: CheckOptions, source: YamlSource): FileReport {
  const own = new Set([...options.recorded, ...collectRecorded(source)]);
  const language = options.kind === 'loki_rules' ? 'logql' : undefined;
  const sites = ruleSites(source, language);
  const report = reportOf(options, 'rules', source, sites, own);
  const isPrometheus = sites.every((site) => site.language === 'promql');
  return isPrometheus ? { ...report, findings: withFileErrors(report.findings, options) } : report;
}

/** Adds what keeps the file from being loaded, unless that rule is found to be wrong already. */
function withFileErrors(findings: FileReport['findings'], { bytes, file }: CheckOptions): FileReport['findings'] {
  try {
    readRuleFile(new TextDecoder().decode(bytes), file);
    return findings;
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
    const line = Number(error.message.slice(file.length + 1).match(/^\d+/)?.[0]) || undefined;
    if (findings.some((finding) => finding.level === 'error' && finding.line === line)) return findings;
    const message = error.message.replace(`${file}:${line}: `, '');
    // What only this program can't do yet is no mistake of a file that a Prometheus reads.
    const level = /is not supported/.test(message) ? 'warning' : 'error';
    return [...findings, { rule: error.code, level, message, line }];
  }
}

/** A Grafana dashboard, in any version of its schema. */
export function checkDashboard(options: CheckOptions, source: YamlSource): FileReport {
  return reportOf(options, 'dashboard', source, dashboardSites(source), options.recorded);
}

function reportOf(
  options: CheckOptions,
  kind: 'rules' | 'dashboard',
  source: YamlSource,
  sites: readonly Site[],
  recorded: ReadonlySet<string>,
): FileReport {
  const { file, governor } = options;
  const findings: Finding[] = [];
  let skipped = 0;
  for (const site of sites) {
    const found = checkSite(governor, site, recorded);
    if (found === undefined) skipped++;
    const line = source.lineOf(site.path);
    for (const finding of found ?? []) findings.push({ ...finding, message: `${site.owner} ${finding.message}`, line });
  }
  return { file, kind, metrics: [], fleetSeries: 0, expressions: sites.length - skipped, skipped, findings };
}

type PlacelessFinding = Omit<Finding, 'line'>;

/** What is wrong with an expression; `undefined` where only its variables' values would say what it is. */
function checkSite(governor: Governor, site: Site, recorded: ReadonlySet<string>): PlacelessFinding[] | undefined {
  try {
    const found = findingsOf(governor, site, withoutVariables(site.expr), recorded);
    return [...new Map(found.map((finding) => [finding.message, finding])).values()];
  } catch (error) {
    if (!(error instanceof BarographError)) throw error;
    // A variable may stand for any piece of a pipeline or a span's filter.
    if (site.language !== 'promql' && hasVariables(site.expr)) return undefined;
    return [{ rule: error.code, level: 'error', message: `has an expression that can't be read: ${error.message}` }];
  }
}

function findingsOf(
  governor: Governor,
  { language, isRecorded }: Site,
  expr: string,
  recorded: ReadonlySet<string>,
): PlacelessFinding[] {
  switch (language) {
    case 'promql':
      return labelUses(parsePromql(expr)).flatMap((use) =>
        recorded.has(use.metric) ? [] : (judgeUse(governor, use) ?? []),
      );
    case 'logql':
      return logUses(parseLogql(expr)).flatMap((use) => {
        const found = judgeLogUse(governor, use);
        if (!found) return [];
        // What a recording rule groups by becomes a label, which no identifier may be.
        return isRecorded && found.rule === 'grouped_by_id' ? { ...found, level: 'error' } : found;
      });
    case 'traceql':
      return traceUses(parseTraceql(expr)).flatMap((use) => judgeTraceUse(governor, use) ?? []);
  }
}
