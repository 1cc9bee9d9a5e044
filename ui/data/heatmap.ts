import { readNumber } from '../api/prometheus.ts';
import type { Frame, FrameSeries } from './frame.ts';

/** A distribution over time: columns are moments, rows are buckets from the smallest up. */
export interface Heatmap {
  /** Upper bounds of the rows, ascending; the last may be infinite. */
  readonly uppers: readonly number[];
  /** Lower bounds of the rows. */
  readonly lowers: readonly number[];
  /** Observations per second, row by row: `cells[row · length + column]`; `NaN` where nothing is known. */
  readonly cells: Float64Array;
  readonly length: number;
  /** The largest cell. */
  readonly max: number;
}

/**
 * Turns a frame into a heatmap: from cumulative classic buckets (series with `le`) where there are any, else from native
 * histograms. Rows without any observation at either end are cut off.
 */
export function buildHeatmap(frame: Frame): Heatmap | undefined {
  const classic = frame.series.filter((series) => series.labels.le !== undefined && !series.histograms);
  if (classic.length > 0) return trimRows(fromClassic(classic, frame.length));
  const native = frame.series.find((series) => series.histograms);
  return native ? trimRows(fromNative(native, frame.length)) : undefined;
}

function fromClassic(series: readonly FrameSeries[], length: number): Heatmap {
  const sorted = series
    .map((s) => ({ upper: readNumber(s.labels.le), values: s.values }))
    .sort((a, b) => a.upper - b.upper);
  const cells = new Float64Array(sorted.length * length).fill(Number.NaN);
  for (let column = 0; column < length; column++) {
    let below = 0;
    for (let row = 0; row < sorted.length; row++) {
      const cumulative = sorted[row].values[column];
      if (Number.isNaN(cumulative)) continue;
      // Buckets are rated one by one, so that a smaller sum above a larger one can come of rounding and late samples.
      cells[row * length + column] = Math.max(0, cumulative - below);
      below = Math.max(below, cumulative);
    }
  }
  const uppers = sorted.map((s) => s.upper);
  return heatmap(uppers, [0, ...uppers.slice(0, -1)], cells, length);
}

/** Native buckets of differing resolution are gathered in powers of two, which is what a screen can show. */
function fromNative(series: FrameSeries, length: number): Heatmap {
  const exponents = new Set<number>();
  for (const buckets of series.histograms ?? []) for (const b of buckets ?? []) exponents.add(exponentOf(b));
  const rows = [...exponents].sort((a, b) => a - b);
  if (rows.length === 0) return heatmap([], [], new Float64Array(0), length);
  const [first, last] = [rows[0], rows[rows.length - 1]];
  const count = last - first + 1;
  const cells = new Float64Array(count * length).fill(Number.NaN);
  series.histograms?.forEach((buckets, column) => {
    if (!buckets) return;
    for (let row = 0; row < count; row++) cells[row * length + column] = 0;
    for (const bucket of buckets) cells[(exponentOf(bucket) - first) * length + column] += bucket.count;
  });
  const uppers = Array.from({ length: count }, (_, row) => 2 ** (first + row));
  return heatmap(
    uppers,
    uppers.map((upper) => (upper <= 1 ? 0 : upper / 2)),
    cells,
    length,
  );
}

/** The power of two that a bucket ends in; everything up to 1, zero and negative values included, is in the first. */
function exponentOf(bucket: { upper: number }): number {
  return bucket.upper <= 1 ? 0 : Math.min(Math.ceil(Math.log2(bucket.upper) - 1e-9), 40);
}

function heatmap(uppers: number[], lowers: number[], cells: Float64Array, length: number): Heatmap {
  let max = 0;
  for (const cell of cells) if (cell > max) max = cell;
  return { uppers, lowers, cells, length, max };
}

function trimRows(map: Heatmap): Heatmap | undefined {
  const used = map.uppers.map((_, row) =>
    map.cells.subarray(row * map.length, (row + 1) * map.length).some((v) => v > 0),
  );
  const first = used.indexOf(true);
  if (first === -1) return undefined;
  const end = used.lastIndexOf(true) + 1;
  const cells = map.cells.slice(first * map.length, end * map.length);
  return { ...map, uppers: map.uppers.slice(first, end), lowers: map.lowers.slice(first, end), cells };
}
