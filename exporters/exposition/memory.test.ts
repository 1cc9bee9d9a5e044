import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_LINE_BYTES, readSeriesName, readTypeLine, readValue, valueStart } from './line.ts';
import { type LineTaker, MAX_LINES, SeriesMemory } from './memory.ts';

/** Remembers what was new and sums up what was taken, by the text before the value. */
class Taker implements LineTaker {
  readonly names: string[] = [];
  readonly types: string[] = [];
  taken = new Map<string, number>();
  declared: string[] = [];
  newLines = 0;

  newSeries(bytes: Uint8Array, start: number, end: number, lineNumber: number): number {
    this.newLines++;
    const { name, labels } = readSeriesName(bytes, start, end, lineNumber);
    return this.names.push(JSON.stringify([name, ...labels])) - 1;
  }
  newType(name: string, type: string): number {
    const id = this.types.push(`${name} ${type}`) - 1;
    this.takeType(id);
    return id;
  }
  takeType(family: number): void {
    this.declared.push(this.types[family]);
  }
  take(id: number, value: number): void {
    this.taken.set(this.names[id], value);
  }
  forget(): void {}
}

function readAll(texts: readonly string[]): { readonly taker: Taker; readonly wasNew: boolean[] } {
  const taker = new Taker();
  const memory = new SeriesMemory(taker);
  const wasNew = texts.map((text) => {
    taker.taken = new Map();
    taker.declared = [];
    return memory.read(Buffer.from(text));
  });
  return { taker, wasNew };
}

const codeOf = (text: string): unknown => {
  try {
    readAll([text]);
    return undefined;
  } catch (error) {
    return (error as { code?: string }).code;
  }
};

describe('SeriesMemory', () => {
  it('reads labels only of lines that it never saw.', () => {
    const text = '# TYPE a counter\na{b="c"} 1\na{b="d"} 2 1764000000000\n# HELP z Something.\nz 3\n';
    const { taker, wasNew } = readAll([text, text.replace(' 1\n', ' 10\n'), text]);
    expect(wasNew).toEqual([true, false, false]);
    expect(taker.newLines).toBe(3);
    expect([...taker.taken.values()]).toEqual([1, 2, 3]);
    expect(taker.declared).toEqual(['a counter']);
  });

  it('finds its place again where lines come, go, or change their order.', () => {
    const lines = ['a 1', 'b{x="y"} 2', '# TYPE c gauge', 'c 3', 'd 4', 'e 5'];
    const line = fc.constantFrom(...lines);
    fc.assert(
      fc.property(fc.array(fc.uniqueArray(line), { minLength: 1, maxLength: 6 }), (scrapes) => {
        const { taker } = readAll(scrapes.map((scrape) => `${scrape.join('\n')}\n`));
        const wanted = (scrapes.at(-1) ?? []).filter((one) => !one.startsWith('#'));
        const expected = wanted.map((one) => Number(one.split(' ').at(-1))).sort();
        expect([...taker.taken.values()].sort()).toEqual(expected);
      }),
    );
  });

  it("isn't led astray by a name that begins with another.", () => {
    const { taker } = readAll(['a 1\nab 2\n', 'ab 3\na 4\nabc 5\n']);
    expect([...taker.taken]).toEqual([
      ['["ab"]', 3],
      ['["a"]', 4],
      ['["abc"]', 5],
    ]);
  });

  it('takes blanks, empty lines, Windows line ends, exemplars and a last line without an end.', () => {
    const { taker } = readAll(['a  1\n', '\r\na   2.5\r\n\nb{ c = "d" , } 3 # {trace_id="x"} 1 1\n#\n# EOF\nc 4']);
    expect([...taker.taken]).toEqual([
      ['["a"]', 2.5],
      ['["b",["c","d"]]', 3],
      ['["c"]', 4],
    ]);
  });

  it('understands escapes and UTF-8 in values of labels.', () => {
    const { taker } = readAll(['a{b="x\\"}\\\\\\n≤",c="{"} 1\n']);
    expect([...taker.taken.keys()]).toEqual([JSON.stringify(['a', ['b', 'x"}\\\n≤'], ['c', '{']])]);
  });

  it.each([
    ['a value that is no number', 'a one\n'],
    ['no value', 'a\n'],
    ['no value behind labels', 'a{b="c"}\n'],
    ['labels without an end', 'a{b="c" 1\n'],
    ['no name', '{b="c"} 1\n'],
    ['a name that begins with a digit', '1a 2\n'],
    ['a label twice', 'a{b="c",b="d"} 1\n'],
    ['a label without quotes', 'a{b=c} 1\n'],
    ['labels without a comma', 'a{b="c" d="e"} 1\n'],
    ['hexadecimal', 'a 0x10\n'],
    ['a line that is too long', `a{b="${'x'.repeat(MAX_LINE_BYTES)}"} 1\n`],
    ['too many lines', 'a 1\n'.repeat(2) + '\n'.repeat(MAX_LINES)],
    ['HTML', '<html><body>nothing</body></html>\n'],
  ])('refuses %s.', (_what, text) => {
    expect(codeOf(text)).toBe('bad_exposition');
  });

  it('never quotes what stands in a line.', () => {
    const secret = 'the user said something';
    for (const text of [`a{b="${secret}"} x\n`, `${secret}\n`, `a{b="c"} ${secret}\n`, `a{${secret}="c"} 1\n`]) {
      expect(() => readAll([text])).toThrow(expect.not.stringContaining(secret) as unknown as Error);
      try {
        readAll([text]);
      } catch (error) {
        expect((error as Error).message).not.toMatch(/user|something/);
      }
    }
  });

  it('never hangs and never throws anything else, whatever comes in.', () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.string()), (data) => {
        const body = Buffer.from(data as string);
        const memory = new SeriesMemory(new Taker());
        for (let i = 0; i < 2; i++) {
          try {
            memory.read(body);
          } catch (error) {
            expect((error as { code?: string }).code).toBe('bad_exposition');
          }
        }
      }),
    );
  });
});

describe('Numbers', () => {
  it('are read exactly.', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.double({ noNaN: true }), fc.integer(), fc.double({ noNaN: true, min: 0, max: 1e6 })),
        (value) => {
          const text = Object.is(value, -0) ? '-0' : String(value);
          const bytes = Buffer.from(text.replace('Infinity', 'Inf'));
          expect(Object.is(readValue(bytes, 0, bytes.length, 1), value)).toBe(true);
        },
      ),
    );
  });

  it.each([
    ['1.0', 1],
    ['1e3', 1000],
    ['+5', 5],
    ['NaN', Number.NaN],
    ['+Inf', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['1.0000000000000000000001', 1],
    ['123456789012345678', 123456789012345680],
    ['.5', 0.5],
  ])('%s', (text, value) => {
    const bytes = Buffer.from(`${text} 17`);
    expect(readValue(bytes, 0, bytes.length, 1)).toBe(value);
  });
});

describe('Lines', () => {
  it('are split before their value.', () => {
    const at = (text: string) => valueStart(Buffer.from(text), 0, text.length, 1);
    expect(at('a 1')).toBe(2);
    expect(at('a{b="} 5"} 1')).toBe(11);
    expect(at('a {b="c"}  1')).toBe(11);
  });

  it('declare types.', () => {
    const of = (text: string) => readTypeLine(Buffer.from(text), 0, text.length);
    expect(of('# TYPE vllm:x histogram')).toEqual({ name: 'vllm:x', type: 'histogram' });
    expect(of('# HELP vllm:x TYPE histogram')).toBeUndefined();
  });
});
