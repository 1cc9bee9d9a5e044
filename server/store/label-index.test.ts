import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMatcher, labelsFromRecord, type MatchOp, matchesAll } from '../model/index.ts';
import { LabelIndex } from './label-index.ts';

const VALUE = fc.constantFrom('', 'a', 'ab', 'abc', 'b', 'ba', 'c-1', 'c-2', 'd');
const LABELS = fc.record({ x: VALUE, y: VALUE, z: VALUE });
const PATTERN = fc.constantFrom(
  ...['a', 'ab|b', 'a.*', '.*b', '.*', '.+', 'c-(1|2)', 'c-[0-9]', '[ab]+', '', 'a?', '(?i)A', 'x|', '.*b.*'],
);
const MATCHER = fc.tuple(
  fc.constantFrom('x', 'y', 'z', 'absent'),
  fc.oneof(
    fc.tuple(fc.constantFrom<MatchOp>('=', '!='), VALUE),
    fc.tuple(fc.constantFrom<MatchOp>('=~', '!~'), PATTERN),
  ),
);
const SELECTOR = fc.array(MATCHER, { maxLength: 4 });

describe('a label index', () => {
  it('finds what testing every label set finds, before and after more come', () => {
    fc.assert(
      fc.property(
        fc.array(LABELS, { maxLength: 40 }),
        fc.array(LABELS, { maxLength: 40 }),
        fc.array(SELECTOR, { minLength: 1, maxLength: 6 }),
        (first, second, selectors) => {
          const index = new LabelIndex();
          for (const part of [first, second]) {
            for (const record of part) index.add(labelsFromRecord(record));
            for (const selector of selectors) {
              const matchers = selector.map(([name, [op, value]]) => createMatcher(name, op, value));
              const expected = Array.from({ length: index.size }, (_, id) => id).filter((id) =>
                matchesAll(matchers, index.labels(id)),
              );
              expect(index.select(matchers)).toEqual(expected);
            }
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  it('looks up prefixes among many values, those that came since the order was made as well', () => {
    const index = new LabelIndex();
    const podOf = (i: number): string => `svc-${i % 30}-pod-${i}`;
    const add = (i: number): void => index.add(labelsFromRecord({ pod: podOf(i), n: String(i % 7) }));
    for (let i = 0; i < 3000; i++) add(i);
    const matches = (value: string) => index.select([createMatcher('pod', '=~', value)]);
    for (const round of [0, 1, 2]) {
      for (const value of [
        'svc-7-.*',
        'svc-7-pod-[0-9]{3}',
        'svc-(1|2)-pod-.*',
        'svc-29.*',
        'none.*',
        `svc-${round}.*`,
      ]) {
        const regex = new RegExp(`^(?:${value})$`);
        const expected = Array.from({ length: index.size }, (_, i) => i).filter((i) => regex.test(podOf(i)));
        expect(matches(value), value).toEqual(expected);
      }
      for (let i = 0; i < 100; i++) add(index.size);
    }
  });

  it('keeps few answers, however many expressions come', () => {
    const index = new LabelIndex();
    for (let i = 0; i < 1000; i++) index.add(labelsFromRecord({ pod: `p${i}` }));
    for (let i = 0; i < 1000; i++) expect(index.select([createMatcher('pod', '=~', `.*${i}`)])).toContain(i);
  });

  it('is asked for names and values', () => {
    const index = new LabelIndex();
    index.add(['a', '1', 'b', '2']);
    index.add(['a', '3']);
    expect([...index.names()]).toEqual(['a', 'b']);
    expect([...index.values('a')]).toEqual(['1', '3']);
    expect([...index.values('none')]).toEqual([]);
    expect(index.select([])).toEqual([0, 1]);
  });
});
