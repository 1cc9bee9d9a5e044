import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_FLOORS, perSignal, SIGNALS, type Signal } from '../signals.ts';
import { planFloors, type SignalSize, type Sizes } from './plan.ts';
import { retentionSchema } from './settings.ts';

const DAY = 86_400_000;
const NOW = 1_800_000_000_000;
const NOTHING: SignalSize = { bytes: 0, oldestMs: undefined };

function sizes(some: Partial<Record<Signal, SignalSize>>, otherBytes = 0): Sizes {
  return { signals: perSignal((signal) => some[signal] ?? NOTHING), otherBytes };
}

/** A block of so many bytes a day, the oldest first. */
function daily(days: number, bytes: number): SignalSize {
  const pieces = Array.from({ length: days }, (_, i) => ({ maxMs: NOW - (days - 1 - i) * DAY, bytes }));
  return { bytes: days * bytes, oldestMs: NOW - days * DAY, pieces };
}

const daysKept = (floor: number): number => Math.round((NOW - floor) / DAY);

describe('floors', () => {
  it('are those of the ages by default: fleet 13 months, per model 30 days, logs 14, traces and exemplars 7', () => {
    const floors = planFloors(retentionSchema.parse({}), sizes({}), NO_FLOORS, NOW);
    expect(perSignal((signal) => daysKept(floors[signal]))).toEqual({
      fleet: 396,
      per_model: 30,
      fleet_histograms: 396,
      per_model_histograms: 30,
      exemplars: 7,
      logs: 14,
      traces: 7,
    });
  });

  it('of native histograms follow their level, unless they have their own', () => {
    const settings = retentionSchema.parse({ per_model: { age: '3d' }, fleet_histograms: { age: 'forever' } });
    const floors = planFloors(settings, sizes({}), NO_FLOORS, NOW);
    expect(daysKept(floors.per_model_histograms)).toBe(3);
    expect(floors.fleet_histograms).toBe(Number.NEGATIVE_INFINITY);
  });

  it('of a signal over its own limit rise block by block, and others keep theirs', () => {
    const settings = retentionSchema.parse({ per_model: { max_size: '1000B' } });
    const floors = planFloors(settings, sizes({ per_model: daily(20, 100), fleet: daily(20, 900) }), NO_FLOORS, NOW);
    expect(daysKept(floors.per_model)).toBe(10);
    expect(daysKept(floors.fleet)).toBe(396);
  });

  it('of what is spread evenly rise by its share', () => {
    const settings = retentionSchema.parse({ logs: { max_size: '500B' } });
    const floors = planFloors(settings, sizes({ logs: { bytes: 1000, oldestMs: NOW - 10 * DAY } }), NO_FLOORS, NOW);
    expect((NOW - floors.logs) / DAY).toBeGreaterThan(4.6);
    expect((NOW - floors.logs) / DAY).toBeLessThanOrEqual(5);
  });

  it('in all: the largest pays, the fleet level last', () => {
    const settings = retentionSchema.parse({ max_size: '1000B' });
    const there = { per_model: daily(20, 100), fleet: daily(20, 10), traces: { bytes: 100, oldestMs: NOW - DAY } };
    const floors = planFloors(settings, sizes(there, 100), NO_FLOORS, NOW);
    expect(daysKept(floors.per_model)).toBe(6);
    expect([daysKept(floors.fleet), daysKept(floors.traces)]).toEqual([396, 7]);
    const tight = planFloors(retentionSchema.parse({ max_size: '200B' }), sizes(there, 0), NO_FLOORS, NOW);
    expect((NOW - tight.traces) / 3_600_000).toBeCloseTo(1, 2);
    expect(daysKept(tight.fleet)).toBeLessThan(20);
  });

  it('never go back, and never reach the last hour because of a size', () => {
    const settings = retentionSchema.parse({ max_size: '1B' });
    const before = { ...NO_FLOORS, logs: NOW - 1000 };
    const floors = planFloors(settings, sizes({ per_model: daily(3, 100) }, 100), before, NOW);
    expect(floors.logs).toBe(NOW - 1000);
    expect(floors.per_model).toBeLessThanOrEqual(NOW - 3_600_000);
  });

  it('bring whatever there is under the limit, or end at the last hour', () => {
    const one = fc.record({ days: fc.integer({ min: 0, max: 60 }), bytes: fc.integer({ min: 1, max: 1000 }) });
    fc.assert(
      fc.property(fc.array(one, { minLength: 7, maxLength: 7 }), fc.integer({ min: 1, max: 50_000 }), (given, max) => {
        const there = Object.fromEntries(
          SIGNALS.map((signal, i) => {
            const { days, bytes } = given[i];
            const spread = { bytes: days * bytes, oldestMs: days === 0 ? undefined : NOW - days * DAY };
            return [signal, i < 2 ? daily(days, bytes) : spread];
          }),
        );
        const settings = retentionSchema.parse({ max_size: max });
        const floors = planFloors(settings, sizes(there), NO_FLOORS, NOW);
        for (const signal of SIGNALS) expect(floors[signal]).toBeGreaterThanOrEqual(NOW - settings.rules[signal].ageMs);
        const second = planFloors(settings, sizes(there), floors, NOW);
        expect(second).toEqual(floors);
      }),
    );
  });
});

it.each([
  [{ logs: { age: '5x' } }, 'logs,age', /such as 5m/],
  [{ logs: { age: '10m' } }, 'logs,age', /at least 1h/],
  [{ max_size: '50 giga' }, 'max_size', /such as 50GiB/],
  [{ spans: {} }, '', /Unrecognized key/],
])('the setting %j is refused at its place', (given, place, message) => {
  const { error } = retentionSchema.safeParse(given);
  expect([error?.issues[0].path.join(','), error?.issues[0].message]).toEqual([place, expect.stringMatching(message)]);
});
