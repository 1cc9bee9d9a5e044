import { type FileReport, type Finding, type Level, totals } from './finding.ts';

export const FORMATS = ['text', 'json', 'sarif'] as const;
export type Format = (typeof FORMATS)[number];

/** Metrics that the text lists of a file. */
const LISTED = 10;

/** Reports as text for people, as JSON, or as SARIF 2.1.0 for code hosts. @param version the program's. */
export function printReports(reports: readonly FileReport[], format: Format, version: string): string {
  switch (format) {
    case 'text':
      return reports.map(printText).join('\n');
    case 'json':
      return `${JSON.stringify({ files: reports.map(withTotals), ...countLevels(reports) }, undefined, 2)}\n`;
    case 'sarif':
      return `${JSON.stringify(toSarif(reports, version), undefined, 2)}\n`;
  }
}

function withTotals(report: FileReport): object {
  return { ...report, totals: totals(report.metrics) };
}

/** How many findings of each level there are. */
export function countLevels(reports: readonly FileReport[]): Record<'errors' | 'warnings' | 'notes', number> {
  const of = (level: Level): number =>
    reports.reduce((sum, { findings }) => sum + findings.filter((finding) => finding.level === level).length, 0);
  return { errors: of('error'), warnings: of('warning'), notes: of('note') };
}

function printText(report: FileReport): string {
  const { file, metrics, fleetSeries, expressions, skipped, findings, kind } = report;
  const lines = [`${file}${kind === undefined ? '' : ` (${kind})`}`];
  if (metrics.length > 0) {
    const { offered, stored, projected } = totals(metrics);
    const fleet = fleetSeries > 0 ? `, and ${fleetSeries} at the fleet level` : '';
    lines.push(
      `  ${offered} series → ${stored} stored${projected === stored ? '' : `, ${projected} over all targets`}${fleet}`,
    );
    const width = Math.max(...metrics.slice(0, LISTED).map(({ metric }) => metric.length));
    for (const { metric, offered: raw, stored: kept, projected: all } of metrics.slice(0, LISTED)) {
      lines.push(`    ${metric.padEnd(width)}  ${raw} → ${kept}${all === kept ? '' : ` × targets = ${all}`}`);
    }
    if (metrics.length > LISTED) lines.push(`    and ${metrics.length - LISTED} more metrics`);
  }
  if (kind === 'rules' || kind === 'dashboard') {
    const rest = skipped === 0 ? '' : `; ${skipped} more are made whole by variables and were not looked at`;
    lines.push(`  ${expressions} expressions${rest}`);
  }
  for (const { level, rule, message, line } of findings) {
    lines.push(`  ${level.padEnd(7)} ${line === undefined ? '' : `line ${line}: `}${message} [${rule}]`);
  }
  if (findings.length === 0) lines.push('  nothing found');
  return `${lines.join('\n')}\n`;
}

function toSarif(reports: readonly FileReport[], version: string): object {
  const rules = [...new Set(reports.flatMap(({ findings }) => findings.map(({ rule }) => rule)))].sort();
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver: { name: 'barograph check', version, rules: rules.map((id) => ({ id })) } },
        results: reports.flatMap(({ file, findings }) => findings.map((finding) => sarifResult(file, finding))),
      },
    ],
  };
}

function sarifResult(file: string, { rule, level, message, line }: Finding): object {
  const region = line === undefined ? {} : { region: { startLine: line } };
  const uri = file.includes('://') ? file : file.split('\\').join('/');
  return {
    ruleId: rule,
    level,
    message: { text: message },
    locations: [{ physicalLocation: { artifactLocation: { uri }, ...region } }],
  };
}
