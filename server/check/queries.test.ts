// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Grafana writes variables so.
import { describe, expect, it } from 'vitest';
import { createGovernor } from '../govern/index.ts';
import { parsePromql } from '../query/index.ts';
import { judgeUse } from './judge-use.ts';
import { labelUses } from './label-uses.ts';
import { withoutVariables } from './variables.ts';

function usesOf(query: string): string[] {
  return labelUses(parsePromql(query)).map(({ metric, label }) => `${metric} ${label}`);
}

describe('the labels that an expression asks for', () => {
  it.each([
    ['a{x="1"}', ['a x']],
    ['sum by (x) (rate(a[5m]))', ['a x']],
    ['sum without (x) (a)', []],
    ['sum by (x) (sum by (y) (a))', ['a y']],
    ['a / on (x) group_left (y) b', ['a x', 'b x', 'b y']],
    ['sum by (z) (a * on (x) group_right () b)', ['a x', 'b x', 'b z']],
    ['sum by (x) (a or b)', ['a x', 'b x']],
    ['sum by (new) (label_replace(a, "new", "$1", "old", "(.*)"))', ['a old']],
    ['label_join(a, "new", "-", "p", "q")', ['a p', 'a q']],
    ['count_values("version", a)', []],
    ['histogram_quantile(0.9, sum by (le, x) (rate(a_bucket[5m])))', ['a_bucket le', 'a_bucket x']],
    ['{__name__=~"a.*", x="1"}', []],
    ['max_over_time(sum by (x) (a)[1h:5m])', ['a x']],
  ])('%s', (query, uses) => {
    expect(usesOf(query).sort()).toEqual(uses.sort());
  });
});

describe('variables of a dashboard', () => {
  it.each([
    ['rate(a[$__rate_interval])', 'rate(a[5m])'],
    ['rate(a{x="$x"}[${range}])', 'rate(a{x="$x"}[5m])'],
    ['sum by ($group, le) (a)', 'sum by (__variable__, le) (a)'],
    ['topk($n, a)', 'topk(1, a)'],
    ['$metric{x="1"}', '__variable__{x="1"}'],
    ['a offset $shift', 'a offset 5m'],
    ['a{x="it\\"s $y"} > $limit', 'a{x="it\\"s $y"} > 1'],
    ['max_over_time(a[1h:[[step]]])', 'max_over_time(a[1h:5m])'],
  ])('%s becomes PromQL', (written, query) => {
    expect(withoutVariables(written)).toBe(query);
    expect(() => parsePromql(query)).not.toThrow();
  });
});

describe('under the policy', () => {
  const governor = createGovernor();
  const found = (query: string) =>
    labelUses(parsePromql(query)).flatMap((use) => judgeUse(governor, use)?.message ?? []);

  it.each([
    ['inference_requests_total{outcome="ok", model_version="m"}', []],
    ['inference_requests_total{outcome=~"ok|fine"}', [/by "fine", which it never is/]],
    ['inference_requests_total{outcome!="ok"}', []],
    ['sum by (colour) (inference_requests_total)', [/will not exist \(unlisted\), so everything is one group/]],
    ['sum by (colour) (node_load1)', []],
    ['inference_requests_total{trace_id=~".*"}', [/will not exist \(trace\), so every series meets/]],
    ['vllm:num_requests_running{model_name="m"}', [/stored as model_version, so it finds nothing/]],
    ['job:anything:rate5m{colour="red"}', []],
    ['fleet:inference_requests_total{region="eu"}', []],
    ['fleet:inference_requests_total{instance="i"}', [/will not exist \(fleet\)/]],
  ])('%s', (query, messages: RegExp[]) => {
    expect(found(query)).toEqual(messages.map((message) => expect.stringMatching(message)));
  });

  it('counts nothing', () => {
    expect(governor.decisions()).toEqual([]);
    expect(governor.census.total.size).toBe(0);
  });
});
