import { BarographError, type Exemplar, labelsFromPairs } from '../model/index.ts';
import { BYTES, Cursor } from './cursor.ts';
import { malformed } from './malformed.ts';
import type { WriteRequestBatch } from './remote-write-batch.ts';
import { checkStrictly, readHistogram } from './remote-write-histogram.ts';
import { LabelResolver } from './remote-write-labels.ts';
import { MetadataCollector, readMetadata, type SeriesMetadata } from './remote-write-metadata.ts';
import { SampleReader, tooMany } from './remote-write-samples.ts';
import { IS_EMPTY, SymbolTable } from './remote-write-symbols.ts';

const TAG_LABEL_REFS = 0x0a;
const TAG_SAMPLES = 0x12;
/** How many of the refused series and histograms are listed; all are counted. */
const MAX_LISTED = 100;

/** A series, or a part of one, that was not taken from a request. */
export interface RefusedSeries {
  /** Index among the request's time series. */
  readonly series: number;
  /** What was wrong with it, without any of its text. */
  readonly reason: string;
}

/** What became of a remote write 2.0 request. */
export interface WriteRequestV2Report {
  /**
   * What the batch holds, as it was sent: a staleness marker that came as a histogram is one of the batch's samples and
   * counts as a histogram here. These less what is refused later are the response's `…-Written` headers.
   */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  /** How many series were refused whole, or lost a histogram or an exemplar. 0 means that everything was taken. */
  readonly refusedCount: number;
  /** The first hundred of them. */
  readonly refused: readonly RefusedSeries[];
}

/**
 * Decodes a Prometheus remote write 2.0 request (`io.prometheus.write.v2.Request`, decompressed) into `batch`, which is
 * emptied first. A series' labels are put together from the symbols as 1.0 writes them, so a series has the same key
 * bytes in both versions, and `parseSeriesLabels` reads those that are new.
 *
 * A series is refused whole where a reference points nowhere, names aren't sorted or are there twice or empty, there is
 * no `__name__`, a text isn't UTF-8, or it has both samples and histograms, or nothing. A histogram or exemplar that says
 * nonsense is left out of its series. The rest of the request is kept, and the report says what wasn't.
 *
 * `bytes` must stay unchanged while the batch is used. After an error the batch is empty.
 * @throws BarographError `malformed` (400) for what isn't such a message, or `too_large` (413) beyond the limits.
 */
export function decodeWriteRequestV2(bytes: Uint8Array, batch: WriteRequestBatch): WriteRequestV2Report {
  batch.clear();
  try {
    const symbols = readSymbols(bytes);
    const cursor = new Cursor(bytes, 'Request');
    const decoder = new SeriesDecoder(cursor, batch, symbols);
    while (cursor.next()) {
      if (cursor.field !== 5) {
        cursor.skip();
        continue;
      }
      const outer = cursor.enter('timeseries', decoder.index);
      decoder.decode();
      cursor.leave(outer);
    }
    return decoder.finish();
  } catch (error) {
    batch.clear();
    throw error;
  }
}

// message Request {
//   reserved 1 to 3;
//   repeated string symbols = 4;
//   repeated TimeSeries timeseries = 5;
// }
/** Collects the symbols, wherever they stand: protobuf allows them behind the series that refer to them. */
function readSymbols(bytes: Uint8Array): SymbolTable {
  const cursor = new Cursor(bytes, 'Request');
  const symbols = new SymbolTable(cursor.bytes);
  let isV1 = false;
  while (cursor.next()) {
    if (cursor.field === 4) symbols.add(cursor);
    else {
      if (cursor.field === 1 && cursor.wire === BYTES) isV1 = true;
      cursor.skip();
    }
  }
  if (isV1 && symbols.count === 0) {
    const fix = 'send it with Content-Type application/x-protobuf';
    throw malformed('Request', 'a remote write 1.0 message', 'an io.prometheus.write.v2.Request', fix);
  }
  symbols.finish();
  if (symbols.count > 0 && (symbols.flags[0] & IS_EMPTY) === 0) {
    throw malformed('Request.symbols[0]', 'a text', "'', so that references of 0 mean nothing");
  }
  return symbols;
}

/** Decodes `TimeSeries` messages into a batch; lives for one request. */
class SeriesDecoder {
  /** Series met so far, those refused included. */
  index = 0;
  readonly #cursor: Cursor;
  readonly #batch: WriteRequestBatch;
  readonly #symbols: SymbolTable;
  readonly #samples: SampleReader;
  readonly #metadata: MetadataCollector;
  readonly #open: OpenSeries = {
    firstSample: 0,
    firstHistogram: 0,
    firstExemplar: 0,
    samples: 0,
    histograms: 0,
    exemplars: 0,
    createdMs: 0,
    part: undefined,
    metadata: undefined,
  };
  readonly #refused: RefusedSeries[] = [];
  #refusedCount = 0;
  #histogramCount = 0;
  #staleHistograms = 0;
  readonly #labels: LabelResolver;

  constructor(cursor: Cursor, batch: WriteRequestBatch, symbols: SymbolTable) {
    this.#cursor = cursor;
    this.#batch = batch;
    this.#symbols = symbols;
    this.#samples = new SampleReader(cursor, batch, 2);
    this.#metadata = new MetadataCollector(symbols, batch.metadata);
    this.#labels = new LabelResolver(symbols, batch.labelSpace);
  }

  // message TimeSeries {
  //   repeated uint32 labels_refs = 1;
  //   repeated Sample samples = 2;
  //   repeated Histogram histograms = 3;
  //   repeated Exemplar exemplars = 4;
  //   Metadata metadata = 5;
  //   int64 created_timestamp = 6;  (before 2.0 was final)
  // }
  decode(): void {
    const cursor = this.#cursor;
    const batch = this.#batch;
    const reader = this.#samples;
    const labels = this.#labels;
    const { bytes, end } = cursor;
    const series = batch.seriesCount;
    if (this.index >= batch.limits.maxSeries) throw tooMany('series', batch.limits.maxSeries);
    if (series >= batch.labelStart.length) batch.growSeries();
    const open = this.#begin();
    let pos = cursor.pos;
    if (pos < end && bytes[pos] === TAG_LABEL_REFS) pos = labels.readShort(pos, end);
    while (pos < end) {
      if (bytes[pos] === TAG_SAMPLES) {
        const next = reader.readFast(pos, end, series);
        if (next > 0) {
          pos = next;
          open.samples++;
          continue;
        }
      }
      cursor.pos = pos;
      cursor.next();
      switch (cursor.field) {
        case 1:
          labels.read(cursor);
          break;
        case 2: {
          const outer = cursor.enter('samples', open.samples++);
          this.#samples.read(series);
          cursor.leave(outer);
          break;
        }
        case 3: {
          const outer = cursor.enter('histograms', open.histograms++);
          open.part = this.#histogram(series) ?? open.part;
          cursor.leave(outer);
          break;
        }
        case 4: {
          const outer = cursor.enter('exemplars', open.exemplars++);
          open.part = this.#exemplar(series) ?? open.part;
          cursor.leave(outer);
          break;
        }
        case 5: {
          const outer = cursor.enter('metadata');
          open.metadata = readMetadata(cursor);
          cursor.leave(outer);
          break;
        }
        case 6:
          open.createdMs = cursor.int64Number('created_timestamp');
          break;
        default:
          cursor.skip();
      }
      pos = cursor.pos;
    }
    cursor.pos = end;
    this.#close(series, open);
  }

  /** Puts the finished batch together. */
  finish(): WriteRequestV2Report {
    const batch = this.#batch;
    batch.labelSpace = this.#labels.bytes;
    batch.bytes = this.#labels.bytes.subarray(0, this.#labels.size);
    return {
      samples: batch.sampleCount - this.#staleHistograms,
      histograms: this.#histogramCount,
      exemplars: batch.exemplars.length,
      refusedCount: this.#refusedCount,
      refused: this.#refused,
    };
  }

  /** Remembers where the batch stands before the next series. */
  #begin(): OpenSeries {
    const open = this.#open;
    const batch = this.#batch;
    open.firstSample = batch.sampleCount;
    open.firstHistogram = batch.histograms.length;
    open.firstExemplar = batch.exemplars.length;
    open.samples = 0;
    open.histograms = 0;
    open.exemplars = 0;
    open.createdMs = 0;
    open.part = undefined;
    open.metadata = undefined;
    this.#labels.begin();
    return open;
  }

  /** Keeps the series that was read, or takes back what it added to the batch. */
  #close(series: number, open: OpenSeries): void {
    const batch = this.#batch;
    const labels = this.#labels;
    const start = labels.size;
    const reason = labels.resolve() ?? reasonAgainst(open);
    if (reason !== undefined) {
      labels.takeBack(start);
      batch.sampleStartMs.fill(0, open.firstSample, batch.sampleCount);
      batch.sampleCount = open.firstSample;
      batch.exemplars.length = open.firstExemplar;
      batch.histograms.length = open.firstHistogram;
      this.#refuse(reason);
      this.index++;
      return;
    }
    if (open.part !== undefined) this.#refuse(open.part);
    if (open.createdMs !== 0) this.#setCreated(open.firstSample, open.firstHistogram, open.createdMs);
    batch.labelStart[series] = start;
    batch.labelEnd[series] = labels.size;
    batch.seriesCount = series + 1;
    if (open.histograms > 0) {
      const stale = batch.sampleCount - open.firstSample;
      this.#staleHistograms += stale;
      this.#histogramCount += stale + batch.histograms.length - open.firstHistogram;
    }
    if (open.metadata !== undefined) this.#metadata.add(open.metadata, labels.nameRef(), open.histograms > 0);
    this.index++;
  }

  /** Gives the series' samples and histograms the start time of the whole series where they have none of their own. */
  #setCreated(sample: number, histogram: number, createdMs: number): void {
    const { sampleStartMs, sampleCount, histograms } = this.#batch;
    for (let i = sample; i < sampleCount; i++) if (sampleStartMs[i] === 0) sampleStartMs[i] = createdMs;
    if (sampleCount > sample) this.#batch.hasStarts = true;
    for (let i = histogram; i < histograms.length; i++) {
      if (histograms[i].startMs === 0) histograms[i] = { ...histograms[i], startMs: createdMs };
    }
  }

  #histogram(series: number): string | undefined {
    this.#samples.check();
    const raw = readHistogram(this.#cursor);
    try {
      const decoded = checkStrictly(this.#cursor, raw);
      const { timestampMs, startMs } = decoded;
      if (decoded.stale) {
        this.#samples.push(series, timestampMs, 0x7ff00000, 2);
        if (startMs !== 0) this.#samples.setStart(startMs);
      } else this.#batch.histograms.push({ series, timestampMs, startMs, histogram: decoded.histogram });
      return undefined;
    } catch (error) {
      if (!(error instanceof BarographError)) throw error;
      return error.message;
    }
  }

  // message Exemplar {
  //   repeated uint32 labels_refs = 1;
  //   double value = 2;
  //   int64 timestamp = 3;
  // }
  #exemplar(series: number): string | undefined {
    this.#samples.check();
    const cursor = this.#cursor;
    const refs: number[] = [];
    let value = 0;
    let timestampMs = 0;
    while (cursor.next()) {
      switch (cursor.field) {
        case 1:
          cursor.uint64s('labels_refs', refs);
          break;
        case 2:
          value = cursor.double('value');
          break;
        case 3:
          timestampMs = cursor.int64Number('timestamp');
          break;
        default:
          cursor.skip();
      }
    }
    const symbols = this.#symbols;
    if (refs.length % 2 !== 0) return `an exemplar of ${refs.length} label references, which is no even number`;
    const pairs: [string, string][] = [];
    for (let i = 0; i < refs.length; i += 2) {
      const [name, text] = [refs[i], refs[i + 1]];
      if (name >= symbols.count || text >= symbols.count) return 'an exemplar with a reference beyond the symbols';
      if (!symbols.isText(name) || !symbols.isText(text)) return 'an exemplar with a label that is not UTF-8';
      pairs.push([symbols.string(name), symbols.string(text)]);
    }
    const exemplar: Exemplar = { labels: labelsFromPairs(pairs), value, timestampMs };
    this.#batch.exemplars.push({ series, exemplar });
    return undefined;
  }

  #refuse(reason: string): void {
    this.#refusedCount++;
    if (this.#refused.length < MAX_LISTED) this.#refused.push({ series: this.index, reason });
  }
}

/** The series that is being read. */
interface OpenSeries {
  /** Where the batch's columns stood before it. */
  firstSample: number;
  firstHistogram: number;
  firstExemplar: number;
  /** Fields of each kind, those refused included. */
  samples: number;
  histograms: number;
  exemplars: number;
  createdMs: number;
  /** Why a part of it was left out. */
  part: string | undefined;
  metadata: SeriesMetadata | undefined;
}

/** What is wrong with a series whose labels are good. */
function reasonAgainst({ samples, histograms, exemplars, metadata }: OpenSeries): string | undefined {
  if (samples > 0 && histograms > 0) return 'both samples and histograms';
  // Prometheus sends exemplars, and may send metadata, as series of their own beside those of the samples.
  return samples + histograms + exemplars === 0 && metadata === undefined ? 'nothing but labels' : undefined;
}
