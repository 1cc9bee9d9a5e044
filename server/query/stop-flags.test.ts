import { describe, expect, it } from 'vitest';
import { StopFlags, stopSignal } from './stop-flags.ts';

describe('a flag to stop', () => {
  it('is seen in the middle of synchronous work, before any event', () => {
    const flags = new StopFlags(2);
    const place = flags.take();
    const { signal, wake } = stopSignal(flags.memory, place);
    const events: string[] = [];
    signal.addEventListener('abort', () => events.push('abort'));
    expect(signal.aborted).toBe(false);
    flags.stop(place, 'timeout');
    expect(signal.aborted).toBe(true);
    expect(events).toEqual([]);
    wake();
    expect(events).toEqual(['abort']);
    expect(signal.aborted).toBe(true);
  });

  it('speaks of its own request only, also when its place is taken again', () => {
    const flags = new StopFlags(2);
    const [first, second] = [flags.take(), flags.take()];
    expect(flags.available).toBe(0);
    expect(() => flags.take()).toThrow('BUG');
    const [a, b] = [stopSignal(flags.memory, first).signal, stopSignal(flags.memory, second).signal];
    flags.stop(first, 'cancelled');
    expect([a.aborted, b.aborted]).toEqual([true, false]);
    flags.release(first);
    const again = flags.take();
    expect(again).toBe(first);
    expect(stopSignal(flags.memory, again).signal.aborted).toBe(false);
  });
});
