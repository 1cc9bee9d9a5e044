import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { continueFrame, type Frame, frameFromAnswers, frameIndex, isEmptyFrame } from './frame.ts';

function matrix(labels: Record<string, string>, points: [number, number][]) {
  return { labels, points, histograms: [] };
}

const rows = (frame: Frame) => Object.fromEntries(frame.series.map((s) => [s.key, Array.from(s.values)]));
const N = Number.NaN;

describe('frameFromAnswers', () => {
  test('puts values on the grid and leaves gaps', () => {
    const frame = frameFromAnswers(
      [
        [
          matrix({ a: 'x' }, [
            [30, 1],
            [90, 3],
          ]),
        ],
        [matrix({}, [[60, 7]])],
      ],
      30,
      90,
      30,
    );
    expect(rows(frame)).toEqual({ '0 a="x"': [1, N, 3], '1 ': [N, 7, N] });
    expect(frameIndex(frame, 61)).toBe(1);
    expect(frameIndex(frame, 200)).toBeUndefined();
  });

  test('knows when there is nothing to draw', () => {
    expect(isEmptyFrame(frameFromAnswers([[matrix({}, [[0, N]])]], 0, 60, 30))).toBe(true);
    expect(isEmptyFrame(frameFromAnswers([[matrix({}, [[0, 0]])]], 0, 60, 30))).toBe(false);
  });
});

describe('continueFrame', () => {
  test('equals one query over the whole window', () => {
    const series = fc.dictionary(
      fc.constantFrom('x', 'y', 'z'),
      fc.array(fc.option(fc.integer(), { nil: undefined }), { minLength: 20, maxLength: 20 }),
      { noNullPrototype: true },
    );
    fc.assert(
      fc.property(
        series,
        fc.nat(8),
        fc.integer({ min: 1, max: 19 }),
        fc.nat(19),
        (all, start, overlapStart, endBefore) => {
          const answer = (from: number, to: number) =>
            Object.entries(all)
              .map(([name, values]) =>
                matrix(
                  { name },
                  values.flatMap((v, i): [number, number][] =>
                    v === undefined || i < from || i > to ? [] : [[i * 10, v]],
                  ),
                ),
              )
              .filter((s) => s.points.length > 0);
          const keptEnd = Math.max(overlapStart, endBefore);
          const kept = frameFromAnswers([answer(0, keptEnd)], 0, keptEnd * 10, 10);
          const fresh = frameFromAnswers([answer(overlapStart, 19)], overlapStart * 10, 190, 10);
          const continued = continueFrame(kept, fresh, start * 10, 190);
          const whole = frameFromAnswers([answer(start, 19)], start * 10, 190, 10);
          expect(rows(continued)).toEqual(rows(whole));
        },
      ),
    );
  });
});
