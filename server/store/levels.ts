import type { Labels } from '../model/index.ts';

/** The two levels of metrics: the fleet's few series, and everything else. They are kept for different times. */
export type Level = 'fleet' | 'per_model';

export const LEVELS: readonly Level[] = ['fleet', 'per_model'];

/** What names of the fleet level begin with; `govern` writes them and refuses them from senders. */
const FLEET_PREFIX = 'fleet:';

/** The level that a series belongs to, by its name. */
export function levelOf(labels: Labels): Level {
  for (let i = 0; i < labels.length; i += 2) {
    if (labels[i] === '__name__') return labels[i + 1].startsWith(FLEET_PREFIX) ? 'fleet' : 'per_model';
  }
  return 'per_model';
}
