import type { RangeSpec } from './range.ts';
import { parseView, printView, type ThemeChoice, type ViewState } from './url-state.ts';

/** Where the choice of a theme survives, since it belongs to the reader and not to a link. */
const THEME_KEY = 'barograph.theme';

/** Holds the view, keeps the URL equal to it, and remembers the ranges that zooming left. */
export class ViewStore {
  #view: ViewState;
  #zoomedFrom: RangeSpec[] = [];
  readonly #listeners = new Set<() => void>();

  constructor() {
    const fromUrl = parseView(location.search);
    const stored = readStoredTheme();
    this.#view = fromUrl.theme === 'auto' && stored ? { ...fromUrl, theme: stored } : fromUrl;
    addEventListener('popstate', () => {
      this.#view = { ...parseView(location.search), theme: this.#view.theme };
      this.#emit();
    });
  }

  readonly get = (): ViewState => this.#view;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Changes parts of the view. `push` adds an entry to the browser's history, so that its back button undoes it. */
  change(parts: Partial<ViewState>, push = false): void {
    const view = { ...this.#view, ...parts };
    const query = printView(view);
    if (query === printView(this.#view)) return;
    this.#view = view;
    const url = query === '' ? location.pathname : `${location.pathname}?${query}`;
    if (push) history.pushState(null, '', url);
    else history.replaceState(null, '', url);
    if (parts.theme) storeTheme(parts.theme);
    this.#emit();
  }

  /** Zooms to a range and remembers where from. */
  zoom(range: RangeSpec): void {
    this.#zoomedFrom.push(this.#view.range);
    this.change({ range }, true);
  }

  /** Goes back to the range before the last zoom; false where there is none. */
  zoomBack(): boolean {
    const range = this.#zoomedFrom.pop();
    if (!range) return false;
    this.change({ range }, true);
    return true;
  }

  get zoomDepth(): number {
    return this.#zoomedFrom.length;
  }

  #emit(): void {
    for (const listener of this.#listeners) listener();
  }
}

function readStoredTheme(): ThemeChoice | undefined {
  try {
    const text = localStorage.getItem(THEME_KEY);
    return text === 'light' || text === 'dark' ? text : undefined;
  } catch {
    // Storage is closed in some private windows; the system's theme is used then.
    return undefined;
  }
}

function storeTheme(theme: ThemeChoice): void {
  try {
    if (theme === 'auto') localStorage.removeItem(THEME_KEY);
    else localStorage.setItem(THEME_KEY, theme);
  } catch {
    // The URL still holds it.
  }
}
