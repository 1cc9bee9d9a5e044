import { type AggregationRule, Aggregator, type FleetTarget, type Governor } from '../govern/index.ts';
import {
  type Labels,
  labelValue,
  METRIC_NAME,
  type MetricMetadata,
  type MetricType,
  type NativeHistogram,
} from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { decodeWriteRequest, decodeWriteRequestV2, type MetricPoints, WriteRequestBatch } from '../wire/index.ts';
import { BatchIngest } from './batch-ingest.ts';
import { cleanWay, Handover, joinedWay, type SeriesWay } from './handover.ts';
import { PointIngest, type SeriesDoor } from './otlp-metrics.ts';
import { type ClaimedSeries, FIRST_JOINED, RenamedSeries } from './renamed-series.ts';
import { WrittenSeries } from './written-series.ts';

/** What a request came to. */
export interface IngestOutcome {
  readonly accepted: number;
  readonly rejected: number;
  /** Why the first of the rejected was; `undefined` where none was. */
  readonly reason: string | undefined;
}

/** What a remote-write 2.0 request came to: how much was taken of what it held. */
export interface WriteV2Outcome {
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** Series that were refused whole or in part. */
  readonly refused: number;
  /** Why the first of them was; `undefined` where none was. */
  readonly reason: string | undefined;
}

/** How far back the store is read at start for the last samples of series, milliseconds. */
const RESTORE_WINDOW_MS = 6 * 3_600_000;

/**
 * Takes decoded metrics to the store: finds each raw series' route, judges those never seen, adds up what became equal
 * and feeds the fleet level. Synchronous between a request's decoding and its commit, so requests never interleave.
 */
export class MetricIngest implements SeriesDoor {
  readonly store: Store;
  readonly governor: Governor;
  readonly aggregator = new Aggregator();
  private readonly written = new WrittenSeries();
  private readonly batch = new WriteRequestBatch();
  private readonly batchIngest: BatchIngest;
  private readonly pointIngest: PointIngest;
  private readonly types = new Map<string, MetricType>();
  private readonly metadata = new Map<string, string>();
  private readonly handover: Handover;
  private readonly renamed: RenamedSeries;

  private constructor(store: Store, governor: Governor) {
    this.store = store;
    this.governor = governor;
    this.batchIngest = new BatchIngest(this);
    this.pointIngest = new PointIngest(this);
    this.handover = new Handover(store, this.aggregator, this.written);
    this.renamed = new RenamedSeries({
      store,
      aggregator: this.aggregator,
      written: this.written,
      openOutput: (labels, rule) => this.openOutput(labels, rule),
      fleetSlot: (output, id) => this.fleetSlot(output, id),
    });
    governor.knowSeries({
      get size() {
        return store.series.size;
      },
      has: (labels) => store.series.find(labels) !== undefined,
    });
    store.series.onNew = (labels) => {
      governor.countStored(labels);
      governor.census.cost.addSeries(store.series.size - 1, labels);
    };
    store.writer.beforeCommit = () => this.drain();
  }

  /** Opens the way for metrics; takes up the state of aggregation where the last process left it. */
  static async open(store: Store, governor: Governor, nowMs: number): Promise<MetricIngest> {
    const ingest = new MetricIngest(store, governor);
    await ingest.restore(nowMs);
    return ingest;
  }

  /** Samples before the last one of their series, and at its very time; the one written last counts. */
  outOfOrder = 0;
  duplicates = 0;

  /** Counts of the aggregator, for the program's own metrics. */
  get stats(): Aggregator['stats'] {
    return this.aggregator.stats;
  }

  /**
   * Ingests an uncompressed remote-write 1.0 request; durable once the store commits.
   * @throws BarographError `malformed` (nothing was taken), `overloaded`.
   */
  remoteWrite(body: Buffer): IngestOutcome {
    this.store.writer.assertRoom();
    decodeWriteRequest(body, this.batch);
    const { samples, histograms, refused, reason } = this.batchIngest.take(this.batch, 'remote_write');
    const total = this.batch.sampleCount + this.batch.histograms.length;
    return {
      accepted: samples + histograms,
      rejected: total - samples - histograms,
      reason: refused > 0 ? reason : undefined,
    };
  }

  /**
   * Ingests an uncompressed remote-write 2.0 request; what is right in it is durable once the store commits.
   * @throws BarographError `malformed`, `too_large` (nothing was taken), `overloaded`.
   */
  remoteWriteV2(body: Buffer): WriteV2Outcome {
    this.store.writer.assertRoom();
    const report = decodeWriteRequestV2(body, this.batch);
    const { batch } = this;
    const taken = this.batchIngest.take(batch, 'remote_write');
    const first = report.refused[0];
    return {
      samples: report.samples - (batch.sampleCount - taken.samples),
      histograms: report.histograms - (batch.histograms.length - taken.histograms),
      exemplars: report.exemplars - (batch.exemplars.length - taken.exemplars),
      refused: report.refusedCount + taken.refused,
      reason: first ? `series ${first.series}: ${first.reason}` : taken.reason,
    };
  }

  /**
   * Ingests decoded OTLP metrics; durable once the store commits.
   * @throws BarographError `overloaded` (nothing was taken).
   */
  points(points: MetricPoints): IngestOutcome {
    return this.pointIngest.take(points);
  }

  takeClean(
    id: number,
    fleetSlot: number,
    ms: number,
    value: number,
    low: number,
    high: number,
    startMs: number,
  ): void {
    if (id >= FIRST_JOINED) {
      this.takeJoined(id, ms, value, startMs);
      return;
    }
    const { written } = this;
    const output = written.output(id);
    if (output < 0) {
      this.store.writer.buffer.pushSampleBits(id, ms, low, high);
      const lastMs = written.noteSample(id, ms, value);
      if (ms < lastMs) this.outOfOrder++;
      else if (ms === lastMs) this.duplicates++;
    } else {
      const slot = this.aggregator.inputByHash(output, written.ownerHigh(id), written.ownerLow(id));
      this.aggregator.add(slot, ms, value, startMs);
    }
    if (fleetSlot >= 0) this.aggregator.add(fleetSlot, ms, value, startMs);
  }

  takeCleanHistogram(id: number, fleetSlot: number, ms: number, histogram: NativeHistogram, startMs: number): void {
    const { aggregator, written } = this;
    const joined = this.renamed.find(id);
    if (joined) {
      for (const output of [joined.output, joined.fleetOutput]) {
        if (output < 0) continue;
        aggregator.addHistogram(aggregator.inputByHash(output, joined.hi, joined.lo), ms, histogram, startMs);
      }
      return;
    }
    const output = written.output(id);
    if (output < 0) {
      this.store.writer.buffer.pushHistogram(id, ms, histogram);
      written.noteHistogram(id, ms, histogram);
    } else {
      const slot = aggregator.inputByHash(output, written.ownerHigh(id), written.ownerLow(id));
      aggregator.addHistogram(slot, ms, histogram, startMs);
    }
    if (fleetSlot >= 0) aggregator.addHistogram(fleetSlot, ms, histogram, startMs);
  }

  claim(raw: Labels, labels: Labels, type: MetricType, fleet: FleetTarget | undefined): ClaimedSeries {
    return this.renamed.claim(raw, labels, this.governor.ruleOf(labelValue(labels, METRIC_NAME), type), fleet);
  }

  storedId(id: number): number {
    return this.renamed.find(id)?.id ?? id;
  }

  wayOf(id: number, fleetSlot: number, hi: number, lo: number): SeriesWay {
    const joined = this.renamed.find(id);
    return joined
      ? joinedWay(joined.output, joined.fleetOutput, joined.hi, joined.lo)
      : cleanWay(id, fleetSlot, hi, lo);
  }

  private takeJoined(id: number, ms: number, value: number, startMs: number): void {
    const { aggregator } = this;
    const joined = this.renamed.find(id);
    if (!joined) return;
    const { output, fleetOutput, hi, lo } = joined;
    aggregator.add(aggregator.inputByHash(output, hi, lo), ms, value, startMs);
    if (fleetOutput >= 0) aggregator.add(aggregator.inputByHash(fleetOutput, hi, lo), ms, value, startMs);
  }

  typeOf(metric: string): MetricType {
    const known = this.types.get(metric);
    if (known !== undefined) return known;
    const base = metric.replace(/_(bucket|sum|count|total)$/, '');
    return this.types.get(base) ?? 'unknown';
  }

  takeMetadata(metadata: MetricMetadata): void {
    const key = JSON.stringify(metadata);
    if (this.metadata.get(metadata.metric) === key) return;
    this.metadata.set(metadata.metric, key);
    this.types.set(metadata.metric, metadata.type);
    this.store.writer.buffer.pushMetadata(metadata);
  }

  openOutput(labels: Labels, rule: AggregationRule): number {
    const id = this.store.series.resolve(labels);
    const known = this.written.output(id);
    if (known >= 0) return known;
    const { aggregator } = this;
    const last = this.written.lastSample(id);
    const resolutionMs = this.governor.resolutionOf(labelValue(labels, METRIC_NAME));
    const output = aggregator.output(id, rule, last, resolutionMs);
    const [hi, lo] = [this.written.ownerHigh(id), this.written.ownerLow(id)];
    if (last) aggregator.restoreInput(output, hi, lo, last.value, 0, last.timestampMs);
    const histogram = this.written.lastHistogram(id);
    if (histogram) {
      aggregator.restoreOutputHistogram(output, histogram.histogram, histogram.timestampMs);
      const slot = aggregator.inputByHash(output, hi, lo);
      aggregator.restoreSlotHistogram(slot, histogram.histogram, histogram.timestampMs);
    }
    this.written.setOutput(id, output);
    return output;
  }

  fleetSlot(output: number, id: number): number {
    const known = this.written.fleetSlot(id);
    if (known >= 0) return known;
    const slot = this.aggregator.input(output);
    this.written.setFleetSlot(id, slot);
    const { written, aggregator } = this;
    const joined = written.output(id);
    // Of a series that others join, what is stored is the sum of all.
    const last =
      joined < 0 ? written.lastSample(id) : aggregator.lastOfInput(joined, written.ownerHigh(id), written.ownerLow(id));
    if (last) aggregator.restoreSlotLast(slot, last.value, last.timestampMs);
    const histogram = this.written.lastHistogram(id);
    if (histogram) this.aggregator.restoreSlotHistogram(slot, histogram.histogram, histogram.timestampMs);
    return slot;
  }

  handOver(from: SeriesWay, to: SeriesWay): void {
    this.handover.go(from, to);
  }

  /** Hands what was added up to the commit that is about to begin. */
  private drain(): void {
    const { buffer } = this.store.writer;
    this.aggregator.drain(
      (series, ms, value) => buffer.pushSample(series, ms, value),
      (series, ms, histogram) => buffer.pushHistogram(series, ms, histogram),
    );
    this.aggregator.drainInputs(
      (...input) => buffer.pushAggregateInput(...input),
      (...input) => buffer.pushAggregateHistogram(...input),
    );
    const { cost } = this.governor.census;
    cost.addSamples(buffer.samples.series, buffer.samples.count);
    buffer.visitHistograms((series, bytes) => cost.addHistogram(series, bytes));
  }

  private async restore(nowMs: number): Promise<void> {
    const { store, aggregator, written } = this;
    const sinceMs = nowMs - RESTORE_WINDOW_MS;
    for (const { metric, type } of await store.storedMetadata()) this.types.set(metric, type);
    for (const { series, timestampMs, value } of store.lastSamples(sinceMs)) {
      written.noteSample(series, timestampMs, value);
    }
    for (const { series, timestampMs, histogram } of await store.lastHistograms(sinceMs)) {
      written.noteHistogram(series, timestampMs, histogram);
    }
    let id = 0;
    for (const labels of store.series.committed()) {
      this.governor.rememberSeries(labels);
      this.governor.census.cost.addSeries(id++, labels);
    }
    await store.aggregateInputs((id, hi, lo, last, startMs, timestampMs) => {
      const output = this.restoreOutput(id, store.series.labels(id));
      if (output >= 0) aggregator.restoreInput(output, hi, lo, last, startMs, timestampMs);
    });
    await store.rememberInputs((visit) => aggregator.visitInputs(visit));
    for (const { output: id, hi, lo, last, startMs, timestampMs } of await store.aggregateHistograms()) {
      const output = this.restoreOutput(id, store.series.labels(id));
      if (output < 0) continue;
      aggregator.restoreSlotHistogram(aggregator.inputByHash(output, hi, lo), last, timestampMs, startMs);
    }
  }

  /** Opens an output of the last process; its inputs are restored one by one, so its own last value is none of them. */
  private restoreOutput(id: number, labels: Labels | undefined): number {
    if (!labels) return -1;
    const known = this.written.output(id);
    if (known >= 0) return known;
    const metric = labelValue(labels, METRIC_NAME);
    const rule = this.governor.ruleOf(metric, this.typeOf(metric));
    const output = this.aggregator.output(id, rule, this.written.lastSample(id), this.governor.resolutionOf(metric));
    const histogram = this.written.lastHistogram(id);
    if (histogram) this.aggregator.restoreOutputHistogram(output, histogram.histogram, histogram.timestampMs);
    this.written.setOutput(id, output);
    return output;
  }
}
