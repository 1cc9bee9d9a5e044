/** The two classes of alerts, which can't be mixed. */
export type AlertClass = 'page' | 'notify';

/** A pair of windows: an alert fires while the burn over both is above the factor. */
export interface BurnWindow {
  readonly class: AlertClass;
  readonly longMs: number;
  /** Makes the alert end soon after the burn does. */
  readonly shortMs: number;
  /** The share of the period's budget that is gone once `longMs` has burned at the factor; above 0, at most 1. */
  readonly budgetShare: number;
  /** How long it must burn before the alert fires, milliseconds. */
  readonly forMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** The period that Pyrra's windows are written for; they scale with the period, and its factors don't. */
const PYRRA_PERIOD_MS = 28 * DAY_MS;

/**
 * The SRE workbook, chapter 5 "Alerting on SLOs", multiwindow multi-burn-rate alerts (table 5-8; the pair of a day and
 * two hours is in its example of queries, and in Sloth): 14.4, 6, 3 and 1 for a period of 30 days.
 */
const WORKBOOK: readonly BurnWindow[] = [
  { class: 'page', longMs: HOUR_MS, shortMs: 5 * MINUTE_MS, budgetShare: 0.02, forMs: 0 },
  { class: 'page', longMs: 6 * HOUR_MS, shortMs: 30 * MINUTE_MS, budgetShare: 0.05, forMs: 0 },
  { class: 'notify', longMs: DAY_MS, shortMs: 2 * HOUR_MS, budgetShare: 0.1, forMs: 0 },
  { class: 'notify', longMs: 3 * DAY_MS, shortMs: 6 * HOUR_MS, budgetShare: 0.1, forMs: 0 },
];

/** Pyrra's factors 14, 7, 2 and 1 at 28 days, each with the time that it waits. */
const PYRRA: readonly BurnWindow[] = [
  pyrra('page', HOUR_MS, 5 * MINUTE_MS, 14, 2 * MINUTE_MS),
  pyrra('page', 6 * HOUR_MS, 30 * MINUTE_MS, 7, 15 * MINUTE_MS),
  pyrra('notify', DAY_MS, 2 * HOUR_MS, 2, HOUR_MS),
  pyrra('notify', 4 * DAY_MS, 6 * HOUR_MS, 1, 3 * HOUR_MS),
];

function pyrra(alertClass: AlertClass, longMs: number, shortMs: number, factor: number, forMs: number): BurnWindow {
  return { class: alertClass, longMs, shortMs, budgetShare: (factor * longMs) / PYRRA_PERIOD_MS, forMs };
}

/** Names of the catalogues that an objective can take; its own list of windows is the other way. */
export const CATALOGUES = ['workbook', 'pyrra'] as const;
export type CatalogueName = (typeof CATALOGUES)[number];

/**
 * The windows of a catalogue for a period. The workbook's stay as they are and their factors scale with the period;
 * Pyrra's scale with the period themselves, rounded to whole minutes as Pyrra does, and its factors stay.
 */
export function windowsOf(name: CatalogueName, periodMs: number): readonly BurnWindow[] {
  if (name === 'workbook') return WORKBOOK;
  const scale = (ms: number) => Math.max(1, Math.round((ms * periodMs) / PYRRA_PERIOD_MS / MINUTE_MS)) * MINUTE_MS;
  return PYRRA.map((window) => {
    const longMs = scale(window.longMs);
    const factor = burnFactor(window, PYRRA_PERIOD_MS);
    return {
      class: window.class,
      longMs,
      shortMs: scale(window.shortMs),
      budgetShare: (factor * longMs) / periodMs,
      forMs: scale(window.forMs),
    };
  });
}

/**
 * How many times as fast as the budget allows events must fail for an alert: the share of the budget that may be gone,
 * times the period, divided by the long window. 2 % in an hour of 30 days: 0.02 × 720 = 14.4. A burn of 1 uses the
 * budget up exactly at the period's end.
 *
 * Source: the SRE workbook, chapter 5, "Alerting on SLOs", https://sre.google/workbook/alerting-on-slos/.
 */
export function burnFactor({ budgetShare, longMs }: BurnWindow, periodMs: number): number {
  return Number(((budgetShare * periodMs) / longMs).toPrecision(9));
}
