import type { Pane } from '../../server/dashboards/index.ts';
import { formatClock } from '../data/format.ts';
import { useLost, useServices, useView } from '../pane/services.ts';
import type { TimeWindow } from '../view/range.ts';
import { FilterPicker } from './FilterPicker.tsx';
import { HelpDialog } from './HelpDialog.tsx';
import { RangePicker } from './RangePicker.tsx';

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
      <h1 className="brand">
        <svg viewBox="0 0 18 18" aria-hidden="true">
          <path d="M1 12.5 5 10l3.5 1.5L12 4l2.5 3.5L17 3" />
        </svg>
        Barograph
      </h1>
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
      <button
        type="button"
        className="button quiet icon"
        aria-label="Light or dark"
        title="Light or dark (T)"
        onClick={() => store.change({ theme: document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark' })}
      >
        <svg viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="5.5" />
          <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" className="solid" />
        </svg>
      </button>
      <button
        type="button"
        className="button quiet icon"
        aria-label="Keyboard shortcuts"
        title="Keyboard shortcuts (?)"
        onClick={() => help.set(true)}
      >
        ?
      </button>
      {help.open ? <HelpDialog onClose={() => help.set(false)} /> : null}
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
