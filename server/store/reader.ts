import type { AttributeValue, Exemplar, Labels, Matcher, MetricMetadata, SeriesSamples, Span } from '../model/index.ts';

/**
 * What queries read from. Every condition given to a reader is a hint: an answer may hold too much, never too little,
 * and the caller filters again. Readers throw `BarographError` `query_limit` where an answer would exceed a limit, and
 * `cancelled` where the signal was aborted.
 */

/** Which samples a query needs of one selector. */
export interface SampleRequest {
  readonly matchers: readonly Matcher[];
  /** First millisecond, inclusive. */
  readonly startMs: number;
  /** Last millisecond, inclusive. */
  readonly endMs: number;
}

/** How far the stored samples of metrics reach. */
export interface SampleExtent {
  /** Pieces in which samples of one series lie together; native histograms lie in none. */
  readonly chunks: number;
  /** The first and the last sample, milliseconds; the first is after the last where there are none. */
  readonly startMs: number;
  readonly endMs: number;
}

/** The series of a selector, whose samples can be read a few series at a time. */
export interface SeriesScan {
  /** Numbers of the series, ascending, the same in every thread. */
  readonly ids: Uint32Array;
  /** Whether some of them hold native histograms; then only `readAll` reads them. */
  readonly hasHistograms: boolean;
  /**
   * Those of `ids[from, to)` that have samples in the range, in that order. They are overwritten by the next `read`.
   * @throws BarographError `query_limit`, `cancelled`.
   */
  read(from: number, to: number): SeriesSamples[];
  /** All of them, as `select` gives them. */
  readAll(): Promise<SeriesSamples[]>;
  /** Counts samples that another thread read of this scan against the query's limit. */
  countElsewhere(samples: number): void;
}

/** Reads metrics. */
export interface MetricReader {
  /**
   * The series that match and have a sample in the range, with their samples: timestamps strictly ascending, of two
   * samples at one time the one that was written last. This answer is exact, not a hint. Order is unspecified.
   */
  select(request: SampleRequest, signal?: AbortSignal): Promise<SeriesSamples[]>;
  /**
   * `select` for reading in parts, by several threads as well.
   * @param ids what another thread's scan for this request found; without it the matchers say which series are wanted.
   */
  scan(request: SampleRequest, signal?: AbortSignal, ids?: Uint32Array): Promise<SeriesScan>;
  /**
   * Says that nobody needs the samples of earlier answers any more: their memory is used again. Without it every answer
   * has memory of its own.
   */
  reuse(): void;
  /**
   * Label sets of the series that match any of the sets of matchers (every set of matchers is a conjunction; no sets
   * mean every series). The time range is a hint. `limit` 0 means none. Sorted.
   */
  series(
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    limit: number,
    signal?: AbortSignal,
  ): Promise<Labels[]>;
  /** Label names of the matching series, sorted, without duplicates. */
  labelNames(
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    signal?: AbortSignal,
  ): Promise<string[]>;
  /** Values of one label among the matching series, sorted, without duplicates. */
  labelValues(
    name: string,
    matcherSets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    signal?: AbortSignal,
  ): Promise<string[]>;
  /** Exemplars of the matching series in the range (inclusive), by series. */
  exemplars(request: SampleRequest, signal?: AbortSignal): Promise<{ labels: Labels; exemplars: Exemplar[] }[]>;
  /** How far all samples reach, native histograms included. */
  extent(): Promise<SampleExtent>;
  /** Metadata of a metric, or of every metric. */
  metadata(metric?: string): Promise<MetricMetadata[]>;
}

/** Which log lines a query needs. */
export interface LogRequest {
  readonly matchers: readonly Matcher[];
  /** First nanosecond, inclusive. */
  readonly startNs: bigint;
  /** Last nanosecond, exclusive. */
  readonly endNs: bigint;
  /** Strings that every wanted line contains (a hint). */
  readonly contains: readonly string[];
  readonly direction: 'forward' | 'backward';
  /** How many lines the caller is likely to take, 0 for all (a hint for the size of batches; the caller stops pulling). */
  readonly expectedLines: number;
}

/** Log lines as columns of equal length. */
export interface LogBatch {
  /** Index labels of each line's stream. */
  readonly streams: readonly Labels[];
  /** Nanoseconds since the epoch. */
  readonly timestampsNs: BigInt64Array;
  readonly lines: readonly string[];
  /** Structured metadata. */
  readonly metadata: readonly Labels[];
}

/** Sizes of what a selector touches. */
export interface LogStats {
  readonly streams: number;
  readonly entries: number;
  readonly bytes: number;
}

/** Reads logs. */
export interface LogReader {
  /**
   * Batches in time order of `direction`, within a batch as well. Identical lines of one stream at one time come once.
   * The matchers are applied exactly; `contains` is a hint.
   */
  select(request: LogRequest, signal?: AbortSignal): AsyncIterable<LogBatch>;
  /** Label sets of the streams that match any of the sets and have a line in the range, sorted. */
  streams(matcherSets: readonly (readonly Matcher[])[], startNs: bigint, endNs: bigint): Promise<Labels[]>;
  stats(matchers: readonly Matcher[], startNs: bigint, endNs: bigint): Promise<LogStats>;
}

/** Where an attribute of a TraceQL condition lives. `any` is the unscoped `.name`. */
export type AttributeScope = 'span' | 'resource' | 'any';

/** A condition that storage may use to leave spans out. */
export type SpanCondition =
  | { readonly kind: 'name' | 'service' | 'status' | 'span_kind'; readonly equals: string }
  | { readonly kind: 'duration'; readonly minNs?: bigint; readonly maxNs?: bigint }
  /** The span is of this trace, 32 lower-case hex digits. */
  | { readonly kind: 'trace'; readonly equals: string }
  /** The span has no parent. */
  | { readonly kind: 'root' }
  | {
      readonly kind: 'attribute';
      readonly scope: AttributeScope;
      readonly name: string;
      readonly equals: AttributeValue;
    };

/**
 * What a span has besides IDs, times, codes, name and service, which are always read: `details` are events, links,
 * instrumentation scope, trace state and status message. Most of the time that reading spans takes goes into these.
 */
export type SpanPart = 'attributes' | 'resource' | 'details';

/** Which spans a query needs. */
export interface SpanRequest {
  /** First nanosecond of a span's start, inclusive. */
  readonly startNs: bigint;
  /** Last nanosecond of a span's start, exclusive. */
  readonly endNs: bigint;
  /** Conditions that all hold for every wanted span (hints). */
  readonly conditions: readonly SpanCondition[];
  /** Parts that the caller looks at; the others come empty. Default: all of them. */
  readonly parts?: readonly SpanPart[];
}

/** How much of one trace is loaded; a larger one ends in `query_limit`, because half a trace would answer wrongly. */
export interface TraceLimits {
  readonly spansPerTrace: number;
  /** UTF-16 code units of the parts that are read, as JSON. */
  readonly textPerTrace: number;
}

/** Which whole traces a query needs. */
export interface TracesRequest {
  /** Each of 32 lower-case hex digits. */
  readonly traceIds: readonly string[];
  readonly limits: TraceLimits;
  /** As in `SpanRequest`. */
  readonly parts?: readonly SpanPart[];
}

/** Reads traces. */
export interface TraceReader {
  /**
   * The spans of one trace (32 lower-case hex digits), by start; empty where there is none. Of spans with one ID the
   * last written.
   */
  trace(traceId: string, limits: TraceLimits): Promise<Span[]>;
  /** Spans, newest first, in batches; each span once. */
  spans(request: SpanRequest, signal?: AbortSignal): AsyncIterable<Span[]>;
  /** Whole traces, each in one piece with its spans by start, one after the other in no order; unknown ones are left out. */
  traces(request: TracesRequest, signal?: AbortSignal): AsyncIterable<Span[]>;
}

/** All three readers over one store, as a query worker holds them. */
export interface Readers {
  readonly metrics: MetricReader;
  readonly logs: LogReader;
  readonly traces: TraceReader;
}
