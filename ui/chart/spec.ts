import type uPlot from 'uplot';
import type { TimeWindow } from '../view/range.ts';

/** What a chart shows: uPlot's options and data, apart from its size. Pure data and functions of uPlot alone. */
export interface ChartSpec {
  /** Charts with equal keys differ in data only, and the running chart takes it over without being built anew. */
  readonly key: string;
  readonly options: Omit<uPlot.Options, 'width' | 'height'>;
  readonly data: uPlot.AlignedData;
  readonly window: TimeWindow;
  /** Draws what no series can hold (cells, states, bars) under the axes; the newest spec's is called at every redraw. */
  readonly paint?: (u: uPlot) => void;
}

/** What is drawn above every chart: the chosen moment and the marks of the lane. */
export interface Overlay {
  /** Seconds since the epoch. */
  readonly momentSeconds: number | undefined;
  readonly marks: readonly EventMark[];
}

/** Events of one moment. */
export interface EventMark {
  readonly seconds: number;
  /** A key of the theme's colours. */
  readonly color: string;
  readonly count: number;
}

export const NO_OVERLAY: Overlay = { momentSeconds: undefined, marks: [] };

/** The key under which all charts share one cursor. */
export const CURSOR_KEY = 'pane';
