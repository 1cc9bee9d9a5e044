import uPlot from 'uplot';
import type { Panel } from '../../server/dashboards/index.ts';
import type { Frame } from '../data/frame.ts';
import type { StyledSeries } from '../data/series-style.ts';
import type { TimeWindow } from '../view/range.ts';
import { sharedCursor, timeAxis } from './axes.ts';
import { frameTimes } from './line-chart.ts';
import type { ChartSpec, EventMark } from './spec.ts';
import type { ChartTheme } from './theme.ts';

/** The lane of events: the time axis of the whole pane, with a bar where something was said, as high as it was often. */
export function eventsChart(
  panel: Panel,
  frame: Frame,
  marks: readonly EventMark[],
  window: TimeWindow,
  theme: ChartTheme,
): ChartSpec {
  return {
    key: JSON.stringify([panel.id, theme.name]),
    window,
    data: [frameTimes(frame), new Array(frame.length).fill(null)] as uPlot.AlignedData,
    options: {
      legend: { show: false },
      padding: [2, 20, 0, 20],
      cursor: { ...sharedCursor(theme), points: { show: false } },
      scales: { x: { time: true }, y: { range: () => [0, 1] } },
      axes: [{ ...timeAxis(theme), size: 18, gap: 3, space: 90, grid: { show: false } }, { show: false }],
      series: [{}, { stroke: 'transparent', points: { show: false } }],
    },
    paint: (u) => drawBars(u, frame, marks, theme),
  };
}

/** The marks of a lane: one a moment and series, errors after warnings so that they are drawn above them. */
export function eventMarks(frame: Frame, series: readonly StyledSeries[]): EventMark[] {
  const marks: EventMark[] = [];
  for (const { series: one, color } of [...series].reverse()) {
    one.values.forEach((count, i) => {
      if (count > 0) marks.push({ seconds: frame.startSeconds + i * frame.stepSeconds, color, count });
    });
  }
  return marks;
}

/**
 * The height of a bar as a share of the lane: a single warning is seen, a storm of a hundred fills it. An error always
 * fills it, so that it is told from warnings without its colour.
 */
export function barHeight({ color, count }: EventMark): number {
  if (color === 'error') return 1;
  return Math.min(1, 0.3 + 0.35 * Math.log10(Math.max(1, count)));
}

function drawBars(u: uPlot, frame: Frame, marks: readonly EventMark[], theme: ChartTheme): void {
  const { ctx } = u;
  const { left, top, width, height } = u.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = theme.grid;
  ctx.fillRect(left, top + height - uPlot.pxRatio, width, uPlot.pxRatio);
  for (const mark of marks) {
    const { seconds, color } = mark;
    const from = Math.round(u.valToPos(seconds - frame.stepSeconds, 'x', true));
    const to = Math.round(u.valToPos(seconds, 'x', true));
    const bar = Math.round(height * barHeight(mark));
    ctx.fillStyle = theme.colors[color];
    ctx.fillRect(from, top + height - bar, Math.max(2 * uPlot.pxRatio, to - from - uPlot.pxRatio), bar);
  }
  ctx.restore();
}
