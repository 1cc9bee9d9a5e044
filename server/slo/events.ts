import { printDurationMs } from '../model/index.ts';
import { type Expr, parsePromql, walk } from '../query/index.ts';
import { badSlo } from './documents.ts';
import type { Indicator, Objective, Place, SloWarning } from './objective.ts';

/** The queries of one record: how many events there were in its time, and how many of them were good. */
export interface EventQueries {
  readonly good: string;
  readonly total: string;
  readonly warnings: readonly SloWarning[];
}

/** Where a query holds the length of its range; the second is Sloth's. */
const WINDOW = /\$window\b|\{\{\s*\.window\s*\}\}/g;

/**
 * The queries that count an objective's events over its resolution, by its labels. `good` has a value wherever `total`
 * has one: no good event is 0 and not nothing, so that an outage without a single success is seen.
 * @throws BarographError `bad_slo` where a query can't be read, or no bucket says anything about a threshold.
 */
export function eventQueries(objective: Objective): EventQueries {
  const queries = queriesOf(objective);
  for (const query of [queries.good, queries.total]) parseQuery(query, objective.place);
  return queries;
}

function queriesOf(objective: Objective): EventQueries {
  const { indicator } = objective;
  const sum = objective.by.length === 0 ? 'sum' : `sum by (${objective.by.join(', ')})`;
  const range = `[${printDurationMs(objective.resolutionMs)}]`;
  switch (indicator.kind) {
    case 'histogram':
      if (indicator.form === 'native') return nativeQueries(indicator, sum, range);
      return classicQueries(objective.place, indicator, sum, range);
    case 'ratio': {
      const part = `${sum} (${amountOf(indicator.part, objective)})`;
      const total = `${sum} (${amountOf(indicator.total, objective)})`;
      const good = indicator.counts === 'good' ? orNone(part, total) : `${total} - (${orNone(part, total)})`;
      return { good, total, warnings: [] };
    }
    case 'up':
      return {
        good: `${sum} (sum_over_time(${indicator.selector}${range}))`,
        total: `${sum} (count_over_time(${indicator.selector}${range}))`,
        warnings: [],
      };
  }
}

/** A part of the events, 0 where there is none of it but a total. */
function orNone(part: string, total: string): string {
  return `${part} or ${total} * 0`;
}

type Histogram = Extract<Indicator, { kind: 'histogram' }>;

/** `histogram_fraction` of nothing is not a number, which would spoil every sum that it goes into. */
function nativeQueries({ metric, conditions, threshold, good }: Histogram, sum: string, range: string): EventQueries {
  const selector = conditions === '' ? metric : `${metric}{${conditions}}`;
  const increase = `${sum} (increase(${selector}${range}))`;
  const bounds = good === 'at_most' ? `-Inf, ${threshold}` : `${threshold}, +Inf`;
  const total = `histogram_count(${increase})`;
  return {
    good: `histogram_fraction(${bounds}, ${increase}) * ${total} >= 0 or ${total} * 0`,
    total,
    warnings: [],
  };
}

function classicQueries(place: Place, histogram: Histogram, sum: string, range: string): EventQueries {
  const { metric, conditions, good } = histogram;
  const selectorOf = (suffix: string, extra: string) => {
    const inner = [conditions, extra].filter((text) => text !== '').join(',');
    return inner === '' ? `${metric}${suffix}` : `${metric}${suffix}{${inner}}`;
  };
  const bucket = (bound: number) => `${sum} (increase(${selectorOf('_bucket', bucketCondition(bound))}${range}))`;
  const total = `${sum} (increase(${selectorOf('_count', '')}${range}))`;
  const { below, warnings } = belowThreshold(place, histogram, bucket);
  // Each bucket may be missing by itself, where nothing ever fell into it.
  const atMost = below.map((part) => (below.length > 1 ? `(${orNone(part, total)})` : orNone(part, total))).join(' + ');
  return { good: good === 'at_most' ? atMost : `${total} - (${atMost})`, total, warnings };
}

/** Prometheus 3 stores bounds as OpenMetrics writes them, `1.0`; others keep what the program said. */
function bucketCondition(bound: number): string {
  return Number.isInteger(bound) ? `le=~"${bound}(\\\\.0)?"` : `le="${bound}"`;
}

/** What counts the events at or below the threshold: a bucket, or two where it lies between their bounds. */
function belowThreshold(
  place: Place,
  { metric, threshold, bounds }: Histogram,
  bucket: (bound: number) => string,
): { below: string[]; warnings: SloWarning[] } {
  if (bounds === undefined || bounds.includes(threshold)) return { below: [bucket(threshold)], warnings: [] };
  const above = bounds.findIndex((bound) => bound > threshold);
  if (above < 1) {
    throw badSlo(
      `${place.file}:${place.line} › threshold`,
      `${threshold} with the buckets ${bounds.join(', ')}`,
      `a value from ${bounds[0]} to ${bounds.at(-1)}, since no bucket says anything about the others`,
      'take a threshold within them, or histogram: native',
    );
  }
  const [lower, upper] = [bounds[above - 1], bounds[above]];
  const share = Number(((threshold - lower) / (upper - lower)).toPrecision(12));
  const text = `${metric} has no bucket bound at ${threshold}: good events are interpolated on a straight line between ${lower} and ${upper}, and may be wrong by all that lies between. Take one of the two, or histogram: native, which is exact to a bucket of a native histogram.`;
  return {
    below: [`${bucket(lower)} * ${Number((1 - share).toPrecision(12))}`, `${bucket(upper)} * ${share}`],
    warnings: [{ place, text }],
  };
}

/** A user's query as an amount of events in the objective's resolution. */
function amountOf(query: string, { resolutionMs, place }: Objective): string {
  const written = query.replaceAll(WINDOW, printDurationMs(resolutionMs));
  const expr = parseQuery(written, place);
  if (expr.kind === 'selector') return `increase(${written}[${printDurationMs(resolutionMs)}])`;
  if (!hasRate(expr)) return written;
  // Events a second over the record's time, as an amount: guards count events, and records are added up.
  return `(${written}) * ${resolutionMs / 1000}`;
}

function hasRate(expr: Expr): boolean {
  let found = false;
  walk(expr, (part) => {
    if (part.kind === 'call' && (part.name === 'rate' || part.name === 'irate')) found = true;
  });
  return found;
}

/** Metrics of the contract, or others, that a query asks for by name. */
export function metricsIn(query: string, place: Place): string[] {
  const names: string[] = [];
  walk(parseQuery(query, place), (part) => {
    if (part.kind !== 'selector') return;
    for (const { name, op, value } of part.matchers) if (name === '__name__' && op === '=') names.push(value);
  });
  return names;
}

/** @throws BarographError `bad_slo` with the place of the objective and of the mistake in its query. */
export function parseQuery(query: string, place: Place): Expr {
  try {
    return parsePromql(query);
  } catch (error) {
    throw badSlo(
      `${place.file}:${place.line}`,
      `a query that can't be read: ${(error as Error).message}`,
      'PromQL',
      'write $window where the length of a range stands, or a plain selector of a counter',
    );
  }
}
