import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Program, startProgram, temporaryDirectory } from './program.ts';

let directory = '';
let program: Program;

/** A whole second some minutes ago, so that every span lies in the last hour, which is where routes look by default. */
const BASE_S = Math.floor(Date.now() / 1000) - 600;
const [CHAT, FAILED, ORPHANS] = ['11', '22', '33'].map((pair) => pair.repeat(16));

interface SentSpan {
  readonly trace: string;
  readonly id: number;
  readonly parent?: number;
  readonly name: string;
  readonly service: string;
  readonly startMs: number;
  readonly durationMs: number;
  readonly isError?: boolean;
  readonly attributes?: Record<string, string | number | boolean>;
}

const SPANS: readonly SentSpan[] = [
  {
    trace: CHAT,
    id: 1,
    name: 'chat',
    service: 'gateway',
    startMs: 0,
    durationMs: 900,
    attributes: { 'http.route': '/v1/chat', stream: true },
  },
  {
    trace: CHAT,
    id: 2,
    parent: 1,
    name: 'decode',
    service: 'engine',
    startMs: 100,
    durationMs: 700,
    attributes: { tokens: 512 },
  },
  {
    trace: FAILED,
    id: 3,
    name: 'chat',
    service: 'gateway',
    startMs: 60_000,
    durationMs: 2500,
    isError: true,
    attributes: { 'http.route': '/v1/chat' },
  },
  {
    trace: FAILED,
    id: 4,
    parent: 3,
    name: 'decode',
    service: 'engine',
    startMs: 60_100,
    durationMs: 30,
    isError: true,
    attributes: { tokens: 4 },
  },
  { trace: ORPHANS, id: 6, parent: 5, name: 'prefill', service: 'engine', startMs: 120_000, durationMs: 40 },
  {
    trace: ORPHANS,
    id: 7,
    parent: 5,
    name: 'decode',
    service: 'engine',
    startMs: 120_050,
    durationMs: 40,
    attributes: { tokens: 16 },
  },
];

function hex(id: number): string {
  return id.toString(16).padStart(16, '0');
}

function keyValues(attributes: Record<string, string | number | boolean>): object[] {
  return Object.entries(attributes).map(([key, value]) => {
    switch (typeof value) {
      case 'string':
        return { key, value: { stringValue: value } };
      case 'boolean':
        return { key, value: { boolValue: value } };
      default:
        return { key, value: { intValue: String(value) } };
    }
  });
}

async function send(span: SentSpan): Promise<void> {
  const startNs = BigInt(BASE_S) * 1_000_000_000n + BigInt(span.startMs) * 1_000_000n;
  const body = {
    resourceSpans: [
      {
        resource: { attributes: keyValues({ 'service.name': span.service }) },
        scopeSpans: [
          {
            scope: { name: 'test' },
            spans: [
              {
                traceId: span.trace,
                spanId: hex(span.id),
                ...(span.parent === undefined ? {} : { parentSpanId: hex(span.parent) }),
                name: span.name,
                kind: span.parent === undefined ? 2 : 1,
                startTimeUnixNano: String(startNs),
                endTimeUnixNano: String(startNs + BigInt(span.durationMs) * 1_000_000n),
                attributes: keyValues(span.attributes ?? {}),
                ...(span.isError ? { status: { code: 2 } } : {}),
              },
            ],
          },
        ],
      },
    ],
  };
  const response = await fetch(`${program.otlpHttpUrl}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(response.status, await response.text()).toBe(200);
}

beforeAll(async () => {
  directory = temporaryDirectory();
  program = await startProgram(directory);
  for (const span of SPANS) await send(span);
});

afterAll(async () => {
  await program?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

type Query = Record<string, string>;

// biome-ignore lint/suspicious/noExplicitAny: the shape differs by route, and each test looks at what it knows.
async function get(route: string, params: Query = {}): Promise<any> {
  const response = await fetch(`${program.url}${route}?${new URLSearchParams(params)}`);
  const text = await response.text();
  expect(response.status, text).toBe(200);
  expect(response.headers.get('content-type')).toContain('application/json');
  return JSON.parse(text);
}

const RANGE = { start: String(BASE_S), end: String(BASE_S + 240) };

describe('a search', () => {
  it('finds whole traces by what their spans have, and how these are related', async () => {
    const ids = async (q: string) =>
      (await get('/api/search', { q })).traces.map((t: { traceID: string }) => t.traceID);
    expect(await ids('{ resource.service.name = "engine" && span.tokens > 100 }')).toEqual([CHAT]);
    expect(await ids('{ nestedSetParent < 0 } > { name = "decode" }')).toEqual([FAILED, CHAT]);
    expect(await ids('{ status = error } | count() > 1')).toEqual([FAILED]);
    expect(await ids('{ name = "prefill" } ~ { name = "decode" }')).toEqual([ORPHANS]);
  });

  it('of the older kind takes tags and durations', async () => {
    const ids = async (params: Query) =>
      (await get('/api/search', params)).traces.map((t: { traceID: string }) => t.traceID);
    expect(await ids({ tags: 'service.name=gate http.route="/v1/chat"' })).toEqual([FAILED, CHAT]);
    expect(await ids({ tags: 'tokens=512', maxDuration: '1s' })).toEqual([CHAT]);
    expect(await ids({ minDuration: '1s' })).toEqual([FAILED]);
  });

  it("says where a trace's root is missing, as Tempo does", async () => {
    const { traces, metrics } = await get('/api/search', { q: '{ name = "decode" }', ...RANGE, spss: '1' });
    expect(traces.map((t: Query) => [t.rootServiceName, t.rootTraceName])).toEqual([
      ['<root span not yet received>', ''],
      ['gateway', 'chat'],
      ['gateway', 'chat'],
    ]);
    expect(traces[1]).toMatchObject({
      traceID: FAILED,
      startTimeUnixNano: `${BASE_S + 60}000000000`,
      durationMs: 2500,
      spanSets: [{ matched: 1, spans: [{ spanID: hex(4), durationNanos: '30000000' }] }],
      serviceStats: { gateway: { spanCount: 1, errorCount: 1 }, engine: { spanCount: 1, errorCount: 1 } },
    });
    expect(metrics.inspectedBytes).toBe('0');
    expect((await get('/api/search', { q: '{ rootName = "prefill" }' })).traces).toEqual([]);
  });
});

describe('a trace by its ID', () => {
  const names = async (params: Query) => {
    const { trace, status } = await get(`/api/v2/traces/${FAILED}`, params);
    expect(status).toBe('COMPLETE');
    return trace.resourceSpans
      .flatMap((r: { scopeSpans: { spans: Query[] }[] }) => r.scopeSpans.flatMap(({ spans }) => spans))
      .map(({ name }: Query) => name)
      .sort();
  };

  it('comes whole, or narrowed down to what passes a filter and the way there', async () => {
    expect(await names({})).toEqual(['chat', 'decode']);
    expect(await names({ q: '{ name = "decode" }' })).toEqual(['chat', 'decode']);
    expect(await names({ q: '{ name = "decode" }', keep_hierarchy: 'false' })).toEqual(['decode']);
    expect(await names({ q: '{ nestedSetParent < 0 }' })).toEqual(['chat']);
    expect((await get(`/api/traces/${FAILED}`)).batches).toHaveLength(2);
  });

  it.each([
    [{ q: '{ name = "other" }' }, 404, 'no span of'],
    [{ q: '{ } | count() > 1' }, 400, 'one filter such as'],
    [{ q: '{ name = }' }, 400, 'parse error'],
    [{ keep_hierarchy: 'maybe' }, 400, 'parameter keep_hierarchy'],
  ])('with %j is an error', async (params, status, message) => {
    const response = await fetch(`${program.url}/api/v2/traces/${FAILED}?${new URLSearchParams(params as Query)}`);
    expect(await response.text()).toContain(message);
    expect(response.status).toBe(status);
  });
});

describe('many searches at once', () => {
  it('all end, though each of them reads candidates and whole traces', async () => {
    const q = '{ name = "decode" } | count() > 1';
    const answers = await Promise.all(Array.from({ length: 64 }, () => get('/api/search', { q })));
    for (const { traces } of answers) expect(traces).toEqual([]);
  });
});

describe('metrics', () => {
  it('over a range come by series, with exemplars', async () => {
    const q = '{ name = "decode" } | count_over_time() by (resource.service.name)';
    const { series } = await get('/api/metrics/query_range', { q, ...RANGE, step: '60s', exemplars: '10' });
    expect(series).toHaveLength(1);
    expect(series[0].labels).toEqual([{ key: 'resource.service.name', value: { stringValue: 'engine' } }]);
    // Samples lie at whole minutes, so where the spans fall depends on when the test runs; their sum doesn't.
    const samples = series[0].samples as { timestampMs: string; value: number }[];
    expect(samples.reduce((sum, { value }) => sum + value, 0)).toBe(3);
    for (const { timestampMs } of samples) expect(Number(timestampMs) % 60_000).toBe(0);
    const traceIds = series[0].exemplars.map(
      (e: { labels: { key: string; value: Query }[] }) =>
        e.labels.find(({ key }) => key === 'trace:id')?.value.stringValue,
    );
    expect(traceIds.sort()).toEqual([CHAT, FAILED, ORPHANS]);
  });

  it('over a range without a step or exemplars have about 240 samples, under either name of the query', async () => {
    for (const name of ['q', 'query']) {
      // A sample doesn't count what starts at the moment of the one before, so the range begins before the first span.
      const params = { [name]: '{ } | rate()', ...RANGE, start: String(BASE_S - 1), exemplars: '0' };
      const { series } = await get('/api/metrics/query_range', params);
      expect(series[0].samples).toHaveLength(241);
      expect(series[0].exemplars).toEqual([]);
      expect(series[0].samples.reduce((sum: number, { value }: { value: number }) => sum + value, 0)).toBe(6);
    }
  });

  it('of a moment are one number, in an answer without other fields', async () => {
    const { start } = RANGE;
    const q = '{ nestedSetParent < 0 } | max_over_time(duration) by (span.http.route)';
    const early = await get('/api/metrics/query', {
      q,
      start: String(Number(start) - 1),
      end: String(Number(start) + 30),
    });
    expect(early).toEqual({
      series: [{ labels: [{ key: 'span.http.route', value: { stringValue: '/v1/chat' } }], value: 0.9 }],
    });
    const hour = await get('/api/metrics/query', { q, since: '1h' });
    expect(hour.series[0].value).toBe(2.5);
    const quantiles = await get('/api/metrics/query', { q: '{ } | quantile_over_time(span.tokens, 1)' });
    expect(quantiles.series).toEqual([
      {
        labels: [
          { key: '__name__', value: { stringValue: 'quantile_over_time' } },
          { key: 'p', value: { doubleValue: 1 } },
        ],
        value: 512,
      },
    ]);
  });

  it('compare what a selection has with what all others have', async () => {
    const q = '{ name = "decode" } | compare({ status = error })';
    const { series } = await get('/api/metrics/query_range', { q, ...RANGE, step: '1h' });
    const ofStatus = series
      .filter(({ labels }: { labels: { key: string }[] }) => labels[1].key === 'status')
      .map(({ labels, samples }: { labels: { value: Query }[]; samples: { value: number }[] }) => [
        ...labels.map(({ value }) => value.stringValue),
        samples.reduce((sum, { value }) => sum + value, 0),
      ]);
    expect(ofStatus).toEqual([
      ['baseline', 'unset', 2],
      ['selection', 'error', 1],
      ['baseline_total', 'nil', 2],
      ['selection_total', 'nil', 1],
    ]);
  });
});

describe('tags', () => {
  it('come by scope, or in one list of the older form', async () => {
    const { scopes } = await get('/api/v2/search/tags', RANGE);
    expect(scopes.map(({ name }: { name: string }) => name)).toEqual(['resource', 'span', 'intrinsic']);
    expect(scopes[0].tags).toContain('service.name');
    expect(scopes[1].tags).toEqual(['http.route', 'stream', 'tokens']);
    expect(scopes[2].tags).toContain('rootServiceName');
    const span = await get('/api/v2/search/tags', { scope: 'span', q: '{ name = "decode" }', limit: '5' });
    expect(span.scopes).toEqual([{ name: 'span', tags: ['tokens'] }]);
    const flat = await get('/api/search/tags', { scope: 'span' });
    expect(flat).toEqual({ tagNames: ['http.route', 'stream', 'tokens'], metrics: {} });
    expect((await get('/api/search/tags')).tagNames).not.toContain('duration');
    expect((await get('/api/search/tags', { scope: 'intrinsic' })).tagNames).toContain('duration');
  });

  it.each([
    [
      'span.tokens',
      {},
      [
        ['int', '16'],
        ['int', '4'],
        ['int', '512'],
      ],
    ],
    ['span.tokens', { limit: '1' }, undefined],
    ['span.stream', {}, [['bool', 'true']]],
    ['resource.service.name', { q: '{ span.http.route = "/v1/chat" }' }, [['string', 'gateway']]],
    ['.http.route', {}, [['string', '/v1/chat']]],
    [
      'name',
      RANGE,
      [
        ['string', 'chat'],
        ['string', 'decode'],
        ['string', 'prefill'],
      ],
    ],
    [
      'status',
      {},
      [
        ['keyword', 'error'],
        ['keyword', 'ok'],
        ['keyword', 'unset'],
      ],
    ],
    ['rootServiceName', {}, [['string', 'gateway']]],
    ['span.nothing', {}, []],
  ] as const)('values of %s with %j', async (tag, params, expected) => {
    const { tagValues } = await get(`/api/v2/search/tag/${encodeURIComponent(tag)}/values`, params as Query);
    if (expected === undefined) expect(tagValues).toHaveLength(1);
    else expect(tagValues.map(({ type, value }: Query) => [type, value])).toEqual(expected);
  });

  it('values of the older form are texts alone', async () => {
    expect(await get('/api/search/tag/service.name/values')).toEqual({ tagValues: ['engine', 'gateway'], metrics: {} });
  });
});

describe('what a route cannot do', () => {
  it.each([
    ['/api/metrics/query_range', {}, 400, 'parameter query: got nothing, accepted is a value'],
    ['/api/metrics/query_range', { q: '{ } | rate()', step: 'x' }, 400, 'parameter step: got "x"'],
    ['/api/metrics/query_range', { q: '{ } | rate()', step: '0' }, 400, 'parameter step: got "0"'],
    ['/api/metrics/query_range', { q: '{ } | rate()', start: '20', end: '10' }, 400, 'parameter end'],
    ['/api/metrics/query_range', { q: '{ } | rate(' }, 400, 'parse error: syntax error'],
    ['/api/metrics/query_range', { q: '{ }', ...RANGE }, 400, 'end it with a metrics function'],
    ['/api/metrics/query_range', { q: '{ } | rate()', ...RANGE, step: '1ms' }, 422, 'at most 11000 (samples)'],
    ['/api/metrics/query', { q: '{ } | rate()', exemplars: '-1', end: 'never' }, 400, 'parameter end'],
    ['/api/search', { q: '{ name = "unclosed }' }, 400, 'parse error'],
    ['/api/search', { q: '{ } | rate()' }, 400, 'ask /api/metrics/query_range for numbers'],
    ['/api/search', { tags: 'a b' }, 400, 'parameter tags: invalid TraceQL query: no key=value at character 1'],
    ['/api/search', { limit: '100000' }, 422, 'at most 1000'],
    ['/api/search', { q: '{ parent = nil }' }, 400, 'not supported yet'],
    ['/api/v2/search/tags', { scope: 'everything' }, 400, 'parameter scope'],
    ['/api/v2/search/tags', { limit: 'many' }, 400, 'parameter limit'],
    ['/api/v2/search/tag/span.a%20b/values', {}, 400, 'tag'],
    ['/api/v2/search/tag/instrumentation.x/values', {}, 400, 'not supported yet'],
  ])('%s with %j is an error in plain text', async (route, params, status, message) => {
    const response = await fetch(`${program.url}${route}?${new URLSearchParams(params as Query)}`);
    const text = await response.text();
    expect(text).toContain(message);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toContain('text/plain');
  });
});
