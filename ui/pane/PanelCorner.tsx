import { type Filters, type Panel, unreachedFilters } from '../../server/dashboards/index.ts';
import type { FeedState } from './feed.ts';

interface PanelCornerProps {
  readonly panel: Panel;
  readonly state: FeedState;
  readonly filters: Filters;
}

/** What a reader must know before trusting the panel: filters that don't reach it, and what the server warned of. */
export function PanelCorner({ panel, state, filters }: PanelCornerProps) {
  const unreached = unreachedFilters(panel, filters);
  const warnings = state.kind === 'ready' ? state.warnings : [];
  return (
    <div className="panel-corner">
      {state.kind === 'ready' && state.refreshing ? <span className="refreshing" title="Fetching newer data" /> : null}
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

interface MarkProps {
  readonly text: string;
  readonly label?: string;
  readonly notes: readonly string[];
  /** A limit of the view rather than a fault of the data. */
  readonly soft?: boolean;
}

/** A word in the corner, and what it stands for when it is pointed at or has the focus. */
function Mark({ text, label = '', notes, soft }: MarkProps) {
  return (
    <button type="button" className="mark" data-soft={soft ? '' : undefined} aria-label={`${label}${notes.join('; ')}`}>
      {text}
      <span className="tip" role="tooltip">
        {notes.map((note) => (
          <span key={note}>{note}</span>
        ))}
      </span>
    </button>
  );
}
