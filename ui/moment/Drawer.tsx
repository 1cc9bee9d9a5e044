import { type ReactNode, useEffect, useRef } from 'react';

interface DrawerProps {
  readonly title: string;
  readonly subtitle: string;
  readonly label: string;
  readonly wide?: boolean;
  readonly back?: () => void;
  readonly onClose: () => void;
  readonly children: ReactNode;
}

/** A sheet at the right edge, above the pane, which stays usable beside it. It takes the focus and gives it back. */
export function Drawer({ title, subtitle, label, wide, back, onClose, children }: DrawerProps) {
  const sheet = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    sheet.current?.focus();
    return () => {
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  return (
    <aside ref={sheet} className="drawer" data-wide={wide ? '' : undefined} aria-label={label} tabIndex={-1}>
      <header className="drawer-head">
        {back ? (
          <button type="button" className="button quiet" onClick={back}>
            ← Back
          </button>
        ) : null}
        <h2>{title}</h2>
        <span className="note">{subtitle}</span>
        <button type="button" className="button quiet icon" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          ×
        </button>
      </header>
      <div className="drawer-body">{children}</div>
    </aside>
  );
}
