import { createContext, use, useEffect, useState, useSyncExternalStore } from 'react';
import { isAbort, RequestError, type RequestQueue } from '../api/requests.ts';
import type { CursorState, CursorStore } from '../chart/cursor-store.ts';
import { useLatest } from '../chart/react-hooks.ts';
import type { ColorRegistry } from '../data/series-style.ts';
import type { ViewStore } from '../view/store.ts';
import type { ViewState } from '../view/url-state.ts';

/** What lives as long as the page. */
export interface Services {
  readonly queue: RequestQueue;
  readonly view: ViewStore;
  readonly cursor: CursorStore;
  readonly colors: ColorRegistry;
  /** The server's tenants, sorted; none where it has one store for everybody. */
  readonly tenants: readonly string[];
}

export const ServicesContext = createContext<Services | undefined>(undefined);

export function useServices(): Services {
  const services = use(ServicesContext);
  if (!services) throw new Error('BUG: rendered outside of ServicesContext');
  return services;
}

export function useView(): ViewState {
  const { view } = useServices();
  return useSyncExternalStore(view.subscribe, view.get);
}

export function useCursor(): CursorState {
  const { cursor } = useServices();
  return useSyncExternalStore(cursor.subscribe, cursor.get);
}

/** Whether a mouse is over a chart; unlike `useCursor` it doesn't render again at every move. */
export function usePointing(): boolean {
  const { cursor } = useServices();
  return useSyncExternalStore(cursor.subscribe, () => cursor.get().pointing);
}

/** Since when the server hasn't answered, in milliseconds since the epoch; `undefined` while it does. */
export function useLost(): number | undefined {
  const { queue } = useServices();
  return useSyncExternalStore(queue.subscribe, queue.lostMs);
}

/** Something that is fetched. */
export type Loaded<T> =
  | { readonly kind: 'loading' }
  | { readonly kind: 'ready'; readonly value: T }
  | { readonly kind: 'failed'; readonly message: string; readonly retry: () => void };

/** Fetches whenever `key` changes, and aborts what a newer key overtakes. */
export function useLoaded<T>(key: string, load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [attempt, setAttempt] = useState(0);
  const [state, setState] = useState<{ readonly key: string; readonly loaded: Loaded<T> }>();
  const latest = useLatest(load);
  const identity = `${key} ${attempt}`;
  useEffect(() => {
    const abort = new AbortController();
    latest.current(abort.signal).then(
      (value) => setState({ key: identity, loaded: { kind: 'ready', value } }),
      (error) => {
        if (isAbort(error)) return;
        const message = error instanceof RequestError ? error.message : `BUG: ${String(error)}`;
        const retry = () => setAttempt((n) => n + 1);
        setState({ key: identity, loaded: { kind: 'failed', message, retry } });
      },
    );
    return () => abort.abort();
  }, [identity, latest]);
  // An answer to an older key is not an answer to this one.
  return state?.key === identity ? state.loaded : { kind: 'loading' };
}
