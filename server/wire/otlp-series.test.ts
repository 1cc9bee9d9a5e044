import { describe, expect, test } from 'vitest';
import { type Attributes, bitsOf, isStale, printLabels } from '../model/index.ts';
import type { MetricPoints } from './metric-points.ts';
import { oracleEncode, otlpProto } from './oracle.data.ts';
import { formatFloat } from './otlp-histogram-series.ts';
import { decodeOtlpMetrics } from './otlp-metrics.ts';
import type { OtlpMetric } from './otlp-metrics-shape.ts';
import { type SeriesOptions, toSeries } from './otlp-series.ts';

const T = 1_764_000_000_000;
const SCOPE = { name: '', version: '', attributes: {}, droppedAttributesCount: 0 };
const POINT = { attributes: {}, startMs: T - 1000, timeMs: T, noRecordedValue: false, exemplars: [] };
const NAMES = { name: 'm', description: 'Help.', unit: '' };

function translate(
  metrics: OtlpMetric[],
  resource: Attributes = {},
  options: Partial<SeriesOptions> = {},
): MetricPoints {
  return toSeries({ resources: [{ attributes: resource, scopes: [{ scope: SCOPE, metrics }] }] }, options);
}

/** `labels type temporality value@time`, one line a sample; STALE for a staleness marker. */
function print(points: MetricPoints): string[] {
  const bits = bitsOf(points.value);
  return Array.from({ length: points.pointCount }, (_, i) => {
    const { labels, type, temporality } = points.series[points.pointSeries[i]];
    const value = isStale(bits, i) ? 'STALE' : String(points.value[i]);
    return `${printLabels(labels)} ${type} ${temporality} ${value}@${points.timestampMs[i] - T}`;
  });
}

function gauge(attributes: Attributes, more: object = {}): OtlpMetric {
  return { ...NAMES, kind: 'gauge', points: [{ ...POINT, attributes, value: 1, ...more }] };
}

describe('labels', () => {
  test('attributes that become one name are joined in the order of their keys', () => {
    expect(print(translate([gauge({ 'a.b': 'dot', 'a-b': 'dash', a_b: 'under' })]))[0]).toBe(
      'm{a_b="dash;dot;under"} gauge gauge 1@0',
    );
  });

  test('values are text: numbers, booleans, lists and maps as JSON with sorted keys; empty ones are absent', () => {
    const attributes = { n: 1.5, i: 3, b: true, l: [1, 'x'], m: { z: 1, a: null }, empty: '', none: null };
    expect(print(translate([gauge(attributes)]))[0]).toBe(
      String.raw`m{b="true", i="3", l="[1,\"x\"]", m="{\"a\":null,\"z\":1}", n="1.5"} gauge gauge 1@0`,
    );
  });

  test('job and instance come from the resource and win, promoted attributes fill what is free', () => {
    const resource = {
      'service.name': 'gateway',
      'service.namespace': 'llm',
      'service.instance.id': 'i-1',
      'k8s.deployment.name': 'llama',
      'cloud.region': 'eu-west',
      'host.arch': 'arm64',
    };
    const [line] = print(translate([gauge({ job: 'mine', cloud_region: 'own' })], resource, { targetInfo: false }));
    expect(line).toBe(
      'm{cloud_region="own", instance="i-1", job="llm/gateway", k8s_deployment_name="llama", service_name="gateway"} gauge gauge 1@0',
    );
    const [bare] = print(translate([gauge({})], resource, { targetInfo: false, promoteResourceAttributes: [] }));
    expect(bare).toBe('m{instance="i-1", job="llm/gateway"} gauge gauge 1@0');
  });

  test('an attribute cannot replace the metric name', () => {
    expect(print(translate([gauge({ __name__: 'other' })]))[0]).toBe('m gauge gauge 1@0');
  });

  test('a point with a name that leaves nothing valid is rejected alone', () => {
    const points = translate([gauge({ 日本: 'x' }), gauge({ ok: 'y' })]);
    expect(print(points)).toEqual(['m{ok="y"} gauge gauge 1@0']);
    expect(points.rejectedPoints).toBe(1);
    expect(points.rejectedMessage).toBe('metric "m": an attribute whose name leaves nothing valid in Prometheus');
  });
});

describe('sums and gauges', () => {
  const sum = (temporality: 'delta' | 'cumulative' | 'unspecified', monotonic: boolean): OtlpMetric => ({
    ...NAMES,
    kind: 'sum',
    temporality,
    monotonic,
    points: [{ ...POINT, value: 7 }],
  });

  test.each([
    [sum('cumulative', true), 'm_total counter cumulative 7@0'],
    [sum('delta', true), 'm_total counter delta 7@0'],
    [sum('cumulative', false), 'm gauge gauge 7@0'],
    [sum('delta', false), 'm gauge delta 7@0'],
  ])('%#', (metric, expected) => {
    const points = translate([metric]);
    expect(print(points)).toEqual([expected]);
    expect(points.startMs[0]).toBe(T - 1000);
  });

  test('points without temporality, value or time are rejected with the reason', () => {
    const points = translate([
      sum('unspecified', true),
      gauge({}, { value: undefined }),
      gauge({}, { timeMs: 0 }),
      gauge({}, { timeMs: 9_223_372_036_855 }),
      gauge({ fine: '1' }),
    ]);
    expect(points.rejectedPoints).toBe(4);
    expect(points.rejectedMessage).toBe(
      'metric "m": no aggregation temporality; metric "m": a point without a value; ' +
        'metric "m": a point whose time is not set; metric "m": a point whose time is after 2262',
    );
    expect(points.pointCount).toBe(1);
  });

  test('no recorded value becomes a staleness marker', () => {
    expect(print(translate([gauge({}, { value: undefined, noRecordedValue: true })]))).toEqual([
      'm gauge gauge STALE@0',
    ]);
  });

  test('staleness markers survive the growth of the columns', () => {
    const stale = { ...POINT, value: undefined, noRecordedValue: true };
    const points = Array.from({ length: 5000 }, () => stale);
    const translated = translate([{ ...NAMES, kind: 'gauge', points }]);
    expect(translated.pointCount).toBe(5000);
    expect(print(translated).every((line) => line.includes('STALE'))).toBe(true);
    expect(translated.series).toHaveLength(1);
  });

  test('metadata has the translated name and unit', () => {
    const metric: OtlpMetric = { ...gauge({}), name: 'gpu.power', unit: 'W' };
    expect(translate([metric, metric]).metadata).toEqual([
      { metric: 'gpu_power_watts', type: 'gauge', help: 'Help.', unit: 'watts' },
    ]);
  });

  test('an unknown or empty metric is a warning, not a rejection', () => {
    const points = translate([{ ...NAMES, kind: 'empty' }]);
    expect([points.rejectedPoints, points.rejectedMessage]).toEqual([0, 'metric "m": no data points']);
  });
});

describe('histograms', () => {
  const exemplar = (value: number) => ({
    timeMs: T,
    value,
    traceId: 'ab'.repeat(16),
    spanId: 'cd'.repeat(8),
    attributes: { model: 'x' },
  });
  const histogram = (more: object): OtlpMetric => ({
    ...NAMES,
    unit: 's',
    kind: 'histogram',
    temporality: 'cumulative',
    points: [{ ...POINT, count: 6, sum: 5.5, bucketCounts: [1, 2, 3], explicitBounds: [0.1, 1], ...more }],
  });

  test('become cumulative buckets, sum and count', () => {
    expect(print(translate([histogram({ attributes: { le: 'mine', model: 'x' } })]))).toEqual([
      'm_seconds_sum{model="x"} histogram cumulative 5.5@0',
      'm_seconds_count{model="x"} histogram cumulative 6@0',
      'm_seconds_bucket{le="0.1", model="x"} histogram cumulative 1@0',
      'm_seconds_bucket{le="1", model="x"} histogram cumulative 3@0',
      'm_seconds_bucket{le="+Inf", model="x"} histogram cumulative 6@0',
    ]);
  });

  test('without buckets or sum keep what they have', () => {
    expect(print(translate([histogram({ bucketCounts: [], explicitBounds: [], sum: undefined })]))).toEqual([
      'm_seconds_count histogram cumulative 6@0',
      'm_seconds_bucket{le="+Inf"} histogram cumulative 6@0',
    ]);
  });

  test('without a recorded value are staleness markers in every series', () => {
    const lines = print(translate([histogram({ noRecordedValue: true })]));
    expect(lines).toHaveLength(5);
    expect(lines.every((line) => line.includes('STALE'))).toBe(true);
  });

  test.each([
    [{ bucketCounts: [1, 2] }, '2 buckets for 2 bounds, accepted is one more than bounds'],
    [{ explicitBounds: [1, 1] }, 'bound 1 is not above the one before it'],
    [{ explicitBounds: [Number.NaN, 1] }, 'bound 0 is not above the one before it'],
  ])('that break the rules are rejected (%#)', (more, reason) => {
    const points = translate([histogram(more)]);
    expect([points.rejectedPoints, points.pointCount]).toEqual([1, 0]);
    expect(points.rejectedMessage).toContain(reason);
  });

  test('exemplars go to the bucket of their value with the IDs of their trace', () => {
    const points = translate([histogram({ exemplars: [exemplar(0.1), exemplar(0.5), exemplar(7)] })]);
    const of = points.exemplars.map((e) => printLabels(points.series[e.series].labels));
    expect(of).toEqual(['m_seconds_bucket{le="0.1"}', 'm_seconds_bucket{le="1"}', 'm_seconds_bucket{le="+Inf"}']);
    expect(points.exemplars[0].exemplar).toEqual({
      labels: ['model', 'x', 'span_id', 'cd'.repeat(8), 'trace_id', 'ab'.repeat(16)],
      value: 0.1,
      timestampMs: T,
    });
    const long = translate([histogram({ exemplars: [{ ...exemplar(1), attributes: { text: 'x'.repeat(80) } }] })]);
    expect(long.exemplars[0].exemplar.labels).toEqual(['span_id', 'cd'.repeat(8), 'trace_id', 'ab'.repeat(16)]);
  });
});

describe('exponential histograms', () => {
  const none = { offset: 0, counts: [] };
  const exponential = (more: object): OtlpMetric => ({
    ...NAMES,
    kind: 'exponential_histogram',
    temporality: 'cumulative',
    points: [
      {
        ...POINT,
        count: 10,
        sum: 4,
        scale: 2,
        zeroCount: 1,
        zeroThreshold: 0,
        positive: { offset: -2, counts: [1, 0, 3] },
        negative: { offset: 5, counts: [5] },
        ...more,
      },
    ],
  });

  test('become native histograms whose indices are one higher', () => {
    const points = translate([exponential({})]);
    expect(points.pointCount).toBe(0);
    expect(points.histograms).toEqual([
      {
        series: 0,
        timestampMs: T,
        startMs: T - 1000,
        histogram: {
          schema: 2,
          zeroThreshold: 1e-128,
          zeroCount: 1,
          count: 10,
          sum: 4,
          positiveIndices: Int32Array.of(-1, 1),
          positiveCounts: Float64Array.of(1, 3),
          negativeIndices: Int32Array.of(6),
          negativeCounts: Float64Array.of(5),
          customValues: undefined,
          counterResetHint: 'unknown',
        },
      },
    ]);
  });

  test('of scales above 8 are merged down', () => {
    const positive = { offset: -3, counts: [1, 2, 3, 4, 5, 6] };
    const { histograms } = translate([
      exponential({ scale: 10, count: 22, zeroCount: 1, positive, negative: none, zeroThreshold: 0.5 }),
    ]);
    // Four buckets each: −3…−1 belong to −1, 0…2 to 0; one higher in Prometheus.
    expect(histograms[0].histogram).toMatchObject({ schema: 8, zeroThreshold: 0.5 });
    expect(histograms[0].histogram.positiveIndices).toEqual(Int32Array.of(0, 1));
    expect(histograms[0].histogram.positiveCounts).toEqual(Float64Array.of(6, 15));
  });

  test.each([
    [{ scale: -5 }, 'scale -5, accepted is -4 and above'],
    [{ count: 11 }, 'a count that is not the sum of its buckets'],
    [{ positive: { offset: 2 ** 31 - 2, counts: [0, 4] } }, 'a bucket whose index does not fit 32 bits'],
  ])('that have no native form are rejected (%#)', (more, reason) => {
    const points = translate([exponential(more)]);
    expect([points.rejectedPoints, points.histograms.length]).toEqual([1, 0]);
    expect(points.rejectedMessage).toBe(`metric "m": ${reason}`);
  });

  test('without a recorded value are a staleness marker among the samples', () => {
    const points = translate([exponential({ noRecordedValue: true })]);
    expect(points.histograms).toEqual([]);
    expect(print(points)).toEqual(['m histogram cumulative STALE@0']);
  });
});

test('summaries become quantiles, sum and count', () => {
  const metric: OtlpMetric = {
    ...NAMES,
    kind: 'summary',
    points: [
      {
        ...POINT,
        count: 3,
        sum: 9,
        quantiles: [
          { quantile: 0.5, value: 2 },
          { quantile: 1, value: 4 },
        ],
      },
    ],
  };
  expect(print(translate([metric]))).toEqual([
    'm_sum summary cumulative 9@0',
    'm_count summary cumulative 3@0',
    'm{quantile="0.5"} summary gauge 2@0',
    'm{quantile="1"} summary gauge 4@0',
  ]);
});

describe('target_info', () => {
  const resource = { 'service.name': 'gateway', 'host.name': 'n1' };
  const at = (...times: number[]): OtlpMetric => ({
    ...NAMES,
    kind: 'gauge',
    points: times.map((timeMs) => ({ ...POINT, timeMs: T + timeMs, value: 1 })),
  });
  const info = (points: MetricPoints) => print(points).filter((line) => line.startsWith('target_info'));

  test('carries the attributes that do not identify, at half a look-back and at the end', () => {
    expect(info(translate([at(0, 100_000, 200_000, 310_000)], resource))).toEqual([
      'target_info{host_name="n1", job="gateway"} gauge gauge 1@0',
      'target_info{host_name="n1", job="gateway"} gauge gauge 1@150000',
      'target_info{host_name="n1", job="gateway"} gauge gauge 1@300000',
      'target_info{host_name="n1", job="gateway"} gauge gauge 1@310000',
    ]);
    const options = { keepIdentifyingResourceAttributes: true };
    expect(info(translate([at(0)], resource, options))).toEqual([
      'target_info{host_name="n1", job="gateway", service_name="gateway"} gauge gauge 1@0',
    ]);
  });

  test('is bounded by the points, however far apart they are', () => {
    expect(info(translate([at(1 - T, 0)], resource))).toHaveLength(3);
  });

  test('needs a job or instance, something to say and a point that was taken', () => {
    expect(info(translate([at(0)], { 'host.name': 'n1' }))).toEqual([]);
    expect(info(translate([at(0)], { 'service.name': 'gateway' }))).toEqual([]);
    expect(info(translate([at(-T)], resource))).toEqual([]);
  });
});

test('a request of many attributes and buckets is refused before it fills the memory', () => {
  const attributes = Array.from({ length: 1000 }, (_, i) => ({ key: `k${i}`, value: { string_value: 'v' } }));
  const point = {
    attributes,
    time_unix_nano: `${T}000000`,
    bucket_counts: new Array(20_001).fill(0),
    explicit_bounds: Array.from({ length: 20_000 }, (_, i) => i),
  };
  const message = {
    resource_metrics: [
      {
        scope_metrics: [{ metrics: [{ name: 'm', histogram: { data_points: [point], aggregation_temporality: 2 } }] }],
      },
    ],
  };
  const decoded = decodeOtlpMetrics(oracleEncode(otlpProto, 'otlp.ExportMetricsServiceRequest', message));
  expect(() => toSeries(decoded)).toThrow(/too many series with too many labels/);
});

test.each([
  [0.005, '0.005'],
  [1e21, '1000000000000000000000'],
  [1.5e-7, '0.00000015'],
  [-2.5e22, '-25000000000000000000000'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
  [10, '10'],
  [-0, '-0'],
])('formatFloat(%s) → %s', (value, expected) => {
  expect(formatFloat(value)).toBe(expected);
});
