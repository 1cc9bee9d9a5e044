import uPlot from 'uplot';
import type { Panel, PanelThreshold } from '../../server/dashboards/index.ts';
import { formatTicks, formatValue } from '../data/format.ts';
import type { Frame } from '../data/frame.ts';
import type { StyledSeries } from '../data/series-style.ts';
import type { TimeWindow } from '../view/range.ts';
import { sharedCursor, timeAxis, valueAxis } from './axes.ts';
import type { ChartSpec } from './spec.ts';
import type { ChartTheme } from './theme.ts';

/** What a line chart is made of. */
export interface LineChartInput {
  readonly panel: Panel;
  readonly frame: Frame;
  readonly series: readonly StyledSeries[];
  /** The key of the only series to show, or `undefined` for all. */
  readonly only: string | undefined;
  readonly window: TimeWindow;
  readonly theme: ChartTheme;
}

/** A chart of lines over time. */
export function lineChart(input: LineChartInput): ChartSpec {
  const { panel, frame, only, window, theme } = input;
  // The legend's order follows the data; the chart's doesn't, so that a new highest line doesn't build it anew.
  const series = [...input.series].sort((a, b) => (a.series.key < b.series.key ? -1 : 1));
  const scales = new Set(series.map((s) => s.scale));
  const thresholds = [...(panel.thresholds ?? []), ...reachedCeilings(panel, series)];
  const lines = series.map((one) => lineOptions(one, only, theme));
  return {
    key: JSON.stringify([panel.id, theme.name, only ?? '', thresholds, series.map((s) => [s.series.key, s.color])]),
    window,
    data: [frameTimes(frame), ...series.map((s) => withGaps(s.series.values))] as uPlot.AlignedData,
    options: {
      legend: { show: false },
      padding: [10, scales.has('right') ? 0 : 20, 0, 0],
      cursor: sharedCursor(theme),
      scales: { x: { time: true }, left: valueScale(panel), right: valueScale(panel) },
      axes: [timeAxis(theme), ...[...scales].map((scale) => scaleAxis(scale, input, scales.size > 1))],
      series: [{}, ...lines],
      hooks: { draw: [(u) => drawThresholds(u, thresholds, theme)] },
    },
  };
}

/** The moments of a frame, in seconds. */
export function frameTimes(frame: Frame): number[] {
  return Array.from({ length: frame.length }, (_, i) => frame.startSeconds + i * frame.stepSeconds);
}

/** uPlot's data: `null` for gaps, and for infinities, which no axis can hold. */
function withGaps(values: Float64Array): (number | null)[] {
  return Array.from(values, (value) => (Number.isFinite(value) ? value : null));
}

function lineOptions(one: StyledSeries, only: string | undefined, theme: ChartTheme): uPlot.Series {
  const color = theme.colors[one.color] ?? theme.axis;
  return {
    scale: one.scale,
    label: one.name,
    show: only === undefined || only === one.series.key,
    stroke: color,
    width: one.emphasis ? 1.75 : 1.25,
    dash: one.dashed ? [5, 4] : undefined,
    points: { show: (u, seriesIndex, from, to) => showsPoints(u, seriesIndex, from, to), size: 4, fill: color },
    // A single lost scrape is no outage, so a gap of one step is bridged.
    gaps: (u, _, from, to, gaps) =>
      gaps.filter(([left, right]) => spanOf(u, left, right) > 2.5 * stepOf(u) || from === to),
  };
}

/** The distance between two moments of the data, in seconds. */
function stepOf(u: uPlot): number {
  return u.data[0].length > 1 ? u.data[0][1] - u.data[0][0] : 1;
}

function spanOf(u: uPlot, left: number, right: number): number {
  return u.posToVal(right / uPlot.pxRatio, 'x') - u.posToVal(left / uPlot.pxRatio, 'x');
}

/** Points are drawn only where a line would not be: a lone value between gaps. */
function showsPoints(u: uPlot, seriesIndex: number, from: number, to: number): boolean {
  const values = u.data[seriesIndex];
  let present = 0;
  for (let i = from; i <= to; i++) if (values[i] !== null && values[i] !== undefined) present++;
  return present === 1;
}

function valueScale(panel: Panel): uPlot.Scale {
  if (panel.axis === 'log') return { distr: 3, range: (_, min, max) => logRange(min, max) };
  return { range: (_, min, max) => linearRange(panel, min, max) };
}

/** The range of a linear axis: nature's bounds where the panel has them, else the data with a little air above. */
export function linearRange(
  panel: Pick<Panel, 'min' | 'max' | 'unit'>,
  min: number | null,
  max: number | null,
): [number, number] {
  if (min === null || max === null) return [panel.min ?? 0, panel.max ?? 1];
  const low = panel.min ?? min - (max - min || Math.abs(max) || 1) * 0.15;
  const high = panel.max ?? max + (max - low || Math.abs(max)) * 0.12;
  // A flat zero still needs an axis; an error rate of nothing reads best against one per cent.
  return high > low ? [low, high] : [low, low + (panel.unit === 'ratio' ? 0.01 : 1)];
}

/** The range of a logarithmic axis: the data with air, at least one power of two. */
export function logRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null || min <= 0) return [0.1, 10];
  const spread = Math.max(max / min, 2);
  const middle = Math.sqrt(min * max);
  const half = Math.sqrt(spread) * 1.25;
  return [middle / half, middle * half];
}

/** 1, 2 and 5 of each power of ten within a range: the marks that people read on a logarithmic axis. */
export function logTicks(min: number, max: number): number[] {
  const ticks: number[] = [];
  for (let power = Math.floor(Math.log10(min)); power <= Math.ceil(Math.log10(max)); power++) {
    for (const digit of [1, 2, 5]) {
      const tick = Number(`${digit}e${power}`);
      if (tick >= min && tick <= max) ticks.push(tick);
    }
  }
  return ticks;
}

function scaleAxis(scale: 'left' | 'right', input: LineChartInput, colored: boolean): uPlot.Axis {
  const { panel, theme, series } = input;
  const values = (ticks: number[]) =>
    panel.axis === 'log' ? ticks.map((tick) => formatTicks([tick], panel.unit)[0]) : formatTicks(ticks, panel.unit);
  const axis = valueAxis(theme, values, panel.unit === 'bytes');
  // Two axes are told apart by the colour of their only line.
  const first = series.find((s) => s.scale === scale);
  const stroke = colored && first ? (theme.colors[first.color] ?? theme.axis) : theme.axis;
  return {
    ...axis,
    scale,
    stroke,
    side: scale === 'right' ? 1 : 3,
    grid: scale === 'right' ? { show: false } : axis.grid,
    ...(panel.axis === 'log'
      ? { splits: (_u: uPlot, _i: number, min: number, max: number) => logTicks(min, max) }
      : {}),
    ...(panel.axis === 'log' ? { filter: (_u: uPlot, splits: number[]) => splits } : {}),
  };
}

/** Where lines run along the end of what their query can tell: without a word, a plateau there would look like a value. */
export function reachedCeilings(panel: Panel, series: readonly StyledSeries[]): PanelThreshold[] {
  const reached = series
    .filter(({ ceiling, series: one }) => ceiling !== undefined && one.values.includes(ceiling))
    .map(({ ceiling }) => ceiling as number);
  return [...new Set(reached)].map((value) => ({ value, label: `${formatValue(value, panel.unit)} or more` }));
}

function drawThresholds(u: uPlot, thresholds: readonly PanelThreshold[], theme: ChartTheme): void {
  for (const { value, label } of thresholds) {
    const y = u.valToPos(value, 'left', true);
    if (y < u.bbox.top || y > u.bbox.top + u.bbox.height) continue;
    const { ctx } = u;
    ctx.save();
    ctx.strokeStyle = theme.colors.warning;
    ctx.globalAlpha = 0.7;
    ctx.lineWidth = uPlot.pxRatio;
    ctx.setLineDash([2 * uPlot.pxRatio, 3 * uPlot.pxRatio]);
    ctx.beginPath();
    ctx.moveTo(u.bbox.left, y);
    ctx.lineTo(u.bbox.left + u.bbox.width, y);
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
    ctx.font = theme.font.replace(/^\d+px/, `${10 * uPlot.pxRatio}px`);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'bottom';
    const left = u.bbox.left + 4 * uPlot.pxRatio;
    const bottom = y - 2 * uPlot.pxRatio;
    // A rim in the colour of the ground keeps the label legible above lines without hiding them.
    ctx.lineJoin = 'round';
    ctx.lineWidth = 3 * uPlot.pxRatio;
    ctx.strokeStyle = theme.surface;
    ctx.strokeText(label, left, bottom);
    ctx.fillStyle = theme.colors.warning;
    ctx.fillText(label, left, bottom);
    ctx.restore();
  }
}
