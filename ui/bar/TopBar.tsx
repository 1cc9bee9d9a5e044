import type { Pane } from '../../server/dashboards/index.ts';
import { formatClock } from '../data/format.ts';
import { useLost, useServices, useView } from '../pane/services.ts';
import { SHORTCUTS } from '../pane/use-shortcuts.ts';
import type { TimeWindow } from '../view/range.ts';
import { Brand, ThemeButton } from './Brand.tsx';
import { FilterPicker } from './FilterPicker.tsx';
import { HelpDialog } from './HelpDialog.tsx';
import { RangePicker } from './RangePicker.tsx';

const MOUSE = 'Drag over any chart to zoom, double click to go back, click for the logs and traces of that moment.';

interface TopBarProps {
  readonly pane: Pane;
  readonly window: TimeWindow;
  readonly live: boolean;
  /** Whether a pointer over a chart holds a live pane still. */
  readonly held: boolean;
  readonly help: { open: boolean; set: (open: boolean) => void };
}

/** The bar: what is filtered, which time is shown, and whether it moves. */
export function TopBar({ pane, window, live, held, help }: TopBarProps) {
  const { view: store } = useServices();
  const view = useView();
  const panels = pane.rows.flatMap((row) => row.panels);
  const filtered = Object.values(view.filters).some((values) => values && values.length > 0);
  return (
    <header className="bar">
      <Brand page="pane" />
      <fieldset className="bar-filters" aria-label="Filters">
        {pane.filterLabels.map((label) => (
          <FilterPicker
            key={label}
            label={label}
            ofGpus={panels.every((panel) => panel.labels.includes(label))}
            window={window}
          />
        ))}
        {filtered ? (
          <button type="button" className="button quiet" onClick={() => store.change({ filters: {} }, true)}>
            Clear
          </button>
        ) : null}
      </fieldset>
      <RangePicker window={window} />
      <LiveButton live={live} held={held} />
      <ThemeButton />
      <button
        type="button"
        className="button quiet icon"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={() => help.set(true)}
      >
        ?
      </button>
      {help.open ? <HelpDialog shortcuts={SHORTCUTS} mouse={MOUSE} onClose={() => help.set(false)} /> : null}
    </header>
  );
}

/** Whether the pane moves on with the clock; where the server doesn't answer, since when. */
function LiveButton({ live, held }: { readonly live: boolean; readonly held: boolean }) {
  const { view: store } = useServices();
  const view = useView();
  const lostMs = useLost();
  return (
    <>
      {lostMs !== undefined ? (
        <span className="lost" role="alert" title="What is shown is the last that was known; it is asked for again.">
          No answer since {formatClock(lostMs)}
        </span>
      ) : null}
      <button
        type="button"
        className="button live"
        aria-pressed={live}
        data-held={held ? '' : undefined}
        data-lost={lostMs !== undefined ? '' : undefined}
        title={held ? 'Held while you point at a chart' : 'New data every 5 s (L)'}
        onClick={() => {
          if (view.range.kind === 'fixed') {
            store.change({ range: { kind: 'last', spanSeconds: 3600 }, live: true }, true);
          } else store.change({ live: !view.live });
        }}
      >
        <span className="live-dot" aria-hidden="true" />
        {held ? 'Held' : 'Live'}
      </button>
    </>
  );
}
