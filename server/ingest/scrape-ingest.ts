import {
  BarographError,
  type Exemplar,
  type Labels,
  labelsKey,
  type MetricMetadata,
  type MetricType,
  type NativeHistogram,
  NO_LABELS,
} from '../model/index.ts';
import { withSeriesIds } from './exemplar-ids.ts';
import { joinedWay, type SeriesWay } from './handover.ts';
import type { SeriesDoor } from './otlp-metrics.ts';
import { hashText } from './series-routes.ts';

/** Where the samples of a scraped series go, as governance decided once. The scraper keeps it with the series. */
export interface ScrapeRoute {
  /**
   * `joined`: something was removed, so it is added up with others; `refused`: it isn't stored; `dropped`: nor is it, but
   * because a relabelling rule of the policy says so.
   */
  readonly kind: 'clean' | 'joined' | 'refused' | 'dropped';
  /** The stored series, which of a joined one its exemplars belong to; −1 where refused. */
  readonly id: number;
  /** Of a clean series: its slot at the fleet level, or −1. */
  readonly fleetSlot: number;
  /** Of a joined series: the outputs that it is added to; −1 for none. */
  readonly output: number;
  readonly fleetOutput: number;
  /** The 64-bit hash of the labels before governance, by which an output knows its inputs. */
  readonly hashHigh: number;
  readonly hashLow: number;
  /** IDs of a request that were labels of the raw series, as labels; its exemplars keep them. */
  readonly ids: Labels;
}

/** Metrics whose metadata is remembered, so that it isn't governed again with each scrape. */
const MAX_METADATA = 20_000;
const MAX_METADATA_CHARACTERS = 2000;

/**
 * The way of scraped series through governance and aggregation into the writer's buffer. Everything between two `await`s
 * of the caller belongs to one commit.
 */
export class ScrapeIngest {
  private readonly door: SeriesDoor;
  private readonly metadata = new Map<string, { readonly said: MetricMetadata; readonly governed: MetricMetadata }>();

  constructor(door: SeriesDoor) {
    this.door = door;
  }

  /**
   * Refuses further samples while too much waits for the disk.
   * @throws BarographError `overloaded` (503).
   */
  assertRoom(): void {
    this.door.store.writer.assertRoom();
  }

  /** Resolves once everything that was taken before the call is durable. @throws BarographError `commit_failed`. */
  commit(): Promise<void> {
    return this.door.store.writer.commit();
  }

  /** The 64-bit hash by which a series is known, as two 32-bit words. */
  hashOf(labels: Labels): { hi: number; lo: number } {
    return hashText(labelsKey(labels));
  }

  /** Goes up with each policy: routes that were opened under an older one no longer hold. */
  get generation(): number {
    return this.door.governor.generation;
  }

  /** Goes on with a series where another policy sends it. */
  handOver(from: ScrapeRoute, to: ScrapeRoute): void {
    if (from.kind === 'refused' || from.kind === 'dropped') return;
    if (from.kind === to.kind && from.id === to.id && from.output === to.output) return;
    this.door.handOver(this.wayOf(from), this.wayOf(to));
  }

  /** Judges a series; called once for each that a target didn't have before. */
  open(labels: Labels, type: MetricType): ScrapeRoute {
    const { door } = this;
    const { hi, lo } = this.hashOf(labels);
    const none = { id: -1, fleetSlot: -1, output: -1, fleetOutput: -1, hashHigh: hi, hashLow: lo, ids: NO_LABELS };
    try {
      const verdict = door.governor.judgeSeries(labels, type, 'scrape');
      // Whatever else governance says of a series, it isn't stored.
      if (verdict.kind !== 'keep' && verdict.kind !== 'aggregate') return { ...none, kind: 'refused' };
      if (verdict.kind === 'keep')
        return { ...none, kind: 'clean', ...door.claim(labels, verdict.labels, type, verdict.fleet) };
      const fleetOutput = verdict.fleet ? door.openOutput(verdict.fleet.labels, verdict.fleet.rule) : -1;
      const id = door.store.series.resolve(verdict.labels);
      const ids = withSeriesIds(NO_LABELS, labels);
      return { ...none, ids, kind: 'joined', id, output: door.openOutput(verdict.labels, verdict.rule), fleetOutput };
    } catch (error) {
      // A series that finds no room is refused; the rest of the scrape goes on.
      if (error instanceof BarographError) return { ...none, kind: 'refused' };
      throw error;
    }
  }

  /**
   * Takes a sample.
   * @param low the lower half of the value's bits, and `high` the upper one, so that staleness markers survive
   * @param startMs milliseconds since the epoch from which a counter counts; 0 where nobody said
   */
  sample(route: ScrapeRoute, ms: number, value: number, low: number, high: number, startMs: number): void {
    switch (route.kind) {
      case 'clean':
        this.door.takeClean(route.id, route.fleetSlot, ms, value, low, high, startMs);
        return;
      case 'joined':
        this.add(route, route.output, ms, value, startMs);
        if (route.fleetOutput >= 0) this.add(route, route.fleetOutput, ms, value, startMs);
        return;
      case 'refused':
      case 'dropped':
    }
  }

  /** Takes a native histogram. */
  histogram(route: ScrapeRoute, ms: number, histogram: NativeHistogram, startMs: number): void {
    const { door } = this;
    switch (route.kind) {
      case 'clean':
        door.takeCleanHistogram(route.id, route.fleetSlot, ms, histogram, startMs);
        return;
      case 'joined':
        for (const output of [route.output, route.fleetOutput]) {
          if (output < 0) continue;
          const slot = door.aggregator.inputByHash(output, route.hashHigh, route.hashLow);
          door.aggregator.addHistogram(slot, ms, histogram, startMs);
        }
        return;
      case 'refused':
      case 'dropped':
    }
  }

  /** Takes an exemplar; that of a series that joins another one belongs to the series that it became. */
  exemplar(route: ScrapeRoute, exemplar: Exemplar): void {
    if (route.id < 0) return;
    const { governor, store } = this.door;
    const labels = governor.governExemplar(withSeriesIds(exemplar.labels, route.ids), 'scrape');
    store.writer.buffer.pushExemplar(this.door.storedId(route.id), { ...exemplar, labels });
  }

  /**
   * Takes what targets say of a metric; what was said before costs a look.
   * @returns What governance leaves of it, the same object for what was said before; `undefined` for what is too long or
   * not kept.
   */
  describe(metadata: MetricMetadata): MetricMetadata | undefined {
    const { metric, type, help, unit } = metadata;
    if (metric.length + help.length + unit.length > MAX_METADATA_CHARACTERS) return undefined;
    const known = this.metadata.get(metric);
    if (known?.said.type === type && known.said.help === help && known.said.unit === unit) return taken(known.governed);
    if (this.metadata.size >= MAX_METADATA) this.metadata.clear();
    const governed = this.door.governor.governMetadata(metadata, 'scrape');
    this.metadata.set(metric, { said: metadata, governed });
    if (governed.metric !== '') this.door.takeMetadata(governed);
    return taken(governed);
  }

  private wayOf({ kind, id, fleetSlot, output, fleetOutput, hashHigh, hashLow }: ScrapeRoute): SeriesWay {
    if (kind === 'clean') return this.door.wayOf(id, fleetSlot, hashHigh, hashLow);
    return joinedWay(output, fleetOutput, hashHigh, hashLow);
  }

  private add(route: ScrapeRoute, output: number, ms: number, value: number, startMs: number): void {
    const { aggregator } = this.door;
    aggregator.add(aggregator.inputByHash(output, route.hashHigh, route.hashLow), ms, value, startMs);
  }
}

function taken(governed: MetricMetadata): MetricMetadata | undefined {
  return governed.metric === '' ? undefined : governed;
}
