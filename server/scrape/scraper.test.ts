import http from 'node:http';
import type { AddressInfo } from 'node:net';
import zlib from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NativeHistogram } from '../model/index.ts';
import { createLogger } from '../telemetry/index.ts';
import { type ExposedFamily, encodeExposition, negotiateExposition, scrapeAcceptHeader } from '../wire/index.ts';
import { scrapeSchema } from './config.ts';
import { Recorder } from './recorder.ts';
import { Scraper, type ScraperLimits } from './scraper.ts';

type Handler = (request: http.IncomingMessage, response: http.ServerResponse) => void;

const TEXT = { 'content-type': 'text/plain; version=0.0.4' };
const LONG_MS = 8000;

let handler: Handler;
let server: http.Server;
let address = '';
let recorder: Recorder;
let scraper: Scraper | undefined;
let requests: http.IncomingMessage[] = [];

beforeEach(async () => {
  requests = [];
  recorder = new Recorder();
  handler = (_request, response) => response.writeHead(200, TEXT).end('a 1\n');
  server = http.createServer((request, response) => {
    requests.push(request);
    handler(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  await scraper?.close();
  scraper = undefined;
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

function start(job: object = {}, limits: Partial<ScraperLimits> = {}): Scraper {
  const config = scrapeSchema.parse({
    scrape_configs: [
      {
        job_name: 'j',
        scrape_interval: '100ms',
        static_configs: [{ targets: [address], labels: { instance: 'i' } }],
        ...job,
      },
    ],
  });
  scraper = new Scraper({ config, ingest: recorder.ingest, log: createLogger('silent'), version: '1', limits });
  scraper.start();
  return scraper;
}

async function until(what: () => boolean): Promise<void> {
  const endMs = performance.now() + LONG_MS;
  while (!what()) {
    if (performance.now() > endMs)
      throw new Error(`waited in vain; ${JSON.stringify(scraper?.targets().activeTargets)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const series = (name: string, labels = ''): string => `${name}{instance="i", job="j"${labels}}`;
const ups = (): unknown[] => recorder.values(series('up'));
const scrapes = (count: number) => until(() => ups().length >= count);
const last = (name: string): unknown => recorder.values(series(name)).at(-1);
const text = (body: string | Buffer, headers: http.OutgoingHttpHeaders = TEXT): Handler => {
  return (_request, response) => response.writeHead(200, headers).end(body);
};

describe('a scrape', () => {
  it('stores the samples and what there is to say about it in one commit, at one time', async () => {
    handler = text('# TYPE a counter\na{x="1"} 5\na{x="2"} 6\n');
    start();
    await scrapes(1);
    const first = recorder.samples.filter(({ commit }) => commit === 0);
    expect(new Set(first.map(({ ms }) => ms)).size).toBe(1);
    expect(first.map(({ series: name, value }) => [name, typeof value])).toEqual(
      [
        series('a', ', x="1"'),
        series('a', ', x="2"'),
        ...['up', 'scrape_duration_seconds', 'scrape_samples_scraped'].map((name) => series(name)),
        series('scrape_samples_post_metric_relabeling'),
        series('scrape_series_added'),
      ].map((name) => [name, 'number']),
    );
    expect(recorder.values(series('scrape_series_added'))[0]).toBe(2);
    await scrapes(2);
    expect(recorder.values(series('scrape_series_added'))[1]).toBe(0);
    expect(last('scrape_samples_scraped')).toBe(2);
  });

  it('says who asks, for what and for how long, on a connection that is kept', async () => {
    start({ params: { 'match[]': ['a', 'b'] }, metrics_path: '/m' });
    await scrapes(3);
    const { headers, url } = requests[0];
    expect(url).toBe('/m?match%5B%5D=a&match%5B%5D=b');
    expect(headers['user-agent']).toBe('Barograph/1');
    expect(headers['x-prometheus-scrape-timeout-seconds']).toBe('0.1');
    expect(headers.accept).toMatch(/^application\/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,/);
    expect(new Set(requests.map(({ socket }) => socket)).size).toBe(1);
  });

  it('reads OpenMetrics with start times and exemplars, each exemplar once', async () => {
    const body = [
      '# TYPE r counter',
      'r_total{x="1"} 3 # {trace_id="abc"} 0.5 1700000000.0',
      'r_created{x="1"} 1700000000.5',
      '# EOF',
      '',
    ].join('\n');
    handler = text(body, { 'content-type': 'application/openmetrics-text; version=1.0.0' });
    start();
    await scrapes(3);
    expect(recorder.samples[0]).toMatchObject({ series: series('r_total', ', x="1"'), startMs: 1_700_000_000_500 });
    expect(recorder.exemplars).toHaveLength(1);
    expect(recorder.exemplars[0].exemplar).toMatchObject({ value: 0.5, timestampMs: 1_700_000_000_000 });
  });

  it('reads native histograms from protobuf, and makes them coarser up to the limit of buckets', async () => {
    const histogram: NativeHistogram = {
      schema: 3,
      zeroThreshold: 1e-128,
      zeroCount: 0,
      count: 8,
      sum: 12,
      positiveIndices: Int32Array.from({ length: 8 }, (_, i) => i + 1),
      positiveCounts: new Float64Array(8).fill(1),
      negativeIndices: new Int32Array(0),
      negativeCounts: new Float64Array(0),
      customValues: undefined,
      counterResetHint: 'unknown',
    };
    const { body, contentType } = exposeHistogram(histogram);
    handler = text(body, { 'content-type': contentType });
    start({ scrape_protocols: ['PrometheusProto'], native_histogram_bucket_limit: 4 });
    await scrapes(1);
    const [value] = recorder.values(series('h'));
    expect(value).toMatchObject({ schema: 2, count: 8 });
  });

  it.each([
    ['gzip', zlib.gzipSync('a 1\n')],
    ['zstd', zlib.zstdCompressSync('a 1\n')],
    ['identity', Buffer.from('a 1\n')],
  ])('reads %s', async (encoding, body) => {
    handler = text(body, { ...TEXT, 'content-encoding': encoding });
    start();
    await scrapes(1);
    expect(requests[0].headers['accept-encoding']).toBe('gzip, zstd');
    expect(recorder.values(series('a'))[0]).toBe(1);
  });

  it('asks again where a kept connection is gone', async () => {
    const used = new WeakSet<object>();
    handler = (request, response) => {
      if (used.has(request.socket)) return request.socket.destroy();
      used.add(request.socket);
      return text('a 1\n')(request, response);
    };
    start();
    await scrapes(4);
    expect(new Set(ups())).toEqual(new Set([1]));
    expect(requests.length).toBeGreaterThan(ups().length);
  });

  it('takes an empty answer for a target without series', async () => {
    handler = text('', {});
    start({ fallback_scrape_protocol: 'PrometheusText0.0.4' });
    await scrapes(1);
    expect(ups()[0]).toBe(1);
  });

  it('keeps the first of two samples of one series, also where it is written in two ways', async () => {
    handler = text('a{x="1",y="2"} 1\na{x="1",y="2"} 2\na{y="2",x="1"} 3\n');
    start();
    await scrapes(2);
    expect(recorder.values(series('a', ', x="1", y="2"')).slice(0, 2)).toEqual([1, 1]);
    expect(last('scrape_samples_scraped')).toBe(3);
    expect(scraper?.stats.samples.duplicate).toBeGreaterThanOrEqual(4);
  });
});

it('judges every series anew under another policy, and hands over what goes elsewhere', async () => {
  handler = text('a{shard="1"} 1\na{shard="2"} 2\nb 3\n');
  start();
  await scrapes(2);
  recorder.governor.use({
    profiles: [{ match: ['a'], drop: ['shard'] }],
    relabelConfigs: [{ source_labels: ['__name__'], regex: 'b', action: 'drop' }],
  });
  const before = ups().length;
  await scrapes(before + 3);
  expect(recorder.handovers).toBe(3);
  expect(recorder.values(series('a')).slice(-2)).toEqual([1, 2]);
  const count = recorder.values(series('b')).length;
  await scrapes(before + 5);
  expect(recorder.values(series('b')).length).toBe(count);
  expect(recorder.handovers).toBe(3);
});

function exposeHistogram(histogram: NativeHistogram): { body: Buffer; contentType: string } {
  const format = negotiateExposition(scrapeAcceptHeader(['PrometheusProto']));
  const family: ExposedFamily = {
    name: 'h',
    type: 'histogram',
    series: [{ labels: ['__name__', 'h'], value: 0, histogram }],
  };
  return { body: Buffer.from(encodeExposition([family], format).body), contentType: format.contentType };
}

describe('labels', () => {
  it('of the target win, and what they meet is exported', async () => {
    handler = text('a{job="own",exported_job="x"} 1\n');
    start();
    await scrapes(1);
    expect(recorder.values('a{exported_exported_job="own", exported_job="x", instance="i", job="j"}')).toContain(1);
  });

  it('of the series win with honor_labels, and empty ones keep the target’s out', async () => {
    handler = text('a{job="own"} 1\nb{instance="",job="own"} 2\n');
    start({ honor_labels: true });
    await scrapes(1);
    expect(recorder.values('a{instance="i", job="own"}')).toContain(1);
    expect(recorder.values('b{job="own"}')).toContain(2);
  });

  it('go through metric_relabel_configs once, and what is dropped is counted', async () => {
    handler = text('a 1\nb 2\nc{x="1"} 3\n');
    start({
      metric_relabel_configs: [
        { source_labels: ['__name__'], regex: 'b', action: 'drop' },
        { source_labels: ['x'], regex: '(.+)', target_label: 'y', replacement: 'n$1' },
      ],
    });
    await scrapes(2);
    expect(recorder.values(series('c', ', x="1", y="n1"'))[0]).toBe(3);
    expect(recorder.values(series('b'))).toEqual([]);
    expect(last('scrape_samples_post_metric_relabeling')).toBe(2);
    expect(last('scrape_samples_scraped')).toBe(3);
  });
});

describe('staleness', () => {
  it('marks a series that vanishes, once, and one that comes back is new', async () => {
    handler = text('a 1\nb 2\n');
    start();
    await scrapes(1);
    handler = text('a 1\n');
    await until(() => recorder.values(series('b')).at(-1) === 'stale');
    const before = ups().length;
    await scrapes(before + 2);
    expect(recorder.values(series('b')).filter((value) => value === 'stale')).toHaveLength(1);
    expect(recorder.values(series('a'))).not.toContain('stale');
    handler = text('a 1\nb 3\n');
    await until(() => recorder.values(series('b')).at(-1) === 3);
    expect(scraper?.stats.seriesAdded).toBe(3);
  });

  it('leaves series with times of their own alone, unless it is to track them', async () => {
    handler = text(`a 1 ${Date.now()}\n`);
    start();
    await scrapes(1);
    handler = text('');
    await scrapes(ups().length + 2);
    expect(recorder.values(series('a'))).not.toContain('stale');
    await scraper?.close();
    handler = text(`a 1 ${Date.now()}\n`);
    start({ track_timestamps_staleness: true });
    await until(() => recorder.values(series('a')).length > 1);
    handler = text('');
    await until(() => recorder.values(series('a')).at(-1) === 'stale');
  });

  it('gives samples the scrape’s time where honor_timestamps is off', async () => {
    handler = text('a 1 1000\n');
    start({ honor_timestamps: false });
    await scrapes(1);
    expect(recorder.samples[0].ms).toBeGreaterThan(1_700_000_000_000);
  });

  it('marks nothing when the program ends', async () => {
    start();
    await scrapes(1);
    await scraper?.close();
    expect(recorder.samples.map(({ value }) => value)).not.toContain('stale');
  });
});

/** Answers a little at a time, for ever. */
const drip: Handler = (_request, response) => {
  response.writeHead(200, TEXT);
  const timer = setInterval(() => response.write('# a comment\n'), 10);
  response.on('close', () => clearInterval(timer));
};

const failures: [string, Handler, object, RegExp][] = [
  ['hangs', () => {}, {}, /deadline exceeded/],
  ['drips', drip, {}, /deadline exceeded/],
  ['resets the connection', (request) => request.socket.destroy(), {}, /reset|closed/],
  ['ends in the middle of its body', breakOff, {}, /reset|closed/],
  ['answers 500', (_request, response) => response.writeHead(500).end('a 1\n'), {}, /HTTP status 500 Internal/],
  ['has another type', text('a 1\n', { 'content-type': 'text/html' }), {}, /"text\/html".*fallback_scrape_protocol/],
  ['says nothing of its type', text('a 1\n', {}), {}, /got none/],
  ['sends half a line', text('a 1\nb{x="1'), {}, /line 2/],
  ['leaves # EOF out', text('a 1\n', { 'content-type': 'application/openmetrics-text' }), {}, /EOF/],
  ['sends rubbish', text(Buffer.from([0, 255, 1, 2, 3])), {}, /line 1/],
  ['sends rubbish as gzip', text('nothing zipped', { ...TEXT, 'content-encoding': 'gzip' }), {}, /gzip/],
  ['has another encoding', text('a 1\n', { ...TEXT, 'content-encoding': 'br' }), {}, /gzip, deflate, zstd/],
  ['is too large', text('a 1\n'.repeat(50)), { body_size_limit: '100B' }, /body size limit exceeded/],
  ['is too large in parts', tooLargeInParts, { body_size_limit: '100B' }, /body size limit exceeded/],
  ['is too large once decompressed', bomb, { body_size_limit: '1MB' }, /1048576 bytes/],
  ['redirects for ever', (_request, response) => response.writeHead(302, { location: '/' }).end(), {}, /10 redirects/],
  ['redirects elsewhere', redirectTo('ftp://x/'), {}, /redirect/],
  ['has too many samples', text('a 1\nb 2\nc 3\n'), { sample_limit: 2 }, /sample_limit exceeded: 3 samples/],
  ['has too many labels', text('a{b="1",c="2"} 1\n'), { label_limit: 4 }, /label_limit exceeded: a series has 5/],
  ['has a long name', text('a{bcdefghijkl="1"} 1\n'), { label_name_length_limit: 10 }, /has 11 bytes, the limit is 10/],
  ['has a long value', text('a{b="12345678901"} 1\n'), { label_value_length_limit: 10 }, /has 11 bytes/],
  ['has a name in UTF-8', text('{"ä"} 1\n'), { metric_name_validation_scheme: 'legacy' }, /name that is not accepted/],
];

function breakOff(_request: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(200, { ...TEXT, 'content-length': 100 });
  response.write('a 1\n');
  setTimeout(() => response.destroy(), 5);
}

function tooLargeInParts(_request: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(200, TEXT);
  for (let i = 0; i < 50; i++) response.write('a 1\n');
  response.end();
}

function bomb(_request: http.IncomingMessage, response: http.ServerResponse): void {
  response.writeHead(200, { ...TEXT, 'content-encoding': 'gzip' }).end(zlib.gzipSync(Buffer.alloc(4 << 20, '\n')));
}

function redirectTo(location: string): Handler {
  return (_request, response) => response.writeHead(301, { location }).end();
}

describe('a target that fails', () => {
  it.each(failures)('because it %s is down with the reason, and its series end', async (_what, bad, job, message) => {
    start(job);
    await until(() => recorder.values(series('a')).includes(1));
    handler = bad;
    await until(() => ups().at(-1) === 0);
    const [target] = scraper?.targets().activeTargets ?? [];
    expect(target).toMatchObject({ health: 'down', scrapePool: 'j' });
    expect(target.lastError).toMatch(message);
    expect(recorder.values(series('a')).at(-1)).toBe('stale');
    expect(recorder.samples.filter(({ series: name }) => /^[bc]\{/.test(name))).toEqual([]);
    handler = text('a 7\n');
    await until(() => ups().at(-1) === 1);
    expect(recorder.values(series('a')).at(-1)).toBe(7);
    expect(scraper?.targets().activeTargets[0]).toMatchObject({ health: 'up', lastError: '' });
  });

  it('counts what it had over its limit', async () => {
    handler = text('a 1\nb 2\nc 3\n');
    start({ sample_limit: 2 });
    await scrapes(1);
    expect(last('scrape_samples_scraped')).toBe(3);
    expect(last('scrape_samples_post_metric_relabeling')).toBe(3);
    expect(scraper?.stats.scrapes.sample_limit).toBeGreaterThan(0);
  });

  it('does not harm another one', async () => {
    handler = (request, response) =>
      request.url === '/bad' ? drip(request, response) : text('a 1\n')(request, response);
    const relabel = [{ source_labels: ['path'], target_label: '__metrics_path__' }];
    start({
      relabel_configs: relabel,
      static_configs: [
        { targets: [address], labels: { instance: 'i', path: '/good' } },
        { targets: [address], labels: { instance: 'i', path: '/bad' } },
      ],
    });
    await until(() => recorder.values(series('up', ', path="/bad"')).length >= 2);
    expect(new Set(recorder.values(series('up', ', path="/bad"')))).toEqual(new Set([0]));
    expect(new Set(recorder.values(series('up', ', path="/good"')))).toEqual(new Set([1]));
  });

  it('loses its body where all bodies take too much, and the smaller one gets through', async () => {
    handler = (request, response) => {
      if (request.url === '/small') return text('a 1\n')(request, response);
      response.writeHead(200, TEXT);
      return response.write('# long\n'.repeat(10_000));
    };
    start(
      {
        relabel_configs: [{ source_labels: ['path'], target_label: '__metrics_path__' }],
        static_configs: ['/small', '/large'].map((path) => ({ targets: [address], labels: { instance: 'i', path } })),
      },
      { bodyBytes: 20_000 },
    );
    await until(() => (scraper?.stats.scrapes.memory ?? 0) > 0 && (scraper?.stats.scrapes.ok ?? 0) > 1);
    expect(scraper?.memoryBytes.bodies).toBeLessThanOrEqual(20_000);
  });

  it('is refused series past its share of memory', async () => {
    let n = 0;
    handler = (_request, response) => {
      n++;
      response.writeHead(200, TEXT).end(Array.from({ length: 50 }, (_, i) => `a{x="${n}-${i}"} 1\n`).join(''));
    };
    start({}, { seriesBytes: 15_000 });
    await until(() => ups().includes(0));
    expect(scraper?.targets().activeTargets[0].lastError).toMatch(/no memory left/);
    expect(scraper?.memoryBytes.series).toBeLessThanOrEqual(15_000);
  });
});

describe('targets', () => {
  it('are shown as Prometheus shows them, without secrets', async () => {
    start({ params: { api_key: ['hunter2'] }, basic_auth: { username: 'u', password: 'hunter3' } });
    await scrapes(1);
    await until(() => scraper?.targets().activeTargets[0]?.health === 'up');
    const [target] = scraper?.targets().activeTargets ?? [];
    expect(requests[0].headers.authorization).toBe(`Basic ${Buffer.from('u:hunter3').toString('base64')}`);
    expect(requests[0].url).toBe('/metrics?api_key=hunter2');
    expect(target).toEqual({
      discoveredLabels: {
        __address__: address,
        __metrics_path__: '/metrics',
        __param_api_key: '<secret>',
        __scheme__: 'http',
        __scrape_interval__: '100ms',
        __scrape_timeout__: '100ms',
        instance: 'i',
        job: 'j',
      },
      labels: { instance: 'i', job: 'j' },
      scrapePool: 'j',
      scrapeUrl: `http://${address}/metrics?api_key=<secret>`,
      globalUrl: `http://${address}/metrics?api_key=<secret>`,
      lastError: '',
      lastScrape: expect.stringMatching(/^20\d\d-/),
      lastScrapeDuration: expect.any(Number),
      health: 'up',
      scrapeInterval: '100ms',
      scrapeTimeout: '100ms',
    });
  });

  it('that the rules drop are listed and counted', async () => {
    start({
      keep_dropped_targets: 1,
      static_configs: [{ targets: [address, 'x:1', 'y:1'] }],
      relabel_configs: [{ source_labels: ['__address__'], regex: '[xy]:1', action: 'drop' }],
    });
    await until(() => (scraper?.targets().droppedTargets.length ?? 0) > 0);
    expect(scraper?.targets().droppedTargetCounts).toEqual({ j: 2 });
    expect(scraper?.targets().droppedTargets).toHaveLength(1);
  });

  it('say what their metrics are, as they said last', async () => {
    handler = text('# HELP a First.\n# TYPE a counter\na 1\n# TYPE b gauge\nb 1\nc 1\n');
    start();
    await until(() => ups().length >= 2);
    const said = () => [...(scraper?.metadata() ?? [])];
    expect(said()).toEqual([
      {
        labels: ['instance', 'i', 'job', 'j'],
        shown: { instance: 'i', job: 'j' },
        metadata: [
          { metric: 'a', type: 'counter', help: 'First.', unit: '' },
          { metric: 'b', type: 'gauge', help: '', unit: '' },
        ],
      },
    ]);
    const before = said()[0].metadata;
    await scrapes(ups().length + 2);
    expect(said()[0].metadata).toBe(before);
    handler = text('# HELP a Second.\n# TYPE a counter\na 1\n');
    await scrapes(ups().length + 2);
    expect(said()[0].metadata).toEqual([{ metric: 'a', type: 'counter', help: 'Second.', unit: '' }]);
    handler = (_request, response) => response.writeHead(500).end();
    await until(() => scraper?.targets().activeTargets[0].health === 'down');
    expect(said()[0].metadata).toHaveLength(1);
  });

  it('over the limit fail all together', async () => {
    start({ target_limit: 1, static_configs: [{ targets: [address, address.replace('127.0.0.1', 'localhost')] }] });
    await until(() => scraper?.targets().activeTargets[0]?.health === 'down');
    expect(scraper?.targets().activeTargets[0].lastError).toMatch(/target_limit exceeded: 2 targets, the limit is 1/);
    expect(requests).toEqual([]);
  });

  it('say their own interval and timeout by labels', async () => {
    start({
      static_configs: [{ targets: [address], labels: { __scrape_interval__: '50ms', __scrape_timeout__: '20ms' } }],
    });
    await until(() => requests.length > 0);
    expect(requests[0].headers['x-prometheus-scrape-timeout-seconds']).toBe('0.02');
  });

  it('are asked where a redirect leads, with secrets only where they were meant for', async () => {
    const seen: (string | undefined)[] = [];
    const other = http.createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.writeHead(200, TEXT).end('a 9\n');
    });
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', () => resolve()));
    try {
      handler = redirectTo(`http://127.0.0.1:${(other.address() as AddressInfo).port}/`);
      start({ authorization: { credentials: 'hunter2' } });
      await until(() => recorder.values(series('a')).includes(9));
      expect(requests[0].headers.authorization).toBe('Bearer hunter2');
      expect(seen[0]).toBeUndefined();
    } finally {
      other.closeAllConnections();
      other.close();
    }
  });
});

describe('a commit that fails', () => {
  it('leaves the target as it is, and says so', async () => {
    start();
    await scrapes(1);
    recorder.commitError = Object.assign(new Error('disk full'), {});
    await until(() => recorder.commits > 3);
    recorder.commitError = undefined;
    await until(() => ups().length > 4);
    expect(scraper?.targets().activeTargets[0].health).toBe('up');
  });
});
