import { compareLabels, type Exemplar, type Labels, labelsKey, labelsToRecord } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { formatValue, selectorsOf } from '../promql/index.ts';
import type { MetricRange } from './label-answers.ts';

/** A request for the exemplars of the series that a query reads. */
export interface ExemplarQuery extends MetricRange {
  readonly kind: 'exemplars';
  readonly query: string;
}

/**
 * Answers a request for exemplars: by series, sorted by their labels, each once although several selectors match it.
 * @throws BarographError `promql_parse`.
 */
export async function answerExemplars(
  request: ExemplarQuery,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<string> {
  const { query, startMs, endMs } = request;
  const bySeries = new Map<string, { labels: Labels; exemplars: Exemplar[] }>();
  for (const matchers of selectorsOf(query)) {
    for (const found of await reader.exemplars({ matchers, startMs, endMs }, signal)) {
      bySeries.set(labelsKey(found.labels), found);
    }
  }
  const data = [...bySeries.values()]
    .sort((a, b) => compareLabels(a.labels, b.labels))
    .map(({ labels, exemplars }) => ({
      seriesLabels: labelsToRecord(labels),
      exemplars: exemplars.map((exemplar) => ({
        labels: labelsToRecord(exemplar.labels),
        value: formatValue(exemplar.value),
        timestamp: exemplar.timestampMs / 1000,
      })),
    }));
  return `{"status":"success","data":${JSON.stringify(data)}}`;
}
