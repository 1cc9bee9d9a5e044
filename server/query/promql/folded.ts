import { createMatcher, type Labels, labelValue, METRIC_NAME, type SeriesSamples } from '../../model/index.ts';
import type { Fetch } from './plan.ts';

/** The value into which governance folds what is past a label's budget or outside its closed set. */
const OTHER = 'other';
/** Metrics and labels that one warning names. */
const NAMED = 3;
const PART = /_(?:bucket|sum|count)$/;

/** How many samples were read, and how many of them are of series with a folded value; can be added up. */
export interface FoldedShare {
  readonly samples: number;
  readonly touched: number;
  /** The pairs of a metric and a label that are folded in them. */
  readonly pairs: readonly string[];
}

/**
 * How much of what was read was folded.
 * @param folded pairs of a metric (a histogram's parts by its name) and a label, as `metric\0label`
 */
export function foldedShare(series: readonly SeriesSamples[], folded: readonly string[]): FoldedShare {
  const pairs = new Set(folded);
  const found = new Set<string>();
  let [samples, touched] = [0, 0];
  for (const { labels, timestamps } of series) {
    samples += timestamps.length;
    const pair = pairs.size === 0 ? undefined : foldedPair(labels, pairs);
    if (pair === undefined) continue;
    found.add(pair);
    touched += timestamps.length;
  }
  return { samples, touched, pairs: [...found] };
}

/**
 * Warnings about what governance folded into `other`: how much of what a query read is such, and which of its conditions
 * may miss series that would have met them.
 * @param shares of everything that the query read
 * @param folded pairs of a metric (a histogram's parts by its name) and a label, as `metric\0label`
 */
export function foldedWarnings(
  fetches: readonly Fetch[],
  shares: readonly FoldedShare[],
  folded: readonly string[],
): string[] {
  if (folded.length === 0) return [];
  return [...readWarnings(shares), ...conditionWarnings(fetches, new Set(folded))];
}

function readWarnings(shares: readonly FoldedShare[]): string[] {
  const found = new Set(shares.flatMap(({ pairs }) => pairs));
  const total = shares.reduce((sum, { samples }) => sum + samples, 0);
  const touched = shares.reduce((sum, share) => sum + share.touched, 0);
  if (touched === 0) return [];
  const share = (touched / total) * 100;
  const percent = share >= 0.1 ? share.toFixed(share < 10 ? 1 : 0) : '<0.1';
  const where = named(found);
  return [
    `PromQL warning: ${percent} % of the samples are of series whose values were folded into "${OTHER}": ${where}`,
  ];
}

function foldedPair(labels: Labels, pairs: ReadonlySet<string>): string | undefined {
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i + 1] !== OTHER) continue;
    const pair = pairOf(labelValue(labels, METRIC_NAME), labels[i], pairs);
    if (pair !== undefined) return pair;
  }
  return undefined;
}

function conditionWarnings(fetches: readonly Fetch[], pairs: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  for (const { matchers } of fetches) {
    const metric = matchers.find(({ name, op }) => name === METRIC_NAME && op === '=')?.value;
    if (metric === undefined) continue;
    for (const { name, op, value } of matchers) {
      const pair = pairOf(metric, name, pairs);
      if (pair !== undefined && !createMatcher(name, op, value).matches(OTHER)) found.add(pair);
    }
  }
  if (found.size === 0) return [];
  const where = named(found);
  return [`PromQL warning: series whose values were folded into "${OTHER}" can't meet the conditions on ${where}`];
}

function pairOf(metric: string, label: string, pairs: ReadonlySet<string>): string | undefined {
  const own = `${metric}\u0000${label}`;
  if (pairs.has(own)) return own;
  const base = `${metric.replace(PART, '')}\u0000${label}`;
  return pairs.has(base) ? base : undefined;
}

function named(pairs: ReadonlySet<string>): string {
  const names = [...pairs].sort().map((pair) => {
    const [metric, label] = pair.split('\u0000');
    return `${label} of ${metric}`;
  });
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}
