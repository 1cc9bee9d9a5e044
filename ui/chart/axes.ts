import type uPlot from 'uplot';
import { formatTimeTicks } from '../data/format.ts';
import { CURSOR_KEY } from './spec.ts';
import type { ChartTheme } from './theme.ts';

/** Distances between ticks of a time axis that people can read, in seconds. */
const TIME_INCREMENTS = [
  1, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/** Width of every left axis in CSS pixels: equal ones make the time axes of a column of panels stand on one another. */
export const LEFT_AXIS_PX = 50;

/** The shared time axis. */
export function timeAxis(theme: ChartTheme): uPlot.Axis {
  return {
    stroke: theme.axis,
    font: theme.font,
    size: 24,
    gap: 7,
    space: 64,
    incrs: TIME_INCREMENTS,
    values: (_, ticks, __, ___, increment) => formatTimeTicks(ticks, increment),
    grid: { stroke: theme.grid, width: 1 },
    ticks: { show: false },
  };
}

/** Distances between ticks of bytes: powers of two, so that ticks are whole GiB rather than thousands of millions. */
const BYTE_INCREMENTS = Array.from({ length: 54 }, (_, power) => 2 ** power);

/** An axis of values at the left (side 3) or the right (side 1). */
export function valueAxis(
  theme: ChartTheme,
  values: (ticks: number[]) => (string | null)[],
  bytes = false,
): uPlot.Axis {
  return {
    stroke: theme.axis,
    font: theme.font,
    size: LEFT_AXIS_PX,
    gap: 6,
    space: 26,
    ...(bytes ? { incrs: BYTE_INCREMENTS } : {}),
    values: (_, ticks) => values(ticks),
    grid: { stroke: theme.grid, width: 1 },
    ticks: { show: false },
  };
}

/** One crosshair over all charts; a drag selects a stretch of time, which the pane zooms to. */
export function sharedCursor(theme: ChartTheme): uPlot.Cursor {
  return {
    y: false,
    points: { size: 6, width: 1.5, fill: theme.surface },
    drag: { x: true, y: false, setScale: false, dist: 4 },
    sync: { key: CURSOR_KEY, setSeries: false, scales: ['x', null] },
    bind: {
      // A double click would rescale the chart alone; the pane goes back one zoom instead.
      dblclick: () => null,
    },
  };
}
