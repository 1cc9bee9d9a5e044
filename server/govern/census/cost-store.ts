import { COST_HOURS, COST_KINDS, type CostCensus, type CostValue } from './cost.ts';
import { COST_LABELS } from './cost-labels.ts';

/** One value's hours, as Float32 in base64: the kinds one behind the other, then the series. */
interface StoredValue {
  readonly value: string;
  readonly hours: string;
}

/** What a restart would lose of cost; series are counted again from the store. */
export interface StoredCost {
  readonly sinceMs: number;
  readonly hour: number;
  readonly total: StoredValue;
  readonly labels: Readonly<Record<string, readonly StoredValue[]>>;
}

const FLOATS = (COST_KINDS.length + 1) * COST_HOURS;

/** The counts as JSON. What came since the last fold isn't in them, a minute's at most. */
export function storeCost(cost: CostCensus): StoredCost {
  return {
    sinceMs: cost.sinceMs,
    hour: cost.hour,
    total: storeValue(cost.total),
    labels: Object.fromEntries(
      COST_LABELS.map((label, i) => [label, cost.labels[i].values.filter(hasCost).sort(byWeight).map(storeValue)]),
    ),
  };
}

/**
 * Takes up what `storeCost` made, into counts of which nothing has come yet. The dearest values come first, so they have
 * places before any others; those that cost nothing for eight days are gone.
 */
export function restoreCost(stored: StoredCost, cost: CostCensus): void {
  if (!Number.isFinite(stored.sinceMs) || !Number.isInteger(stored.hour)) return;
  cost.sinceMs = stored.sinceMs;
  cost.hour = stored.hour;
  restoreValue(stored.total, cost.total);
  for (const [i, label] of COST_LABELS.entries()) {
    for (const value of stored.labels[label] ?? []) restoreValue(value, cost.restore(i, value.value));
  }
}

function storeValue({ value, hours, seriesHours }: CostValue): StoredValue {
  const floats = new Float32Array(FLOATS);
  floats.set(hours);
  floats.set(seriesHours, hours.length);
  return { value, hours: Buffer.from(floats.buffer).toString('base64') };
}

function restoreValue(stored: StoredValue, value: CostValue): void {
  const bytes = Buffer.from(stored.hours, 'base64');
  if (bytes.length !== FLOATS * 4) return;
  const floats = new Float32Array(new Uint8Array(bytes).buffer);
  // Values that found no place are added up.
  for (let i = 0; i < value.hours.length; i++) value.hours[i] += floats[i];
  for (let i = 0; i < COST_HOURS; i++) value.seriesHours[i] += floats[value.hours.length + i];
}

function hasCost({ hours }: CostValue): boolean {
  return hours.some((amount) => amount > 0);
}

function byWeight(a: CostValue, b: CostValue): number {
  return weight(b) - weight(a);
}

function weight({ hours }: CostValue): number {
  return hours.reduce((sum, amount) => sum + amount, 0);
}
