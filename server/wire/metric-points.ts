import {
  bitsOf,
  type Exemplar,
  type Labels,
  labelsKey,
  METRIC_NAME,
  type MetricMetadata,
  type MetricType,
  type NativeHistogram,
  setStale,
} from '../model/index.ts';
import { tooLarge } from './malformed.ts';
import { mergeLabels, sortFlatLabels } from './sorted-labels.ts';

/** Whether a series accumulates, is made of increments, or goes up and down. */
export type SeriesTemporality = 'cumulative' | 'delta' | 'gauge';

/** One label set of a request. */
export interface MetricSeries {
  readonly labels: Labels;
  readonly type: MetricType;
  readonly temporality: SeriesTemporality;
}

/** OTLP metrics as Prometheus series and columns of samples. Arrays may be longer than `pointCount`. */
export interface MetricPoints {
  /** Distinct label sets. */
  readonly series: readonly MetricSeries[];
  readonly pointCount: number;
  readonly pointSeries: Uint32Array;
  /** Milliseconds since the epoch. */
  readonly timestampMs: Float64Array;
  /** Milliseconds since the epoch from which the value counts; 0 where it is unknown. */
  readonly startMs: Float64Array;
  /** The bits matter: staleness markers are among them, for native histograms too. */
  readonly value: Float64Array;
  readonly histograms: readonly {
    readonly series: number;
    readonly timestampMs: number;
    readonly startMs: number;
    readonly histogram: NativeHistogram;
  }[];
  readonly exemplars: readonly { readonly series: number; readonly exemplar: Exemplar }[];
  readonly metadata: readonly MetricMetadata[];
  /** Data points that could not be translated; the others are here. */
  readonly rejectedPoints: number;
  /** Why, or a warning where nothing was rejected; '' where there is nothing to say. */
  readonly rejectedMessage: string;
}

/**
 * How many names and values all label sets of a request may hold together. A point of many attributes and many buckets
 * is small on the wire and huge as series.
 */
const MAX_LABEL_CELLS = 16_000_000;
/** How many characters the label sets of all points may hold together; every point repeats what its resource promotes. */
const MAX_LABEL_CHARACTERS = 256_000_000;
/** How many different reasons a partial success lists. */
const MAX_REASONS = 8;
const SEPARATOR = '\u00ff\u00fd';

/** A label that one series of a point has beside the point's own: `le` or `quantile`. */
export interface ExtraLabel {
  readonly name: string;
  readonly value: string;
}

/** The label set of a point without the metric's name, and the series that it has so far. */
export interface PointLabels {
  readonly labels: Labels;
  /** Series by name and extra label. */
  readonly ids: Map<string, number>;
  /** Series of histograms by their name, so that the buckets of a point that comes again needn't be named again. */
  readonly histograms: Map<string, HistogramSeries>;
}

/** The series of a histogram with explicit bounds, as indexes. */
export interface HistogramSeries {
  readonly bounds: readonly number[];
  readonly count: number;
  /** One for each finite bound, then that of +Inf. */
  readonly buckets: readonly number[];
}

/** Collects the series and columns of one translation. */
export class MetricPointsBuilder {
  readonly #series: MetricSeries[] = [];
  readonly #points = new Map<string, PointLabels>();
  readonly #histograms: MetricPoints['histograms'][number][] = [];
  readonly #exemplars: MetricPoints['exemplars'][number][] = [];
  readonly #metadata = new Map<string, MetricMetadata>();
  readonly #reasons = new Set<string>();
  #labelCells = 0;
  #labelCharacters = 0;
  #rejected = 0;
  #count = 0;
  #pointSeries = new Uint32Array(1024);
  #timestampMs = new Float64Array(1024);
  #startMs = new Float64Array(1024);
  #bits = new Uint32Array(2048);
  #value = new Float64Array(this.#bits.buffer);

  /** Finds or makes the entry of a label set; series of a point are looked up in it. */
  point(labels: Labels): PointLabels {
    for (const text of labels) this.#labelCharacters += text.length;
    if (this.#labelCharacters > MAX_LABEL_CHARACTERS) {
      const accepted = `${MAX_LABEL_CHARACTERS} characters`;
      throw tooLarge('OTLP metrics', 'points with labels that are too long', accepted, 'send smaller batches');
    }
    const key = labelsKey(labels);
    let found = this.#points.get(key);
    if (found === undefined) {
      found = { labels, ids: new Map(), histograms: new Map() };
      this.#points.set(key, found);
    }
    return found;
  }

  /** The index of a series, new or known. */
  series(
    name: string,
    point: PointLabels,
    type: MetricType,
    temporality: SeriesTemporality,
    extra?: ExtraLabel,
  ): number {
    const key = extra === undefined ? name : `${name}${SEPARATOR}${extra.name}${SEPARATOR}${extra.value}`;
    const known = point.ids.get(key);
    if (known !== undefined) return known;
    const own =
      extra === undefined ? [METRIC_NAME, name] : sortFlatLabels([METRIC_NAME, name, extra.name, extra.value]);
    const labels = mergeLabels(point.labels, own);
    this.#labelCells += labels.length;
    if (this.#labelCells > MAX_LABEL_CELLS) {
      throw tooLarge(
        'OTLP metrics',
        'too many series with too many labels',
        `${MAX_LABEL_CELLS} names and values`,
        'send smaller batches',
      );
    }
    const id = this.#series.length;
    this.#series.push({ labels, type, temporality });
    point.ids.set(key, id);
    return id;
  }

  sample(series: number, timestampMs: number, startMs: number, value: number): void {
    const i = this.#next(series, timestampMs, startMs);
    this.#value[i] = value;
  }

  stale(series: number, timestampMs: number, startMs: number): void {
    const i = this.#next(series, timestampMs, startMs);
    setStale(this.#bits, i);
  }

  histogram(series: number, timestampMs: number, startMs: number, histogram: NativeHistogram): void {
    this.#histograms.push({ series, timestampMs, startMs, histogram });
  }

  exemplar(series: number, exemplar: Exemplar): void {
    this.#exemplars.push({ series, exemplar });
  }

  /** Keeps what is known of a metric; of one that comes twice the first. */
  metadata(metadata: MetricMetadata): void {
    if (!this.#metadata.has(metadata.metric)) this.#metadata.set(metadata.metric, metadata);
  }

  reject(points: number, reason: string): void {
    this.#rejected += points;
    this.warn(reason);
  }

  warn(reason: string): void {
    if (this.#reasons.size < MAX_REASONS) this.#reasons.add(reason);
  }

  finish(): MetricPoints {
    return {
      series: this.#series,
      pointCount: this.#count,
      pointSeries: this.#pointSeries,
      timestampMs: this.#timestampMs,
      startMs: this.#startMs,
      value: this.#value,
      histograms: this.#histograms,
      exemplars: this.#exemplars,
      metadata: [...this.#metadata.values()],
      rejectedPoints: this.#rejected,
      rejectedMessage: [...this.#reasons].join('; '),
    };
  }

  #next(series: number, timestampMs: number, startMs: number): number {
    const i = this.#count;
    if (i === this.#pointSeries.length) this.#grow();
    this.#pointSeries[i] = series;
    this.#timestampMs[i] = timestampMs;
    this.#startMs[i] = startMs;
    this.#count = i + 1;
    return i;
  }

  #grow(): void {
    const size = this.#pointSeries.length * 2;
    const pointSeries = new Uint32Array(size);
    pointSeries.set(this.#pointSeries);
    this.#pointSeries = pointSeries;
    const timestampMs = new Float64Array(size);
    timestampMs.set(this.#timestampMs);
    this.#timestampMs = timestampMs;
    const startMs = new Float64Array(size);
    startMs.set(this.#startMs);
    this.#startMs = startMs;
    // Words, not doubles: copying a double may change the bits of a NaN.
    const bits = new Uint32Array(size * 2);
    bits.set(bitsOf(this.#value));
    this.#bits = bits;
    this.#value = new Float64Array(bits.buffer);
  }
}
