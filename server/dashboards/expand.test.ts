import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expandQuery, rateWindowSeconds } from './expand.ts';

const labels = ['model_version', 'region'];
const context = { filters: {}, labels, stepSeconds: 30, sampleIntervalSeconds: 15 };

describe('expandQuery', () => {
  test.each([
    ['up{$filters}', 'up{}'],
    ['up{a="b",$filters}', 'up{a="b"}'],
    ['up{$filters,a="b"}', 'up{a="b"}'],
    ['up{a="b", $filters, c="d"}', 'up{a="b", c="d"}'],
    ['rate(up[$__rate_interval]) + x[$__interval]', 'rate(up[60s]) + x[30s]'],
  ])('%s without filters', (expr, expanded) => {
    expect(expandQuery(expr, 'promql', context)).toBe(expanded);
  });

  test('turns one value into an equality and several into an alternation', () => {
    const filters = { region: ['eu-1'], model_version: ['b.2', 'a|1'] };
    expect(expandQuery('up{a="b",$filters}', 'promql', { ...context, filters })).toBe(
      'up{a="b",model_version=~"a\\\\|1|b\\\\.2",region="eu-1"}',
    );
  });

  test('leaves out labels that the metrics do not carry', () => {
    const filters = { customer_tier: ['gold'], region: [] };
    expect(expandQuery('up{$filters}', 'promql', { ...context, filters })).toBe('up{}');
  });

  test('lets log streams pass that do not carry the label', () => {
    const filters = { region: ['eu-1'] };
    expect(expandQuery('{a="b",$filters}', 'logql', { ...context, filters })).toBe('{a="b",region=~"eu-1|"}');
  });

  test('leaves placeholders inside a chosen value alone', () => {
    const filters = { region: ['$__interval'] };
    expect(expandQuery('up{$filters}[$__interval]', 'promql', { ...context, filters })).toBe(
      'up{region="$__interval"}[30s]',
    );
  });

  test('matches exactly the chosen values, whatever they hold', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 2, maxLength: 5 }),
        fc.string(),
        (values, other) => {
          const expr = expandQuery('$filters', 'promql', { ...context, filters: { region: values } });
          const pattern = new RegExp(`^(?:${JSON.parse(expr.slice('region=~'.length))})$`, 's');
          for (const value of values) expect(pattern.test(value)).toBe(true);
          expect(pattern.test(other)).toBe(values.includes(other));
        },
      ),
    );
  });
});

test('GPUs are filtered by what they serve through the pod of their engine, and not joined without need', () => {
  const expr = 'max by (node) (DCGM_FI_DEV_GPU_TEMP{$filters}$serving)';
  expect(expandQuery(expr, 'promql', context)).toBe('max by (node) (DCGM_FI_DEV_GPU_TEMP{})');
  const filters = { deployment: ['chat$serving'], region: ['eu'] };
  expect(expandQuery(expr, 'promql', { ...context, labels: ['region'], filters })).toBe(
    'max by (node) (DCGM_FI_DEV_GPU_TEMP{region="eu"} and on (replica) (' +
      'last_over_time(inference_requests_running{deployment="chat$serving"}[30m]) or ' +
      'last_over_time(vllm:num_requests_running{deployment="chat$serving"}[30m])))',
  );
});

test('a rate window holds four reports and no gap between steps', () => {
  expect(rateWindowSeconds(15, 15)).toBe(60);
  expect(rateWindowSeconds(300, 15)).toBe(315);
});
