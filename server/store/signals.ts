import type { Labels } from '../model/index.ts';

/** The two levels of metrics: the fleet's few series, and everything else. They are kept for different times. */
export type Level = 'fleet' | 'per_model';

export const LEVELS: readonly Level[] = ['fleet', 'per_model'];

/** What is kept for a time of its own. Samples and native histograms are kept by the level of their series. */
export type Signal = Level | 'fleet_histograms' | 'per_model_histograms' | 'exemplars' | 'logs' | 'traces';

export const SIGNALS: readonly Signal[] = [
  ...LEVELS,
  'fleet_histograms',
  'per_model_histograms',
  'exemplars',
  'logs',
  'traces',
];

/** The first millisecond that is kept, by signal; −∞ where all is. */
export type Floors = Readonly<Record<Signal, number>>;

/** A value for each signal. */
export function perSignal<T>(make: (signal: Signal) => T): Record<Signal, T> {
  return Object.fromEntries(SIGNALS.map((signal) => [signal, make(signal)])) as Record<Signal, T>;
}

/** No floors: all is kept. */
export const NO_FLOORS: Floors = perSignal(() => Number.NEGATIVE_INFINITY);

/** What names of the fleet level begin with; `govern` writes them and refuses them from senders. */
export const FLEET_PREFIX = 'fleet:';

/** The level that a series belongs to, by its name. */
export function levelOf(labels: Labels): Level {
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === '__name__') return labels[i + 1].startsWith(FLEET_PREFIX) ? 'fleet' : 'per_model';
  }
  return 'per_model';
}
