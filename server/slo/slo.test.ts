import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord } from '../model/index.ts';
import { encodePrometheus, queryPromql } from '../query/promql/index.ts';
import { MemoryMetricReader } from '../query/promql/memory-reader.ts';
import {
  burnFactor,
  printObjectives,
  printOpenSlo,
  printRules,
  type RecordingRule,
  readSloFile,
  type SloRules,
  sloRules,
  windowsOf,
} from './index.ts';

const ROOT = path.join(import.meta.dirname, '..', '..');
const STEP_MS = 300_000;
const HOUR_MS = 3_600_000;
const PAGE = { owner: 'o', runbookUrl: 'https://r', impact: 'i' };

const SLOTH = `
version: prometheus/v1
service: shop
slos:
  - name: availability
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(bad_total[{{.window}}]))
        total_query: sum(rate(all_total[{{.window}}]))
    alerting: { name: ShopErrors, page_alert: { labels: { x: y } } }
`;
const PYRRA = `
apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: { name: api, namespace: shop }
spec:
  target: "99"
  window: 4w
  indicator:
    ratio: { errors: { metric: 'all_total{code="500"}' }, total: { metric: all_total }, grouping: [route] }
`;

function promtool(): string | undefined {
  const places = [path.join(process.env.BAROGRAPH_PEERS ?? '/nowhere', 'usr', 'bin', 'promtool')];
  return places.find((file) => fs.existsSync(file));
}

/** Counters a and b with one increase a record of five minutes, samples each 30 s. */
function counters(steps: readonly { all: number; bad: number }[]): MemoryMetricReader {
  const reader = new MemoryMetricReader();
  const per = STEP_MS / 30_000;
  const times = Float64Array.from({ length: steps.length * per + 1 }, (_, i) => i * 30_000);
  for (const [name, key] of [
    ['all_total', 'all'],
    ['bad_total', 'bad'],
  ] as const) {
    const values = new Float64Array(times.length);
    for (let i = 1; i < times.length; i++) values[i] = values[i - 1] + steps[Math.floor((i - 1) / per)][key] / per;
    reader.add({ labels: labelsFromRecord({ __name__: name }), timestamps: times, values, histograms: undefined });
  }
  return reader;
}

interface Answer {
  readonly data: { readonly result: readonly { readonly values: readonly [number, string][] }[] };
}

/** What a query gives at each record's end, by time; only the first series. */
async function over(reader: MemoryMetricReader, query: string, endMs: number, stepMs = STEP_MS) {
  const result = await queryPromql(query, { startMs: stepMs, endMs, stepMs }, reader);
  const { data } = JSON.parse(Buffer.from(encodePrometheus(result)).toString()) as Answer;
  if (data.result.length === 0) return undefined;
  const [{ values }] = data.result;
  return {
    timestamps: Float64Array.from(values, ([seconds]) => seconds * 1000),
    values: Float64Array.from(values, ([, text]) => Number(text)),
  };
}

/** Evaluates a rule file's records, one after the other, into the reader. */
async function record(reader: MemoryMetricReader, { groups }: SloRules, endMs: number): Promise<void> {
  for (const group of groups) {
    for (const rule of group.rules) {
      if (!('record' in rule)) continue;
      const { record: name, expr, labels }: RecordingRule = rule;
      const found = await over(reader, expr, endMs, group.interval === '1h' ? HOUR_MS : STEP_MS);
      if (found)
        reader.add({ labels: labelsFromRecord({ __name__: name, ...labels }), ...found, histograms: undefined });
    }
  }
}

/** When a condition holds for any series; the pairs of an alert keep the names of their records. */
async function firing(reader: MemoryMetricReader, expr: string, endMs: number): Promise<Set<number>> {
  return new Set((await over(reader, `count(${expr})`, endMs))?.timestamps ?? []);
}

const history = fc.array(
  fc.record({
    length: fc.integer({ min: 1, max: 40 }),
    all: fc.integer({ min: 100, max: 9000 }),
    share: fc.constantFrom(0, 0, 0.001, 0.004, 0.01, 0.03, 1),
  }),
  { minLength: 3, maxLength: 12 },
);
const stepsOf = (runs: readonly { length: number; all: number; share: number }[]) =>
  runs.flatMap(({ length, all, share }) => Array.from({ length }, () => ({ all, bad: all * share })));

describe('burn-rate rules', () => {
  it('have the factors of the workbook at 30 days and scale with the period', () => {
    const dayMs = 24 * HOUR_MS;
    expect(windowsOf('workbook', 30 * dayMs).map((window) => burnFactor(window, 30 * dayMs))).toEqual([14.4, 6, 3, 1]);
    expect(windowsOf('workbook', 28 * dayMs).map((window) => burnFactor(window, 28 * dayMs))[0]).toBe(13.44);
    expect(windowsOf('pyrra', 28 * dayMs).map((window) => burnFactor(window, 28 * dayMs))).toEqual([14, 7, 2, 1]);
  });

  it("fire when Sloth's do and when the arithmetic says so, over random histories", async () => {
    const { objectives } = readSloFile(SLOTH, 'sloth.yaml', PAGE);
    const rules = sloRules(objectives[0]);
    const alerts = rules.groups[0].rules.flatMap((rule) =>
      'alert' in rule && !rule.alert.endsWith('NoData') ? [rule] : [],
    );
    let compared = 0;
    await fc.assert(
      fc.asyncProperty(history, async (runs) => {
        const steps = stepsOf(runs);
        const endMs = steps.length * STEP_MS;
        const reader = counters(steps);
        const ratio = (window: string) => `(sum(rate(bad_total[${window}])) / sum(rate(all_total[${window}])))`;
        const above = (long: string, short: string, factor: number) =>
          `(${ratio(long)} > ${factor * 0.001} and ${ratio(short)} > ${factor * 0.001})`;
        const slothOf = (scale: number) => ({
          page: `${above('1h', '5m', 14.4 * scale)} or ${above('6h', '30m', 6 * scale)}`,
          notify: `${above('1d', '2h', 3 * scale)} or ${above('3d', '6h', 1 * scale)}`,
        });
        await record(reader, rules, endMs);
        for (const alert of alerts) {
          const key = alert.labels.class as 'page' | 'notify';
          const ours = await firing(reader, alert.expr, endMs);
          // Rates are extrapolated over other edges than sums of records are, so what lies within 5 % of a factor is
          // left open: whatever Sloth fires at 1.05 of it must fire, whatever it doesn't at 0.95 must not.
          const surely = await firing(reader, slothOf(1.05)[key], endMs);
          const perhaps = await firing(reader, slothOf(0.95)[key], endMs);
          for (const at of surely) expect(ours.has(at), `${key} at ${at}`).toBe(true);
          for (const at of ours) expect(perhaps.has(at), `${key} at ${at}`).toBe(true);
          compared += steps.length;
          const sum = (end: number, ms: number, part: 'all' | 'bad') =>
            steps.slice(Math.max(0, end - ms / STEP_MS), end).reduce((total, step) => total + step[part], 0);
          for (let end = 1; end <= steps.length; end++) {
            const margins = objectives[0].windows
              .filter((window) => window.class === key)
              .map((window) => {
                const burns = [window.longMs, window.shortMs].map(
                  (ms) => sum(end, ms, 'bad') / sum(end, ms, 'all') / 0.001,
                );
                return Math.min(...burns) - burnFactor(window, 30 * 24 * HOUR_MS);
              });
            const margin = Math.max(...margins);
            // The first record lacks an increase, and equality is a matter of the last digits.
            if (Math.abs(margin) > 0.3) expect(ours.has(end * STEP_MS), `${key} at record ${end}`).toBe(margin > 0);
          }
        }
      }),
      { numRuns: 15 },
    );
    expect(compared).toBeGreaterThan(500);
  });

  it('see an outage without a single good event, and no burn without events', async () => {
    const text = `
version: barograph/v1
service: s
objectives: [{ name: n, target: 99, page: false, indicator: { kind: ratio, good: good_total, total: all_total } }]`;
    const rules = sloRules(readSloFile(text, 'f.yaml').objectives[0]);
    const reader = counters(Array.from({ length: 24 }, (_, i) => ({ all: i < 12 ? 100 : 0, bad: 0 })));
    await record(reader, rules, 24 * STEP_MS);
    const burn = await over(reader, 'slo:burn_rate:ratio2h', 12 * STEP_MS);
    expect(burn?.values.at(-1)).toBeCloseTo(100, 6);
    const idle = await over(counters([{ all: 0, bad: 0 }]), rules.groups[0].rules[2].expr, STEP_MS);
    expect(idle).toBeUndefined();
  });
});

describe('budgets', () => {
  it('never rise while nothing leaves the period and what comes is no better than what was', async () => {
    const text = SLOTH.replace('99.9', '99');
    const rules = sloRules(readSloFile(text, 'sloth.yaml', PAGE).objectives[0]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 2, maxLength: 10 }), async (bads) => {
        const rising = bads.sort((a, b) => a - b);
        const steps = rising.flatMap((bad) => Array.from({ length: 12 }, () => ({ all: 1000, bad })));
        const endMs = steps.length * STEP_MS;
        const reader = counters(steps);
        await record(reader, rules, endMs);
        const left = await over(reader, 'slo:budget_left:ratio', endMs, HOUR_MS);
        for (let i = 1; i < (left?.values.length ?? 0); i++)
          expect((left?.values[i] ?? 0) - (left?.values[i - 1] ?? 0)).toBeLessThan(1e-6);
        const expected = 1 - rising.reduce((sum, bad) => sum + bad, 0) / (1000 * rising.length) / 0.01;
        expect(left?.values.at(-1)).toBeCloseTo(expected, 6);
      }),
      { numRuns: 15 },
    );
  });
});

describe('files', () => {
  const examples = fs
    .readdirSync(path.join(ROOT, 'examples', 'slo'))
    .map((name) => path.join(ROOT, 'examples', 'slo', name));
  const texts = [...examples.map((file) => fs.readFileSync(file, 'utf8')), SLOTH, PYRRA];

  it('of every format become rules, and come back from our own file and from OpenSLO as the same rules', () => {
    for (const text of texts) {
      const { objectives } = readSloFile(text, 'f.yaml', PAGE);
      const rules = objectives.map((objective) => sloRules(objective).groups);
      const again = readSloFile(printObjectives(objectives), 'g.yaml', PAGE).objectives;
      expect(again.map((objective) => sloRules(objective).groups)).toEqual(rules);
      const open = readSloFile(printOpenSlo(objectives), 'h.yaml', PAGE).objectives;
      expect(open.map((objective) => objective.windows)).toEqual(objectives.map((objective) => objective.windows));
      for (const objective of open) expect(sloRules(objective).groups).toHaveLength(3);
    }
  });

  it('pass promtool check rules', (context) => {
    const tool = promtool();
    if (!tool) return context.skip('BAROGRAPH_PEERS names no folder with usr/bin/promtool');
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'slo-'));
    try {
      const groups = texts.flatMap((text) =>
        readSloFile(text, 'f.yaml', PAGE).objectives.flatMap((one) => sloRules(one).groups),
      );
      fs.writeFileSync(path.join(folder, 'rules.yaml'), printRules(groups));
      // It ends with an error where a rule is wrong; what it prints besides differs between versions.
      const lint = ['--lint=all', '--lint-fatal'];
      execFileSync(tool, ['check', 'rules', ...lint, path.join(folder, 'rules.yaml')], { encoding: 'utf8' });
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  });

  const own = (rest: string, top = '') =>
    `version: barograph/v1\nservice: s\n${top}objectives:\n  - name: n\n    target: 99\n${rest}`;

  it.each([
    [own('    indicator: { kind: error_rate }\n'), 'slo_page_incomplete', /f\.yaml:4 .*owner, runbook_url, impact/s],
    [
      own('    indicator: { kind: error_rate, x: 1 }\n    page: false\n'),
      'bad_slo',
      /f\.yaml:6 › objectives\.0\.indicator\.x/,
    ],
    [own('    indicator: { kind: ttft, threshold: 60s }\n    page: false\n'), 'bad_slo', /0\.001 to 10/],
    [
      own('    indicator: { kind: ratio, good: "a +", total: b }\n    page: false\n'),
      'bad_slo',
      /f\.yaml:4: got a query/,
    ],
    [
      own(
        '    indicator: { kind: histogram, metric: inference_confidence, above: 0.5 }\n    owner: a\n    runbook_url: http://x\n    impact: c\n',
      ),
      'slo_informational_page',
      /page: false/,
    ],
    ['version: other', 'bad_slo', /openslo\/v1/],
    ['', 'bad_slo', /nothing/],
  ])('with a mistake are refused with place and fix (%#)', (text, code, message) => {
    let error: unknown;
    try {
      for (const objective of readSloFile(text, 'f.yaml').objectives) sloRules(objective);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('warn of a threshold between two bounds', () => {
    const text = own(
      '    indicator: { kind: ttft, threshold: 1750ms, selector: \'{stage="engine"}\' }\n    page: false\n',
    );
    const { warnings, groups } = sloRules(readSloFile(text, 'f.yaml').objectives[0]);
    expect(warnings[0].text).toContain('between 1 and 2.5');
    expect(groups[0].rules[1].expr).toContain('* 0.5');
  });
});
