import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Span } from '../../model/index.ts';
import {
  encodeTempoSearch,
  encodeTempoTags,
  encodeTempoTagValues,
  explainTraceql,
  findTags,
  findTagValues,
  parseTraceql,
  printTraceql,
  searchTraceql,
} from './index.ts';
import { createMemoryTraceReader } from './memory-reader.ts';
import { TraceView } from './trace-view.ts';

const SECOND = 1_000_000_000n;
const RANGE = { startNs: 0n, endNs: 1000n * SECOND };

function spanOf(trace: number, id: number, parent: number, over: Partial<Span> = {}): Span {
  const serviceName = over.serviceName ?? 'gateway';
  return {
    traceId: trace.toString(16).padStart(32, '0'),
    spanId: id.toString(16).padStart(16, '0'),
    parentSpanId: parent === 0 ? '' : parent.toString(16).padStart(16, '0'),
    traceState: '',
    name: `span-${id}`,
    kind: 'internal',
    startNs: BigInt(trace) * SECOND + BigInt(id),
    durationNs: SECOND / 2n,
    status: 'unset',
    statusMessage: '',
    serviceName,
    resource: { 'service.name': serviceName },
    scopeName: '',
    scopeVersion: '',
    attributes: {},
    events: [],
    links: [],
    ...over,
  };
}

describe('search', () => {
  const spans = Array.from({ length: 50 }, (_, i) => [
    spanOf(i + 1, 1, 0, { status: i % 10 === 0 ? 'error' : 'ok' }),
    spanOf(i + 1, 2, 1, { serviceName: 'engine', attributes: { tokens: i, ratio: 0.5, stream: true, model: 'llama' } }),
  ]).flat();
  const reader = createMemoryTraceReader(spans);

  test('gives the newest traces up to the limit, 20 by default', async () => {
    const { traces } = await searchTraceql('{ }', RANGE, reader);
    expect(traces.map((trace) => trace.startNs / SECOND)).toEqual(Array.from({ length: 20 }, (_, i) => BigInt(50 - i)));
  });

  test('goes on past candidates that do not match', async () => {
    const { traces } = await searchTraceql('{ status = error } > { .tokens < 25 }', { ...RANGE, limit: 2 }, reader);
    expect(traces.map((trace) => trace.startNs / SECOND)).toEqual([21n, 11n]);
  });

  test('takes spans in the range, its end excluded', async () => {
    const { traces } = await searchTraceql(
      '{ name = "span-1" }',
      { startNs: 5n * SECOND, endNs: 7n * SECOND + 1n },
      reader,
    );
    expect(traces.map((trace) => trace.startNs / SECOND)).toEqual([6n, 5n]);
  });

  test('is encoded as Tempo does it', async () => {
    const result = await searchTraceql(
      '{ .tokens = 10 } | select(status, .model, .ratio, .stream)',
      { ...RANGE, spansPerSpanset: 1 },
      reader,
    );
    const body = JSON.parse(Buffer.from(encodeTempoSearch(result)).toString());
    const spanSet = {
      matched: 1,
      spans: [
        {
          spanID: '0000000000000002',
          name: 'span-2',
          startTimeUnixNano: '11000000002',
          durationNanos: '500000000',
          attributes: [
            { key: 'tokens', value: { intValue: '10' } },
            { key: 'status', value: { stringValue: 'unset' } },
            { key: 'model', value: { stringValue: 'llama' } },
            { key: 'ratio', value: { doubleValue: 0.5 } },
            { key: 'stream', value: { boolValue: true } },
          ],
        },
      ],
    };
    expect(body.traces).toEqual([
      {
        traceID: '0000000000000000000000000000000b',
        rootServiceName: 'gateway',
        rootTraceName: 'span-1',
        startTimeUnixNano: '11000000001',
        durationMs: 500,
        spanSet,
        spanSets: [spanSet],
        serviceStats: { gateway: { spanCount: 1, errorCount: 1 }, engine: { spanCount: 1 } },
      },
    ]);
  });

  test('counts every span and shows some', async () => {
    const { traces } = await searchTraceql('{ }', { ...RANGE, limit: 1, spansPerSpanset: 1 }, reader);
    expect(traces[0].spansets[0].matched).toBe(2);
    expect(traces[0].spansets[0].spans).toHaveLength(1);
  });

  test('refuses limits that are none', async () => {
    await expect(searchTraceql('{ }', { ...RANGE, limit: 0 }, reader)).rejects.toMatchObject({
      code: 'traceql_invalid',
    });
    await expect(searchTraceql('{ }', { ...RANGE, limit: 1001 }, reader)).rejects.toMatchObject({
      code: 'query_limit',
    });
    await expect(searchTraceql('{ }', { ...RANGE, signal: AbortSignal.abort() }, reader)).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});

describe('tags', () => {
  const reader = createMemoryTraceReader([
    spanOf(1, 1, 0, {
      attributes: { model: 'a', tokens: 5 },
      events: [{ name: 'e', timeNs: 0n, attributes: { kind: 'x' } }],
    }),
    spanOf(2, 1, 0, { attributes: { model: 'b' }, serviceName: 'engine', status: 'error' }),
  ]);

  test('come by scope', async () => {
    const scopes = await findTags(RANGE, reader);
    expect(scopes.slice(0, 3)).toEqual([
      { name: 'resource', tags: ['service.name'] },
      { name: 'span', tags: ['model', 'tokens'] },
      { name: 'event', tags: ['kind'] },
    ]);
    expect(JSON.parse(Buffer.from(encodeTempoTags(scopes)).toString()).scopes[3].name).toBe('intrinsic');
  });

  test.each([
    [
      'span.model',
      undefined,
      [
        ['string', 'a'],
        ['string', 'b'],
      ],
    ],
    ['.tokens', undefined, [['int', '5']]],
    ['resource.service.name', '{ span.model = "b" }', [['string', 'engine']]],
    [
      'service.name',
      '{ resource.service.name = "gateway" && ',
      [
        ['string', 'engine'],
        ['string', 'gateway'],
      ],
    ],
    [
      'status',
      undefined,
      [
        ['keyword', 'error'],
        ['keyword', 'ok'],
        ['keyword', 'unset'],
      ],
    ],
    ['duration', undefined, [['duration', '500000000ns']]],
    [
      'rootServiceName',
      undefined,
      [
        ['string', 'engine'],
        ['string', 'gateway'],
      ],
    ],
  ])('values of %s for %s', async (tag, query, expected) => {
    const values = await findTagValues(tag, { ...RANGE, query }, reader);
    const body = JSON.parse(Buffer.from(encodeTempoTagValues(values)).toString()) as {
      tagValues: { type: string; value: string }[];
    };
    expect(body.tagValues.map(({ type, value }) => [type, value])).toEqual(expected);
  });
});

describe('relations', () => {
  test('are those of the definition, in every tree and ring', () => {
    const parents = fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 9 });
    const subset = fc.array(fc.boolean(), { minLength: 9, maxLength: 9 });
    fc.assert(
      fc.property(parents, subset, subset, (parentOf, inLeft, inRight) => {
        const spans = parentOf.map((parent, i) => spanOf(1, i + 1, parent));
        const trace = new TraceView(spans);
        const left = spans.filter((_, i) => inLeft[i]);
        const right = spans.filter((_, i) => inRight[i]);
        const ancestors = (span: Span): Set<string> => {
          const found = new Set<string>();
          for (let at = trace.parentOf(span); at !== undefined && !found.has(at.spanId); at = trace.parentOf(at))
            found.add(at.spanId);
          return found;
        };
        const select = (test: (r: Span, l: Span) => boolean) =>
          right.filter((r) => left.some((l) => test(r, l))).map((s) => s.spanId);
        const related = (relation: '>' | '<' | '>>' | '<<' | '~') =>
          trace.related(relation, left, right).map((s) => s.spanId);
        expect(related('>')).toEqual(select((r, l) => r.parentSpanId === l.spanId));
        expect(related('<')).toEqual(select((r, l) => l.parentSpanId === r.spanId));
        expect(related('>>')).toEqual(select((r, l) => ancestors(r).has(l.spanId)));
        expect(related('<<')).toEqual(select((r, l) => ancestors(l).has(r.spanId)));
        expect(related('~')).toEqual(
          select((r, l) => r !== l && r.parentSpanId !== '' && r.parentSpanId === l.parentSpanId),
        );
      }),
      { numRuns: 500 },
    );
  });

  test('a trace without its root says so', async () => {
    const { traces } = await searchTraceql('{ }', RANGE, createMemoryTraceReader([spanOf(1, 2, 1)]));
    expect(traces[0].rootServiceName).toBe('<root span not yet received>');
  });

  test('deep traces cost one walk', () => {
    const spans = Array.from({ length: 80_000 }, (_, i) => spanOf(1, i + 1, i));
    const started = performance.now();
    const trace = new TraceView(spans);
    expect(trace.related('>>', [spans[0]], spans)).toHaveLength(79_999);
    expect(trace.related('<<', spans, [spans[0]])).toHaveLength(1);
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe('plans', () => {
  test('push down what every match must have', () => {
    expect(explainTraceql('{ name = "a" && .x = 1 && traceDuration > 1s } && { .y =~ "z" }')).toBe(
      [
        'search { ((name = "a") && (.x = 1)) && (traceDuration > 1s) } && { .y =~ "z" }',
        '  storage looks for name = a and .x = 1',
        '  a candidate trace has a span of { (name = "a") && (.x = 1) }',
        '',
      ].join('\n'),
    );
  });

  test('push nothing down that only one alternative has', () => {
    expect(explainTraceql('{ name = "a" && status = error } || { status = error }')).toContain(
      'storage looks for status = error\n',
    );
    expect(explainTraceql('{ name = "a" } || { }')).toContain('storage looks for every span');
    expect(explainTraceql('{ name = "a" } !>> { kind = server }')).toContain('storage looks for span_kind = server\n');
  });
});

describe('parsing', () => {
  test.each([
    ['{ .a = }', '1:8: parse error: syntax error: unexpected }, expecting an attribute such as .name or span.name'],
    ['{ .a == 1 }', '1:7: parse error: syntax error: unexpected =, expecting an attribute'],
    ['{ true }\n| foo()', '2:3: parse error: syntax error: unexpected foo, expecting one of count, avg'],
    ['{ name =~ .x }', '1:8: invalid TraceQL query: =~ with something that is no text'],
  ])('says what is wrong with %s', (query, message) => expect(() => parseTraceql(query)).toThrow(message));

  test('any text parses or fails with an error of ours, and prints to the same tree', () => {
    const word = fc.constantFrom(
      '{',
      '}',
      '.a',
      '=',
      '1',
      '"x"',
      '|',
      'count()',
      '>',
      '&&',
      '(',
      ')',
      'by(',
      'rate()',
      '-',
      ' ',
      'name',
      '1s',
      '!',
    );
    const treeOf = (query: string) =>
      JSON.stringify(parseTraceql(query), (name, value) => (name === 'at' ? undefined : value));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 14 }), (words) => {
        const text = words.join(' ');
        try {
          expect(treeOf(printTraceql(parseTraceql(text)))).toBe(treeOf(text));
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^traceql_|^bad_regex$/);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('never overflows the stack', () => {
    expect(() => parseTraceql('('.repeat(1000))).toThrow('nesting deeper');
    expect(() => parseTraceql(`{ ${'!'.repeat(1000)}.a }`)).toThrow('nesting deeper');
    expect(() => parseTraceql(`{ 1${' + 1'.repeat(100_000)} = 1 }`)).toThrow('more than 5000 words');
    expect(printTraceql(parseTraceql(`{ 1${' + 1'.repeat(2000)} = 1 }`))).toContain('1 + 1');
  });
});
