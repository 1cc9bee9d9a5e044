import type { AllowedLabel } from './outcomes.ts';
import type { Filters, Panel, PanelQuery, QueryLanguage } from './panel.ts';

/** What a query is expanded with. */
export interface QueryContext {
  readonly filters: Filters;
  /** Labels that the query's metrics carry; filters by others are left out. */
  readonly labels: readonly string[];
  /** Distance between two points of the result, in seconds. */
  readonly stepSeconds: number;
  /** How often senders report, in seconds. */
  readonly sampleIntervalSeconds: number;
}

/**
 * The window of a `rate` in seconds: at least four reports, so that one lost report leaves two in it, and at least a
 * step and a report, so that no sample falls between two windows. Source: Grafana's `$__rate_interval`.
 */
export function rateWindowSeconds(stepSeconds: number, sampleIntervalSeconds: number): number {
  return Math.max(stepSeconds + sampleIntervalSeconds, 4 * sampleIntervalSeconds);
}

/**
 * The window in seconds of a quantile over a part of the requests: a p95 of twenty requests is their slowest one, so that
 * in a minute of a small part it tells of luck. Five minutes, or the window of a `rate` where that is longer.
 */
export function quantileWindowSeconds(stepSeconds: number, sampleIntervalSeconds: number): number {
  return Math.max(300, rateWindowSeconds(stepSeconds, sampleIntervalSeconds));
}

/** What an engine is and serves: GPUs are filtered by these through the engine that runs on them. */
const SERVING_LABELS: readonly AllowedLabel[] = ['model_version', 'deployment'];

/** How long an engine that is gone is still known to have been on its GPUs: the interesting time is when it is down. */
const SERVING_MEMORY = '30m';

/** The allowed labels by which a query can be filtered. */
export function filterLabelsOf(panel: Panel, query: PanelQuery): readonly AllowedLabel[] {
  const carried = query.labels ?? panel.labels;
  if (!query.expr.includes('$serving')) return carried;
  return [...carried, ...SERVING_LABELS.filter((label) => !carried.includes(label))];
}

/** The chosen filters that don't reach some query of a panel, with the legends of these queries. */
export function unreachedFilters(panel: Panel, filters: Filters): { label: string; legends: string[] }[] {
  return Object.keys(filters)
    .filter((label) => (filters[label] ?? []).length > 0)
    .map((label) => ({
      label,
      legends: panel.queries
        .filter((query) => !(filterLabelsOf(panel, query) as readonly string[]).includes(label))
        .map((query) => query.legend),
    }))
    .filter(({ legends }) => legends.length > 0);
}

/**
 * Fills the placeholders of a panel's query. `$filters` becomes matchers of the chosen values, or nothing, and the comma
 * beside it goes where it would stand alone. In LogQL a matcher lets streams pass that don't carry the label at all,
 * because lines of an engine say nothing about customers; in PromQL it doesn't. `$serving` becomes a join, over the pod,
 * with the engines of the chosen models and deployments, or nothing: a GPU's own metrics don't know what it serves.
 */
export function expandQuery(expr: string, language: QueryLanguage, context: QueryContext): string {
  const matchers = matchersOf(context.filters, context.labels, language === 'logql');
  const { stepSeconds, sampleIntervalSeconds } = context;
  // Windows come first, so that a chosen value that looks like a placeholder is left alone.
  return expr
    .replaceAll('$__rate_interval', `${rateWindowSeconds(stepSeconds, sampleIntervalSeconds)}s`)
    .replaceAll('$__quantile_interval', `${quantileWindowSeconds(stepSeconds, sampleIntervalSeconds)}s`)
    .replaceAll('$__interval', `${stepSeconds}s`)
    .replaceAll('$serving', () => servingJoin(context.filters))
    .replace(/(,\s*)?\$filters(\s*,)?/g, (_, before: string | undefined, after: string | undefined) => {
      if (matchers === '') return before !== undefined && after !== undefined ? ',' : '';
      return `${before ?? ''}${matchers}${after ?? ''}`;
    });
}

function servingJoin(filters: Filters): string {
  const matchers = matchersOf(filters, SERVING_LABELS, false);
  if (matchers === '') return '';
  const engines = ['inference_requests_running', 'vllm:num_requests_running'].map(
    (metric) => `last_over_time(${metric}{${matchers}}[${SERVING_MEMORY}])`,
  );
  return ` and on (replica) (${engines.join(' or ')})`;
}

function matchersOf(filters: Filters, labels: readonly string[], orAbsent: boolean): string {
  const parts: string[] = [];
  for (const label of labels) {
    const values = filters[label];
    if (!values || values.length === 0) continue;
    if (values.length === 1 && !orAbsent) {
      parts.push(`${label}=${JSON.stringify(values[0])}`);
      continue;
    }
    const alternatives = [...values].sort().map(escapeRegex);
    if (orAbsent) alternatives.push('');
    parts.push(`${label}=~${JSON.stringify(alternatives.join('|'))}`);
  }
  return parts.join(',');
}

/** The value as an RE2 expression that matches only it. */
function escapeRegex(value: string): string {
  return value.replace(/[\\.+*?()|[\]{}^$]/g, '\\$&');
}
