import { describe, expect, test } from 'vitest';
import { readStreams, secondsToNs } from './loki.ts';
import { readTrace } from './otlp-json.ts';
import { readMatrix } from './prometheus.ts';
import { filterTraces } from './tempo.ts';

describe('readMatrix', () => {
  test('reads numbers, infinities, native histograms and warnings', () => {
    const answer = readMatrix({
      status: 'success',
      warnings: ['12 % of this is folded into other'],
      data: {
        resultType: 'matrix',
        result: [
          {
            metric: { a: 'b' },
            values: [
              [1, '2.5'],
              [2, '+Inf'],
              [3, 'NaN'],
            ],
          },
          { metric: {}, histograms: [[1, { count: '3', sum: '4', buckets: [[0, '1', '2', '3']] }]] },
        ],
      },
    });
    expect(answer.warnings).toEqual(['12 % of this is folded into other']);
    expect(answer.series[0].points).toEqual([
      [1, 2.5],
      [2, Number.POSITIVE_INFINITY],
      [3, Number.NaN],
    ]);
    expect(answer.series[1].histograms).toEqual([[1, [{ lower: 1, upper: 2, count: 3 }]]]);
  });

  test.each([
    [{ status: 'error', error: 'parse error' }],
    [{ status: 'success', data: { resultType: 'vector', result: [] } }],
    [null],
  ])('refuses %j', (body) => {
    expect(() => readMatrix(body)).toThrow();
  });
});

test('log lines of all streams come newest first, with metadata beside labels', () => {
  const lines = readStreams({
    data: {
      resultType: 'streams',
      result: [
        { stream: { s: 'a' }, values: [['999', 'old']] },
        { stream: { s: 'b' }, values: [['1000', 'new', { structuredMetadata: { trace_id: 't' } }]] },
      ],
    },
  });
  expect(lines.map((l) => [l.line, l.labels])).toEqual([
    ['new', { s: 'b', trace_id: 't' }],
    ['old', { s: 'a' }],
  ]);
  expect(secondsToNs(1_764_000_000.25)).toBe('1764000000250000000');
});

describe('readTrace', () => {
  const span = {
    spanId: 'AAAAAAAAAAE=',
    parentSpanId: '',
    name: 'gateway',
    startTimeUnixNano: '1764000000000000001',
    endTimeUnixNano: '1764000000000000101',
    status: { code: 'STATUS_CODE_ERROR' },
    attributes: [
      { key: 'n', value: { intValue: '7' } },
      { key: 'list', value: { arrayValue: { values: [{ stringValue: 'a' }, { boolValue: true }] } } },
    ],
  };
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'gw' } }] };

  test.each([['batches'], ['resourceSpans']])('reads %s, base64 IDs and exact nanoseconds', (key) => {
    const trace = readTrace('t', { [key]: [{ resource, scopeSpans: [{ spans: [span] }] }] });
    expect(trace?.durationNs).toBe(100);
    expect(trace?.spans[0]).toMatchObject({
      spanId: '0000000000000001',
      service: 'gw',
      failed: true,
      durationNs: 100,
      attributes: { n: 7, list: '[a, true]' },
    });
  });

  test('nothing is no trace', () => {
    expect(readTrace('t', {})).toBeUndefined();
    expect(readTrace('t', null)).toBeUndefined();
  });
});

describe('filterTraces', () => {
  test('adds conditions under every name that spans carry', () => {
    expect(filterTraces('{ name = "gateway" }', { region: ['eu-1'] })).toBe(
      '{ name = "gateway" && (.region = "eu-1" || .cloud.region = "eu-1") }',
    );
    expect(filterTraces('{}', { gpu_type: ['H100'] })).toBe('{ .gpu_type = "H100" }');
    expect(filterTraces('{ status = error }', {})).toBe('{ status = error }');
  });
});
