import {
  type Exemplar,
  type LogEntry,
  type MetricMetadata,
  type NativeHistogram,
  SPAN_KINDS,
  SPAN_STATUSES,
  type Span,
} from '../model/index.ts';
import {
  BytesColumn,
  DoubleColumn,
  Int64Column,
  TableBuffer,
  TextColumn,
  Uint64Column,
  UintColumn,
} from './columns.ts';
import { encodeHistogram } from './histogram-codec.ts';
import { InputBuffer } from './input-buffer.ts';
import { SampleBuffer } from './samples/index.ts';

/** Rows of every table that will be committed together. Methods are synchronous and copy what they are given. */
export class WriteBuffer {
  /** Samples don't go to a table; see `samples/`. */
  readonly samples = new SampleBuffer();

  private readonly histogramSeries = new UintColumn();
  private readonly histogramTs = new Int64Column();
  private readonly histogramBody = new BytesColumn();
  readonly histograms = new TableBuffer('histograms', [this.histogramSeries, this.histogramTs, this.histogramBody]);

  private readonly exemplarSeries = new UintColumn();
  private readonly exemplarTs = new Int64Column();
  private readonly exemplarValue = new DoubleColumn();
  private readonly exemplarLabels = new TextColumn();
  readonly exemplars = new TableBuffer('exemplars', [
    this.exemplarSeries,
    this.exemplarTs,
    this.exemplarValue,
    this.exemplarLabels,
  ]);

  private readonly metadataText = [new TextColumn(), new TextColumn(), new TextColumn(), new TextColumn()];
  readonly metadata = new TableBuffer('metadata', this.metadataText);

  private readonly logStream = new UintColumn();
  private readonly logTs = new Int64Column();
  private readonly logLine = new TextColumn();
  private readonly logMetadata = new TextColumn();
  readonly logs = new TableBuffer('logs', [this.logStream, this.logTs, this.logLine, this.logMetadata]);

  private readonly spanIds = [new Uint64Column(), new Uint64Column(), new Uint64Column(), new Uint64Column()];
  private readonly spanTimes = [new Int64Column(), new Int64Column()];
  private readonly spanCodes = [new UintColumn(), new UintColumn()];
  private readonly spanText = [
    new TextColumn(),
    new TextColumn(),
    new TextColumn(),
    new TextColumn(),
    new TextColumn(),
  ];
  readonly spans = new TableBuffer('spans', [...this.spanIds, ...this.spanTimes, ...this.spanCodes, ...this.spanText]);

  /** What aggregation remembers of inputs that are numbers doesn't go to a table either; see `InputJournal`. */
  readonly inputs = new InputBuffer();

  private readonly inputHistogramKeys = [new UintColumn(), new UintColumn(), new UintColumn()];
  private readonly inputHistogramTimes = [new Int64Column(), new Int64Column()];
  private readonly inputHistogramBody = new BytesColumn();
  readonly aggregateHistograms = new TableBuffer('aggregate_histograms', [
    ...this.inputHistogramKeys,
    ...this.inputHistogramTimes,
    this.inputHistogramBody,
  ]);

  private readonly commitNumber = new Int64Column();
  readonly commits = new TableBuffer('commits', [this.commitNumber]);

  /** Every table in the order in which they are appended. */
  readonly tables: readonly TableBuffer[] = [
    this.metadata,
    this.histograms,
    this.exemplars,
    this.logs,
    this.spans,
    this.aggregateHistograms,
    this.commits,
  ];

  private lastResource: { value: Span['resource'] | undefined; json: string } = { value: undefined, json: '{}' };

  /** Bytes of text waiting in the logs and spans of this buffer, roughly; what back-pressure looks at. */
  textBytes = 0;

  /** Rows of all tables, samples and inputs of aggregation. */
  get rows(): number {
    return this.samples.count + this.inputs.count + this.tableRows;
  }

  /** Rows of all tables. */
  get tableRows(): number {
    let rows = 0;
    for (const table of this.tables) rows += table.rows;
    return rows;
  }

  /** One sample. `timestampMs` is an integer of at most 53 bits. The value must not be a staleness marker: see `pushSampleBits`. */
  pushSample(series: number, timestampMs: number, value: number): void {
    this.samples.push(series, timestampMs, value);
  }

  /** One sample whose value is given as the two halves of its bits, so that NaN payloads survive. */
  pushSampleBits(series: number, timestampMs: number, low: number, high: number): void {
    this.samples.pushBits(series, timestampMs, low, high);
  }

  /** One native histogram. */
  pushHistogram(series: number, timestampMs: number, histogram: NativeHistogram): void {
    const row = this.histograms.push();
    this.histogramSeries.data[row] = series;
    this.histogramTs.setNumber(row, timestampMs);
    this.histogramBody.data[row] = encodeHistogram(histogram);
  }

  /** The series of the histograms here; one may occur several times. */
  get histogramSeriesIds(): Uint32Array {
    return this.histogramSeries.data.subarray(0, this.histograms.rows);
  }

  /** Visits the histograms here: the series of each and the bytes of its encoded form. */
  visitHistograms(visit: (series: number, bytes: number) => void): void {
    for (let row = 0; row < this.histograms.rows; row++) {
      visit(this.histogramSeries.data[row], this.histogramBody.data[row].length);
    }
  }

  /** One exemplar. */
  pushExemplar(series: number, exemplar: Exemplar): void {
    const row = this.exemplars.push();
    this.exemplarSeries.data[row] = series;
    this.exemplarTs.setNumber(row, exemplar.timestampMs);
    this.exemplarValue.data[row] = exemplar.value;
    this.exemplarLabels.data[row] = JSON.stringify(exemplar.labels);
  }

  /** What is known about a metric. */
  pushMetadata(metadata: MetricMetadata): void {
    const row = this.metadata.push();
    const { metric, type, help, unit } = metadata;
    [metric, type, help, unit].forEach((text, i) => {
      this.metadataText[i].data[row] = text;
    });
  }

  /** One log line of a stream. */
  pushLog(stream: number, entry: LogEntry): void {
    const row = this.logs.push();
    this.logStream.data[row] = stream;
    this.logTs.data[row] = entry.timestampNs;
    this.logLine.data[row] = entry.line;
    const metadata = entry.metadata.length === 0 ? '' : JSON.stringify(entry.metadata);
    this.logMetadata.data[row] = metadata;
    this.textBytes += entry.line.length + metadata.length;
  }

  /** One span. */
  pushSpan(span: Span): void {
    const row = this.spans.push();
    this.spanIds[0].data[row] = BigInt(`0x${span.traceId.slice(0, 16)}`);
    this.spanIds[1].data[row] = BigInt(`0x${span.traceId.slice(16)}`);
    this.spanIds[2].data[row] = BigInt(`0x${span.spanId}`);
    this.spanIds[3].data[row] = span.parentSpanId === '' ? 0n : BigInt(`0x${span.parentSpanId}`);
    this.spanTimes[0].data[row] = span.startNs;
    this.spanTimes[1].data[row] = span.durationNs;
    this.spanCodes[0].data[row] = SPAN_KINDS.indexOf(span.kind);
    this.spanCodes[1].data[row] = SPAN_STATUSES.indexOf(span.status);
    // The spans of one request mostly share one resource object, so its JSON is made once.
    if (this.lastResource.value !== span.resource) {
      this.lastResource = { value: span.resource, json: JSON.stringify(span.resource) };
    }
    const attributes = JSON.stringify(span.attributes);
    const rest = encodeSpanRest(span);
    [span.name, span.serviceName, attributes, this.lastResource.json, rest].forEach((text, i) => {
      this.spanText[i].data[row] = text;
    });
    this.textBytes += span.name.length + attributes.length + this.lastResource.json.length + rest.length;
  }

  /** What aggregation remembers of an input: `hi`/`lo` are the hash of its raw labels. */
  pushAggregateInput(output: number, hi: number, lo: number, last: number, startMs: number, timestampMs: number): void {
    this.inputs.push(output, hi, lo, last, startMs, timestampMs);
  }

  /** As `pushAggregateInput`, of an input whose last value is a native histogram. */
  pushAggregateHistogram(
    output: number,
    hi: number,
    lo: number,
    last: NativeHistogram,
    startMs: number,
    timestampMs: number,
  ): void {
    const row = this.aggregateHistograms.push();
    this.inputHistogramKeys[0].data[row] = output;
    this.inputHistogramKeys[1].data[row] = hi;
    this.inputHistogramKeys[2].data[row] = lo;
    this.inputHistogramTimes[0].setNumber(row, startMs);
    this.inputHistogramTimes[1].setNumber(row, timestampMs);
    this.inputHistogramBody.data[row] = encodeHistogram(last);
  }

  /** The number of the commit that these rows belong to; see `SampleStore.write`. */
  pushCommit(number: number): void {
    this.commitNumber.setNumber(this.commits.push(), number);
  }

  /** Forgets every row and keeps the memory of the number columns. */
  reset(): void {
    this.samples.reset();
    this.inputs.reset();
    for (const table of this.tables) table.reset();
    this.textBytes = 0;
    this.lastResource = { value: undefined, json: '{}' };
  }
}

/** The parts of a span that are read only when it is shown. Nanoseconds are decimal text. */
export interface SpanRest {
  scope?: [name: string, version: string];
  state?: string;
  message?: string;
  events?: { t: string; n: string; a: Span['attributes'] }[];
  links?: { t: string; s: string; a: Span['attributes'] }[];
}

function encodeSpanRest(span: Span): string {
  const rest: SpanRest = {};
  if (span.scopeName !== '' || span.scopeVersion !== '') rest.scope = [span.scopeName, span.scopeVersion];
  if (span.traceState !== '') rest.state = span.traceState;
  if (span.statusMessage !== '') rest.message = span.statusMessage;
  if (span.events.length > 0)
    rest.events = span.events.map((e) => ({ t: String(e.timeNs), n: e.name, a: e.attributes }));
  if (span.links.length > 0) rest.links = span.links.map((l) => ({ t: l.traceId, s: l.spanId, a: l.attributes }));
  return JSON.stringify(rest);
}
