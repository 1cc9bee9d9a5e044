import {
  BarographError,
  compareLabels,
  type Exemplar,
  type Labels,
  type Matcher,
  type MetricMetadata,
  type MetricType,
  type NativeHistogram,
  type SeriesSamples,
} from '../model/index.ts';
import type { ChunkSource } from './chunks.ts';
import { decodeHistogram } from './histogram-codec.ts';
import type { LabelIndex } from './label-index.ts';
import type { MetricReader, SampleRequest } from './reader.ts';
import { bytes, doubles, idCondition, int64s, text, uints } from './rows.ts';

/** Bounds of one `select`. */
export interface MetricReaderLimits {
  /** Samples read from the store for one selector. */
  readonly maxSamplesPerSelect: number;
  /** Series matched by one selector. */
  readonly maxSeriesPerSelect: number;
}

export const DEFAULT_METRIC_READER_LIMITS: MetricReaderLimits = {
  maxSamplesPerSelect: 50_000_000,
  maxSeriesPerSelect: 1_000_000,
};

/** The metric reader over DuckDB's tables. `refresh` brings the index up to what is committed. */
export function createMetricReader(
  source: ChunkSource,
  index: LabelIndex,
  refresh: () => Promise<void>,
  limits: MetricReaderLimits = DEFAULT_METRIC_READER_LIMITS,
): MetricReader {
  async function select(request: SampleRequest, signal?: AbortSignal): Promise<SeriesSamples[]> {
    await refresh();
    const ids = index.select(request.matchers);
    if (ids.length === 0) return [];
    if (ids.length > limits.maxSeriesPerSelect) {
      throw limitError('series', ids.length, limits.maxSeriesPerSelect, 'query.max_series_per_select');
    }
    const slots = slotsOf(ids);
    const where = `ts BETWEEN ${clampInt(Math.ceil(request.startMs))} AND ${clampInt(request.endMs)}`;
    const samples = await readSamples(source, ids, slots, where, limits, signal);
    const histograms = await readHistograms(source, ids, slots, where, signal);
    const out: SeriesSamples[] = [];
    for (let slot = 0; slot < ids.length; slot++) {
      const labels = index.labels(ids[slot]);
      const found = histograms?.get(slot);
      const floats = samples.series(slot);
      if (found) out.push(mergeHistograms(labels, floats, found));
      else if (floats)
        out.push({ labels, timestamps: floats.timestamps, values: floats.values, histograms: undefined });
    }
    return out;
  }

  async function series(
    sets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
    limit: number,
  ): Promise<Labels[]> {
    const ids = await activeIds(sets, startMs, endMs);
    const found = ids.map((id) => index.labels(id)).sort(compareLabels);
    return limit > 0 ? found.slice(0, limit) : found;
  }

  async function activeIds(sets: readonly (readonly Matcher[])[], startMs: number, endMs: number): Promise<number[]> {
    await refresh();
    const ids = sets.length === 0 ? index.select([]) : [...new Set(sets.flatMap((set) => index.select(set)))];
    ids.sort((a, b) => a - b);
    if (ids.length === 0 || (startMs <= Number.MIN_SAFE_INTEGER && endMs >= Number.MAX_SAFE_INTEGER)) return ids;
    // Series that have nothing in the range are left out; this reads one column of the range and no values.
    const slots = slotsOf(ids);
    const active = new Uint8Array(ids.length);
    const range = `ts BETWEEN ${clampInt(startMs)} AND ${clampInt(endMs)}`;
    for (const table of ['samples', 'histograms']) {
      for await (const chunk of source.read(
        `SELECT DISTINCT series FROM ${table} WHERE ${range}`,
        undefined,
        undefined,
      )) {
        const column = uints(chunk, 0);
        for (let row = 0; row < chunk.count; row++) {
          const slot = slotOf(slots, column[row]);
          if (slot >= 0) active[slot] = 1;
        }
      }
    }
    return ids.filter((_, slot) => active[slot] === 1);
  }

  async function labelNames(sets: readonly (readonly Matcher[])[], startMs: number, endMs: number): Promise<string[]> {
    const names = new Set<string>();
    for (const id of await activeIds(sets, startMs, endMs)) {
      const labels = index.labels(id);
      for (let i = 0; i < labels.length; i += 2) names.add(labels[i]);
    }
    return [...names].sort();
  }

  async function labelValues(
    name: string,
    sets: readonly (readonly Matcher[])[],
    startMs: number,
    endMs: number,
  ): Promise<string[]> {
    const values = new Set<string>();
    for (const id of await activeIds(sets, startMs, endMs)) {
      const labels = index.labels(id);
      for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) values.add(labels[i + 1]);
    }
    return [...values].sort();
  }

  async function exemplars(request: SampleRequest): Promise<{ labels: Labels; exemplars: Exemplar[] }[]> {
    await refresh();
    const ids = index.select(request.matchers);
    if (ids.length === 0) return [];
    const { sql, bind } = idCondition('series', ids);
    const wanted = new Map(ids.map((id) => [id, [] as Exemplar[]]));
    const range = `ts BETWEEN ${clampInt(request.startMs)} AND ${clampInt(request.endMs)}`;
    const query = `SELECT series, ts, value, labels FROM exemplars WHERE ${range} AND ${sql} ORDER BY ts`;
    for await (const chunk of source.read(query, bind ? ids : undefined, undefined)) {
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

  return { select, series, labelNames, labelValues, exemplars, metadata };
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

interface FloatSamples {
  timestamps: Float64Array;
  values: Float64Array;
}

/** Samples of many series in scan order, then split by series with a counting sort. */
async function readSamples(
  source: ChunkSource,
  ids: readonly number[],
  slots: Slots,
  where: string,
  limits: MetricReaderLimits,
  signal: AbortSignal | undefined,
): Promise<{ series(slot: number): FloatSamples | undefined }> {
  const { sql, bind } = idCondition('series', ids);
  let capacity = 65_536;
  let slotColumn = new Int32Array(capacity);
  let times = new Float64Array(capacity);
  // The values travel as 64-bit integers, because a copy through doubles may change a NaN's payload.
  let bits = new BigInt64Array(capacity);
  const counts = new Int32Array(ids.length + 1);
  let rows = 0;
  const query = `SELECT series, ts, value FROM samples WHERE ${where} AND ${sql}`;
  for await (const chunk of source.read(query, bind ? ids : undefined, signal)) {
    const count = chunk.count;
    const seriesColumn = uints(chunk, 0);
    const tsColumn = int64s(chunk, 1);
    const valueColumn = doubles(chunk, 2);
    const valueBits = new BigInt64Array(valueColumn.buffer, valueColumn.byteOffset, count);
    const tsWords = new Int32Array(tsColumn.buffer, tsColumn.byteOffset, count * 2);
    if (rows + count > capacity) {
      capacity = Math.max(capacity * 2, rows + count);
      slotColumn = grown(slotColumn, new Int32Array(capacity));
      times = grown(times, new Float64Array(capacity));
      bits = grown(bits, new BigInt64Array(capacity));
    }
    for (let row = 0; row < count; row++) {
      const slot = slotOf(slots, seriesColumn[row]);
      if (slot < 0) continue;
      slotColumn[rows] = slot;
      times[rows] = tsWords[2 * row + 1] * 4294967296 + (tsWords[2 * row] >>> 0);
      bits[rows] = valueBits[row];
      counts[slot + 1]++;
      rows++;
    }
    if (rows > limits.maxSamplesPerSelect) {
      throw limitError('samples', rows, limits.maxSamplesPerSelect, 'query.max_samples_per_select');
    }
  }
  for (let slot = 0; slot < ids.length; slot++) counts[slot + 1] += counts[slot];
  const next = counts.slice();
  const sortedTimes = new Float64Array(rows);
  const sortedBits = new BigInt64Array(rows);
  for (let row = 0; row < rows; row++) {
    const at = next[slotColumn[row]]++;
    sortedTimes[at] = times[row];
    sortedBits[at] = bits[row];
  }
  return {
    series(slot) {
      const from = counts[slot];
      const to = counts[slot + 1];
      return from === to ? undefined : orderedSamples(sortedTimes, sortedBits, from, to);
    },
  };
}

function grown<T extends Int32Array | Float64Array | BigInt64Array>(old: T, larger: T): T {
  larger.set(old as never);
  return larger;
}

/** One series' samples in ascending time, the last written of equal times. Mostly they are in order already. */
function orderedSamples(times: Float64Array, bits: BigInt64Array, from: number, to: number): FloatSamples {
  let ascending = true;
  for (let i = from + 1; i < to; i++) {
    if (times[i] <= times[i - 1]) {
      ascending = false;
      break;
    }
  }
  if (ascending) {
    const values = new Float64Array(bits.buffer, bits.byteOffset + from * 8, to - from);
    return { timestamps: times.subarray(from, to), values };
  }
  const order = Array.from({ length: to - from }, (_, i) => from + i);
  order.sort((a, b) => times[a] - times[b] || a - b);
  const timestamps = new Float64Array(order.length);
  const kept = new BigInt64Array(order.length);
  let n = 0;
  for (const at of order) {
    if (n > 0 && timestamps[n - 1] === times[at]) n--;
    timestamps[n] = times[at];
    kept[n++] = bits[at];
  }
  return { timestamps: timestamps.subarray(0, n), values: new Float64Array(kept.buffer, 0, n) };
}

interface HistogramSamples {
  timestamps: number[];
  histograms: NativeHistogram[];
}

async function readHistograms(
  source: ChunkSource,
  ids: readonly number[],
  slots: Slots,
  where: string,
  signal: AbortSignal | undefined,
): Promise<Map<number, HistogramSamples> | undefined> {
  const { sql, bind } = idCondition('series', ids);
  let found: Map<number, HistogramSamples> | undefined;
  const query = `SELECT series, ts, body FROM histograms WHERE ${where} AND ${sql}`;
  for await (const chunk of source.read(query, bind ? ids : undefined, signal)) {
    const seriesColumn = uints(chunk, 0);
    const tsColumn = int64s(chunk, 1);
    for (let row = 0; row < chunk.count; row++) {
      const slot = slotOf(slots, seriesColumn[row]);
      if (slot < 0) continue;
      found ??= new Map();
      let samples = found.get(slot);
      if (!samples) found.set(slot, (samples = { timestamps: [], histograms: [] }));
      samples.timestamps.push(Number(tsColumn[row]));
      samples.histograms.push(decodeHistogram(bytes(chunk, 2, row)));
    }
  }
  return found;
}

/** Merges floats and histograms of one series by time; of equal times the histogram wins, then the last written. */
function mergeHistograms(labels: Labels, floats: FloatSamples | undefined, found: HistogramSamples): SeriesSamples {
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
