import type { Filters, Panel } from '../../server/dashboards/index.ts';
import type { FeedState } from './feed.ts';

interface PanelCornerProps {
  readonly panel: Panel;
  readonly state: FeedState;
  readonly filters: Filters;
}

/** What a reader must know before trusting the panel: filters that don't reach it, and what the server warned of. */
export function PanelCorner({ panel, state, filters }: PanelCornerProps) {
  const ignored = Object.keys(filters).filter(
    (label) => (filters[label] ?? []).length > 0 && !(panel.labels as readonly string[]).includes(label),
  );
  const warnings = state.kind === 'ready' ? state.warnings : [];
  return (
    <div className="panel-corner">
      {state.kind === 'ready' && state.refreshing ? <span className="refreshing" title="Fetching newer data" /> : null}
      {ignored.length > 0 ? (
        <span className="note" title={`The metrics of this panel don’t carry ${ignored.join(', ')}.`}>
          not filtered by {ignored.join(', ')}
        </span>
      ) : null}
      {warnings.length > 0 ? (
        <button type="button" className="mark" aria-label={`Partial: ${warnings.join('; ')}`}>
          partial
          <span className="tip" role="tooltip">
            {warnings.map((warning) => (
              <span key={warning}>{warning}</span>
            ))}
          </span>
        </button>
      ) : null}
    </div>
  );
}
