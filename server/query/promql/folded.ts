import { createMatcher, type Labels, labelValue, METRIC_NAME, type SeriesSamples } from '../../model/index.ts';
import type { Fetch } from './plan.ts';

/** The value into which governance folds what is past a label's budget or outside its closed set. */
const OTHER = 'other';
/** Metrics and labels that one warning names. */
const NAMED = 3;
const PART = /_(?:bucket|sum|count)$/;

/**
 * Warnings about what governance folded into `other`: how much of what a query read is such, and which of its conditions
 * may miss series that would have met them.
 * @param folded pairs of a metric (a histogram's parts by its name) and a label, as `metric\0label`
 */
export function foldedWarnings(
  fetches: readonly Fetch[],
  data: readonly (readonly SeriesSamples[])[],
  folded: readonly string[],
): string[] {
  if (folded.length === 0) return [];
  const pairs = new Set(folded);
  return [...readWarnings(data, pairs), ...conditionWarnings(fetches, pairs)];
}

function readWarnings(data: readonly (readonly SeriesSamples[])[], pairs: ReadonlySet<string>): string[] {
  const found = new Set<string>();
  let [total, touched] = [0, 0];
  for (const selected of data) {
    for (const { labels, timestamps } of selected) {
      total += timestamps.length;
      const pair = foldedPair(labels, pairs);
      if (pair === undefined) continue;
      found.add(pair);
      touched += timestamps.length;
    }
  }
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
