import { useEffect } from 'react';
import { useLost, useServices } from './services.ts';

/** How often a server that doesn't answer is asked whether it does, in milliseconds. */
const ASK_AGAIN_MS = 3000;

/** Asks for something small again and again while the server is lost; the queue notices the answer. */
export function useReconnect(url: string): void {
  const { queue } = useServices();
  const isLost = useLost() !== undefined;
  useEffect(() => {
    if (!isLost) return;
    const abort = new AbortController();
    const timer = setInterval(() => queue.get(url, abort.signal).catch(() => undefined), ASK_AGAIN_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, [queue, url, isLost]);
}
