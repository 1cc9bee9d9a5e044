import type { ScrapeIngest, ScrapeRoute } from '../ingest/index.ts';
import {
  BarographError,
  type Exemplar,
  equalLabels,
  hasCustomBounds,
  type Labels,
  type MetricMetadata,
  type NativeHistogram,
  reduceSchema,
  setStale,
} from '../model/index.ts';
import type { ScrapeBatch } from '../wire/index.ts';
import type { ScrapeJob } from './config.ts';
import { failure, type ScrapeFailure } from './failure.ts';
import { emptyLabelNames, sampleLabels } from './sample-labels.ts';
import { ENTRY_BYTES, type ScrapedSeries, SeriesCache } from './series-cache.ts';

/** What is kept of a target from one scrape to the next. */
export class TargetMemory {
  readonly cache = new SeriesCache();
  /** Scrapes that were taken or failed so far. */
  scrapes = 0;
  /** Routes of the series that scraping itself makes, by metric. */
  readonly reports = new Map<string, ScrapeRoute>();
  /** What the last scrape that was taken said of its metrics, in its order. */
  metadata: readonly MetricMetadata[] = [];
  /** Bytes that `metadata` takes, about; entries that targets share count for each. */
  metadataBytes = 0;
  /** The policy under which its routes were opened. */
  generation = 0;

  /** About how much memory it takes, bytes. */
  get bytes(): number {
    return this.cache.bytes + this.metadataBytes;
  }
}

/** What a scrape came to. */
export interface TakenScrape {
  readonly kind: 'taken';
  /** Samples that the target exposed. */
  readonly scraped: number;
  /** Those that `metric_relabel_configs` left. */
  readonly kept: number;
  /** Series that the scrape before didn't have. */
  readonly added: number;
  /** Samples of a series that was there before them in the same scrape; the first one counts. */
  readonly duplicates: number;
  /** Samples that governance doesn't store. */
  readonly refused: number;
  /** Series that ended. */
  readonly ended: number;
}

/** Says whether the memory of all targets has room for so many bytes more of one target's. */
export type SeriesRoom = (memory: TargetMemory, addedBytes: number) => boolean;

interface NewLine {
  readonly series: number;
  /** `undefined` where the rules drop it. */
  readonly labels: Labels | undefined;
}

interface Looked {
  readonly kind: 'looked';
  /** What the cache doesn't have. */
  readonly lines: readonly NewLine[];
  /** Series among them that the rules drop. */
  readonly dropped: ReadonlySet<number>;
  readonly kept: number;
}

/** What an entry of metadata costs beside its texts, bytes. */
const METADATA_BYTES = 64;

const STALE = new Float64Array(1);
const STALE_BITS = new Uint32Array(STALE.buffer);
setStale(STALE_BITS, 0);

/**
 * Takes decoded scrapes to ingestion, one after the other. A scrape is looked at whole before anything of it is taken:
 * where it is over a limit nothing was, and its series end.
 */
export class BatchTaker {
  readonly #ingest: ScrapeIngest;
  readonly #hasRoom: SeriesRoom;
  /** The cache's entry of each series of the batch. */
  #entries = new Int32Array(1024);

  constructor(ingest: ScrapeIngest, hasRoom: SeriesRoom) {
    this.#ingest = ingest;
    this.#hasRoom = hasRoom;
  }

  /**
   * Takes a scrape, and marks what the target had before and has no longer.
   * @param labels the target's
   * @param ms when it was scraped, milliseconds since the epoch
   */
  take(
    job: ScrapeJob,
    labels: Labels,
    memory: TargetMemory,
    batch: ScrapeBatch,
    ms: number,
  ): TakenScrape | ScrapeFailure {
    this.#renew(memory);
    const bytes = Buffer.from(batch.bytes.buffer, batch.bytes.byteOffset, batch.bytes.byteLength);
    while (this.#entries.length < batch.seriesCount) this.#entries = new Int32Array(this.#entries.length * 2);
    const looked = this.#look(job, labels, memory, batch, bytes);
    if (looked.kind === 'failure') return { ...looked, scraped: batch.seriesCount };
    const histograms = keptHistograms(job, batch, (series) => this.#isKept(memory.cache, series, looked.dropped));
    if (!histograms) {
      return failure('histogram_limit', `native_histogram_bucket_limit exceeded: the limit is ${job.bucketLimit}`);
    }
    const seen = ++memory.scrapes;
    const added = this.#open(memory, batch, bytes, looked.lines, seen);
    this.#describe(memory, batch.metadata);
    const counts = { duplicates: 0, refused: 0 };
    this.#takeSamples(job, memory, batch, seen, counts);
    this.#takeHistograms(job, memory, batch, histograms, seen, counts);
    this.#takeExemplars(memory, batch);
    const ended = this.#endUnseen(memory, seen, ms);
    memory.cache.keepOnly(this.#entries, batch.seriesCount, seen);
    return { kind: 'taken', scraped: batch.seriesCount, kept: looked.kept, added, ended, ...counts };
  }

  /**
   * Marks every series of the last scrape as ended: the target could not be scraped, or is gone. They stay known, because
   * most come back, unless it was memory that was missing.
   * @returns How many.
   */
  endAll(memory: TargetMemory, ms: number, isShortOfMemory = false): number {
    const seen = ++memory.scrapes;
    const ended = this.#endUnseen(memory, seen, ms);
    if (isShortOfMemory) {
      memory.cache.keepOnly(this.#entries, 0, seen);
      memory.metadata = [];
      memory.metadataBytes = 0;
    }
    return ended;
  }

  /** Takes a sample of a series that scraping itself makes; its route is made at its first sample. */
  report(memory: TargetMemory, metric: string, labels: () => Labels, ms: number, value: number): void {
    let route = memory.reports.get(metric);
    if (route === undefined) {
      route = this.#ingest.open(labels(), 'gauge');
      memory.reports.set(metric, route);
    }
    const bits = new Uint32Array(Float64Array.of(value).buffer);
    this.#ingest.sample(route, ms, value, bits[0], bits[1], 0);
  }

  /** Marks the series that scraping itself made as ended: the target is gone. */
  endReports(memory: TargetMemory, ms: number): void {
    for (const route of memory.reports.values()) this.#mark(route, ms);
  }

  /** Has every series judged anew where the policy is another one. */
  #renew(memory: TargetMemory): void {
    const { generation } = this.#ingest;
    if (memory.generation === generation) return;
    memory.generation = generation;
    memory.cache.forgetEntries();
    memory.reports.clear();
  }

  /** Finds every series of the batch, and the labels of those that are new. Changes nothing. */
  #look(
    job: ScrapeJob,
    target: Labels,
    memory: TargetMemory,
    batch: ScrapeBatch,
    bytes: Buffer,
  ): Looked | ScrapeFailure {
    const { cache } = memory;
    const { labelStart, labelEnd, seriesType, seriesCount } = batch;
    const entries = this.#entries;
    const lines: NewLine[] = [];
    const dropped = new Set<number>();
    let [kept, newBytes] = [0, 0];
    cache.restart();
    for (let i = 0; i < seriesCount; i++) {
      const entry = cache.find(bytes, labelStart[i], labelEnd[i], seriesType[i]);
      entries[i] = entry;
      if (entry >= 0) {
        if (cache.seriesOf(entry) !== undefined) kept++;
        continue;
      }
      const verdict = this.#judge(job, target, batch, i);
      if (verdict.kind === 'failure') return verdict;
      if (verdict.labels !== undefined) kept++;
      else dropped.add(i);
      // Past the limit the rest is only counted, so that a scrape that is too large takes no more memory than it may.
      if (job.sampleLimit > 0 && kept > job.sampleLimit) continue;
      lines.push({ series: i, labels: verdict.labels });
      newBytes += labelEnd[i] - labelStart[i] + ENTRY_BYTES;
    }
    if (job.sampleLimit > 0 && kept > job.sampleLimit) {
      const message = `sample_limit exceeded: ${kept} samples, the limit is ${job.sampleLimit}`;
      return { ...failure('sample_limit', message), kept };
    }
    if (lines.length > 0 && !this.#hasRoom(memory, newBytes)) {
      return failure('memory', `${lines.length} new series, for which scraping has no memory left`);
    }
    return { kind: 'looked', lines, dropped, kept };
  }

  #judge(
    job: ScrapeJob,
    target: Labels,
    batch: ScrapeBatch,
    series: number,
  ): { kind: 'judged'; labels: Labels | undefined } | ScrapeFailure {
    try {
      const emptied = job.honorLabels ? emptyLabelNames(batch.labelBytes(series), batch.keyKind) : [];
      const verdict = sampleLabels(job, target, batch.seriesLabels(series), emptied);
      if (verdict.kind === 'refused') return failure(verdict.reason, verdict.message);
      return { kind: 'judged', labels: verdict.kind === 'kept' ? verdict.labels : undefined };
    } catch (error) {
      if (error instanceof BarographError) return failure('bad_labels', error.message);
      throw error;
    }
  }

  #isKept(cache: SeriesCache, series: number, dropped: ReadonlySet<number>): boolean {
    const entry = this.#entries[series];
    return entry >= 0 ? cache.seriesOf(entry) !== undefined : !dropped.has(series);
  }

  /** Remembers the new series. @returns How many were new. */
  #open(memory: TargetMemory, batch: ScrapeBatch, bytes: Buffer, lines: readonly NewLine[], seen: number): number {
    const { cache } = memory;
    let added = 0;
    for (const { series, labels } of lines) {
      const [start, end, type] = [batch.labelStart[series], batch.labelEnd[series], batch.seriesType[series]];
      // The same line may stand in the scrape twice.
      let entry = cache.find(bytes, start, end, type);
      if (entry < 0) {
        let scraped: ScrapedSeries | undefined;
        if (labels !== undefined) {
          const route = this.#ingest.open(labels, batch.typeOf(series));
          const joined = cache.join(route, seen);
          if (joined.isNew) added++;
          if (joined.before) this.#ingest.handOver(joined.before, route);
          scraped = joined.series;
        }
        entry = cache.add(bytes, start, end, type, scraped);
      }
      this.#entries[series] = entry;
    }
    return added;
  }

  /** Takes what the target says of its metrics, and remembers it where there is room. */
  #describe(memory: TargetMemory, said: readonly MetricMetadata[]): void {
    const found: MetricMetadata[] = [];
    let bytes = 0;
    for (const one of said) {
      const metadata = this.#ingest.describe(one);
      if (!metadata) continue;
      found.push(metadata);
      bytes += METADATA_BYTES + 2 * (metadata.metric.length + metadata.help.length + metadata.unit.length);
    }
    // Ingestion gives the same object for the same metadata, so mostly nothing has changed.
    const { metadata: before } = memory;
    if (found.length === before.length && found.every((one, i) => one === before[i])) return;
    if (bytes > memory.metadataBytes && !this.#hasRoom(memory, bytes - memory.metadataBytes)) return;
    memory.metadata = found;
    memory.metadataBytes = bytes;
  }

  #takeSamples(
    job: ScrapeJob,
    { cache }: TargetMemory,
    batch: ScrapeBatch,
    seen: number,
    counts: { duplicates: number; refused: number },
  ): void {
    const { sampleSeries, sampleTimestampMs, sampleValue, sampleBits, sampleStartMs, seriesHasTime } = batch;
    for (let row = 0; row < batch.sampleCount; row++) {
      const index = sampleSeries[row];
      const series = cache.seriesOf(this.#entries[index]);
      if (series === undefined) continue;
      if (!isFirst(job, series, seriesHasTime[index] === 1, seen)) {
        counts.duplicates++;
        continue;
      }
      const { route } = series;
      if (route.kind === 'refused') counts.refused++;
      const [low, high] = [sampleBits[2 * row], sampleBits[2 * row + 1]];
      this.#ingest.sample(route, sampleTimestampMs[row], sampleValue[row], low, high, sampleStartMs[row]);
    }
  }

  #takeHistograms(
    job: ScrapeJob,
    { cache }: TargetMemory,
    batch: ScrapeBatch,
    histograms: readonly NativeHistogram[],
    seen: number,
    counts: { duplicates: number; refused: number },
  ): void {
    batch.histograms.forEach(({ series: index, timestampMs, startMs }, i) => {
      const series = cache.seriesOf(this.#entries[index]);
      if (series === undefined) return;
      if (!isFirst(job, series, batch.seriesHasTime[index] === 1, seen)) {
        counts.duplicates++;
        return;
      }
      if (series.route.kind === 'refused') counts.refused++;
      this.#ingest.histogram(series.route, timestampMs, histograms[i], startMs);
    });
  }

  /** Targets show the same exemplar in each scrape until they have another one. */
  #takeExemplars({ cache }: TargetMemory, batch: ScrapeBatch): void {
    for (const { series: index, exemplar } of batch.exemplars) {
      const series = cache.seriesOf(this.#entries[index]);
      if (series === undefined || !isNewExemplar(series.exemplar, exemplar)) continue;
      series.exemplar = exemplar;
      this.#ingest.exemplar(series.route, exemplar);
    }
  }

  #endUnseen({ cache }: TargetMemory, seen: number, ms: number): number {
    let ended = 0;
    for (const series of cache.series()) {
      if (series.seen === seen || !series.isLive) continue;
      series.isLive = false;
      this.#mark(series.route, ms);
      ended++;
    }
    return ended;
  }

  #mark(route: ScrapeRoute, ms: number): void {
    this.#ingest.sample(route, ms, Number.NaN, STALE_BITS[0], STALE_BITS[1], 0);
  }
}

/** Whether a sample is to be taken: of a series without times of its own only the first one in a scrape is. */
function isFirst(job: ScrapeJob, series: ScrapedSeries, hasTime: boolean, seen: number): boolean {
  if (series.seen === seen && !hasTime) return false;
  series.seen = seen;
  series.isLive = !hasTime || job.trackTimestampsStaleness;
  return true;
}

/** Whether an exemplar is another one than the last; a time that came from the scrape says nothing. */
function isNewExemplar(last: Exemplar | undefined, exemplar: Exemplar): boolean {
  if (last === undefined) return true;
  if (last.value === exemplar.value && equalLabels(last.labels, exemplar.labels)) return false;
  return exemplar.timestampMs >= last.timestampMs;
}

/** The batch's native histograms within the job's limits on buckets, or `undefined` where one can't be made to fit. */
function keptHistograms(
  job: ScrapeJob,
  batch: ScrapeBatch,
  isKept: (series: number) => boolean,
): NativeHistogram[] | undefined {
  const { bucketLimit, maxHistogramSchema } = job;
  const isLimited = bucketLimit > 0 || maxHistogramSchema < 8;
  const out: NativeHistogram[] = [];
  for (const { series, histogram } of batch.histograms) {
    let fitting = histogram;
    if (isLimited && isKept(series)) {
      if (!hasCustomBounds(fitting)) fitting = reduceSchema(fitting, maxHistogramSchema);
      while (bucketLimit > 0 && bucketCount(fitting) > bucketLimit) {
        if (hasCustomBounds(fitting) || fitting.schema <= -4) return undefined;
        fitting = reduceSchema(fitting, fitting.schema - 1);
      }
    }
    out.push(fitting);
  }
  return out;
}

function bucketCount({ positiveIndices, negativeIndices }: NativeHistogram): number {
  return positiveIndices.length + negativeIndices.length;
}
