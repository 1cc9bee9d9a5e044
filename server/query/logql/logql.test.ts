import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LogEntry, labelsFromRecord } from '../../model/index.ts';
import { encodeLoki, explainLogql, parseLogql, parseLogSelector, printLogql, queryLogql } from './index.ts';
import { createMemoryLogReader } from './memory-reader.ts';

const SECOND = 1_000_000_000n;

function entry(
  stream: Record<string, string>,
  second: number,
  line: string,
  metadata: Record<string, string> = {},
): LogEntry {
  return {
    stream: labelsFromRecord(stream),
    timestampNs: BigInt(Math.round(second * 1e9)),
    line,
    metadata: labelsFromRecord(metadata),
  };
}

function decode(bytes: Uint8Array): { status: string; data: Record<string, unknown> } {
  return JSON.parse(Buffer.from(bytes).toString()) as { status: string; data: Record<string, unknown> };
}

/** A query's tree as text, without positions. */
function treeOf(query: string): string {
  return JSON.stringify(parseLogql(query), (name, value) =>
    name === 'at' ? undefined : typeof value === 'bigint' ? `${value}n` : value,
  );
}

const LINES = [
  entry({ app: 'a' }, 1, '{"level":"info","n":1}', { trace_id: 't1' }),
  entry({ app: 'a' }, 2, 'level=error n=2'),
  entry({ app: 'b' }, 3, 'plain'),
  entry({ app: 'a' }, 4, '{"level":"warn","n":3,"app":"x"}'),
];
const RANGE = { startNs: 0n, endNs: 10n * SECOND, stepNs: SECOND };

describe('log queries', () => {
  const reader = createMemoryLogReader(LINES, 2);

  test('give the newest lines first and stop at the limit', async () => {
    const result = await queryLogql('{app=~".+"}', { ...RANGE, limit: 3 }, reader);
    expect(result.kind === 'streams' && result.rows.map((row) => row.line)).toEqual([
      LINES[3].line,
      'plain',
      'level=error n=2',
    ]);
    expect(result.stats.lines).toBe(3);
  });

  test('end before the end of the range, and begin at its start', async () => {
    const query = (startNs: bigint, endNs: bigint) =>
      queryLogql('{app=~".+"}', { ...RANGE, startNs, endNs, direction: 'forward' }, reader);
    const result = await query(SECOND, 3n * SECOND);
    expect(result.kind === 'streams' && result.rows.map((row) => row.timestampNs)).toEqual([SECOND, 2n * SECOND]);
  });

  test('keep labels of three sources apart where asked to, and merge them otherwise', async () => {
    const result = await queryLogql('{app="a"} | json', { ...RANGE, direction: 'forward' }, reader);
    const categorized = decode(encodeLoki(result, { categorizeLabels: true })).data;
    expect(categorized.encodingFlags).toEqual(['categorize-labels']);
    expect(categorized.result).toEqual([
      {
        stream: { app: 'a' },
        values: [
          ['1000000000', LINES[0].line, { structuredMetadata: { trace_id: 't1' }, parsed: { level: 'info', n: '1' } }],
          [
            '2000000000',
            LINES[1].line,
            { parsed: { __error__: 'JSONParserErr', __error_details__: 'not a JSON object' } },
          ],
          ['4000000000', LINES[3].line, { parsed: { app_extracted: 'x', level: 'warn', n: '3' } }],
        ],
      },
    ]);
    const merged = decode(encodeLoki(result, { categorizeLabels: false })).data;
    expect(merged.encodingFlags).toBeUndefined();
    expect((merged.result as { stream: object }[])[0].stream).toEqual({
      app: 'a',
      level: 'info',
      n: '1',
      trace_id: 't1',
    });
  });

  test('an empty third element stands where a line has no labels of its own', async () => {
    const result = await queryLogql('{app="b"}', RANGE, reader);
    expect(decode(encodeLoki(result, { categorizeLabels: true })).data.result).toEqual([
      { stream: { app: 'b' }, values: [['3000000000', 'plain', {}]] },
    ]);
  });

  test('detect levels where asked to', async () => {
    const result = await queryLogql('{app="a"}', { ...RANGE, detectLevels: true, direction: 'forward' }, reader);
    const levels = result.kind === 'streams' ? result.rows.map((row) => row.metadata[1]) : [];
    expect(levels).toEqual(['info', 'error', 'warn']);
  });

  test('refuse a limit over the maximum and name it', async () => {
    await expect(queryLogql('{app="a"}', { ...RANGE, limit: 5001 }, reader)).rejects.toMatchObject({
      code: 'query_limit',
      message: 'limit of a log query: got 5001, accepted is at most 5000; ask for a whole number of lines from 1',
    });
  });

  test('end when their request goes away', async () => {
    const signal = AbortSignal.abort();
    await expect(queryLogql('{app="a"}', { ...RANGE, signal }, reader)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('metric queries', () => {
  const reader = createMemoryLogReader(LINES, 2);

  test("answer Grafana's health check by evaluation", async () => {
    const result = await queryLogql('vector(1)+vector(1)', { startNs: 0n, endNs: 4n * SECOND, stepNs: 0n }, reader);
    const { data } = decode(encodeLoki(result, { categorizeLabels: true }));
    expect(data.resultType).toBe('vector');
    expect(data.result).toEqual([{ metric: {}, value: [4, '2'] }]);
  });

  test('give a matrix with seconds and text', async () => {
    const result = await queryLogql(
      'sum(count_over_time({app="a"}[2s]))',
      { ...RANGE, startNs: SECOND, endNs: 3n * SECOND },
      reader,
    );
    const { data } = decode(encodeLoki(result, { categorizeLabels: true }));
    expect(data.resultType).toBe('matrix');
    expect(data.result).toEqual([
      {
        metric: {},
        values: [
          [1, '1'],
          [2, '2'],
          [3, '1'],
        ],
      },
    ]);
  });

  test('refuse more series than the limit', async () => {
    const many = Array.from({ length: 20 }, (_, i) => entry({ app: 'a' }, 1, `line ${i}`, { trace_id: `t${i}` }));
    const query = queryLogql(
      'count_over_time({app="a"}[5s])',
      { ...RANGE, limits: { maxSeries: 10 } },
      createMemoryLogReader(many),
    );
    await expect(query).rejects.toMatchObject({ code: 'query_limit', message: expect.stringContaining('at most 10') });
  });

  test('refuse more steps, and more samples, than the limits', async () => {
    await expect(
      queryLogql('vector(1)', { startNs: 0n, endNs: 20_000n * SECOND, stepNs: SECOND }, reader),
    ).rejects.toMatchObject({ code: 'query_limit' });
    const query = 'quantile_over_time(0.5, {app="a"} | logfmt | unwrap n [5s])';
    const lines = Array.from({ length: 20 }, (_, i) => entry({ app: 'a' }, 1 + i / 100, `n=${i}`));
    await expect(
      queryLogql(query, { ...RANGE, limits: { maxSamples: 10 } }, createMemoryLogReader(lines)),
    ).rejects.toMatchObject({ code: 'query_limit' });
  });

  test('never quote a line in an error', async () => {
    const secret = createMemoryLogReader([entry({ app: 'a' }, 1, 'took=SECRET size=SECRET')]);
    for (const query of [
      'count_over_time({app="a"} | json [5s])',
      'count_over_time({app="a"} | logfmt | took > 1s [5s])',
      'sum_over_time({app="a"} | logfmt | unwrap bytes(size) [5s])',
      'count_over_time({app="a"} | logfmt | label_format x=`{{ .took.field }}` [5s])',
    ]) {
      const error = await queryLogql(query, RANGE, secret).catch((caught: Error) => caught);
      expect(error, query).toMatchObject({ code: 'logql_pipeline' });
      expect((error as Error).message).not.toContain('SECRET');
    }
  });
});

describe('parsing and printing', () => {
  test.each([
    '{app="a", b!="c", d=~"e.*", f!~"g"}',
    '{app="a"} |= "x" or "y" != `a"b` |~ "z" !> "<_> b" |= ip("10.0.0.0/8")',
    '{app="a"} | logfmt --strict --keep-empty a, b="c d" | json x="y.z[0]", w | unpack | decolorize',
    '{app="a"} | (a="b" or c > 1.5s, d <= 20MB) and e != -1e3 | f = ip("::1") | line_format "{{.a}}\\n" | label_format a=b, c="{{.d}}"',
    '{app="a"} | drop a, b=~"c" | keep d, e="f" | pattern "<a> <_>" | regexp "(?P<x>y)"',
    'topk by (a) (3, sum without (b) (rate({app="a"} | unwrap duration_seconds(x) | __error__="" [1h30m] offset -5m)))',
    'quantile_over_time(0.99, {app="a"} | unwrap bytes(x) [5m]) by (a, b) > bool 1 / -2',
    'label_replace(count_over_time({a="b"}[5m]), "a", "$1", "b", "(.*)") * on (x) group_left (y) vector(2) or vector(-1)',
  ])('keeps %s', (query) => {
    const printed = printLogql(parseLogql(query));
    expect(treeOf(printed)).toBe(treeOf(query));
    expect(printLogql(parseLogql(printed))).toBe(printed);
  });

  test.each([
    ['{app="a"', '1:9: parse error: syntax error: unexpected end of query, expecting }'],
    ['{app=a}', '1:6: parse error: syntax error: unexpected a, expecting STRING'],
    [
      'rate({app="a"}\n  | jsn [5m])',
      '2:9: parse error: syntax error: unexpected [, expecting a comparison after the label jsn',
    ],
    ['sum(rate({app="a"}[5m])) by', '1:28: parse error: syntax error: unexpected end of query, expecting ('],
    ['{app="a"} |= foo', '1:14: parse error: syntax error: unexpected foo, expecting STRING or ip(…)'],
    ['{app="a"} + 1', "1:1: parse error: log lines can't be an operand of +"],
    ['approx_count_distinct(rate({app="a"}[5m]))', '1:1: not supported yet: got approx_count_distinct'],
  ])('says what is wrong with %s', (query, message) => {
    expect(() => parseLogql(query)).toThrow(message);
  });

  test('never overflows the stack, whatever comes in', () => {
    expect(() => parseLogql('('.repeat(1000))).toThrow('nesting deeper than 200 levels');
    expect(() => parseLogql(`{a="b"} | ${'('.repeat(1000)}`)).toThrow('nesting deeper than 200 levels');
    expect(() => parseLogql(`1${'^1'.repeat(1000)}`)).toThrow('nesting deeper than 200 levels');
    expect(printLogql(parseLogql(`1${'+1'.repeat(2400)}`))).toContain('1 + 1');
    expect(() => parseLogql(`1${'+1'.repeat(100_000)}`)).toThrow('query of more than 5000 words and signs');
  });

  test('any text parses or fails with an error of ours', () => {
    const word = fc.constantFrom(
      '{',
      '}',
      'a',
      '="b"',
      '|',
      '|=',
      '"x"',
      'json',
      'rate(',
      ')',
      '[5m]',
      'by',
      '(',
      ',',
      '1',
      'or',
      '-',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 15 }), (words) => {
        const text = words.join('');
        try {
          const printed = printLogql(parseLogql(text));
          expect(treeOf(printed)).toBe(treeOf(text));
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^logql_|^bad_regex$/);
        }
      }),
      { numRuns: 500 },
    );
  });

  test('selectors become matchers', () => {
    expect(parseLogSelector('{a="b", c=~"d|e"}').map(({ name, op, values }) => [name, op, values])).toEqual([
      ['a', '=', ['b']],
      ['c', '=~', ['d', 'e']],
    ]);
    expect(parseLogSelector('{}')).toEqual([]);
    expect(() => parseLogSelector('{a="b"} | json')).toThrow('expecting end of query');
  });
});

describe('plans', () => {
  test('merge aggregations, push texts down, and extract only what is read', () => {
    expect(explainLogql('sum by (level) (rate({app="a"} |= "err" |= "x" or "y" | logfmt | took > 1s [5m]))')).toBe(
      [
        'rate [5m] by (level) merged into sum',
        '  scan {app="a"} |= "err" |= "x" or "y" | logfmt | took > 1s: labels level, took, storage looks for "err"',
        '',
      ].join('\n'),
    );
  });

  test('look for nothing in storage that a stage could have put into the line', () => {
    expect(explainLogql('{app="a"} | line_format "{{.x}} new" |= "new"')).not.toContain('storage looks for');
  });

  test('keep inner series where an outer aggregation needs them', () => {
    expect(explainLogql('avg(count_over_time({app="a"} | json [5m]))')).toBe(
      ['avg by ()', '  count_over_time [5m] by every label', '    scan {app="a"} | json: all labels', ''].join('\n'),
    );
  });
});
