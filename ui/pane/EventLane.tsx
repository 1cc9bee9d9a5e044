import { useMemo } from 'react';
import type { Panel } from '../../server/dashboards/index.ts';
import { Chart } from '../chart/Chart.tsx';
import { eventMarks, eventsChart } from '../chart/events-chart.ts';
import { type EventMark, NO_OVERLAY, type Overlay } from '../chart/spec.ts';
import type { ChartTheme } from '../chart/theme.ts';
import { type Frame, frameIndex } from '../data/frame.ts';
import { type ColorRegistry, styleSeries } from '../data/series-style.ts';
import type { TimeWindow } from '../view/range.ts';
import type { FeedRequest, FeedState } from './feed.ts';
import { Mark } from './Mark.tsx';
import { useCursor, useServices, useView } from './services.ts';
import { useChartActions } from './use-chart-actions.ts';

const NO_MARKS: readonly EventMark[] = [];

/** The marks of the lane, which every panel draws under its time axis. */
export function useLane(panel: Panel, state: FeedState, colors: ColorRegistry): readonly EventMark[] {
  const frame = state.kind === 'loading' ? undefined : state.frame;
  return useMemo(() => {
    return frame ? eventMarks(frame, styleSeries(panel, frame, colors).shown) : NO_MARKS;
  }, [panel, frame, colors]);
}

interface EventLaneProps {
  readonly panel: Panel;
  readonly state: FeedState;
  readonly retry: () => void;
  readonly marks: readonly EventMark[];
  readonly window: TimeWindow;
  readonly request: FeedRequest;
  readonly theme: ChartTheme;
  readonly overlay: Overlay;
}

/** The lane above all panels: the time axis of the whole pane with what engines and drivers warned of. */
export function EventLane({ panel, state, retry, marks, window, request, theme, overlay }: EventLaneProps) {
  const { cursor } = useServices();
  const { filters } = useView();
  const actions = useChartActions(panel.id);
  // A driver knows no customer and a kernel no model: hiding their lines would hide causes.
  const wider = Object.keys(filters).filter((label) => (filters[label] ?? []).length > 0);
  const { fromSeconds, toSeconds } = window;
  const { momentSeconds } = overlay;
  const frame = useLaneFrame(state, request);
  const spec = useMemo(
    () => eventsChart(panel, frame, marks, { fromSeconds, toSeconds }, theme),
    [panel, frame, marks, fromSeconds, toSeconds, theme],
  );
  const lane = useMemo(() => ({ ...NO_OVERLAY, momentSeconds }), [momentSeconds]);
  return (
    <section className="lane" data-state={state.kind} aria-label={panel.title}>
      <h2 className="lane-title" title={panel.description}>
        <span className="lane-name">
          {panel.title}
          {wider.length > 0 ? (
            <Mark
              text="wider"
              soft
              notes={wider.map((label) => `lines that don’t name their ${label} are counted too`)}
            />
          ) : null}
        </span>
        <LaneCount frame={frame} marks={marks} state={state} retry={retry} />
      </h2>
      <Chart spec={spec} overlay={lane} cursor={cursor} theme={theme} label={panel.title} {...actions} />
    </section>
  );
}

/** The lane's frame; an empty one on the window's grid until there is one, since the lane carries the time axis. */
function useLaneFrame(state: FeedState, request: FeedRequest): Frame {
  const { stepSeconds } = request;
  const { fromSeconds, toSeconds } = request.window;
  const known = state.kind === 'loading' ? undefined : state.frame;
  return useMemo(() => {
    if (known) return known;
    const length = Math.round((toSeconds - fromSeconds) / stepSeconds) + 1;
    return { startSeconds: fromSeconds, stepSeconds, length, series: [] };
  }, [known, fromSeconds, toSeconds, stepSeconds]);
}

interface LaneCountProps {
  readonly frame: Frame;
  readonly marks: readonly EventMark[];
  readonly state: FeedState;
  readonly retry: () => void;
}

function LaneCount({ frame, marks, state, retry }: LaneCountProps) {
  const { seconds } = useCursor();
  if (state.kind === 'failed') {
    return (
      <button type="button" className="mark" title={state.message} onClick={retry}>
        failed, try again
      </button>
    );
  }
  if (state.kind === 'loading') return <span className="lane-count">…</span>;
  const at = seconds === undefined ? undefined : frameIndex(frame, seconds);
  const moment = at === undefined ? undefined : frame.startSeconds + at * frame.stepSeconds;
  const counted = moment === undefined ? marks : marks.filter((mark) => mark.seconds === moment);
  const of = (color: string) => counted.filter((m) => m.color === color).reduce((sum, m) => sum + m.count, 0);
  return (
    <span className="lane-count">
      <b data-color="error">{Math.round(of('error'))}</b> errors <b data-color="warning">{Math.round(of('warning'))}</b>{' '}
      warnings
    </span>
  );
}
