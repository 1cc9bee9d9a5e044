import { type AggregationRule, Aggregator, type Governor, type SeriesVerdict, type Source } from '../govern/index.ts';
import {
  BarographError,
  type Labels,
  labelValue,
  METRIC_NAME,
  type MetricMetadata,
  type MetricType,
} from '../model/index.ts';
import type { Store } from '../store/index.ts';
import { decodeWriteRequest, type MetricPoints, parseSeriesLabels, WriteRequestBatch } from '../wire/index.ts';
import { CLEAN_KEY, PointIngest, type SeriesDoor } from './otlp-metrics.ts';
import { LeakyRoutes, SeriesRoutes } from './series-routes.ts';

/** What a request came to. */
export interface IngestOutcome {
  readonly accepted: number;
  readonly rejected: number;
  /** Why the first of the rejected was; `undefined` where none was. */
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
  readonly aggregator: Aggregator;
  private readonly batch = new WriteRequestBatch();
  private readonly routes = new SeriesRoutes();
  private readonly leaky = new LeakyRoutes();
  private readonly types = new Map<string, MetricType>();
  private readonly metadata = new Map<string, string>();
  /** By stored series: the output of the aggregator that it is, plus one; 0 where it is written as it comes. */
  private outputOf = new Uint32Array(4096);
  /** By stored series: its last value and time, from which an output goes on that others join later. */
  private lastValue = new Float64Array(4096);
  private lastMs = new Float64Array(4096);
  /** By stored series: its slot at the fleet level plus one; 0 where it has none. */
  private fleetSlotOf = new Uint32Array(4096);
  private readonly pointIngest = new PointIngest(this);

  private constructor(store: Store, governor: Governor) {
    this.store = store;
    this.governor = governor;
    this.aggregator = new Aggregator();
    store.writer.beforeCommit = () => this.drain();
  }

  /** Opens the way for metrics; takes up the state of aggregation where the last process left it. */
  static async open(store: Store, governor: Governor, nowMs: number): Promise<MetricIngest> {
    const ingest = new MetricIngest(store, governor);
    await ingest.restore(nowMs);
    return ingest;
  }

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
    const { batch } = this;
    decodeWriteRequest(body, batch);
    for (const metadata of batch.metadata) {
      const governed = this.governor.governMetadata(metadata, 'remote_write');
      if (governed.metric !== '') this.takeMetadata(governed);
    }
    return this.takeSeries('remote_write');
  }

  /**
   * Ingests decoded OTLP metrics; durable once the store commits.
   * @throws BarographError `overloaded` (nothing was taken).
   */
  points(points: MetricPoints): IngestOutcome {
    return this.pointIngest.take(points);
  }

  private takeSeries(source: Source): IngestOutcome {
    const { batch, routes, store } = this;
    const { sampleSeries, sampleTimestampMs, sampleBits, sampleValue, sampleCount, seriesCount } = batch;
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    let [rejected, at] = [0, 0];
    let reason: string | undefined;
    routes.restart();
    for (let series = 0; series < seriesCount; series++) {
      let end = at;
      while (end < sampleCount && sampleSeries[end] === series) end++;
      const route = routes.find(bytes, batch.labelStart[series], batch.labelEnd[series]);
      if (route >= 0) {
        const id = routes.series[route];
        const fleetSlot = routes.fleetSlots[route];
        for (let row = at; row < end; row++) {
          this.takeClean(
            id,
            fleetSlot,
            sampleTimestampMs[row],
            sampleValue[row],
            sampleBits[2 * row],
            sampleBits[2 * row + 1],
            0,
          );
        }
      } else {
        try {
          this.takeUnseen(source, bytes, series, at, end);
        } catch (error) {
          if (!(error instanceof BarographError)) throw error;
          rejected += end - at;
          reason ??= error.message;
        }
      }
      at = end;
    }
    for (const { series, timestampMs, histogram } of batch.histograms) {
      const verdict = this.judge(source, parseSeriesLabels(batch.labelBytes(series)));
      if (verdict.kind === 'keep') {
        store.writer.buffer.pushHistogram(store.series.resolve(verdict.labels), timestampMs, histogram);
      } else if (verdict.kind === 'aggregate') {
        const output = this.openOutput(verdict.labels, verdict.rule);
        routes.find(bytes, batch.labelStart[series], batch.labelEnd[series]);
        const slot = this.aggregator.inputByHash(output, routes.hashHigh, routes.hashLow);
        this.aggregator.addHistogram(slot, timestampMs, histogram, 0);
      }
    }
    for (const { series, exemplar } of batch.exemplars) {
      const verdict = this.judge(source, parseSeriesLabels(batch.labelBytes(series)));
      if (verdict.kind === 'refuse') continue;
      const labels = this.governor.governExemplar(exemplar.labels, source);
      store.writer.buffer.pushExemplar(store.series.resolve(verdict.labels), { ...exemplar, labels });
    }
    return { accepted: sampleCount - rejected, rejected, reason };
  }

  /** A sample of a series that needs no change; `startMs` is when its counter began, 0 where nobody said. */
  takeClean(
    id: number,
    fleetSlot: number,
    ms: number,
    value: number,
    low: number,
    high: number,
    startMs: number,
  ): void {
    if (id >= this.outputOf.length) this.growSeries(id);
    const output = this.outputOf[id];
    if (output === 0) {
      this.store.writer.buffer.pushSampleBits(id, ms, low, high);
      this.lastValue[id] = value;
      this.lastMs[id] = ms;
    } else {
      this.aggregator.add(this.aggregator.inputByHash(output - 1, CLEAN_KEY, CLEAN_KEY), ms, value, startMs);
    }
    if (fleetSlot >= 0) this.aggregator.add(fleetSlot, ms, value, startMs);
  }

  private takeUnseen(source: Source, bytes: Buffer, series: number, from: number, to: number): void {
    const { batch, routes, leaky } = this;
    const { sampleTimestampMs, sampleValue, sampleBits } = batch;
    const { hashHigh, hashLow } = routes;
    let place = leaky.find(hashHigh, hashLow);
    if (place < 0) {
      const verdict = this.judge(source, parseSeriesLabels(batch.labelBytes(series)));
      if (verdict.kind === 'refuse') throw refused(verdict);
      const fleetOutput = verdict.fleet ? this.openOutput(verdict.fleet.labels, verdict.fleet.rule) : -1;
      if (verdict.kind === 'keep') {
        const id = this.store.series.resolve(verdict.labels);
        const fleetSlot = fleetOutput < 0 ? -1 : this.fleetSlot(fleetOutput, id);
        routes.add(bytes, batch.labelStart[series], batch.labelEnd[series], { series: id, fleetSlot });
        for (let row = from; row < to; row++) {
          this.takeClean(
            id,
            fleetSlot,
            sampleTimestampMs[row],
            sampleValue[row],
            sampleBits[2 * row],
            sampleBits[2 * row + 1],
            0,
          );
        }
        return;
      }
      leaky.set(hashHigh, hashLow, this.openOutput(verdict.labels, verdict.rule), fleetOutput);
      place = leaky.find(hashHigh, hashLow);
    }
    const slot = this.aggregator.inputByHash(leaky.output(place), hashHigh, hashLow);
    for (let row = from; row < to; row++) this.aggregator.add(slot, sampleTimestampMs[row], sampleValue[row], 0);
    const fleetOutput = leaky.fleetOutput(place);
    if (fleetOutput < 0) return;
    const fleetSlot = this.aggregator.inputByHash(fleetOutput, hashHigh, hashLow);
    for (let row = from; row < to; row++) this.aggregator.add(fleetSlot, sampleTimestampMs[row], sampleValue[row], 0);
  }

  private judge(source: Source, labels: Labels): SeriesVerdict {
    const metric = labelValue(labels, METRIC_NAME);
    return this.governor.judgeSeries(labels, this.typeOf(metric), source);
  }

  private typeOf(metric: string): MetricType {
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

  /** The output that is a stored series; one that was written as it came goes on from its last value. */
  openOutput(labels: Labels, rule: AggregationRule): number {
    const id = this.store.series.resolve(labels);
    if (id >= this.outputOf.length) this.growSeries(id);
    if (this.outputOf[id] > 0) return this.outputOf[id] - 1;
    const wasWritten = this.lastMs[id] !== 0;
    const last = { value: this.lastValue[id], timestampMs: this.lastMs[id] };
    const output = this.aggregator.output(id, rule, wasWritten ? last : undefined);
    if (wasWritten) this.aggregator.restoreInput(output, CLEAN_KEY, CLEAN_KEY, last.value, 0, last.timestampMs);
    this.outputOf[id] = output + 1;
    return output;
  }

  /** The output that a stored series is, or −1 where it is written as it comes. */
  outputOfSeries(id: number): number {
    return id < this.outputOf.length ? this.outputOf[id] - 1 : -1;
  }

  /** The slot with which a stored series feeds the fleet level, one a series; it goes on from the series' last sample. */
  fleetSlot(output: number, id: number): number {
    if (id >= this.outputOf.length) this.growSeries(id);
    if (this.fleetSlotOf[id] > 0) return this.fleetSlotOf[id] - 1;
    const slot = this.aggregator.input(output);
    this.fleetSlotOf[id] = slot + 1;
    if (id < this.lastMs.length && this.lastMs[id] !== 0) {
      this.aggregator.restoreSlotLast(slot, this.lastValue[id], this.lastMs[id]);
    }
    return slot;
  }

  private growSeries(id: number): void {
    const capacity = Math.max(this.outputOf.length * 2, id + 1);
    const outputs = new Uint32Array(capacity);
    outputs.set(this.outputOf);
    this.outputOf = outputs;
    const values = new Float64Array(capacity);
    values.set(this.lastValue);
    this.lastValue = values;
    const times = new Float64Array(capacity);
    times.set(this.lastMs);
    this.lastMs = times;
    const slots = new Uint32Array(capacity);
    slots.set(this.fleetSlotOf);
    this.fleetSlotOf = slots;
  }

  /** Hands what was added up to the commit that is about to begin. */
  private drain(): void {
    const { buffer } = this.store.writer;
    this.aggregator.drain(
      (series, ms, value) => buffer.pushSample(series, ms, value),
      (series, ms, histogram) => buffer.pushHistogram(series, ms, histogram),
    );
    this.aggregator.drainInputs((output, high, low, last, startMs, ms) =>
      buffer.pushAggregateInput(output, high, low, last, startMs, ms),
    );
  }

  private async restore(nowMs: number): Promise<void> {
    const { store } = this;
    for (const { metric, type } of await store.storedMetadata()) this.types.set(metric, type);
    for (const { series, timestampMs, value } of store.lastSamples(nowMs - RESTORE_WINDOW_MS)) {
      if (series >= this.outputOf.length) this.growSeries(series);
      this.lastValue[series] = value;
      this.lastMs[series] = timestampMs;
    }
    const labels = await store.storedSeries();
    for (const set of labels) this.governor.rememberSeries(set);
    const inputs = await store.aggregateInputs();
    for (const input of inputs) {
      const series = labels[input.output];
      if (!series) continue;
      const metric = labelValue(series, METRIC_NAME);
      const verdictRule = this.governor.ruleOf(metric, this.typeOf(metric));
      if (this.outputOf[input.output] === 0) {
        const last = { value: this.lastValue[input.output], timestampMs: this.lastMs[input.output] };
        const output = this.aggregator.output(input.output, verdictRule, last.timestampMs === 0 ? undefined : last);
        this.outputOf[input.output] = output + 1;
      }
      const output = this.outputOf[input.output] - 1;
      this.aggregator.restoreInput(output, input.hi, input.lo, input.last, input.startMs, input.timestampMs);
    }
  }
}

function refused(verdict: { code: string; message: string }): BarographError {
  return new BarographError({ code: verdict.code, status: 400, where: 'series', got: verdict.message });
}
