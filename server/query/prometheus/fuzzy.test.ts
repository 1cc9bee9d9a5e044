import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createScorer, jaroWinkler, scoreSubsequence } from './fuzzy.ts';

describe('jaroWinkler', () => {
  // The examples of Winkler's paper, to three decimals.
  it.each([
    ['MARTHA', 'MARHTA', 0.961],
    ['DWAYNE', 'DUANE', 0.84],
    ['DIXON', 'DICKSONX', 0.813],
    ['abc', 'xyz', 0],
    ['same', 'same', 1],
    ['', 'a', 0],
  ])('%s and %s', (a, b, expected) => {
    expect(jaroWinkler(a, b)).toBeCloseTo(expected, 3);
  });

  it('is symmetric and between 0 and 1', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 12 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        const score = jaroWinkler(a, b);
        expect(score).toBe(jaroWinkler(b, a));
        expect(score).toBeGreaterThanOrEqual(0);
        expect(score).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('scoreSubsequence', () => {
  it('is 1 for equal texts, 0 where characters are missing, and more for what stands together', () => {
    expect(scoreSubsequence('up', 'up')).toBe(1);
    expect(scoreSubsequence('abc', 'acb')).toBe(0);
    // 3² less half of the three characters behind it in six, of 3².
    expect(scoreSubsequence('abc', 'abcdef')).toBeCloseTo((9 - 0.25) / 9, 12);
    expect(scoreSubsequence('http', 'http_requests')).toBeGreaterThan(scoreSubsequence('http', 'h_t_t_p'));
    expect(scoreSubsequence('ab', 'a_ab')).toBeGreaterThan(scoreSubsequence('ab', 'a_b_'));
  });

  it('is above 0 only where the term is there in order, and never above 1', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'é'), minLength: 1, maxLength: 10 });
    fc.assert(
      fc.property(text, text, (term, given) => {
        const score = scoreSubsequence(term, given);
        let next = 0;
        const wanted = Array.from(term);
        for (const character of given) if (character === wanted[next]) next++;
        if (score > 0) expect(next).toBe(wanted.length);
        expect(score).toBeLessThanOrEqual(1);
      }),
    );
  });
});

describe('createScorer', () => {
  const base = { threshold: 0, algorithm: 'subsequence', caseSensitive: true } as const;

  it('finds everything without terms, and by any of several', () => {
    expect(createScorer({ ...base, terms: [] })('x')).toBe(1);
    const score = createScorer({ ...base, terms: ['up', 'down'] });
    expect(score('upper')).toBe(1);
    expect(score('go_down')).toBeGreaterThan(0);
    expect(score('left')).toBeUndefined();
  });

  it('takes texts that hold the term whatever the threshold, and similar ones above it', () => {
    const terms = ['requset'];
    expect(createScorer({ ...base, algorithm: 'jarowinkler', terms })('request')).toBeUndefined();
    const fuzzy = createScorer({ ...base, algorithm: 'jarowinkler', threshold: 0.9, terms });
    expect(fuzzy('request')).toBeGreaterThan(0.9);
    expect(fuzzy('a_requset')).toBe(0.9);
    expect(fuzzy('REQUEST')).toBeUndefined();
    const folded = createScorer({ ...base, algorithm: 'jarowinkler', threshold: 0.9, terms, caseSensitive: false });
    expect(folded('REQUEST')).toBeGreaterThan(0.9);
  });
});
