import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue } from './event-queue.ts';

describe('the event queue', () => {
  it('runs events by time, and those of one moment in the order of planning', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { maxLength: 100 }), (times) => {
        const queue = new EventQueue(0);
        const seen: [number, number][] = [];
        for (const [order, time] of times.entries()) queue.at(time, (now) => void seen.push([now, order]));
        queue.runUntil(20);
        const expected = times.map((time, order): [number, number] => [time, order]);
        expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
        expect(seen).toEqual(expected);
      }),
    );
  });

  it('lets time move on only as far as nothing else is planned, and not past the horizon', () => {
    const queue = new EventQueue(0);
    let advanced: boolean[] = [];
    queue.at(5, () => {
      advanced = [queue.tryAdvance(7), queue.tryAdvance(8), queue.tryAdvance(11)];
    });
    queue.at(8, () => {});
    queue.runUntil(10);
    expect(advanced).toEqual([true, false, false]);
  });
});
