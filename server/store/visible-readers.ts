import { msToNs, type SeriesSamples } from '../model/index.ts';
import type { LogReader, MetricReader, Readers, SampleRequest, TraceReader } from './reader.ts';
import { type Floors, levelOf } from './signals.ts';

/** Brings the floors up to date. */
type CurrentFloors = () => Promise<Floors>;

/**
 * The readers as queries see them: what is below the floors isn't there, whether or not its files and rows are removed
 * yet. Requests are cut first, so that nobody reads what isn't shown.
 */
export function visibleReaders(readers: Readers, floors: CurrentFloors): Readers {
  return {
    metrics: visibleMetrics(readers.metrics, floors),
    logs: visibleLogs(readers.logs, floors),
    traces: visibleTraces(readers.traces, floors),
  };
}

function visibleMetrics(reader: MetricReader, current: CurrentFloors): MetricReader {
  /** The start of a request for label sets. One for all of time is answered from their index, which looks at no sample. */
  const startFrom = async (startMs: number): Promise<number> =>
    startMs <= Number.MIN_SAFE_INTEGER ? startMs : Math.max(startMs, lowest(await current()));
  const exemplarRequest = async (request: SampleRequest): Promise<SampleRequest> => ({
    ...request,
    startMs: Math.max(request.startMs, (await current()).exemplars),
  });
  return {
    async select(request, signal) {
      const floors = await current();
      const startMs = Math.max(request.startMs, lowest(floors));
      const found = await reader.select({ ...request, startMs }, signal);
      return keepVisible(found, floors);
    },
    async scan(request, signal, ids) {
      const floors = await current();
      const startMs = Math.max(request.startMs, lowest(floors));
      const scan = await reader.scan({ ...request, startMs }, signal, ids);
      return {
        ...scan,
        read: (from, to) => keepVisible(scan.read(from, to), floors),
        readAll: async () => keepVisible(await scan.readAll(), floors),
      };
    },
    reuse: () => reader.reuse(),
    series: async (sets, startMs, endMs, limit, signal) =>
      reader.series(sets, await startFrom(startMs), endMs, limit, signal),
    labelNames: async (sets, startMs, endMs, signal) =>
      reader.labelNames(sets, await startFrom(startMs), endMs, signal),
    labelValues: async (name, sets, startMs, endMs, signal) =>
      reader.labelValues(name, sets, await startFrom(startMs), endMs, signal),
    exemplars: async (request, signal) => reader.exemplars(await exemplarRequest(request), signal),
    async extent() {
      const extent = await reader.extent();
      return { ...extent, startMs: Math.max(extent.startMs, lowest(await current())) };
    },
    metadata: (metric) => reader.metadata(metric),
  };
}

/** The lowest floor of metrics. */
function lowest(floors: Floors): number {
  return Math.min(floors.fleet, floors.per_model, floors.fleet_histograms, floors.per_model_histograms);
}

/** Cuts series that begin before the floors of their level. */
function keepVisible(found: SeriesSamples[], floors: Floors): SeriesSamples[] {
  const highest = Math.max(floors.fleet, floors.per_model, floors.fleet_histograms, floors.per_model_histograms);
  if (found.every(({ timestamps }) => timestamps[0] >= highest)) return found;
  const out: SeriesSamples[] = [];
  for (const series of found) {
    const level = levelOf(series.labels);
    const cut = cutBefore(series, floors[level], floors[`${level}_histograms`]);
    if (cut.timestamps.length > 0) out.push(cut);
  }
  return out;
}

function cutBefore(series: SeriesSamples, floatsMs: number, histogramsMs: number): SeriesSamples {
  const { timestamps, values, histograms } = series;
  if (histograms === undefined) {
    const first = timestamps.findIndex((time) => time >= floatsMs);
    const from = first < 0 ? timestamps.length : first;
    return { ...series, timestamps: timestamps.subarray(from), values: values.subarray(from) };
  }
  const kept: number[] = [];
  for (let i = 0; i < timestamps.length; i++) {
    if (timestamps[i] >= (histograms[i] === undefined ? floatsMs : histogramsMs)) kept.push(i);
  }
  // Copied as integers, because a copy of doubles may change a NaN's payload.
  const bits = new BigInt64Array(values.buffer, values.byteOffset, values.length);
  const keptBits = BigInt64Array.from(kept, (i) => bits[i]);
  return {
    ...series,
    timestamps: Float64Array.from(kept, (i) => timestamps[i]),
    values: new Float64Array(keptBits.buffer),
    histograms: kept.map((i) => histograms[i]),
  };
}

function laterNs(startNs: bigint, floorMs: number): bigint {
  if (!Number.isFinite(floorMs)) return startNs;
  const floor = msToNs(Math.ceil(floorMs));
  return floor > startNs ? floor : startNs;
}

function visibleLogs(reader: LogReader, current: CurrentFloors): LogReader {
  return {
    async *select(request, signal) {
      yield* reader.select({ ...request, startNs: laterNs(request.startNs, (await current()).logs) }, signal);
    },
    streams: async (sets, startNs, endNs) => reader.streams(sets, laterNs(startNs, (await current()).logs), endNs),
    stats: async (matchers, startNs, endNs) => reader.stats(matchers, laterNs(startNs, (await current()).logs), endNs),
  };
}

function visibleTraces(reader: TraceReader, current: CurrentFloors): TraceReader {
  return {
    async trace(traceId, limits) {
      const startNs = laterNs(0n, (await current()).traces);
      return (await reader.trace(traceId, limits)).filter((span) => span.startNs >= startNs);
    },
    async *spans(request, signal) {
      yield* reader.spans({ ...request, startNs: laterNs(request.startNs, (await current()).traces) }, signal);
    },
    async *traces(request, signal) {
      const startNs = laterNs(0n, (await current()).traces);
      for await (const spans of reader.traces(request, signal)) {
        const visible = spans.filter((span) => span.startNs >= startNs);
        if (visible.length > 0) yield visible;
      }
    },
  };
}
