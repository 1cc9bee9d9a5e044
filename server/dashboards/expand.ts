import type { Filters, QueryLanguage } from './panel.ts';

/** What a query is expanded with. */
export interface QueryContext {
  readonly filters: Filters;
  /** Labels that the panel's metrics carry; filters by others are left out. */
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
 * Fills the placeholders of a panel's query. `$filters` becomes matchers of the chosen values, or nothing, and the comma
 * beside it goes where it would stand alone. In LogQL a matcher lets streams pass that don't carry the label at all,
 * because lines of an engine say nothing about customers; in PromQL it doesn't.
 */
export function expandQuery(expr: string, language: QueryLanguage, context: QueryContext): string {
  const matchers = matchersOf(context.filters, context.labels, language === 'logql');
  const window = rateWindowSeconds(context.stepSeconds, context.sampleIntervalSeconds);
  // Windows come first, so that a chosen value that looks like a placeholder is left alone.
  return expr
    .replaceAll('$__rate_interval', `${window}s`)
    .replaceAll('$__interval', `${context.stepSeconds}s`)
    .replace(/(,\s*)?\$filters(\s*,)?/g, (_, before: string | undefined, after: string | undefined) => {
      if (matchers === '') return before !== undefined && after !== undefined ? ',' : '';
      return `${before ?? ''}${matchers}${after ?? ''}`;
    });
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
