/** Where telemetry came in. */
export type Source = 'otlp' | 'remote_write' | 'loki_push' | 'scrape';
export type Signal = 'metrics' | 'logs' | 'traces';
/** What was done with a label, attribute, value or series. */
export type Action = 'removed' | 'aggregated' | 'folded' | 'refused' | 'moved' | 'truncated' | 'renamed';

/** How often one kind of decision was made; never holds a value. */
export interface Decision {
  readonly signal: Signal;
  readonly source: Source;
  readonly rule: string;
  readonly action: Action;
  /** The label or attribute's name where it is a plain one, else `other`; empty where none is concerned. */
  readonly label: string;
  readonly count: number;
}

const MAX_DECISIONS = 2000;
const SEPARATOR = '\u0000';

/** Counts decisions; bounded, because past 2,000 kinds a label's name counts as `other`. */
export class DecisionLog {
  private readonly counts = new Map<string, number>();
  private readonly isPlainName: (name: string) => boolean;

  /** @param isPlainName whether a name may be shown; a name can be content too. */
  constructor(isPlainName: (name: string) => boolean) {
    this.isPlainName = isPlainName;
  }

  add(signal: Signal, source: Source, rule: string, action: Action, label: string): void {
    const key = [signal, source, rule, action, label].join(SEPARATOR);
    const known = this.counts.get(key);
    if (known !== undefined) {
      this.counts.set(key, known + 1);
      return;
    }
    const shown = label === '' || (this.counts.size < MAX_DECISIONS && this.isPlainName(label)) ? label : 'other';
    const shownKey = [signal, source, rule, action, shown].join(SEPARATOR);
    this.counts.set(shownKey, (this.counts.get(shownKey) ?? 0) + 1);
  }

  list(): Decision[] {
    return [...this.counts].map(([key, count]) => {
      const [signal, source, rule, action, label] = key.split(SEPARATOR);
      return { signal: signal as Signal, source: source as Source, rule, action: action as Action, label, count };
    });
  }
}
