import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SortedWindow } from './sorted-window.ts';
import { quantileOf, sortNanFirst } from './statistics.ts';

const VALUE = fc.oneof(
  fc.integer({ min: -5, max: 5 }),
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, -0),
);

/** The quantile by its definition. */
function quantileBySorting(q: number, values: Float64Array): number {
  const sorted = values.slice();
  sortNanFirst(sorted);
  const rank = q * (sorted.length - 1);
  const [lower, weight] = [Math.floor(rank), rank - Math.floor(rank)];
  return sorted[lower] * (1 - weight) + sorted[Math.min(sorted.length - 1, lower + 1)] * weight;
}

/** Equal, where the sign of zero doesn't matter: equal values may stand in any order. */
function expectSame(a: number, b: number): void {
  expect(a + 0).toEqual(b + 0);
}

const Q = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.5, 1));

describe('a quantile', () => {
  it('is what sorting gives', () => {
    fc.assert(
      fc.property(fc.array(VALUE, { minLength: 1, maxLength: 60 }), Q, (list, q) => {
        const values = Float64Array.from(list);
        expectSame(quantileOf(q, values.slice()), quantileBySorting(q, values));
      }),
      { numRuns: 1000 },
    );
  });
});

describe('a sorted window', () => {
  it('has at each place the quantiles and deviations of its values', () => {
    fc.assert(
      fc.property(
        fc.array(VALUE, { minLength: 1, maxLength: 80 }),
        fc.array(fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 6 })), { maxLength: 20 }),
        Q,
        (list, moves, q) => {
          const values = Float64Array.from(list);
          const window = new SortedWindow(values);
          let [from, to] = [0, 0];
          for (const [leave, come] of moves) {
            to = Math.min(values.length, to + come);
            from = Math.min(to, from + leave);
            window.slide(from, to);
            expect(window.size).toBe(to - from);
            if (from === to) continue;
            const inside = values.slice(from, to);
            expectSame(window.quantile(q), quantileBySorting(q, inside));
            const median = quantileBySorting(0.5, inside);
            const deviation = inside.some(Number.isNaN)
              ? Number.NaN
              : quantileBySorting(
                  0.5,
                  inside.map((v) => Math.abs(v - median)),
                );
            expectSame(window.medianDeviation(), deviation);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});
