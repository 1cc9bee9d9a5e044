import { type Filters, type Panel, unreachedFilters } from '../../server/dashboards/index.ts';
import type { FeedState } from './feed.ts';
import { Mark } from './Mark.tsx';

interface PanelCornerProps {
  readonly panel: Panel;
  readonly state: FeedState;
  readonly filters: Filters;
  readonly retry: () => void;
}

/** What a reader must know before trusting the panel: filters that don't reach it, and what the server warned of. */
export function PanelCorner({ panel, state, filters, retry }: PanelCornerProps) {
  const unreached = unreachedFilters(panel, filters);
  const warnings = state.kind === 'ready' ? state.warnings : [];
  return (
    <div className="panel-corner">
      {state.kind === 'ready' && state.refreshing ? <span className="refreshing" title="Fetching newer data" /> : null}
      {state.kind === 'failed' && state.frame ? (
        <Mark text="stale" label="Stale, try again: " notes={[state.message]} onClick={retry} />
      ) : null}
      {unreached.length > 0 ? (
        <Mark text="unfiltered" soft notes={unreached.map((one) => unreachedText(panel, one))} />
      ) : null}
      {warnings.length > 0 ? <Mark text="partial" label="Partial: " notes={warnings} /> : null}
    </div>
  );
}

/** Which filter doesn't reach what: the whole panel, or the lines whose metrics lack the label. */
function unreachedText(panel: Panel, { label, legends }: { label: string; legends: readonly string[] }): string {
  const what = legends.length === panel.queries.length ? 'this panel' : legends.join(', ');
  return `not filtered by ${label}: the metrics of ${what} don’t carry it`;
}
