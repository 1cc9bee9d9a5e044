import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ActiveAlert, advanceAlerts, expandTemplate, readRuleFile } from './index.ts';

function alertOf(more: string): string {
  return `groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n${more}`;
}

const GOOD = alertOf(
  '    for: 5m\n    labels: {severity: info}\n    annotations: {summary: "{{ $labels.job }} {{ $value | humanize }}"}\n',
);
const BAD: readonly [string, string, RegExp][] = [
  ['an unknown key', alertOf('    fro: 5m\n'), /r\.yaml:6: got key "fro"/],
  ['an expression', GOOD.replace('up == 0', 'up =='), /r\.yaml:5: got an expression/],
  ['a template function', alertOf('    annotations: {a: "{{ nosuch 1 }}"}\n'), /function "nosuch" not defined/],
  ['a template variable', alertOf('    annotations: {a: "{{ $nosuch }}"}\n'), /undefined variable/],
  ['an open action', alertOf('    annotations: {a: "{{ if $value }}"}\n'), /without \{\{end\}\}/],
  ['a duration', alertOf('    for: soon\n'), /r\.yaml:6: got duration/],
  [
    'annotations of a recording rule',
    'groups: [{name: g, rules: [{record: a, expr: up, annotations: {a: b}}]}]',
    /recording rule/,
  ],
  ['a group twice', 'groups: [{name: g}, {name: g}]', /twice/],
];

describe('rule files', () => {
  it('reads groups with labels that rules inherit', () => {
    const text =
      'groups: [{name: g, interval: 30s, limit: 3, query_offset: 1m, labels: {a: x, b: y}, rules: [{record: r, expr: up, labels: {b: z}}]}]';
    expect(readRuleFile(text, 'r.yaml')).toMatchObject([
      {
        name: 'g',
        intervalMs: 30_000,
        limit: 3,
        queryOffsetMs: 60_000,
        rules: [{ kind: 'record', labels: { a: 'x', b: 'z' } }],
      },
    ]);
  });

  it.each(BAD)('refuses %s with its line', (_what, text, message) => {
    expect(() => readRuleFile(text, 'r.yaml')).toThrow(message);
  });

  it('refuses a page that names no owner, and a notice that pages', () => {
    expect(() => readRuleFile(alertOf('    labels: {class: page, owner: a}\n'), 'r.yaml')).toThrow(
      /runbook_url, impact/,
    );
    expect(() => readRuleFile(alertOf('    labels: {class: notify, severity: Critical}\n'), 'r.yaml')).toThrow(/pages/);
    expect(() => readRuleFile(alertOf('    labels: {class: notify, severity: "{{ $labels.s }}"}\n'), 'r.yaml')).toThrow(
      /pages/,
    );
    expect(() => readRuleFile(alertOf('    labels: {class: "{{ $labels.c }}"}\n'), 'r.yaml')).toThrow(/class/);
    const page = '    labels: {class: page, owner: a}\n    annotations: {runbook_url: b, impact: c}\n';
    expect(readRuleFile(alertOf(page), 'r.yaml')).toHaveLength(1);
  });

  const promtool = path.join(process.env.BAROGRAPH_PEERS ?? '', 'usr/bin/promtool');
  it.skipIf(!fs.existsSync(promtool))('judges these files as promtool does', () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rules-'));
    const file = path.join(folder, 'r.yaml');
    const isAccepted = (text: string): boolean => {
      fs.writeFileSync(file, text);
      try {
        execFileSync(promtool, ['check', 'rules', file], { stdio: 'ignore' });
        return true;
      } catch {
        return false;
      }
    };
    expect(isAccepted(GOOD)).toBe(true);
    expect(BAD.filter(([, text]) => isAccepted(text)).map(([what]) => what)).toEqual([]);
    fs.rmSync(folder, { recursive: true });
  });
});

describe('templates', () => {
  const data = {
    labels: { job: 'api', instance: 'a:90' },
    externalLabels: { region: 'eu' },
    externalUrl: 'http://b',
    value: 1234567,
  };
  it.each([
    ['{{ $labels.job }} {{ .Labels.none }}{{ $externalLabels.region }}', 'api eu'],
    ['{{ $value }}', '1.234567e+06'],
    ['{{ $value | humanize }} {{ humanize1024 1024.0 }} {{ 0.25 | humanizePercentage }}', '1.235M 1ki 25%'],
    [
      '{{ humanizeDuration 90061 }} {{ humanizeDuration 0.005 }} {{ humanizeTimestamp 1.5 }}',
      '1d 1h 1m 1s 5ms 1970-01-01 00:00:01.5 +0000 UTC',
    ],
    ['{{ printf "%.2f|%5.1f|%-4d|%s" $value 1.25 3 $labels.job }}', '1234567.00|  1.2|3   |api'],
    ['{{ if gt $value 5.0 }}big{{ else if eq $labels.job "x" }}x{{ else }}small{{ end }}', 'big'],
    ['{{ range $k, $v := $labels }}{{ $k }}={{ $v }};{{ end }}', 'instance=a:90;job=api;'],
    ['a {{- /* none */ -}} b{{ with $labels.none }}x{{ else }}y{{ end }}', 'aby'],
    [
      '{{ $x := "q" }}{{ if true }}{{ $x = "w" }}{{ end }}{{ $x | toUpper | title }} {{ stripPort $labels.instance }}',
      'W a',
    ],
    ['{{ match "a.i" $labels.job }} {{ not (eq $labels.job "b") }} {{ parseDuration "1h" }}', 'true true 3600'],
  ])('fills in %s', (text, expected) => {
    expect(expandTemplate(text, data)).toBe(expected);
  });
});

describe('the state of alerts', () => {
  it('goes from pending to firing, is kept, resolves, and is forgotten after 15 minutes', () => {
    const active = new Map<string, ActiveAlert>();
    const found = new Map([['a', { labels: ['x', 'y'], annotations: {}, value: 1 }]]);
    const rule = { forMs: 60_000, keepFiringForMs: 30_000 };
    const step = (ms: number, on: boolean): string | undefined => {
      advanceAlerts(active, on ? found : new Map(), rule, ms);
      return active.get('a')?.state;
    };
    expect([step(15_000, true), step(60_000, true), step(75_000, true)]).toEqual(['pending', 'pending', 'firing']);
    expect([step(90_000, false), step(119_000, false), step(120_000, false)]).toEqual(['firing', 'firing', 'inactive']);
    expect([step(1_020_000, false), step(1_020_001, false)]).toEqual(['inactive', undefined]);
    expect([step(2_000_000, true), step(2_010_000, false)]).toEqual(['pending', undefined]);
  });
});
