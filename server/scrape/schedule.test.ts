import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planScrape, scrapeTime } from './schedule.ts';

const schedules = fc
  .integer({ min: 1, max: 3_600_000 })
  .chain((intervalMs) =>
    fc.record({ intervalMs: fc.constant(intervalMs), offsetMs: fc.integer({ min: 0, max: intervalMs - 1 }) }),
  );
const times = fc.integer({ min: 1_600_000_000_000, max: 1_900_000_000_000 });

describe('a planned scrape', () => {
  it('is at the target’s place in the interval, within one of now, and never the same twice', () => {
    fc.assert(
      fc.property(schedules, times, (schedule, nowMs) => {
        const { intervalMs, offsetMs } = schedule;
        const first = planScrape(schedule, Number.NEGATIVE_INFINITY, nowMs);
        expect((first.atMs - offsetMs) % intervalMs).toBe(0);
        expect(first.atMs).toBeGreaterThan(nowMs);
        expect(first.atMs).toBeLessThanOrEqual(nowMs + intervalMs);
        expect(first.skipped).toBe(0);
        expect(planScrape(schedule, first.atMs, first.atMs)).toEqual({ atMs: first.atMs + intervalMs, skipped: 0 });
      }),
    );
  });

  it('counts those that were missed, and none where the clock was set back', () => {
    const schedule = { intervalMs: 1000, offsetMs: 100 };
    expect(planScrape(schedule, 10_100, 13_500)).toEqual({ atMs: 14_100, skipped: 3 });
    expect(planScrape(schedule, 90_100, 13_500)).toEqual({ atMs: 14_100, skipped: 0 });
  });
});

describe('the time of a scrape', () => {
  it.each([
    [1000, 15_000, 1000],
    [1002, 15_000, 1000],
    [1003, 15_000, 1003],
    [1002, 100, 1002],
  ])('that runs at %i of every %i ms is %i where 1000 was planned', (nowMs, intervalMs, expected) => {
    expect(scrapeTime(1000, nowMs, intervalMs)).toBe(expected);
  });
});
