import type { AggregationRule, Aggregator, FleetTarget } from '../govern/index.ts';
import { type Labels, labelsKey } from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { CLEAN_KEY, hashText } from './series-routes.ts';
import type { WrittenSeries } from './written-series.ts';

/** Numbers from here on stand for raw series that are added to others under a name that they share. */
export const FIRST_JOINED = 0x80000000;

/** A raw series that became equal to another one by nothing but its labels' new names. */
export interface JoinedSeries {
  /** The stored series that both are. */
  readonly id: number;
  readonly output: number;
  /** −1 for none. */
  readonly fleetOutput: number;
  /** The hash of the raw labels, by which outputs know it. */
  readonly hi: number;
  readonly lo: number;
}

/** What a kept series is from now on: a stored series' number, or one of a `JoinedSeries`. */
export interface ClaimedSeries {
  readonly id: number;
  /** −1 for none. */
  readonly fleetSlot: number;
}

/** What claiming needs of the way for metrics. */
export interface ClaimParts {
  readonly store: Store;
  readonly aggregator: Aggregator;
  readonly written: WrittenSeries;
  openOutput(labels: Labels, rule: AggregationRule): number;
  fleetSlot(output: number, id: number): number;
}

/**
 * Watches over series that are kept under other names than they came with. Two raw series may so become one: the first to
 * come owns the stored series and is written as it is; with the second both are added up, by the metric's rule, as if a
 * label had been removed. What each counted is known by its raw labels, over restarts as well.
 */
export class RenamedSeries {
  private readonly parts: ClaimParts;
  private readonly joined: JoinedSeries[] = [];
  private readonly numbers = new Map<string, number>();

  constructor(parts: ClaimParts) {
    this.parts = parts;
  }

  /**
   * Finds out what a kept series is.
   * @param raw its labels as they came
   * @param labels those under which it is kept; the same array where nothing changed
   * @param rule how it is joined with others where it must be
   */
  claim(raw: Labels, labels: Labels, rule: AggregationRule, fleet: FleetTarget | undefined): ClaimedSeries {
    const { store, written, aggregator } = this.parts;
    const fleetOutput = fleet ? this.parts.openOutput(fleet.labels, fleet.rule) : -1;
    const id = store.series.resolve(labels);
    const isRenamed = raw !== labels && labelsKey(raw) !== labelsKey(labels);
    const { hi, lo } = isRenamed ? hashText(labelsKey(raw)) : { hi: CLEAN_KEY, lo: CLEAN_KEY };
    const isOwner = written.isOwner(id, hi, lo);
    if (isOwner || (!written.hasOwner(id) && !(isRenamed && written.output(id) >= 0))) {
      written.setOwner(id, hi, lo);
      return { id, fleetSlot: fleetOutput < 0 ? -1 : this.parts.fleetSlot(fleetOutput, id) };
    }
    const output = this.parts.openOutput(labels, rule);
    if (!written.hasOwner(id)) this.takeUp(output, hi, lo);
    const known = fleetOutput < 0 ? undefined : aggregator.lastOfInput(output, hi, lo);
    // The fleet level has seen what the series has seen, perhaps as a stored series of its own before a restart.
    if (known && !aggregator.lastOfInput(fleetOutput, hi, lo)) {
      aggregator.restoreInput(fleetOutput, hi, lo, known.value, known.startMs, known.timestampMs);
    }
    return { id: this.numberOf({ id, output, fleetOutput, hi, lo }), fleetSlot: -1 };
  }

  /** The joined series of a number, or `undefined` where that is a stored series' own. */
  find(id: number): JoinedSeries | undefined {
    return id < FIRST_JOINED ? undefined : this.joined[id - FIRST_JOINED];
  }

  /** A series that was alone before the process began is known as its output's own; it goes on under its raw labels. */
  private takeUp(output: number, hi: number, lo: number): void {
    const { aggregator } = this.parts;
    if (aggregator.lastOfInput(output, hi, lo)) return;
    const last = aggregator.endInput(output, CLEAN_KEY, CLEAN_KEY);
    if (last) aggregator.restoreInput(output, hi, lo, last.value, last.startMs, last.timestampMs);
  }

  private numberOf(series: JoinedSeries): number {
    const key = `${series.id}/${series.fleetOutput}/${series.hi}/${series.lo}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = FIRST_JOINED + this.joined.length;
    this.joined.push(series);
    this.numbers.set(key, number);
    return number;
  }
}
