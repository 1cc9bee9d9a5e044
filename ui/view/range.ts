/** A time range: the last span up to now, or two fixed moments. */
export type RangeSpec =
  | { readonly kind: 'last'; readonly spanSeconds: number }
  | { readonly kind: 'fixed'; readonly fromMs: number; readonly toMs: number };

/** Two moments in seconds since the epoch, `from` < `to`. */
export interface TimeWindow {
  readonly fromSeconds: number;
  readonly toSeconds: number;
}

export interface RangePreset {
  readonly label: string;
  readonly spanSeconds: number;
}

export const RANGE_PRESETS: readonly RangePreset[] = [
  { label: '15m', spanSeconds: 900 },
  { label: '1h', spanSeconds: 3600 },
  { label: '6h', spanSeconds: 21_600 },
  { label: '24h', spanSeconds: 86_400 },
];

/** How often a live pane moves on, in milliseconds. */
export const LIVE_TICK_MS = 5000;

/** The shortest range that a drag may zoom to, in seconds. */
export const SHORTEST_RANGE_SECONDS = 60;

/** Distances between two points that people can name, in seconds. */
const STEPS_SECONDS = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

/** The fixed moments of a range. */
export function resolveRange(range: RangeSpec, nowMs: number): TimeWindow {
  if (range.kind === 'fixed') return { fromSeconds: range.fromMs / 1000, toSeconds: range.toMs / 1000 };
  const toSeconds = nowMs / 1000;
  return { fromSeconds: toSeconds - range.spanSeconds, toSeconds };
}

/**
 * The distance between two points for a range drawn `widthPx` CSS pixels wide: about one point every three pixels, never
 * below the interval at which samples arrive.
 */
export function chooseStepSeconds(spanSeconds: number, widthPx: number, sampleIntervalSeconds: number): number {
  const wanted = Math.max(spanSeconds / Math.max(widthPx / 3, 20), sampleIntervalSeconds);
  return STEPS_SECONDS.find((step) => step >= wanted) ?? Math.ceil(wanted / 86_400) * 86_400;
}

/** The window on the grid of steps: multiples of the step, so that two queries of one panel ask for the same moments. */
export function alignWindow(window: TimeWindow, stepSeconds: number): TimeWindow {
  return {
    fromSeconds: Math.floor(window.fromSeconds / stepSeconds) * stepSeconds,
    toSeconds: Math.floor(window.toSeconds / stepSeconds) * stepSeconds,
  };
}

/** A dragged stretch as a range, widened around its middle where it is too short to draw. */
export function zoomedRange(fromSeconds: number, toSeconds: number): RangeSpec {
  const from = Math.min(fromSeconds, toSeconds);
  const to = Math.max(fromSeconds, toSeconds);
  const missing = Math.max(0, SHORTEST_RANGE_SECONDS - (to - from)) / 2;
  return { kind: 'fixed', fromMs: Math.round((from - missing) * 1000), toMs: Math.round((to + missing) * 1000) };
}

/** The range moved by a share of its own length; it ends being relative. */
export function shiftedRange(window: TimeWindow, share: number): RangeSpec {
  const by = (window.toSeconds - window.fromSeconds) * share;
  return {
    kind: 'fixed',
    fromMs: Math.round((window.fromSeconds + by) * 1000),
    toMs: Math.round((window.toSeconds + by) * 1000),
  };
}

/** The range scaled around its middle: 0.5 zooms in, 2 zooms out. */
export function scaledRange(window: TimeWindow, factor: number): RangeSpec {
  const middle = (window.fromSeconds + window.toSeconds) / 2;
  const half = ((window.toSeconds - window.fromSeconds) * factor) / 2;
  return zoomedRange(middle - half, middle + half);
}
