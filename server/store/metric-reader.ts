import {
  BarographError,
  type Exemplar,
  type Labels,
  type Matcher,
  type MetricMetadata,
  type MetricType,
  type NativeHistogram,
  type SeriesSamples,
} from '../model/index.ts';
import { type ChunkSource, throwIfAborted } from './chunks.ts';
import { decodeHistogram } from './histogram-codec.ts';
import type { LabelIndex } from './labels/index.ts';
import type { MetricReader, SampleExtent, SampleRequest, SeriesScan } from './reader.ts';
import { bytes, doubles, idCondition, int64s, text, uints } from './rows.ts';
import { ColumnSpace, type SampleReader, type SeriesColumns } from './samples/index.ts';

/** Bounds of one `select`. */
export interface MetricReaderLimits {
  /** Samples read from the store for one selector. */
  readonly maxSamples: number;
  /** Series matched by one selector. */
  readonly maxSeries: number;
}

export const DEFAULT_METRIC_READER_LIMITS: MetricReaderLimits = {
  maxSamples: 50_000_000,
  maxSeries: 1_000_000,
};

/** Series between two looks at the signal, less one: a power of two. */
const SERIES_PER_LOOK = 4095;
/** Series whose names and values are gathered at once, some milliseconds' work. */
const PART_SERIES = 32_768;

/**
 * The metric reader: samples from their own files, the rest from tables. `refreshSamples` brings the samples up to what is
 * committed.
 */
export function createMetricReader(
  source: ChunkSource,
  index: LabelIndex,
  samples: SampleReader,
  refreshSamples: () => Promise<void>,
  limits: MetricReaderLimits = DEFAULT_METRIC_READER_LIMITS,
): MetricReader {
  async function refresh(): Promise<void> {
    await refreshSamples();
    // After the samples: those that were published with them are found then.
    index.refresh();
  }

  /** The samples of one part of a scan at a time. */
  const partSpace = new ColumnSpace();

  async function scan(request: SampleRequest, signal?: AbortSignal, known?: Uint32Array): Promise<SeriesScan> {
    await refresh();
    const ids = known ?? Uint32Array.from(index.select(request.matchers));
    if (ids.length > limits.maxSeries) {
      throw limitError('series', ids.length, limits.maxSeries, 'query.max_series');
    }
    const startMs = clampInt(Math.ceil(request.startMs));
    const endMs = clampInt(request.endMs);
    const hasHistograms = samples.histogramSeries.length > 0 && ids.some(holdsHistograms);
    let room = limits.maxSamples;
    const count = (read: number): void => {
      room -= read;
      if (room < 0) throw limitError('samples', limits.maxSamples - room, limits.maxSamples, 'query.max_samples');
    };
    return {
      ids,
      hasHistograms,
      read(from, to) {
        partSpace.reuse();
        const part = ids.subarray(from, to);
        const columns = samples.select(part, startMs, endMs, room, signal, partSpace);
        const found = withLabels(part, columns, undefined, signal);
        count(found.reduce((sum, { timestamps }) => sum + timestamps.length, 0));
        return found;
      },
      async readAll() {
        if (ids.length === 0) return [];
        const columns = samples.select(ids, startMs, endMs, room, signal);
        return withLabels(ids, columns, await readHistograms([...ids], startMs, endMs, signal), signal);
      },
      countElsewhere: count,
    };
  }

  function withLabels(
    ids: Uint32Array,
    columns: readonly (SeriesColumns | undefined)[],
    histograms: ReadonlyMap<number, HistogramSamples> | undefined,
    signal: AbortSignal | undefined,
  ): SeriesSamples[] {
    const out: SeriesSamples[] = [];
    for (let slot = 0; slot < ids.length; slot++) {
      if ((slot & SERIES_PER_LOOK) === 0) throwIfAborted(signal);
      const found = histograms?.get(slot);
      const floats = columns[slot];
      if (!found && !floats) continue;
      const labels = index.labels(ids[slot]);
      if (found) out.push(mergeHistograms(labels, floats, found));
      else if (floats)
        out.push({ labels, timestamps: floats.timestamps, values: floats.values, histograms: undefined });
    }
    return out;
  }

  async function select(request: SampleRequest, signal?: AbortSignal): Promise<SeriesSamples[]> {
    return (await scan(request, signal)).readAll();
  }

  async function series(
    sets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    limit: number,
    signal?: AbortSignal,
  ): Promise<Labels[]> {
    const ids = index.sort(await activeIds(sets, startMs, endMs, signal), () => throwIfAborted(signal));
    return (limit > 0 ? ids.slice(0, limit) : ids).map((id, i) => {
      if ((i & SERIES_PER_LOOK) === 0) throwIfAborted(signal);
      return index.labels(id);
    });
  }

  async function activeIds(
    sets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    signal: AbortSignal | undefined,
  ): Promise<number[]> {
    await refresh();
    throwIfAborted(signal);
    const ids = sets.length <= 1 ? index.select(sets[0] ?? []) : [...new Set(sets.flatMap((set) => index.select(set)))];
    throwIfAborted(signal);
    ids.sort((a, b) => a - b);
    if (ids.length === 0 || isAlways(startMs, endMs)) return ids;
    const active = samples.active(ids, startMs, endMs, signal);
    const slots = slotsOf(ids);
    const wanted = ids.filter((id, slot) => active[slot] === 0 && holdsHistograms(id));
    if (wanted.length > 0) {
      const { sql, bind } = idCondition('series', wanted);
      const query = `SELECT DISTINCT series FROM histograms WHERE ts BETWEEN ${clampInt(startMs)} AND ${clampInt(endMs)} AND ${sql}`;
      for await (const chunk of source.read(query, bind ? wanted : undefined, signal)) {
        const column = uints(chunk, 0);
        for (let row = 0; row < chunk.count; row++) {
          const slot = slotOf(slots, column[row]);
          if (slot >= 0) active[slot] = 1;
        }
      }
    }
    return ids.filter((_, slot) => active[slot] === 1);
  }

  async function labelNames(
    sets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    signal?: AbortSignal,
  ): Promise<string[]> {
    if (sets.length === 0 && isAlways(startMs, endMs)) {
      index.refresh();
      return index.allNames().sort();
    }
    const ids = await activeIds(sets, startMs, endMs, signal);
    return distinctTexts(ids, (part) => index.namesAmong(part), signal);
  }

  async function labelValues(
    name: string,
    sets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    signal?: AbortSignal,
  ): Promise<string[]> {
    if (sets.length === 0 && isAlways(startMs, endMs)) {
      index.refresh();
      return index.allValues(name).sort();
    }
    const ids = await activeIds(sets, startMs, endMs, signal);
    return distinctTexts(ids, (part) => index.valuesAmong(name, part), signal);
  }

  async function exemplars(
    request: SampleRequest,
    signal?: AbortSignal,
  ): Promise<{ labels: Labels; exemplars: Exemplar[] }[]> {
    await refresh();
    const ids = index.select(request.matchers);
    if (ids.length === 0) return [];
    const { sql, bind } = idCondition('series', ids);
    const wanted = new Map(ids.map((id) => [id, [] as Exemplar[]]));
    const range = `ts BETWEEN ${clampInt(request.startMs)} AND ${clampInt(request.endMs)}`;
    const query = `SELECT series, ts, value, labels FROM exemplars WHERE ${range} AND ${sql} ORDER BY ts`;
    for await (const chunk of source.read(query, bind ? ids : undefined, signal)) {
      const [ids_, times, values] = [uints(chunk, 0), int64s(chunk, 1), doubles(chunk, 2)];
      for (let row = 0; row < chunk.count; row++) {
        wanted.get(ids_[row])?.push({
          timestampMs: Number(times[row]),
          value: values[row],
          labels: JSON.parse(text(chunk, 3, row)) as string[],
        });
      }
    }
    return [...wanted]
      .filter(([, found]) => found.length > 0)
      .map(([id, found]) => ({ labels: index.labels(id), exemplars: found }));
  }

  async function metadata(metric?: string): Promise<MetricMetadata[]> {
    const latest = new Map<string, MetricMetadata>();
    const query = 'SELECT metric, type, help, unit FROM metadata';
    for await (const chunk of source.read(query, undefined, undefined)) {
      for (let row = 0; row < chunk.count; row++) {
        const name = text(chunk, 0, row);
        if (metric !== undefined && name !== metric) continue;
        const type = text(chunk, 1, row) as MetricType;
        latest.set(name, { metric: name, type, help: text(chunk, 2, row), unit: text(chunk, 3, row) });
      }
    }
    return [...latest.values()].sort((a, b) => (a.metric < b.metric ? -1 : 1));
  }

  async function extent(): Promise<SampleExtent> {
    await refresh();
    const floats = samples.extent();
    if (samples.histogramSeries.length === 0) return floats;
    let { startMs, endMs } = floats;
    const query = 'SELECT coalesce(min(ts), 0), coalesce(max(ts), 0), count(*) FROM histograms';
    for await (const chunk of source.read(query, undefined, undefined)) {
      if (int64s(chunk, 2)[0] === 0n) continue;
      startMs = Math.min(startMs, Number(int64s(chunk, 0)[0]));
      endMs = Math.max(endMs, Number(int64s(chunk, 1)[0]));
    }
    return { chunks: floats.chunks, startMs, endMs };
  }

  function holdsHistograms(id: number): boolean {
    const known = samples.histogramSeries;
    const at = firstAtOrAbove(known, id);
    return at < known.length && known[at] === id;
  }

  /** By place in `ids`; `undefined` where none of them holds histograms. */
  async function readHistograms(
    ids: readonly number[],
    startMs: number,
    endMs: number,
    signal: AbortSignal | undefined,
  ): Promise<Map<number, HistogramSamples> | undefined> {
    const wanted = samples.histogramSeries.length === 0 ? [] : ids.filter(holdsHistograms);
    if (wanted.length === 0) return undefined;
    const slots = slotsOf(ids);
    const { sql, bind } = idCondition('series', wanted);
    const found = new Map<number, HistogramSamples>();
    const query = `SELECT series, ts, body FROM histograms WHERE ts BETWEEN ${startMs} AND ${endMs} AND ${sql}`;
    for await (const chunk of source.read(query, bind ? wanted : undefined, signal)) {
      const seriesColumn = uints(chunk, 0);
      const tsColumn = int64s(chunk, 1);
      for (let row = 0; row < chunk.count; row++) {
        const slot = slotOf(slots, seriesColumn[row]);
        if (slot < 0) continue;
        let series = found.get(slot);
        if (!series) found.set(slot, (series = { timestamps: [], histograms: [] }));
        series.timestamps.push(Number(tsColumn[row]));
        series.histograms.push(decodeHistogram(bytes(chunk, 2, row)));
      }
    }
    return found;
  }

  return { select, scan, reuse: () => samples.reuse(), series, labelNames, labelValues, exemplars, extent, metadata };
}

/** The texts that `textsOf` gives for some series at a time, sorted, without duplicates. */
function distinctTexts(
  ids: readonly number[],
  textsOf: (part: readonly number[]) => string[],
  signal: AbortSignal | undefined,
): string[] {
  const texts = new Set<string>();
  for (let from = 0; from < ids.length; from += PART_SERIES) {
    throwIfAborted(signal);
    for (const one of textsOf(ids.slice(from, from + PART_SERIES))) texts.add(one);
  }
  return [...texts].sort();
}

/** Maps a series number to its place in the answer; −1 where it isn't wanted. */
interface Slots {
  readonly low: number;
  readonly places: Int32Array;
}

function slotsOf(ids: readonly number[]): Slots {
  const low = ids[0] ?? 0;
  const places = new Int32Array((ids[ids.length - 1] ?? -1) - low + 1).fill(-1);
  for (let slot = 0; slot < ids.length; slot++) places[ids[slot] - low] = slot;
  return { low, places };
}

function slotOf(slots: Slots, id: number): number {
  const place = id - slots.low;
  return place >= 0 && place < slots.places.length ? slots.places[place] : -1;
}

/** The first index whose number is at or above `id`, in ascending numbers. */
function firstAtOrAbove(ids: Uint32Array, id: number): number {
  let [low, high] = [0, ids.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ids[middle] < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

interface HistogramSamples {
  timestamps: number[];
  histograms: NativeHistogram[];
}

/** Merges floats and histograms of one series by time; of equal times the histogram wins, then the last written. */
function mergeHistograms(labels: Labels, floats: SeriesColumns | undefined, found: HistogramSamples): SeriesSamples {
  const byTime = new Map<number, NativeHistogram>();
  for (let i = 0; i < found.timestamps.length; i++) byTime.set(found.timestamps[i], found.histograms[i]);
  const times = new Set(byTime.keys());
  const values = new Map<number, bigint>();
  if (floats) {
    const bits = new BigInt64Array(floats.values.buffer, floats.values.byteOffset, floats.values.length);
    for (let i = 0; i < bits.length; i++) {
      times.add(floats.timestamps[i]);
      values.set(floats.timestamps[i], bits[i]);
    }
  }
  const timestamps = Float64Array.from(times).sort();
  const valueBits = new BigInt64Array(timestamps.length);
  const histograms: (NativeHistogram | undefined)[] = new Array(timestamps.length);
  for (let i = 0; i < timestamps.length; i++) {
    histograms[i] = byTime.get(timestamps[i]);
    valueBits[i] = values.get(timestamps[i]) ?? 0n;
  }
  return { labels, timestamps, values: new Float64Array(valueBits.buffer), histograms };
}

/** Whether a range leaves nothing out. */
function isAlways(startMs: number, endMs: number): boolean {
  return startMs <= Number.MIN_SAFE_INTEGER && endMs >= Number.MAX_SAFE_INTEGER;
}

function clampInt(ms: number): number {
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, Math.floor(ms)));
}

function limitError(what: string, got: number, limit: number, knob: string): BarographError {
  return new BarographError({
    code: 'query_limit',
    status: 422,
    where: 'selector',
    got: `${got} ${what}`,
    accepted: `at most ${limit}`,
    fix: `add matchers, shorten the time range, or raise ${knob}`,
  });
}
