// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are templates of relabelling.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { labelsFromRecord, labelsToRecord } from '../server/model/index.ts';
import { type ScrapeJob, scrapeSchema } from '../server/scrape/index.ts';
import { emptyLabelNames, sampleLabels } from '../server/scrape/sample-labels.ts';
import { makeTarget, type Target } from '../server/scrape/target.ts';
import { decodeScrape, ScrapeBatch } from '../server/wire/index.ts';
import { findPrometheus, startPrometheus } from './peer-prometheus.ts';
import { temporaryDirectory } from './program.ts';

const JOBS = 400;

const label = fc.constantFrom('a', 'b', 'c', 'job', 'instance', '__param_x', '__meta_zone', 'größe', 'with.dot', 'no');
const value = fc.constantFrom('', 'x', 'foo', 'foo;bar', 'Straße', 'İΣ', 'a-1', '$1', '10.0.0.1:9100', 'ᾳﬁ', 'x\ny');
const regex = fc.constantFrom(
  '(.*)',
  '(.+)',
  'foo',
  'f(o+)',
  '(?P<first>[^;]*);?(?P<rest>.*)',
  '(a|b)',
  '.',
  '(\\d+)\\.(\\d+).*',
  'x?',
  '__meta_(.*)',
  '(?i)FOO',
  '',
);
const template = fc.constantFrom(
  '$1',
  '${1}',
  '$1x',
  '${first}_${rest}',
  'fixed',
  '',
  '$$1',
  '$2$1',
  'a$',
  '${1',
  'größe',
);
const target = fc.constantFrom('a', 'b', 'new', 'größe', 'with.dot', '__tmp', 'job', 'instance', '${1}_l', '$first');

const rule = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record(
      {
        source_labels: fc.array(label, { maxLength: 3 }),
        separator: fc.constantFrom(';', '/', ''),
        regex,
        target_label: target,
        replacement: template,
      },
      { requiredKeys: ['target_label'] },
    ),
  },
  fc.record({
    source_labels: fc.array(label, { minLength: 1, maxLength: 2 }),
    regex,
    action: fc.constantFrom('keep', 'drop'),
  }),
  fc.record({
    source_labels: fc.array(label, { maxLength: 2 }),
    target_label: label,
    action: fc.constantFrom('keepequal', 'dropequal'),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      source_labels: fc.array(label, { maxLength: 2 }),
      target_label: label,
      action: fc.constantFrom('lowercase', 'uppercase'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      source_labels: fc.array(label, { maxLength: 2 }),
      target_label: label,
      modulus: fc.constantFrom(1, 7, 1000, 4294967291),
      action: fc.constant('hashmod'),
    }),
  },
  // Only names that stay apart: which of two wins depends on the order of a map of Go's, which is another one each time.
  fc.record({
    regex: fc.constantFrom('__meta_(.*)', '(a|b)', '(?P<n>[a-cö-ü].*)', 'nothing'),
    replacement: fc.constantFrom('m_${1}', '$1$1', 'größe-$1'),
    action: fc.constant('labelmap'),
  }),
  fc.record({ regex, action: fc.constant('labeldrop') }),
  // What keeps the address, or hardly anything would be left to compare.
  fc.record({ regex: fc.constant('__.*|a|b|größe'), action: fc.constant('labelkeep') }),
);
const job = fc.record({
  labels: fc.dictionary(label, value, { maxKeys: 6 }),
  rules: fc.array(rule, { maxLength: 5 }),
});

interface PrometheusTargets {
  readonly activeTargets: { scrapePool: string; labels: Record<string, string>; scrapeUrl: string; health: string }[];
  readonly droppedTargets: { scrapePool: string }[];
}

describe('a real Prometheus', () => {
  it('makes the same targets by 400 random lists of rules', { timeout: 180_000 }, async (context) => {
    const peer = await findPrometheus();
    if (peer === undefined) return context.skip('no Prometheus here');
    const scrapeConfigs = fc.sample(job, { numRuns: JOBS, seed: 20_261_124 }).map(({ labels, rules }, i) => ({
      job_name: `job-${i}`,
      scrape_interval: '1d',
      static_configs: [{ targets: [`127.0.0.1:${i + 1}`], labels }],
      relabel_configs: rules,
    }));
    const folder = temporaryDirectory();
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    // JSON is YAML.
    fs.writeFileSync(path.join(folder, 'prometheus.yml'), JSON.stringify({ scrape_configs: scrapeConfigs }));
    const prometheus = spawn(
      path.join(peer, 'prometheus'),
      [
        `--config.file=${folder}/prometheus.yml`,
        `--storage.tsdb.path=${folder}/data`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let said = '';
    prometheus.stderr.on('data', (data) => {
      said += data;
    });
    try {
      const theirs = await targetsOf(port, () => said);
      const config = scrapeSchema.parse({ scrape_configs: scrapeConfigs });
      const differences = config.jobs.flatMap((parsed, i) => {
        const {
          targets: [address],
          labels,
        } = scrapeConfigs[i].static_configs[0];
        const verdict = makeTarget(parsed, { address, labels });
        const ours =
          verdict.kind === 'target'
            ? { ...labelsToRecord(verdict.target.labels), url: verdict.target.address }
            : verdict.kind;
        const expected = theirs.get(parsed.name) ?? 'invalid';
        return JSON.stringify(ours, Object.keys(Object(ours)).sort()) ===
          JSON.stringify(expected, Object.keys(Object(expected)).sort())
          ? []
          : [{ job: scrapeConfigs[i], ours, theirs: expected }];
      });
      expect(differences.slice(0, 3)).toEqual([]);
      const kinds = [...theirs.values()].map((found) => (typeof found === 'string' ? found : 'target'));
      expect(kinds.filter((kind) => kind === 'target').length).toBeGreaterThan(JOBS / 3);
      expect(kinds).toContain('dropped');
    } finally {
      prometheus.kill('SIGKILL');
      fs.rmSync(folder, { recursive: true, force: true });
    }
  });
});

const SERIES_JOBS = 200;

/** Lines of an exposition whose labels meet those of the target, some of them empty. */
const line = fc.dictionary(
  fc.constantFrom('a', 'b', 'job', 'instance', 'exported_job', 'exported_exported_job', 'zone', 'größe'),
  value,
  { maxKeys: 6 },
);
const seriesJob = fc.record({
  honor: fc.boolean(),
  lines: fc.array(line, { minLength: 1, maxLength: 8 }),
  rules: fc.array(
    fc.oneof(
      fc.record({
        source_labels: fc.array(label, { maxLength: 2 }),
        regex,
        target_label: fc.constantFrom('a', 'b', 'job', 'new'),
        replacement: template,
      }),
      fc.record({
        source_labels: fc.array(label, { minLength: 1, maxLength: 2 }),
        regex,
        action: fc.constantFrom('keep', 'drop'),
      }),
      fc.record({
        source_labels: fc.array(label, { maxLength: 2 }),
        target_label: label,
        action: fc.constantFrom('keepequal', 'dropequal', 'uppercase'),
      }),
      // Here labels have an order, so it is known which of two wins.
      fc.record({
        regex: fc.constantFrom('(a|b)', '(.).*', 'exported_(.+)'),
        replacement: fc.constantFrom('$1', 'm_$1', 'one'),
        action: fc.constant('labelmap'),
      }),
      fc.record({ regex: fc.constantFrom('a|b', 'exported_.*', 'größe'), action: fc.constant('labeldrop') }),
      fc.record({ regex: fc.constantFrom('__name__|a|job', '.*'), action: fc.constant('labelkeep') }),
    ),
    { maxLength: 4 },
  ),
});

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');

function expositionOf(lines: readonly Record<string, string>[]): string {
  return lines
    .map((labels, i) => {
      const parts = Object.entries(labels).map(([name, text]) => `"${name}"="${escaped(text)}"`);
      return `m_${i}{${parts.join(',')}} 1\n`;
    })
    .join('');
}

/** The series that a job stores, or none where its scrape fails. */
function storedSeries(job: ScrapeJob, target: Target, exposition: string): string[] {
  const batch = new ScrapeBatch();
  decodeScrape(Buffer.from(exposition), 'PrometheusText1.0.0', { scrapeMs: 0 }, batch);
  const verdicts = Array.from({ length: batch.seriesCount }, (_, i) =>
    sampleLabels(job, target.labels, batch.seriesLabels(i), emptyLabelNames(batch.labelBytes(i), batch.keyKind)),
  );
  if (verdicts.some(({ kind }) => kind === 'refused')) return [];
  return verdicts.flatMap((verdict) => (verdict.kind === 'kept' ? [JSON.stringify(verdict.labels)] : []));
}

describe('a real Prometheus that scrapes', () => {
  it('stores the same series by 200 random lists of rules', { timeout: 180_000 }, async (context) => {
    const found = await findPrometheus();
    if (found === undefined) return context.skip('no Prometheus here');
    const cases = fc.sample(seriesJob, { numRuns: SERIES_JOBS, seed: 20_261_125 });
    const server = http.createServer((request, response) => {
      const { lines } = cases[Number(request.url?.slice(1))];
      response.writeHead(200, { 'content-type': 'text/plain; version=1.0.0; escaping=allow-utf-8' });
      response.end(expositionOf(lines));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const scrapeConfigs = cases.map(({ honor, rules }, i) => ({
      job_name: `job-${i}`,
      metrics_path: `/${i}`,
      scrape_interval: '2s',
      honor_labels: honor,
      static_configs: [{ targets: [address], labels: { zone: 'z' } }],
      metric_relabel_configs: rules,
    }));
    const peer = await startPrometheus(found, () => JSON.stringify({ scrape_configs: scrapeConfigs }));
    try {
      await untilScraped(peer.url);
      const theirs = await fetch(
        `${peer.url}/api/v1/series?${new URLSearchParams({ 'match[]': '{__name__=~"m_.*"}' })}`,
      );
      const { data } = (await theirs.json()) as { data: Record<string, string>[] };
      const stored = new Set(data.map((labels) => JSON.stringify(labelsFromRecord(labels))));
      const { jobs } = scrapeSchema.parse({ scrape_configs: scrapeConfigs });
      const ours = new Set(
        jobs.flatMap((job, i) => {
          const verdict = makeTarget(job, { address, labels: { zone: 'z' } });
          if (verdict.kind !== 'target') throw new Error(`${job.name} has no target`);
          return storedSeries(job, verdict.target, expositionOf(cases[i].lines));
        }),
      );
      expect([...ours].filter((series) => !stored.has(series))).toEqual([]);
      expect([...stored].filter((series) => !ours.has(series))).toEqual([]);
      expect(stored.size).toBeGreaterThan(SERIES_JOBS);
    } finally {
      peer.stop();
      server.closeAllConnections();
      server.close();
    }
  });
});

/** Resolves when every target was scraped. */
async function untilScraped(url: string): Promise<void> {
  for (let i = 0; i < 150; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const { data } = (await (await fetch(`${url}/api/v1/targets`)).json()) as { data: PrometheusTargets };
    const healths = data.activeTargets.map(({ health }) => health);
    if (healths.length === SERIES_JOBS && !healths.includes('unknown')) return;
  }
  throw new Error('Prometheus did not scrape every target');
}

/** What became of each job's target: its labels and URL, or `dropped`. */
async function targetsOf(port: number, said: () => string): Promise<Map<string, Record<string, string> | 'dropped'>> {
  for (let i = 0; i < 150; i++) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/targets`).catch(() => undefined);
    if (!response?.ok) continue;
    const { data } = (await response.json()) as { data: PrometheusTargets };
    if (data.activeTargets.length === 0) continue;
    // Pools are filled one after the other.
    await new Promise((resolve) => setTimeout(resolve, 1500));
    const again = (await (await fetch(`http://127.0.0.1:${port}/api/v1/targets`)).json()) as {
      data: PrometheusTargets;
    };
    if (again.data.activeTargets.length !== data.activeTargets.length) continue;
    const found = new Map<string, Record<string, string> | 'dropped'>();
    for (const { scrapePool, labels, scrapeUrl } of data.activeTargets)
      found.set(scrapePool, { ...labels, url: scrapeUrl });
    for (const { scrapePool } of data.droppedTargets) found.set(scrapePool, 'dropped');
    return found;
  }
  throw new Error(`Prometheus has no targets:\n${said().slice(-2000)}`);
}
