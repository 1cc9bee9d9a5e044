import uPlot from 'uplot';
import type { Panel } from '../../server/dashboards/index.ts';
import { formatTokenBound } from '../data/format.ts';
import type { Frame } from '../data/frame.ts';
import type { Heatmap } from '../data/heatmap.ts';
import type { TimeWindow } from '../view/range.ts';
import { sharedCursor, timeAxis, valueAxis } from './axes.ts';
import { frameTimes } from './line-chart.ts';
import type { ChartSpec } from './spec.ts';
import { type ChartTheme, heatScale } from './theme.ts';

/** A chart of a distribution over time: one row a bucket, the colour says how many a second. */
export function heatmapChart(
  panel: Panel,
  frame: Frame,
  map: Heatmap,
  window: TimeWindow,
  theme: ChartTheme,
): ChartSpec {
  const colors = heatScale(theme.heat);
  const rows = map.uppers.length;
  return {
    key: JSON.stringify([panel.id, theme.name, map.uppers]),
    window,
    data: [frameTimes(frame), new Array(frame.length).fill(null)] as uPlot.AlignedData,
    options: {
      legend: { show: false },
      padding: [10, 20, 0, 0],
      cursor: { ...sharedCursor(theme), points: { show: false } },
      scales: { x: { time: true }, rows: { range: () => [0, rows] } },
      axes: [
        { ...timeAxis(theme), grid: { show: false } },
        {
          ...valueAxis(theme, (ticks) =>
            ticks.map((row) => formatTokenBound(row === 0 ? map.lowers[0] : map.uppers[row - 1])),
          ),
          scale: 'rows',
          grid: { show: false },
          splits: (u) => rowSplits(rows, u.bbox.height / uPlot.pxRatio),
        },
      ],
      series: [{}, { scale: 'rows', show: true, stroke: 'transparent', points: { show: false } }],
    },
    paint: (u) => drawCells(u, map, frame, colors),
  };
}

/** The bounds between rows that get a label: as many as stand 22 CSS pixels apart. */
export function rowSplits(rows: number, heightPx: number): number[] {
  const every = Math.max(1, Math.ceil((rows * 22) / Math.max(heightPx, 1)));
  const splits: number[] = [];
  for (let row = 0; row <= rows; row += every) splits.push(row);
  return splits;
}

/** The place of a value on the colour scale, 0 to 255: its root, so that rare sizes are seen beside common ones. */
export function heatIndex(value: number, max: number): number {
  if (!(value > 0) || max <= 0) return 0;
  return Math.max(12, Math.round(Math.sqrt(Math.min(1, value / max)) * 255));
}

function drawCells(u: uPlot, map: Heatmap, frame: Frame, colors: readonly string[]): void {
  const { ctx } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  const rows = map.uppers.length;
  for (let column = 0; column < frame.length; column++) {
    // A value of a step speaks of the time before it, as every rate does.
    const seconds = frame.startSeconds + column * frame.stepSeconds;
    const left = Math.round(u.valToPos(seconds - frame.stepSeconds, 'x', true));
    const right = Math.round(u.valToPos(seconds, 'x', true));
    for (let row = 0; row < rows; row++) {
      const value = map.cells[row * map.length + column];
      if (!(value > 0)) continue;
      const top = Math.round(u.valToPos(row + 1, 'rows', true));
      const bottom = Math.round(u.valToPos(row, 'rows', true));
      ctx.fillStyle = colors[heatIndex(value, map.max)];
      ctx.fillRect(left, top, Math.max(1, right - left), bottom - top);
    }
  }
  ctx.restore();
}

/** What the cursor's column says: the row under the pointer is not known to other panels, so the median and p95 rows. */
export function columnQuantile(
  map: Heatmap,
  column: number,
  quantile: number,
): { lower: number; upper: number } | undefined {
  let total = 0;
  for (let row = 0; row < map.uppers.length; row++) total += map.cells[row * map.length + column] || 0;
  if (total <= 0) return undefined;
  let below = 0;
  for (let row = 0; row < map.uppers.length; row++) {
    below += map.cells[row * map.length + column] || 0;
    if (below >= quantile * total) return { lower: map.lowers[row], upper: map.uppers[row] };
  }
  return undefined;
}

/** All observations of a column, a second. */
export function columnTotal(map: Heatmap, column: number): number {
  let total = 0;
  for (let row = 0; row < map.uppers.length; row++) total += map.cells[row * map.length + column] || 0;
  return total;
}
