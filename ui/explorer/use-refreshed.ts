import { useEffect, useState } from 'react';
import { isAbort, RequestError } from '../api/requests.ts';
import { useServices } from '../pane/services.ts';
import { dataOf } from './answers.ts';

/** How often what is shown is asked for again, milliseconds. */
const REFRESH_MS = 5000;

/** The last answer that came, of whichever URL, so that nothing jumps while the next one is on its way. */
export interface Refreshed<T> {
  readonly value: T | undefined;
  /** Why the last request failed. */
  readonly error: string | undefined;
}

/** Asks for an answer's data now, whenever the URL changes, and every five seconds. */
export function useRefreshed<T>(url: string): Refreshed<T> {
  const { queue } = useServices();
  const [state, setState] = useState<Refreshed<T>>({ value: undefined, error: undefined });
  useEffect(() => {
    const abort = new AbortController();
    const ask = async () => {
      try {
        const value = await dataOf<T>(queue, url, abort.signal);
        setState({ value, error: undefined });
      } catch (error) {
        if (isAbort(error)) return;
        const message = error instanceof RequestError ? error.message : `BUG: ${String(error)}`;
        setState(({ value }) => ({ value, error: message }));
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), REFRESH_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [queue, url]);
  return state;
}
