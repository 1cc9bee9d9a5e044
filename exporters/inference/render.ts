import { type ExpositionFormat, familyHead, formatValue, seriesText } from '../exposition/index.ts';
import { METRICS, type MetricName } from '../generated/conventions.ts';
import type { CountingPlace } from './count-at.ts';
import type { OwnMetric } from './own-metrics.ts';
import type { FoundEngine } from './scraper.ts';
import type { TargetSeries } from './target-series.ts';

/** A target that is up, with its series. */
export interface Exposed {
  readonly engine: FoundEngine;
  readonly series: TargetSeries;
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
    if (lines.length > from) lines.splice(from, 0, ...familyHead(name, type, help, format));
  }
  for (const { name, type, help, samples } of own) {
    if (samples.length === 0) continue;
    lines.push(...familyHead(name, type, help, format));
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
