import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventScanner } from './event-scanner.ts';
import { shapeOf } from './event-shape.ts';
import { MemoryBudget } from './memory-budget.ts';
import { TopLevelScanner } from './top-level-scanner.ts';

/** Cuts bytes at places that are given as shares of their length. */
function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const places = [0, ...shares.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length];
  return places.slice(1).map((place, i) => bytes.subarray(places[i], place));
}

const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

describe('TopLevelScanner', () => {
  const read = (chunks: readonly Buffer[], keys: readonly string[]): Record<string, unknown> => {
    const scanner = new TopLevelScanner(new Set(keys));
    for (const chunk of chunks) scanner.feed(chunk);
    return Object.fromEntries(keys.filter((key) => scanner.has(key)).map((key) => [key, scanner.value(key)]));
  };

  it('finds what JSON.parse finds, wherever the bytes are cut', () => {
    const json = fc.record(
      { model: fc.string(), stream: fc.boolean(), messages: fc.jsonValue(), usage: fc.jsonValue(), n: fc.double() },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(json, fc.boolean(), shares, (value, isPretty, at) => {
        const text = JSON.stringify({ '': { model: '\\"' }, ...value }, undefined, isPretty ? 2 : 0);
        const parsed = JSON.parse(text) as Record<string, unknown>;
        const { messages: _, ...rest } = parsed;
        delete rest[''];
        const keys = ['model', 'stream', 'usage', 'n'];
        for (const key of keys) if (JSON.stringify(rest[key])?.length > 2000) return;
        expect(read(cut(Buffer.from(text), at), keys)).toEqual(rest);
      }),
      { numRuns: 300 },
    );
  });

  it('takes names with escapes, and the last of two of one name', () => {
    expect(read([Buffer.from('{"mod\\u0065l":"a","model":"b\\n"}')], ['model'])).toEqual({ model: 'b\n' });
  });

  it('keeps nothing of a value that is long', () => {
    const text = JSON.stringify({ usage: 'x'.repeat(10_000), model: 'm' });
    expect(read([Buffer.from(text)], ['usage', 'model'])).toEqual({ model: 'm' });
  });

  it('finds nothing where there is no object', () => {
    expect(read([Buffer.from('["model","x",{"model":"y"}]')], ['model'])).toEqual({});
  });
});

/** The data of the events of a stream, and what is given out of it. */
function scan(
  chunks: readonly Buffer[],
  options: { hide?: (data: string) => boolean; maxEventBytes?: number; budget?: MemoryBudget } = {},
): { events: string[]; output: Buffer; tooLarge: number; usedBytes: number } {
  const events: string[] = [];
  const parts: Buffer[] = [];
  let tooLarge = 0;
  const budget = options.budget ?? new MemoryBudget(1e9);
  const scanner = new EventScanner(
    {
      event(bytes, start, end) {
        const data = bytes.toString('utf8', start, end);
        events.push(data);
        return options.hide?.(data) ? 'hide' : 'pass';
      },
      tooLarge: () => tooLarge++,
    },
    budget,
    options.maxEventBytes ?? 1e6,
    (bytes) => parts.push(Buffer.from(bytes)),
  );
  for (const chunk of chunks) scanner.feed(chunk);
  scanner.end();
  return { events, output: Buffer.concat(parts), tooLarge, usedBytes: budget.usedBytes };
}

describe('EventScanner', () => {
  const stream = fc
    .record({
      events: fc.array(
        fc.oneof(
          fc.json().map((data) => ({ kind: 'data' as const, data })),
          fc.constant({ kind: 'comment' as const, data: ': OPENROUTER PROCESSING' }),
        ),
        { maxLength: 6 },
      ),
      lineEnd: fc.constantFrom('\n', '\r\n', '\r'),
      space: fc.constantFrom('', ' '),
    })
    .map(({ events, lineEnd, space }) => ({
      data: events.filter(({ kind }) => kind === 'data').map(({ data }) => data),
      text: events
        .map(
          ({ kind, data }) => (kind === 'data' ? `event: x${lineEnd}data:${space}${data}` : data) + lineEnd + lineEnd,
        )
        .join(''),
    }));

  it('finds the same events and gives out the same bytes for any cut and line ending', () => {
    fc.assert(
      fc.property(stream, shares, ({ data, text }, at) => {
        const { events, output, usedBytes } = scan(cut(Buffer.from(text), at));
        expect(events).toEqual(data.map((one) => one.replace(/^ /, '')));
        expect(output.toString()).toBe(text);
        expect(usedBytes).toBe(0);
      }),
      { numRuns: 500 },
    );
  });

  it('takes out the events that are to be hidden and nothing else', () => {
    const text = 'data: 1\n\n: c\n\ndata: hide\n\nevent: x\ndata: 2\n\ndata: hide\n\n';
    fc.assert(
      fc.property(shares, (at) => {
        const { output } = scan(cut(Buffer.from(text), at), { hide: (data) => data === 'hide' });
        expect(output.toString()).toBe('data: 1\n\n: c\n\nevent: x\ndata: 2\n\n');
      }),
    );
  });

  it('joins lines of data, and takes a last event without its blank line', () => {
    expect(scan([Buffer.from('data: a\ndata: b\n\ndata: c')]).events).toEqual(['a\nb', 'c']);
  });

  it('lets an event pass that is too large, and goes on with the next', () => {
    const text = `data: 1\n\ndata: ${'x'.repeat(3000)}\nid: 4\n\ndata: 2\n\n`;
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 4, maxLength: 40 }), (at) => {
        const { events, output, tooLarge, usedBytes } = scan(cut(Buffer.from(text), at), { maxEventBytes: 1000 });
        expect(output.toString()).toBe(text);
        expect(events.filter((data) => data.length < 10)).toEqual(['1', '2']);
        expect([tooLarge <= 2, usedBytes]).toEqual([true, 0]);
      }),
    );
  });

  it('holds nothing where there is no memory for it', () => {
    const text = 'data: 1\n\ndata: 2\n\ndata: 3\n\n';
    const { events, output, tooLarge } = scan(cut(Buffer.from(text), [0.5]), { budget: new MemoryBudget(10) });
    expect([events, output.toString(), tooLarge]).toEqual([['1', '3'], text, 1]);
  });
});

describe('EventShape', () => {
  const chunkOf = (content: string, more: object = {}): Buffer =>
    Buffer.from(JSON.stringify({ id: 'c', choices: [{ index: 0, delta: { content }, finish_reason: null }], ...more }));

  it('recognises an event exactly if the parsed rest and the emptiness of texts are the same', () => {
    const event = fc.record({ content: fc.string(), finish: fc.constantFrom(null, 'stop'), obfuscation: fc.string() });
    const bytesOf = ({
      content,
      finish,
      obfuscation,
    }: {
      content: string;
      finish: string | null;
      obfuscation: string;
    }) => Buffer.from(JSON.stringify({ choices: [{ delta: { content }, finish_reason: finish }], obfuscation }));
    fc.assert(
      fc.property(event, event, (sample, other) => {
        const shape = shapeOf(bytesOf(sample), 'visible')!;
        const bytes = bytesOf(other);
        const isAlike =
          sample.finish === other.finish &&
          (sample.content === '') === (other.content === '') &&
          (sample.obfuscation === '') === (other.obfuscation === '');
        expect(shape.matches(bytes, 0, bytes.length)).toBe(isAlike);
      }),
      { numRuns: 500 },
    );
  });

  it('is not deceived by a text that looks like what follows it', () => {
    const shape = shapeOf(chunkOf('a'), 'visible')!;
    const forged = chunkOf('"},"finish_reason":null}]}');
    expect(shape.matches(forged, 0, forged.length)).toBe(true);
    const more = chunkOf('a', { usage: { prompt_tokens: 1 } });
    expect(shape.matches(more, 0, more.length)).toBe(false);
    const short = chunkOf('a').subarray(0, -1);
    expect(shape.matches(short, 0, short.length)).toBe(false);
  });
});
