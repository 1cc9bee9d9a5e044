// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are templates of relabelling.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord, labelsToRecord } from '../model/index.ts';
import { compileRelabel, type RelabelConfig, relabel } from './relabel.ts';

function run(labels: Record<string, string>, ...rules: RelabelConfig[]): Record<string, string> | undefined {
  const kept = relabel(
    labelsFromRecord(labels),
    rules.map((rule, i) => compileRelabel(rule, `rules[${i}]`)),
  );
  return kept && labelsToRecord(kept);
}

describe('replace', () => {
  it('is the default action, and copies by default', () => {
    expect(run({ a: 'x' }, { source_labels: ['a'], target_label: 'b' })).toEqual({ a: 'x', b: 'x' });
  });

  it.each<[string, RelabelConfig, Record<string, string>]>([
    [
      'fills in groups',
      { source_labels: ['a'], regex: 'f(.*)', target_label: 'd', replacement: 'ch$1-ch$1' },
      { d: 'choo-choo' },
    ],
    ['joins with the separator', { source_labels: ['a', 'b'], separator: '/', target_label: 'd' }, { d: 'foo/bar' }],
    [
      'leaves things alone where nothing matches',
      { source_labels: ['a'], regex: 'bar', target_label: 'd', replacement: 'z' },
      {},
    ],
    ['is anchored', { source_labels: ['a'], regex: 'o+', target_label: 'd', replacement: 'z' }, {}],
    ['anchors every alternative', { source_labels: ['a'], regex: 'f|oo', target_label: 'd', replacement: 'z' }, {}],
    [
      'fills in groups of the target',
      { source_labels: ['a', 'b'], regex: '(.*);(.*)', target_label: '${1}_${2}', replacement: 'v' },
      { foo_bar: 'v' },
    ],
    [
      'reads names of groups',
      { source_labels: ['a'], regex: '(?P<first>.).*', target_label: 'd', replacement: '${first}!' },
      { d: 'f!' },
    ],
    [
      'takes the longest name behind a dollar',
      { source_labels: ['a'], regex: '(.*)', target_label: 'd', replacement: '$1x-${1}x' },
      { d: '-foox' },
    ],
    ['writes two dollars as one', { source_labels: ['a'], target_label: 'd', replacement: '$$1' }, { d: '$1' }],
    [
      'leaves a dollar before nothing alone',
      { source_labels: ['a'], target_label: 'd', replacement: 'a$' },
      { d: 'a$' },
    ],
    ['leaves an open brace alone', { source_labels: ['a'], target_label: 'd', replacement: '${1' }, { d: '${1' }],
    [
      'has no value for groups that are not there',
      { source_labels: ['a'], target_label: 'd', replacement: '$7-$nope-' },
      { d: '--' },
    ],
    ['makes a label without a source', { target_label: 'd', replacement: 'fixed' }, { d: 'fixed' }],
    ['takes a name in UTF-8', { target_label: 'größe.ms', replacement: 'v' }, { 'größe.ms': 'v' }],
    [
      'matches newlines with a dot',
      { source_labels: ['n'], regex: 'x.y', target_label: 'd', replacement: 'hit' },
      { d: 'hit' },
    ],
  ])('%s', (_what, rule, added) => {
    const labels = { a: 'foo', b: 'bar', n: 'x\ny' };
    expect(run(labels, rule)).toEqual({ ...labels, ...added });
  });

  it('removes the target where nothing is left for it', () => {
    expect(run({ a: 'foo', b: 'x' }, { source_labels: ['a'], regex: 'f(x?)oo', target_label: 'b' })).toEqual({
      a: 'foo',
    });
    expect(run({ b: 'x' }, { source_labels: ['none'], target_label: 'b' })).toEqual({});
    expect(run({ b: 'x' }, { target_label: 'b', replacement: '' })).toEqual({});
  });
});

describe('the other actions', () => {
  const labels = { a: 'foo', b: 'bar', c: 'foo' };

  it('keeps and drops by a match or by equality', () => {
    expect(run(labels, { source_labels: ['a'], regex: 'f.*', action: 'keep' })).toEqual(labels);
    expect(run(labels, { source_labels: ['a'], regex: 'f', action: 'keep' })).toBeUndefined();
    expect(run(labels, { source_labels: ['a'], regex: 'foo', action: 'drop' })).toBeUndefined();
    expect(run(labels, { source_labels: ['a'], target_label: 'c', action: 'keepequal' })).toEqual(labels);
    expect(run(labels, { source_labels: ['b'], target_label: 'c', action: 'keepequal' })).toBeUndefined();
    expect(run(labels, { source_labels: ['a'], target_label: 'c', action: 'DropEqual' })).toBeUndefined();
    expect(run(labels, { source_labels: ['none'], target_label: 'no', action: 'keepequal' })).toEqual(labels);
  });

  it('hashes as Prometheus does', () => {
    // A real Prometheus confirms the way in apptest/relabel.test.ts.
    expect(run({ a: 'foo' }, { source_labels: ['a'], target_label: 'd', modulus: 1000, action: 'hashmod' })?.d).toBe(
      '696',
    );
    expect(
      run({ a: 'foo\nbar' }, { source_labels: ['a'], target_label: 'b', modulus: 1000, action: 'hashmod' })?.b,
    ).toBe('734');
  });

  it('maps names, and the label that was set last wins', () => {
    expect(run({ a: '1', b1: '2', b2: '3' }, { regex: '(b).', replacement: 'x_$1', action: 'labelmap' })).toEqual({
      a: '1',
      b1: '2',
      b2: '3',
      x_b: '3',
    });
    expect(run({ __meta_zone: 'z' }, { regex: '__meta_(.+)', action: 'labelmap' })).toEqual({
      __meta_zone: 'z',
      zone: 'z',
    });
    // A label that was replaced stands behind those that it began with, so here "a" is mapped last.
    expect(
      run(
        { a1: '1', a2: '2' },
        { source_labels: ['a1'], target_label: 'a1', replacement: 'new' },
        { regex: '(a).', action: 'labelmap' },
      ),
    ).toEqual({ a1: 'new', a2: '2', a: 'new' });
  });

  it('drops and keeps names', () => {
    expect(run(labels, { regex: '[ab]', action: 'labeldrop' })).toEqual({ c: 'foo' });
    expect(run(labels, { regex: '[ab]', action: 'labelkeep' })).toEqual({ a: 'foo', b: 'bar' });
  });

  it('changes case letter by letter', () => {
    const change = (text: string, action: string) =>
      run({ a: text }, { source_labels: ['a'], target_label: 'a', action })?.a;
    expect(change('FoÖ ΑΣ İ', 'lowercase')).toBe('foö ασ i');
    expect(change('foö ß ﬁ ᾳ ŉ', 'uppercase')).toBe('FOÖ ß ﬁ ᾼ ŉ');
  });
});

describe('checking', () => {
  it.each<[RelabelConfig, string]>([
    [{ action: 'explode' }, 'action'],
    [{ action: 'replace' }, 'target_label'],
    [{ target_label: '${1' }, 'target_label'],
    [{ target_label: 'a', regex: '(' }, 'regex'],
    [{ target_label: 'a', regex: 'a)(b' }, 'regex'],
    [{ target_label: 'a', regex: '(?=a)' }, 'regex'],
    [{ action: 'hashmod', target_label: 'a' }, 'modulus'],
    [{ action: 'hashmod', modulus: 3 }, 'target_label'],
    [{ action: 'lowercase', target_label: 'a', replacement: 'x' }, 'replacement'],
    [{ action: 'keepequal', target_label: 'a', regex: 'x' }, 'regex'],
    [{ action: 'labeldrop', regex: 'x', source_labels: ['a'] }, 'source_labels'],
    [{ action: 'labelmap', regex: 'x', replacement: '${' }, 'replacement'],
    [{ source_labels: [''], target_label: 'a' }, 'source_labels'],
  ])('%j is refused with the key %s', (rule, key) => {
    expect(() => compileRelabel(rule, 'rules[3]')).toThrow(`rules[3].${key}`);
  });
});

describe('any rules on any labels', () => {
  const name = fc.constantFrom('a', 'b', 'c', '__x', 'größe');
  const labels = fc.dictionary(name, fc.string({ unit: 'grapheme', maxLength: 5 }), { maxKeys: 5 });
  const rule = fc.oneof(
    fc.record({ source_labels: fc.array(name), target_label: name, replacement: fc.constantFrom('$1', '', 'x$1y') }),
    fc.record({ source_labels: fc.array(name), target_label: name, action: fc.constantFrom('lowercase', 'uppercase') }),
    fc.record({
      regex: fc.constantFrom('a', '.', '(.)'),
      action: fc.constantFrom('labeldrop', 'labelkeep', 'labelmap'),
    }),
  );

  it('give a label set: sorted, names once, no empty value', () => {
    fc.assert(
      fc.property(labels, fc.array(rule, { maxLength: 4 }), (record, rules) => {
        const kept = relabel(
          labelsFromRecord(record),
          rules.map((config) => compileRelabel(config, 'rule')),
        );
        expect(kept).toEqual(labelsFromRecord(labelsToRecord(kept ?? [])));
      }),
    );
  });

  it('change nothing where there are none, not even the array', () => {
    fc.assert(
      fc.property(labels, (record) => {
        const given = labelsFromRecord(record);
        expect(relabel(given, [])).toBe(given);
      }),
    );
  });
});
