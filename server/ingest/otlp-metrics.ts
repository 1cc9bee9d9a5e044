import {
  type AggregationRule,
  type Aggregator,
  type FleetTarget,
  type Governor,
  hashOfText,
  mixed,
  type SeriesVerdict,
} from '../govern/index.ts';
import {
  BarographError,
  type Labels,
  labelsKey,
  labelValue,
  METRIC_NAME,
  type MetricMetadata,
  type MetricType,
  type NativeHistogram,
} from '../model/index.ts';
import type { Store } from '../store/index.ts';
import type { MetricPoints } from '../wire/index.ts';
import { withSeriesIds } from './exemplar-ids.ts';
import { joinedWay, type SeriesWay } from './handover.ts';
import { LabelRemainders, type SharedLabelsRoute } from './label-remainders.ts';
import type { IngestOutcome } from './metric-ingest.ts';
import type { ClaimedSeries } from './renamed-series.ts';
import { DROPPED, HANDOVER_MS, hashText, LeakyRoutes } from './series-routes.ts';

/** What the way for metrics shares with the protocols whose series come as label sets; `MetricIngest` implements it. */
export interface SeriesDoor {
  readonly store: Store;
  readonly governor: Governor;
  readonly aggregator: Aggregator;
  /** A sample of a series that needs no change. `low` and `high` are the halves of the value's bits. */
  takeClean(id: number, fleetSlot: number, ms: number, value: number, low: number, high: number, startMs: number): void;
  /** The output of the aggregator that is a stored series; one that was written as it came goes on from its last value. */
  openOutput(labels: Labels, rule: AggregationRule): number;
  /** The same of a native histogram. */
  takeCleanHistogram(id: number, fleetSlot: number, ms: number, histogram: NativeHistogram, startMs: number): void;
  /** What is known of a metric's type from metadata that came earlier. */
  typeOf(metric: string): MetricType;
  /**
   * What a series is that is kept: a stored one, or the number of one that is added to others under a name they share.
   * @param raw its labels as they came, and `labels` those under which it is kept
   */
  claim(raw: Labels, labels: Labels, type: MetricType, fleet: FleetTarget | undefined): ClaimedSeries;
  /** The stored series of a number that `claim` gave. */
  storedId(id: number): number;
  /** Where a series of such a number goes; `hi` and `lo` are the hash of its raw labels. */
  wayOf(id: number, fleetSlot: number, hi: number, lo: number): SeriesWay;
  takeMetadata(metadata: MetricMetadata): void;
  /** Goes on with a raw series where another policy sends it. */
  handOver(from: SeriesWay, to: SeriesWay): void;
}

type PointSeries = MetricPoints['series'][number];

/** Where the points of one series of a request go. */
type PointRoute =
  | { readonly kind: 'clean'; readonly id: number; readonly fleetSlot: number }
  /** `hi` and `lo` are the hash of the raw labels; an output of −1 is none. */
  | { readonly kind: 'joined'; output: number; fleetOutput: number; hi: number; lo: number }
  /** Increases, which go to the outputs as they are. */
  | { readonly kind: 'delta'; output: number; fleetOutput: number }
  /** The policy leaves it out. */
  | { readonly kind: 'dropped' }
  | { readonly kind: 'refused'; readonly message: string };

/** Routes of clean series by their labels, and of leaking ones by hashes of these. */
interface Routes {
  readonly clean: Map<string, PointRoute>;
  readonly leaky: LeakyRoutes;
  readonly remainders: LabelRemainders;
}

/** Clean series whose route is remembered by their labels, at most; past it the memory starts anew. */
const MAX_REMEMBERED = 200_000;

/**
 * Takes metrics that come as label sets (OTLP) through governance and aggregation. Routes of clean series are remembered
 * by their labels; those of series from which something was removed in a table of fixed size, so a leak can't fill memory.
 */
export class PointIngest {
  private readonly door: SeriesDoor;
  private routes: Routes;
  /** The policy that made the routes, and the routes of the one before for a while. */
  private generation: number;
  private before: (Routes & { readonly untilMs: number }) | undefined;

  constructor(door: SeriesDoor) {
    this.door = door;
    this.generation = door.governor.generation;
    this.routes = this.newRoutes();
  }

  /**
   * Takes in the points of one request; durable once the store commits.
   * @throws BarographError `overloaded` (nothing was taken).
   */
  take(points: MetricPoints): IngestOutcome {
    const { door } = this;
    door.store.writer.assertRoom();
    this.renew();
    for (const metadata of points.metadata) {
      const governed = door.governor.governMetadata(metadata, 'otlp');
      if (governed.metric !== '') door.takeMetadata(governed);
    }
    const routes = points.series.map((series) => this.routeOf(series));
    let rejected = points.rejectedPoints;
    let reason = points.rejectedMessage === '' ? undefined : points.rejectedMessage;
    const refuse = (message: string): void => {
      rejected++;
      reason ??= message;
    };
    const words = new Uint32Array(points.value.buffer, points.value.byteOffset, points.value.length * 2);
    for (let i = 0; i < points.pointCount; i++) {
      const route = routes[points.pointSeries[i]];
      if (route.kind === 'refused') refuse(route.message);
      else if (route.kind !== 'dropped') this.takePoint(route, points, words, i);
    }
    for (const { series, timestampMs, startMs, histogram } of points.histograms) {
      const route = routes[series];
      if (route.kind === 'refused') refuse(route.message);
      else if (route.kind !== 'dropped') this.takeHistogram(route, timestampMs, startMs, histogram);
    }
    this.takeExemplars(points, routes);
    const total = points.pointCount + points.histograms.length + points.rejectedPoints;
    return { accepted: total - rejected, rejected, reason };
  }

  private takePoint(
    route: Exclude<PointRoute, { kind: 'refused' | 'dropped' }>,
    points: MetricPoints,
    words: Uint32Array,
    i: number,
  ): void {
    const { door } = this;
    const ms = points.timestampMs[i];
    const value = points.value[i];
    const startMs = points.startMs[i];
    switch (route.kind) {
      case 'clean':
        door.takeClean(route.id, route.fleetSlot, ms, value, words[2 * i], words[2 * i + 1], startMs);
        return;
      case 'joined':
        for (const output of [route.output, route.fleetOutput]) {
          if (output < 0) continue;
          door.aggregator.add(door.aggregator.inputByHash(output, route.hi, route.lo), ms, value, startMs);
        }
        return;
      case 'delta':
        door.aggregator.addDelta(route.output, ms, value);
        if (route.fleetOutput >= 0) door.aggregator.addDelta(route.fleetOutput, ms, value);
        return;
    }
  }

  private takeHistogram(
    route: Exclude<PointRoute, { kind: 'refused' | 'dropped' }>,
    ms: number,
    startMs: number,
    histogram: NativeHistogram,
  ): void {
    const { aggregator } = this.door;
    switch (route.kind) {
      case 'clean':
        this.door.takeCleanHistogram(route.id, route.fleetSlot, ms, histogram, startMs);
        return;
      case 'joined':
        for (const output of [route.output, route.fleetOutput]) {
          if (output < 0) continue;
          aggregator.addHistogram(aggregator.inputByHash(output, route.hi, route.lo), ms, histogram, startMs);
        }
        return;
      case 'delta':
        aggregator.addHistogramDelta(route.output, ms, histogram);
        if (route.fleetOutput >= 0) aggregator.addHistogramDelta(route.fleetOutput, ms, histogram);
        return;
    }
  }

  /** Exemplars of a joined series belong to the series that it became. */
  private takeExemplars(points: MetricPoints, routes: readonly PointRoute[]): void {
    const { aggregator, governor, store } = this.door;
    for (const { series, exemplar } of points.exemplars) {
      const route = routes[series];
      if (route.kind === 'refused' || route.kind === 'dropped') continue;
      const id = route.kind === 'clean' ? this.door.storedId(route.id) : aggregator.seriesOf(route.output);
      const own = points.series[series].labels;
      const given = route.kind === 'clean' ? exemplar.labels : withSeriesIds(exemplar.labels, own);
      const labels = governor.governExemplar(given, 'otlp');
      store.writer.buffer.pushExemplar(id, { ...exemplar, labels });
    }
  }

  /** Where a series' points go; judged once for a clean series, and never kept for a leaking one. */
  private routeOf(series: PointSeries): PointRoute {
    const isDelta = series.temporality === 'delta';
    // A series that sends increases is another one than a cumulative one with its labels.
    const key = isDelta ? `\u0000${labelsKey(series.labels)}` : labelsKey(series.labels);
    const known = this.routes.clean.get(key);
    if (known) return known;
    const { hi, lo } = hashText(key);
    try {
      const { leaky } = this.routes;
      const place = leaky.find(hi, lo);
      if (place >= 0 && leaky.output(place) === DROPPED) return { kind: 'dropped' };
      if (place >= 0 && !isDelta) {
        return { kind: 'joined', output: leaky.output(place), fleetOutput: leaky.fleetOutput(place), hi, lo };
      }
      const shared = this.routes.remainders.find(series.labels);
      if (shared && (!isDelta || shared.takesDelta)) return this.share(shared, key, hi, lo, isDelta);
      const verdict = this.door.governor.judgeSeries(series.labels, series.type, 'otlp', mixed(hi ^ lo));
      return this.open(series, verdict, key, { hi, lo });
    } catch (error) {
      // One series that finds no room is refused; the rest of the request goes on.
      if (error instanceof BarographError) return { kind: 'refused', message: error.message };
      throw error;
    }
  }

  private open(
    series: PointSeries,
    verdict: SeriesVerdict,
    key: string,
    { hi, lo }: { hi: number; lo: number },
  ): PointRoute {
    const { door } = this;
    if (verdict.kind === 'refuse') return { kind: 'refused', message: verdict.message };
    const { leaky } = this.routes;
    const before = series.temporality === 'delta' ? undefined : this.wayBefore(key, hi, lo);
    if (verdict.kind === 'drop') {
      leaky.set(hi, lo, DROPPED, -1);
      if (before) door.handOver(before, joinedWay(-1, -1, hi, lo));
      return { kind: 'dropped' };
    }
    const fleetOutput = verdict.fleet ? door.openOutput(verdict.fleet.labels, verdict.fleet.rule) : -1;
    if (series.temporality === 'delta') {
      const rule = verdict.kind === 'aggregate' ? verdict.rule : this.ruleOf(verdict.labels, series.type);
      const fleetRule = verdict.fleet?.rule ?? 'counter';
      if (rule !== 'counter' || fleetRule !== 'counter') {
        return { kind: 'refused', message: 'delta temporality of a metric that is no counter; send it cumulative' };
      }
      const output = door.openOutput(verdict.labels, rule);
      const route: PointRoute = { kind: 'delta', output, fleetOutput };
      if (verdict.kind === 'keep') this.remember(key, route);
      else this.rememberShared(verdict, output, fleetOutput);
      return route;
    }
    if (verdict.kind === 'aggregate') {
      const output = door.openOutput(verdict.labels, verdict.rule);
      this.rememberShared(verdict, output, fleetOutput);
      leaky.set(hi, lo, output, fleetOutput);
      if (before) door.handOver(before, joinedWay(output, fleetOutput, hi, lo));
      return { kind: 'joined', output, fleetOutput, hi, lo };
    }
    const { id, fleetSlot } = door.claim(series.labels, verdict.labels, series.type, verdict.fleet);
    const route: PointRoute = { kind: 'clean', id, fleetSlot };
    this.remember(key, route);
    if (before) door.handOver(before, door.wayOf(id, fleetSlot, hi, lo));
    return route;
  }

  private remember(key: string, route: PointRoute): void {
    const { clean } = this.routes;
    if (clean.size >= MAX_REMEMBERED) clean.clear();
    clean.set(key, route);
  }

  private rememberShared(
    { shared, rule, fleet }: Extract<SeriesVerdict, { kind: 'aggregate' }>,
    output: number,
    fleetOutput: number,
  ): void {
    const takesDelta = rule === 'counter' && (fleet?.rule ?? 'counter') === 'counter';
    if (shared) this.routes.remainders.add({ shared, output, fleetOutput, takesDelta });
  }

  /** Sends a series where others went of which the same labels are left, and counts it as if it were judged. */
  private share(route: SharedLabelsRoute, key: string, hi: number, lo: number, isDelta: boolean): PointRoute {
    const { leaky, remainders } = this.routes;
    const { output, fleetOutput } = route;
    const counts = this.door.governor.shared;
    counts.begin(route.shared, 'otlp', mixed(hi ^ lo));
    for (let i = 0; i < remainders.gone.length; i += 3) {
      counts.remove(remainders.gone[i], remainders.gone[i + 1], hashOfText(remainders.gone[i + 2]), 'otlp');
    }
    if (isDelta) return { kind: 'delta', output, fleetOutput };
    leaky.set(hi, lo, output, fleetOutput);
    const before = this.wayBefore(key, hi, lo);
    if (before) this.door.handOver(before, joinedWay(output, fleetOutput, hi, lo));
    return { kind: 'joined', output, fleetOutput, hi, lo };
  }

  /** Forgets the routes of another policy. */
  private renew(): void {
    const { generation } = this.door.governor;
    if (this.before && performance.now() > this.before.untilMs) this.before = undefined;
    if (generation === this.generation) return;
    this.generation = generation;
    this.before = { ...this.routes, untilMs: performance.now() + HANDOVER_MS };
    this.routes = this.newRoutes();
  }

  private newRoutes(): Routes {
    const { governor } = this.door;
    const remainders = new LabelRemainders(governor.ruleByName, 4 * governor.policy.limits.labelsPerSeries);
    return { clean: new Map(), leaky: new LeakyRoutes(), remainders };
  }

  /** Where the policy before sent a series, or `undefined` where it is new or was left out. */
  private wayBefore(key: string, hi: number, lo: number): SeriesWay | undefined {
    if (!this.before) return undefined;
    const { clean, leaky } = this.before;
    const route = clean.get(key);
    if (route?.kind === 'clean') return this.door.wayOf(route.id, route.fleetSlot, hi, lo);
    const place = leaky.find(hi, lo);
    if (place < 0 || leaky.output(place) === DROPPED) return undefined;
    return joinedWay(leaky.output(place), leaky.fleetOutput(place), hi, lo);
  }

  private ruleOf(labels: Labels, type: MetricType): AggregationRule {
    return this.door.governor.ruleOf(labelValue(labels, METRIC_NAME), type);
  }
}
