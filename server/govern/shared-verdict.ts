import type { Census } from './census/census.ts';
import type { DecisionLog, Source } from './decisions.ts';

/**
 * A verdict that holds for every series which differs only in labels that are removed by their names: what is left of
 * such series is the same, and so is where it goes. A leak makes a new series with each sample, so only the first of them
 * is judged, and the others are counted.
 */
export interface SharedVerdict {
  /** The metric, the parts of a histogram being one. */
  readonly base: string;
  /** Who sent it, as the census calls them. */
  readonly sender: string;
  /** Labels that an alias renamed. */
  readonly renamed: readonly string[];
}

/** Counts series that share a verdict, as judging each of them would. For each: `begin`, then `remove` for its labels. */
export class SharedCounts {
  private readonly decisions: DecisionLog;
  private readonly census: Census;

  constructor(decisions: DecisionLog, census: Census) {
    this.decisions = decisions;
    this.census = census;
  }

  /** @param hash a well-mixed 32-bit hash of the raw series */
  begin({ base, sender, renamed }: SharedVerdict, source: Source, hash: number): void {
    this.census.beginHashed(base, sender, source, hash);
    for (const name of renamed) this.decisions.add('metrics', source, 'alias', 'renamed', name);
    this.decisions.add('metrics', source, 'aggregate', 'aggregated', '');
  }

  /** @param valueHash a well-mixed 32-bit hash of the label's value */
  remove(rule: string, label: string, valueHash: number, source: Source): void {
    this.decisions.add('metrics', source, rule, 'removed', label);
    this.census.noteHashed(rule, 'removed', label, valueHash);
  }
}
