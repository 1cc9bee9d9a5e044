import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatValue } from './format.ts';
import { JsonBytes, sampleTimes } from './json-bytes.ts';

const VALUES = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.constantFrom(0, -0, 1e-7, -1e-7, 1e21, 5e-324, 1.7976931348623157e308, 1e-6, 999999999999999900000),
);

describe('samples as JSON bytes', () => {
  it('are what each value would be by itself, whatever is absent or repeats', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(VALUES, fc.boolean(), fc.boolean()), { maxLength: 40 }), (cells) => {
        const values: number[] = [];
        for (const [value, , repeats] of cells)
          values.push(repeats && values.length > 0 ? (values.at(-1) as number) : value);
        const has = cells.map(([, present]) => Number(present));
        const times = cells.map((_, i) => String(1.7e9 + i / 4));
        const expected = values.flatMap((value, i) => (has[i] ? [`[${times[i]},"${formatValue(value)}"]`] : []));
        const out = new JsonBytes();
        expect(out.samples(sampleTimes(times), values, has)).toBe(expected.length > 0);
        expect(Buffer.from(out.finish()).toString()).toBe(expected.join(','));
      }),
    );
  });

  it('grow, go back, and keep text beyond ASCII', () => {
    const out = new JsonBytes();
    for (let i = 0; i < 5000; i++) out.string('größer "ü"\n');
    const { size } = out;
    out.text('gone');
    out.truncate(size);
    expect(Buffer.from(out.finish()).toString()).toBe(JSON.stringify('größer "ü"\n').repeat(5000));
  });
});
