import { useEffect, useRef } from 'react';
import { useLoaded, useServices } from '../pane/services.ts';
import { SHORTCUTS } from '../pane/use-shortcuts.ts';

/** The keys, what a mouse does, and which version answers. */
export function HelpDialog({ onClose }: { readonly onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="help" aria-labelledby="help-title" onClose={onClose}>
      <h2 id="help-title">Keyboard shortcuts</h2>
      <dl>
        {SHORTCUTS.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p>Drag over any chart to zoom, double click to go back, click for the logs and traces of that moment.</p>
      <footer>
        <Version />
        <button type="button" className="button" onClick={onClose}>
          Close
        </button>
      </footer>
    </dialog>
  );
}

function Version() {
  const { queue } = useServices();
  const loaded = useLoaded('buildinfo', (signal) => queue.get('/api/v1/status/buildinfo', signal));
  if (loaded.kind !== 'ready') return <span />;
  const version = (loaded.value as { data?: { version?: string } }).data?.version;
  return <span className="note">{version ? `Barograph ${version}` : ''}</span>;
}
