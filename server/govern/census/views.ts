import type { Source } from '../decisions.ts';
import type { BudgetState, Governor } from '../governor.ts';
import type { LabelFate } from '../judge-series.ts';
import type { Census, GrowthPoint, LabelCensus, MetricCensus, RuleCensus, SenderCensus } from './census.ts';
import type { Hitter } from './heavy-hitters.ts';

/** How far counts of distinct things may be off: one standard error, as a share. */
export const SKETCH_ERRORS = { total: 0.0082, series: 0.016, values: 0.033 } as const;

/** A metric in a list. */
export interface MetricRow {
  readonly name: string;
  /** Distinct raw series that were offered; counts of distinct things are estimates above 128. */
  readonly offered: number;
  readonly stored: number;
  /** Judgements that removed or folded something, and that refused. */
  readonly leaking: number;
  readonly refused: number;
  /** Offered series at the last whole hours, the newest last. */
  readonly hourly: readonly number[];
}

/** A label in a list. */
export interface LabelRow {
  readonly name: string;
  /** Distinct values that were offered. */
  readonly values: number;
  readonly removed: number;
  readonly folded: number;
  /** Stored series that carry it. */
  readonly stored: number;
}

/** What a rule did. */
export interface RuleRow {
  readonly rule: string;
  readonly action: string;
  readonly label: string;
  readonly count: number;
  /** Distinct raw series. */
  readonly series: number;
  readonly metrics: readonly Hitter[];
  readonly senders: readonly Hitter[];
}

/** A sender in a list. */
export interface SenderRow {
  readonly source: Source;
  readonly name: string;
  readonly offered: number;
  readonly leaking: number;
  readonly refused: number;
}

/** The whole at a glance. */
export interface CardinalityOverview {
  readonly sinceMs: number;
  readonly offered: number;
  readonly stored: number;
  readonly leaking: number;
  readonly refused: number;
  readonly metricCount: number;
  readonly errors: typeof SKETCH_ERRORS;
  readonly metrics: readonly MetricRow[];
  readonly labels: readonly LabelRow[];
  readonly rules: readonly RuleRow[];
  readonly senders: readonly SenderRow[];
  /** Past half of what they allow, the fullest first. */
  readonly budgets: readonly BudgetState[];
  readonly growth: readonly GrowthPoint[];
}

/** What is asked for. */
export interface ViewOptions {
  /** Rows of each list, at most. */
  readonly limit: number;
  /** A part of the names of metrics and labels, without regard to case. */
  readonly search: string;
  readonly growth: 'day' | 'month';
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

/** Points of a growth curve that are shown. */
const MAX_POINTS = 240;

/** The whole at a glance, from sketches alone: it costs the same whatever is stored. */
export function cardinalityOverview(
  governor: Governor,
  { limit, search, growth, nowMs }: ViewOptions,
): CardinalityOverview {
  const { census } = governor;
  const wanted = search.toLowerCase();
  const isWanted = (name: string): boolean => name.toLowerCase().includes(wanted);
  const { sinceMs, total, stored, leaking, refused } = census;
  return {
    sinceMs,
    offered: total.size,
    stored,
    leaking,
    refused,
    metricCount: [...census.metrics.values()].filter(({ offered }) => offered.size > 0).length,
    errors: SKETCH_ERRORS,
    metrics: topOf(
      census.metrics.values(),
      (metric) => metricRow(metric, total.size),
      isWanted,
      limit,
      (row) => row.offered,
    ),
    labels: topOf(census.labels.values(), labelRow, isWanted, limit, (row) => row.values),
    rules: rulesOf(census, limit),
    senders: sendersOf(census)
      .sort((a, b) => b.leaking + b.refused - a.leaking - a.refused || b.offered - a.offered)
      .slice(0, limit),
    budgets: governor.budgets().slice(0, limit),
    growth: thinned(growth === 'day' ? census.minutes : census.hours, census, nowMs),
  };
}

/** One metric with its labels. */
export interface MetricView extends MetricRow {
  readonly labels: readonly {
    readonly name: string;
    /** Distinct values that were offered, and that are kept. */
    readonly values: number;
    readonly kept: number;
    readonly budget: number;
    readonly removed: number;
    readonly folded: number;
    /** What its name alone comes to under the policy. */
    readonly fate: LabelFate;
  }[];
}

/** One metric, or `undefined` where none of that name was offered. */
export function cardinalityOfMetric(governor: Governor, name: string): MetricView | undefined {
  const metric = governor.census.metrics.get(name);
  if (!metric) return undefined;
  const labels = Array.from(metric.labels, ([label, { values, removed, folded }]) => {
    const { used, budget } = governor.budgetOf(name, label);
    const fate = governor.fateOf(name, label);
    return { name: label, values: Math.max(values.size, used), kept: used, budget, removed, folded, fate };
  });
  return { ...metricRow(metric, governor.census.total.size), labels: labels.sort((a, b) => b.values - a.values) };
}

/** One label over all metrics. */
export interface LabelView extends LabelRow {
  readonly metrics: readonly {
    readonly name: string;
    readonly values: number;
    readonly removed: number;
    readonly folded: number;
  }[];
  /** The most frequent stored values, by stored series. */
  readonly top: readonly Hitter[];
  /** What was done to it. */
  readonly rules: readonly RuleRow[];
}

/** One label, or `undefined` where no series was offered with it. */
export function cardinalityOfLabel({ census }: Governor, name: string, limit: number): LabelView | undefined {
  const label = census.labels.get(name);
  if (!label) return undefined;
  const metrics: { name: string; values: number; removed: number; folded: number }[] = [];
  for (const metric of census.metrics.values()) {
    const of = metric.labels.get(name);
    if (of) metrics.push({ name: metric.name, values: of.values.size, removed: of.removed, folded: of.folded });
  }
  return {
    ...labelRow(label),
    metrics: metrics.sort((a, b) => b.values - a.values).slice(0, limit),
    top: label.top.top(limit),
    rules: rulesOf(census, Number.POSITIVE_INFINITY).filter((row) => row.label === name),
  };
}

/** @param total of all metrics, of which an estimate of one can't be more */
function metricRow({ name, offered, stored, aggregated, refused, hourly }: MetricCensus, total: number): MetricRow {
  // What is stored was offered, but the sketch may have begun later than the store.
  const series = Math.max(Math.min(offered.size, total), stored);
  return { name, offered: series, stored, leaking: aggregated, refused, hourly };
}

function labelRow({ name, values, removed, folded, stored }: LabelCensus): LabelRow {
  return { name, values: values.size, removed, folded, stored };
}

function ruleRow({ rule, action, label, count, series, metrics, senders }: RuleCensus): RuleRow {
  return {
    rule,
    action,
    label,
    count,
    series: Math.min(series.size, count),
    metrics: metrics.top(5),
    senders: senders.top(5),
  };
}

function rulesOf(census: Census, limit: number): RuleRow[] {
  const rows = [...census.rules.values()].flatMap((byLabel) => [...byLabel.values()]);
  return rows
    .sort((a, b) => b.count - a.count)
    .slice(0, limit)
    .map(ruleRow);
}

function sendersOf(census: Census): SenderRow[] {
  return [...census.senders.values()].flatMap((byName) =>
    Array.from(byName.values(), (sender) => senderRow(sender, census.total.size)).filter(({ offered }) => offered > 0),
  );
}

function senderRow({ source, name, offered, leaking, refused }: SenderCensus, total: number): SenderRow {
  return { source, name, offered: Math.min(offered.size, total), leaking, refused };
}

function topOf<T extends { readonly name: string }, R>(
  all: Iterable<T>,
  rowOf: (of: T) => R,
  isWanted: (name: string) => boolean,
  limit: number,
  weight: (row: R) => number,
): R[] {
  const rows: R[] = [];
  for (const of of all) if (isWanted(of.name)) rows.push(rowOf(of));
  return rows
    .filter((row) => weight(row) > 0)
    .sort((a, b) => weight(b) - weight(a))
    .slice(0, limit);
}

/** The curve with as many points as can be seen, up to now. */
function thinned(points: readonly GrowthPoint[], census: Census, nowMs: number): GrowthPoint[] {
  const step = Math.max(1, Math.ceil(points.length / MAX_POINTS));
  const kept = points.filter((_, i) => (points.length - 1 - i) % step === 0);
  const { total, stored, leaking, refused } = census;
  return [...kept, { ms: nowMs, offered: total.size, stored, leaking, refused }];
}
