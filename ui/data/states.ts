import type { PanelQuery } from '../../server/dashboards/index.ts';
import type { Frame } from './frame.ts';
import { legendText } from './series-style.ts';

/** One thing over time, such as a node: for each of its states, how much of each step it was in it. */
export interface StateRow {
  readonly name: string;
  /** By state, one share from 0 to 1 a moment; `NaN` where nothing is known. */
  readonly states: ReadonlyMap<string, Float64Array>;
}

/** Shares below this are measuring noise, not a state. */
const LEAST_SHARE = 0.001;

/**
 * Rows of states from a frame: `rowBy` names the rows, legends name the states. Of several series of one row and state
 * (an exporter beside another) the largest share counts. Rows without any state stay, because "nothing happened" is an
 * answer; they are sorted by name.
 */
export function buildStateRows(frame: Frame, queries: readonly PanelQuery[], rowBy: string): StateRow[] {
  const rows = new Map<string, Map<string, Float64Array>>();
  for (const series of frame.series) {
    const name = series.labels[rowBy] ?? '';
    const state = legendText(queries[series.query].legend, series.labels);
    const states = rows.get(name) ?? new Map<string, Float64Array>();
    rows.set(name, states);
    const shares = states.get(state) ?? new Float64Array(frame.length).fill(Number.NaN);
    states.set(state, shares);
    for (let i = 0; i < frame.length; i++) {
      const share = Math.min(1, series.values[i]);
      if (!(shares[i] >= share) && !Number.isNaN(share)) shares[i] = share;
    }
  }
  return [...rows]
    .sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true }))
    .map(([name, states]) => ({ name, states }));
}

/** The states that ever held, by total share, largest first. */
export function activeStates(rows: readonly StateRow[]): string[] {
  const totals = new Map<string, number>();
  for (const row of rows) {
    for (const [state, shares] of row.states) {
      let total = totals.get(state) ?? 0;
      for (const share of shares) if (share >= LEAST_SHARE) total += share;
      if (total > 0) totals.set(state, total);
    }
  }
  return [...totals].sort((a, b) => b[1] - a[1]).map(([state]) => state);
}

/** The state that takes most of a moment, with its share, or `undefined` where none holds. */
export function dominantState(row: StateRow, i: number): { state: string; share: number } | undefined {
  let best: { state: string; share: number } | undefined;
  for (const [state, shares] of row.states) {
    const share = shares[i];
    if (share >= LEAST_SHARE && !(best && best.share >= share)) best = { state, share };
  }
  return best;
}
