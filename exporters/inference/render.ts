import { METRICS, type MetricName } from '../generated/conventions.ts';
import type { CountingPlace } from './count-at.ts';
import type { OwnMetric } from './own-metrics.ts';
import type { FoundEngine } from './scraper.ts';
import { escapeValue, formatValue, seriesText } from './series-text.ts';
import type { TargetSeries } from './target-series.ts';

/** The two text formats of Prometheus. */
export type ExpositionFormat = 'text' | 'openmetrics';

export const CONTENT_TYPES: Readonly<Record<ExpositionFormat, string>> = {
  text: 'text/plain; version=0.0.4; charset=utf-8',
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
};

/** A target that is up, with its series. */
export interface Exposed {
  readonly engine: FoundEngine;
  readonly series: TargetSeries;
}

/** The format that an `Accept` header prefers, by its weights; plain text where it names neither. */
export function chooseFormat(accept: string | undefined): ExpositionFormat {
  const weights = { text: 0, openmetrics: 0 };
  for (const part of (accept ?? '').toLowerCase().split(',')) {
    const [type, ...parameters] = part.split(';').map((text) => text.trim());
    const weight = Number(/^q=([\d.]+)$/.exec(parameters.find((one) => one.startsWith('q=')) ?? '')?.[1] ?? 1);
    if (type === 'application/openmetrics-text') weights.openmetrics = Math.max(weights.openmetrics, weight);
    if (type === 'text/plain') weights.text = Math.max(weights.text, weight);
  }
  return weights.openmetrics > weights.text ? 'openmetrics' : 'text';
}

/** Writes the contract's metrics of all targets, each family once, and the exporter's own behind them. */
export function renderMetrics(
  targets: readonly Exposed[],
  own: readonly OwnMetric[],
  place: CountingPlace,
  format: ExpositionFormat,
): string {
  const lines: string[] = [];
  for (const { name, type, help } of Object.values(METRICS)) {
    const from = lines.length;
    const exposed = targets.filter(({ engine }) => !place.isWithheld(name as MetricName, engine));
    for (const { series } of exposed) {
      if (type === 'histogram') writeHistograms(lines, series, name as MetricName);
      else
        for (const { text, slot } of series.scalars(name as MetricName))
          lines.push(text + formatValue(series.value(slot)));
    }
    if (lines.length > from) lines.splice(from, 0, ...head(name, type, help, format));
  }
  for (const { name, type, help, samples } of own) {
    if (samples.length === 0) continue;
    lines.push(...head(name, type, help, format));
    for (const { labels, value } of samples) lines.push(seriesText(name, labels) + formatValue(value));
  }
  if (format === 'openmetrics') lines.push('# EOF');
  return `${lines.join('\n')}\n`;
}

function writeHistograms(lines: string[], series: TargetSeries, metric: MetricName): void {
  for (const { buckets, sum, count } of series.histograms(metric)) {
    for (const { text, slot } of buckets) lines.push(text + formatValue(series.value(slot)));
    if (sum) lines.push(sum.text + formatValue(series.value(sum.slot)));
    if (count) lines.push(count.text + formatValue(series.value(count.slot)));
  }
}

// OpenMetrics names a family of counters without the ending of its samples.
function head(name: string, type: string, help: string, format: ExpositionFormat): string[] {
  const family = format === 'openmetrics' && type === 'counter' ? name.replace(/_total$/, '') : name;
  return [`# HELP ${family} ${escapeHelp(help, format)}`, `# TYPE ${family} ${type}`];
}

function escapeHelp(help: string, format: ExpositionFormat): string {
  return format === 'openmetrics' ? escapeValue(help) : help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
