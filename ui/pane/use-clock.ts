import { useEffect, useState } from 'react';
import { LIVE_TICK_MS } from '../view/range.ts';

/**
 * The present in milliseconds since the epoch, which moves on in ticks while `running`, and jumps to now when it starts to
 * run again. A hidden page stands still, since nobody looks.
 */
export function useClock(running: boolean): number {
  const [nowMs, setNowMs] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    const tick = () => {
      if (!document.hidden) setNowMs(Date.now());
    };
    tick();
    const timer = setInterval(tick, LIVE_TICK_MS);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, [running]);
  return nowMs;
}
