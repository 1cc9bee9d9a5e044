import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BarographError,
  type Labels,
  labelsFromPairs,
  labelsFromRecord,
  METRIC_NAME,
  type MetricType,
  type NativeHistogram,
} from '../model/index.ts';
import { decodeScrape, type ScrapeProtocol, scrapeProtocolOf } from './exposition.ts';
import { type ExposedFamily, type ExposedSeries, encodeExposition } from './exposition-encode.ts';
import { goNumber, openMetricsNumber, readNumber } from './exposition-number.ts';
import type { ScrapeOptions } from './exposition-reader.ts';
import { clientModelProto, oracleDecode, oracleEncode } from './oracle.data.ts';
import { ScrapeBatch } from './scrape-batch.ts';

const SCRAPE_MS = 1_764_000_000_000;
const NOISE = '# TYPE noise histogram\nnoise_bucket{le="1"} 3 99\nnoise_sum 4 99\n';

interface Seen {
  readonly labels: Labels;
  readonly type: MetricType;
  readonly value?: number;
  readonly timestampMs: number;
  readonly startMs: number;
  readonly hasTime: boolean;
  readonly histogram?: NativeHistogram;
}

/** Decodes three times into one batch that held something else before, so that state that leaks shows. */
function scrape(
  body: string | Uint8Array,
  protocol: ScrapeProtocol,
  options: Partial<ScrapeOptions> = {},
  batch = new ScrapeBatch(),
): ScrapeBatch {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  for (let i = 0; i < 3; i++) {
    decodeScrape(Buffer.from(NOISE), 'PrometheusText0.0.4', { scrapeMs: 1 }, batch);
    decodeScrape(bytes, protocol, { scrapeMs: SCRAPE_MS, ...options }, batch);
  }
  return batch;
}

function seen(batch: ScrapeBatch): Seen[] {
  const out: Seen[] = [];
  for (let i = 0; i < batch.sampleCount; i++) {
    const series = batch.sampleSeries[i];
    out[series] = {
      labels: batch.seriesLabels(series),
      type: batch.typeOf(series),
      value: batch.sampleValue[i],
      timestampMs: batch.sampleTimestampMs[i],
      startMs: batch.sampleStartMs[i],
      hasTime: batch.seriesHasTime[series] === 1,
    };
  }
  for (const { series, timestampMs, startMs, histogram } of batch.histograms) {
    const hasTime = batch.seriesHasTime[series] === 1;
    const labels = batch.seriesLabels(series);
    out[series] = { labels, type: batch.typeOf(series), timestampMs, startMs, hasTime, histogram };
  }
  return out;
}

function lines(batch: ScrapeBatch): string[] {
  return seen(batch).map((s) => {
    const time = s.hasTime ? `@${s.timestampMs}` : '';
    return `${s.type} ${s.labels.join('|')} ${goNumber(s.value ?? 0)}${time}${s.startMs === 0 ? '' : ` from ${s.startMs}`}`;
  });
}

describe('the text format', () => {
  test('is read with its comments, blanks, names in quotes and times', () => {
    const batch = scrape(
      [
        '# a comment',
        '#HELP no keyword',
        '# HELP http_requests_total Requests, with a \\\\ and a \\n.',
        '# TYPE http_requests_total counter',
        'http_requests_total{method="post",code="200"} 1027 1395066363000',
        '',
        '  http_requests_total { code = "400" , method="post" , } 3 -5 ',
        'msdos{path="C:\\\\DIR\\"\\n","é.b"="x"}\t1.458255915e9',
        '{"my.metric",a="b"} NaN',
        '{a="b","my.other"} +Inf',
        '# TYPE h histogram',
        'h_bucket{le="1"} 4',
        'h_bucket{le="1e-3"} 4',
        'h_bucket{le="+Inf"} 5',
        'h_sum 5',
        'other{le="1"} 6',
        '# HELP nothing',
        '# TYPE s summary',
        's{quantile="1"} 7',
        'last -Inf',
      ].join('\n'),
      'PrometheusText0.0.4',
    );
    expect(lines(batch)).toEqual([
      'counter __name__|http_requests_total|code|200|method|post 1027@1395066363000',
      'counter __name__|http_requests_total|code|400|method|post 3@-5',
      'unknown __name__|msdos|path|C:\\DIR"\n|é.b|x 1.458255915e+09',
      'unknown __name__|my.metric|a|b NaN',
      'unknown __name__|my.other|a|b +Inf',
      'histogram __name__|h_bucket|le|1.0 4',
      'histogram __name__|h_bucket|le|0.001 4',
      'histogram __name__|h_bucket|le|+Inf 5',
      'histogram __name__|h_sum 5',
      'unknown __name__|other|le|1 6',
      'summary __name__|s|quantile|1.0 7',
      'unknown __name__|last -Inf',
    ]);
    expect(batch.metadata).toEqual([
      { metric: 'http_requests_total', type: 'counter', help: 'Requests, with a \\ and a \n.', unit: '' },
      { metric: 'h', type: 'histogram', help: '', unit: '' },
      { metric: 'nothing', type: 'unknown', help: '', unit: '' },
      { metric: 's', type: 'summary', help: '', unit: '' },
    ]);
    expect(Buffer.from(batch.labelBytes(0)).toString()).toBe('http_requests_total{method="post",code="200"}');
  });

  test('leaves times aside where they are not to be honoured', () => {
    const [one] = seen(scrape('a 1 5\n', 'PrometheusText0.0.4', { honorTimestamps: false }));
    expect(one).toMatchObject({ timestampMs: SCRAPE_MS, hasTime: false });
  });

  test.each([
    ['a\n', 'line 1 column 2: got the end of the line, accepted is a value'],
    ['a{b="c"}\n', 'line 1 column 9'],
    ['a 1\nb{c} 1\n', 'line 2 column 4: got "}", accepted is "="'],
    ['a{b=c} 1', 'column 5: got "c", accepted is a value in quotes'],
    ['a{b="c} 1', 'accepted is a closing quote'],
    ['a{b="c\\', 'accepted is a closing quote'],
    ['a{9="c"} 1', 'column 3: got "9", accepted is a label name or "}"'],
    ['a{"b"} 1', 'the metric has its name already'],
    ['{b="c"} 1', 'a metric name in the braces'],
    ['a 0x10', 'got no number'],
    ['a 1_0', 'got no number'],
    ['a 1e400', 'got no number'],
    ['a +NaN', 'got no number'],
    ['a 1 2 3', 'accepted is the end of the line'],
    ['a 1 2.5', 'accepted is the end of the line'],
    ['a 1 x', 'a timestamp in whole milliseconds'],
    ['a 1 99999999999999999999', 'a timestamp in whole milliseconds'],
    ['# TYPE a metre\n', 'got another type, accepted is counter'],
    ['# TYPE a counter \n', 'got another type'],
    ['# TYPE 9 counter\n', 'a metric name after # TYPE'],
    ['# TYPE a.b counter\n', 'a blank behind the name'],
    ['a{b="\xff"} 1', 'UTF-8'],
    ['# HELP a \xff\n', 'UTF-8'],
    ['-a 1', 'accepted is a metric name or a comment'],
    ['a 1\r\n', 'got no number'],
  ])('refuses %j', (body, message) => {
    const error = errorOf(() => scrape(Buffer.from(body, 'latin1'), 'PrometheusText0.0.4'));
    expect(error).toMatchObject({ code: 'malformed', status: 400 });
    expect(error.message).toContain(message);
  });
});

describe('OpenMetrics', () => {
  const om = (...body: string[]) => scrape(`${body.join('\n')}\n# EOF\n`, 'OpenMetricsText1.0.0');

  test('is read with units, exemplars and start times', () => {
    const batch = om(
      '# TYPE requests_seconds counter',
      '# UNIT requests_seconds seconds',
      '# HELP requests_seconds Time \\"spent\\".',
      'requests_seconds_total{a="1"} 2 1520430000.123 # {trace_id="ff",x="a\\"b"} 0.5 1520429999.5',
      'requests_seconds_created{a="1"} 1520430000.25',
      'requests_seconds_total{a="2"} 3 # {} 1',
      '# TYPE h histogram',
      'h_bucket{a="1",le="0.5"} 1',
      'h_bucket{le="+Inf",a="1"} 2',
      'h_count{a="1"} 2',
      'h_sum{a="1"} 0.5',
      'h_created{a="1"} 7',
      'h_bucket{a="2",le="+Inf"} 2',
      'h_count{a="2"} 2',
      'h_created{a="2"} NaN',
      '# TYPE g gauge',
      'g_created 4',
      '{"a.b","c.d"="e"} 1',
    );
    expect(lines(batch)).toEqual([
      'counter __name__|requests_seconds_total|a|1 2@1520430000123 from 1520430000250',
      'counter __name__|requests_seconds_total|a|2 3',
      'histogram __name__|h_bucket|a|1|le|0.5 1 from 7000',
      'histogram __name__|h_bucket|a|1|le|+Inf 2 from 7000',
      'histogram __name__|h_count|a|1 2 from 7000',
      'histogram __name__|h_sum|a|1 0.5 from 7000',
      'histogram __name__|h_bucket|a|2|le|+Inf 2',
      'histogram __name__|h_count|a|2 2',
      'unknown __name__|g_created 4',
      'unknown __name__|a.b|c.d|e 1',
    ]);
    expect(batch.exemplars).toEqual([
      { series: 0, exemplar: { labels: ['trace_id', 'ff', 'x', 'a"b'], value: 0.5, timestampMs: 1520429999500 } },
      { series: 1, exemplar: { labels: [], value: 1, timestampMs: SCRAPE_MS } },
    ]);
    expect(batch.metadata[0]).toEqual({
      metric: 'requests_seconds',
      type: 'counter',
      help: 'Time "spent".',
      unit: 'seconds',
    });
  });

  test('keeps _created as series where that is wanted', () => {
    const body = '# TYPE a counter\na_total 1\na_created 5\n# EOF';
    const batch = scrape(body, 'OpenMetricsText1.0.0', { keepCreatedSeries: true });
    expect(lines(batch)).toEqual(['counter __name__|a_total 1', 'counter __name__|a_created 5']);
  });

  test.each([
    ['', 'got the end, accepted is # EOF at the end'],
    ['a 1\n', 'accepted is # EOF'],
    ['a 1', 'the end of the line'],
    ['# EOF\na 1\n', 'line 2 column 1: got "a", accepted is nothing behind # EOF'],
    ['\n# EOF', 'accepted is a metric name or # EOF'],
    ['# comment\n# EOF', 'got a comment'],
    ['a  1\n# EOF', 'column 3: got a space, accepted is a value'],
    ['a 1 \n# EOF', 'a timestamp in seconds'],
    ['a 1 NaN\n# EOF', 'a finite timestamp'],
    ['a{b="c", d="e"} 1\n# EOF', 'column 9: got a space'],
    ['a{b="c"d="e"} 1\n# EOF', 'accepted is "," or "}"'],
    ['# TYPE a untyped\n# EOF', 'got another type'],
    ['# TYPE a\n# EOF', 'a space and a text'],
    ['# UNIT a_bytes seconds\n# EOF', 'got another unit'],
    ['# UNIT seconds seconds\n# EOF', 'got another unit'],
    ['a 1 # {b="c"}\n# EOF', 'a space and a value'],
    ['a 1 # {"b"} 1\n# EOF', 'the metric has its name already'],
    ['a 1 #{b="c"} 1\n# EOF', 'accepted is an exemplar'],
    ['a{b="c\nd"} 1\n# EOF', 'a closing quote'],
  ])('refuses %j', (body, message) => {
    const error = errorOf(() => scrape(body, 'OpenMetricsText1.0.0'));
    expect(error.code).toBe('malformed');
    expect(error.message).toContain(message);
  });
});

describe('protobuf', () => {
  const families = (...all: object[]) =>
    Buffer.concat(
      all.map((family) => {
        const bytes = oracleEncode(clientModelProto, 'client.MetricFamily', family);
        const length: number[] = [];
        for (let n = bytes.length; ; n >>>= 7) {
          length.push(n > 0x7f ? (n & 0x7f) | 0x80 : n);
          if (n <= 0x7f) break;
        }
        return Buffer.concat([Uint8Array.from(length), bytes]);
      }),
    );
  const exemplar = {
    label: [{ name: 'trace_id', value: 'ff' }],
    value: 3,
    timestamp: { seconds: 5, nanos: 250_000_000 },
  };
  const native = {
    sample_count: 3,
    sample_sum: 2.5,
    schema: 2,
    zero_threshold: 0.001,
    zero_count: 1,
    positive_span: [{ offset: 1, length: 2 }],
    positive_delta: [1, 0],
    created_timestamp: { seconds: 9 },
  };

  test('is read with classic and native histograms, summaries and exemplars', () => {
    const body = families(
      {
        name: 'c_seconds_total',
        help: 'Help.',
        type: 0,
        unit: 'seconds',
        metric: [
          {
            label: [{ name: 'a', value: 'b' }],
            counter: { value: 4, exemplar, created_timestamp: { seconds: 7 } },
            timestamp_ms: 99,
          },
        ],
      },
      { name: 'g', type: 1, metric: [{ gauge: {} }] },
      { name: 'u', type: 3, metric: [{ untyped: { value: -1 } }] },
      {
        name: 's',
        type: 2,
        metric: [{ summary: { sample_count: 2, sample_sum: 3, quantile: [{ quantile: 0.5, value: 1 }] } }],
      },
      {
        name: 'h',
        type: 4,
        metric: [
          {
            label: [{ name: 'a', value: 'b' }],
            histogram: { sample_count: 3, sample_sum: 5, bucket: [{ upper_bound: 1, cumulative_count: 2, exemplar }] },
          },
          {
            histogram: {
              ...native,
              exemplars: [exemplar, { ...exemplar, timestamp: null }],
              bucket: [{ upper_bound: 2 }],
            },
          },
        ],
      },
    );
    const batch = scrape(body, 'PrometheusProto');
    expect(lines(batch)).toEqual([
      'counter __name__|c_seconds_total|a|b 4@99 from 7000',
      'gauge __name__|g 0',
      'unknown __name__|u -1',
      'summary __name__|s_count 2',
      'summary __name__|s_sum 3',
      'summary __name__|s|quantile|0.5 1',
      'histogram __name__|h_count|a|b 3',
      'histogram __name__|h_sum|a|b 5',
      'histogram __name__|h_bucket|a|b|le|1.0 2',
      'histogram __name__|h_bucket|a|b|le|+Inf 3',
      'histogram __name__|h 0 from 9000',
    ]);
    expect(batch.exemplars).toEqual([
      { series: 0, exemplar: { labels: ['trace_id', 'ff'], value: 3, timestampMs: 5250 } },
      { series: 8, exemplar: { labels: ['trace_id', 'ff'], value: 3, timestampMs: 5250 } },
      { series: 10, exemplar: { labels: ['trace_id', 'ff'], value: 3, timestampMs: 5250 } },
    ]);
    expect(batch.histograms[0].histogram).toMatchObject({
      schema: 2,
      zeroCount: 1,
      count: 3,
      positiveIndices: Int32Array.of(1, 2),
      positiveCounts: Float64Array.of(1, 1),
      counterResetHint: 'unknown',
    });
    expect(batch.metadata[0]).toEqual({ metric: 'c_seconds_total', type: 'counter', help: 'Help.', unit: 'seconds' });
    const both = scrape(body, 'PrometheusProto', { keepClassicHistograms: true });
    expect(lines(both).slice(10)).toEqual([
      'histogram __name__|h 0 from 9000',
      'histogram __name__|h_count 3 from 9000',
      'histogram __name__|h_sum 2.5 from 9000',
      'histogram __name__|h_bucket|le|2.0 0 from 9000',
      'histogram __name__|h_bucket|le|+Inf 3 from 9000',
    ]);
  });

  test('reads float histograms, and gauge histograms as such', () => {
    const floats = {
      sample_count_float: 1.5,
      zero_count_float: 0.5,
      positive_span: [{ length: 1 }],
      positive_count: [1],
    };
    const body = families({ name: 'h', type: 5, metric: [{ histogram: floats }] });
    expect(scrape(body, 'PrometheusProto').histograms[0].histogram).toMatchObject({
      count: 1.5,
      zeroCount: 0.5,
      positiveCounts: Float64Array.of(1),
      counterResetHint: 'gauge',
    });
  });

  test.each([
    [families({ type: 0 }), 'got no name'],
    [families({ name: 'a', type: 9 }), 'got type 9'],
    [families({ name: 'a', type: 0, metric: [{ gauge: { value: 1 } }] }), 'a value in field 2'],
    [families({ name: 'a_bytes', type: 1, unit: 'seconds' }), 'got another unit'],
    [families({ name: 'a', type: 4, metric: [{ histogram: { ...native, sample_count: 4 } }] }), 'got 4 observations'],
    [families({ name: 'a', type: 4, metric: [{ histogram: { ...native, schema: 99 } }] }), 'got 99'],
    [Buffer.from([5, 1]), 'the length of a message'],
  ])('refuses what makes no sense (%#)', (body, message) => {
    expect(errorOf(() => scrape(body, 'PrometheusProto')).message).toContain(message);
  });

  test('survives every prefix and random flips of bits', () => {
    const body = families(
      { name: 'h', type: 4, metric: [{ histogram: { ...native, exemplars: [exemplar] } }] },
      { name: 'c', type: 0, metric: [{ label: [{ name: 'x', value: 'y' }], counter: { value: 1, exemplar } }] },
    );
    survivesDamage(body, 'PrometheusProto');
  });
});

const name = fc.oneof(
  fc.stringMatching(/^[a-zA-Z_:][a-zA-Z0-9_:]{0,8}$/),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }).map((s) => s.toWellFormed()),
);
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }).map((s) => s.toWellFormed()),
  fc.constantFrom('\\', '"', '\n', '\\n', '\\\\n', 'a"b\\', '{', '}', ','),
);
const labels = fc
  .array(fc.tuple(name, text), { maxLength: 4 })
  .map((pairs) => pairs.filter(([n]) => n !== METRIC_NAME));
const number = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(0, -0, 1e-7, 1e21, 123456.789, 0.1 + 0.2));
const time = fc.option(fc.integer({ min: 1, max: 2_000_000_000_000 }), { nil: undefined });
const plainFamily = fc
  .record({
    name,
    type: fc.constantFrom<MetricType>('counter', 'gauge', 'unknown'),
    help: text,
    series: fc.array(fc.record({ labels, value: number, timestampMs: time }), { minLength: 1, maxLength: 4 }),
  })
  .map(({ name: base, type, help, series }): ExposedFamily => {
    const metric = type === 'counter' ? `${base}_total` : base;
    const all = series.map((s) => ({ ...s, labels: labelsFromPairs([...s.labels, [METRIC_NAME, metric]]) }));
    return { name: metric, type, help, series: all };
  });

describe('encodeExposition', () => {
  const protocols: ScrapeProtocol[] = ['PrometheusText1.0.0', 'OpenMetricsText1.0.0', 'PrometheusProto'];

  test.each(protocols)('comes back from %s as it was written', (protocol) => {
    fc.assert(
      fc.property(fc.array(plainFamily, { maxLength: 4 }), (families) => {
        const distinct = [...new Map(families.map((f) => [f.name, f])).values()];
        const { body } = encodeExposition(distinct, { protocol, escaping: 'allow-utf-8' });
        const expected = distinct.flatMap((family) =>
          family.series.map((s) => `${s.labels.join('|')} ${goNumber(s.value)} ${s.timestampMs ?? SCRAPE_MS}`),
        );
        const got = seen(scrape(body, protocol)).map(
          (s) => `${s.labels.join('|')} ${goNumber(s.value ?? 0)} ${s.timestampMs}`,
        );
        expect(got).toEqual(expected);
      }),
      { numRuns: 150 },
    );
  });

  const FAMILIES: ExposedFamily[] = [
    {
      name: 'c_seconds_total',
      type: 'counter',
      help: 'A "help"\nof \\ two lines.',
      unit: 'seconds',
      series: [
        {
          labels: labelsFromRecord({ __name__: 'c_seconds_total', a: 'b' }),
          value: 1,
          timestampMs: 1500,
          startMs: 250,
          exemplar: { labels: ['trace_id', 'ff'], value: 0.5, timestampMs: 1000 },
        },
      ],
    },
    {
      name: 'h',
      type: 'histogram',
      series: [
        { labels: labelsFromRecord({ __name__: 'h_bucket', le: '1.0', a: 'b' }), value: 2 },
        { labels: labelsFromRecord({ __name__: 'h_bucket', le: '+Inf', a: 'b' }), value: 3 },
        { labels: labelsFromRecord({ __name__: 'h_sum', a: 'b' }), value: 4.5 },
        { labels: labelsFromRecord({ __name__: 'h_count', a: 'b' }), value: 3 },
      ],
    },
    {
      name: 's',
      type: 'summary',
      series: [
        { labels: labelsFromRecord({ __name__: 's', quantile: '0.5' }), value: 2 },
        { labels: labelsFromRecord({ __name__: 's_sum' }), value: 4.5 },
        { labels: labelsFromRecord({ __name__: 's_count' }), value: 3 },
      ],
    },
    { name: 'odd', type: 'counter', series: [{ labels: labelsFromRecord({ __name__: 'odd', 'x.y': '1' }), value: 7 }] },
  ];

  test('writes the text format', () => {
    const { body } = encodeExposition(FAMILIES, { protocol: 'PrometheusText0.0.4', escaping: 'underscores' });
    expect(Buffer.from(body).toString()).toBe(
      [
        '# HELP c_seconds_total A "help"\\nof \\\\ two lines.',
        '# TYPE c_seconds_total counter',
        'c_seconds_total{a="b"} 1 1500',
        '# TYPE h histogram',
        'h_bucket{a="b",le="1.0"} 2',
        'h_bucket{a="b",le="+Inf"} 3',
        'h_sum{a="b"} 4.5',
        'h_count{a="b"} 3',
        '# TYPE s summary',
        's{quantile="0.5"} 2',
        's_sum 4.5',
        's_count 3',
        '# TYPE odd counter',
        'odd{x_y="1"} 7',
        '',
      ].join('\n'),
    );
  });

  test('writes OpenMetrics with start times and exemplars', () => {
    const { body } = encodeExposition(FAMILIES, { protocol: 'OpenMetricsText1.0.0', escaping: 'allow-utf-8' });
    const text = Buffer.from(body).toString();
    expect(text.split('\n').slice(0, 5)).toEqual([
      '# TYPE c_seconds counter',
      '# UNIT c_seconds seconds',
      '# HELP c_seconds A \\"help\\"\\nof \\\\ two lines.',
      'c_seconds_total{a="b"} 1 1.5 # {trace_id="ff"} 0.5 1',
      'c_seconds_created{a="b"} 0.25',
    ]);
    expect(text).toContain('# TYPE odd unknown\nodd{"x.y"="1"} 7\n# EOF\n');
    const batch = scrape(body, 'OpenMetricsText1.0.0');
    expect(lines(batch)[0]).toBe('counter __name__|c_seconds_total|a|b 1@1500 from 250');
    expect(batch.exemplars[0].exemplar).toEqual({ labels: ['trace_id', 'ff'], value: 0.5, timestampMs: 1000 });
  });

  test('puts histograms and summaries together for protobuf, as an independent decoder sees them', () => {
    const { body } = encodeExposition(FAMILIES, { protocol: 'PrometheusProto', escaping: 'values' });
    const all = splitDelimited(body).map((bytes) => oracleDecode(clientModelProto, 'client.MetricFamily', bytes));
    expect(all[0]).toMatchObject({
      name: 'c_seconds_total',
      unit: 'seconds',
      metric: [{ counter: { value: 1, created_timestamp: { nanos: 250_000_000 } }, timestamp_ms: '1500' }],
    });
    expect(all[1]).toMatchObject({
      type: 4,
      metric: [
        {
          label: [{ name: 'a', value: 'b' }],
          histogram: {
            sample_count: '3',
            sample_sum: 4.5,
            bucket: [
              { cumulative_count: '2', upper_bound: 1 },
              { cumulative_count: '3', upper_bound: Infinity },
            ],
          },
        },
      ],
    });
    expect(all[2]).toMatchObject({
      type: 2,
      metric: [{ summary: { sample_count: '3', quantile: [{ quantile: 0.5, value: 2 }] } }],
    });
    expect(all[3]).toMatchObject({ metric: [{ label: [{ name: 'U__x_2e_y', value: '1' }] }] });
    expect(new Set(lines(scrape(body, 'PrometheusProto')).map((l) => l.split(' ')[1]))).toContain(
      '__name__|h_bucket|a|b|le|1.0',
    );
  });

  test('keeps native histograms in protobuf, and says that text has none', () => {
    const empty = { negativeIndices: new Int32Array(0), negativeCounts: new Float64Array(0), customValues: undefined };
    const histogram: NativeHistogram = {
      schema: 3,
      zeroThreshold: 0.5,
      zeroCount: 1,
      count: 6,
      sum: 2.5,
      positiveIndices: Int32Array.of(-2, 0, 1),
      positiveCounts: Float64Array.of(1, 3, 1),
      ...empty,
      counterResetHint: 'unknown',
    };
    const none = { ...histogram, zeroThreshold: 0, zeroCount: 0, count: 0, sum: 0 };
    const nothing: NativeHistogram = {
      ...none,
      positiveIndices: new Int32Array(0),
      positiveCounts: new Float64Array(0),
    };
    const half = { ...histogram, count: 6.5, zeroCount: 1.5 };
    const series = (h: NativeHistogram, i: number): ExposedSeries => ({
      labels: labelsFromRecord({ __name__: 'n', i: String(i) }),
      value: 0,
      histogram: h,
      startMs: 5000,
    });
    const plain = { labels: ['__name__', 'n'], value: 9 };
    const families: ExposedFamily[] = [
      { name: 'n', type: 'unknown', series: [plain, ...[histogram, nothing, half].map(series)] },
    ];
    const { body } = encodeExposition(families, { protocol: 'PrometheusProto', escaping: 'allow-utf-8' });
    const batch = scrape(body, 'PrometheusProto');
    expect(batch.histograms.map((h) => h.histogram)).toEqual([histogram, nothing, half]);
    expect(batch.histograms[0].startMs).toBe(5000);
    expect(batch.sampleCount).toBe(1);
    const asText = encodeExposition(families, { protocol: 'OpenMetricsText1.0.0', escaping: 'allow-utf-8' });
    expect(asText.skippedHistograms).toBe(3);
    expect(Buffer.from(asText.body).toString()).toBe('# TYPE n unknown\nn 9\n# EOF\n');
  });
});

describe('expositions from strangers', () => {
  test('every prefix of a text is read or refused, and so are random flips of bits', () => {
    const body = Buffer.from('# TYPE a histogram\na_bucket{x="\\"é",le="1"} 1 5\n{"b.c",d="e"} NaN\n# HELP a text\n');
    survivesDamage(body, 'PrometheusText0.0.4');
    const om = Buffer.from(
      '# TYPE a counter\na_total{x="é"} 1 5 # {t="f"} 1 2\na_created{x="é"} 4\n# UNIT a_s s\n# EOF\n',
    );
    survivesDamage(om, 'OpenMetricsText1.0.0');
  });

  test('are bounded, and leave an empty batch behind when they are refused', () => {
    const body = Buffer.from('a 1\n'.repeat(2000));
    for (const limits of [{ maxSeries: 1999 }, { maxSamples: 1999 }]) {
      const batch = new ScrapeBatch(limits);
      expect(errorOf(() => scrape(body, 'PrometheusText0.0.4', {}, batch))).toMatchObject({ code: 'too_large' });
      expect(batch.seriesCount).toBe(0);
    }
    expect(scrape(body, 'PrometheusText0.0.4', {}, new ScrapeBatch({ maxSeries: 2000 })).seriesCount).toBe(2000);
  });

  test('labels that are there twice, or no name, are refused when they are read', () => {
    const batch = scrape('a{b="1",b="2"} 1\n', 'PrometheusText0.0.4');
    expect(errorOf(() => batch.seriesLabels(0))).toMatchObject({ code: 'bad_labels' });
  });
});

describe('numbers', () => {
  test('are read as the runtime reads them', () => {
    const result = { value: 0 };
    const read = (s: string) => (readNumber(Buffer.from(s), 0, s.length, result) ? result.value : undefined);
    fc.assert(
      fc.property(number, (n) => {
        expect(read(goNumber(n))).toBe(n);
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[+-]?[0-9]{1,18}(\.[0-9]{0,18})?$/), (s) => {
        expect(read(s)).toBe(Number(s));
      }),
    );
    for (const s of ['', '.', '+', '-', 'e5', '1e', '1.2.3', '--1', '0x1', 'infin', '+nan', '1 '])
      expect(read(s)).toBe(undefined);
    expect([read('5.'), read('.5'), read('1E3'), read('inf'), read('-Infinity')]).toEqual([
      5,
      0.5,
      1000,
      Infinity,
      -Infinity,
    ]);
    expect(read('nAn')).toBeNaN();
  });

  test.each([
    [1, '1.0'],
    [0, '0.0'],
    [-1, '-1.0'],
    [0.5, '0.5'],
    [1e6, '1e+06'],
    [1e-5, '1e-05'],
    [123456, '123456.0'],
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [Number.NaN, 'NaN'],
  ])('%d is %s in a label', (value, text) => {
    expect(openMetricsNumber(value)).toBe(text);
  });
});

test('a Content-Type names the format', () => {
  expect(scrapeProtocolOf('text/plain; version=0.0.4; charset=utf-8')).toBe('PrometheusText0.0.4');
  expect(scrapeProtocolOf('text/plain;version=1.0.0;escaping=allow-utf-8')).toBe('PrometheusText1.0.0');
  expect(scrapeProtocolOf('application/openmetrics-text; version="1.0.0"')).toBe('OpenMetricsText1.0.0');
  expect(scrapeProtocolOf('application/openmetrics-text; version=0.0.1')).toBe('OpenMetricsText0.0.1');
  expect(scrapeProtocolOf('application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily')).toBe(
    'PrometheusProto',
  );
  expect(scrapeProtocolOf(undefined, 'PrometheusText0.0.4')).toBe('PrometheusText0.0.4');
  expect(errorOf(() => scrapeProtocolOf('text/html'))).toMatchObject({ code: 'unsupported_media_type' });
  expect(errorOf(() => scrapeProtocolOf('')).message).toContain('got none');
});

function survivesDamage(body: Buffer, protocol: ScrapeProtocol): void {
  const batch = new ScrapeBatch();
  const survive = (bytes: Uint8Array) => {
    try {
      decodeScrape(bytes, protocol, { scrapeMs: 1 }, batch);
      for (let s = 0; s < batch.seriesCount; s++) batch.seriesLabels(s);
    } catch (error) {
      if (!(error instanceof BarographError)) throw error;
    }
  };
  for (let length = 0; length < body.length; length++) survive(Buffer.from(body.subarray(0, length)));
  let seed = 1;
  for (let i = 0; i < 2000; i++) {
    seed = (seed * 1103515245 + 12345) & 0x7fffffff;
    const broken = Buffer.from(body);
    broken[seed % body.length] ^= 1 << ((seed >> 8) % 8);
    survive(broken);
  }
}

function splitDelimited(body: Uint8Array): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let pos = 0; pos < body.length; ) {
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = body[pos++];
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    out.push(body.subarray(pos, pos + length));
    pos += length;
  }
  return out;
}

function errorOf(act: () => unknown): BarographError {
  try {
    act();
  } catch (error) {
    if (error instanceof BarographError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
