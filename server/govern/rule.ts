import type { MetricType } from '../model/index.ts';

/** The beginning of the names on the fleet level, which only this program writes. */
export const FLEET_PREFIX = 'fleet:';

/** How series are joined: counters and histograms by increases, gauges by the other four. */
export type AggregationRule = 'counter' | 'sum' | 'max' | 'avg' | 'last';

/** The rules as numbers, for typed arrays. */
export const [COUNTER, SUM, MAX, AVG, LAST] = [0, 1, 2, 3, 4] as const;

const RULE_CODES: Readonly<Record<AggregationRule, number>> = {
  counter: COUNTER,
  sum: SUM,
  max: MAX,
  avg: AVG,
  last: LAST,
};

/** A rule's number. */
export function ruleCode(rule: AggregationRule): number {
  return RULE_CODES[rule];
}

/** A metric's name without the suffix that a histogram's or summary's parts have. */
export function baseName(metric: string): string {
  if (metric.endsWith('_bucket')) return metric.slice(0, -7);
  if (metric.endsWith('_count')) return metric.slice(0, -6);
  if (metric.endsWith('_sum')) return metric.slice(0, -4);
  return metric;
}

// Amounts add up: bytes used by two processes are bytes used. Everything else (ratios, temperatures, clocks, times,
// states) has no meaningful sum.
const ADDITIVE =
  /(?:^|[_:])(?:bytes|bits|tokens|requests?|reqs|connections|conns|threads|goroutines|fds|processes|blocks|slots|pages|watts|amperes|joules|items|entries|workers|replicas|pods|sessions|streams|queue_(?:size|length|depth)|num_\w+|running|waiting|pending|queued|in_?flight|active)$/;

/**
 * How series of a metric are joined when a label is removed.
 *
 * Known metrics go by their own rule, then the sender's type counts, then the name. A gauge that nobody knows is added
 * up where its name says that it is an amount (`…_bytes`, `…_requests`, `num_…`), else the highest value is kept: it
 * doesn't depend on the order of arrival as `last` does, and stays within the metric's range as a sum doesn't. The
 * quantiles of a summary can't be joined exactly; the highest is an upper bound.
 */
export function aggregationRule(
  metric: string,
  type: MetricType,
  known: { type: MetricType; aggregation: AggregationRule | undefined } | undefined,
  gaugeRule: AggregationRule | undefined,
): AggregationRule {
  if (known) return known.type === 'gauge' ? (known.aggregation ?? 'max') : 'counter';
  if (gaugeRule) return gaugeRule;
  const isPart = /_(?:bucket|sum|count)$/.test(metric);
  switch (type) {
    case 'counter':
      return metric.endsWith('_created') ? 'max' : 'counter';
    case 'histogram':
      return metric.endsWith('_created') ? 'max' : 'counter';
    case 'summary':
      return isPart ? 'counter' : 'max';
    case 'gaugehistogram':
      return 'sum';
    case 'info':
    case 'stateset':
      return 'max';
    case 'gauge':
      return unknownGauge(metric);
    case 'unknown':
      return isPart || metric.endsWith('_total') ? 'counter' : unknownGauge(metric);
  }
}

function unknownGauge(metric: string): AggregationRule {
  return ADDITIVE.test(metric) ? 'sum' : 'max';
}
