import { useServices } from '../pane/services.ts';
import { TenantPicker } from './TenantPicker.tsx';

/** The program's name, and the pages to go to. */
export function Brand({ page }: { readonly page: 'pane' | 'cardinality' }) {
  const { view } = useServices();
  return (
    <>
      <h1 className="brand">
        <svg viewBox="0 0 18 18" aria-hidden="true">
          <path d="M1 12.5 5 10l3.5 1.5L12 4l2.5 3.5L17 3" />
        </svg>
        Barograph
      </h1>
      <nav className="tabs" aria-label="Pages">
        <button
          type="button"
          className="tab"
          aria-current={page === 'pane' ? 'page' : undefined}
          onClick={() => view.change({ page: undefined, subject: undefined }, true)}
        >
          Pane
        </button>
        <button
          type="button"
          className="tab"
          title="What was offered, and what governance did with it (C)"
          aria-current={page === 'cardinality' ? 'page' : undefined}
          onClick={() => view.change({ page: 'cardinality' }, true)}
        >
          Cardinality
        </button>
      </nav>
      <TenantPicker />
    </>
  );
}

/** Turns the page light or dark. */
export function ThemeButton() {
  const { view } = useServices();
  return (
    <button
      type="button"
      className="button quiet icon"
      aria-label="Light or dark"
      title="Light or dark (T)"
      onClick={() => view.change({ theme: document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark' })}
    >
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <circle cx="8" cy="8" r="5.5" />
        <path d="M8 2.5a5.5 5.5 0 0 1 0 11z" className="solid" />
      </svg>
    </button>
  );
}
