import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSamples } from './read.ts';
import { formatFamilies } from './write.ts';

const all = (): boolean => true;

describe('readSamples', () => {
  it.each([
    ['a 1', { name: 'a', labels: {}, value: 1, isWhole: true }],
    ['a{} 1', { name: 'a', labels: {}, value: 1, isWhole: true }],
    ['a{b="c"} 1 1700000000000', { name: 'a', labels: { b: 'c' }, value: 1, isWhole: true }],
    ['a { b = "c" , d="}" , } 1e3', { name: 'a', labels: { b: 'c', d: '}' }, value: 1000, isWhole: false }],
    ['a{b="\\"\\\\\\n"}-2.5', { name: 'a', labels: { b: '"\\\n' }, value: -2.5, isWhole: false }],
    ['a_total{b="c"} 3 # {trace_id="x"} 1', { name: 'a_total', labels: { b: 'c' }, value: 3, isWhole: true }],
    ['a +Inf', { name: 'a', labels: {}, value: Infinity, isWhole: false }],
  ])('reads %j', (line, sample) => {
    expect(readSamples(`# HELP a b\n${line}\r\n\n`, all)).toEqual({
      samples: [sample],
      badLines: 0,
      truncated: false,
    });
  });

  it.each(['a', 'a{b="c} 1', 'a{b=c} 1', '{b="c"} 1', 'a 1x', 'a-b 1'])('counts %j and goes on', (line) => {
    const { samples, badLines } = readSamples(`${line}\nok 1`, all);
    expect([samples.map(({ name }) => name), badLines]).toEqual([['ok'], 1]);
  });

  it('reads what formatFamilies writes, whatever stands in labels', () => {
    const labels = fc.dictionary(
      fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/),
      fc.string({ unit: 'grapheme', minLength: 1 }),
    );
    const value = fc.double({ noNaN: true });
    fc.assert(
      fc.property(
        fc.array(fc.record({ labels, value }), { minLength: 1 }),
        fc.constantFrom('text', 'openmetrics'),
        (samples, format) => {
          const family = { name: 'x', type: 'gauge' as const, unit: '1', help: 'a "b"\n\\', samples };
          const read = readSamples(formatFamilies([family], format as 'text'), all);
          const clean = samples.map((sample) => ({
            labels: { ...sample.labels },
            value: sample.value === 0 ? 0 : sample.value,
          }));
          expect(read.badLines).toBe(0);
          expect(
            read.samples.map((sample) => ({ labels: sample.labels, value: sample.value === 0 ? 0 : sample.value })),
          ).toEqual(clean);
        },
      ),
    );
  });

  it('never throws on any text', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void readSamples(text, all)));
  });
});
