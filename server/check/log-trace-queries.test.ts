// biome-ignore-all lint/suspicious/noTemplateCurlyInString: Grafana writes variables so.
import { describe, expect, it } from 'vitest';
import { createGovernor } from '../govern/index.ts';
import { parseLogql, parseTraceql } from '../query/index.ts';
import { checkFile } from './check-file.ts';
import { judgeLogUse } from './judge-log-use.ts';
import { judgeTraceUse } from './judge-trace-use.ts';
import { logUses } from './log-uses.ts';
import { traceUses } from './trace-uses.ts';

const governor = createGovernor();

function check(text: string, kind?: 'loki_rules') {
  const bytes = new TextEncoder().encode(text);
  return checkFile({ file: 'a', bytes, kind, targets: 1, governor, recorded: new Set() });
}

describe('the labels that LogQL asks for', () => {
  it.each([
    ['{a="1"} | b="2"', ['selector a', 'filter b']],
    ['{a="1"} | json x="y" | x="2" | c="3"', ['selector a', 'filter c']],
    ['{a="1"} | pattern "<ip> <_>" | ip="x"', ['selector a']],
    ['{a="1"} | regexp "(?P<user>.*)" | user="x"', ['selector a']],
    ['sum by (b) (rate({a="1"} | label_format b=c [5m]))', ['selector a', 'filter c']],
    ['sum by (b) (sum by (c) (rate({a="1"}[5m])))', ['selector a', 'group c']],
    ['sum without (b) (rate({a="1"}[5m]))', ['selector a']],
    ['sum_over_time({a="1"} | unwrap t [5m])', ['selector a', 'unwrap t']],
    ['sum by (n) (label_replace(rate({a="1"}[5m]), "n", "$1", "o", "(.*)"))', ['selector a', 'group o']],
    [
      'sum by (z) (rate({a="1"}[5m])) / on (z) group_left (y) sum by (z, y) (rate({b="1"}[5m]))',
      ['selector a', 'group z', 'selector b', 'group z', 'group y'],
    ],
  ])('%s', (query, uses) => {
    expect(logUses(parseLogql(query)).map(({ place, label }) => `${place} ${label}`)).toEqual(uses);
  });
});

describe('LogQL under the policy', () => {
  it.each([
    ['{deployment="chat", model_version="m"} |= "error" | json | status >= 500', []],
    ['{service_name="api"} | trace_id="abc"', []],
    [
      '{trace_id="abc"}',
      [/trace_id, which is structured metadata .* so it finds nothing; write it behind the selector/],
    ],
    ['{job="a", user_id=~".*"}', [/user_id, which will not exist \(user\), so every stream meets the condition/]],
    ['{model="m"}', [/stored as model_version, so it finds nothing/]],
    [
      '{job="a"} | json | prompt=~".*secret.*"',
      [/filters by prompt, which is refused as content, so it finds nothing/],
    ],
    ['sum by (trace_id) (count_over_time({job="a"}[5m]))', [/groups or joins by trace_id, which identifies a request/]],
    ['{job="a"} | user_email="x"', [/user_email, which will not exist \(email\), so it finds nothing/]],
    ['{job="a"} | logfmt | user_email="x"', []],
    ['{job="a"} | detected_level="error" | __error__=""', []],
  ])('%s', (query, messages: RegExp[]) => {
    const found = logUses(parseLogql(query)).flatMap((use) => judgeLogUse(governor, use)?.message ?? []);
    expect(found).toEqual(messages.map((message) => expect.stringMatching(message)));
  });
});

describe('TraceQL under the policy', () => {
  it.each([
    ['{ resource.service.name = "chat" && span.gen_ai.request.model = "m" && duration > 2s }', []],
    [
      '{ span.gen_ai.input.messages =~ ".*password.*" }',
      [/asks for span\.gen_ai\.input\.messages, which is refused as content/],
    ],
    ['{ .llm.prompts != nil }', [/asks for \.llm\.prompts, which is refused as content/]],
    ['{ span.user.email = "x" }', [/span\.user\.email, which will not exist \(email\), so no span has it/]],
    ['{ span.session.id = "x" }', []],
    ['{ } | rate() by (span.session.id)', [/groups by span\.session\.id, which identifies a request/]],
    ['{ } | count_over_time() by (trace:id)', [/groups by trace:id, which identifies a request/]],
    ['{ } | by(span.gen_ai.output.messages) | count() > 2', [/groups by .*messages, which is refused .* one group/]],
    ['{ } >> { event.gen_ai.prompt = "x" }', [/asks for event\.gen_ai\.prompt, which is refused as content/]],
    ['{ span.gen_ai.usage.prompt_tokens > 100 }', [/stored as gen_ai\.usage\.input_tokens where/]],
    ['{ } | select(span.gen_ai.system_instructions)', [/refused as content/]],
    ['{ } | quantile_over_time(duration, .95) by (resource.service.name)', []],
  ])('%s', (query, messages: RegExp[]) => {
    const found = traceUses(parseTraceql(query)).flatMap((use) => judgeTraceUse(governor, use)?.message ?? []);
    expect(found).toEqual(messages.map((message) => expect.stringMatching(message)));
  });
});

const RULER = `groups:
  - name: engine
    rules:
      - alert: EngineErrors
        expr: |
          sum by (deployment) (rate({deployment=~".+"} |= "ERROR" [5m])) > 0.1
      - alert: OneUserFails
        expr: sum by (user_id) (count_over_time({deployment="chat"} | outcome="error" [10m])) > 5
      - record: session:lines:rate5m
        expr: sum by (session_id) (rate({deployment="chat"}[5m]))
      - alert: Broken
        expr: sum(rate({deployment="chat"} |= [5m]))
`;

describe('rules of Loki’s ruler', () => {
  it('are told from Prometheus’s by what they say, and judged with their lines', () => {
    const { kind, expressions, findings } = check(RULER);
    expect([kind, expressions]).toEqual(['rules', 4]);
    expect(findings).toEqual([
      expect.objectContaining({ rule: 'label_removed', level: 'error', line: 8 }),
      expect.objectContaining({ rule: 'grouped_by_id', level: 'error', line: 10 }),
      expect.objectContaining({ rule: 'logql_syntax', level: 'error', line: 12 }),
    ]);
    expect(findings[0].message).toMatch(/^the rule OneUserFails groups or joins by user_id/);
    expect(findings[2].message).toMatch(/^the rule Broken has an expression that can't be read: 1:/);
  });

  it('are read as LogQL where both languages could be meant and that was said', () => {
    const text = 'groups: [{name: a, rules: [{alert: b, expr: \'rate({session_id="x"}[5m]) > 1\'}]}]';
    expect(check(text).findings).toEqual([]);
    expect(check(text, 'loki_rules').findings[0]).toMatchObject({ rule: 'label_moved' });
  });
});

const DASHBOARD = JSON.stringify(
  {
    title: 'Requests',
    templating: {
      list: [
        { name: 'model', type: 'query', datasource: { type: 'loki' }, query: 'label_values({job="a"}, model_name)' },
      ],
    },
    panels: [
      {
        title: 'Errors',
        datasource: { type: 'loki', uid: '${loki}' },
        targets: [
          { expr: 'sum by ($group) (rate({deployment="$deployment", request_id="$id"} |~ "$filter" [$__auto]))' },
          { expr: '{deployment="chat"} $pipeline' },
        ],
      },
      {
        title: 'Mixed',
        datasource: { type: 'datasource', uid: '-- Mixed --' },
        targets: [
          { datasource: { type: 'tempo' }, queryType: 'traceql', query: '{ span.gen_ai.prompt =~ ".*" }' },
          { datasource: { type: 'tempo' }, queryType: 'traceql', query: '{ status = error' },
          { datasource: { type: 'tempo' }, queryType: 'traceId', query: 'abc' },
          { datasource: { type: 'prometheus' }, expr: 'sum by (session_id) (inference_requests_total)' },
        ],
      },
    ],
  },
  undefined,
  2,
);

describe('a dashboard of three languages', () => {
  it('is checked in each, with lines; what only variables make whole is counted', () => {
    const { expressions, skipped, findings } = check(DASHBOARD);
    expect([expressions, skipped]).toEqual([5, 1]);
    const lines = DASHBOARD.split('\n');
    expect(findings.map(({ rule, line }) => [rule, lines[(line ?? 0) - 1].trim().slice(0, 30)])).toEqual([
      ['label_renamed', '"query": "label_values({job=\\"'],
      ['label_moved', '"expr": "sum by ($group) (rate'],
      ['content_refused', '"query": "{ span.gen_ai.prompt'],
      ['traceql_syntax', '"query": "{ status = error"'],
      ['label_removed', '"expr": "sum by (session_id) (i'.slice(0, 30)],
    ]);
    expect(findings[0].message).toMatch(/^the variable model /);
    expect(findings[1].message).toMatch(/^the panel "Errors" .* doesn’t filter at all/);
  });
});
