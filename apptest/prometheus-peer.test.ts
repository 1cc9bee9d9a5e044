import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPrometheus, type PeerPrometheus, startPrometheus } from './peer-prometheus.ts';
import { type Program, startProgram, temporaryDirectory } from './program.ts';
import { type TestSeries, writeSeries } from './prometheus-samples.ts';

/*
 * The same requests, good and bad, to the program and to a real Prometheus that hold the same samples: status, type and
 * body are the same. Where they may differ, the request says in what.
 */

const STEP_MS = 15_000;
const STEPS = 41;
const END = Math.floor(Date.now() / STEP_MS) * STEP_MS;
const START = END - (STEPS - 1) * STEP_MS;
const seconds = (ms: number): string => String(ms / 1000);

let directory = '';
let ours: Program | undefined;
let theirs: PeerPrometheus | undefined;

/** Counters, a gauge with a gap, a classic histogram, and a name that needs quotes. */
function series(): TestSeries[] {
  const out: TestSeries[] = [];
  const add = (labels: Record<string, string>, at: TestSeries['at']): void => {
    // Governance names the deployment after the job where nothing else does.
    out.push({ labels: { deployment: 'web', job: 'web', ...labels }, at });
  };
  for (const instance of ['a:1', 'b:1', 'c:2']) {
    for (const code of ['200', '500']) {
      const rate = instance.charCodeAt(0) - 90 + Number(code[0]);
      add({ __name__: 'http_requests_total', instance, code }, (step) => step * rate);
    }
    add({ __name__: 'queue_length', instance }, (step) => (step % 10 < 3 ? undefined : Math.sin(step) * 10));
    for (const le of ['0.1', '1', '+Inf']) {
      const part = le === '+Inf' ? 10 : Number(le) * 8;
      add({ __name__: 'latency_seconds_bucket', instance, le }, (step) => step * part);
    }
  }
  add({ __name__: 'dotted.name', instance: 'a:1' }, (step) => step);
  return out;
}

beforeAll(async () => {
  const folder = await findPrometheus();
  if (folder === undefined) return;
  theirs = await startPrometheus(folder, () => 'global: {scrape_interval: 1m}\n', [
    '--web.enable-remote-write-receiver',
    '--enable-feature=exemplar-storage,promql-delayed-name-removal,promql-per-step-stats',
  ]);
  directory = temporaryDirectory();
  ours = await startProgram(directory);
  for (const { url } of [ours, theirs]) {
    const steps = { startMs: START, stepMs: STEP_MS, count: STEPS };
    const exemplars = [1, 2].map((i) => ({
      series: 0,
      exemplar: { labels: ['trace_id', `t${i}`], value: i / 8, timestampMs: END - 5000 + i },
    }));
    expect(await writeSeries(url, series(), steps, { exemplars })).toBe(204);
  }
});

afterAll(async () => {
  theirs?.stop();
  await ours?.stop();
  if (directory !== '') fs.rmSync(directory, { recursive: true, force: true });
});

/** What may differ: `words` where a parser stopped and what it says, `error` the whole text, `items` which of a list. */
type MayDiffer = 'words' | 'error' | 'items';

interface Asked {
  readonly path: string;
  readonly params?: readonly (readonly [string, string])[];
  readonly method?: string;
  /** Where the parameters go; the body for a form. */
  readonly as?: 'query' | 'form';
  readonly differs?: MayDiffer;
}

interface Answered {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: unknown;
}

async function send(url: string, { path, params = [], method = 'GET', as = 'query' }: Asked): Promise<Answered> {
  const text = new URLSearchParams(params as [string, string][]).toString();
  const isForm = as === 'form';
  const response = await fetch(`${url}${path}${isForm || text === '' ? '' : `?${text}`}`, {
    method,
    headers: isForm ? { 'content-type': 'application/x-www-form-urlencoded' } : {},
    body: isForm ? text : undefined,
  });
  const answer = await response.text();
  const type = response.headers.get('content-type') ?? undefined;
  return { status: response.status, type, body: type === 'application/json' ? JSON.parse(answer) : answer };
}

interface Data {
  resultType?: string;
  result?: unknown[];
  stats?: { timings: object; samples: { peakSamples?: number } };
}

/** Answers without what may differ, and lists without their order where Prometheus gives none. */
function comparable(answer: Answered, differs: MayDiffer | undefined): unknown {
  const { status, type } = answer;
  const parsed = answer.body as {
    error?: string;
    data?: Data | unknown[];
  };
  // Expositions have their families in order, and the series of a family in none.
  if (typeof parsed !== 'object') return { status, type, body: String(parsed).split('\n').sort() };
  let { error } = parsed;
  if (error !== undefined && differs === 'error') error = '';
  if (error !== undefined && differs === 'words')
    error = error.replace(/\d+:\d+: parse error: [\s\S]*$/, 'parse error');
  const { data } = parsed;
  // Prometheus gives series in no order, and where it cuts a list it keeps any of them.
  if (Array.isArray(data)) {
    const items = data.map((one) => JSON.stringify(one)).sort();
    return { status, type, body: { ...parsed, data: differs === 'items' ? items.length : items } };
  }
  if (data?.resultType === 'vector' && data.result) {
    data.result = data.result.map((one) => JSON.stringify(one)).sort();
  }
  if (data?.stats) {
    data.stats = { timings: Object.keys(data.stats.timings), samples: { ...data.stats.samples, peakSamples: 0 } };
  }
  return { status, type, body: error === undefined ? parsed : { ...parsed, error } };
}

async function compare(asked: Asked): Promise<void> {
  const [our, their] = await Promise.all([send(ours?.url ?? '', asked), send(theirs?.url ?? '', asked)]);
  expect(comparable(our, asked.differs)).toEqual(comparable(their, asked.differs));
}

type Params = readonly (readonly [string, string])[];
const at = ['time', seconds(END)] as const;
const range = [
  ['start', seconds(START)],
  ['end', seconds(END)],
  ['step', '30'],
] as const;
const query = (text: string): readonly [string, string] => ['query', text];

const INSTANT: readonly (readonly [Params, MayDiffer?])[] = [
  [[]],
  [[query('')]],
  [[query('up('), at], 'words'],
  [[query('1+1'), ['time', '4']]],
  [[query('1'), ['time', '4'], ['stats', 'all']]],
  [[query('http_requests_total'), at]],
  [[query('http_requests_total'), ['time', new Date(END).toISOString()]]],
  [[query('http_requests_total'), ['time', `${new Date(END + 7_200_000).toISOString().slice(0, -1)}+02:00`]]],
  [[query('http_requests_total'), ['time', 'foo']]],
  [[query('http_requests_total'), ['time', '2015-07-01T20:10:51']]],
  [[query('sum by (code) (rate(http_requests_total[5m]))'), at, ['stats', 'all']]],
  [[query('sum(queue_length)'), at, ['stats', 'all']]],
  [[query('sum(queue_length)'), at, ['stats', 'some']]],
  [[query('max_over_time(rate(http_requests_total[2m])[3m:20s])'), at, ['stats', 'all']]],
  [[query('queue_length[3m:20s]'), at, ['stats', 'all']]],
  [[query('absent(nothing) or vector(time())'), at, ['stats', 'all']]],
  [[query('http_requests_total[1m]'), at]],
  [[query('http_requests_total[1m]'), at, ['limit', '2']]],
  [[query('sort(http_requests_total)'), at, ['limit', '2']]],
  [[query('"text"'), at]],
  [[query('"\\xff"'), at]],
  [[query('label_replace(queue_length, "a", "$1", "job", "(")'), at]],
  [[query('rate(queue_length[5m])'), at]],
  [[query('{"dotted.name"}'), at]],
  [[query('queue_length'), at, ['lookback_delta', '1s']]],
  [[query('queue_length'), ['time', seconds(END - 5000)], ['lookback_delta', '2']]],
  [[query('queue_length'), at, ['lookback_delta', '0']]],
  [[query('queue_length'), at, ['lookback_delta', 'x']]],
  [[query('1'), at, ['timeout', 'x']]],
  [[query('1'), at, ['timeout', '1d']]],
  [[query('1'), at, ['timeout', '99999999999999999']]],
  [[query('queue_length'), at, ['limit', 'x']]],
  [[query('queue_length'), at, ['limit', '-1']]],
  [[query('queue_length'), at, ['limit', '0']]],
  [[query('http_requests_total + on(job) http_requests_total'), at], 'error'],
  [[query('nothing'), at]],
];

const RANGE: readonly (readonly [Params, MayDiffer?])[] = [
  [[query('up')]],
  [[query('up'), ['start', '1']]],
  [[query('up'), ['start', '1'], ['end', '0']]],
  [[query('up'), ['start', '1'], ['end', '2']]],
  [[query('up'), ['start', '1'], ['end', '2'], ['step', '0']]],
  [[query('up'), ['start', '1'], ['end', '2'], ['step', '-1']]],
  [[query('up'), ['start', '1'], ['end', '2'], ['step', 'foo']]],
  [[query('up'), ['start', '1'], ['end', '20000'], ['step', '1']]],
  [[query('up'), ['start', '0'], ['end', '11000'], ['step', '1']]],
  [[query('up'), ['start', '0'], ['end', '11001'], ['step', '1']]],
  [
    [
      ['start', '1'],
      ['end', '20000'],
      ['step', '2'],
    ],
  ],
  [[query('http_requests_total'), ...range]],
  [[query('sum(rate(http_requests_total[1m]))'), ['start', seconds(START)], ['end', seconds(END)], ['step', '1m']]],
  [[query('http_requests_total'), ...range, ['limit', '2']]],
  [[query('http_requests_total'), ...range, ['limit', 'x']]],
  [[query('sum(http_requests_total)'), ...range, ['stats', 'all']]],
  [[query('max_over_time(queue_length[2m])'), ...range, ['stats', 'all']]],
  [[query('sum(http_requests_total @ end())'), ...range, ['stats', 'all']]],
  [[query('max_over_time(rate(http_requests_total[2m])[3m:20s]) > 0 or queue_length'), ...range, ['stats', 'all']]],
  [[query('avg_over_time(max_over_time(queue_length[1m:10s])[2m:30s] @ end())'), ...range, ['stats', 'all']]],
  [[query('sum(queue_length) + time()'), ...range, ['stats', 'all']]],
  [[query('histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[2m])))'), ...range]],
  [[query('up[5m]'), ...range], 'error'],
];

const LABELS: readonly Asked[] = [
  { path: '/api/v1/series' },
  ...(['up[', 'up[5m]', '1', 'sum(up)', 'up offset 5m', ''] as const).map(
    (match): Asked => ({ path: '/api/v1/series', params: [['match[]', match]], differs: 'error' }),
  ),
  ...(['{}', '{job=~".*"}', 'http_requests_total', '{job="web"}', 'nothing'] as const).map(
    (match): Asked => ({ path: '/api/v1/series', params: [['match[]', match]] }),
  ),
  { path: '/api/v1/series', params: [['match[]', 'up{a=~"("}']], differs: 'error' },
  {
    path: '/api/v1/series',
    params: [
      ['match[]', '{__name__="queue_length"}'],
      ['match[]', '{instance="a:1"}'],
    ],
  },
  {
    path: '/api/v1/series',
    params: [
      ['match[]', '{job="web"}'],
      ['limit', '2'],
    ],
    differs: 'items',
  },
  {
    path: '/api/v1/series',
    params: [
      ['match[]', '{job="web"}'],
      ['limit', 'x'],
    ],
  },
  {
    path: '/api/v1/series',
    params: [
      ['match[]', '{job="web"}'],
      ['start', 'x'],
    ],
  },
  {
    path: '/api/v1/series',
    params: [
      ['match[]', '{job="web"}'],
      ['start', '10'],
      ['end', '5'],
    ],
  },
  { path: '/api/v1/series', params: [['match[]', '{job="web"}']], method: 'POST', as: 'form' },
  { path: '/api/v1/labels' },
  { path: '/api/v1/labels', params: [['limit', '2']] },
  { path: '/api/v1/labels', params: [['limit', '-2']] },
  { path: '/api/v1/labels', params: [['match[]', 'queue_length']] },
  { path: '/api/v1/labels', params: [['match[]', 'nothing']] },
  { path: '/api/v1/labels', params: [['match[]', '{}']] },
  { path: '/api/v1/labels', params: [['match[]', 'up(']], differs: 'error' },
  {
    path: '/api/v1/labels',
    params: [
      ['start', '10'],
      ['end', '5'],
    ],
  },
  { path: '/api/v1/labels', params: [['match[]', 'queue_length']], method: 'POST', as: 'form' },
  { path: '/api/v1/label/job/values' },
  { path: '/api/v1/label/__name__/values' },
  { path: '/api/v1/label/__name__/values', params: [['limit', '2']], differs: 'items' },
  {
    path: '/api/v1/label/instance/values',
    params: [
      ['match[]', 'queue_length'],
      ['match[]', '{code="500"}'],
    ],
  },
  { path: '/api/v1/label/nope/values' },
  { path: '/api/v1/label/foo.bar/values' },
  { path: '/api/v1/label/U__job/values' },
  { path: '/api/v1/label/U__foo_2e_bar/values' },
  { path: '/api/v1/label/%FF/values', differs: 'error' },
  { path: '/api/v1/label/job/values', params: [['start', 'x']] },
  { path: '/api/v1/label/job/values', params: [['limit', 'x']] },
  { path: '/api/v1/label/job/values', params: [['match[]', '{}']] },
];

const OTHERS: readonly Asked[] = [
  { path: '/api/v1/query', params: [query('1+1'), ['time', '4']], method: 'POST', as: 'form' },
  { path: '/api/v1/query?query=2&time=9', params: [query('1+1'), ['time', '4']], method: 'POST', as: 'form' },
  { path: '/api/v1/query', method: 'PUT' },
  { path: '/api/v1/query', method: 'OPTIONS' },
  { path: '/api/v1/metadata', method: 'POST' },
  { path: '/api/v1/read', method: 'GET' },
  { path: '/api/v1/write' },
  { path: '/api/v1/admin/tsdb/delete_series' },
  { path: '/api/v1/notifications' },
  { path: '/-/reload', method: 'POST' },
  { path: '/-/quit', method: 'PUT' },
  { path: '/federate', method: 'POST' },
  { path: '/api/v1/metadata' },
  { path: '/api/v1/metadata', params: [['limit', 'x']] },
  { path: '/api/v1/metadata', params: [['limit', '0']] },
  { path: '/api/v1/metadata', params: [['limit_per_metric', 'x']] },
  { path: '/api/v1/query_exemplars', params: [query('test'), ['start', '1700000000000'], ['end', '1700000001000']] },
  { path: '/api/v1/query_exemplars', params: [query('http_requests_total')] },
  { path: '/api/v1/query_exemplars', params: [query('sum(rate(http_requests_total{code="200"}[5m]))'), ['end', '1']] },
  { path: '/api/v1/query_exemplars', params: [query('test'), ['start', '10'], ['end', '5']] },
  { path: '/api/v1/query_exemplars', params: [query('test'), ['start', 'x']] },
  { path: '/api/v1/query_exemplars', params: [query('up(')], differs: 'words' },
  { path: '/api/v1/query_exemplars' },
  { path: '/api/v1/rules' },
  { path: '/api/v1/rules', params: [['type', 'alert']] },
  { path: '/api/v1/rules', params: [['type', 'x']] },
  { path: '/api/v1/rules', params: [['exclude_alerts', 'x']] },
  { path: '/api/v1/rules', params: [['group_limit', 'x']] },
  { path: '/api/v1/rules', params: [['group_limit', '0']] },
  { path: '/api/v1/rules', params: [['group_next_token', 'abc']] },
  {
    path: '/api/v1/rules',
    params: [
      ['group_limit', '1'],
      ['group_next_token', 'abc'],
    ],
  },
  { path: '/api/v1/rules', params: [['match[]', 'up(']], differs: 'words' },
  { path: '/api/v1/rules', params: [['match[]', '{severity="page"}']] },
  { path: '/api/v1/alerts' },
  { path: '/api/v1/targets' },
  { path: '/api/v1/targets', params: [['state', 'dropped']] },
  { path: '/api/v1/targets/metadata' },
  { path: '/api/v1/targets/metadata', params: [['limit', 'x']] },
  { path: '/api/v1/targets/metadata', params: [['match_target', 'up(']], differs: 'error' },
  { path: '/api/v1/scrape_pools' },
  { path: '/api/v1/alertmanagers' },
  { path: '/api/v1/status/walreplay' },
  { path: '/api/v1/status/tsdb', params: [['limit', '0']] },
  { path: '/api/v1/status/tsdb', params: [['limit', 'x']] },
  { path: '/federate' },
  { path: '/federate', params: [['match[]', '{__name__=~"http_.+|queue.+|dotted.+"}']] },
  {
    path: '/federate',
    params: [
      ['match[]', 'http_requests_total'],
      ['match[]', '{instance="a:1"}'],
    ],
  },
];

const FORMATTED = [
  'sum(up)by(job)',
  'sum(up # with a comment\n)',
  'foo @ 1.5 offset 1h',
  'foo{b="1",a=~"2|3"}',
  'sum by (job,le) (rate(http_requests_total_with_a_long_name_bucket{job="web",handler=~"a|b"}[5m])) / on(job) group_left() sum without(instance)(rate(http_requests_total_with_a_long_name_bucket{job="web"}[5m]))',
  'topk(10,sum(rate(http_requests_total_with_a_long_name_bucket{job="web",handler=~"a|b"}[5m]))by(job)) and histogram_quantile(0.95,sum(rate(http_requests_total_with_a_long_name_bucket{job="web",handler=~"a|b"}[5m]))by(le))',
  `-((${'a'.repeat(60)}+${'b'.repeat(60)}))`,
  `max_over_time(sum(rate(${'a'.repeat(60)}[5m]) + ${'b'.repeat(40)})[1h:5m] offset 1d)`,
  'sum(',
  '',
];

const PARSED = [
  'sum(up)by(job)',
  'rate(foo{a!~"b"}[5m] offset 1m)',
  'a + on(x) group_left(y) b @ start()',
  'a and b',
  '1 + a',
  '-(a == bool Inf)',
  'topk(5, a @ 1.5)',
  'max_over_time(a[1h:] @ end() offset -1m)',
  'topk without(x)(5,{__name__="foo.bar"})',
  'label_replace(a,"b",\'c\',`d`,"e")',
  '1e100',
  'time()',
  'round(a)',
  '{a="b",__name__="x"}',
  'x{a="b"}',
  '{"x.y",a="b"}',
  'histogram_quantile(0.9, a)',
  'label_join(a, "x", "y", "z")',
];

/** Without what newer versions than that Prometheus say: extended ranges and values that fill gaps. */
function asOlder(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(asOlder);
  if (typeof tree !== 'object' || tree === null) return tree;
  const kept = Object.entries(tree).filter(([key]) => !['anchored', 'smoothed', 'fillValues'].includes(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, asOlder(value)]));
}

describe('beside a real Prometheus', () => {
  const name = ({ path, params = [], method = 'GET' }: Asked): string =>
    `${method} ${path} ${params.map(([key, value]) => `${key}=${value}`).join('&')}`;
  const cases = (list: readonly Asked[]) => list.map((asked) => [name(asked), asked] as const);
  const asked = (path: string, list: readonly (readonly [Params, MayDiffer?])[]): Asked[] =>
    list.map(([params, differs]) => ({ path, params, differs }));

  it.for([
    ...cases(asked('/api/v1/query', INSTANT)),
    ...cases(asked('/api/v1/query_range', RANGE)),
    ...cases(LABELS),
    ...cases(OTHERS),
    ...cases(FORMATTED.map((text) => ({ path: '/api/v1/format_query', params: [query(text)], differs: 'words' }))),
  ])('%s', async ([, one], context) => {
    if (!theirs) return context.skip('no Prometheus here, and nothing to unpack one with');
    await compare(one);
  });

  it.for(PARSED)('parse_query %s', async (text, context) => {
    if (!theirs) return context.skip('no Prometheus here, and nothing to unpack one with');
    const one: Asked = { path: '/api/v1/parse_query', params: [query(text)] };
    const [our, their] = await Promise.all([send(ours?.url ?? '', one), send(theirs.url, one)]);
    expect(asOlder(our)).toEqual(their);
  });
});
