import { type Labels, METRIC_NAME } from '../../model/index.ts';
import type { MetricReader } from '../../store/index.ts';
import { watchLoop } from '../stop-flags.ts';

/** A request for what the series are made of: Prometheus's `status/tsdb`. */
export interface CardinalityQuery {
  readonly kind: 'cardinality';
  /** Entries of each list, 1 to 10,000. */
  readonly limit: number;
}

/** What is counted of one label's values: how many series have each. */
type SeriesByValue = Map<string, number>;

/** One entry of a list. */
interface Counted {
  readonly name: string;
  readonly value: number;
}

/** The times that Prometheus tells of an empty head, as text since they are no doubles. */
const NO_TIMES = '"minTime":9223372036854775807,"maxTime":-9223372036854775808';

/** Answers with the numbers of series and label pairs, and the largest entries of each kind. */
export async function answerCardinality(
  { limit }: CardinalityQuery,
  reader: MetricReader,
  signal: AbortSignal,
): Promise<string> {
  const look = watchLoop(signal, 1024);
  const all = await reader.series([], Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, 0, signal);
  const byName = countLabels(all, look);
  const [pairs, values, bytes, metrics] = [0, 1, 2, 3].map(() => new Largest(limit));
  let pairCount = 0;
  for (const [name, byValue] of byName) {
    let size = 0;
    for (const [value, series] of byValue) {
      look();
      size += Buffer.byteLength(value) * series;
      if (pairs.takes(series)) pairs.add({ name: `${name}=${value}`, value: series });
      if (name === METRIC_NAME) metrics.add({ name: value, value: series });
    }
    pairCount += byValue.size;
    values.add({ name, value: byValue.size });
    bytes.add({ name, value: size });
  }
  const { chunks, startMs, endMs } = await reader.extent();
  const times = startMs > endMs ? NO_TIMES : `"minTime":${startMs},"maxTime":${endMs}`;
  const head = `{"numSeries":${all.length},"numLabelPairs":${pairCount},"chunkCount":${chunks},${times}}`;
  const lists = JSON.stringify({
    seriesCountByMetricName: metrics.finish(),
    labelValueCountByLabelName: values.finish(),
    memoryInBytesByLabelName: bytes.finish(),
    seriesCountByLabelValuePair: pairs.finish(),
  });
  return `{"status":"success","data":{"headStats":${head},${lists.slice(1)}}`;
}

/** @param look Called for each series; it may throw to end the counting. */
function countLabels(all: readonly Labels[], look: () => void): Map<string, SeriesByValue> {
  const byName = new Map<string, SeriesByValue>();
  for (const labels of all) {
    look();
    for (let i = 0; i < labels.length; i += 2) {
      let byValue = byName.get(labels[i]);
      if (!byValue) byName.set(labels[i], (byValue = new Map()));
      byValue.set(labels[i + 1], (byValue.get(labels[i + 1]) ?? 0) + 1);
    }
  }
  return byName;
}

/** The largest entries among all that are added; it holds twice as many as it keeps. */
class Largest {
  private readonly limit: number;
  private kept: Counted[] = [];
  /** What can't be among the largest any more. */
  private floor = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Whether an entry of this value may be among the largest. */
  takes(value: number): boolean {
    return value >= this.floor;
  }

  add(entry: Counted): void {
    if (!this.takes(entry.value)) return;
    this.kept.push(entry);
    if (this.kept.length >= 2 * this.limit + 16) this.cut();
  }

  /** The largest, the largest of all first, equal ones by name. */
  finish(): Counted[] {
    this.cut();
    return this.kept;
  }

  private cut(): void {
    this.kept.sort((a, b) => b.value - a.value || (a.name < b.name ? -1 : 1));
    if (this.kept.length < this.limit) return;
    this.kept.length = this.limit;
    this.floor = this.kept[this.limit - 1].value;
  }
}
