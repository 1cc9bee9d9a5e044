import { baseName, type Governor, type SeriesVerdict } from '../govern/index.ts';
import { type Labels, labelsKey, labelValue, METRIC_NAME, type MetricType } from '../model/index.ts';
import {
  decodeOtlpLogsJson,
  decodeOtlpMetricsJson,
  decodeOtlpTracesJson,
  decodeScrape,
  ScrapeBatch,
  type ScrapeProtocol,
  scrapeProtocolOf,
  toLogEntries,
  toSeries,
} from '../wire/index.ts';
import type { CheckOptions } from './check-file.ts';
import type { FileReport, Finding, Level, MetricProjection } from './finding.ts';

/** Removals that cost nothing but the label: the policy doesn't list it. What is removed by other rules leaks something. */
const HARMLESS: ReadonlySet<string> = new Set([
  'unlisted',
  'infrastructure',
  'profile',
  'alias',
  'relabel',
  'stream_label',
]);
/** Metrics that a message names. */
const NAMED = 3;

/** What an exporter exposes, in any format that is scraped. */
export function checkExposition(options: CheckOptions): FileReport {
  const { bytes } = options;
  const batch = new ScrapeBatch();
  decodeScrape(bytes, protocolOf(options), { scrapeMs: 0 }, batch);
  const judge = new FileJudge(options);
  const lineAt = lineCounter(batch.bytes);
  for (const metadata of batch.metadata) judge.governor.governMetadata(metadata, 'scrape');
  for (let i = 0; i < batch.seriesCount; i++) {
    const line = batch.keyKind === 'text' ? lineAt(batch.labelStart[i]) : undefined;
    judge.take(batch.seriesLabels(i), batch.typeOf(i), line);
  }
  return judge.report('metrics');
}

function protocolOf({ contentType, bytes }: CheckOptions): ScrapeProtocol {
  if (contentType !== undefined) return scrapeProtocolOf(contentType, 'PrometheusText0.0.4');
  const end = new TextDecoder().decode(bytes.subarray(-16)).trimEnd();
  return end.endsWith('# EOF') ? 'OpenMetricsText1.0.0' : 'PrometheusText0.0.4';
}

/** Lines of ascending places, each counted once. */
function lineCounter(bytes: Uint8Array): (at: number) => number {
  let [line, done] = [1, 0];
  return (at) => {
    for (; done < at; done++) if (bytes[done] === 0x0a) line++;
    return line;
  };
}

/** An OTLP JSON capture: one export request, or one a line as the Collector's file exporter writes them. */
export function checkOtlp(options: CheckOptions): FileReport {
  const judge = new FileJudge(options);
  for (const body of requestsIn(options.bytes)) {
    const text = new TextDecoder().decode(body.subarray(0, 4096));
    if (text.includes('"resourceMetrics"')) {
      const points = toSeries(decodeOtlpMetricsJson(body));
      for (const metadata of points.metadata) judge.governor.governMetadata(metadata, 'otlp');
      for (const { labels, type } of points.series) judge.take(labels, type, undefined);
      if (points.rejectedPoints > 0) judge.add('rejected_points', 'error', points.rejectedMessage, undefined);
    } else if (text.includes('"resourceLogs"')) judge.takeLogs(body);
    else for (const span of decodeOtlpTracesJson(body).spans) judge.governor.governSpan(span, 'otlp');
  }
  return judge.report('otlp');
}

function requestsIn(bytes: Uint8Array): Uint8Array[] {
  const end = bytes.indexOf(0x0a);
  if (end < 0) return [bytes];
  try {
    JSON.parse(new TextDecoder().decode(bytes.subarray(0, end)));
  } catch {
    return [bytes];
  }
  const out: Uint8Array[] = [];
  for (let start = 0; start < bytes.length; ) {
    const next = bytes.indexOf(0x0a, start);
    const line = bytes.subarray(start, next < 0 ? bytes.length : next);
    if (line.some((byte) => byte > 0x20)) out.push(line);
    start = next < 0 ? bytes.length : next + 1;
  }
  return out;
}

/** Judges the telemetry of one file and says what came of it. */
class FileJudge {
  readonly governor: Governor;
  private readonly options: CheckOptions;
  private readonly findings: Finding[] = [];
  private readonly fleet = new Set<string>();
  private readonly offered = new Map<string, number>();
  /** The line of the first series with a label, by metric and label, and by label. */
  private readonly firstLines = new Map<string, number>();

  constructor(options: CheckOptions) {
    this.options = options;
    this.governor = options.governor;
  }

  take(labels: Labels, type: MetricType, line: number | undefined): void {
    const metric = labelValue(labels, METRIC_NAME);
    const base = baseName(metric);
    this.offered.set(base, (this.offered.get(base) ?? 0) + 1);
    if (line !== undefined) {
      for (let i = 0; i < labels.length; i += 2) {
        for (const key of [`${base} ${labels[i]}`, labels[i]]) {
          if (!this.firstLines.has(key)) this.firstLines.set(key, line);
        }
      }
      if (!this.firstLines.has(`${base} `)) this.firstLines.set(`${base} `, line);
    }
    const verdict = this.governor.judgeSeries(labels, type, 'scrape');
    this.takeVerdict(verdict);
  }

  takeLogs(body: Uint8Array): void {
    const { governor } = this;
    const records = decodeOtlpLogsJson(body).map((record) => ({
      ...record,
      resource: governor.governLogAttributes(record.resource, 'otlp'),
      scopeAttributes: governor.governLogAttributes(record.scopeAttributes, 'otlp'),
      attributes: governor.governLogAttributes(record.attributes, 'otlp'),
    }));
    for (const entry of toLogEntries(records)) governor.governLog(entry, 'otlp');
  }

  add(rule: string, level: Level, message: string, line: number | undefined): void {
    this.findings.push({ rule, level, message, line });
  }

  report(kind: 'metrics' | 'otlp'): FileReport {
    this.findSeries();
    this.findRenames();
    this.findOtherSignals();
    const order = { error: 0, warning: 1, note: 2 };
    const metrics = this.projections();
    return {
      file: this.options.file,
      kind,
      metrics,
      fleetSeries: this.fleet.size,
      expressions: 0,
      skipped: 0,
      findings: this.findings.sort((a, b) => order[a.level] - order[b.level] || (a.line ?? 0) - (b.line ?? 0)),
    };
  }

  private takeVerdict(verdict: SeriesVerdict): void {
    if ((verdict.kind === 'keep' || verdict.kind === 'aggregate') && verdict.fleet)
      this.fleet.add(labelsKey(verdict.fleet.labels));
  }

  /** What was done to series, by rule and label. */
  private findSeries(): void {
    const { census } = this.governor;
    for (const byLabel of census.rules.values()) {
      for (const { rule, action, label, series, metrics } of byLabel.values()) {
        const names = metrics.top(NAMED + 1).map(({ value }) => value);
        const line = this.firstLines.get(label === '' ? `${names[0]} ` : `${names[0]} ${label}`);
        const on = `on ${listed(names)}`;
        switch (action) {
          case 'folded':
            for (const name of names.slice(0, NAMED)) this.findFolded(rule, label, name);
            break;
          case 'refused':
            this.add(rule, 'error', `${count(series.size, 'series')} ${on} would be refused (${rule})`, line);
            break;
          default: {
            if (label === '') {
              this.add(rule, 'note', `relabel_configs change or leave out ${count(series.size, 'series')} ${on}`, line);
              break;
            }
            const values = census.labels.get(label)?.values.size ?? 0;
            const message = `the label ${label} ${on} would be removed (${rule}): ${count(series.size, 'series')}, ${count(values, 'value')}; its series are added up`;
            this.add(rule, HARMLESS.has(rule) ? 'warning' : 'error', message, line);
          }
        }
      }
    }
  }

  private findFolded(rule: string, label: string, metric: string): void {
    const values = this.governor.census.metrics.get(metric)?.labels.get(label)?.values.size ?? 0;
    const line = this.firstLines.get(`${metric} ${label}`);
    const { budget } = this.governor.budgetOf(metric, label);
    const message =
      rule === 'closed_set'
        ? `the label ${label} on ${metric} has values outside its closed set, which would become other; accepted are ${closedSet(this.governor, metric, label)}`
        : `the label ${label} on ${metric} breaks its budget of ${budget}: ${count(values, 'value')}; those past it would become other`;
    this.add(rule, 'error', message, line);
  }

  private findRenames(): void {
    for (const { signal, action, label } of this.governor.decisions()) {
      if (signal !== 'metrics' || action !== 'renamed') continue;
      this.add('alias', 'note', `the label ${label} would be brought onto the taxonomy`, this.firstLines.get(label));
    }
  }

  /** Spans and log lines, of which only counts are known. */
  private findOtherSignals(): void {
    for (const { signal, rule, action, label, count: times } of this.governor.decisions()) {
      if (signal === 'metrics' || action === 'renamed' || action === 'moved') continue;
      const what = label === '' ? signal : `${label} in ${signal}`;
      const level = HARMLESS.has(rule) || action === 'truncated' ? 'warning' : 'error';
      this.add(rule, level, `${what} would be ${action} (${rule}), ${times} times`, undefined);
    }
  }

  private projections(): MetricProjection[] {
    const { census } = this.governor;
    const out: MetricProjection[] = [];
    for (const [metric, offered] of this.offered) {
      const stored = census.metrics.get(metric)?.stored ?? 0;
      // Targets differ by their instance; where it isn't kept all of them are added up.
      const isApart = this.governor.fateOf(metric, 'instance').kind === 'kept';
      out.push({ metric, offered, stored, projected: isApart ? stored * this.options.targets : stored });
    }
    return out.sort((a, b) => b.projected - a.projected || b.offered - a.offered);
  }
}

function closedSet(governor: Governor, metric: string, label: string): string {
  const fate = governor.fateOf(metric, label);
  return fate.kind === 'kept' && fate.values ? fate.values.join(', ') : 'those of the conventions';
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and others` : shown;
}

function count(number: number, what: string): string {
  return `${number} ${what === 'series' || number === 1 ? what : `${what}s`}`;
}
