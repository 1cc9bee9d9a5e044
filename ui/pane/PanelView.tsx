import { useMemo, useState } from 'react';
import type { Panel } from '../../server/dashboards/index.ts';
import { Chart } from '../chart/Chart.tsx';
import { heatmapChart } from '../chart/heatmap-chart.ts';
import { lineChart } from '../chart/line-chart.ts';
import type { ChartSpec, Overlay } from '../chart/spec.ts';
import { statesChart } from '../chart/states-chart.ts';
import type { ChartTheme } from '../chart/theme.ts';
import { type Frame, isEmptyFrame } from '../data/frame.ts';
import { buildHeatmap } from '../data/heatmap.ts';
import { styleSeries } from '../data/series-style.ts';
import { buildStateRows } from '../data/states.ts';
import type { TimeWindow } from '../view/range.ts';
import type { FeedRequest } from './feed.ts';
import { HeatmapLegend, LineLegend, StatesLegend } from './Legends.tsx';
import { PanelCorner } from './PanelCorner.tsx';
import { PanelEmpty, PanelFailed, PanelSkeleton } from './PanelMessage.tsx';
import { useServices, useView } from './services.ts';
import { useChartActions } from './use-chart-actions.ts';
import { useFeed } from './use-feed.ts';

export interface PanelViewProps {
  readonly panel: Panel;
  readonly window: TimeWindow;
  readonly request: FeedRequest;
  readonly theme: ChartTheme;
  readonly overlay: Overlay;
}

/** One panel: its title, what it says at the cursor, its chart or why there is none. */
export function PanelView({ panel, window, request, theme, overlay }: PanelViewProps) {
  const { state, retry } = useFeed(panel, request);
  const { filters } = useView();
  const frame = state.kind === 'loading' ? undefined : state.frame;
  // With a frame of the same queries at hand, an old answer that says so is worth more than none.
  const failed = state.kind === 'failed' && !frame ? state.message : undefined;
  const empty = state.kind === 'ready' && isEmptyFrame(state.frame);
  return (
    <article className="panel" data-panel={panel.id} data-state={failed ? 'failed' : empty ? 'empty' : state.kind}>
      <header className="panel-head">
        <h3 className="panel-title" title={panel.description}>
          {panel.title}
        </h3>
        <PanelCorner panel={panel} state={state} filters={filters} retry={retry} />
      </header>
      <p className="visually-hidden">{panel.description}</p>
      {state.kind === 'loading' ? <PanelSkeleton /> : null}
      {empty ? <PanelEmpty panel={panel} /> : null}
      {failed !== undefined ? <PanelFailed message={failed} retry={retry} /> : null}
      {frame && !empty && failed === undefined ? (
        <PanelChart panel={panel} frame={frame} window={window} theme={theme} overlay={overlay} />
      ) : null}
    </article>
  );
}

interface PanelChartProps {
  readonly panel: Panel;
  readonly frame: Frame;
  readonly window: TimeWindow;
  readonly theme: ChartTheme;
  readonly overlay: Overlay;
}

function PanelChart({ panel, frame, window, theme, overlay }: PanelChartProps) {
  switch (panel.kind) {
    case 'lines':
    case 'events':
      return <LinesPanel panel={panel} frame={frame} window={window} theme={theme} overlay={overlay} />;
    case 'heatmap':
      return <HeatmapPanel panel={panel} frame={frame} window={window} theme={theme} overlay={overlay} />;
    case 'states':
      return <StatesPanel panel={panel} frame={frame} window={window} theme={theme} overlay={overlay} />;
  }
}

function LinesPanel({ panel, frame, window, theme, overlay }: PanelChartProps) {
  const { colors } = useServices();
  const [only, setOnly] = useState<string>();
  const { shown, leftOut } = useMemo(() => styleSeries(panel, frame, colors), [panel, frame, colors]);
  const focused = shown.some((s) => s.series.key === only) ? only : undefined;
  const { fromSeconds, toSeconds } = window;
  const spec = useMemo(
    () => lineChart({ panel, frame, series: shown, only: focused, window: { fromSeconds, toSeconds }, theme }),
    [panel, frame, shown, focused, fromSeconds, toSeconds, theme],
  );
  return (
    <>
      <LineLegend
        panel={panel}
        frame={frame}
        series={shown}
        leftOut={leftOut}
        only={focused}
        onOnly={setOnly}
        theme={theme}
      />
      <PanelCanvas panel={panel} spec={spec} theme={theme} overlay={overlay} />
    </>
  );
}

function HeatmapPanel({ panel, frame, window, theme, overlay }: PanelChartProps) {
  const map = useMemo(() => buildHeatmap(frame), [frame]);
  const { fromSeconds, toSeconds } = window;
  const spec = useMemo(
    () => map && heatmapChart(panel, frame, map, { fromSeconds, toSeconds }, theme),
    [panel, frame, map, fromSeconds, toSeconds, theme],
  );
  if (!map || !spec) return <PanelEmpty panel={panel} />;
  return (
    <>
      <HeatmapLegend frame={frame} map={map} theme={theme} />
      <PanelCanvas panel={panel} spec={spec} theme={theme} overlay={overlay} />
    </>
  );
}

function StatesPanel({ panel, frame, window, theme, overlay }: PanelChartProps) {
  const rows = useMemo(() => buildStateRows(frame, panel.queries, panel.rowBy ?? ''), [frame, panel]);
  const { fromSeconds, toSeconds } = window;
  const spec = useMemo(
    () => statesChart(panel, frame, rows, { fromSeconds, toSeconds }, theme),
    [panel, frame, rows, fromSeconds, toSeconds, theme],
  );
  return (
    <>
      <StatesLegend frame={frame} rows={rows} theme={theme} />
      <PanelCanvas panel={panel} spec={spec} theme={theme} overlay={overlay} />
    </>
  );
}

interface PanelCanvasProps {
  readonly panel: Panel;
  readonly spec: ChartSpec;
  readonly theme: ChartTheme;
  readonly overlay: Overlay;
}

function PanelCanvas({ panel, spec, theme, overlay }: PanelCanvasProps) {
  const { cursor } = useServices();
  const actions = useChartActions(panel.id);
  return <Chart spec={spec} overlay={overlay} cursor={cursor} theme={theme} label={panel.title} {...actions} />;
}
