import {
  compareLabels,
  type Labels,
  labelsKey,
  type Matcher,
  matchesAll,
  type SeriesSamples,
} from '../../model/index.ts';
import type { MetricReader, SampleExtent, SampleRequest, SeriesScan } from '../../store/index.ts';

/** A metric reader over arrays, for scripts and tests that need no store. */
export class MemoryMetricReader implements MetricReader {
  private readonly byLabels = new Map<string, SeriesSamples>();

  /** Adds a series in place of one with the same labels; timestamps must ascend. */
  add(series: SeriesSamples): void {
    this.byLabels.set(labelsKey(series.labels), series);
  }

  private get stored(): SeriesSamples[] {
    return [...this.byLabels.values()];
  }

  async select(request: SampleRequest): Promise<SeriesSamples[]> {
    return (await this.scan(request)).readAll();
  }

  /** As the store's: series are numbered in the order in which they were added. */
  async scan(request: SampleRequest, _signal?: AbortSignal, known?: Uint32Array): Promise<SeriesScan> {
    const { stored } = this;
    const matching = [...stored.keys()].filter((id) => matchesAll(request.matchers, stored[id].labels));
    const ids = known ?? Uint32Array.from(matching);
    const found = [...ids].map((id) => cutOut(stored[id], request));
    return {
      ids,
      hasHistograms: found.some((series) => series?.histograms),
      read: (from, to) => found.slice(from, to).filter((series) => series !== undefined),
      readAll: async () => found.filter((series) => series !== undefined),
      countElsewhere() {},
    };
  }

  reuse(): void {}

  async series(sets: readonly (readonly Matcher[])[]): Promise<Labels[]> {
    const found = this.stored.filter((s) => sets.length === 0 || sets.some((set) => matchesAll(set, s.labels)));
    return found.map((s) => s.labels).sort(compareLabels);
  }

  async labelNames(sets: readonly (readonly Matcher[])[]): Promise<string[]> {
    const found = await this.series(sets);
    return [...new Set(found.flatMap((labels) => labels.filter((_, i) => i % 2 === 0)))].sort();
  }

  async labelValues(name: string, sets: readonly (readonly Matcher[])[]): Promise<string[]> {
    const found = await this.series(sets);
    return [
      ...new Set(found.flatMap((labels) => labels.filter((_, i) => i % 2 === 1 && labels[i - 1] === name))),
    ].sort();
  }

  async exemplars(): Promise<[]> {
    return [];
  }

  async extent(): Promise<SampleExtent> {
    const times = this.stored.flatMap(({ timestamps }) => [...timestamps]);
    const [startMs, endMs] = [Math.min(...times), Math.max(...times)];
    return { chunks: this.stored.length, startMs, endMs };
  }

  async metadata(): Promise<[]> {
    return [];
  }
}

function firstAtOrAfter(timestamps: Float64Array, ms: number): number {
  let [low, high] = [0, timestamps.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (timestamps[middle] < ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The samples of one series in a range; `undefined` where it has none. */
function cutOut(series: SeriesSamples, { startMs, endMs }: SampleRequest): SeriesSamples | undefined {
  const { labels, timestamps, values, histograms } = series;
  const from = firstAtOrAfter(timestamps, startMs);
  const to = firstAtOrAfter(timestamps, endMs + 1);
  if (to <= from) return undefined;
  return {
    labels,
    timestamps: timestamps.subarray(from, to),
    values: values.subarray(from, to),
    histograms: histograms?.slice(from, to),
  };
}
