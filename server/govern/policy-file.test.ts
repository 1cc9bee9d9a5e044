import fs from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { readYaml } from '../config/index.ts';
import { labelsFromRecord, labelsToRecord, type MetricType } from '../model/index.ts';
import { createPolicy } from './default-policy.ts';
import { createGovernor, type Governor } from './governor.ts';
import { describePolicy } from './policy-changes.ts';
import { parsePolicy } from './policy-file.ts';

function read(text: string) {
  const { value, lineOf } = readYaml(text, 'policy.yaml');
  return parsePolicy(value, (at) => `policy.yaml:${lineOf(at)}`);
}

function governorOf(text: string): Governor {
  return createGovernor(read(text));
}

function judge(governor: Governor, record: Record<string, string>, type: MetricType = 'counter') {
  const verdict = governor.judgeSeries(labelsFromRecord(record), type, 'remote_write');
  return 'labels' in verdict ? { ...verdict, labels: labelsToRecord(verdict.labels) } : verdict;
}

describe('a policy that is wrong', () => {
  it.each([
    ['label: {}', 'policy.yaml:1 › label: got an unknown key, accepted is labels, never'],
    [
      'labels:\n  team: {class: public}',
      'policy.yaml:2 › labels.team.class: got "public", accepted is allowed, structural',
    ],
    ['labels:\n  team:\n    budget: 0', 'policy.yaml:3 › labels.team.budget: got 0, accepted is at least 1'],
    ['labels:\n  team: {budget: 5}', 'policy.yaml:2 › labels.team: got no class, accepted is a class'],
    ['labels:\n  region: {colour: 1}', 'labels.region.colour: got an unknown key, accepted is class, budget'],
    ['labels: {user_id: {class: allowed}}', 'labels.user_id: got a label that the rule user removes'],
    ['labels: {gen_ai_prompt: {class: allowed}}', 'labels.gen_ai_prompt: got a label that'],
    ['limits: {label_per_series: 4}', 'limits.label_per_series: got an unknown key, accepted is labels_per_series'],
    ['limits: {series: many}', 'limits.series: got "many", accepted is a number'],
    ['profiles:\n  - match: "a*b*c*d*e*f"', 'policy.yaml:2 › profiles.0.match: got "a*b*c*d*e*f", accepted is'],
    ['profiles:\n  - other_labels: keep', 'profiles.0.match: got nothing'],
    [
      'profiles:\n  - match: x\n    drop: [le]',
      'policy.yaml:3 › profiles.0.drop.0: got "le", accepted is other labels',
    ],
    ['gauges: {queue: median}', 'gauges.queue: got "median", accepted is sum, max, avg, last'],
    ['relabel_configs:\n  - {action: hop}', 'policy.yaml:2 › relabel_configs.0.action: got "hop", accepted is replace'],
    ['relabel_configs:\n  - action: labeldrop\n    regex: "("', 'policy.yaml:3 › relabel_configs.0.regex: got "("'],
    ['never:\n  - {rule: x, pattern: "(?P<a>b)"}', 'never.0.pattern: got "(?P<a>b)", accepted is an expression'],
    ['fleet: {resolution: soon}', 'fleet.resolution: got "soon", accepted is a duration'],
    ['aliases:\n  - {to: region, from: []}', 'aliases.0.from: got a list, accepted is at least 1 of them'],
  ])('%j is refused: %s', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe('a policy', () => {
  it('as the reference shows it is accepted, and the reference lists every key', () => {
    const file = path.join(import.meta.dirname, '..', '..', 'docs', 'reference', 'policy.md');
    const page = fs.readFileSync(file, 'utf8');
    const [, example] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
    expect(() => read(example)).not.toThrow();
    const { limits, ...rest } = describePolicy(createPolicy());
    for (const key of [...Object.keys(rest), ...Object.keys(limits as object)]) expect(page).toContain(`\`${key}\``);
  });

  it('that is printed reads back to the same one', () => {
    const text = `
labels:
  team: {class: structural, budget: 5}
  adapter: {class: never}
never: [{rule: ticket, pattern: 'ticket.*'}]
aliases: [{to: model_version, from: [llm, {name: served_as, keep: true}], metric_prefix: my_}]
profiles:
  - {match: 'my_*', other_labels: drop, keep: [shard], budgets: {team: 2}, series_per_metric: 10}
gauges: {'my_*_depth': avg}
relabel_configs: [{regex: tmp_.*, action: labeldrop}]
limits: {labels_per_series: 12, series: 0}
fleet: {labels: [region], resolution: 1m}
content: {log_fields: [Raw-Text], attributes: [my.prompt]}
`;
    const policy = createPolicy(read(text));
    const printed = stringify(describePolicy(policy), { aliasDuplicateObjects: false });
    expect(createPolicy(parsePolicy(parse(printed)))).toEqual(policy);
    expect(createPolicy(parsePolicy(parse(stringify(describePolicy(createPolicy())))))).toEqual(createPolicy());
  });

  it('gives a label a class, and takes one away', () => {
    const governor = governorOf('labels: {team: {class: allowed}, customer_tier: {class: never}}');
    const record = { __name__: 'inference_requests_total', team: 'search', customer_tier: 'pro' };
    expect(judge(governor, record)).toMatchObject({
      kind: 'aggregate',
      labels: { team: 'search' },
      reasons: ['policy'],
    });
    expect(judge(governor, record)).not.toHaveProperty('labels.customer_tier');
  });

  it('says by profile which labels stay, the first that matches first', () => {
    const governor = governorOf(`
profiles:
  - {match: 'my_cache_*', other_labels: keep}
  - {match: ['my_*', 'our_?'], other_labels: drop, keep: [shard], infrastructure: drop}
`);
    const labels = { shard: 's', colour: 'red', instance: 'i' };
    expect(judge(governor, { __name__: 'my_cache_hits', ...labels }).kind).toBe('aggregate');
    expect(judge(governor, { __name__: 'my_cache_hits', ...labels })).toMatchObject({
      labels: { shard: 's', colour: 'red' },
    });
    expect(judge(governor, { __name__: 'my_hits', ...labels })).toMatchObject({
      labels: { __name__: 'my_hits', shard: 's' },
      reasons: ['unlisted', 'infrastructure'],
    });
    expect(judge(governor, { __name__: 'our_x', colour: 'red' })).toMatchObject({ reasons: ['unlisted'] });
    expect(judge(governor, { __name__: 'our_xy', colour: 'red' })).toMatchObject({ kind: 'keep' });
  });

  it('never lets a profile keep what is never allowed', () => {
    expect(() => read('profiles: [{match: "*", keep: [session_id]}]')).toThrow('the rule session removes');
  });

  it('joins gauges as it says, and counters as ever', () => {
    const governor = governorOf('gauges: {app_ratio: avg, "inference_requests_*": last}');
    const leak = { request_id: 'x' };
    expect(judge(governor, { __name__: 'app_ratio', ...leak }, 'gauge')).toMatchObject({ rule: 'avg' });
    expect(judge(governor, { __name__: 'inference_requests_running', ...leak }, 'gauge')).toMatchObject({
      rule: 'last',
    });
    expect(judge(governor, { __name__: 'inference_requests_total', ...leak })).toMatchObject({ rule: 'counter' });
  });

  it('bounds values by metric', () => {
    const governor = governorOf('profiles: [{match: app_*, budgets: {region: 1}, other_budget: 1}]');
    const region = (metric: string, value: string) =>
      judge(governor, { __name__: metric, region: value, colour: value });
    expect(region('app_total', 'eu').kind).toBe('keep');
    expect(region('app_total', 'us')).toMatchObject({ labels: { region: 'other', colour: 'other' } });
    expect(region('web_total', 'eu').kind).toBe('keep');
    expect(region('web_total', 'us').kind).toBe('keep');
    expect(governor.budgets()).toContainEqual({ metric: 'app_total', label: 'region', used: 1, budget: 1 });
  });
});

describe('relabelling', () => {
  it('leaves series out without an error', () => {
    const governor = governorOf('relabel_configs: [{source_labels: [__name__], regex: go_.*, action: drop}]');
    expect(judge(governor, { __name__: 'go_threads' })).toEqual({ kind: 'drop' });
    expect(judge(governor, { __name__: 'up' }).kind).toBe('keep');
    expect(governor.decisions()).toContainEqual(expect.objectContaining({ rule: 'relabel', count: 1 }));
  });

  it('that may make series equal has them added up, and that only adds a label has not', () => {
    const governor = governorOf(`
relabel_configs:
  - {regex: pod_hash, action: labeldrop}
  - {target_label: cluster, replacement: c1}
  - {source_labels: [cluster], target_label: __tmp}
`);
    expect(judge(governor, { __name__: 'app_total', pod_hash: 'a' })).toMatchObject({
      kind: 'aggregate',
      labels: { __name__: 'app_total', cluster: 'c1' },
      reasons: ['relabel'],
    });
    const kept = judge(governor, { __name__: 'app_total', region: 'eu' });
    expect(kept).toMatchObject({ kind: 'keep', labels: { __name__: 'app_total', cluster: 'c1', region: 'eu' } });
    expect(kept).not.toHaveProperty('labels.__tmp');
  });

  it('comes before judgement, so it can rename onto the taxonomy', () => {
    const governor = governorOf(`
relabel_configs:
  - {source_labels: [dc], target_label: region}
  - {regex: dc, action: labeldrop}
`);
    expect(judge(governor, { __name__: 'inference_requests_total', dc: 'eu-1' })).toMatchObject({
      labels: { region: 'eu-1' },
      reasons: ['relabel'],
    });
  });
});

describe('limits on series', () => {
  const at = (governor: Governor, i: number, metric = 'app_total') =>
    judge(governor, { __name__: metric, shard: `s${i}` });

  it('refuse new ones past them, and keep those that are there', () => {
    const governor = governorOf('limits: {series: 3, series_per_metric: 2}');
    expect([at(governor, 1).kind, at(governor, 2).kind]).toEqual(['keep', 'keep']);
    expect(at(governor, 3)).toMatchObject({ kind: 'refuse', code: 'too_many_series_of_metric' });
    expect(at(governor, 1, 'web_total').kind).toBe('keep');
    expect(at(governor, 2, 'web_total')).toMatchObject({ kind: 'refuse', code: 'too_many_series' });
    expect(at(governor, 1).kind).toBe('keep');
  });

  it('hold in each minute', () => {
    let nowMs = 1000;
    const governor = createGovernor(read('limits: {new_series_per_minute: 1}'), { nowMs: () => nowMs });
    expect(at(governor, 1).kind).toBe('keep');
    expect(at(governor, 2)).toMatchObject({ kind: 'refuse', code: 'too_many_new_series' });
    expect(at(governor, 1).kind).toBe('keep');
    nowMs += 60_000;
    expect(at(governor, 2).kind).toBe('keep');
  });
});

describe('another policy', () => {
  it('is in force at once, keeps what was counted, and a wrong one changes nothing', () => {
    const governor = createGovernor();
    judge(governor, { __name__: 'app_total', colour: 'red' });
    expect(governor.generation).toBe(1);
    governor.use(read('profiles: [{match: "*", other_labels: drop}]'));
    expect(governor.generation).toBe(2);
    expect(judge(governor, { __name__: 'app_total', colour: 'red' })).toMatchObject({ reasons: ['unlisted'] });
    expect(() => governor.use({ never: [{ rule: 'x', pattern: '(' }] })).toThrow('policy rule x');
    expect(governor.generation).toBe(2);
    governor.use(read('limits: {other_budget: 1}'));
    expect(judge(governor, { __name__: 'app_total', colour: 'red' }).kind).toBe('keep');
    expect(judge(governor, { __name__: 'app_total', colour: 'blue' })).toMatchObject({ reasons: ['budget'] });
  });
});
