import { describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../../model/index.ts';
import { encodePrometheus } from './encode.ts';
import { explainPromql, parseSelector, type QueryOptions, queryPromql } from './engine.ts';
import { formatG, formatValue } from './format.ts';
import { xxHash64 } from './label-hash.ts';
import { MemoryMetricReader } from './memory-reader.ts';

const HOUR: QueryOptions = { startMs: 0, endMs: 3_600_000, stepMs: 60_000 };

function reader(count = 3): MemoryMetricReader {
  const memory = new MemoryMetricReader();
  for (let i = 0; i < count; i++) {
    memory.add({
      labels: labelsFromRecord({ __name__: 'tokens_total', instance: String(i) }),
      timestamps: Float64Array.from({ length: 241 }, (_, t) => t * 15_000),
      values: Float64Array.from({ length: 241 }, (_, t) => t * (i + 1)),
      histograms: undefined,
    });
  }
  return memory;
}

describe('plans', () => {
  it('read each selector once, share equal work, and evaluate what never changes once', () => {
    const query =
      'sum(rate(tokens_total[5m])) / sum(rate(tokens_total[5m] offset 1h)) > sum(rate(tokens_total[5m])) + max_over_time(up[1h:5m] @ end())';
    expect(explainPromql(query, { startMs: 3_600_000, endMs: 7_200_000, stepMs: 15_000 })).toBe(
      [
        'steps 241 from 3600000 every 15s',
        'fetch #0 tokens_total [-299999, 7200000]',
        'fetch #1 up [3600001, 7200000]',
        'binary >',
        '  binary /',
        '    aggregate sum by () %2',
        '      call rate',
        '        range #0 5m',
        '    aggregate sum by ()',
        '      call rate',
        '        range #0 5m offset 1h',
        '  binary +',
        '    see %2',
        '    once',
        '      call max_over_time',
        '        subquery 1h at 7200000, 12 steps from 3900000 every 5m',
        '          instant #1 lookback 5m',
      ].join('\n'),
    );
  });

  it('name every place of a shared expression in remarks', async () => {
    const { infos } = await queryPromql('rate(up[5m])\n + rate(up[5m])', HOUR, await upReader());
    expect(infos).toEqual([
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "up" (1:6)',
      'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "up" (2:9)',
    ]);
  });
});

async function upReader(): Promise<MemoryMetricReader> {
  const memory = new MemoryMetricReader();
  const timestamps = Float64Array.from({ length: 61 }, (_, i) => i * 60_000);
  memory.add({ labels: ['__name__', 'up'], timestamps, values: timestamps.slice(), histograms: undefined });
  return memory;
}

describe('limits', () => {
  it('end a query that reads too many samples, naming the limit', async () => {
    const limits = { maxSamples: 700 };
    await expect(queryPromql('tokens_total', { ...HOUR, limits }, reader())).rejects.toThrow(
      'accepted is at most 700; add matchers, aggregate earlier, use a longer step, or raise query.max_samples',
    );
  });

  it('count what exists at a time, not what ever existed', async () => {
    // 723 samples are read; three columns of 61 steps exist at a time, however long the sum is.
    const query = Array.from({ length: 40 }, (_, i) => `sum(tokens_total * ${i})`).join(' + ');
    const limits = { maxSamples: 723 + 10 * 61 };
    await expect(queryPromql(query, { ...HOUR, limits }, reader())).resolves.toBeDefined();
  });

  it('end a query at its deadline', async () => {
    const limits = { timeoutMs: -1 };
    await expect(queryPromql('tokens_total', { ...HOUR, limits }, reader())).rejects.toThrow('query.timeout_ms');
  });

  it('end a query that was cancelled while it is evaluated', async () => {
    let asked = 0;
    const isCancelled = () => ++asked > 3;
    await expect(queryPromql('tokens_total', { ...HOUR, isCancelled }, reader(1000))).rejects.toMatchObject({
      code: 'cancelled',
    });
  });
});

describe('names', () => {
  it('are dropped at the end by default, and at once when asked for', async () => {
    const query = 'label_replace(rate(tokens_total[5m]), "metric", "$1", "__name__", "(.*)")';
    const delayed = await queryPromql(query, HOUR, reader(1));
    const eager = await queryPromql(query, { ...HOUR, delayedNameRemoval: false }, reader(1));
    const labels = (result: typeof delayed) => (result.value.kind === 'vector' ? result.value.series[0].labels : []);
    expect(labels(delayed)).toEqual(['instance', '0', 'metric', 'tokens_total']);
    expect(labels(eager)).toEqual(['instance', '0']);
  });
});

describe('answers', () => {
  it("have the form of Prometheus's HTTP API", async () => {
    const at: QueryOptions = { startMs: 61_500, endMs: 61_500, stepMs: 0 };
    const encode = async (query: string, options = at) =>
      Buffer.from(encodePrometheus(await queryPromql(query, options, reader(1)))).toString();
    expect(await encode('1 / 0')).toBe('{"status":"success","data":{"resultType":"scalar","result":[61.5,"+Inf"]}}');
    expect(await encode('"a"')).toBe('{"status":"success","data":{"resultType":"string","result":[61.5,"a"]}}');
    expect(await encode('tokens_total')).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"tokens_total","instance":"0"},"value":[61.5,"4"]}]}}',
    );
    expect(await encode('tokens_total[30s]')).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"tokens_total","instance":"0"},"values":[[45,"3"],[60,"4"]]}]}}',
    );
    expect(await encode('tokens_total > 7', { startMs: 0, endMs: 120_000, stepMs: 60_000 })).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"tokens_total","instance":"0"},"values":[[120,"8"]]}]}}',
    );
  });

  it('show a subquery at the top without the name that its expression drops', async () => {
    const at: QueryOptions = { startMs: 60_000, endMs: 60_000, stepMs: 0 };
    const result = await queryPromql('rate(tokens_total[30s])[30s:15s]', at, reader(1));
    expect(result.value).toMatchObject({ kind: 'matrix', series: [{ labels: ['instance', '0'] }] });
    const both = 'rate({__name__=~"tokens_total|copy_total"}[30s])[30s:15s]';
    const twice = reader(1);
    twice.add({
      labels: labelsFromRecord({ __name__: 'copy_total', instance: '0' }),
      timestamps: Float64Array.of(0, 15_000, 30_000, 45_000, 60_000),
      values: new Float64Array(5),
      histograms: undefined,
    });
    await expect(queryPromql(both, at, twice)).rejects.toThrow('same labelset');
  });

  it('say what Prometheus keeps behind a flag', async () => {
    const limited = await queryPromql('limitk(1, tokens_total)', HOUR, reader());
    expect(limited.infos).toEqual(['PromQL info: the aggregation limitk is experimental (1:1)']);
    const first = await queryPromql('sum(first_over_time(tokens_total[2m]))', HOUR, reader());
    expect(first.infos).toEqual(['PromQL info: the function first_over_time is experimental (1:5)']);
  });

  it('refuse range vectors and strings over a range', async () => {
    await expect(queryPromql('tokens_total[5m]', HOUR, reader())).rejects.toThrow(
      '1:1: parse error: invalid expression type "range vector" for range query, must be Scalar or instant Vector',
    );
  });

  it.each([
    [0, '0', '0'],
    [-0, '-0', '-0'],
    [1e21, '1000000000000000000000', '1e+21'],
    [1.5e-7, '0.00000015', '1.5e-07'],
    [0.0001, '0.0001', '0.0001'],
    [1.7976931348623157e308, `17976931348623157${'0'.repeat(292)}`, '1.7976931348623157e+308'],
    [Number.NEGATIVE_INFINITY, '-Inf', '-Inf'],
  ])('write %d as Go does', (value, f, g) => {
    expect(formatValue(value)).toBe(f);
    expect(formatG(value)).toBe(g);
  });
});

describe('selectors of parameters', () => {
  it('are matchers', () => {
    const found = parseSelector('{__name__=~"a.*", job!="b"}').map(({ name, op, value }) => [name, op, value]);
    expect(found).toEqual([
      ['__name__', '=~', 'a.*'],
      ['job', '!=', 'b'],
    ]);
    expect(() => parseSelector('rate(a[5m])')).toThrow('plain selector');
  });
});

describe('the hash of labels', () => {
  it.each([
    ['', 'ef46db3751d8e999'],
    ['a', 'd24ec4f1a98c6e5b'],
    ['Nobody inspects the spammish repetition', 'fbcea83c8a378bf1'],
  ])('is XXH64: %j', (text, hash) => {
    expect(xxHash64(Buffer.from(text)).toString(16)).toBe(hash);
  });
});
