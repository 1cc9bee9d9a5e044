import type { BurnWindow } from './catalogue.ts';

/** Where an objective was written: a file and the line of its name, from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
}

/** A rolling period of a fixed length, or a calendar one in UTC that begins anew. */
export type Period =
  | { readonly kind: 'rolling'; readonly ms: number }
  | { readonly kind: 'calendar'; readonly unit: 'month' | 'quarter' };

/** What counts as a good event, and what as an event. */
export type Indicator =
  | {
      readonly kind: 'histogram';
      /** Name of the histogram, without `_bucket`. */
      readonly metric: string;
      /** Conditions on its labels as PromQL, without braces; may be empty. */
      readonly conditions: string;
      /** In the metric's own unit. */
      readonly threshold: number;
      /** Whether the good events are those at or below the threshold, or those above it. */
      readonly good: 'at_most' | 'above';
      readonly form: 'classic' | 'native';
      /** Finite upper bounds of the classic buckets, ascending; without them the threshold must be a bound. */
      readonly bounds: readonly number[] | undefined;
    }
  | {
      /** Queries with `$window` where the length of a range stands, or plain selectors of counters. */
      readonly kind: 'ratio';
      readonly part: string;
      /** What `part` counts. */
      readonly counts: 'good' | 'bad';
      readonly total: string;
    }
  | {
      /** A gauge that is 1 while all is well: each sample is an event, and those above 0 are good. */
      readonly kind: 'up';
      readonly selector: string;
    };

/** Other targets for some values of one label, such as tiers of customers. */
export interface TierTargets {
  readonly label: string;
  /** A target by value, above 0 and below 1. */
  readonly values: Readonly<Record<string, number>>;
}

/** What an alert does where few events come. */
export interface LowTraffic {
  /** The least number of events in the long window with which an alert fires; 0 for none. */
  readonly minimumEvents: number;
  /** Events an hour that a window counts at least; those that didn't come count as good. 0 for none. */
  readonly syntheticGoodPerHour: number;
}

/** An objective, completed and checked. */
export interface Objective {
  readonly place: Place;
  readonly service: string;
  readonly name: string;
  readonly description: string | undefined;
  /** Share of events that must be good, above 0 and below 1. */
  readonly target: number;
  readonly targets: TierTargets | undefined;
  readonly period: Period;
  /** Labels that the objective is kept apart by. */
  readonly by: readonly string[];
  readonly indicator: Indicator;
  /** Length of the records that are added up, milliseconds; every window is a multiple of it. */
  readonly resolutionMs: number;
  readonly windows: readonly BurnWindow[];
  /** Whether the windows of the class `page` page; those that don't are left out. */
  readonly page: boolean;
  readonly notify: boolean;
  /** What the names of its alerts begin with. */
  readonly alert: string;
  readonly owner: string | undefined;
  readonly runbookUrl: string | undefined;
  /** What a user notices when the budget burns. */
  readonly impact: string | undefined;
  readonly lowTraffic: LowTraffic;
  /** Whether burn is measured against the traffic of the whole period instead of the window's own. */
  readonly trafficAware: boolean;
  /** Labels that its records and alerts carry besides. */
  readonly labels: Readonly<Record<string, string>>;
}

/** Something that is generated, and that the reader should know: an interpolated threshold, a part that has no equal. */
export interface SloWarning {
  readonly place: Place;
  readonly text: string;
}

/** Milliseconds of a period; of a calendar one its nominal length, 30 or 90 days. */
export function periodMs(period: Period): number {
  const dayMs = 86_400_000;
  if (period.kind === 'rolling') return period.ms;
  return period.unit === 'month' ? 30 * dayMs : 90 * dayMs;
}
