import { type KeyboardEvent, useEffect, useRef } from 'react';
import uPlot from 'uplot';
import type { CursorStore } from './cursor-store.ts';
import { drawOverlay } from './overlay.ts';
import { useLatest, useSize } from './react-hooks.ts';
import type { ChartSpec, Overlay } from './spec.ts';
import type { ChartTheme } from './theme.ts';

/** What somebody does to a chart; times in seconds since the epoch. */
export interface ChartActions {
  onZoom(fromSeconds: number, toSeconds: number): void;
  onZoomBack(): void;
  onPick(seconds: number): void;
}

interface ChartProps extends ChartActions {
  readonly spec: ChartSpec;
  readonly overlay: Overlay;
  readonly cursor: CursorStore;
  readonly theme: ChartTheme;
  /** Says to a screen reader what is drawn. */
  readonly label: string;
}

/** How long a click waits for a second one, in milliseconds, before it is taken for a single one. */
const DOUBLE_CLICK_MS = 220;

/** Holds one uPlot chart: builds it when the spec's key changes, else only hands it new data. */
export function Chart(props: ChartProps) {
  const { spec, overlay, cursor, label } = props;
  const host = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);
  const latest = useLatest(props);
  const size = useSize(host);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the key stands for everything that needs a new chart.
  useEffect(() => {
    const target = host.current;
    if (!target || size.width === 0) return;
    const built = buildChart(target, latest, size);
    chart.current = built;
    return () => {
      chart.current = null;
      built.destroy();
    };
  }, [spec.key, size.width === 0]);

  useEffect(() => {
    if (size.width > 0) chart.current?.setSize(size);
  }, [size]);

  useEffect(() => {
    if (chart.current && chart.current.data !== spec.data) chart.current.setData(spec.data);
  }, [spec]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: it draws what the overlay says now.
  useEffect(() => {
    chart.current?.redraw(false, false);
  }, [overlay]);

  function onKeyDown(event: KeyboardEvent) {
    const u = chart.current;
    if (!u) return;
    if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      if (event.shiftKey) return;
      moveCursor(u, cursor, (event.key === 'ArrowLeft' ? -1 : 1) * (event.altKey ? 10 : 1));
      event.preventDefault();
    } else if (event.key === 'Enter') {
      const { seconds } = cursor.get();
      if (seconds !== undefined) props.onPick(seconds);
      event.preventDefault();
    }
  }

  return (
    <div
      ref={host}
      className="chart"
      role="application"
      aria-label={`${label}. Arrow keys move the cursor, Enter opens the logs and traces of that moment.`}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it is interactive.
      tabIndex={0}
      onKeyDown={onKeyDown}
      onBlur={() => cursor.set(undefined, false)}
    />
  );
}

function buildChart(
  target: HTMLElement,
  latest: { current: ChartProps },
  size: { width: number; height: number },
): uPlot {
  const { spec } = latest.current;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pressedHere = false;
  let pressedAt = 0;
  const options: uPlot.Options = {
    ...spec.options,
    ...size,
    scales: {
      ...spec.options.scales,
      // The axis shows the pane's window whatever data there is, so that all panels stay aligned.
      x: {
        ...spec.options.scales?.x,
        range: () => [latest.current.spec.window.fromSeconds, latest.current.spec.window.toSeconds],
      },
    },
    hooks: {
      ...spec.options.hooks,
      drawClear: [(u) => latest.current.spec.paint?.(u)],
      draw: [...(spec.options.hooks?.draw ?? []), (u) => drawOverlay(u, latest.current.overlay, latest.current.theme)],
      setCursor: [(u) => publishCursor(u, latest.current.cursor)],
      setSelect: [
        (u) => {
          const { left, width } = u.select;
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          // The selection is drawn in all charts; only the one under the mouse asks for the zoom.
          if (pressedHere && width >= 4) latest.current.onZoom(u.posToVal(left, 'x'), u.posToVal(left + width, 'x'));
        },
      ],
      ready: [
        (u) => {
          u.over.addEventListener('mousedown', (event) => {
            pressedHere = true;
            pressedAt = event.clientX;
            // The button may come up anywhere; uPlot's own listener, which makes the selection, must run before.
            addEventListener('mouseup', () => setTimeout(() => (pressedHere = false)), { once: true });
          });
          u.over.addEventListener('click', (event) => {
            if (Math.abs(event.clientX - pressedAt) > 3 || event.detail > 1) return;
            const seconds = cursorSeconds(u);
            clearTimeout(timer);
            timer = setTimeout(() => {
              if (seconds !== undefined) latest.current.onPick(seconds);
            }, DOUBLE_CLICK_MS);
          });
          u.over.addEventListener('dblclick', () => {
            clearTimeout(timer);
            latest.current.onZoomBack();
          });
        },
      ],
      destroy: [() => clearTimeout(timer)],
    },
  };
  return new uPlot(options, spec.data, target);
}

function cursorSeconds(u: uPlot): number | undefined {
  const { idx, left } = u.cursor;
  return left === undefined || left < 0 || idx === null || idx === undefined ? undefined : u.data[0][idx];
}

/** Only the chart under the mouse has an event; those that follow it through the shared cursor keep silent. */
function publishCursor(u: uPlot, cursor: CursorStore): void {
  if (!u.cursor.event || !u.over.matches(':hover')) {
    if (u.cursor.event && (u.cursor.left ?? -1) < 0) cursor.set(undefined, false);
    return;
  }
  cursor.set(cursorSeconds(u), cursorSeconds(u) !== undefined);
}

function moveCursor(u: uPlot, cursor: CursorStore, by: number): void {
  const times = u.data[0];
  if (times.length === 0) return;
  const at = u.cursor.left !== undefined && u.cursor.left >= 0 ? (u.cursor.idx ?? times.length - 1) : times.length;
  const next = Math.min(times.length - 1, Math.max(0, at + by));
  u.setCursor({ left: u.valToPos(times[next], 'x'), top: 4 });
  cursor.set(times[next], false);
}
