import { useEffect, useRef } from 'react';
import { useLoaded, useServices } from '../pane/services.ts';

interface HelpDialogProps {
  /** The keys of the page. */
  readonly shortcuts: readonly (readonly [keys: string, what: string])[];
  /** What a mouse does there. */
  readonly mouse: string;
  readonly onClose: () => void;
}

/** The keys, what a mouse does, and which version answers. */
export function HelpDialog({ shortcuts, mouse, onClose }: HelpDialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} className="help" aria-labelledby="help-title" onClose={onClose}>
      <h2 id="help-title">Keyboard shortcuts</h2>
      <dl>
        {shortcuts.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <p>{mouse}</p>
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
