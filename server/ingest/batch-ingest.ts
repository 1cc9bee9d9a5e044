import { mixed, type Source } from '../govern/index.ts';
import { BarographError, type Labels, labelValue, METRIC_NAME, NO_LABELS } from '../model/index.ts';
import { parseSeriesLabels, type WriteRequestBatch } from '../wire/index.ts';
import { withSeriesIds } from './exemplar-ids.ts';
import { joinedWay, type SeriesWay } from './handover.ts';
import type { SeriesDoor } from './otlp-metrics.ts';
import { RemainderRoutes, type SharedRoute } from './remainder-routes.ts';
import { DROPPED, HANDOVER_MS, LeakyRoutes, SeriesRoutes } from './series-routes.ts';

/** How much of a batch was taken. */
export interface BatchOutcome {
  samples: number;
  histograms: number;
  exemplars: number;
  /** Series that were refused. */
  refused: number;
  /** Why the first of them was. */
  reason: string | undefined;
}

/**
 * Takes batches of series whose labels are bytes (remote write, scrapes) through governance and aggregation. The bytes
 * are the key under which a series' route is remembered, so that labels are parsed and judged once.
 */
export class BatchIngest {
  private readonly door: SeriesDoor;
  private routes = new SeriesRoutes();
  private leaky = new LeakyRoutes();
  private remainders: RemainderRoutes;
  /** The policy that made the routes, and the routes of the one before for a while. */
  private generation: number;
  private before: { routes: SeriesRoutes; leaky: LeakyRoutes; untilMs: number } | undefined;

  constructor(door: SeriesDoor) {
    this.door = door;
    this.generation = door.governor.generation;
    this.remainders = this.newRemainders();
  }

  /** Takes in a decoded batch; a series that is refused leaves the others unharmed. */
  take(batch: WriteRequestBatch, source: Source): BatchOutcome {
    this.renew();
    for (const metadata of batch.metadata) {
      const governed = this.door.governor.governMetadata(metadata, source);
      if (governed.metric !== '') this.door.takeMetadata(governed);
    }
    const outcome: BatchOutcome = { samples: 0, histograms: 0, exemplars: 0, refused: 0, reason: undefined };
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    this.takeSamples(batch, bytes, source, outcome);
    this.takeHistograms(batch, bytes, source, outcome);
    this.takeExemplars(batch, bytes, source, outcome);
    return outcome;
  }

  private takeSamples(batch: WriteRequestBatch, bytes: Buffer, source: Source, outcome: BatchOutcome): void {
    const { door, routes } = this;
    const { labelStart, labelEnd, sampleSeries, sampleTimestampMs, sampleBits, sampleValue, sampleStartMs } = batch;
    routes.restart();
    for (let at = 0, end = 0; at < batch.sampleCount; at = end) {
      const series = sampleSeries[at];
      end = at + 1;
      while (end < batch.sampleCount && sampleSeries[end] === series) end++;
      let route = routes.find(bytes, labelStart[series], labelEnd[series]);
      if (route < 0) {
        try {
          route = this.routeOf(batch, bytes, series, source);
        } catch (error) {
          refuse(error, outcome);
          continue;
        }
      }
      outcome.samples += end - at;
      if (route >= 0) {
        const id = routes.series[route];
        const fleetSlot = routes.fleetSlots[route];
        for (let row = at; row < end; row++) {
          const [low, high] = [sampleBits[2 * row], sampleBits[2 * row + 1]];
          door.takeClean(id, fleetSlot, sampleTimestampMs[row], sampleValue[row], low, high, sampleStartMs[row]);
        }
        continue;
      }
      const { hashHigh, hashLow } = routes;
      for (const output of this.outputsOf(route)) {
        const slot = door.aggregator.inputByHash(output, hashHigh, hashLow);
        for (let row = at; row < end; row++) {
          door.aggregator.add(slot, sampleTimestampMs[row], sampleValue[row], sampleStartMs[row]);
        }
      }
    }
  }

  private takeHistograms(batch: WriteRequestBatch, bytes: Buffer, source: Source, outcome: BatchOutcome): void {
    const { door, routes } = this;
    for (const { series, timestampMs, startMs, histogram } of batch.histograms) {
      try {
        const route = this.routeOf(batch, bytes, series, source);
        outcome.histograms++;
        if (route >= 0) {
          door.takeCleanHistogram(routes.series[route], routes.fleetSlots[route], timestampMs, histogram, startMs);
          continue;
        }
        for (const output of this.outputsOf(route)) {
          const slot = door.aggregator.inputByHash(output, routes.hashHigh, routes.hashLow);
          door.aggregator.addHistogram(slot, timestampMs, histogram, startMs);
        }
      } catch (error) {
        refuse(error, outcome);
      }
    }
  }

  /** Exemplars of a series that joins another one belong to the series that it became. */
  private takeExemplars(batch: WriteRequestBatch, bytes: Buffer, source: Source, outcome: BatchOutcome): void {
    const { routes } = this;
    const { governor, store } = this.door;
    for (const { series, exemplar } of batch.exemplars) {
      const id = this.seriesOf(batch, bytes, series, source);
      // A series that was refused was counted with its samples.
      if (id < 0) continue;
      // The series of a route are stored as they came, so no ID was taken from them.
      const isClean = routes.find(bytes, batch.labelStart[series], batch.labelEnd[series]) >= 0;
      const raw = isClean ? NO_LABELS : parseSeriesLabels(batch.labelBytes(series));
      const labels = governor.governExemplar(withSeriesIds(exemplar.labels, raw), source);
      store.writer.buffer.pushExemplar(id, { ...exemplar, labels });
      outcome.exemplars++;
    }
  }

  /** The stored series that a raw one is, or joins; −1 where it is refused. */
  private seriesOf(batch: WriteRequestBatch, bytes: Buffer, series: number, source: Source): number {
    const { door, routes, leaky } = this;
    const route = routes.find(bytes, batch.labelStart[series], batch.labelEnd[series]);
    if (route >= 0) return door.storedId(routes.series[route]);
    const place = leaky.find(routes.hashHigh, routes.hashLow);
    if (place >= 0) return door.aggregator.seriesOf(leaky.output(place));
    // Remote write 2.0 sends exemplars as series of their own, which no sample has led here yet.
    const verdict = this.judge(parseSeriesLabels(batch.labelBytes(series)), source);
    if (verdict.kind !== 'keep' && verdict.kind !== 'aggregate') return -1;
    return door.store.series.resolve(verdict.labels);
  }

  /**
   * The route of a clean series, or −1 minus the place in the table of leaking ones; then the routes' `hashHigh` and
   * `hashLow` are the series'.
   * @throws BarographError where the series is refused.
   */
  private routeOf(batch: WriteRequestBatch, bytes: Buffer, series: number, source: Source): number {
    const { door, routes, leaky } = this;
    const [start, end] = [batch.labelStart[series], batch.labelEnd[series]];
    const route = routes.find(bytes, start, end);
    if (route >= 0) return route;
    const place = leaky.find(routes.hashHigh, routes.hashLow);
    if (place >= 0) return -1 - place;
    const shared = this.remainders.find(bytes, start, end);
    if (shared) return this.share(shared, bytes, start, end, source);
    const raw = parseSeriesLabels(batch.labelBytes(series));
    const verdict = this.judge(raw, source);
    if (verdict.kind === 'refuse') {
      throw new BarographError({ code: verdict.code, status: 400, where: 'series', got: verdict.message });
    }
    const [hi, lo] = [routes.hashHigh, routes.hashLow];
    const before = this.before && this.wayBefore(this.before, bytes, start, end, hi, lo);
    if (verdict.kind === 'drop') {
      leaky.set(hi, lo, DROPPED, -1);
      if (before) door.handOver(before, joinedWay(-1, -1, hi, lo));
      return -1 - leaky.find(hi, lo);
    }
    if (verdict.kind === 'keep') {
      const type = door.typeOf(labelValue(raw, METRIC_NAME));
      const { id, fleetSlot } = door.claim(raw, verdict.labels, type, verdict.fleet);
      if (before) door.handOver(before, door.wayOf(id, fleetSlot, hi, lo));
      return routes.add(bytes, start, end, { series: id, fleetSlot });
    }
    const fleetOutput = verdict.fleet ? door.openOutput(verdict.fleet.labels, verdict.fleet.rule) : -1;
    const output = door.openOutput(verdict.labels, verdict.rule);
    leaky.set(hi, lo, output, fleetOutput);
    if (verdict.shared) this.remainders.add(bytes, { shared: verdict.shared, output, fleetOutput });
    if (before) door.handOver(before, joinedWay(output, fleetOutput, hi, lo));
    return -1 - leaky.find(hi, lo);
  }

  /** Sends a series where others went of which the same labels are left, and counts it as if it were judged. */
  private share(route: SharedRoute, bytes: Buffer, start: number, end: number, source: Source): number {
    const { door, routes, leaky, remainders } = this;
    const { hashHigh: hi, hashLow: lo } = routes;
    const counts = door.governor.shared;
    counts.begin(route.shared, source, mixed(hi ^ lo));
    const { goneCount, goneRules, goneNames, goneHashes } = remainders;
    for (let i = 0; i < goneCount; i++) counts.remove(goneRules[i], goneNames[i], goneHashes[i], source);
    leaky.set(hi, lo, route.output, route.fleetOutput);
    const before = this.before && this.wayBefore(this.before, bytes, start, end, hi, lo);
    if (before) door.handOver(before, joinedWay(route.output, route.fleetOutput, hi, lo));
    return -1 - leaky.find(hi, lo);
  }

  private newRemainders(): RemainderRoutes {
    const { governor } = this.door;
    return new RemainderRoutes(governor.ruleByName, 4 * governor.policy.limits.labelsPerSeries);
  }

  /** Forgets the routes of another policy. */
  private renew(): void {
    const { generation } = this.door.governor;
    if (this.before && performance.now() > this.before.untilMs) this.before = undefined;
    if (generation === this.generation) return;
    this.generation = generation;
    this.before = { routes: this.routes, leaky: this.leaky, untilMs: performance.now() + HANDOVER_MS };
    this.routes = new SeriesRoutes();
    this.leaky = new LeakyRoutes();
    this.remainders = this.newRemainders();
  }

  /** Where the policy before sent a series, or `undefined` where it is new or was left out. */
  private wayBefore(
    { routes, leaky }: { routes: SeriesRoutes; leaky: LeakyRoutes },
    bytes: Buffer,
    start: number,
    end: number,
    hi: number,
    lo: number,
  ): SeriesWay | undefined {
    const route = routes.find(bytes, start, end);
    if (route >= 0) return this.door.wayOf(routes.series[route], routes.fleetSlots[route], hi, lo);
    const place = leaky.find(hi, lo);
    if (place < 0 || leaky.output(place) === DROPPED) return undefined;
    return joinedWay(leaky.output(place), leaky.fleetOutput(place), hi, lo);
  }

  private outputsOf(route: number): number[] {
    const place = -1 - route;
    if (this.leaky.output(place) === DROPPED) return [];
    const fleetOutput = this.leaky.fleetOutput(place);
    return fleetOutput < 0 ? [this.leaky.output(place)] : [this.leaky.output(place), fleetOutput];
  }

  private judge(labels: Labels, source: Source) {
    const hash = mixed(this.routes.hashHigh ^ this.routes.hashLow);
    return this.door.governor.judgeSeries(labels, this.door.typeOf(labelValue(labels, METRIC_NAME)), source, hash);
  }
}

function refuse(error: unknown, outcome: BatchOutcome): void {
  if (!(error instanceof BarographError)) throw error;
  outcome.refused++;
  outcome.reason ??= error.message;
}
