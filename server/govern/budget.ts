/** The value that stands for all values past a label's budget, or outside its closed set. */
export const OTHER = 'other';

/**
 * Distinct values per metric and label. A value that was counted once is kept for good, so that folding is stable; the
 * order of arrival decides who is in. Bounded by entries and by characters of all metrics together, past which every
 * new value folds.
 */
export class Budgets {
  private readonly values = new Map<string, Map<string, Set<string>>>();
  private entries = 0;
  private characters = 0;
  private maxEntries = 0;
  private maxCharacters = 0;

  constructor(maxEntries: number) {
    this.limit(maxEntries);
  }

  /** Changes the bound on all of them together; what was counted stays. */
  limit(maxEntries: number): void {
    this.maxEntries = maxEntries;
    this.maxCharacters = maxEntries * 40;
  }

  /** How many distinct values each metric's labels have. */
  *list(): Iterable<{ readonly metric: string; readonly label: string; readonly used: number }> {
    for (const [metric, labels] of this.values) {
      for (const [label, values] of labels) yield { metric, label, used: values.size };
    }
  }

  /** How many values were counted. */
  used(metric: string, label: string): number {
    return this.values.get(metric)?.get(label)?.size ?? 0;
  }

  /** Whether a value was counted before. */
  has(metric: string, label: string, value: string): boolean {
    return this.values.get(metric)?.get(label)?.has(value) ?? false;
  }

  /** Counts a value; false where it is past the budget. */
  take(metric: string, label: string, value: string, budget: number): boolean {
    if (value === OTHER) return true;
    let labels = this.values.get(metric);
    if (!labels) {
      labels = new Map();
      this.values.set(metric, labels);
    }
    let known = labels.get(label);
    if (!known) {
      known = new Set();
      labels.set(label, known);
    }
    if (known.has(value)) return true;
    if (known.size >= budget || this.entries >= this.maxEntries) return false;
    if (this.characters + value.length > this.maxCharacters) return false;
    known.add(value);
    this.entries++;
    this.characters += value.length;
    return true;
  }
}
