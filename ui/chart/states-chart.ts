import uPlot from 'uplot';
import type { Panel } from '../../server/dashboards/index.ts';
import type { Frame } from '../data/frame.ts';
import { shortNames } from '../data/short-names.ts';
import { dominantState, type StateRow } from '../data/states.ts';
import type { TimeWindow } from '../view/range.ts';
import { sharedCursor, timeAxis, valueAxis } from './axes.ts';
import { rowSplits } from './heatmap-chart.ts';
import { frameTimes } from './line-chart.ts';
import type { ChartSpec } from './spec.ts';
import { type ChartTheme, stateColor } from './theme.ts';

/** A chart of states over time: one row a thing, the colour says which state, its strength for how much of the time. */
export function statesChart(
  panel: Panel,
  frame: Frame,
  rows: readonly StateRow[],
  window: TimeWindow,
  theme: ChartTheme,
): ChartSpec {
  const names = shortNames(rows.map((row) => row.name));
  return {
    key: JSON.stringify([panel.id, theme.name, names]),
    window,
    data: [frameTimes(frame), new Array(frame.length).fill(null)] as uPlot.AlignedData,
    options: {
      legend: { show: false },
      padding: [10, 20, 0, 0],
      cursor: { ...sharedCursor(theme), points: { show: false } },
      // The first row is at the top, as in a list.
      scales: { x: { time: true }, rows: { dir: -1, range: () => [0, rows.length] } },
      axes: [
        { ...timeAxis(theme), grid: { show: false } },
        {
          ...valueAxis(theme, (ticks) => ticks.map((tick) => names[Math.floor(tick)] ?? '')),
          scale: 'rows',
          size: axisWidth(names),
          grid: { show: false },
          splits: (u) => rowSplits(rows.length - 1, u.bbox.height / uPlot.pxRatio).map((row) => row + 0.5),
        },
      ],
      series: [{}, { scale: 'rows', stroke: 'transparent', points: { show: false } }],
    },
    paint: (u) => drawRows(u, rows, frame, theme),
  };
}

function axisWidth(names: readonly string[]): number {
  return Math.max(50, 12 + 6.4 * Math.max(0, ...names.map((name) => name.length)));
}

function drawRows(u: uPlot, rows: readonly StateRow[], frame: Frame, theme: ChartTheme): void {
  const { ctx } = u;
  ctx.save();
  ctx.beginPath();
  ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
  ctx.clip();
  rows.forEach((row, index) => {
    const top = Math.round(u.valToPos(index, 'rows', true));
    const bottom = Math.round(u.valToPos(index + 1, 'rows', true));
    const gap = Math.min(2 * uPlot.pxRatio, (bottom - top) / 4);
    ctx.globalAlpha = 1;
    ctx.fillStyle = theme.grid;
    ctx.fillRect(u.bbox.left, top + gap, u.bbox.width, bottom - top - 2 * gap);
    for (let column = 0; column < frame.length; column++) {
      const state = dominantState(row, column);
      if (!state) continue;
      const seconds = frame.startSeconds + column * frame.stepSeconds;
      const left = Math.round(u.valToPos(seconds - frame.stepSeconds, 'x', true));
      const right = Math.round(u.valToPos(seconds, 'x', true));
      ctx.fillStyle = theme.colors[stateColor(state.state)];
      // Even a short episode must be seen from across a room.
      ctx.globalAlpha = 0.35 + 0.65 * state.share;
      ctx.fillRect(left, top + gap, Math.max(uPlot.pxRatio, right - left), bottom - top - 2 * gap);
    }
  });
  ctx.restore();
}
