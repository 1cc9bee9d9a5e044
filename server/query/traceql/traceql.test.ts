import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Span } from '../../model/index.ts';
import {
  encodeTempoInstant,
  encodeTempoMetrics,
  encodeTempoSearch,
  encodeTempoTags,
  encodeTempoTagValues,
  explainTraceql,
  findTags,
  findTagValues,
  parseTraceql,
  printTraceql,
  queryTraceMetrics,
  searchTraceql,
  tagSearchQuery,
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

  test('keeps the newest of a group that finds more than are asked for', async () => {
    // The first group has one trace, the second two, of which only one is wanted.
    const { traces } = await searchTraceql('{ .tokens < 49 } && { status != error }', { ...RANGE, limit: 1 }, reader);
    expect(traces.map((trace) => trace.startNs / SECOND)).toEqual([49n]);
    const all = await searchTraceql('{ } | count() > 1', { ...RANGE, limit: 7 }, createMemoryTraceReader(spans, 1));
    expect(all.traces.map((trace) => trace.startNs / SECOND)).toEqual([50n, 49n, 48n, 47n, 46n, 45n, 44n]);
  });

  test('finds the same traces whatever the limit and the size of batches', async () => {
    const query = '{ status = error } > { .tokens < 45 }';
    const every = await searchTraceql(query, { ...RANGE, limit: 1000 }, reader);
    expect(every.traces).toHaveLength(5);
    for (let limit = 1; limit <= 6; limit++) {
      const { traces } = await searchTraceql(query, { ...RANGE, limit }, createMemoryTraceReader(spans, limit));
      expect(traces).toEqual(every.traces.slice(0, limit));
    }
  });

  test.each([
    ['candidates', { candidates: 49 }, 'at most 49 (candidates)'],
    ['spans of a trace', { spansPerTrace: 1 }, 'at most 1 (spansPerTrace)'],
    ['spans read', { spans: 120 }, 'at most 120 (spans)'],
    ['spans shown', { shownSpans: 9 }, 'at most 9 (shownSpans)'],
  ])('ends past the limit on %s', async (_what, limits, message) => {
    const search = searchTraceql('{ } | count() > 1', { ...RANGE, limit: 1000, limits }, reader);
    await expect(search).rejects.toMatchObject({ code: 'query_limit', status: 422 });
    await expect(search).rejects.toThrow(message);
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
    expect(await findTags(RANGE, reader, ['event', 'link'])).toEqual([{ name: 'event', tags: ['kind'] }]);
    expect(await findTags({ ...RANGE, limit: 1 }, reader, ['span'])).toEqual([{ name: 'span', tags: ['model'] }]);
    const query = '{ resource.service.name = "engine" }';
    expect(await findTags({ ...RANGE, query }, reader, ['span', 'event'])).toEqual([{ name: 'span', tags: ['model'] }]);
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

describe('a search by tags', () => {
  const search = (over: object) => tagSearchQuery({ tags: '', minDuration: '', maxDuration: '', ...over });
  const reader = createMemoryTraceReader([
    spanOf(1, 1, 0, { attributes: { 'http.url': 'https://a.example/API?x=1', status_code: 200, path: 'a (b)' } }),
    spanOf(1, 2, 1, { serviceName: 'engine', status: 'error', attributes: { stream: true, 'odd name': 'é"1' } }),
    spanOf(2, 1, 0, { durationNs: 5n * SECOND, attributes: { 'http.url': 'other' } }),
  ]);
  test.each([
    [{}, 2],
    [{ tags: 'http.url=example/api?' }, 1],
    [{ tags: 'service.name=ENGINE status_code=200' }, 1],
    [{ tags: 'status_code=20' }, 0],
    [{ tags: 'path="a (B)" stream=true' }, 1],
    [{ tags: 'path="a [b]"' }, 0],
    [{ tags: 'error=true' }, 1],
    [{ tags: 'status.code=ok' }, 0],
    [{ tags: 'root.name=span-1 name=span-2' }, 1],
    [{ tags: 'odd name=1' }, undefined],
    [{ tags: 'a=1 a=2' }, undefined],
    [{ tags: 'status.code=fine' }, undefined],
    [{ minDuration: '1s' }, 1],
    [{ minDuration: '100ms', maxDuration: '1s500ms', tags: 'name=span' }, 1],
    [{ maxDuration: '5' }, undefined],
    [{ maxDuration: '5s }' }, undefined],
  ])('%j finds %s', async (over, expected) => {
    if (expected === undefined) expect(() => search(over)).toThrow('invalid TraceQL query');
    else expect((await searchTraceql(search(over), RANGE, reader)).traces).toHaveLength(expected);
  });

  test('any tags make a query that can be run, or an error of ours', async () => {
    const text = fc.stringMatching(/^[ -~é]{0,12}$/);
    await fc.assert(
      fc.asyncProperty(text, text, async (name, value) => {
        try {
          await searchTraceql(search({ tags: `${name}="${value}"` }), RANGE, reader);
        } catch (error) {
          expect((error as { code?: string }).code).toBe('traceql_invalid');
        }
      }),
      { numRuns: 500 },
    );
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
    expect(traces[0]).toMatchObject({ rootServiceName: '<root span not yet received>', rootTraceName: '' });
  });

  test('of several roots the one that started first counts, and a root without a service name is as good as none', async () => {
    const reader = createMemoryTraceReader([
      spanOf(1, 3, 0, { serviceName: 'late' }),
      spanOf(1, 2, 0, { serviceName: '' }),
      spanOf(2, 5, 0, { serviceName: 'second' }),
      spanOf(2, 4, 0, { serviceName: 'first' }),
    ]);
    const { traces } = await searchTraceql('{ }', RANGE, reader);
    expect(traces.map(({ rootServiceName, rootTraceName }) => [rootServiceName, rootTraceName])).toEqual([
      ['first', 'span-4'],
      ['<root span not yet received>', 'span-2'],
    ]);
  });

  test('nested sets hold what is below a span, in every tree and ring', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 9 }), (parentOf) => {
        const spans = parentOf.map((parent, i) => spanOf(1, i + 1, parent));
        const trace = new TraceView(spans);
        const isPlaced = (span: Span): boolean => trace.nestedSet(span).left > 0;
        const placed = spans.filter(isPlaced);
        const numbers = placed.flatMap((span) => [trace.nestedSet(span).left, trace.nestedSet(span).right]);
        expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 2 * placed.length }, (_, i) => i + 1));
        for (const span of placed) {
          const { left, right, parent } = trace.nestedSet(span);
          const inside = placed.filter((other) => {
            const set = trace.nestedSet(other);
            return set.left > left && set.right < right;
          });
          expect(inside).toEqual(trace.related('>>', [span], placed));
          const above = trace.parentOf(span);
          expect(parent).toBe(above === undefined ? -1 : trace.nestedSet(above).left);
        }
      }),
    );
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

  test('look for a trace or for roots where the query says so', () => {
    const id = 'ab'.repeat(16);
    expect(explainTraceql(`{ trace:id = "${id}" } >> { .x > 0 }`)).toContain(`storage looks for trace = ${id}\n`);
    expect(explainTraceql('{ trace:id = "ab" }')).toContain('storage looks for every span');
    expect(explainTraceql('{ nestedSetParent < 0 && true }')).toContain('storage looks for no parent\n');
    expect(explainTraceql('{ nestedSetParent < 1 }')).toContain('a candidate trace has a span of { }\n');
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

describe('metrics', () => {
  // Two spans a second of two services; every fourth gateway span failed.
  const reader = createMemoryTraceReader(
    Array.from({ length: 40 }, (_, i) => [
      spanOf(i + 1, 1, 0, { status: i % 4 === 0 ? 'error' : 'ok', durationNs: BigInt(i + 1) * 10_000_000n }),
      spanOf(i + 1, 2, 1, { serviceName: 'engine', attributes: { tokens: i } }),
    ]).flat(),
  );
  const params = { startNs: 0n, endNs: 40n * SECOND, stepNs: 10n * SECOND };
  const valuesOf = async (query: string) => {
    const { series } = await queryTraceMetrics(query, params, reader);
    return Object.fromEntries(
      series.map(({ labels, values }) => [labels.map(({ name, value }) => `${name}=${value}`).join(), [...values]]),
    );
  };

  // Traces start 1 s, 2 s, … and some nanoseconds, so the 40th lies behind the last sample.
  test.each([
    ['{ name = "span-1" } | count_over_time()', { '__name__=count_over_time': [9, 10, 10, 10] }],
    ['{ name = "span-1" } | rate()', { '__name__=rate': [0.9, 1, 1, 1] }],
    [
      '{ status = error } | count_over_time() by (resource.service.name)',
      { 'resource.service.name=gateway': [3, 2, 3, 2] },
    ],
    ['{ } | max_over_time(.tokens)', { '__name__=max_over_time': [8, 18, 28, 38] }],
    ['{ } | min_over_time(.tokens)', { '__name__=min_over_time': [0, 9, 19, 29] }],
    ['{ } | sum_over_time(.tokens)', { '__name__=sum_over_time': [36, 135, 235, 335] }],
    ['{ name = "span-1" } | avg_over_time(duration)', { '__name__=avg_over_time': [0.05, 0.145, 0.245, 0.345] }],
    [
      '{ name = "span-1" } | quantile_over_time(duration, 0, 1)',
      {
        '__name__=quantile_over_time,p=0': [0.01, 0.1, 0.2, 0.3],
        '__name__=quantile_over_time,p=1': [0.09, 0.19, 0.29, 0.39],
      },
    ],
    [
      '{ } | histogram_over_time(.tokens) | topk(1)',
      {
        '__name__=histogram_over_time,__bucket=8': [4, NaN, NaN, NaN],
        '__name__=histogram_over_time,__bucket=16': [NaN, 8, NaN, NaN],
        '__name__=histogram_over_time,__bucket=32': [NaN, NaN, 10, NaN],
        '__name__=histogram_over_time,__bucket=64': [NaN, NaN, NaN, 6],
      },
    ],
    [
      '({ status = error } | count_over_time()) / ({ name = "span-1" } | count_over_time()) * 100 > 25',
      { '__name__=count_over_time': [100 / 3, NaN, 30, NaN] },
    ],
    ['{ status = error } > { } | count_over_time() by (.service.name)', { '.service.name=engine': [3, 2, 3, 2] }],
    ['{ } | count_over_time() by (name) | bottomk(1) > 9', { 'name=span-1': [NaN, 10, 10, 10] }],
    ['{ false } | rate()', { '__name__=rate': [0, 0, 0, 0] }],
  ])('%s', async (query, expected) => {
    const actual = await valuesOf(query);
    expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
    for (const [name, values] of Object.entries(expected)) {
      values.forEach((value, k) => {
        if (Number.isNaN(value)) expect(actual[name][k]).toBeNaN();
        else expect(actual[name][k]).toBeCloseTo(value, 10);
      });
    }
  });

  test('are encoded as Tempo does it', async () => {
    const range = await queryTraceMetrics('{ status = error } | rate() by (resource.service.name)', params, reader);
    expect(JSON.parse(Buffer.from(encodeTempoMetrics(range)).toString()).series[0]).toEqual({
      labels: [{ key: 'resource.service.name', value: { stringValue: 'gateway' } }],
      samples: [3, 2, 3, 2].map((count, k) => ({ timestampMs: String((k + 1) * 10_000), value: count / 10 })),
      exemplars: [],
    });
    const instant = await queryTraceMetrics(
      '{ status = error } | count_over_time()',
      { ...params, stepNs: 0n },
      reader,
    );
    expect(JSON.parse(Buffer.from(encodeTempoInstant(instant)).toString())).toEqual({
      series: [{ labels: [{ key: '__name__', value: { stringValue: 'count_over_time' } }], value: 10 }],
    });
  });

  test('choose a step as Tempo does where nobody says', async () => {
    for (const [seconds, stepMs] of [
      [60, 1000],
      [600, 2000],
      [3600, 15_000],
      [7 * 3600, 105_000],
    ]) {
      const range = { startNs: 0n, endNs: BigInt(seconds) * SECOND };
      const { timestampsMs } = await queryTraceMetrics('{ } | rate()', range, reader);
      expect(timestampsMs[1] - timestampsMs[0]).toBe(stepMs);
    }
  });

  test('give exemplars that stand on their series', async () => {
    const query = '{ name = "span-1" } | max_over_time(duration)';
    const { series } = await queryTraceMetrics(query, { ...params, exemplars: 8 }, reader);
    expect(series[0].exemplars).toHaveLength(8);
    for (const exemplar of series[0].exemplars!) {
      expect(exemplar.value).toBeLessThanOrEqual(series[0].values[exemplar.sample]);
      expect(exemplar.spanName).toBe('span-1');
    }
    const counted = await queryTraceMetrics('{ } | rate() with (exemplars=true)', params, reader);
    const body = JSON.parse(Buffer.from(encodeTempoMetrics(counted)).toString());
    expect(body.series[0].exemplars[0]).toEqual({
      labels: [
        { key: 'trace:id', value: { stringValue: '27'.padStart(32, '0') } },
        { key: 'span:id', value: { stringValue: '2'.padStart(16, '0') } },
        { key: 'name', value: { stringValue: 'span-2' } },
        { key: 'resource.service.name', value: { stringValue: 'engine' } },
      ],
      value: 2,
      timestampMs: '39000',
    });
    for (const text of ['{ } | rate() with (exemplars=false)', '{ } | rate()']) {
      const none = await queryTraceMetrics(text, params, reader);
      expect(none.series[0].exemplars).toEqual([]);
    }
  });

  test('mark an answer that lacks series, and fail where numbers would be computed from it', async () => {
    const many = createMemoryTraceReader(
      Array.from({ length: 1100 }, (_, i) => spanOf(1, i + 1, 0, { attributes: { id: i } })),
      100,
    );
    const query = '{ } | count_over_time() by (span.id)';
    const result = await queryTraceMetrics(query, params, many);
    expect(result.series).toHaveLength(1000);
    const body = JSON.parse(Buffer.from(encodeTempoMetrics(result)).toString());
    expect(body.status).toBe('PARTIAL');
    expect(body.message).toContain('more than 1000 series');
    for (const [text, stepNs] of [
      [`${query} | topk(3)`, 10n * SECOND],
      [query, 0n],
    ] as const) {
      await expect(queryTraceMetrics(text, { ...params, stepNs }, many)).rejects.toMatchObject({ code: 'query_limit' });
    }
  });

  test('compare() shows no values of an identifier, and stays small', async () => {
    const spans = Array.from({ length: 10_050 }, (_, i) =>
      spanOf(1, i + 1, 0, { attributes: { id: `request-${i}`, model: i % 2 === 0 ? 'a' : 'b' } }),
    );
    const { series } = await queryTraceMetrics(
      '{ } | compare({ status = error })',
      { ...params, stepNs: 0n },
      createMemoryTraceReader(spans, 2000),
    );
    const of = (name: string) => series.filter(({ labels }) => labels.some((label) => label.name === name));
    expect(of('span.id').map(({ labels, values }) => [labels[0].value, values[0]])).toEqual([
      ['baseline_total', 10_050],
      ['__too_many_values__', Number.NaN],
    ]);
    expect(of('span.model').map(({ labels, values }) => [labels[1].value, values[0]])).toEqual([
      ['a', 5025],
      ['b', 5025],
      [undefined, 10_050],
    ]);
  });

  test('say what is not there', async () => {
    await expect(queryTraceMetrics('{ instrumentation.x = 1 } | rate()', params, reader)).rejects.toMatchObject({
      code: 'traceql_unsupported',
    });
    await expect(queryTraceMetrics('{ }', params, reader)).rejects.toMatchObject({ code: 'traceql_invalid' });
    await expect(queryTraceMetrics('{ } | rate()', { ...params, stepNs: 1000n }, reader)).rejects.toMatchObject({
      code: 'query_limit',
    });
  });
});
