import { filterLabelsOf, type Panel } from '../../server/dashboards/index.ts';
import { printView } from '../view/url-state.ts';
import { useServices, useView } from './services.ts';

/** A panel's place while its first answer is on the way. */
export function PanelSkeleton() {
  return (
    <div className="skeleton" role="status" aria-label="Loading">
      <svg viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
        <path d="M0 30 L8 27 L16 29 L24 22 L32 24 L40 18 L48 21 L56 14 L64 17 L72 12 L80 16 L88 10 L100 13" />
      </svg>
    </div>
  );
}

/** A panel whose queries found nothing: what would have to come, or which filters to take back. */
export function PanelEmpty({ panel }: { readonly panel: Panel }) {
  const { view } = useServices();
  const state = useView();
  const labels = new Set(panel.queries.flatMap((query) => filterLabelsOf(panel, query)));
  const active = [...labels].filter((label) => (state.filters[label] ?? []).length > 0);
  return (
    <div className="panel-message" data-state="empty">
      <strong>Nothing in this range</strong>
      {active.length > 0 ? (
        <>
          <p>No series matches the filters by {active.join(', ')}.</p>
          <button type="button" className="button" onClick={() => view.change({ filters: {} }, true)}>
            Clear filters
          </button>
        </>
      ) : (
        <>
          <p className="panel-needs">
            {panel.source.needs.map((need, i) => (
              <span key={need}>
                {i > 0 ? ' or ' : ''}
                <code>{need}</code>
              </span>
            ))}
          </p>
          <p>comes from {panel.source.sender}.</p>
        </>
      )}
    </div>
  );
}

/** A panel whose queries failed. */
export function PanelFailed({ message, retry }: { readonly message: string; readonly retry: () => void }) {
  return (
    <div className="panel-message" data-state="failed" role="alert">
      <strong>The query failed</strong>
      <p className="panel-error">{message}</p>
      <button type="button" className="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}

interface PaneMessageProps {
  readonly title: string;
  readonly message?: string;
  readonly busy?: boolean;
  readonly retry?: () => void;
}

/** The whole page where there is no pane yet. */
export function PaneMessage({ title, message, busy, retry }: PaneMessageProps) {
  const view = useView();
  return (
    <div className="page-message" role={busy ? 'status' : 'alert'} data-view={printView(view)}>
      <strong>{title}</strong>
      {message ? <p>{message}</p> : null}
      {retry ? (
        <button type="button" className="button" onClick={retry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}
