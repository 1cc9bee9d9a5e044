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
const SIGNALS: readonly Signal[] = ['metrics', 'logs', 'traces'];
const SOURCES: readonly Source[] = ['otlp', 'remote_write', 'loki_push', 'scrape'];
const ACTIONS: readonly Action[] = ['removed', 'aggregated', 'folded', 'refused', 'moved', 'truncated', 'renamed'];
const CODES = SIGNALS.length * SOURCES.length * ACTIONS.length;
const SIGNAL_CODES = codesOf(SIGNALS);
const SOURCE_CODES = codesOf(SOURCES);
const ACTION_CODES = codesOf(ACTIONS);

/** Counts decisions; bounded, because past 2,000 pairs of a rule and a label a label's name counts as `other`. */
export class DecisionLog {
  /** By rule and label, by the number of signal, source and action. */
  private readonly counts = new Map<string, Map<string, Float64Array>>();
  private pairs = 0;
  private readonly isPlainName: (name: string) => boolean;

  /** @param isPlainName whether a name may be shown; a name can be content too. */
  constructor(isPlainName: (name: string) => boolean) {
    this.isPlainName = isPlainName;
  }

  add(signal: Signal, source: Source, rule: string, action: Action, label: string): void {
    const counts = this.counts.get(rule)?.get(label) ?? this.countsOf(rule, label);
    counts[(SIGNAL_CODES[signal] * SOURCES.length + SOURCE_CODES[source]) * ACTIONS.length + ACTION_CODES[action]]++;
  }

  list(): Decision[] {
    const out: Decision[] = [];
    for (const [rule, byLabel] of this.counts) {
      for (const [label, counts] of byLabel) {
        counts.forEach((count, code) => {
          if (count === 0) return;
          const [action, rest] = [ACTIONS[code % ACTIONS.length], Math.floor(code / ACTIONS.length)];
          const [source, signal] = [SOURCES[rest % SOURCES.length], SIGNALS[Math.floor(rest / SOURCES.length)]];
          out.push({ signal, source, rule, action, label, count });
        });
      }
    }
    return out;
  }

  private countsOf(rule: string, label: string): Float64Array {
    let byLabel = this.counts.get(rule);
    if (!byLabel) this.counts.set(rule, (byLabel = new Map()));
    const shown = label === '' || (this.pairs < MAX_DECISIONS && this.isPlainName(label)) ? label : 'other';
    let counts = byLabel.get(shown);
    if (!counts) {
      byLabel.set(shown, (counts = new Float64Array(CODES)));
      this.pairs++;
    }
    return counts;
  }
}

function codesOf<T extends string>(names: readonly T[]): Readonly<Record<T, number>> {
  return Object.fromEntries(names.map((name, code) => [name, code])) as Record<T, number>;
}
