import type { Action, Source } from '../decisions.ts';
import type { Census, GrowthPoint } from './census.ts';
import { restoreCost, type StoredCost, storeCost } from './cost-store.ts';
import type { StoredSketch } from './sketch.ts';

/** The form of what is stored; another one is left alone and counting begins anew. */
const VERSION = 1;

interface StoredCensus {
  readonly version: number;
  readonly sinceMs: number;
  readonly total: StoredSketch;
  readonly leaking: number;
  readonly refused: number;
  readonly metrics: readonly {
    readonly name: string;
    readonly offered: StoredSketch;
    readonly hourly: readonly number[];
    readonly refused: number;
    readonly aggregated: number;
    readonly labels: readonly (StoredLabel & { readonly name: string })[];
  }[];
  readonly labels: readonly (StoredLabel & { readonly name: string })[];
  readonly rules: readonly {
    readonly rule: string;
    readonly action: Action;
    readonly label: string;
    readonly count: number;
    readonly series: StoredSketch;
    readonly metrics: readonly (readonly [string, number])[];
    readonly senders: readonly (readonly [string, number])[];
  }[];
  readonly senders: readonly {
    readonly source: Source;
    readonly name: string;
    readonly offered: StoredSketch;
    readonly leaking: number;
    readonly refused: number;
  }[];
  readonly folded: readonly string[];
  readonly minutes: readonly GrowthPoint[];
  readonly hours: readonly GrowthPoint[];
  /** Absent in files of versions that counted no cost. */
  readonly cost?: StoredCost;
}

interface StoredLabel {
  readonly values: StoredSketch;
  readonly removed: number;
  readonly folded: number;
}

/** Everything that a restart would lose, as JSON. What is stored of series is counted again from the store instead. */
export function writeCensus(census: Census): string {
  const stored: StoredCensus = {
    version: VERSION,
    sinceMs: census.sinceMs,
    total: census.total.store(),
    leaking: census.leaking,
    refused: census.refused,
    metrics: Array.from(census.metrics.values(), ({ name, offered, hourly, refused, aggregated, labels }) => ({
      name,
      offered: offered.store(),
      hourly,
      refused,
      aggregated,
      labels: Array.from(labels, ([label, of]) => ({
        name: label,
        values: of.values.store(),
        removed: of.removed,
        folded: of.folded,
      })),
    })),
    labels: Array.from(census.labels.values(), ({ name, values, removed, folded }) => ({
      name,
      values: values.store(),
      removed,
      folded,
    })),
    rules: [...census.rules.values()].flatMap((byLabel) =>
      Array.from(byLabel.values(), ({ rule, action, label, count, series, metrics, senders }) => ({
        rule,
        action,
        label,
        count,
        series: series.store(),
        metrics: metrics.top(32).map((hitter) => [hitter.value, hitter.count] as const),
        senders: senders.top(32).map((hitter) => [hitter.value, hitter.count] as const),
      })),
    ),
    senders: [...census.senders.values()].flatMap((byName) =>
      Array.from(byName.values(), ({ source, name, offered, leaking, refused }) => ({
        source,
        name,
        offered: offered.store(),
        leaking,
        refused,
      })),
    ),
    folded: [...census.folded],
    minutes: census.minutes,
    hours: census.hours,
    cost: storeCost(census.cost),
  };
  return JSON.stringify(stored);
}

/**
 * Takes up what `writeCensus` wrote into an empty census.
 * @returns False where the text is none, or of another version; then the census is as it was or counts from here.
 */
export function readCensus(text: string, census: Census): boolean {
  let stored: StoredCensus;
  try {
    stored = JSON.parse(text) as StoredCensus;
    if (stored.version !== VERSION || !Number.isFinite(stored.sinceMs)) return false;
    restore(stored, census);
  } catch {
    // The file is ours alone; one that was cut or changed by hand is not worth more than a fresh start.
    return false;
  }
  return true;
}

function restore(stored: StoredCensus, census: Census): void {
  census.sinceMs = stored.sinceMs;
  census.total.restore(stored.total);
  census.leaking = stored.leaking;
  census.refused = stored.refused;
  for (const { name, offered, hourly, refused, aggregated, labels } of stored.metrics) {
    const metric = census.metric(name);
    metric.offered.restore(offered);
    metric.hourly.push(...hourly);
    metric.refused += refused;
    metric.aggregated += aggregated;
    for (const { name: label, values, removed, folded } of labels) {
      const of = census.labelOf(metric, label);
      of.values.restore(values);
      of.removed += removed;
      of.folded += folded;
    }
  }
  for (const { name, values, removed, folded } of stored.labels) {
    const label = census.label(name);
    label.values.restore(values);
    label.removed += removed;
    label.folded += folded;
  }
  for (const { rule, action, label, count, series, metrics, senders } of stored.rules) {
    const row = census.rule(rule, action, label);
    row.count += count;
    row.series.restore(series);
    for (const [metric, times] of metrics) row.metrics.add(metric, times);
    for (const [sender, times] of senders) row.senders.add(sender, times);
  }
  for (const { source, name, offered, leaking, refused } of stored.senders) {
    const sender = census.sender(source, name);
    sender.offered.restore(offered);
    sender.leaking += leaking;
    sender.refused += refused;
  }
  for (const pair of stored.folded) census.folded.add(pair);
  census.minutes.push(...stored.minutes);
  census.hours.push(...stored.hours);
  if (stored.cost) restoreCost(stored.cost, census.cost);
}
