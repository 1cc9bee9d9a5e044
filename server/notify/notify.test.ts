import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../model/index.ts';
import {
  assertMayReceive,
  groupLabels,
  isInhibited,
  parseMatchers,
  readNotifyConfig,
  routesOf,
  routesOfNotify,
} from './index.ts';

const AMTOOL = path.join(process.env.BAROGRAPH_PEERS ?? '/nowhere', 'usr/bin/amtool');

const FILE = `
route:
  receiver: everything
  group_by: [alertname, cluster]
  group_wait: 10s
  routes:
    - receiver: pager
      matchers: ['class="page"', 'tier=~"gold|silver"']
      group_wait: 0s
      continue: true
    - receiver: infra
      matchers: [team=infra]
      group_by: ['...']
      routes:
        - receiver: gpu
          matchers: ['{component!~"cpu|disk"}', 'component!=""']
          repeat_interval: 1h
    - receiver: chat
      matchers: [class = "notify"]
receivers:
  - name: everything
    webhook_configs: [{ url: 'http://localhost:1/' }]
  - name: pager
    pagerduty_configs: [{ routing_key: hush-hush }]
  - name: infra
  - name: gpu
  - name: chat
    slack_configs: [{ api_url: 'http://localhost:2/hush-hush', channel: '#ml' }]
inhibit_rules:
  - source_matchers: [alertname=NodeDown]
    target_matchers: [alertname=~".+"]
    equal: [node, zone]
`;
const config = readNotifyConfig(FILE, 'am.yaml');
const receiversOf = (labels: Record<string, string>) =>
  routesOf(config.root, labelsFromRecord(labels)).map((route) => route.receiver);

function refusal(text: string): string {
  try {
    readNotifyConfig(text, 'am.yaml');
  } catch (error) {
    return (error as Error).message;
  }
  return 'taken';
}

describe('routes', () => {
  it('inherit what they do not say', () => {
    const gpu = config.root.routes[1].routes[0];
    expect(gpu).toMatchObject({ groupBy: 'all', groupWaitMs: 10_000, groupIntervalMs: 300_000 });
    expect(gpu.repeatIntervalMs).toBe(3_600_000);
    expect(config.root.routes[0].groupWaitMs).toBe(0);
  });

  it('group by the labels that an alert has', () => {
    const alert = labelsFromRecord({ alertname: 'A', cluster: 'c', pod: 'p' });
    expect(groupLabels(config.root, alert)).toEqual(['alertname', 'A', 'cluster', 'c']);
    expect(groupLabels(config.root.routes[1], alert)).toBe(alert);
  });

  it.skipIf(!fs.existsSync(AMTOOL))(
    'take the alerts that amtool says they take, of a file that it accepts',
    () => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'barograph-notify-'));
      try {
        const file = path.join(folder, 'am.yaml');
        fs.writeFileSync(file, FILE);
        execFileSync(AMTOOL, ['check-config', file], { stdio: 'pipe' });
        const values: Record<string, string[]> = {
          class: ['', 'page', 'notify'],
          tier: ['', 'gold', 'bronze'],
          team: ['', 'infra'],
          component: ['', 'cpu', 'gpu'],
        };
        let cases: Record<string, string>[] = [{ alertname: 'A' }];
        for (const [name, of] of Object.entries(values)) {
          cases = cases.flatMap((labels) => of.map((value) => (value === '' ? labels : { ...labels, [name]: value })));
        }
        for (const labels of cases) {
          const pairs = Object.entries(labels).map(([name, value]) => `${name}=${value}`);
          const said = execFileSync(AMTOOL, ['config', 'routes', 'test', `--config.file=${file}`, ...pairs], {
            stdio: 'pipe',
          });
          expect(receiversOf(labels).join(','), pairs.join(' ')).toBe(said.toString().trim());
        }
      } finally {
        fs.rmSync(folder, { recursive: true });
      }
    },
    60_000,
  );
});

describe('inhibition', () => {
  const down = labelsFromRecord({ alertname: 'NodeDown', node: 'n1' });
  const slow = labelsFromRecord({ alertname: 'Slow', node: 'n1' });
  const other = labelsFromRecord({ alertname: 'Slow', node: 'n2' });
  it('holds back equal labels only, and never an alert by itself', () => {
    expect(isInhibited(config.inhibitRules, slow, [down, slow])).toBe(true);
    expect(isInhibited(config.inhibitRules, other, [down])).toBe(false);
    expect(isInhibited(config.inhibitRules, down, [down])).toBe(false);
    expect(isInhibited(config.inhibitRules, slow, [])).toBe(false);
  });
});

describe('the wall between the classes', () => {
  const receivers = `
receivers:
  - { name: pager, pagerduty_configs: [{ routing_key: k }] }
  - { name: loud, barograph_class: page, webhook_configs: [{ url: 'http://localhost/' }] }
  - { name: chat }
`;
  const tree = (routes: string, root = 'chat') => `route: { receiver: ${root}, routes: [${routes}] }${receivers}`;
  it.each([
    ['a pager that takes everything', tree('', 'pager')],
    ['a pager by another label', tree('{ receiver: pager, matchers: [team=infra] }')],
    ['a marked receiver', tree('{ receiver: loud, matchers: [tier=gold] }')],
    [
      'a catch of notify that goes on',
      tree('{ receiver: chat, matchers: [class=notify], continue: true }, { receiver: pager, matchers: [a=b] }'),
    ],
    ['a catch that is not certain', tree('{ receiver: chat, matchers: [class=notify, a=b] }', 'pager')],
    [
      'a child that inherits the pager',
      tree(
        '{ receiver: pager, matchers: [class=page], routes: [] }, { receiver: chat, routes: [{ receiver: pager, matchers: [class=~".+"] }] }',
      ),
    ],
    [
      'a pager that is called notify',
      `route: { receiver: p }\nreceivers: [{ name: p, barograph_class: notify, opsgenie_configs: [{ api_key: k }] }]`,
    ],
  ])('refuses %s', (_what, text) => {
    expect(refusal(text)).toMatch(/^am\.yaml:\d+.*a way for alerts with class="notify"/);
  });
  it.each([
    ['a pager for class page', tree('{ receiver: pager, matchers: [class=page] }')],
    ['a pager after a certain catch', tree('{ receiver: chat, matchers: [class=notify] }', 'pager')],
    [
      'a certain catch that goes on to pages only',
      tree(
        '{ receiver: chat, matchers: [class=notify], continue: true }, { receiver: loud, matchers: [class!=notify] }',
        'pager',
      ),
    ],
  ])('takes %s', (_what, text) => {
    expect(refusal(text)).toBe('taken');
  });
  it('stands at the time of sending too', () => {
    const pager = { name: 'pager', class: 'page', integrations: [] } as const;
    const page = labelsFromRecord({ class: 'page' });
    const notify = labelsFromRecord({ class: 'notify' });
    expect(() => assertMayReceive(pager, [page])).not.toThrow();
    expect(() => assertMayReceive(pager, [page, notify])).toThrow('class="notify"');
    expect(() => assertMayReceive({ ...pager, class: 'notify' }, [notify])).not.toThrow();
  });
});

describe('a file that is wrong', () => {
  it.each([
    ['route:\n  receiver: a\n  mute_time_intervals: [x]\nreceivers: [{ name: a }]', 'am.yaml:3: mute_time_intervals'],
    ['route:\n  receiver: b\nreceivers: [{ name: a }]', 'am.yaml:2: receiver'],
    ['route:\n  receiver: a\n  group_wait: soon\nreceivers: [{ name: a }]', 'am.yaml:3: group_wait'],
    ['route:\n  receiver: a\nreceivers:\n  - name: a\n    sns_configs: []', 'am.yaml:5: sns_configs'],
    ['route:\n  receiver: a\n  group_by: [x, x]\nreceivers: [{ name: a }]', 'am.yaml:3: group_by'],
    ['receivers: [', 'am.yaml:1'],
    ['', 'am.yaml:1'],
  ])('is refused by name and line: %j', (text, where) => {
    expect(refusal(text)).toContain(where);
  });
  it('is never quoted', () => {
    const text = FILE.replace('routing_key: hush-hush', 'routing_key: [hush-hush').replace('url:', 'hush:');
    expect(refusal(text)).not.toMatch('hush');
    expect(JSON.stringify([...config.receivers.values()])).not.toMatch('hush');
  });
});

it('reads matchers in both notations, and no escape that Alertmanager reads in two ways', () => {
  const of = (text: string) => parseMatchers(text, 'here').map(({ name, op, value }) => `${name} ${op} ${value}`);
  expect(of('{a="b,}", "my label" !~ x.*|y}')).toEqual(['a = b,}', 'my label !~ x.*|y']);
  expect(of('a="say \\"hi\\"\\n"')).toEqual(['a = say "hi"\n']);
  expect(of('')).toEqual([]);
  for (const wrong of ['a', 'a="b', '{a=b', 'a=b c=d', 'a=~"\\d"', '="b"'])
    expect(() => of(wrong), wrong).toThrow('here');
});

it('lets no alert of class notify end in a route that the check at load did not look at', () => {
  const matcher = fc.constantFrom(
    'class=notify',
    'class=page',
    'class!=notify',
    'class=~"n.*|x"',
    'a=1',
    'a!=1',
    'b=1',
  );
  const matchers = fc.array(matcher, { maxLength: 2 });
  const treesOver = (routes: fc.Arbitrary<unknown[]>) =>
    fc.array(fc.record({ matchers, continue: fc.boolean(), routes }), { maxLength: 4 });
  const trees = treesOver(treesOver(treesOver(fc.constant([]))));
  const others: Record<string, string>[] = [{}, { a: '1' }, { b: '1' }, { a: '1', b: '1' }];
  const alerts = others.map((labels) => labelsFromRecord({ class: 'notify', ...labels }));
  fc.assert(
    fc.property(trees, (routes) => {
      const text = JSON.stringify({ route: { receiver: 'a', routes }, receivers: [{ name: 'a' }] });
      const { root } = readNotifyConfig(text, 'am.json');
      const seen = new Set(routesOfNotify(root));
      for (const alert of alerts) for (const route of routesOf(root, alert)) expect(seen.has(route)).toBe(true);
    }),
    { numRuns: 500 },
  );
});
