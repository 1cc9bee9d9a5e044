import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compareLabels,
  createMatcher,
  type Labels,
  labelsFromRecord,
  type MatchOp,
  matchesAll,
} from '../../model/index.ts';
import { LabelIndex } from './label-index.ts';
import { reserveLabelMemory } from './label-memory.ts';
import { LabelWriter } from './label-writer.ts';

const VALUE = fc.constantFrom('', 'a', 'b', 'ab', 'c-1', 'c-2', 'd', 'ü', '𝄞x');
const LABELS = fc.record({ x: VALUE, y: VALUE, z: VALUE });
const PATTERN = fc.constantFrom(
  ...['a', 'ab|b', 'a.*', '.*b', '.*', '.+', 'c-(1|2)', 'c-[0-9]', '[ab]+', '', 'a?', '(?i)A', 'x|', '.*b.*', '𝄞.*'],
);
const MATCHER = fc.tuple(
  fc.constantFrom('x', 'y', 'z', 'absent', 'a'),
  fc.oneof(
    fc.tuple(fc.constantFrom<MatchOp>('=', '!='), VALUE),
    fc.tuple(fc.constantFrom<MatchOp>('=~', '!~'), PATTERN),
  ),
);
const SELECTOR = fc.array(MATCHER, { maxLength: 4 });

/** Label sets that are added and shown at once. */
class Sets {
  readonly writer = new LabelWriter(reserveLabelMemory());
  readonly index = new LabelIndex(this.writer.memory);

  add(labels: Labels): number {
    const id = this.writer.add(labels);
    this.writer.publish(this.writer.counts);
    this.index.refresh();
    return id;
  }

  get ids(): number[] {
    return Array.from({ length: this.index.size }, (_, id) => id);
  }
}

describe('a label index', () => {
  it('finds what testing every label set finds, before and after more come', () => {
    fc.assert(
      fc.property(
        fc.array(LABELS, { maxLength: 40 }),
        fc.array(LABELS, { maxLength: 40 }),
        fc.array(SELECTOR, { minLength: 1, maxLength: 6 }),
        (first, second, selectors) => {
          const { writer, index } = new Sets();
          const added: Labels[] = [];
          for (const part of [first, second]) {
            for (const record of part) {
              const labels = labelsFromRecord(record);
              const before = writer.size;
              expect(writer.find(labels) >= 0).toBe(writer.add(labels) < before);
              if (writer.size > before) added.push(labels);
            }
            writer.publish(writer.counts);
            index.refresh();
            expect(added.map((_, id) => index.labels(id))).toEqual(added);
            for (const selector of selectors) {
              const matchers = selector.map(([name, [op, value]]) => createMatcher(name, op, value));
              const expected = added.flatMap((labels, id) => (matchesAll(matchers, labels) ? [id] : []));
              const found = index.select(matchers);
              expect(found).toEqual(expected);
              expect(index.sort(found).map((id) => added[id])).toEqual(
                found.map((id) => added[id]).sort(compareLabels),
              );
              const names = new Set(found.flatMap((id) => added[id].filter((_, i) => i % 2 === 0)));
              expect(new Set(index.namesAmong(found))).toEqual(names);
              const values = found.flatMap((id) => (added[id][0] === 'x' ? [added[id][1]] : []));
              expect(index.valuesAmong('x', found).sort()).toEqual([...new Set(values)].sort());
            }
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('shows only what was published', () => {
    const { writer, index } = new Sets();
    writer.add(['a', '1']);
    const counts = writer.counts;
    writer.add(['a', '2']);
    writer.add(['a', '1', 'b', '1']);
    writer.publish(counts);
    index.refresh();
    expect(index.select([createMatcher('a', '=~', '.+')])).toEqual([0]);
    expect(index.select([])).toEqual([0]);
    expect([index.allNames(), index.allValues('a'), index.allValues('b')]).toEqual([['a'], ['1'], []]);
    expect(index.select([createMatcher('a', '=', '2')])).toEqual([]);
    writer.publish(writer.counts);
    index.refresh();
    expect(index.select([createMatcher('a', '=~', '.+')])).toEqual([0, 1, 2]);
    expect(index.select([createMatcher('b', '=', '')])).toEqual([0, 1]);
  });

  it('holds as many label sets of one pair and of many as there are, through every size of block', () => {
    const sets = new Sets();
    for (let i = 0; i < 10_000; i++) {
      expect(sets.writer.add(labelsFromRecord({ all: 'x', n: String(i), m: String(i % 3), [`l${i % 50}`]: 'y' }))).toBe(
        i,
      );
    }
    sets.writer.publish(sets.writer.counts);
    sets.index.refresh();
    const { index, ids } = sets;
    expect(index.select([createMatcher('all', '=', 'x')])).toEqual(ids);
    expect(index.select([createMatcher('m', '=', '1')])).toEqual(ids.filter((id) => id % 3 === 1));
    expect(index.select([createMatcher('m', '!=', '1'), createMatcher('all', '=', 'x')])).toEqual(
      ids.filter((id) => id % 3 !== 1),
    );
    expect(index.select([createMatcher('l7', '!=', '')])).toEqual(ids.filter((id) => id % 50 === 7));
    expect(index.select([createMatcher('n', '=~', '99.*'), createMatcher('m', '=', '0')])).toEqual(
      ids.filter((id) => String(id).startsWith('99') && id % 3 === 0),
    );
    for (const id of [0, 17, 9999]) expect(sets.writer.find(index.labels(id))).toBe(id);
    expect(sets.writer.find(['all', 'x', 'n', '5'])).toBe(-1);
  });

  it('looks up prefixes among many values, those that came since the order was made as well', () => {
    const sets = new Sets();
    const podOf = (i: number): string => `svc-${i % 30}-pod-${i}`;
    const add = (i: number): number => sets.add(labelsFromRecord({ pod: podOf(i), n: String(i % 7) }));
    for (let i = 0; i < 3000; i++) add(i);
    const matches = (value: string) => sets.index.select([createMatcher('pod', '=~', value)]);
    for (const round of [0, 1, 2]) {
      const values = ['svc-7-.*', 'svc-7-pod-[0-9]{3}', 'svc-(1|2)-pod-.*', 'svc-29.*', 'none.*', `svc-${round}.*`];
      for (const value of values) {
        const regex = new RegExp(`^(?:${value})$`);
        expect(matches(value), value).toEqual(sets.ids.filter((i) => regex.test(podOf(i))));
      }
      for (let i = 0; i < 100; i++) add(sets.index.size);
    }
  });

  it('keeps few answers, however many expressions come', () => {
    const sets = new Sets();
    for (let i = 0; i < 1000; i++) sets.add(labelsFromRecord({ pod: `p${i}` }));
    for (let i = 0; i < 1000; i++) expect(sets.index.select([createMatcher('pod', '=~', `.*${i}`)])).toContain(i);
  });

  it('is asked for names and values', () => {
    const sets = new Sets();
    sets.add(['a', '1', 'b', '2']);
    sets.add(['a', '3']);
    expect(sets.index.allNames()).toEqual(['a', 'b']);
    expect(sets.index.allValues('a')).toEqual(['1', '3']);
    expect(sets.index.allValues('none')).toEqual([]);
    expect(sets.index.select([])).toEqual([0, 1]);
  });

  it('reads texts of any length, on the edges of what it reads at once', () => {
    const sets = new Sets();
    const lengths = [1, 65_535, 2, 40_000, 30_000, 200_000, 3, 65_536, 65_537, 10];
    const texts = lengths.map((length, i) => `${i}`.repeat(length).slice(0, length) + (i % 4 === 3 ? 'é' : ''));
    for (const value of texts) sets.add(['v', value]);
    expect(sets.ids.map((id) => sets.index.labels(id)[1])).toEqual(texts);
    expect(sets.index.select([createMatcher('v', '=', texts[5])])).toEqual([5]);
  });
});
