import { useMemo, useRef } from 'react';
import type { Pane } from '../../server/dashboards/index.ts';
import { TopBar } from '../bar/TopBar.tsx';
import { useSize } from '../chart/react-hooks.ts';
import { ExplorerPage } from '../explorer/ExplorerPage.tsx';
import { MomentDrawer } from '../moment/MomentDrawer.tsx';
import { TraceDrawer } from '../trace/TraceDrawer.tsx';
import { alignWindow, chooseStepSeconds, resolveRange } from '../view/range.ts';
import { EventLane, useLane } from './EventLane.tsx';
import { FirstSteps } from './FirstSteps.tsx';
import { PaneMessage } from './PanelMessage.tsx';
import { PanelView } from './PanelView.tsx';
import { useLoaded, usePointing, useServices, useView } from './services.ts';
import { useClock } from './use-clock.ts';
import { useFeed } from './use-feed.ts';
import { useReconnect } from './use-reconnect.ts';
import { useShortcuts } from './use-shortcuts.ts';
import { useTheme } from './use-theme.ts';

const PANE_URL = '/api/barograph/v1/pane';

/** The page that the view names. */
export function App() {
  const view = useView();
  const theme = useTheme(view.theme);
  useReconnect(PANE_URL);
  return view.page === 'cardinality' ? <ExplorerPage /> : <PaneLoader theme={theme} />;
}

/** Fetches what the pane is made of, and draws it. */
function PaneLoader({ theme }: { readonly theme: ReturnType<typeof useTheme> }) {
  const { queue } = useServices();
  const pane = useLoaded('pane', async (signal) => (await queue.get(PANE_URL, signal)) as Pane);
  switch (pane.kind) {
    case 'loading':
      return <PaneMessage title="Opening the pane" busy />;
    case 'failed':
      return <PaneMessage title="The pane can’t be opened" message={pane.message} retry={pane.retry} />;
    case 'ready':
      return <PaneView pane={pane.value} theme={theme} />;
  }
}

interface PaneViewProps {
  readonly pane: Pane;
  readonly theme: ReturnType<typeof useTheme>;
}

/** Widest row of panels side by side; steps are chosen for the width of one of them. */
const COLUMNS = 3;

function PaneView({ pane, theme }: PaneViewProps) {
  const { view: store, colors } = useServices();
  const view = useView();
  const held = usePointing();
  const live = view.live && view.range.kind === 'last';
  const nowMs = useClock(live && !held);
  const main = useRef<HTMLElement>(null);
  const { width } = useSize(main);
  const window = resolveRange(view.range, nowMs);
  const span = window.toSeconds - window.fromSeconds;
  const stepSeconds = chooseStepSeconds(span, (width || 1200) / COLUMNS, pane.sampleIntervalSeconds);
  const request = {
    window: alignWindow(window, stepSeconds),
    stepSeconds,
    sampleIntervalSeconds: pane.sampleIntervalSeconds,
    filters: view.filters,
  };
  const lane = useFeed(pane.lane, request);
  const marks = useLane(pane.lane, lane.state, colors);
  const momentSeconds = view.moment && view.moment.timeMs / 1000;
  const overlay = useMemo(() => ({ momentSeconds, marks }), [momentSeconds, marks]);
  const help = useShortcuts(window);

  const shared = { window, request, theme, overlay };
  return (
    <div className="page">
      <TopBar pane={pane} window={window} live={live} held={held && live} help={help} />
      <EventLane panel={pane.lane} state={lane.state} retry={lane.retry} marks={marks} {...shared} />
      {Object.keys(view.filters).length === 0 ? <FirstSteps /> : null}
      <main ref={main} className="pane" aria-label={pane.title}>
        {pane.rows.map((row) => (
          <section key={row.id} className="row" aria-labelledby={`row-${row.id}`}>
            <h2 id={`row-${row.id}`} className="row-title">
              {row.title}
            </h2>
            <div className="row-panels" style={{ gridTemplateColumns: `repeat(${row.panels.length}, minmax(0, 1fr))` }}>
              {row.panels.map((panel) => (
                <PanelView key={panel.id} panel={panel} {...shared} />
              ))}
            </div>
          </section>
        ))}
      </main>
      {view.traceId ? (
        <TraceDrawer traceId={view.traceId} back={view.moment !== undefined} />
      ) : view.moment ? (
        <MomentDrawer
          pane={pane}
          moment={view.moment}
          stepSeconds={stepSeconds}
          onClose={() => store.change({ moment: undefined })}
        />
      ) : null}
    </div>
  );
}
