import type { Labels } from '../model/index.ts';

/** Labels of a series that say which request it is about, as OpenTelemetry and Prometheus's clients write them. */
const REQUEST_IDS: readonly string[] = ['trace_id', 'traceid', 'traceID', 'span_id', 'spanid', 'spanID', 'request_id'];

/**
 * An exemplar's labels with the IDs that its raw series had as labels: those are removed from the series, and an exemplar
 * is where they belong. What the exemplar says itself stays.
 */
export function withSeriesIds(exemplar: Labels, series: Labels): Labels {
  let pairs: [string, string][] | undefined;
  for (let i = 0; i < series.length; i += 2) {
    const name = series[i];
    if (!REQUEST_IDS.includes(name) || exemplar.some((other, at) => at % 2 === 0 && isSameId(other, name))) continue;
    pairs ??= Array.from({ length: exemplar.length / 2 }, (_, at) => [exemplar[2 * at], exemplar[2 * at + 1]]);
    pairs.push([name, series[i + 1]]);
  }
  if (!pairs) return exemplar;
  return pairs.sort(([a], [b]) => (a < b ? -1 : 1)).flat();
}

/** Whether two names are spellings of one: `trace_id` and `traceID`. */
function isSameId(a: string, b: string): boolean {
  return a.replaceAll('_', '').toLowerCase() === b.replaceAll('_', '').toLowerCase();
}
